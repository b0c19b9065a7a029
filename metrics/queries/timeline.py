"""What happened to a document across all platforms, in one order, with what was due when and how late it came.

A pure merge of milestones, first observations and steps. It reads no database and judges nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from .flows import Instance, Step
from .heads import Head
from .history import Happening

DAY_US = 86_400_000_000
OBSERVED = "state:"
PARTS = ("opportunity_line", "opportunity_change")
OBSERVED = "state:"
ON_THE_WAY = ("waiting", "confirming", "late", "lost", "blind")


@dataclass(frozen=True, slots=True)
class Moment:
    """One point of the timeline.

    `how`: `stamp` the platform's own instant, `day` a business date, `between polls` seen changed, `deadline` a step that has
    not happened. `state`: fact | done | late | lost | waiting | blind. `late_us` is how far after (or, negative, before) its
    deadline it came; None where nothing was due.
    """

    at_us: int
    latest_us: int
    platform: str | None
    kind: str | None
    label: str
    what: str
    how: str
    state: str
    due_us: int | None
    late_us: int | None
    record: Head | None


def timeline(
    records: Mapping[int, Head],
    happened: Iterable[Happening],
    flows: Sequence[tuple[Instance, Sequence[Step]]],
    now_us: int,
) -> list[Moment]:
    """Return every moment in order: what happened first, then at the same instant what was due."""
    done = {(s.record_id, s.latest_us): s for _, steps in flows for s in steps if s.latest_us is not None}
    moments = [_moment(h, records[h.record_id], done.get((h.record_id, h.latest_us))) for h in _once(happened, records)]
    moments += [m for i, steps in flows for s in steps if (m := _due(i, s, records, now_us))]
    return sorted(moments, key=lambda m: (m.latest_us, m.how == "deadline", m.platform or "", m.label, m.what))


def _once(happened: Iterable[Happening], records: Mapping[int, Head]) -> list[Happening]:
    # A state seen changed says the same as the platform's own stamp for it, less exactly: show it only where it adds.
    # A state that a record already had when first seen did not happen then; lines and change rows are no news of their own.
    rows = [h for h in happened if not (h.name == "created" and records[h.record_id].kind in PARTS)]
    named = {(h.record_id, h.name) for h in rows}
    ends = {(h.record_id, h.latest_us) for h in rows if not h.name.startswith(OBSERVED)}
    kept = [h for h in rows if not h.name.startswith(OBSERVED)]
    for h in rows:
        told = (h.record_id, h.name.removeprefix(OBSERVED)) in named or (h.record_id, h.latest_us) in ends
        found = h.latest_us == records[h.record_id].first_observed_us
        if h.name.startswith(OBSERVED) and not told and not found:
            kept.append(h)
    return kept


def _moment(happening: Happening, record: Head, step: Step | None) -> Moment:
    late = None if step is None or step.due_us is None else happening.latest_us - step.due_us
    return Moment(
        happening.earliest_us,
        happening.latest_us,
        record.platform,
        record.kind,
        record.label,
        happening.name.removeprefix(OBSERVED),
        _how(happening),
        "fact" if step is None else step.state,
        step.due_us if step else None,
        late,
        record,
    )


def _how(happening: Happening) -> str:
    width = happening.latest_us - happening.earliest_us
    if width == 0:
        return "stamp"
    return "between polls" if happening.name.startswith(OBSERVED) else "day" if width >= DAY_US * 9 // 10 else "stamp"


def _due(instance: Instance, step: Step, records: Mapping[int, Head], now_us: int) -> Moment | None:
    if step.due_us is None or step.state not in ON_THE_WAY or step.latest_us is not None:
        return None
    anchor = instance.anchor
    return Moment(
        step.due_us,
        step.due_us,
        None,
        None,
        anchor.label if anchor else "",
        step.step,
        "deadline",
        step.state,
        step.due_us,
        max(now_us - step.due_us, 0) if step.state in ("late", "lost") else None,
        records.get(step.record_id) if step.record_id is not None else anchor,
    )
