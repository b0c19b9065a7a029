"""Which differences between two platforms stand open, and which exceptions wait for a person.

One list and one count each, over the same rows. Who owns them and who was told is asked elsewhere.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, func, select

from metrics.past import Past, break_rows, exception_rows
from metrics.tables import BreakRow, ExceptionRow, table

from .heads import RECORD, STREAM, Customer, Head, customers, heads
from .narrow import EVERYTHING, Narrow, conditions, customer_records
from .pages import Listing, beyond, decode, page

BREAK, EXCEPTION = table(BreakRow), table(ExceptionRow)


@dataclass(frozen=True, slots=True)
class Break:
    """One difference: what the subject says (`expected`), what its counterpart says (`actual`), and the money of it."""

    check_name: str
    kind: str
    field: str
    subject_id: int
    revision: int
    entity: str
    expected: str | None
    actual: str | None
    money_minor: int | None
    currency: str | None
    since_us: int
    closed_us: int | None
    subject: Head | None
    counterpart: Head | None
    customer: Customer | None


@dataclass(frozen=True, slots=True)
class Trouble:
    """One exception: a dead letter, a failed or hung run, a quarantined row. `document` where it names one.

    `fingerprint`: equal for all of one cause; `category`: what kind of cause; `attempts`: tries so far, the last at `last_us`.
    """

    fingerprint: str
    subject_id: int
    kind: str
    category: str
    cause: str
    platform: str
    message: str
    attempts: int
    since_us: int
    last_us: int
    closed_us: int | None
    money_minor: int | None
    currency: str | None
    document: Head | None


@dataclass(frozen=True, slots=True)
class BreakCount:
    """How many open breaks of a kind, and their money per currency."""

    check_name: str
    kind: str
    count: int
    money: Mapping[str, int]


def breaks(
    conn: Connection,
    where: Narrow = EVERYTHING,
    *,
    open_only: bool = True,
    kind: str | None = None,
    check: str | None = None,
    since_us: int | None = None,
    limit: int = 100,
    after: str | None = None,
) -> Listing[Break]:
    """Return breaks, the oldest first; `since_us` keeps those found from then on."""
    inside = conditions(conn, where, BREAK)
    inside += [] if kind is None else [BREAK.c.kind == kind]
    inside += [] if check is None else [BREAK.c.check_name == check]
    inside += [] if since_us is None else [BREAK.c.since_us >= since_us]
    shown = break_rows(where.past, inside)
    wanted = _stand(shown.c.closed_us, open_only)
    total = conn.execute(select(func.count()).select_from(shown).where(*wanted)).scalar_one()
    names = ("since_us", "check_name", "subject_id", "revision", "entity", "kind", "field")
    order = [shown.c[n] for n in names]
    if after is not None:
        wanted.append(beyond(order, decode(after, (int, str, int, int, str, str, str)), [False] * len(order)))
    rows = conn.execute(select(shown).where(*wanted).order_by(*order).limit(limit + 1)).all()
    return page(_breaks(conn, rows), limit, total, lambda b: tuple(getattr(b, n) for n in names))


def breaks_of(conn: Connection, record_ids: Iterable[int], past: Past | None = None) -> list[Break]:
    """Return every break, open and closed, in which one of these records is a side."""
    ids = sorted(set(record_ids))
    shown = break_rows(past, [BREAK.c.subject_id.in_(ids) | BREAK.c.counterpart_id.in_(ids)])
    rows = conn.execute(select(shown).limit(500)).all()
    return sorted(_breaks(conn, rows), key=lambda b: (b.closed_us is not None, b.since_us, b.kind, b.field))


def break_counts(conn: Connection, where: Narrow = EVERYTHING) -> list[BreakCount]:
    """Return the open breaks by check and kind, the most first.

    Money counts each document once: one that differs in net, tax and gross is worth the largest of these, not their sum.
    """
    shown = break_rows(where.past, conditions(conn, where, BREAK)).c
    columns = (shown.check_name, shown.kind, shown.currency)
    document = (*columns, shown.subject_id, shown.entity)
    worth = func.max(func.abs(shown.money_minor)).label("worth")
    each = (
        select(*document, func.count().label("n"), worth)
        .where(shown.closed_us.is_(None))
        .group_by(*document)
        .subquery()
        .c
    )
    grouped = (each.check_name, each.kind, each.currency)
    statement = select(*grouped, func.sum(each.n).label("n"), func.sum(each.worth).label("money")).group_by(*grouped)
    counts: dict[tuple[str, str], tuple[int, dict[str, int]]] = {}
    for row in conn.execute(statement):
        count, money = counts.get((row.check_name, row.kind), (0, {}))
        if row.currency is not None and row.money is not None:
            money[row.currency] = int(row.money)
        counts[row.check_name, row.kind] = count + int(row.n), money
    found = [BreakCount(*key, *value) for key, value in counts.items()]
    return sorted(found, key=lambda c: (-c.count, c.check_name, c.kind))


def exceptions(
    conn: Connection,
    where: Narrow = EVERYTHING,
    *,
    open_only: bool = True,
    kind: str | None = None,
    limit: int = 100,
    after: str | None = None,
) -> Listing[Trouble]:
    """Return exceptions, the oldest first. A legal entity or customer is that of the document concerned."""
    inside = _exception_conditions(conn, where) + ([] if kind is None else [EXCEPTION.c.kind == kind])
    shown = exception_rows(where.past, inside)
    wanted = _stand(shown.c.closed_us, open_only)
    total = conn.execute(select(func.count()).select_from(shown).where(*wanted)).scalar_one()
    order = [shown.c.since_us, shown.c.fingerprint, shown.c.subject_id]
    if after is not None:
        wanted.append(beyond(order, decode(after, (int, str, int)), [False] * 3))
    statement = select(shown, STREAM.c.platform).join(STREAM, STREAM.c.id == shown.c.stream_id)
    rows = conn.execute(statement.where(*wanted).order_by(*order).limit(limit + 1)).all()
    return page(_troubles(conn, rows), limit, total, lambda t: (t.since_us, t.fingerprint, t.subject_id))


def exceptions_of(conn: Connection, record_ids: Iterable[int], past: Past | None = None) -> list[Trouble]:
    """Return every exception, open and closed, about one of these records."""
    ids = sorted(set(record_ids))
    shown = exception_rows(past, [EXCEPTION.c.document_id.in_(ids) | EXCEPTION.c.subject_id.in_(ids)])
    statement = select(shown, STREAM.c.platform).join(STREAM, STREAM.c.id == shown.c.stream_id)
    rows = conn.execute(statement.limit(500))
    return sorted(_troubles(conn, rows.all()), key=lambda t: (t.closed_us is not None, t.since_us, t.fingerprint))


def _exception_conditions(conn: Connection, where: Narrow) -> list[ColumnElement[bool]]:
    found: list[ColumnElement[bool]] = []
    if where.platform is not None:
        found.append(EXCEPTION.c.stream_id.in_(select(STREAM.c.id).where(STREAM.c.platform == where.platform)))
    documents = select(RECORD.c.id)
    if where.entity is not None:
        found.append(EXCEPTION.c.document_id.in_(documents.where(RECORD.c.entity == where.entity)))
    if where.customer_id is not None:
        of = documents.where(RECORD.c.customer_id.in_(customer_records(conn, where.customer_id)))
        found.append(EXCEPTION.c.document_id.in_(of))
    return found


def _stand(closed: ColumnElement[Any], open_only: bool) -> list[ColumnElement[bool]]:
    return [closed.is_(None)] if open_only else []


def _breaks(conn: Connection, rows: Sequence[Row[Any]]) -> list[Break]:
    known = heads(conn, (i for r in rows for i in (r.subject_id, r.counterpart_id) if i is not None))
    owners = customers(conn, (r.customer_id for r in rows if r.customer_id is not None))
    names = [n for n in Break.__slots__ if n not in ("subject", "counterpart", "customer")]
    return [
        Break(
            **{n: getattr(r, n) for n in names},
            subject=known.get(r.subject_id),
            counterpart=known.get(r.counterpart_id),
            customer=owners.get(r.customer_id),
        )
        for r in rows
    ]


def _troubles(conn: Connection, rows: Sequence[Row[Any]]) -> list[Trouble]:
    known = heads(conn, (r.document_id for r in rows if r.document_id is not None))
    names = [n for n in Trouble.__slots__ if n != "document"]
    return [Trouble(**{n: getattr(r, n) for n in names}, document=known.get(r.document_id)) for r in rows]
