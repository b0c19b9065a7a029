"""How does Stripe's API answer? Lists by creation, single objects, the events feed; read-only."""

import hashlib
from collections.abc import Callable
from operator import eq, ge, gt, le, lt
from typing import Any

from werkzeug.wrappers import Request, Response

from probes.sandbox.apis.web import Handler, Served, answer, bearer, mount, throttled
from probes.sandbox.clock import DAY_US, SECOND_US
from probes.sandbox.records import API_VERSION
from probes.sandbox.world import Row

API_KEY = "rk_live_sandbox_stripe"
_RATE_PER_SECOND = 100
_FEED_LAG_SECONDS = 60
# path -> (object, parameters that filter on a field of the same or the named path)
_LISTS: dict[str, tuple[str, dict[str, str]]] = {
    "customers": ("customer", {"email": "email"}),
    "subscriptions": ("subscription", {"customer": "customer", "status": "status", "collection_method": "collection_method"}),
    "invoices": ("invoice", {
        "customer": "customer", "status": "status", "collection_method": "collection_method",
        "subscription": "parent.subscription_details.subscription",
    }),
    "invoice_payments": ("invoice_payment", {"invoice": "invoice", "status": "status"}),
    "payment_intents": ("payment_intent", {"customer": "customer"}),
    "charges": ("charge", {"customer": "customer", "payment_intent": "payment_intent"}),
    "credit_notes": ("credit_note", {"customer": "customer", "invoice": "invoice"}),
    "disputes": ("dispute", {"charge": "charge", "payment_intent": "payment_intent"}),
    "refunds": ("refund", {"charge": "charge", "payment_intent": "payment_intent"}),
    "products": ("product", {"active": "active"}),
    "prices": ("price", {"product": "product", "active": "active", "currency": "currency"}),
    "tax_rates": ("tax_rate", {"active": "active"}),
    "webhook_endpoints": ("webhook_endpoint", {}),
    "events": ("event", {"type": "type", "types": "type", "delivery_success": "delivery_success"}),
}  # fmt: skip
_EXPANDABLE = {
    "customer": "customer", "latest_invoice": "invoice", "invoice": "invoice", "charge": "charge", "latest_charge": "charge",
    "payment_intent": "payment_intent", "product": "product",
}  # fmt: skip
_COMMON = {"limit", "starting_after", "ending_before", "created", "expand"}


class _RefusedError(ValueError):
    """A request this API refuses, with the parameter at fault."""

    def __init__(self, message: str, param: str | None = None, code: str | None = None, status: int = 400) -> None:
        super().__init__(message)
        self.param, self.code, self.status = param, code, status


def refuse(status: int, code: str | None, message: str, param: str | None = None) -> Response:
    """Make an error in Stripe's shape."""
    kind = "api_error" if status >= 500 else "invalid_request_error"
    body = {
        "type": kind,
        "message": message,
        "doc_url": f"https://stripe.com/docs/error-codes/{code}" if code else None,
    }
    if code not in (None, "NOT_FOUND", "SERVER_UNAVAILABLE"):
        body["code"] = code
    if param:
        body["param"] = param
    return answer({"error": {name: value for name, value in body.items() if value is not None}}, status)


def app(served: Served) -> Callable[..., Any]:
    """Build the WSGI app."""
    rules: list[tuple[str, str, Handler]] = [
        ("/v1/account", "GET", _guarded(_account)),
        ("/v1/balance", "GET", _guarded(_balance)),
        ("/v1/<kind>/search", "GET", _guarded(_search)),
        ("/v1/<kind>", "GET", _guarded(_list)),
        ("/v1/<kind>/<row_id>", "GET", _guarded(_one)),
        ("/v1/invoices/<row_id>/lines", "GET", _guarded(_invoice_lines)),
    ]
    return mount(served, "stripe", rules, refuse)


def _guarded(handler: Handler) -> Handler:
    """Check key and rate before a handler, and stamp request id and version after it."""

    def checked(served: Served, request: Request, **arguments: str) -> Response:
        given = bearer(request) or (request.authorization.username if request.authorization else None)
        if given != API_KEY:
            shown = f"{(given or '')[:8]}****"
            response = refuse(
                401, None, f"Invalid API Key provided: {shown}" if given else "You did not provide an API key."
            )
        elif throttled(served, "stripe") or served.count_in_window("stripe", 1) > _RATE_PER_SECOND * max(
            1, round(served.clock.speed)
        ):
            response = refuse(429, "rate_limit", "Request rate limit exceeded.")
            response.headers["Stripe-Rate-Limited-Reason"] = "global-rate"
        else:
            try:
                response = handler(served, request, **arguments)
            except _RefusedError as failure:
                response = refuse(failure.status, failure.code, str(failure), failure.param)
        served.usage["stripe"] = served.usage.get("stripe", 0) + 1
        response.headers["Request-Id"] = "req_" + hashlib.sha256(str(served.usage["stripe"]).encode()).hexdigest()[:14]
        response.headers["Stripe-Version"] = request.headers.get("Stripe-Version", API_VERSION)
        return response

    return checked


