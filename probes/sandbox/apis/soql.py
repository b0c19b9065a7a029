"""What does a SOQL statement return? Objects, relationships, literals and rendering; HTTP is elsewhere."""

from typing import Any

from probes.sandbox.apis import evaluate
from probes.sandbox.apis.query import Instant, Node, Select
from probes.sandbox.apis.salesforce_fields import CANONICAL, FIELDS, RELATIONS, canonical_field
from probes.sandbox.apis.web import Served
from probes.sandbox.clock import to_instant
from probes.sandbox.randoms import long_id
from probes.sandbox.world import Row

Path = tuple[list[str], list[tuple[str, str]]]  # names as written, and how each is followed


class RefusedError(ValueError):
    """A statement this API refuses, with the vendor's error code."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


def records(served: Served, query: Select, version: str, everything: bool) -> list[Row]:
    """Run a statement and render its records; `everything` includes deleted rows.

    Errors: RefusedError with the vendor's code.
    """
    kind = canonical_kind(query.table)
    compiler = _compiler(served, kind, query.alias)
    if evaluate.is_aggregate(query):
        rows: list[evaluate.Env] = [{kind: row} for row in select_rows(served, query, everything)]
        found = evaluate.grouped(rows, query, compiler, lambda column, n: column.alias or _group_name(column.node, n))
        return [{"attributes": {"type": "AggregateResult"}} | record for record in found]
    paths = paths_of(served, kind, [_column_path(column.node, query.alias) for column in query.columns])
    return [render_record(served, kind, row, paths, version) for row in select_rows(served, query, everything)]


def _group_name(node: Node, number: int) -> str:
    return str(node[1]) if node[0] == "col" else f"expr{number}"


def _column_path(node: Node, alias: str) -> str:
    if node[0] != "col":
        raise RefusedError("MALFORMED_QUERY", f"only fields and aggregates can be selected, not {node[0]}")
    return str(node[1]).removeprefix(f"{alias}.")


def select_rows(served: Served, query: Select, everything: bool) -> list[Row]:
    """Return the rows a statement matches, in order."""
    kind = canonical_kind(query.table)
    if query.joins:
        raise RefusedError("MALFORMED_QUERY", "SOQL has no JOIN: use a relationship such as Account.Name")
    entities, _ = served.hidden("salesforce")
    unseen_us = _unseen_us(served)
    rows: list[evaluate.Env] = [
        {kind: row} for row in served.world.salesforce[kind].values()
        if (everything or not row["IsDeleted"]) and row.get("Legal_Entity__c") not in entities
        and (unseen_us is None or not _is_late(row, unseen_us))
    ]  # fmt: skip
    compiler = _compiler(served, kind, query.alias)
    if query.where is not None:
        _check_literals(served, kind, query.where)
        accept = evaluate.condition(_long_ids(kind, query.where), compiler)
        rows = [env for env in rows if accept(env)]
    rows = evaluate.ordered(rows, query.order_by, compiler)
    stop = None if query.limit is None else query.offset + query.limit
    return [row for env in rows[query.offset : stop] if (row := env[kind]) is not None]


def _unseen_us(served: Served) -> int | None:
    """Return since when some rows are not visible yet, while the platform shows them late."""
    late = served.condition("salesforce", "late_rows")
    return None if late is None else served.now_us() - int(late["lag_seconds"]) * 1_000_000


def _is_late(row: Row, unseen_us: int) -> bool:
    """Tell whether a row is one of the half that shows up late."""
    stamp = row.get("SystemModstamp") or row["CreatedDate"]
    return int(stamp) > unseen_us and sum(str(row["Id"]).encode()) % 2 == 0


def _long_ids(kind: str, node: Node) -> Node:
    """Complete 15-character ids compared with id fields: both forms name the same record."""
    if node[0] in ("and", "or"):
        return (node[0], [_long_ids(kind, part) for part in node[1]])
    if node[0] == "not":
        return ("not", _long_ids(kind, node[1]))
    column = node[2] if node[0] == "cmp" else node[1]
    field = canonical_field(kind, column[1].split(".")[-1]) if column[0] == "col" else None
    if field is None or FIELDS[kind][field] not in ("id", "reference"):
        return node
    if node[0] == "cmp":
        return (*node[:3], _long_literal(node[3]))
    return ("in", column, [_long_literal(option) for option in node[2]], node[3]) if node[0] == "in" else node


def _long_literal(node: Node) -> Node:
    short = node[0] == "lit" and isinstance(node[1], str) and len(node[1]) == 15 and node[1].isalnum()
    return ("lit", long_id(node[1])) if short else node


def _compiler(served: Served, kind: str, alias: str | None = None) -> evaluate.Compile:
    def compiled(node: Node) -> evaluate.Getter:
        if node[0] == "lit":
            value = int(node[1]) if isinstance(node[1], Instant) else node[1]
            return lambda env: value
        if node[0] != "col":
            raise RefusedError("MALFORMED_QUERY", f"unexpected token: {node[1] if len(node) > 1 else '*'}")
        path = str(node[1]).removeprefix(f"{alias}.") if alias and alias != kind else str(node[1])
        chain = resolve(served, kind, path)
        return lambda env: _follow(served, env[kind], chain)

    return compiled


def resolve(served: Served, kind: str, path: str) -> list[tuple[str, str]]:
    """Resolve a path into (field, next object) steps; the last has no next object."""
    steps, *names = [], *path.split(".")
    for name in names[:-1]:
        relation = next((r for r in RELATIONS if r.lower() == name.lower()), None)
        if relation is None or canonical_field(kind, RELATIONS[relation][0]) is None:
            raise RefusedError(
                "INVALID_FIELD", f"Didn't understand relationship '{name}' in field path on entity '{kind}'."
            )
        steps.append((RELATIONS[relation][0], RELATIONS[relation][1]))
        kind = RELATIONS[relation][1]
    field = canonical_field(kind, names[-1])
    if field is None or f"{kind}.{field}".lower() in served.hidden("salesforce")[1]:
        raise RefusedError(
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
        field = resolve(served, kind, node[2][1])[-1][0]
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
            raise RefusedError(
                "INVALID_FIELD", f"value of filter criterion for field '{field}' must be of type {wanted} and {quoted}"
            )


def paths_of(served: Served, kind: str, names: list[str]) -> list[Path]:
    """Resolve selected field paths once for all rows.

    Errors: RefusedError for a field that does not exist or cannot be seen, also when no row matches.
    """
    return [(name.split("."), resolve(served, kind, name)) for name in names]


def render_record(served: Served, kind: str, row: Row, paths: list[Path], version: str) -> Row:
    """Render a row with the selected fields, parents nested."""
    record = attributes(kind, row, version)
    for names, chain in paths:
        target, current, current_kind = record, row, kind
        for name, (field, next_kind) in zip(names[:-1], chain[:-1], strict=True):
            parent = served.world.salesforce[next_kind].get(current.get(field))
            if parent is None:
                target[name] = None
                break
            target = target.setdefault(name, attributes(next_kind, parent, version))
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


def attributes(kind: str, row: Row, version: str) -> Row:
    """Start a rendered row with what the vendor puts first."""
    return {"attributes": {"type": kind, "url": f"/services/data/v{version}/sobjects/{kind}/{row['Id']}"}}


def canonical_kind(name: str) -> str:
    kind = CANONICAL.get(name.lower())
    if kind is None:
        raise RefusedError("INVALID_TYPE", f"sObject type '{name}' is not supported.")
    return kind
