"""What does a SuiteQL statement return? Tables, functions and the account's time zone; HTTP is elsewhere."""

import re
from collections.abc import Callable, Iterable
from datetime import date, datetime
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from probes.sandbox.apis import evaluate
from probes.sandbox.apis.netsuite_columns import COLUMNS, DISPLAY, STATUS_NAMES, TYPE_NAMES
from probes.sandbox.apis.query import Column, Node, Select, parse
from probes.sandbox.apis.web import Served
from probes.sandbox.clock import iso_seconds, to_instant, to_us
from probes.sandbox.entities import BY_CODE
from probes.sandbox.world import NETSUITE_ZONE, Row

_PARTS = re.compile(r'"[^"]*"|YYYY|MM|DD|HH24|HH12|HH|MI|SS|FF3|AM|TZH|TZM', re.IGNORECASE)
_STRFTIME = {
    "YYYY": "%Y", "MM": "%m", "DD": "%d", "HH24": "%H", "HH12": "%I", "HH": "%I", "MI": "%M", "SS": "%S", "AM": "%p",
    "FF3": "000",
}  # fmt: skip


class UnknownName(ValueError):  # noqa: N818 - reads as what it says at every raise
    """A column, table or function that does not exist or that the role cannot see."""


class LocalTime(int):
    """Microseconds since epoch of a column that is a time, so that rendering knows it from a number."""


MAX_ROWS = 100_000


def run(served: Served, text: str, limit: int, offset: int) -> tuple[list[Row], int]:
    """Run a statement and render one page of its rows: lower-case columns, nulls omitted, numbers and ids as text.

    Returns: the page, and how many rows there are in all (at most 100,000).
    Errors: QuerySyntaxError, UnknownName.
    """
    query = parse(text)
    scope = {query.alias: _table(query.table)} | {join.alias: _table(join.table) for join in query.joins}
    compiler = _Compiler(served, scope)
    start: list[evaluate.Env] = [{query.alias: row} for row in rows_of(served, query.table)]
    rows = evaluate.joined(start, query.joins, lambda table: rows_of(served, table), compiler.compile)
    if query.where is not None:
        accept = evaluate.condition(query.where, compiler.compile)
        rows = [env for env in rows if accept(env)]
    if evaluate.is_aggregate(query):
        found = _window(evaluate.grouped(rows, query, compiler.compile, _name), query)
        return [_rendered(row) for row in found[offset : offset + limit]], len(found)
    getters = _getters(query, compiler, scope)
    chosen = _window(evaluate.ordered(rows, query.order_by, compiler.compile), query)
    page = [{name: getter(env) for name, getter in getters} for env in chosen[offset : offset + limit]]
    return [_rendered(row) for row in page], len(chosen)


def _window(rows: list[Any], query: Select) -> list[Any]:
    stop = None if query.limit is None else query.offset + query.limit
    return rows[query.offset : stop][:MAX_ROWS]


def _getters(query: Select, compiler: "_Compiler", scope: dict[str, str]) -> list[tuple[str, evaluate.Getter]]:
    found: list[tuple[str, evaluate.Getter]] = []
    for number, column in enumerate(query.columns):
        star = column.node == ("star",) or (column.node[0] == "col" and column.node[1].endswith(".*"))
        if not star:
            found.append((_name(column, number), compiler.compile(column.node)))
            continue
        aliases = list(scope) if column.node == ("star",) else [column.node[1][:-2]]
        for alias in aliases:
            visible = [name for name in COLUMNS[scope[alias]] if f"{scope[alias]}.{name}" not in compiler.hidden]
            found += [(name, compiler.compile(("col", f"{alias}.{name}"))) for name in visible]
    return found


def _name(column: Column, number: int) -> str:
    if column.alias:
        return column.alias.lower()
    return str(column.node[1]).split(".")[-1].lower() if column.node[0] == "col" else f"expr{number + 1}"


def _table(name: str) -> str:
    if name.lower() not in COLUMNS:
        raise UnknownName(f"Record '{name}' was not found. Reason: REMOVED - Record is removed")
    return name.lower()


def rows_of(served: Served, name: str) -> Iterable[Row]:
    """Return a table without the rows that the role cannot see: they are silently absent."""
    table = _table(name)
    if table == "dual":
        return [{"dummy": "X"}]
    stored = "transactionlinelink" if table.endswith("transactionlinelink") else table
    rows = list(served.world.netsuite[stored].values())
    lost = {BY_CODE[code].subsidiary_id for code in served.hidden("netsuite")[0]}
    if not lost:
        return rows
    if table == "transactionline":
        return [row for row in rows if row["subsidiary"] not in lost]
    if stored == "transactionlinelink":
        gone = {row["id"] for row in served.world.netsuite["transaction"].values() if row["subsidiary"] in lost}
        return [row for row in rows if row["nextdoc"] not in gone and row["previousdoc"] not in gone]
    return [row for row in rows if row.get("id" if table == "subsidiary" else "subsidiary") not in lost]