def _account(served: Served, request: Request) -> Response:
    swapped = served.condition("stripe", "swapped")
    body = {
        "id": "acct_1NwSandbox" if swapped else "acct_1Northwind",
        "object": "account",
        "business_profile": {"name": "Northwind"},
        "country": "DE",
    }
    return answer(body | {"charges_enabled": True, "default_currency": "eur", "type": "standard"})


def _balance(served: Served, request: Request) -> Response:
    empty = [
        {"amount": 0, "currency": currency, "source_types": {"card": 0}} for currency in ("eur", "usd", "jpy", "gbp")
    ]
    live = served.condition("stripe", "swapped") is None
    return answer({"object": "balance", "livemode": live, "available": empty, "pending": empty})


def _visible(served: Served, kind: str) -> list[Row]:
    """Return an object's rows oldest first, without what the key cannot see and what the feed does not show yet or any more."""
    entities, fields = served.hidden("stripe")
    rows = list(served.world.stripe[kind].values())
    if kind == "event":
        now = served.now_us() // SECOND_US
        oldest = now - 30 * DAY_US // SECOND_US
        rows = [
            row for row in rows
            if row["created"] >= oldest
            and (row["created"] + _FEED_LAG_SECONDS <= now or row["created"] + _lag_seconds(row["id"]) <= now)
        ]  # fmt: skip
    if entities:
        rows = [row for row in rows if _entity(row) not in entities]
    gone = {name.split(".", 1)[1] for name in fields if name.startswith(f"{kind}.")}
    return [{name: value for name, value in row.items() if name not in gone} for row in rows] if gone else rows


def _entity(row: Row) -> str | None:
    found = (
        (row.get("data", {}).get("object", row) if row["object"] == "event" else row)
        .get("metadata", {})
        .get("legal_entity")
    )
    return str(found) if found else None


def _lag_seconds(event_id: str) -> int:
    """Return how long after it happened an event shows up: the feed is consistent only after a minute."""
    return sum(event_id.encode()) % _FEED_LAG_SECONDS


def _list(served: Served, request: Request, kind: str) -> Response:
    if kind not in _LISTS:
        return refuse(404, "NOT_FOUND", f"Unrecognized request URL (GET: /v1/{kind}).")
    name, filters = _LISTS[kind]
    known = _COMMON | set(filters)
    for parameter in request.args:
        if parameter.split("[")[0] not in known:
            raise _RefusedError(f"Received unknown parameter: {parameter}", parameter, "parameter_unknown")
    within = _created_window(request)
    accept = _event_filter(request) if name == "event" else lambda row: _matches(request, row, filters)
    shown = (row for row in _visible(served, name) if not row.get("deleted"))
    rows = [row for row in shown if within(row["created"]) and accept(row)]
    rows.reverse()  # newest first: rows are kept in order of creation, so pages neither repeat nor skip among equal stamps
    limit = _integer(request, "limit", 10) or 0
    if not 1 <= limit <= 100:
        raise _RefusedError("This value must be between 1 and 100 (inclusive).", "limit", "parameter_invalid_integer")
    page, more = _page(served, request, name, rows, limit)
    paths = [path.removeprefix("data.") for path in _listed(request, "expand") if path.startswith("data.")]
    data = [_expanded(served, row, paths) for row in page]
    return answer({"object": "list", "url": f"/v1/{kind}", "has_more": more, "data": data})


def _page(served: Served, request: Request, name: str, rows: list[Row], limit: int) -> tuple[list[Row], bool]:
    after, before = request.args.get("starting_after"), request.args.get("ending_before")
    if after and before:
        raise _RefusedError("You cannot specify both starting_after and ending_before.", "starting_after")
    cursor = after or before
    if not cursor:
        return rows[:limit], len(rows) > limit
    if cursor not in served.world.stripe[name]:
        raise _RefusedError(
            f"No such {name}: '{cursor}'", "starting_after" if after else "ending_before", "resource_missing"
        )
    index = next((n for n, row in enumerate(rows) if row["id"] == cursor), None)
    if index is None:  # the cursor is not part of this filtered list: continue by its creation
        created = served.world.stripe[name][cursor]["created"]
        index = sum(row["created"] >= created for row in rows) - 1
    if after:
        return rows[index + 1 : index + 1 + limit], len(rows) > index + 1 + limit
    return rows[max(0, index - limit) : index], index > limit


def _created_window(request: Request) -> Callable[[int], bool]:
    """Read the `created` parameters into a predicate."""
    tests: list[Callable[[int], bool]] = []
    for suffix, test in (("", eq), ("[gte]", ge), ("[gt]", gt), ("[lte]", le), ("[lt]", lt)):
        bound = _integer(request, f"created{suffix}", None)
        if bound is not None:
            tests.append(lambda created, test=test, bound=bound: bool(test(created, bound)))  # type: ignore[misc]
    return lambda created: all(test(created) for test in tests)


