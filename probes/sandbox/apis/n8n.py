"""How does n8n's public API answer? Workflows and executions, newest first, by cursor; read-only."""

import base64
import binascii
import json
from collections.abc import Callable
from typing import Any

from werkzeug.wrappers import Request, Response

from probes.sandbox.apis.web import Handler, Served, answer, mount, throttled
from probes.sandbox.clock import to_instant
from probes.sandbox.executions import RETENTION_US
from probes.sandbox.world import Row

API_KEY = "sandbox-n8n-key"
_STATUSES = ("canceled", "crashed", "error", "new", "running", "success", "unknown", "waiting")


def refuse(status: int, code: str, message: str) -> Response:
    """Make an error in n8n's shape."""
    return answer({"message": "not found" if status == 404 else message}, status)


def app(served: Served) -> Callable[..., Any]:
    """Build the WSGI app."""
    rules: list[tuple[str, str, Handler]] = [
        ("/healthz", "GET", _healthy),
        ("/api/v1/workflows", "GET", _guarded(_workflows)),
        ("/api/v1/workflows/<row_id>", "GET", _guarded(_workflow)),
        ("/api/v1/executions", "GET", _guarded(_executions)),
        ("/api/v1/executions/<row_id>", "GET", _guarded(_execution)),
    ]
    return mount(served, "n8n", rules, refuse)


def _guarded(handler: Handler) -> Handler:
    def checked(served: Served, request: Request, **arguments: str) -> Response:
        given = request.headers.get("X-N8N-API-KEY")
        if given is None:
            return answer({"message": "'X-N8N-API-KEY' header required"}, 401)
        if given != API_KEY:
            return answer({"message": "unauthorized"}, 401)
        if throttled(served, "n8n"):
            return answer({"message": "too many requests"}, 429)
        return handler(served, request, **arguments)

    return checked


def _healthy(served: Served, request: Request) -> Response:
    return answer({"status": "ok"})


def _workflows(served: Served, request: Request) -> Response:
    rows = [_shown_workflow(row) for row in served.world.n8n["workflow"].values()]
    active = request.args.get("active")
    return _page(request, [row for row in rows if active is None or row["active"] == (active == "true")])


def _workflow(served: Served, request: Request, row_id: str) -> Response:
    row = served.world.n8n["workflow"].get(row_id)
    return answer(_shown_workflow(row)) if row else refuse(404, "NOT_FOUND", row_id)


def _shown_workflow(row: Row) -> Row:
    body = {name: value for name, value in row.items() if not name.endswith("_us")}
    return body | {"createdAt": _iso(row["created_us"]), "updatedAt": _iso(row["updated_us"])}


def _kept(served: Served) -> list[Row]:
    """Return the executions that are not pruned yet, newest first."""
    oldest = served.now_us() - RETENTION_US
    rows = served.world.n8n["execution"].values()
    return sorted((r for r in rows if r["started_us"] >= oldest), key=lambda r: int(r["id"]), reverse=True)


def _executions(served: Served, request: Request) -> Response:
    status, workflow = request.args.get("status"), request.args.get("workflowId")
    if status is not None and status not in _STATUSES:
        return refuse(400, "BAD_REQUEST", f"request/query/status must be one of {', '.join(_STATUSES)}")
    data = request.args.get("includeData") == "true"
    rows = [
        _shown(row, data) for row in _kept(served)
        if status in (None, row["status"]) and workflow in (None, row["workflowId"])
    ]  # fmt: skip
    return _page(request, rows)


def _execution(served: Served, request: Request, row_id: str) -> Response:
    row = next((row for row in _kept(served) if row["id"] == row_id), None)
    if row is None:
        return refuse(404, "NOT_FOUND", row_id)
    return answer(_shown(row, request.args.get("includeData") == "true"))


def _shown(row: Row, with_data: bool) -> Row:
    body: Row = {
        "id": row["id"], "finished": row["status"] == "success", "mode": row["mode"], "retryOf": row["retryOf"],
        "retrySuccessId": row["retrySuccessId"], "status": row["status"], "startedAt": _iso(row["started_us"]),
        "stoppedAt": _iso(row["stopped_us"]), "waitTill": _iso(row["wait_till_us"]), "workflowId": row["workflowId"],
        "customData": row["customData"],
    }  # fmt: skip
    if with_data:
        error = (
            {"message": row["error"], "name": "NodeApiError", "node": {"name": row["node"]}} if row["error"] else None
        )
        body["data"] = {"resultData": {"error": error, "lastNodeExecuted": row["node"], "runData": {}}}
    return body


def _page(request: Request, rows: list[Row]) -> Response:
    """Cut a page; a cursor names the last row shown, so that new rows at the head shift nothing."""
    try:
        limit = int(request.args.get("limit", "100"))
        cursor = request.args.get("cursor")
        last = json.loads(base64.b64decode(cursor))["lastId"] if cursor else None
    except (ValueError, KeyError, TypeError, binascii.Error):
        return refuse(400, "BAD_REQUEST", "An invalid cursor was provided")
    if not 1 <= limit <= 250:
        return refuse(400, "BAD_REQUEST", "request/query/limit must be <= 250")
    start = 0
    if last is not None:
        start = next((n for n, row in enumerate(rows) if _after(row["id"], str(last))), len(rows))
    page = rows[start : start + limit]
    following = None
    if len(rows) > start + limit:
        following = base64.b64encode(json.dumps({"lastId": page[-1]["id"], "limit": limit}).encode()).decode()
    return answer({"data": page, "nextCursor": following})


def _after(row_id: str, last: str) -> bool:
    """Tell whether a row follows the last one shown; executions count down, workflows are in no order."""
    return int(row_id) < int(last) if row_id.isdigit() and last.isdigit() else row_id > last


def _iso(us: int | None) -> str | None:
    return None if us is None else to_instant(us).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z"
