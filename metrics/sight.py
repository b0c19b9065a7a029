"""What could be seen when a flow is judged: watermarks, legal entities ever shown, direct reads, and the watch start."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

import numpy as np
from sqlalchemy import Connection, select

from probes.clock import FOREVER

from .arrays import NONE
from .deciding import Runs, Sight
from .definitions import Flow, Model, Step
from .gather import Streams
from .tables import Lookup, PollRun, Scope, StreamRow, table

STREAM, SCOPE, LOOKUP, RUN = table(StreamRow), table(Scope), table(Lookup), table(PollRun)


class View:
    """The state of all streams, read once per judging; `runs` are read when a correction is possible."""

    def __init__(self, conn: Connection, model: Model) -> None:
        self.model = model
        self.rows = {row.id: row for row in conn.execute(select(STREAM))}
        self.streams: Streams = _by_role(model, list(self.rows.values()))
        self._scopes: dict[int, set[str]] = defaultdict(set)
        for row in conn.execute(select(SCOPE.c.stream_id, SCOPE.c.entity)):
            self._scopes[row.stream_id].add(row.entity)

    def read_by(self, role: str, kinds: Sequence[str]) -> list[int]:
        """Return the streams that show records of these kinds on platforms of a role."""
        return sorted({s for kind in kinds for s in self.streams.get((role, kind), ())})

    def watermark(self, streams: Sequence[int]) -> int:
        """Return the least watermark of some streams; NONE when one never completed or there is none."""
        marks = [self.rows[s].watermark_us for s in streams]
        return min(marks) if marks and None not in marks else NONE

    def sights(self, conn: Connection, flow: Flow, subjects: Sequence[int]) -> dict[str, Sight]:
        """Return what could be seen of each step that lies on other records than the anchor."""
        return {step.name: self._sight(conn, flow, step, subjects) for step in flow.steps if step.path}

    def step_watermark(self, flow: Flow, step: Step) -> int:
        """Return how far a step can be judged: the least watermark of its own streams and of those that tell of the anchor.

        The source counts too: until it is seen that far, the anchor may have been withdrawn or amended.
        """
        source = set(self.read_by(flow.anchor.role, flow.anchor.kind))
        for extra in (flow.revisions, flow.split):
            if extra is not None:
                source.update(self.read_by(extra.path[-1].role, extra.path[-1].kind))
        return self.watermark(sorted(source | set(self.read_by(step.path[-1].role, step.kinds))))

    def _sight(self, conn: Connection, flow: Flow, step: Step, subjects: Sequence[int]) -> Sight:
        streams = self.read_by(step.path[-1].role, step.kinds)
        scopes = frozenset().union(*(self._scopes[s] for s in streams))
        readable = [s for s in streams if self.rows[s].finds]
        asked = _asked(conn, readable, subjects) if readable else None
        return Sight(self.step_watermark(flow, step), scopes, asked, lambda: [_runs(conn, s) for s in streams])

    def flow_streams(self, flow: Flow) -> list[int]:
        """Return every stream that judging a flow reads, the anchor's included; optional steps do not count."""
        found = set(self.read_by(flow.anchor.role, flow.anchor.kind))
        for step in flow.steps:
            if not step.optional:
                for hop in step.path:
                    found.update(self.read_by(hop.role, hop.kind))
        for extra in (flow.revisions, flow.split):
            if extra is not None:
                for hop in extra.path:
                    found.update(self.read_by(hop.role, hop.kind))
        return sorted(found)

    def watch_starts(self, flow: Flow) -> tuple[dict[str, int], int]:
        """Return the watch start per declared entity, and of all others: declared, else when every stream first completed."""
        firsts = [self.rows[s].first_complete_us for s in self.flow_streams(flow)]
        seen = max(firsts) if firsts and None not in firsts else FOREVER
        declared = {e: self.model.watch_start_us(e) for e in self.model.entities}
        default = self.model.watched_since_us if self.model.watched_since_us is not None else seen
        return {e: seen if at is None else at for e, at in declared.items()}, default


def _by_role(model: Model, rows: Sequence[object]) -> Streams:
    found: dict[tuple[str, str], set[int]] = defaultdict(set)
    for row in rows:
        platform = model.platforms.get(row.platform)  # type: ignore[attr-defined] # a result row
        for role in platform.roles if platform else ():
            found[role, row.kind].add(row.id)  # type: ignore[attr-defined]
    return {key: tuple(sorted(ids)) for key, ids in found.items()}


def _asked(conn: Connection, streams: Sequence[int], subjects: Sequence[int]) -> dict[int, tuple[int, bool]]:
    """Return per subject the least recent direct read over all its streams, and whether every control was found."""
    answers: dict[int, list[tuple[int, bool]]] = defaultdict(list)
    for start in range(0, len(subjects), 500):
        query = select(LOOKUP.c.subject_id, LOOKUP.c.asked_us, LOOKUP.c.control_seen).where(
            LOOKUP.c.stream_id.in_(streams), LOOKUP.c.subject_id.in_(subjects[start : start + 500])
        )
        for row in conn.execute(query):
            answers[row.subject_id].append((row.asked_us, bool(row.control_seen)))
    return {
        subject: (min(at for at, _ in found), all(seen for _, seen in found))
        for subject, found in answers.items()
        if len(found) == len(streams)
    }


def _runs(conn: Connection, stream: int) -> Runs:
    """Return when each watermark of a stream was reached."""
    query = (
        select(RUN.c.watermark_us, RUN.c.finished_us)
        .where(
            RUN.c.stream_id == stream,
            RUN.c.kind == "changes",
            RUN.c.status == "complete",
            RUN.c.watermark_us.is_not(None),
        )
        .order_by(RUN.c.started_us)
    )
    rows = conn.execute(query).all()
    marks = np.array([r[0] for r in rows], dtype=np.int64)
    first = np.r_[True, marks[1:] > marks[:-1]] if len(marks) else np.zeros(0, dtype=bool)
    return marks[first], np.array([r[1] for r in rows], dtype=np.int64)[first]
