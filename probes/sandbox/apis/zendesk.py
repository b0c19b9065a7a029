"""How does Zendesk's API answer? Cursor and time-based exports, lists, searches by external id; read-only."""

import base64
import binascii
from collections.abc import Callable
from typing import Any

from werkzeug.wrappers import Request, Response

from probes.sandbox.apis.web import Handler, Served, answer, bearer, mount, throttled
from probes.sandbox.clock import SECOND_US, iso_seconds
from probes.sandbox.world import Row

TOKEN, CLIENT_ID, CLIENT_SECRET = "sandbox-zendesk-token", "sandbox-zendesk-client", "sandbox-zendesk-secret"
_LIMIT_PER_MINUTE, _EXPORTS_PER_MINUTE = 700, 10
_TABLES = {"tickets": "ticket", "organizations": "organization", "users": "user"}
_EXPORTED = _TABLES | {"ticket_metric_events": "metric_event"}
_STAMPS = ("created_at", "updated_at", "time", "deleted_at", "due_at")


def refuse(status: int, code: str, message: str) -> Response:
    """Make an error in Zendesk's shape."""
    return answer({"error": {404: "RecordNotFound"}.get(status, code), "description": message}, status)


def app(served: Served) -> Callable[..., Any]:
    """Build the WSGI app."""
    rules: list[tuple[str, str, Handler]] = [("/oauth/tokens", "POST", _token)]
    api: list[tuple[str, Handler]] = [
        ("users/me", _me),
        ("incremental/<kind>/cursor", _guarded(_cursor_export, export=True)),
        ("incremental/<kind>", _guarded(_time_export, export=True)),
        ("<kind>/search", _guarded(_by_external_id)),
        ("tickets/<int:row_id>/audits", _guarded(_audits)),
        ("ticket_audits", _guarded(_audits)),
        ("<kind>/<int:row_id>", _guarded(_one)),
        ("<kind>", _guarded(_list)),
    ]
    for path, handler in api:
        rules += [(f"/api/v2/{path}", "GET", handler), (f"/api/v2/{path}.json", "GET", handler)]
    return mount(served, "zendesk", rules, refuse)


def _token(served: Served, request: Request) -> Response:
    body = request.get_json(silent=True) or request.form.to_dict()
    if (body.get("client_id"), body.get("client_secret")) != (CLIENT_ID, CLIENT_SECRET):
        return answer({"error": "invalid_client", "error_description": "Client authentication failed"}, 401)
    if body.get("grant_type") != "client_credentials":
        return answer({"error": "unsupported_grant_type", "error_description": "use client_credentials"}, 400)
    return answer(
        {"access_token": TOKEN, "token_type": "bearer", "expires_in": 7200, "scope": body.get("scope", "read")}
    )


def _signed_in(request: Request) -> bool:
    basic = request.authorization
    by_token = (
        basic is not None
        and basic.type == "basic"
        and str(basic.username).endswith("/token")
        and basic.password == TOKEN
    )
    return bearer(request) == TOKEN or by_token


def _me(served: Served, request: Request) -> Response:
    """Name the user; a wrong credential is answered with 200 and nobody."""
    if _signed_in(request):
        return answer(
            {"user": {"id": 9000, "name": "Probe", "email": "probe@example.com", "role": "admin", "active": True}}
        )
    return answer({"user": {"id": None, "name": "Anonymous user", "email": "invalid@example.com", "role": "end-user"}})


def _guarded(handler: Handler, export: bool = False) -> Handler:
    """Check credential and rates before a handler, and show what is left after it."""

    def checked(served: Served, request: Request, **arguments: Any) -> Response:
        if not _signed_in(request):
            return answer({"error": "Couldn't authenticate you"}, 401)
        calls = served.count_in_window("zendesk", 60)
        exports = served.count_in_window("zendesk-export", 60) if export else 0
        if throttled(served, "zendesk") or calls > _LIMIT_PER_MINUTE or exports > _EXPORTS_PER_MINUTE:
            response = Response("Number of allowed incremental ticket export API requests per minute exceeded", 429)
        else:
            response = handler(served, request, **arguments)
        left_seconds = 60 - served.now_us() // SECOND_US % 60
        if response.status_code == 429:
            response.headers["Retry-After"] = str(left_seconds)
        remaining = str(max(0, _LIMIT_PER_MINUTE - calls))
        response.headers.update({"X-Rate-Limit": str(_LIMIT_PER_MINUTE), "X-Rate-Limit-Remaining": remaining})
        response.headers.update({"ratelimit-limit": str(_LIMIT_PER_MINUTE), "ratelimit-remaining": remaining})
        response.headers.update(
            {"ratelimit-reset": str(left_seconds), "X-Zendesk-Request-Id": f"zd-{served.now_us():x}"}
        )
        return response

    return checked


def shown(row: Row, path: str) -> Row:
    """Render a row: stamps as ISO 8601, the generated stamp in unix seconds."""
    body = {name: iso_seconds(v) if name in _STAMPS and v is not None else v for name, v in row.items()}
    body["generated_timestamp"] = row["generated_timestamp"] // SECOND_US
    return body | {"url": path}


