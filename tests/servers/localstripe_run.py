"""How is localstripe made to answer lists as Stripe documents them, on loopback only? Runs in its own virtualenv.

Usage: localstripe_run.py PORT
localstripe's own command listens on every interface and rewrites a pickle in /tmp at each change; its lists are oldest
first and refuse `created[…]` and `ending_before`. The middleware restores the documented list semantics and adds the
Request-Id header. What it does not add: prices, credit notes, disputes, the events localstripe does not send.
Source: https://docs.stripe.com/api/pagination
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

resources.Store.dump_to_disk = lambda self: None
COLLECTION = re.compile(r"/v1/[a-z_]+s")
CREATED = re.compile(r"created(?:\[(gte|gt|lte|lt)\])?")
COMPARE = {
    None: operator.eq, "gt": operator.gt, "gte": operator.ge, "lt": operator.lt, "lte": operator.le,
}  # fmt: skip


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
    response.headers["Request-Id"] = f"req_{uuid.uuid4().hex[:14]}"
    return response


async def listing(request, handler):
    """Return one page of a collection, newest first."""
    query = dict(request.query)
    limit, after, before = query.pop("limit", "10"), query.pop("starting_after", None), query.pop("ending_before", None)
    if not limit.isdigit() or not 1 <= int(limit) <= 100:
        return refusal("This value must be between 1 and 100.", param="limit")
    conditions = [
        (COMPARE[CREATED.fullmatch(name)[1]], int(query.pop(name))) for name in list(query) if CREATED.fullmatch(name)
    ]
    everything = await handler(request.clone(rel_url=request.rel_url.with_query({**query, "limit": 10**9})))
    if everything.status != 200:
        return everything
    rows = [
        row for row in json.loads(everything.text)["data"] if all(holds(row["created"], at) for holds, at in conditions)
    ]
    if rows and rows[0]["created"] <= rows[-1]["created"]:
        rows.reverse()  # within a second the later insertion comes first, as for Stripe
    rows.sort(key=lambda row: -row["created"])
    return page(request.path, rows, int(limit), after, before)


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


if __name__ == "__main__":
    server.app.middlewares.insert(0, as_documented)
    web.run_app(server.app, host="127.0.0.1", port=int(sys.argv[1]), access_log=None, print=None)