def _matches(request: Request, row: Row, filters: dict[str, str]) -> bool:
    status = request.args.get("status")
    if row["object"] == "subscription" and status is None and row["status"] == "canceled":
        return False  # cancelled ones are hidden unless asked for
    for parameter, path in filters.items():
        wanted = request.args.get(parameter)
        if wanted is None or (row["object"] == "subscription" and parameter == "status" and wanted == "all"):
            continue
        if _text(_dig(row, path)) != wanted:
            return False
    return True


def _event_filter(request: Request) -> Callable[[Row], bool]:
    """Read the parameters of the events feed into a predicate."""
    types = _listed(request, "types") or ([request.args["type"]] if "type" in request.args else [])
    if len(types) > 20:
        raise _RefusedError("You may pass up to 20 types.", "types")
    exact = {name for name in types if not name.endswith(".*")}
    families = tuple(name[:-1] for name in types if name.endswith(".*"))
    undelivered = request.args.get("delivery_success") == "false"

    def accept(row: Row) -> bool:
        named = not types or row["type"] in exact or (bool(families) and row["type"].startswith(families))
        return named and not (undelivered and not row["pending_webhooks"])

    return accept


def _one(served: Served, request: Request, kind: str, row_id: str) -> Response:
    if kind not in _LISTS:
        return refuse(404, "NOT_FOUND", f"Unrecognized request URL (GET: /v1/{kind}/{row_id}).")
    name = _LISTS[kind][0]
    row = next((r for r in _visible(served, name) if r["id"] == row_id), None)
    if row is None:
        raise _RefusedError(f"No such {name}: '{row_id}'", "id", "resource_missing", 404)
    if row.get("deleted"):
        return answer({"id": row_id, "object": name, "deleted": True})
    return answer(_expanded(served, row, _listed(request, "expand")))


def _invoice_lines(served: Served, request: Request, row_id: str) -> Response:
    row = served.world.stripe["invoice"].get(row_id)
    if row is None:
        raise _RefusedError(f"No such invoice: '{row_id}'", "invoice", "resource_missing", 404)
    return answer(row["lines"])


def _search(served: Served, request: Request, kind: str) -> Response:
    """Answer `metadata['key']:'value'` and `field:'value'`, the forms that find an object by a foreign id."""
    if kind not in ("customers", "subscriptions", "invoices", "charges", "payment_intents"):
        return refuse(404, "NOT_FOUND", f"Unrecognized request URL (GET: /v1/{kind}/search).")
    text = request.args.get("query", "")
    field, colon, value = text.partition(":")
    wanted = value.strip().strip("'\"")
    path = field.strip().replace("metadata['", "metadata.").replace('metadata["', "metadata.").rstrip("]").rstrip("'\"")
    if not colon or not wanted:
        raise _RefusedError(f"We were unable to parse your search query: {text!r}", "query")
    now = served.now_us() // SECOND_US  # the index lags by up to a minute
    rows = [r for r in _visible(served, _LISTS[kind][0]) if r["created"] <= now - 60 and _text(_dig(r, path)) == wanted]
    limit, start = _integer(request, "limit", 10) or 10, _integer(request, "page", 0) or 0
    page = rows[start : start + limit]
    following = str(start + limit) if len(rows) > start + limit else None
    body = {"object": "search_result", "url": f"/v1/{kind}/search", "has_more": following is not None, "data": page}
    return answer(body | {"next_page": following})


def _expanded(served: Served, row: Row, paths: list[str]) -> Row:
    if not paths:
        return row
    copied = dict(row)
    for path in paths:
        head, _, rest = path.partition(".")
        if head not in _EXPANDABLE:
            raise _RefusedError(f"This property cannot be expanded ({path}).", "expand[]")
        found = served.world.stripe[_EXPANDABLE[head]].get(copied.get(head))
        if found is not None:
            copied[head] = _expanded(served, found, [rest] if rest else [])
    return copied


def _integer(request: Request, name: str, default: int | None) -> Any:
    text = request.args.get(name)
    if text is None:
        return default
    try:
        return int(text)
    except ValueError as failure:
        raise _RefusedError(f"Invalid integer: {text}", name, "parameter_invalid_integer") from failure


def _listed(request: Request, name: str) -> list[str]:
    """Read a list parameter in both forms clients send: `name[]=a` and `name[0]=a`."""
    return [v for key, values in request.args.lists() if key.split("[")[0] == name and "[" in key for v in values]


def _dig(row: Row, path: str) -> Any:
    value: Any = row
    for part in path.split("."):
        value = value.get(part) if isinstance(value, dict) else None
    return value


def _text(value: object) -> str | None:
    return None if value is None else str(value).lower() if isinstance(value, bool) else str(value)
