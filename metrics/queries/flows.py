"""How many documents reached each step of a flow, which wait or are late, and how long each hop took.

Reads flow instances and their steps. What a state means is decided where they are judged; nothing is judged here.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from sqlalchemy import ColumnElement, Connection, Row, case, func, select

from metrics.past import KEY, Past, Steps, documents, steps
from metrics.tables import FlowInstance, FlowStep, table

from .distinct import distinct
from .heads import Head, chunks, heads
from .narrow import EVERYTHING, Narrow, conditions, sums
from .pages import Listing, beyond, decode, page

INSTANCE, STEP = table(FlowInstance), table(FlowStep)
STUCK = ("late", "lost")
_URGENCY = {"lost": 0, "late": 1, "blind": 2, "open": 3}


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
    then = documents(where.past, _begun(conn, None, where, from_us, to_us))
    by = (then.instance["flow"], then.instance["state"])
    found: dict[str, dict[str, int]] = {}
    counted = select(*by, func.count().label("n")).select_from(then.source).where(*then.where)
    for row in conn.execute(counted.group_by(*by)):
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
    then = steps(where.past, _begun(conn, flow, where, from_us, to_us))
    by = (then.step["step"], then.step["state"], then.instance["currency"])
    money = func.sum(func.coalesce(then.instance["risk_minor"], 0)).label("money")
    statement = select(*by, func.count().label("n"), money).select_from(then.source)
    held = conn.execute(statement.where(*then.where, _watched(then)).group_by(*by)).all()
    return [_funnel_step(name, [r for r in held if r.step == name]) for name in order]


def _funnel_step(name: str, held: Sequence[Row[Any]]) -> FunnelStep:
    counts: dict[str, int] = {}
    for row in held:
        counts[row.state] = counts.get(row.state, 0) + row.n
    money = {state: sums((r.currency, int(r.money)) for r in held if r.state == state) for state in counts}
    return FunnelStep(name, counts, money)


def _begun(
    conn: Connection, flow: str | None, where: Narrow, from_us: int | None, to_us: int | None
) -> list[ColumnElement[bool]]:
    wanted = [*conditions(conn, where, INSTANCE), *started(from_us, to_us)]
    return wanted if flow is None else [INSTANCE.c.flow == flow, *wanted]


def _watched(then: Steps) -> ColumnElement[bool]:
    # Opening balance and excluded documents are on no way that could be late.
    return then.instance["state"].not_in(("opening", "excluded"))


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
    begun = _begun(conn, flow, where, from_us, to_us)
    then = documents(where.past, begun) if step is None else steps(where.past, begun)
    shown, source, wanted = then.instance, then.source, list(then.where)
    if isinstance(then, Steps):
        wanted += [then.step["step"] == step, _watched(then)]
        wanted += [then.step["state"] == step_state] if step_state else []
    wanted += [shown["state"].in_(state)] if state else []
    statement = select(*shown.values()).select_from(source)
    total = conn.execute(select(func.count()).select_from(statement.where(*wanted).subquery())).scalar_one()
    urgency = case(_URGENCY, value=shown["state"], else_=len(_URGENCY))
    order = [urgency, func.coalesce(shown["due_us"], 0), *(shown[n] for n in KEY)]
    if after is not None:
        wanted.append(beyond(order, decode(after, (int, int, str, int, int, str)), [False] * 6))
    held = conn.execute(statement.where(*wanted).order_by(*order).limit(limit + 1)).all()
    return page(_instances(conn, held), limit, total, _sort)


def _sort(i: Instance) -> tuple[int, int, str, int, int, str]:
    return _URGENCY.get(i.state, len(_URGENCY)), i.due_us or 0, i.flow, i.anchor_id, i.revision, i.entity


def instances_of(
    conn: Connection, record_ids: Iterable[int], past: Past | None = None
) -> list[tuple[Instance, list[Step]]]:
    """Return the instances in which one of these records is the anchor or did a step, each with all its steps."""
    ids = set(record_ids)
    done = [r for b in chunks(ids) for r in conn.execute(select(STEP.c.anchor_id).where(STEP.c.record_id.in_(b)))]
    flows = distinct(conn, INSTANCE.c.flow)  # flow by flow these rows are found by their key; without, all are read
    held: list[Row[Any]] = []
    did: dict[tuple[Any, ...], list[Step]] = {}
    for batch in chunks(sorted(ids | {r.anchor_id for r in done})):
        of = [INSTANCE.c.flow.in_(flows), INSTANCE.c.anchor_id.in_(batch)]
        whole, parts = documents(past, of), steps(past, of)
        held += conn.execute(select(*whole.instance.values()).select_from(whole.source).where(*whole.where))
        told = select(*parts.step.values()).select_from(parts.source).where(*parts.where)
        for row in conn.execute(told.order_by(parts.step["step"])):
            did.setdefault(_key(row), []).append(to_step(row))
    found = [i for i in _instances(conn, held) if i.anchor_id in ids or _did(did.get(_key(i), ()), ids)]
    return [(i, did.get(_key(i), [])) for i in sorted(found, key=_key)]


def _did(steps: Iterable[Step], ids: set[int]) -> bool:
    return any(s.record_id in ids for s in steps)


def _key(row: Any) -> tuple[Any, ...]:
    return tuple(getattr(row, k) for k in KEY)


def to_step(row: Row[Any]) -> Step:
    """Return a row of the steps table as a step."""
    return Step(**{name: getattr(row, name) for name in Step.__slots__ if name != "count"}, count=row._mapping["count"])


def _instances(conn: Connection, held: Sequence[Row[Any]]) -> list[Instance]:
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
    then = steps(where.past, _begun(conn, flow, where, from_us, to_us))
    columns = (*(then.step[n] for n in ("step", "elapsed_us", "state")), then.instance["started_us"])
    statement = select(*columns).select_from(then.source)
    groups: dict[tuple[str, int | None], list[Any]] = {}
    for row in conn.execute(statement.where(*then.where, _watched(then))):
        bucket = None if bucket_us is None or row.started_us is None else row.started_us // bucket_us * bucket_us
        groups.setdefault((row.step, bucket), []).append(row)
    found = [_hop(name, bucket, held) for (name, bucket), held in groups.items() if name in order]
    return sorted(found, key=lambda h: (order.index(h.step), h.bucket_us or 0))


def _hop(step: str, bucket_us: int | None, held: Sequence[Any]) -> Hop:
    took = [r.elapsed_us for r in held if r.elapsed_us is not None]
    waiting = sum(r.elapsed_us is None and r.state in ("waiting", "confirming", *STUCK, "blind") for r in held)
    p50, p95, p99 = (round(v) for v in np.percentile(took, [50, 95, 99])) if took else (None, None, None)
    return Hop(step, bucket_us, len(took), waiting, p50, p95, p99)
