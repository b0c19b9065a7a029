"""How long each customer's counterpart on a platform has been right: state intervals from the versions of both sides.

Good while a counterpart exists within cardinality and every governed attribute equals the authority's after normalisation, or
that value changed less than grace ago. The same versions give the same intervals, whenever asked for.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from sqlalchemy import Connection, text

from probes.clock import FOREVER

from .arrays import NONE, Array
from .dated import dated
from .deadline import due_at
from .definitions import Flow, Sli, Step
from .gather import Frames
from .intake import load_versions
from .projection import Version
from .subjects import subjects
from .tables import StateInterval, table
from .verdicts import Context, Verdicts
from .writing import insert_frame

INTERVAL = table(StateInterval)
_SHARED = re.compile(r"[^0-9a-z]+")
_CODES = frozenset({"tax_id", "postal_code"})


class Interval(NamedTuple):
    """A stretch of one outcome; `to_us` FOREVER while it lasts."""

    from_us: int
    to_us: int
    outcome: str
    reason: str
    counterpart_id: int
    field: str


@dataclass(frozen=True)
class Counterpart:
    """A record on the target platform with its versions, oldest first."""

    record_id: int
    scope: tuple[str, str]
    versions: list[Version]


def normalise(field: str, value: str | None) -> str | None:
    """Return what is compared of an attribute: codes without punctuation, words without case and doubled spaces."""
    if value is None or not value.strip():
        return None
    folded = value.casefold()
    return _SHARED.sub("", folded) if field in _CODES else " ".join(_SHARED.sub(" ", folded).split())


def timeline(
    start_us: int, due_us: int, authority: Sequence[Version], found: Sequence[Counterpart], fields: Sequence[str], grace_us: int,
    watermark_us: int,
) -> tuple[list[Interval], int]:  # fmt: skip
    """Return the intervals of one customer on one platform up to the watermark, and the next instant that can change them."""
    moments = {start_us, due_us}
    for versions in (authority, *(c.versions for c in found)):
        for version in versions:
            moments |= {version.order_us, version.order_us + grace_us}
    for counterpart in found:
        moments.add(_born(counterpart))
    ahead = [m for m in moments if m > watermark_us]
    passed = sorted(m for m in moments if start_us <= m <= watermark_us)
    intervals: list[Interval] = []
    for at in passed:
        state = _state_at(at, due_us, authority, found, fields, grace_us)
        if intervals and intervals[-1][2:] == state:
            continue
        if intervals:
            intervals[-1] = intervals[-1]._replace(to_us=at)
        intervals.append(Interval(at, FOREVER, *state))
    return intervals, min(ahead, default=FOREVER)


def _state_at(
    at: int,
    due_us: int,
    authority: Sequence[Version],
    found: Sequence[Counterpart],
    fields: Sequence[str],
    grace_us: int,
) -> tuple[str, str, int, str]:
    there = [c for c in found if _born(c) <= at and not _as_of(c.versions, at).record.deleted]
    if not there:
        return ("pending", "new", NONE, "") if at < due_us else ("bad", "missing", NONE, "")
    scopes = [c.scope for c in there]
    if len(set(scopes)) < len(scopes):
        return "bad", "duplicate", there[-1].record_id, ""
    worst: tuple[str, str, int, str] = ("good", "agrees", there[0].record_id, "")
    for counterpart in there:
        for field in fields:
            own, changed = _value_at(authority, field, at)
            other, _ = _value_at(counterpart.versions, field, at)
            if own is None or other is None or own == other:
                continue
            if at >= changed + grace_us:
                return "bad", "differs", counterpart.record_id, field
            worst = ("pending", "grace", counterpart.record_id, field) if worst[0] == "good" else worst
    return worst


def _born(counterpart: Counterpart) -> int:
    first = counterpart.versions[0]
    return first.record.created_us if first.record.created_us is not None else first.order_us


def _as_of(versions: Sequence[Version], at: int) -> Version:
    """Return the version in force at an instant; the first speaks for the time before it."""
    current = versions[0]
    for version in versions:
        if version.order_us > at:
            break
        current = version
    return current


def _value_at(versions: Sequence[Version], field: str, at: int) -> tuple[str | None, int]:
    """Return the normalised value in force and when it came to be so; None before the first version, which says nothing of then."""
    if at < versions[0].order_us:
        return None, versions[0].order_us
    current, since = normalise(field, versions[0].record.attributes.get(field)), versions[0].order_us
    for version in versions[1:]:
        if version.order_us > at:
            break
        value = normalise(field, version.record.attributes.get(field))
        if value != current:
            current, since = value, version.order_us
    return current, since


def judge_states(
    conn: Connection,
    flow: Flow,
    slis: Sequence[Sli],
    frames: Frames,
    context: Context,
    verdicts: Verdicts,
    *,
    fresh: bool,
) -> Verdicts:
    """Write the state intervals of these customers; return the verdicts with their breaks and waits added."""
    s = subjects(flow, frames, context.active)
    s = s[(s["test"] == 0) & s["exempt"].isna() & (s["deleted_us"] == FOREVER)]
    known = load_versions(conn, sorted({*s["anchor_id"].tolist(), *_counterpart_ids(flow, frames)}))
    ordered = {rid: dated(versions) for rid, versions in known.items()}
    waits: dict[tuple[int, str], int] = {}
    breaks: list[dict[str, object]] = []
    for sli in slis:
        rows = []
        for step in flow.steps:
            if step.path:
                rows += list(_step_intervals(sli, step, s, frames, context, ordered, waits, breaks, flow))
        if not fresh:
            conn.execute(
                text("DELETE FROM state_interval WHERE sli = :sli AND subject_id IN (SELECT id FROM subject)"),
                {"sli": sli.name},
            )
        insert_frame(conn, INTERVAL, pd.DataFrame(rows, columns=_INTERVAL_COLUMNS).astype(_INTERVAL_TYPES))
    return _with(verdicts, waits, breaks)


_INTERVAL_COLUMNS = ["sli", "subject_id", "target", "from_us", "to_us", "outcome", "reason", "counterpart_id"]
_INTERVAL_TYPES = {"subject_id": np.int64, "from_us": np.int64, "to_us": np.int64, "counterpart_id": np.int64}


def _counterpart_ids(flow: Flow, frames: Frames) -> set[int]:
    return {rid for step in flow.steps if step.path for rid in frames.steps[step.name]["id"].tolist()}


def _step_intervals(
    sli: Sli, step: Step, s: pd.DataFrame, frames: Frames, context: Context, ordered: dict[int, list[Version]],
    waits: dict[tuple[int, str], int], breaks: list[dict[str, object]], flow: Flow,
) -> Iterable[tuple[object, ...]]:  # fmt: skip
    rows = frames.steps[step.name]
    by_subject: dict[int, list[Counterpart]] = defaultdict(list)
    for subject, rid, entity in _listed(rows, "subject", "id", "entity"):
        last = ordered[rid][-1].record
        scope = (entity, last.currency or last.attributes.get("currency") or "")
        by_subject[subject].append(Counterpart(rid, scope, ordered[rid]))
    sight = context.sights[step.name]
    fields = [a.field for a in step.agree]
    dues = _dues(flow, step, s, context)
    for (anchor, start, entity), due in zip(_listed(s, "anchor_id", "start_us", "entity"), dues, strict=True):
        found = sorted(by_subject.get(anchor, []), key=lambda c: (_born(c), c.record_id))
        intervals, wait = timeline(start, due, ordered[anchor], found, fields, sli.grace, sight.watermark_us)
        waits[anchor, step.name] = wait
        for i in intervals:
            yield sli.name, anchor, step.name, i.from_us, i.to_us, i.outcome, i.reason, i.counterpart_id
        if intervals and intervals[-1].outcome == "bad" and intervals[-1].reason != "missing":
            breaks.append(_break(flow, step, anchor, entity, intervals[-1], ordered))


def _dues(flow: Flow, step: Step, s: pd.DataFrame, context: Context) -> list[int]:
    """Return until when each customer may still be new on the target platform."""
    starts: Array = s["start_us"].to_numpy()
    if step.within is not None:
        starts = due_at(step.within, starts, s["entity"].to_numpy(), context.schedules, flow.role(step))
    return [int(at) for at in starts.tolist()]


def _listed(frame: pd.DataFrame, *columns: str) -> Iterable[tuple[Any, ...]]:
    return zip(*(frame[c].tolist() for c in columns), strict=True)


def _break(
    flow: Flow, step: Step, anchor: int, entity: str, last: Interval, ordered: dict[int, list[Version]]
) -> dict[str, object]:
    def value(rid: int) -> str | None:
        return ordered[rid][-1].record.attributes.get(last.field) if last.field else None

    return {
        "check_name": f"{flow.name}.{step.name}",
        "subject_id": anchor,
        "revision": 1,
        "entity": entity,
        "kind": "duplicate" if last.reason == "duplicate" else "attribute_differs",
        "field": last.field,
        "counterpart_id": last.counterpart_id,
        "customer_id": anchor,
        "expected": value(anchor),
        "actual": value(last.counterpart_id),
        "money_minor": NONE,
        "currency": None,
        "since_us": last.from_us,
        "closed_us": FOREVER,
    }


def _with(verdicts: Verdicts, waits: dict[tuple[int, str], int], breaks: list[dict[str, object]]) -> Verdicts:
    steps = verdicts.steps
    extra = [
        waits.get((a, n), FOREVER) for a, n in zip(steps["anchor_id"].tolist(), steps["step"].tolist(), strict=True)
    ]
    steps = steps.assign(wait_us=np.minimum(steps["wait_us"].to_numpy(), np.array(extra, dtype=np.int64)))
    if not breaks:
        return Verdicts(verdicts.instances, steps, verdicts.events, verdicts.breaks)
    types = {"counterpart_id": np.int64, "money_minor": np.int64, "since_us": np.int64, "closed_us": np.int64}
    found = pd.DataFrame(breaks).astype(types)
    both = pd.concat([verdicts.breaks, found], ignore_index=True) if len(verdicts.breaks) else found
    return Verdicts(verdicts.instances, steps, verdicts.events, both)