class _Compiler:
    """Compiles the expressions of one statement over the tables in its scope."""

    def __init__(self, served: Served, scope: dict[str, str]) -> None:
        self.served, self.scope = served, {alias.lower(): (alias, table) for alias, table in scope.items()}
        self.hidden = served.hidden("netsuite")[1]

    def compile(self, node: Node) -> evaluate.Getter:
        """Compile a column, a literal or a function call."""
        if node[0] == "lit":
            return lambda env: node[1]
        if node[0] == "col":
            return self.column(str(node[1]))
        if node[0] == "call":
            return self.call(str(node[1]), list(node[2]))
        raise UnknownName("* is only allowed alone or in COUNT(*)")

    def column(self, path: str) -> evaluate.Getter:
        """Compile a column, `alias.column` or plain where only one table has it."""
        if path.upper() in ("SYSTIMESTAMP", "SYSDATE", "CURRENT_TIMESTAMP", "CURRENT_DATE"):
            return lambda env: LocalTime(self.served.world.clock_us("netsuite"))
        alias, name, shape = self.resolve(path)

        def get(env: evaluate.Env) -> Any:
            row = env[alias]
            value = row.get(name) if row is not None else None
            return LocalTime(value) if shape == "datetime" and value is not None else value

        return get

    def resolve(self, path: str) -> tuple[str, str, str]:
        """Find alias, column and type of a path.

        Errors: UnknownName as the vendor words it.
        """
        head, _, tail = path.lower().rpartition(".")
        candidates = [self.scope[head]] if head in self.scope else [] if head else list(self.scope.values())
        for alias, table in candidates:
            if tail in COLUMNS[table] and f"{table}.{tail}" not in self.hidden:
                return alias, tail, COLUMNS[table][tail]
        record = candidates[0][1] if candidates else head
        raise UnknownName(
            f"Field '{tail}' for record '{record}' was not found. Reason: NOT_EXPOSED - Field is not exposed"
        )

    def call(self, name: str, arguments: list[Node]) -> evaluate.Getter:
        """Compile a function call."""
        if name == "BUILTIN.DF" and len(arguments) == 1 and arguments[0][0] == "col":
            return self.display(str(arguments[0][1]))
        inner = [self.compile(argument) for argument in arguments]
        if name == "TO_CHAR" and len(inner) in (1, 2):
            return lambda env: _to_char(inner[0](env), inner[1](env) if len(inner) == 2 else None)
        if name in ("TO_TIMESTAMP", "TO_DATE", "TO_TIMESTAMP_TZ") and len(inner) == 2:
            value = _from_text(str(inner[0]({})), str(inner[1]({})))
            return lambda env: value
        if name in ("NVL", "COALESCE"):
            return lambda env: next((value for getter in inner if (value := getter(env)) is not None), None)
        if name in ("UPPER", "LOWER", "TRIM") and len(inner) == 1:
            changes: dict[str, Callable[[str], str]] = {"UPPER": str.upper, "LOWER": str.lower, "TRIM": str.strip}
            change = changes[name]
            return lambda env: None if inner[0](env) is None else change(str(inner[0](env)))
        if name == "TO_NUMBER" and len(inner) == 1:
            return lambda env: None if inner[0](env) is None else Decimal(str(inner[0](env)))
        raise UnknownName(f"Function '{name}' with {len(arguments)} arguments is not supported")

    def display(self, path: str) -> evaluate.Getter:
        """Compile BUILTIN.DF: the text a user would see instead of the stored key."""
        alias, name, _ = self.resolve(path)
        tables = self.served.world.netsuite

        def get(env: evaluate.Env) -> Any:
            row = env[alias] or {}
            value: Any = row.get(name)
            if name == "status":
                return STATUS_NAMES.get((row.get("type", ""), value), value)
            if name == "type":
                return TYPE_NAMES.get(value, value)
            if name == "approvalstatus":
                return {1: "Pending Approval", 2: "Approved"}.get(value, value)
            table, shown = DISPLAY.get(name, ("", ""))
            return tables[table][value][shown] if table and value in tables[table] else value

        return get


def _to_char(value: Any, pattern: str | None) -> str | None:
    if value is None:
        return None
    if not isinstance(value, LocalTime | date):
        return _text(value)
    if isinstance(value, LocalTime):
        moment = to_instant(value).astimezone(ZoneInfo(NETSUITE_ZONE))
    else:
        moment = datetime(value.year, value.month, value.day, tzinfo=ZoneInfo(NETSUITE_ZONE))
    offset = moment.strftime("%z")

    def part(match: re.Match[str]) -> str:
        token = match.group(0)
        if token.startswith('"'):
            return token[1:-1]
        zone = {"TZH": offset[:3], "TZM": offset[3:5]}
        return zone.get(token.upper()) or moment.strftime(_STRFTIME[token.upper()])

    return _PARTS.sub(part, pattern or "MM/DD/YYYY")


def _from_text(text: str, pattern: str) -> LocalTime:
    def part(match: re.Match[str]) -> str:
        token = match.group(0)
        return token[1:-1] if token.startswith('"') else _STRFTIME.get(token.upper(), "%z")

    try:
        naive = datetime.strptime(text, _PARTS.sub(part, pattern))  # noqa: DTZ007 - the zone is the account's, set next
    except ValueError as failure:
        raise UnknownName(f"Invalid date {text!r} for format {pattern!r}: {failure}") from failure
    return LocalTime(to_us(naive.replace(tzinfo=naive.tzinfo or ZoneInfo(NETSUITE_ZONE))))


def _rendered(row: Row) -> Row:
    return {"links": []} | {name: _text(value) for name, value in row.items() if value is not None}


def _text(value: Any) -> str:
    if isinstance(value, LocalTime):  # without TO_CHAR a time shows as a date in the account's format
        return to_instant(value).astimezone(ZoneInfo(NETSUITE_ZONE)).strftime("%m/%d/%Y")
    if isinstance(value, date):
        return value.strftime("%m/%d/%Y")
    if isinstance(value, Decimal):
        text = f"{value:f}"
        return text.rstrip("0").rstrip(".") if "." in text else text
    return str(value)


def utc_text(us: int) -> str:
    """Render an instant as the record API does: ISO 8601 in UTC."""
    return iso_seconds(us)