def _exported(served: Served, kind: str, start_seconds: int, after_id: int = -1) -> list[Row]:
    """Return what changed from a second on, in export order, without the last minute."""
    newest = served.now_us() // SECOND_US - 60
    rows = [
        row for row in served.world.zendesk[_EXPORTED[kind]].values()
        if (start_seconds, after_id) < (row["generated_timestamp"] // SECOND_US, row["id"])
        and row["generated_timestamp"] // SECOND_US <= newest
    ]  # fmt: skip
    return sorted(rows, key=lambda row: (row["generated_timestamp"], row["id"]))


def _cursor_export(served: Served, request: Request, kind: str) -> Response:
    if kind not in ("tickets", "users"):
        return refuse(404, "RecordNotFound", "Not found")
    cursor = request.args.get("cursor")
    try:
        if cursor:
            seconds, _, after = base64.urlsafe_b64decode(cursor).decode().partition("||")
            start, after_id = int(seconds), int(after)
        else:
            start, after_id = int(request.args["start_time"]), -1
        size = min(1000, max(1, int(request.args.get("per_page", "1000"))))
    except (KeyError, ValueError, binascii.Error):
        return refuse(400, "InvalidValue", "start_time must be unix seconds, or cursor one that was given out")
    if not cursor and start > served.now_us() // SECOND_US - 60:
        return refuse(422, "InvalidValue", "Too recent start_time. Use a start_time older than 60 seconds")
    rows = _exported(served, kind, start, after_id)
    page = rows[:size]
    last = (page[-1]["generated_timestamp"] // SECOND_US, page[-1]["id"]) if page else (start, after_id)
    following = base64.urlsafe_b64encode(f"{last[0]}||{last[1]}".encode()).decode()
    here = f"{served.base_url}/zendesk/api/v2/incremental/{kind}/cursor.json"
    return answer({
        kind: [shown(row, f"{here}#{row['id']}") for row in page], "after_url": f"{here}?cursor={following}",
        "after_cursor": following, "before_url": None, "before_cursor": None, "end_of_stream": len(rows) <= size,
    })  # fmt: skip


def _time_export(served: Served, request: Request, kind: str) -> Response:
    if kind not in _EXPORTED:
        return refuse(404, "RecordNotFound", "Not found")
    try:
        start = int(request.args["start_time"])
        size = min(1000, max(1, int(request.args.get("per_page", "1000"))))
    except (KeyError, ValueError):
        return refuse(400, "InvalidValue", "start_time must be unix seconds")
    if start > served.now_us() // SECOND_US - 60:
        return refuse(422, "InvalidValue", "Too recent start_time. Use a start_time older than 60 seconds")
    rows = _exported(served, kind, start)
    page = rows[:size]
    while len(page) < len(rows) and page[-1]["generated_timestamp"] // SECOND_US in (
        start,
        rows[len(page)]["generated_timestamp"] // SECOND_US,
    ):  # a page goes beyond its first second and splits none, or a reader could not get past it
        page.append(rows[len(page)])
    end = page[-1]["generated_timestamp"] // SECOND_US if page else start
    here = f"{served.base_url}/zendesk/api/v2/incremental/{kind}.json"
    done = len(page) == len(rows)
    return answer({
        kind: [shown(row, f"{here}#{row['id']}") for row in page], "count": len(page), "end_time": end,
        "next_page": None if done else f"{here}?start_time={end}&per_page={size}", "end_of_stream": done,
    })  # fmt: skip


def _audits(served: Served, request: Request, row_id: int | None = None) -> Response:
    """List who changed what, of one ticket or of all."""
    rows = [row for row in served.world.zendesk["audit"].values() if row_id in (None, row["ticket_id"])]
    here = f"{served.base_url}/zendesk/api/v2/{f'tickets/{row_id}/audits' if row_id else 'ticket_audits'}.json"
    return _pages(request, rows, "audits", here)


def _list(served: Served, request: Request, kind: str) -> Response:
    if kind not in _TABLES:
        return refuse(404, "RecordNotFound", "Not found")
    external = request.args.get("external_id")
    rows = [
        row for row in served.world.zendesk[_TABLES[kind]].values()
        if row.get("status") != "deleted" and (external is None or row.get("external_id") == external)
    ]  # fmt: skip
    here = f"{served.base_url}/zendesk/api/v2/{kind}.json"
    return _pages(request, rows, kind, here)


def _pages(request: Request, rows: list[Row], kind: str, here: str) -> Response:
    if "page[size]" in request.args or "page[after]" in request.args:
        size, after = min(100, int(request.args.get("page[size]", "100"))), int(request.args.get("page[after]", "0"))
        rest = [row for row in rows if row["id"] > after]
        page, more = rest[:size], len(rest) > size
        cursor = str(page[-1]["id"]) if page else None
        following = f"{here}?page[size]={size}&page[after]={cursor}" if more else None
        body: Row = {
            "meta": {"has_more": more, "after_cursor": cursor, "before_cursor": None},
            "links": {"next": following},
        }
    else:
        size, number = min(100, int(request.args.get("per_page", "100"))), int(request.args.get("page", "1"))
        page = rows[(number - 1) * size : number * size]
        following = f"{here}?page={number + 1}&per_page={size}" if number * size < len(rows) else None
        body = {"next_page": following, "previous_page": None, "count": len(rows)}
    return answer(body | {kind: [shown(row, f"{here}#{row['id']}") for row in page]})


def _by_external_id(served: Served, request: Request, kind: str) -> Response:
    if kind not in _TABLES or "external_id" not in request.args:
        return refuse(400, "InvalidValue", "give external_id")
    rows = [
        r for r in served.world.zendesk[_TABLES[kind]].values() if r.get("external_id") == request.args["external_id"]
    ]
    return _pages(request, rows, kind, f"{served.base_url}/zendesk/api/v2/{kind}/search.json")


def _one(served: Served, request: Request, kind: str, row_id: int) -> Response:
    row = served.world.zendesk[_TABLES[kind]].get(row_id) if kind in _TABLES else None
    if row is None or row.get("status") == "deleted":
        return refuse(404, "RecordNotFound", "Not found")
    path = f"{served.base_url}/zendesk/api/v2/{kind}/{row_id}.json"
    return answer({_TABLES[kind]: shown(row, path)})
