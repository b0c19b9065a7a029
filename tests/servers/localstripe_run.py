"""How is localstripe made to answer as Stripe documents it, on loopback only? Runs in localstripe's own virtualenv.

Usage: localstripe_run.py PORT
localstripe's own command listens on every interface and rewrites a pickle in /tmp at each change; it answers as the API of
2017 did, its lists are oldest first and refuse `created[…]` and `ending_before`. Restored here: list semantics, Request-Id,
amounts and numbers of invoices, invoice payments, the event of a changed invoice, the account.
What is not: prices, credit notes, disputes, restricted keys, idempotency.
Source: https://docs.stripe.com/api/pagination, /api/invoices/object, /api/invoice-payment, /api/events/list
"""
# mypy: ignore-errors

from __future__ import annotations

import json
import operator
import re
import sys
import uuid

from aiohttp import web
from localstripe import resources, server

COLLECTION = re.compile(r"/v1/[a-z_]+s")
CHANGED_INVOICE = re.compile(r"/v1/invoices/(in_\w+)")
CREATED = re.compile(r"created(?:\[(gte|gt|lte|lt)\])?")
COMPARE = {
    None: operator.eq, "gt": operator.gt, "gte": operator.ge, "lt": operator.lt, "lte": operator.le,
}  # fmt: skip
INVOICE = {
    "total_excluding_tax": lambda invoice: invoice.subtotal,
    "amount_remaining": lambda invoice: invoice.amount_due - invoice.amount_paid,
    "number": lambda invoice: None if invoice.status == "draft" else f"LAB-{invoice.id[3:].upper()}",
}
PAYMENT_INTENT = {"amount_received": lambda intent: intent.amount if intent.status == "succeeded" else 0}


def refusal(message, **more):
    """Answer 400 in Stripe's shape."""
    error = {"type": "invalid_request_error", "message": message, **more}
    return web.json_response({"error": error}, status=400)


@web.middleware
async def as_documented(request, handler):
    """Give every answer a request id and every list Stripe's order, filters and cursors."""
    if request.method == "GET" and COLLECTION.fullmatch(request.path):
        response = await listing(request, handler)
    else:
        response = await handler(request)
    changed = CHANGED_INVOICE.fullmatch(request.path)
    if changed and request.method == "POST" and response.status == 200:
        resources.Event("invoice.updated", resources.Invoice._api_retrieve(changed[1]))
    response.headers["Request-Id"] = f"req_{uuid.uuid4().hex[:14]}"
    return response


async def listing(request, handler):
    """Return one page of a collection, newest first."""
    query = request.query.copy()
    limit, after, before = (query.pop(name, None) for name in ("limit", "starting_after", "ending_before"))
    if limit is not None and (not limit.isdigit() or not 1 <= int(limit) <= 100):
        return refusal("This value must be between 1 and 100.", param="limit")
    bounds = {name: CREATED.fullmatch(name)[1] for name in query if CREATED.fullmatch(name)}
    conditions = [(COMPARE[bound], int(query.pop(name))) for name, bound in bounds.items()]
    types = query.popall("types[]", [])
    everything = await handler(request.clone(rel_url=request.rel_url.with_query([*query.items(), ("limit", 10**9)])))
    if everything.status != 200:
        return everything
    rows = [
        row for row in json.loads(everything.text)["data"] if all(holds(row["created"], at) for holds, at in conditions)
    ]
    if types:
        rows = [row for row in rows if row["type"] in types]
    if rows and rows[0]["created"] <= rows[-1]["created"]:
        rows.reverse()  # within a second the later insertion comes first, as for Stripe
    rows.sort(key=lambda row: -row["created"])
    return page(request.path, rows, int(limit or 10), after, before)


def page(path, rows, limit, after, before):
    """Cut one page out of all rows, after or before the object with that id."""
    places = {row["id"]: place for place, row in enumerate(rows)}
    for cursor in (after, before):
        if cursor and cursor not in places:
            return refusal(f"No such object: '{cursor}'", code="resource_missing")
    if before:
        start, end = max(0, places[before] - limit), places[before]
        more = start > 0
    else:
        start = places[after] + 1 if after else 0
        end = start + limit
        more = end < len(rows)
    return web.json_response({"object": "list", "url": path, "has_more": more, "data": rows[start:end]})


async def account(request):
    """Answer whose key it is."""
    return web.json_response({"id": "acct_lab", "object": "account", "country": "DE"})


async def invoice_payments(request):
    """List which payment was applied to which invoice."""
    invoices = [obj for obj in resources.store.values() if isinstance(obj, resources.Invoice) and obj.payment_intent]
    return web.json_response({"object": "list", "data": [application(invoice) for invoice in invoices]})


def application(invoice):
    """Return the invoice payment of an invoice that has a payment intent."""
    return {
        "id": f"inpay_{invoice.id[3:]}",
        "object": "invoice_payment",
        "created": invoice.created,
        "currency": invoice.currency,
        "invoice": invoice.id,
        "amount_paid": invoice.amount_paid,
        "amount_requested": invoice.amount_due,
        "payment": {"type": "payment_intent", "payment_intent": invoice.payment_intent},
        "status": "paid" if invoice.status == "paid" else "open",
    }


def add_properties(kind, properties):
    """Let objects of a class show more fields."""
    for name, value in properties.items():
        setattr(kind, name, property(value))


if __name__ == "__main__":
    resources.Store.dump_to_disk = lambda self: None
    add_properties(resources.Invoice, INVOICE)
    add_properties(resources.PaymentIntent, PAYMENT_INTENT)
    server.app.router.add_get("/v1/account", account)
    server.app.router.add_get("/v1/invoice_payments", invoice_payments)
    server.app.middlewares.insert(0, as_documented)
    web.run_app(server.app, host="127.0.0.1", port=int(sys.argv[1]), access_log=None, print=None)
