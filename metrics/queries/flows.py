"""How many documents reached each step of a flow, which wait or are late, and how long each hop took.

Reads flow instances and their steps. What a state means is decided where they are judged; nothing is judged here.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from sqlalchemy import ColumnElement, Connection, Row, and_, case, func, select

from metrics.tables import FlowInstance, FlowStep, table

from .heads import Head, chunks, heads
from .narrow import EVERYTHING, Narrow, conditions, sums
from .pages import Listing, beyond, decode, page

INSTANCE, STEP = table(FlowInstance), table(FlowStep)
STUCK = ("late", "lost")
_URGENCY = {"lost": 0, "late": 1, "blind": 2, "open": 3}
_KEY = ("flow", "anchor_id", "revision", "entity")


@dataclass(frozen=True, slots=True)
class Instance:
    """One revision of one anchor document on its way. Units: `*_minor` of `currency`. Time: `*_us`."""

    flow: str
    anchor_id: int
    revision: int
    entity: str
    state: str
    reason: str | None
    step: str
    started_us: int | None
    due_us: int | None
    completed_us: int | None
    money_minor: int | None
    risk_minor: int | None
    currency: str | None
    anchor: Head | None


@dataclass(frozen=True, slots=True)
class Step:
    """What one step of an instance shows; `record_id` is the record that did it."""

    flow: str
    anchor_id: int
    revision: int
    entity: str
    step: str
    state: str
    reason: str | None
    earliest_us: int | None
    latest_us: int | None
    due_us: int | None
    elapsed_us: int | None
    record_id: int | None
    count: int
    amount_minor: int | None


@dataclass(frozen=True, slots=True)
class FunnelStep:
    """How the documents of a flow stand at one step: `counts` and money at risk per step state."""

    step: str
    counts: Mapping[str, int]
    money: Mapping[str, Mapping[str, int]]


@dataclass(frozen=True, slots=True)
class Hop:
    """How long documents took to reach a step, in one span of time. Units: microseconds, signed."""

    step: str
    bucket_us: int | None
    done_count: int
    waiting_count: int
    p50_us: int | None
    p95_us: int | None
    p99_us: int | None


def started(from_us: int | None, to_us: int | None) -> list[ColumnElement[bool]]:
    """Return the conditions "started in [from, to)"; an open end is None."""
    found = [] if from_us is None else [INSTANCE.c.started_us >= from_us]
    return found if to_us is None else [*found, INSTANCE.c.started_us < to_us]


def states(
    conn: Connection, where: Narrow = EVERYTHING, from_us: int | None = None, to_us: int | None = None
) -> dict[str, dict[str, int]]:
    """Return for each flow how many instances are in each state."""
    statement = select(INSTANCE.c.flow, INSTANCE.c.state, func.count().label("n"))
    statement = statement.where(*conditions(conn, where, INSTANCE), *started(from_us, to_us))
    found: dict[str, dict[str, int]] = {}
    for row in conn.execute(statement.group_by(INSTANCE.c.flow, INSTANCE.c.state)):
        found.setdefault(row.flow, {})[row.state] = row.n
    return found


def funnel(
    conn: Connection,
    flow: str,
    order: Sequence[str],
    where: Narrow = EVERYTHING,
    from_us: int | None = None,
    to_us: int | None = None,
) -> list[FunnelStep]:
    """Return the steps in the given order with how many documents stand in each state, and their money at risk."""
    statement = (
        select(
            STEP.c.step,
            STEP.c.state,
            INSTANCE.c.currency,
            func.count().label("n"),
            func.sum(func.coalesce(INSTANCE.c.risk_minor, 0)).label("money"),
        )
        .join(INSTANCE, _same())
        .where(INSTANCE.c.flow == flow, *conditions(conn, where, INSTANCE), *started(from_us, to_us), _watched())
        .group_by(STEP.c.step, STEP.c.state, INSTANCE.c.currency)
    )
    rows = conn.execute(statement).all()
    return [_funnel_step(name, [r for r in rows if r.step == name]) for name in order]


def _funnel_step(name: str, rows: Sequence[Row[Any]]) -> FunnelStep:
    counts: dict[str, int] = {}
    for row in rows:
        counts[row.state] = counts.get(row.state, 0) + row.n
    money = {state: sums((r.currency, int(r.money)) for r in rows if r.state == state) for state in counts}
    return FunnelStep(name, counts, money)


def _same() -> ColumnElement[bool]:
    return and_(*(STEP.c[k] == INSTANCE.c[k] for k in _KEY))


def _watched() -> ColumnElement[bool]:
    # Opening balance and excluded documents are on no way that could be late.
    return INSTANCE.c.state.not_in(("opening", "excluded"))


def instances(
    conn: Connection,
    flow: str | None = None,
    *,
    state: Sequence[str] = (),
    step: str | None = None,
    step_state: str | None = None,
    where: Narrow = EVERYTHING,
    from_us: int | None = None,
    to_us: int | None = None,
    limit: int = 100,
    after: str | None = None,
) -> Listing[Instance]:
    """Return instances, the most urgent first. With `step` and `step_state`: those that the funnel counts there."""
    wanted = [*conditions(conn, where, INSTANCE), *started(from_us, to_us)]
    wanted += [] if flow is None else [INSTANCE.c.flow == flow]
    wanted += [INSTANCE.c.state.in_(state)] if state else []
    statement = select(INSTANCE)
    if step is not None:
        statement = statement.join(STEP, _same())
        wanted += [STEP.c.step == step, _watched()] + ([STEP.c.state == step_state] if step_state else [])
    total = conn.execute(select(func.count()).select_from(statement.where(*wanted).subquery())).scalar_one()
    urgency = case(_URGENCY, value=INSTANCE.c.state, else_=len(_URGENCY))
    due = func.coalesce(INSTANCE.c.due_us, 0)
    order = [urgency, due, INSTANCE.c.flow, INSTANCE.c.anchor_id, INSTANCE.c.revision, INSTANCE.c.entity]
    if after is not None:
        wanted.append(beyond(order, decode(after, (int, int, str, int, int, str)), [False] * 6))
    rows = conn.execute(statement.where(*wanted).order_by(*order).limit(limit + 1)).all()
    return page(_instances(conn, rows), limit, total, _sort)


def _sort(i: Instance) -> tuple[int, int, str, int, int, str]:
    return _URGENCY.get(i.state, len(_URGENCY)), i.due_us or 0, i.flow, i.anchor_id, i.revision, i.entity


def instances_of(conn: Connection, record_id: int) -> list[tuple[Instance, list[Step]]]:
    """Return the instances in which a record is the anchor or did a step, each with all its steps."""
    keys = {
        tuple(r) for r in conn.execute(select(*(INSTANCE.c[k] for k in _KEY)).where(INSTANCE.c.anchor_id == record_id))
    }
    keys |= {tuple(r) for r in conn.execute(select(*(STEP.c[k] for k in _KEY)).where(STEP.c.record_id == record_id))}
    anchors = {k[1] for k in keys}
    rows = [r for b in chunks(anchors) for r in conn.execute(select(INSTANCE).where(INSTANCE.c.anchor_id.in_(b)))]
    steps = [r for b in chunks(anchors) for r in conn.execute(select(STEP).where(STEP.c.anchor_id.in_(b)))]
    found = [i for i in _instances(conn, rows) if _key(i) in keys]
    return [(i, [to_step(s) for s in steps if _key(s) == _key(i)]) for i in sorted(found, key=_key)]


def _key(row: Any) -> tuple[Any, ...]:
    return tuple(getattr(row, k) for k in _KEY)


def to_step(row: Row[Any]) -> Step:
    """Return a row of the steps table as a step."""
    return Step(**{name: getattr(row, name) for name in Step.__slots__ if name != "count"}, count=row._mapping["count"])


def _instances(conn: Connection, rows: Iterable[Row[Any]]) -> list[Instance]:
    held = list(rows)
    known = heads(conn, (r.anchor_id for r in held))
    names = [n for n in Instance.__slots__ if n != "anchor"]
    return [Instance(**{n: getattr(r, n) for n in names}, anchor=known.get(r.anchor_id)) for r in held]


def hops(
    conn: Connection,
    flow: str,
    order: Sequence[str],
    where: Narrow = EVERYTHING,
    from_us: int | None = None,
    to_us: int | None = None,
    bucket_us: int | None = None,
) -> list[Hop]:
    """Return percentiles of the time to each step, over the whole span or per bucket of the start.

    Linear interpolation over completed documents; those still on their way are counted beside them.
    """
    statement = (
        select(STEP.c.step, STEP.c.elapsed_us, STEP.c.state, INSTANCE.c.started_us)
        .join(INSTANCE, _same())
        .where(INSTANCE.c.flow == flow, *conditions(conn, where, INSTANCE), *started(from_us, to_us), _watched())
    )
    groups: dict[tuple[str, int | None], list[Any]] = {}
    for row in conn.execute(statement):
        bucket = None if bucket_us is None or row.started_us is None else row.started_us // bucket_us * bucket_us
        groups.setdefault((row.step, bucket), []).append(row)
    found = [_hop(step, bucket, rows) for (step, bucket), rows in groups.items() if step in order]
    return sorted(found, key=lambda h: (order.index(h.step), h.bucket_us or 0))


def _hop(step: str, bucket_us: int | None, rows: Sequence[Any]) -> Hop:
    took = [r.elapsed_us for r in rows if r.elapsed_us is not None]
    waiting = sum(r.elapsed_us is None and r.state in ("waiting", "confirming", *STUCK, "blind") for r in rows)
    p50, p95, p99 = (round(v) for v in np.percentile(took, [50, 95, 99])) if took else (None, None, None)
    return Hop(step, bucket_us, len(took), waiting, p50, p95, p99)
