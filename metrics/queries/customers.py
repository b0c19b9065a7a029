"""Who the customers are, under which ids each platform knows them, and what stands open for each.

Joined through the crosswalk when read, so a merge needs no rewriting. SLI figures of a customer come from the one
computation of SLIs, not from here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection, Row, Select, func, literal_column, select

from metrics.past import Past, break_rows, documents, existed
from metrics.tables import FlowInstance, table

from .heads import CROSSWALK, IS_CUSTOMER, RECORD, STREAM, Head, bodies, head_rows, heads, to_heads
from .narrow import Narrow, customer_records, sums
from .pages import Listing, beyond, decode, page

INSTANCE = table(FlowInstance)


@dataclass(frozen=True, slots=True)
class CustomerRow:
    """One customer in the list. Money at risk counts each document once, late and lost together, per currency."""

    id: int
    name: str
    segment: str | None
    platforms: tuple[str, ...]
    ids_count: int
    on_the_way: int
    stuck: int
    breaks: int
    at_risk: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class KnownAs:
    """One id a platform knows the customer by, in which legal entity and currency, and how that is known."""

    record: Head
    evidence: str
    attributes: Mapping[str, str | None]


@dataclass(frozen=True, slots=True)
class CustomerPage:
    """One customer: its ids on every platform, and how many documents of each kind and state there are."""

    id: int
    name: str
    segment: str | None
    known_as: list[KnownAs]
    documents: Mapping[tuple[str, str], int]


@dataclass(slots=True)
class _Sum:
    on_the_way: int = 0
    risk: dict[int, tuple[str | None, int | None]] = field(default_factory=dict)
    breaks: int = 0


def customers_list(
    conn: Connection,
    where: Narrow,
    *,
    text: str | None = None,
    trouble_only: bool = False,
    limit: int = 100,
    after: str | None = None,
) -> Listing[CustomerRow]:
    """Return customers, those with most stuck documents first, then by name."""
    found = [r for r in _all(conn, where) if _matches(r, text) and (not trouble_only or r.stuck or r.breaks)]
    found.sort(key=_order)
    total = len(found)
    if after is not None:
        last = tuple(decode(after, (int, int, str, int)))
        found = [r for r in found if _order(r) > last]
    return page(found[: limit + 1], limit, total, _order)


def _order(row: CustomerRow) -> tuple[int, int, str, int]:
    return -row.stuck, -row.breaks, row.name.casefold(), row.id


def _matches(row: CustomerRow, text: str | None) -> bool:
    return text is None or text.casefold() in row.name.casefold()


_OWNER = func.coalesce(CROSSWALK.c.customer_id, RECORD.c.id).label("owner")


def _all(conn: Connection, where: Narrow) -> list[CustomerRow]:
    members = _members(conn, where.past)
    totals = _totals(conn, {r.id: owner for owner, held in members.items() for r in held}, where.past)
    found = [(_row(owner, held, totals.get(owner, _Sum())), held) for owner, held in members.items()]
    return [row for row, held in found if _wanted(row, held, where)]


def customers_named(conn: Connection, text: str, past: Past | None = None) -> list[tuple[int, str]]:
    """Return identity and name of the customers whose name contains a text."""
    wanted, found = text.casefold(), ((owner, _name(owner, held)) for owner, held in _members(conn, past).items())
    return [(owner, name) for owner, name in found if wanted in name.casefold()]


def _members(conn: Connection, past: Past | None) -> dict[int, list[Any]]:
    """Return the platforms' customer records of each customer."""
    joined = RECORD.join(STREAM, STREAM.c.id == RECORD.c.stream_id).outerjoin(
        CROSSWALK, CROSSWALK.c.record_id == RECORD.c.id
    )
    columns = (
        RECORD.c.id,
        _OWNER,
        RECORD.c.name,
        RECORD.c.segment,
        RECORD.c.entity,
        RECORD.c.external_id,
        STREAM.c.platform,
    )
    gone = RECORD.c.deleted_us.is_(None)
    here = [gone] if past is None else [gone | (RECORD.c.deleted_us > past.at_us)]
    alive = [IS_CUSTOMER, *here, *existed(past, RECORD)]
    members: dict[int, list[Any]] = {}
    for row in sorted(conn.execute(select(*columns).select_from(joined).where(*alive)), key=lambda r: r.id):
        members.setdefault(row.owner, []).append(row)
    return members


def _wanted(row: CustomerRow, records: list[Any], where: Narrow) -> bool:
    return (
        (where.platform is None or where.platform in row.platforms)
        and (where.entity is None or any(r.entity == where.entity for r in records))
        and (where.segment is None or row.segment == where.segment)
        and (where.customer_id is None or where.customer_id in (row.id, *(r.id for r in records)))
    )


