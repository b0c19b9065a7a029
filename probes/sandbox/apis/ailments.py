"""How does an ailing platform answer? Slow, signed out, cut, empty, skewed, deprecated; what is ill is decided elsewhere."""

import json
from email.utils import format_datetime
from typing import Any

from werkzeug.wrappers import Request, Response

from probes.sandbox.clock import to_instant
from probes.sandbox.world import Row, World

LISTS = ("records", "data", "items", "tickets", "organizations", "users", "ticket_metric_events", "audits")
_REFUSALS = {
    "salesforce": ("INVALID_SESSION_ID", "Session expired or invalid"), "stripe": ("api_key_expired", "Expired API Key provided"),
    "netsuite": ("INVALID_LOGIN", "Invalid login attempt."), "zendesk": ("unauthorized", "Couldn't authenticate you"),
    "rabbitmq": ("not_authorized", "Login failed"), "n8n": ("unauthorized", "unauthorized"),
}  # fmt: skip


def of(world: World, platform: str, kind: str) -> Row | None:
    """Return what ails a platform now, of one kind."""
    return next((c for c in world.conditions[platform] if c["kind"] == kind), None)


def signed_out(world: World, platform: str, request: Request) -> tuple[str, str] | None:
    """Return code and message with which a platform refuses credentials that were revoked or have expired."""
    if of(world, platform, "revoked") is None:
        return None
    if "oauth" in request.path:
        return "invalid_client", "client credentials are revoked or expired"
    return _REFUSALS.get(platform)


def answered(world: World, platform: str, request: Request, response: Response) -> Response:
    """Change a good answer as what ails the platform demands."""
    sunset = of(world, platform, "sunset")
    if sunset is not None:
        end = format_datetime(to_instant(sunset["sunset_us"]), usegmt=True)
        response.headers["Deprecation"] = f"@{sunset['since_us'] // 1_000_000}"
        response.headers["Sunset"] = end
        response.headers["Warning"] = f'299 - "This API version is deprecated and will be retired on {end}."'
    if response.status_code != 200 or request.path.endswith(("/token", "/tokens")):
        return response
    schema = [c for c in world.conditions[platform] if c["kind"] == "schema"]
    partial, empty = of(world, platform, "partial"), of(world, platform, "empty")
    if partial is None and empty is None and not schema:
        return response
    body = response.get_json(silent=True)
    rows = _rows(body)
    if body is None or rows is None:
        return response
    for condition in schema:
        _reshape(rows[1], condition)
    if empty is not None:
        _emptied(body, rows[0])
    elif partial is not None and len(rows[1]) > 1:
        return _cut(response, body, rows[0], str(partial["variant"]))
    response.set_data(json.dumps(body))
    return response


def _rows(body: Any) -> tuple[str, list[Any]] | None:
    if not isinstance(body, dict):
        return None
    name = next((name for name in LISTS if isinstance(body.get(name), list)), None)
    return (name, body[name]) if name else None


def _emptied(body: Row, name: str) -> None:
    """Answer success with nothing: zero rows, and no more of them."""
    body[name] = []
    for key, nothing in (("totalSize", 0), ("count", 0), ("totalResults", 0), ("done", True), ("hasMore", False),
                         ("has_more", False), ("next_page", None), ("nextCursor", None), ("end_of_stream", True)):  # fmt: skip
        if key in body:
            body[key] = nothing
    body.pop("nextRecordsUrl", None)


def _cut(response: Response, body: Row, name: str, variant: str) -> Response:
    """Lose part of a page: the connection ends, the text ends, or the page says that it is the last and is not."""
    text = response.get_data()
    if variant == "lying":
        body[name] = body[name][: len(body[name]) // 2]
        for key, said in (
            ("done", True),
            ("hasMore", False),
            ("has_more", False),
            ("next_page", None),
            ("nextCursor", None),
        ):
            if key in body:
                body[key] = said
        body.pop("nextRecordsUrl", None)
        response.set_data(json.dumps(body))
        return response
    response.set_data(text[: len(text) // 2])
    if variant == "cut":
        response.headers["Content-Length"] = str(len(text))  # more than is sent
        response.automatically_set_content_length = False
    return response


def _reshape(rows: list[Any], condition: Row) -> None:
    """Rename, retype or put a new value into one field of one object."""
    kind, field = str(condition["field"]).split(".")
    for row in rows:
        if not isinstance(row, dict) or field not in row or _kind(row) != kind:
            continue
        if condition["variant"] == "renamed":
            row[f"{field}_v2"] = row.pop(field)
        elif condition["variant"] == "retyped":
            row[field] = {"value": row[field]}
        elif condition["variant"] == "enum" and row[field] == condition.get("former"):
            row[field] = condition["value"]


def _kind(row: Row) -> str | None:
    attributes = row.get("attributes")
    return attributes.get("type") if isinstance(attributes, dict) else row.get("object")
