"""How does Salesforce's REST API answer? Token, versions, SOQL with locators, deletions, describe, limits; read-only."""

import hashlib
import re
from collections.abc import Callable
from datetime import datetime
from typing import Any

from werkzeug.wrappers import Request, Response

from probes.sandbox.apis import soql
from probes.sandbox.apis.query import QuerySyntaxError, parse
from probes.sandbox.apis.salesforce_fields import FIELDS, UNIQUE_EXTERNAL
from probes.sandbox.apis.web import Handler, Served, answer, bearer, mount, throttled
from probes.sandbox.clock import DAY_US, MINUTE_US, to_us
from probes.sandbox.world import Row

CLIENT_ID, CLIENT_SECRET = "sandbox-salesforce-client", "sandbox-salesforce-secret"
LATEST, OLDEST = 66, 31
DAILY_LIMIT = 100_000
_SESSION_SECONDS = 7200
_OPEN_LOCATORS = 10


def refuse(status: int, code: str, message: str) -> Response:
    """Make an error in Salesforce's shape."""
    return answer([{"message": message, "errorCode": code}], status)


def app(served: Served) -> Callable[..., Any]:
    """Build the WSGI app."""
    data = "/services/data/v<version>"
    rules: list[tuple[str, str, Handler]] = [
        ("/services/oauth2/token", "POST", _token),
        ("/services/data", "GET", _versions),
        (f"{data}/limits", "GET", _guarded(_limits)),
        (f"{data}/query", "GET", _guarded(_query)),
        (f"{data}/queryAll", "GET", _guarded(_query_all)),
        (f"{data}/query/<locator>", "GET", _guarded(_more)),
        (f"{data}/queryAll/<locator>", "GET", _guarded(_more)),
        (f"{data}/sobjects", "GET", _guarded(_objects)),
        (f"{data}/sobjects/<kind>/describe", "GET", _guarded(_describe)),
        (f"{data}/sobjects/<kind>/deleted", "GET", _guarded(_deleted)),
        (f"{data}/sobjects/<kind>/updated", "GET", _guarded(_updated)),
        (f"{data}/sobjects/<kind>/<row_id>", "GET", _guarded(_one)),
        (f"{data}/sobjects/<kind>/<field>/<value>", "GET", _guarded(_by_key)),
    ]
    return mount(served, "salesforce", rules, refuse)


