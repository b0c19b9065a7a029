"""How does Salesforce's REST API answer? Token, versions, SOQL with locators, deletions, describe, limits; read-only."""

import hashlib
import re
from collections.abc import Callable
from datetime import datetime
from typing import Any

from werkzeug.wrappers import Request, Response

from probes.sandbox.apis import evaluate
from probes.sandbox.apis.query import Instant, Node, QuerySyntaxError, Select, parse
from probes.sandbox.apis.salesforce_fields import CANONICAL, FIELDS, RELATIONS, UNIQUE_EXTERNAL, canonical_field
from probes.sandbox.apis.web import Handler, Served, answer, bearer, mount, throttled
from probes.sandbox.clock import DAY_US, MINUTE_US, to_instant, to_us
from probes.sandbox.world import Row

CLIENT_ID, CLIENT_SECRET = "sandbox-salesforce-client", "sandbox-salesforce-secret"
LATEST, OLDEST = 66, 31
DAILY_LIMIT = 100_000
_SESSION_SECONDS = 7200
_OPEN_LOCATORS = 10


class _Refused(ValueError):
    """A statement this API refuses, with the vendor's error code."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


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
            except _Refused as failure:
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
        raise _Refused("MALFORMED_QUERY", "the parameter q is missing")
    query = parse(text)
    if query.columns[0].node == ("call", "COUNT", []):
        rows = _select(served, query, call == "queryAll")
        return answer({"totalSize": len(rows), "done": True, "records": []})
    records = _records(served, query, version, call == "queryAll")
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
        raise _Refused("INVALID_QUERY_LOCATOR", "invalid query locator")
    return _batch(served, known[1], int(start), known[2], version, known[3], key)


def _records(served: Served, query: Select, version: str, everything: bool) -> list[Row]:
    kind = _kind(query.table)
    compiler = _compiler(served, kind)
    if evaluate.is_aggregate(query):
        rows = [{kind: row} for row in _select(served, query, everything)]
        found = evaluate.grouped(rows, query, compiler, lambda column, n: column.alias or _group_name(column.node, n))
        return [{"attributes": {"type": "AggregateResult"}} | record for record in found]
    paths = [_column_path(column.node) for column in query.columns]
    return [_record(served, kind, row, paths, version) for row in _select(served, query, everything)]


def _group_name(node: Node, number: int) -> str:
    return str(node[1]) if node[0] == "col" else f"expr{number}"


def _column_path(node: Node) -> str:
    if node[0] != "col":
        raise _Refused("MALFORMED_QUERY", f"only fields and aggregates can be selected, not {node[0]}")
    return str(node[1])


def _select(served: Served, query: Select, everything: bool) -> list[Row]:
    """Return the rows a statement matches, in order."""
    kind = _kind(query.table)
    if query.joins:
        raise _Refused("MALFORMED_QUERY", "SOQL has no JOIN: use a relationship such as Account.Name")
    entities, _ = served.hidden("salesforce")
    rows: list[evaluate.Env] = [
        {kind: row} for row in served.world.salesforce[kind].values()
        if (everything or not row["IsDeleted"]) and row.get("Legal_Entity__c") not in entities
    ]  # fmt: skip
    compiler = _compiler(served, kind, query.alias)
    if query.where is not None:
        _check_literals(served, kind, query.where)
        accept = evaluate.condition(query.where, compiler)
        rows = [env for env in rows if accept(env)]
    rows = evaluate.ordered(rows, query.order_by, compiler)
    stop = None if query.limit is None else query.offset + query.limit
    return [row for env in rows[query.offset : stop] if (row := env[kind]) is not None]


def _compiler(served: Served, kind: str, alias: str | None = None) -> evaluate.Compile:
    def compiled(node: Node) -> evaluate.Getter:
        if node[0] == "lit":
            value = int(node[1]) if isinstance(node[1], Instant) else node[1]
            return lambda env: value
        if node[0] != "col":
            raise _Refused("MALFORMED_QUERY", f"unexpected token: {node[1] if len(node) > 1 else '*'}")
        path = str(node[1]).removeprefix(f"{alias}.") if alias and alias != kind else str(node[1])
        chain = _chain(served, kind, path)
        return lambda env: _follow(served, env[kind], chain)

    return compiled


def _chain(served: Served, kind: str, path: str) -> list[tuple[str, str]]:
    """Resolve a path into (field, next object) steps; the last has no next object."""
    steps, *names = [], *path.split(".")  # type: ignore[var-annotated]
    for name in names[:-1]:
        relation = next((r for r in RELATIONS if r.lower() == name.lower()), None)
        if relation is None or canonical_field(kind, RELATIONS[relation][0]) is None:
            raise _Refused(
                "INVALID_FIELD", f"Didn't understand relationship '{name}' in field path on entity '{kind}'."
            )
        steps.append((RELATIONS[relation][0], RELATIONS[relation][1]))
        kind = RELATIONS[relation][1]
    field = canonical_field(kind, names[-1])
    if field is None or f"{kind}.{field}".lower() in served.hidden("salesforce")[1]:
        raise _Refused(
            "INVALID_FIELD", f"\nSELECT {path} FROM {kind}\n       ^\nNo such column '{names[-1]}' on entity '{kind}'."
        )
    return [*steps, (field, "")]


def _follow(served: Served, row: Row | None, chain: list[tuple[str, str]]) -> Any:
    for field, target in chain:
        value = row.get(field) if row is not None else None
        if not target:
            return value
        row = served.world.salesforce[target].get(value)
    return None


def _check_literals(served: Served, kind: str, node: Node) -> None:
    """Refuse quoted dates and unquoted text, as the vendor does."""
    if node[0] in ("and", "or"):
        for part in node[1]:
            _check_literals(served, kind, part)
    elif node[0] == "not":
        _check_literals(served, kind, node[1])
    elif node[0] == "cmp" and node[2][0] == "col" and node[3][0] == "lit" and "." not in node[2][1]:
        field = _chain(served, kind, node[2][1])[-1][0]
        wanted, value = FIELDS[kind][field], node[3][1]
        wrong = value is not None and (
            (wanted == "datetime" and not isinstance(value, Instant))
            or (wanted in ("string", "id", "reference", "picklist") and not isinstance(value, str))
            or (wanted == "boolean" and not isinstance(value, bool))
        )
        if wrong:
            quoted = (
                "should not be enclosed in quotes"
                if wanted in ("datetime", "boolean")
                else "should be enclosed in quotes"
            )
            raise _Refused(
                "INVALID_FIELD", f"value of filter criterion for field '{field}' must be of type {wanted} and {quoted}"
            )


def _record(served: Served, kind: str, row: Row, paths: list[str], version: str) -> Row:
    record = _attributes(kind, row, version)
    for path in paths:
        if path.upper() in ("FIELDS", "*"):
            raise _Refused("MALFORMED_QUERY", "name the fields to select")
        chain = _chain(served, kind, path)
        target, names, current, current_kind = record, path.split("."), row, kind
        for name, (field, next_kind) in zip(names[:-1], chain[:-1], strict=True):
            parent = served.world.salesforce[next_kind].get(current.get(field))
            if parent is None:
                target[name] = None
                break
            target = target.setdefault(name, _attributes(next_kind, parent, version))
            current, current_kind = parent, next_kind
        else:
            target[chain[-1][0]] = rendered(current_kind, chain[-1][0], current.get(chain[-1][0]))
    return record


def rendered(kind: str, field: str, value: Any) -> Any:
    """Render a value as the JSON of this API: stamps in whole seconds with +0000, revisions as doubles."""
    if value is None:
        return None
    if FIELDS[kind][field] == "datetime":
        return to_instant(value).strftime("%Y-%m-%dT%H:%M:%S.000+0000")
    return float(value) if FIELDS[kind][field] in ("double", "percent") else value


def _attributes(kind: str, row: Row, version: str) -> Row:
    return {"attributes": {"type": kind, "url": f"/services/data/v{version}/sobjects/{kind}/{row['Id']}"}}


def _kind(name: str) -> str:
    kind = CANONICAL.get(name.lower())
    if kind is None:
        raise _Refused("INVALID_TYPE", f"sObject type '{name}' is not supported.")
    return kind


def _objects(served: Served, request: Request, version: str) -> Response:
    return answer({"encoding": "UTF-8", "maxBatchSize": 200, "sobjects": [
        {"name": kind, "label": kind, "queryable": True, "createable": False, "updateable": False, "deletable": False}
        for kind in FIELDS
    ]})  # fmt: skip


def _describe(served: Served, request: Request, version: str, kind: str) -> Response:
    kind = _kind(kind)
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
        raise _Refused(
            "INVALID_REPLICATION_DATE", f"start and end must be ISO 8601 with a zone: {failure}"
        ) from failure
    start, end = (edge - edge % MINUTE_US for edge in edges)
    if start >= end:
        raise _Refused("INVALID_REPLICATION_DATE", "startDate cannot be the same as or after endDate")
    return start, end


def _deleted(served: Served, request: Request, version: str, kind: str) -> Response:
    start, end = _window(request)
    earliest = served.now_us() - 15 * DAY_US
    if start < earliest:
        raise _Refused("INVALID_REPLICATION_DATE", "startDate is more than 15 days ago")
    gone = [
        row
        for row in served.world.salesforce[_kind(kind)].values()
        if row["IsDeleted"] and start <= row["SystemModstamp"] < end
    ]
    shown = [
        {"id": row["Id"], "deletedDate": rendered("Account", "SystemModstamp", row["SystemModstamp"])} for row in gone
    ]
    stamps = {"earliestDateAvailable": earliest, "latestDateCovered": min(end, served.now_us())}
    return answer({"deletedRecords": shown} | {n: rendered("Account", "SystemModstamp", v) for n, v in stamps.items()})


def _updated(served: Served, request: Request, version: str, kind: str) -> Response:
    start, end = _window(request)
    rows = served.world.salesforce[_kind(kind)].values()
    ids = [
        row["Id"]
        for row in rows
        if not row["IsDeleted"] and start <= row.get("SystemModstamp", row["CreatedDate"]) < end
    ]
    covered = rendered("Account", "SystemModstamp", min(end, served.now_us()))
    return answer({"ids": ids, "latestDateCovered": covered})


def _one(served: Served, request: Request, version: str, kind: str, row_id: str) -> Response:
    kind = _kind(kind)
    row = served.world.salesforce[kind].get(row_id) or next(
        (r for r in served.world.salesforce[kind].values() if r["Id"][:15] == row_id), None
    )  # fmt: skip
    return _shown(served, kind, [row] if row else [], version)


def _by_key(served: Served, request: Request, version: str, kind: str, field: str, value: str) -> Response:
    kind = _kind(kind)
    name = _chain(served, kind, field)[-1][0]
    if name not in UNIQUE_EXTERNAL.get(kind, ()):
        return refuse(404, "NOT_FOUND", f"Provided external ID field does not exist or is not accessible: {field}")
    return _shown(served, kind, [r for r in served.world.salesforce[kind].values() if r[name] == value], version)


def _shown(served: Served, kind: str, rows: list[Row], version: str) -> Response:
    entities, hidden = served.hidden("salesforce")
    rows = [row for row in rows if not row["IsDeleted"] and row.get("Legal_Entity__c") not in entities]
    if not rows:
        return refuse(404, "NOT_FOUND", "The requested resource does not exist")
    if len(rows) > 1:
        return answer([_attributes(kind, row, version)["attributes"]["url"] for row in rows], 300)
    fields = [name for name in FIELDS[kind] if f"{kind}.{name}".lower() not in hidden]
    return answer(_record(served, kind, rows[0], fields, version))
