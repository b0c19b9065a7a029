"""What is different since an instant: verdicts that turned, differences found and closed, corrections, platforms lost and back.

Answers "what did I miss". What was told to whom is the alerts' own history.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, Table, func, select

from metrics.tables import PollRun, SliEvent, table

from .breaks import BREAK, EXCEPTION
from .distinct import distinct
from .flows import INSTANCE
from .heads import STREAM
from .narrow import EVERYTHING, Narrow, conditions

EVENT, RUN = table(SliEvent), table(PollRun)


@dataclass(frozen=True, slots=True)
class Turned:
    """How many subjects of one definition turned since then, and their money per currency.

    `what`: decided_bad | decided_good | corrected | break_opened | break_closed | exception_opened | exception_closed |
    completed.
    """

    what: str
    name: str
    count: int
    money: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Outage:
    """One stream whose polls failed since then. `back_us`: its first complete poll afterwards, None while it lasts."""

    platform: str
    stream: str
    first_us: int
    failures: int
    reason: str | None
    back_us: int | None


def changes(conn: Connection, since_us: int, now_us: int, where: Narrow = EVERYTHING) -> list[Turned]:
    """Return what turned in (since, now], by kind of change and definition."""
    found: list[Turned] = []

    def span(at: ColumnElement[Any]) -> list[ColumnElement[bool]]:
        return [at > since_us, at <= now_us]

    def opened(rows: Table) -> list[ColumnElement[bool]]:
        return [*span(rows.c.since_us), rows.c.closed_us.is_(None) | (rows.c.closed_us > now_us)]

    named = EVENT.c.sli.in_(distinct(conn, EVENT.c.sli))  # SLI by SLI the events of a span are found by index
    for outcome in ("bad", "good"):
        bounds = [named, EVENT.c.outcome == outcome, *span(EVENT.c.at_us)]
        found += _turned(conn, f"decided_{outcome}", EVENT, EVENT.c.sli, bounds, where)
    mended = [EVENT.c.corrected_us.is_not(None), *span(EVENT.c.corrected_us)]
    found += _turned(conn, "corrected", EVENT, EVENT.c.sli, mended, where)
    found += _turned(conn, "break_opened", BREAK, BREAK.c.kind, opened(BREAK), where)
    found += _turned(conn, "break_closed", BREAK, BREAK.c.kind, span(BREAK.c.closed_us), where)
    through = INSTANCE.c.flow.in_(distinct(conn, INSTANCE.c.flow))
    done = [through, *span(INSTANCE.c.completed_us), INSTANCE.c.state == "done"]
    found += _turned(conn, "completed", INSTANCE, INSTANCE.c.flow, done, where)
    if where.everywhere:
        found += _counted(conn, "exception_opened", opened(EXCEPTION))
        found += _counted(conn, "exception_closed", span(EXCEPTION.c.closed_us))
    return found


def _turned(
    conn: Connection,
    what: str,
    rows: Any,
    name: ColumnElement[str],
    bounds: Sequence[ColumnElement[bool]],
    where: Narrow,
) -> list[Turned]:
    columns = (
        name.label("name"),
        rows.c.currency,
        func.count().label("n"),
        func.sum(rows.c.money_minor).label("money"),
    )
    wanted = [*bounds, *conditions(conn, where, rows)]
    return _grouped(what, conn.execute(select(*columns).where(*wanted).group_by(name, rows.c.currency)).all())


def _grouped(what: str, rows: Sequence[Row[Any]]) -> list[Turned]:
    counts: dict[str, int] = {}
    money: dict[str, dict[str, int]] = {}
    for row in rows:
        counts[row.name] = counts.get(row.name, 0) + row.n
        if row.currency is not None and row.money is not None:
            money.setdefault(row.name, {})[row.currency] = int(row.money)
    return [Turned(what, name, count, money.get(name, {})) for name, count in sorted(counts.items())]


def _counted(conn: Connection, what: str, bounds: Sequence[ColumnElement[bool]]) -> list[Turned]:
    statement = select(EXCEPTION.c.kind, func.count().label("n")).where(*bounds).group_by(EXCEPTION.c.kind)
    return [Turned(what, r.kind, r.n, {}) for r in conn.execute(statement.order_by(EXCEPTION.c.kind))]


def outages(conn: Connection, since_us: int, until_us: int | None = None) -> list[Outage]:
    """Return the streams whose polls failed since then, those still failing (at `until_us`, or now) first."""
    polls = (RUN.c.kind == "changes") & (RUN.c.status != "running")
    if until_us is not None:
        polls = polls & (RUN.c.finished_us <= until_us)
    bad = (
        select(
            RUN.c.stream_id,
            func.min(RUN.c.started_us).label("first"),
            func.max(RUN.c.started_us).label("last"),
            func.count().label("n"),
        )
        .where(polls, RUN.c.status != "complete", RUN.c.started_us > since_us)
        .group_by(RUN.c.stream_id)
    )
    names = {r.id: r for r in conn.execute(select(STREAM.c.id, STREAM.c.platform, STREAM.c.name))}
    found = []
    for row in conn.execute(bad).all():
        later = select(func.min(RUN.c.finished_us)).where(
            polls, RUN.c.status == "complete", RUN.c.stream_id == row.stream_id
        )
        back = conn.execute(later.where(RUN.c.started_us > row.last)).scalar()
        at_last = (RUN.c.stream_id == row.stream_id) & (RUN.c.started_us == row.last)
        reason = conn.execute(select(RUN.c.reason).where(at_last).limit(1)).scalar()
        stream = names[row.stream_id]
        found.append(Outage(stream.platform, stream.name, row.first, row.n, reason, back))
    return sorted(found, key=lambda o: (o.back_us is not None, o.platform, o.stream))