def _token(served: Served, request: Request) -> Response:
    given = request.authorization
    client = given.username if given and given.type == "basic" else request.form.get("client_id")
    secret = given.password if given and given.type == "basic" else request.form.get("client_secret")
    if request.form.get("grant_type") != "client_credentials":
        return answer({"error": "unsupported_grant_type", "error_description": "grant type not supported"}, 400)
    if (client, secret) != (CLIENT_ID, CLIENT_SECRET):
        return answer({"error": "invalid_client", "error_description": "invalid client credentials"}, 400)
    issued = served.now_us()
    token = "00Dsandbox!" + hashlib.sha256(f"salesforce/{issued}".encode()).hexdigest()[:40]
    served.tokens[token] = issued / 1e6 + _SESSION_SECONDS
    body = {
        "access_token": token,
        "instance_url": f"{served.base_url}/salesforce",
        "token_type": "Bearer",
        "scope": "api",
    }
    return answer(
        body | {"id": f"{served.base_url}/salesforce/id/00D", "issued_at": str(issued // 1000), "signature": "sandbox"}
    )


def _versions(served: Served, request: Request) -> Response:
    seasons = ("Spring", "Summer", "Winter")
    return answer([
        {"label": f"{seasons[v % 3]} '{4 + v // 3}", "url": f"/services/data/v{v}.0", "version": f"{v}.0"}
        for v in range(OLDEST, LATEST + 1)
    ])  # fmt: skip


def _guarded(handler: Handler) -> Handler:
    """Check version, session and allowance before a handler, and report the allowance after it."""

    def checked(served: Served, request: Request, version: str, **arguments: str) -> Response:
        if not re.fullmatch(r"\d+\.0", version) or int(version[:-2]) > LATEST:
            return refuse(404, "NOT_FOUND", "The requested resource does not exist")
        if int(version[:-2]) < OLDEST:
            return refuse(410, "GONE", f"API version {version} is retired")
        token = bearer(request)
        if served.tokens.get(token, 0) < served.now_us() / 1e6 or not token.startswith("00D"):
            return refuse(401, "INVALID_SESSION_ID", "Session expired or invalid")
        used = _count(served)
        if used > DAILY_LIMIT or throttled(served, "salesforce"):
            response = refuse(403, "REQUEST_LIMIT_EXCEEDED", "TotalRequests Limit exceeded.")
        else:
            try:
                response = handler(served, request, version=version, **arguments)
            except soql.RefusedError as failure:
                response = refuse(400, failure.code, str(failure))
            except QuerySyntaxError as failure:
                response = refuse(400, "MALFORMED_QUERY", str(failure))
        response.headers["Sforce-Limit-Info"] = f"api-usage={min(used, DAILY_LIMIT)}/{DAILY_LIMIT}"
        if int(version[:-2]) <= 40:
            response.headers["Warning"] = '299 - "This API version is deprecated and will be retired in Summer 28."'
        return response

    return checked


def _count(served: Served) -> int:
    """Count a call; somebody else using up the allowance is a fault of its own."""
    served.usage["salesforce"] = served.usage.get("salesforce", 0) + 1
    quota = served.condition("salesforce", "quota")
    if quota is None:
        return served.usage["salesforce"]
    quota["used"] += quota["per_call"]
    return int(served.usage["salesforce"] + quota["used"])


def _limits(served: Served, request: Request, version: str) -> Response:
    quota = served.condition("salesforce", "quota")
    used = served.usage["salesforce"] + (quota["used"] if quota else 0)
    daily = {"Max": DAILY_LIMIT, "Remaining": max(0, DAILY_LIMIT - used)}
    return answer({"DailyApiRequests": daily, "DataStorageMB": {"Max": 10_240, "Remaining": 8_000}})


def _query(served: Served, request: Request, version: str) -> Response:
    return _run(served, request, version, "query")


def _query_all(served: Served, request: Request, version: str) -> Response:
    return _run(served, request, version, "queryAll")


def _run(served: Served, request: Request, version: str, call: str) -> Response:
    text = request.args.get("q")
    if not text:
        raise soql.RefusedError("MALFORMED_QUERY", "the parameter q is missing")
    query = parse(text)
    if query.columns[0].node == ("call", "COUNT", []):
        rows = soql.select_rows(served, query, call == "queryAll")
        return answer({"totalSize": len(rows), "done": True, "records": []})
    records = soql.records(served, query, version, call == "queryAll")
    wanted = re.search(r"batchSize=(\d+)", request.headers.get("Sforce-Query-Options", ""))
    size = min(2000, max(200, int(wanted.group(1)))) if wanted else 2000
    return _batch(served, records, 0, size, version, call)


def _batch(
    served: Served, records: list[Row], start: int, size: int, version: str, call: str, key: str | None = None
) -> Response:
    page = records[start : start + size]
    body: Row = {"totalSize": len(records), "done": start + size >= len(records), "records": page}
    if not body["done"]:
        if key is None:
            served.usage["locators"] = served.usage.get("locators", 0) + 1
            key = "01g" + hashlib.sha256(f"{served.usage['locators']}".encode()).hexdigest()[:15]
            served.cursors[key] = (served.now_us(), records, size, call)
            while len(served.cursors) > _OPEN_LOCATORS:  # like the vendor: the oldest locator lapses
                served.cursors.pop(next(iter(served.cursors)))
        body["nextRecordsUrl"] = f"/services/data/v{version}/{call}/{key}-{start + size}"
    return answer(body)


def _more(served: Served, request: Request, version: str, locator: str) -> Response:
    key, _, start = locator.partition("-")
    known = served.cursors.get(key)
    if known is None or not start.isdigit() or served.now_us() - known[0] > DAY_US // 2:
        raise soql.RefusedError("INVALID_QUERY_LOCATOR", "invalid query locator")
    return _batch(served, known[1], int(start), known[2], version, known[3], key)


def _objects(served: Served, request: Request, version: str) -> Response:
    return answer({"encoding": "UTF-8", "maxBatchSize": 200, "sobjects": [
        {"name": kind, "label": kind, "queryable": True, "createable": False, "updateable": False, "deletable": False}
        for kind in FIELDS
    ]})  # fmt: skip


def _describe(served: Served, request: Request, version: str, kind: str) -> Response:
    kind = soql.canonical_kind(kind)
    hidden = served.hidden("salesforce")[1]
    fields = [
        {"name": name, "label": name, "type": shape, "externalId": name in UNIQUE_EXTERNAL.get(kind, ()),
         "unique": name in UNIQUE_EXTERNAL.get(kind, ()), "custom": name.endswith("__c"), "nillable": name != "Id",
         "updateable": False, "createable": False, "filterable": True, "picklistValues": _picklist(served, kind, name, shape)}
        for name, shape in FIELDS[kind].items() if f"{kind}.{name}".lower() not in hidden
    ]  # fmt: skip
    body = {
        "name": kind,
        "queryable": True,
        "createable": False,
        "updateable": False,
        "deletable": False,
        "fields": fields,
    }
    return answer(body)


def _picklist(served: Served, kind: str, name: str, shape: str) -> list[Row]:
    if shape != "picklist":
        return []
    values = sorted({str(row[name]) for row in served.world.salesforce[kind].values() if row.get(name) is not None})
    return [{"active": True, "value": value, "label": value, "defaultValue": False} for value in values]


def _window(request: Request) -> tuple[int, int]:
    try:
        edges = [to_us(datetime.fromisoformat(request.args[name].replace("Z", "+00:00"))) for name in ("start", "end")]
    except (KeyError, ValueError) as failure:
        raise soql.RefusedError(
            "INVALID_REPLICATION_DATE", f"start and end must be ISO 8601 with a zone: {failure}"
        ) from failure
    start, end = (edge - edge % MINUTE_US for edge in edges)
    if start >= end:
        raise soql.RefusedError("INVALID_REPLICATION_DATE", "startDate cannot be the same as or after endDate")
    return start, end


def _deleted(served: Served, request: Request, version: str, kind: str) -> Response:
    start, end = _window(request)
    earliest = served.now_us() - 15 * DAY_US
    if start < earliest:
        raise soql.RefusedError("INVALID_REPLICATION_DATE", "startDate is more than 15 days ago")
    gone = [
        row
        for row in (*served.world.salesforce[soql.canonical_kind(kind)].values(), *_purged(served, kind))
        if row["IsDeleted"] and start <= row["SystemModstamp"] < end
    ]
    shown = [
        {"id": row["Id"], "deletedDate": soql.rendered("Account", "SystemModstamp", row["SystemModstamp"])}
        for row in gone
    ]
    stamps = {"earliestDateAvailable": earliest, "latestDateCovered": min(end, served.now_us())}
    return answer(
        {"deletedRecords": shown} | {n: soql.rendered("Account", "SystemModstamp", v) for n, v in stamps.items()}
    )


def _purged(served: Served, kind: str) -> list[Row]:
    """List what was deleted for good: only the deletion log still knows it."""
    return [row for row in served.world.salesforce["_deleted"].values() if row["kind"].lower() == kind.lower()]


def _updated(served: Served, request: Request, version: str, kind: str) -> Response:
    start, end = _window(request)
    rows = served.world.salesforce[soql.canonical_kind(kind)].values()
    ids = [
        row["Id"]
        for row in rows
        if not row["IsDeleted"] and start <= int(row.get("SystemModstamp") or row["CreatedDate"]) < end
    ]
    covered = soql.rendered("Account", "SystemModstamp", min(end, served.now_us()))
    return answer({"ids": ids, "latestDateCovered": covered})


def _one(served: Served, request: Request, version: str, kind: str, row_id: str) -> Response:
    kind = soql.canonical_kind(kind)
    row = served.world.salesforce[kind].get(row_id) or next(
        (r for r in served.world.salesforce[kind].values() if r["Id"][:15] == row_id), None
    )  # fmt: skip
    return _shown(served, kind, [row] if row else [], version)


def _by_key(served: Served, request: Request, version: str, kind: str, field: str, value: str) -> Response:
    kind = soql.canonical_kind(kind)
    name = soql.resolve(served, kind, field)[-1][0]
    if name not in UNIQUE_EXTERNAL.get(kind, ()):
        return refuse(404, "NOT_FOUND", f"Provided external ID field does not exist or is not accessible: {field}")
    return _shown(served, kind, [r for r in served.world.salesforce[kind].values() if r[name] == value], version)


def _shown(served: Served, kind: str, rows: list[Row], version: str) -> Response:
    entities, hidden = served.hidden("salesforce")
    rows = [row for row in rows if not row["IsDeleted"] and row.get("Legal_Entity__c") not in entities]
    if not rows:
        return refuse(404, "NOT_FOUND", "The requested resource does not exist")
    if len(rows) > 1:
        return answer([soql.attributes(kind, row, version)["attributes"]["url"] for row in rows], 300)
    fields = [name for name in FIELDS[kind] if f"{kind}.{name}".lower() not in hidden]
    return answer(soql.render_record(served, kind, rows[0], soql.paths_of(served, kind, fields), version))
