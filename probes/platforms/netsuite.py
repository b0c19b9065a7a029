"""How NetSuite is asked: SuiteQL statements over windows of `lastmodifieddate`, keyset on id, in the account's own zone.

Bounds and results are naive times of the integration user's zone; it is measured on connect and compared with `time_zone`.
Source: docs.oracle.com "Using SuiteQL with SuiteTalk REST"; offset paging stops at 100,000 rows, keyset does not.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

from ..clock import HOUR, from_us
from ..errors import ProbeError, Reason
from ..listing import chunks, windows_of
from ..paging import rows_of
from ..probe import Cursor, Environment, Meter, Page
from ..request import Answer, Request
from ..source import Session, Source
from ..values import zone
from ..window import Window, begun, done, note, watermark

PATH = "/services/rest/query/v1/suiteql"
PAGE = 1000
IN_LIMIT = 500
STAMP = """'YYYY-MM-DD"T"HH24:MI:SS'"""
DATETIMES = frozenset({"createddate", "lastmodifieddate", "datecreated", "linelastmodifieddate"})
DATES = frozenset({"trandate", "duedate", "startdate", "enddate", "shipdate", "closedate"})
_COLUMN = re.compile(r"[A-Za-z][A-Za-z0-9_]*\Z")


def prepare(session: Session, meter: Meter) -> None:
    """Prove the time zone and learn the currencies once an hour."""
    session.remember("zone", lambda: _prove_zone(session, meter))
    session.remember("currencies", lambda: session.tables["currencies"].update(_currencies(session, meter)))
    session.remember("users", lambda: session.tables["users"].update(_users(session, meter)))


def changes(source: Source, cursor: Cursor, now_us: int, meter: Meter) -> Iterator[Page]:
    """Yield what changed since the cursor."""
    windows = windows_of(source, cursor, now_us, meter)
    for window in windows:
        note(window, meter)
        final = window is windows[-1]
        for answer, rows, last in _keyset(source, _since(source, window), window.after, meter):
            page = _page(source, rows, answer, meter)
            page.cursor = done(window) if last else begun(window, int(rows[-1]["id"]))
            page.last = last and final
            page.watermark_us = watermark(window, source.description.visibility_delay, meter) if page.last else None
            yield page


def read(source: Source, by: str, values: Sequence[str], meter: Meter) -> Iterator[Page]:
    """Yield the records known under these values."""
    column = source.params["key_paths"].get(by, by)
    if by not in source.spec.reads_by or not _COLUMN.match(column):
        raise source.error(Reason.CONFIG, f"cannot be read by {by!r}; it can by {', '.join(source.spec.reads_by)}")
    for group in chunks(list(dict.fromkeys(values)), IN_LIMIT):
        condition = f"t.{column} IN ({', '.join(_literal(v) for v in group)})"
        yield from _pages(source, condition, meter)


def ids(source: Source, meter: Meter) -> Iterator[list[str]]:
    """Yield all ids."""
    for _, rows, _ in _keyset(source, "", None, meter, columns="t.id"):
        yield [str(row["id"]) for row in rows]


def reread(source: Source, meter: Meter) -> Iterator[Page]:
    """Yield what is still open: settling it need not have moved its stamp."""
    yield from _pages(source, str(source.description.source.get("open") or ""), meter)


def check(session: Session, meter: Meter) -> Environment:
    """Ask for the subsidiaries the role sees; the account is in the address."""
    seen = query(session, "SELECT t.id, t.name FROM subsidiary t ORDER BY t.id", meter)
    if not rows_of(seen.data, "items", session.name):
        raise session.error(Reason.NOT_VISIBLE, "the role sees no subsidiary; give it Subsidiaries: View")
    host = urlsplit(session.client.base_url).hostname or ""
    account = host.split(".")[0]
    environment = None
    if host.endswith(".netsuite.com"):
        environment = "test" if re.search(r"-(sb|rp)\d*$", account) or account.startswith("tstdrv") else "production"
    prepare(session, meter)
    return Environment(account, environment, None, tuple(meter.warnings))


def query(session: Session, statement: str, meter: Meter) -> Answer:
    """Run a statement. Errors: ProbeError."""
    request = Request(PATH, (("limit", str(PAGE)),), "POST", {"q": statement})
    return session.client.send(request, meter)


def _pages(source: Source, condition: str, meter: Meter) -> Iterator[Page]:
    for answer, rows, _ in _keyset(source, condition, None, meter):
        yield _page(source, rows, answer, meter)


def _keyset(
    source: Source, condition: str, after: Any, meter: Meter, *, columns: str | None = None
) -> Iterator[tuple[Answer, list[Any], bool]]:
    """Yield pages in the order of ids, each asked for from the last id on: rows that move meanwhile shift nothing."""
    last = int(after) if after is not None else None
    while True:
        statement = _statement(source, condition, last, columns)
        answer = query(source.session, statement, meter)
        rows = rows_of(answer.data, "items", source.session.name)
        full = bool(rows) and isinstance(answer.data, dict) and answer.data.get("hasMore") is True
        yield answer, rows, not full
        if not full:
            return
        reached = max(int(row["id"]) for row in rows)
        if last is not None and reached <= last:
            raise source.error(Reason.LOOP, "the platform returned a page that was already read")
        last = reached


def _statement(source: Source, condition: str, after: int | None, columns: str | None) -> str:
    given = source.description.source
    tests = [
        f"t.type = '{given['type']}'" if given.get("type") else "",
        f"({condition})" if condition else "",
        f"t.id > {after}" if after is not None else "",
    ]
    where = " AND ".join(test for test in tests if test)
    chosen = columns or ", ".join(_columns(source))
    return f"SELECT {chosen} FROM {given['table']} t{' WHERE ' + where if where else ''} ORDER BY t.id"  # noqa: S608


def _columns(source: Source) -> Iterator[str]:
    expressions = source.description.source.get("select") or {}
    for name in source.mapper.columns:
        if name.startswith("_"):
            continue
        if not _COLUMN.match(name):
            raise source.error(Reason.CONFIG, f"{name!r} is no SuiteQL column")
        if name in expressions:
            yield f"{expressions[name]} AS {name}"
        elif name.lower() in DATETIMES:
            yield f"TO_CHAR(t.{name}, {STAMP}) AS {name}"
        elif name.lower() in DATES:
            yield f"TO_CHAR(t.{name}, 'YYYY-MM-DD') AS {name}"
        else:
            yield f"t.{name}"


def _since(source: Source, window: Window) -> str:
    """Return the condition of a window. Without an upper bound: what changed meanwhile may come too, nothing is lost."""
    return f"t.lastmodifieddate >= TO_TIMESTAMP('{_local(source.session, window.from_us)}', {STAMP})"


def _local(session: Session, us: int) -> str:
    """Return an instant as the account writes it; around a clock change an hour earlier, since one hour is said twice."""
    where = zone(session.settings.time_zone or "UTC")
    around = [from_us(us + step).astimezone(where).utcoffset() for step in (-2 * HOUR, 2 * HOUR)]
    at = from_us(us if around[0] == around[1] else us - HOUR)
    return at.astimezone(where).replace(tzinfo=None, microsecond=0).isoformat()


def _literal(value: str) -> str:
    return "'" + value.replace("'", "''") + "'"


def _page(source: Source, rows: list[Any], answer: Answer, meter: Meter) -> Page:
    if rows and source.description.source.get("links"):
        _link(source, rows, meter)
    return source.page(rows, answer.at_us, meter, {})


def _link(source: Source, rows: list[Any], meter: Meter) -> None:
    """Put beside each document what it was made from or applied to, with the amount."""
    links: dict[str, list[Any]] = {}
    for group in chunks([str(row["id"]) for row in rows], IN_LIMIT):
        last = 0
        while True:
            statement = (
                "SELECT l.id, l.previousdoc, l.nextdoc, l.linktype, l.foreignamount FROM nextTransactionLineLink l "  # noqa: S608
                f"WHERE l.nextdoc IN ({', '.join(group)}) AND l.id > {last} ORDER BY l.id"
            )
            answer = query(source.session, statement, meter)
            found = rows_of(answer.data, "items", source.session.name)
            for row in found:
                links.setdefault(str(row.get("nextdoc")), []).append(row)
            if not found or answer.data.get("hasMore") is not True:
                break
            last = int(found[-1]["id"])
    for row in rows:
        row["_links"] = links.get(str(row["id"]), [])


def _currencies(session: Session, meter: Meter) -> dict[str, str]:
    rows = rows_of(
        query(session, "SELECT t.id, t.symbol FROM currency t ORDER BY t.id", meter).data, "items", session.name
    )
    return {str(row["id"]): str(row["symbol"]) for row in rows if row.get("symbol")}


def _users(session: Session, meter: Meter) -> dict[str, str]:
    """Return employee -> kind of actor; empty when the role does not see employees."""
    words = [str(word).lower() for word in session.option("integration_users") or []]
    try:
        answer = query(session, "SELECT t.id, t.entityid FROM employee t ORDER BY t.id", meter)
    except ProbeError as error:
        if error.reason in (Reason.BAD_REQUEST, Reason.FORBIDDEN):
            return {}
        raise
    rows = rows_of(answer.data, "items", session.name)
    return {
        str(row["id"]): "integration" if any(w in str(row.get("entityid", "")).lower() for w in words) else "person"
        for row in rows
    }


def _prove_zone(session: Session, meter: Meter) -> None:
    """Compare the zone the account answers in with the configured one. Errors: ProbeError CONFIG when they differ."""
    statement = "SELECT TO_CHAR(SYSTIMESTAMP, 'YYYY-MM-DD\"T\"HH24:MI:SSTZH:TZM') AS n FROM dual"
    try:
        rows = rows_of(query(session, statement, meter).data, "items", session.name)
        told = datetime.fromisoformat(str(rows[0]["n"])).utcoffset()
    except (ProbeError, ValueError, IndexError, KeyError) as error:
        if isinstance(error, ProbeError) and error.reason is not Reason.BAD_REQUEST:
            raise
        meter.warnings = (*meter.warnings, "the account does not tell its time zone; `time_zone` is taken as it is")
        return
    name = session.settings.time_zone or "UTC"
    expected = from_us(session.now_us()).astimezone(zone(name)).utcoffset()
    if told != expected:
        text = f"the account answers in UTC{_offset(told)}, `time_zone: {name}` is UTC{_offset(expected)} now"
        raise session.error(Reason.CONFIG, f"{text}; write the zone of the integration user")


def _offset(offset: timedelta | None) -> str:
    minutes = int((offset or timedelta()).total_seconds() // 60)
    return f"{'-' if minutes < 0 else '+'}{abs(minutes) // 60:02d}:{abs(minutes) % 60:02d}"