def _row(owner: int, records: list[Any], total: _Sum) -> CustomerRow:
    return CustomerRow(
        id=owner,
        name=_name(owner, records),
        segment=next((r.segment for r in _speakers(owner, records) if r.segment), None),
        platforms=tuple(sorted({r.platform for r in records})),
        ids_count=len(records),
        on_the_way=total.on_the_way,
        stuck=len(total.risk),
        breaks=total.breaks,
        at_risk=sums(total.risk.values()),
    )


def _speakers(owner: int, records: list[Any]) -> list[Any]:
    # The record that stands for the customer speaks for it; else the first that tells.
    return sorted(records, key=lambda r: (r.id != owner, r.platform))


def _name(owner: int, records: list[Any]) -> str:
    told = _speakers(owner, records)
    return str(next((r.name for r in told if r.name), told[0].external_id))


def _totals(conn: Connection, owner: Mapping[int, int], past: Past | None) -> dict[int, _Sum]:
    totals: dict[int, _Sum] = {}
    columns = ("anchor_id", "customer_id", "state", "currency", "risk_minor")
    then = documents(past, [INSTANCE.c.customer_id.is_not(None)])
    statement = select(*(then.instance[n] for n in columns)).select_from(then.source)
    unfinished = then.instance["state"].in_([literal_column(f"'{state}'") for state in ("late", "lost", "open")])
    for row in conn.execute(statement.where(unfinished, *then.where)):
        total = totals.setdefault(owner.get(row.customer_id, row.customer_id), _Sum())
        if row.state == "open":
            total.on_the_way += 1
        elif row.risk_minor is not None or row.anchor_id not in total.risk:
            # One document can be late on two flows: its larger part counts, once.
            former = total.risk.get(row.anchor_id, (None, None))[1]
            total.risk[row.anchor_id] = (row.currency, max(row.risk_minor or 0, former or 0))
    broken = break_rows(past).c
    counts = select(broken.customer_id, func.count().label("n")).where(broken.closed_us.is_(None))
    for row in conn.execute(counts.group_by(broken.customer_id)):
        if row.customer_id is not None:
            totals.setdefault(owner.get(row.customer_id, row.customer_id), _Sum()).breaks += row.n
    return totals


def customer_page(conn: Connection, customer_id: int, past: Past | None = None) -> CustomerPage | None:
    """Return one customer by the identity the list gives, None when no such customer record was ever seen."""
    ids = customer_records(conn, customer_id)
    known = heads(conn, ids, past)
    if not known:
        return None
    shown = bodies(conn, known)
    evidence = {r.record_id: r.evidence for r in conn.execute(select(CROSSWALK).where(CROSSWALK.c.record_id.in_(ids)))}
    names = [KnownAs(h, evidence.get(i, "self"), shown[i].attributes if i in shown else {}) for i, h in known.items()]
    names.sort(key=lambda k: (k.record.platform, k.record.external_id))
    first = known.get(customer_id) or next(iter(known.values()))
    segment = next((k.attributes["segment"] for k in names if k.attributes.get("segment")), None)
    return CustomerPage(customer_id, first.customer_name or first.label, segment, names, _kinds(conn, ids, past))


def _kinds(conn: Connection, ids: list[int], past: Past | None) -> dict[tuple[str, str], int]:
    statement = select(RECORD.c.kind, RECORD.c.state, func.count().label("n")).where(
        RECORD.c.customer_id.in_(ids), *existed(past, RECORD)
    )
    counted = conn.execute(statement.group_by(RECORD.c.kind, RECORD.c.state))
    return {(r.kind, r.state or "unknown"): r.n for r in counted if r.kind != "customer"}


def documents_of(
    conn: Connection,
    customer_id: int,
    *,
    kind: str | None = None,
    state: str | None = None,
    past: Past | None = None,
    limit: int = 100,
    after: str | None = None,
) -> Listing[Head]:
    """Return the customer's documents on all platforms, the newest first."""
    wanted = [RECORD.c.customer_id.in_(customer_records(conn, customer_id)), RECORD.c.kind != "customer"]
    wanted += existed(past, RECORD)
    wanted += [] if kind is None else [RECORD.c.kind == kind]
    wanted += [] if state is None else [RECORD.c.state.is_(None) if state == "unknown" else RECORD.c.state == state]
    total = conn.execute(select(func.count()).select_from(RECORD).where(*wanted)).scalar_one()
    stamp = func.coalesce(RECORD.c.created_us, RECORD.c.first_observed_us)
    if after is not None:
        wanted.append(beyond([stamp, RECORD.c.id], decode(after, (int, int)), [True, False]))
    statement: Select[Any] = head_rows().where(*wanted).order_by(stamp.desc(), RECORD.c.id).limit(limit + 1)
    held: list[Row[Any]] = list(conn.execute(statement))
    return page(
        to_heads(conn, held),
        limit,
        total,
        lambda h: (h.created_us if h.created_us is not None else h.first_observed_us, h.id),
    )
