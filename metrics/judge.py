"""How touched subjects are judged and their verdicts written: chunk by chunk, each in one transaction with its touches.

A touch is deleted first and what it points at is read after, in the same transaction, so a change that comes meanwhile leaves a
touch of its own. Stopping between chunks loses nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from sqlalchemy import Connection, String, bindparam, text

from .active import active_since
from .collecting import seldom
from .definitions import Flow, Model, Sli
from .exceptions import derive_exceptions, exceptions_lag
from .gather import gather
from .master import judge_states
from .sight import View
from .store import Store
from .verdicts import Context
from .verdicts import judge as judge_frames
from .writing import write_verdicts

Progress = Callable[[str, int, int], None]
"""Called with what is being done, how much is done and how much there is."""

CHUNK = 10_000


@dataclass(slots=True)
class JudgeSummary:
    """How many subjects were judged, per flow."""

    subjects: dict[str, int] = field(default_factory=dict)

    @property
    def total(self) -> int:
        """Return the number of subjects over all flows."""
        return sum(self.subjects.values())


def judge(
    store: Store, model: Model, now_us: int, *, progress: Progress | None = None, chunk: int = CHUNK
) -> JudgeSummary:
    """Judge everything that was touched, or whose wait is over. Time: `now_us` only labels when; verdicts hang on watermarks."""
    summary = JudgeSummary()
    with store.write() as conn:
        view = View(conn, model)
        for flow in model.flows.values():
            _wake(conn, flow, view)
    for flow in model.flows.values():
        done = 0
        while taken := _judge_chunk(store, flow, model, chunk):
            done += taken
            if progress:
                progress(flow.title, done, done + _left(store, flow))
            if taken < chunk:
                break
        summary.subjects[flow.name] = done
    with store.write() as conn:
        if summary.total or exceptions_lag(conn):
            derive_exceptions(conn, model)
        if summary.total:
            conn.execute(_COUNT, {"now": now_us})
    return summary


_COUNT = text(
    "INSERT INTO counter (name, value, at_us) VALUES ('generation', 1, :now)"
    " ON CONFLICT (name) DO UPDATE SET value = counter.value + 1, at_us = excluded.at_us"
)


def slis_of(model: Model, flow: Flow) -> list[Sli]:
    """Return the event SLIs of a flow."""
    return [sli for sli in model.slis.values() if sli.flow == flow.name and sli.kind == "event"]


def _judge_chunk(store: Store, flow: Flow, model: Model, limit: int) -> int:
    with seldom(), store.write() as conn:
        taken = conn.execute(_TAKE, {"flow": flow.name, "limit": limit}).scalars().all()
        if taken:
            judge_subjects(conn, flow, model, View(conn, model), sorted(taken))
    return len(taken)


def judge_subjects(
    conn: Connection, flow: Flow, model: Model, view: View, ids: Sequence[int], *, fresh: bool = False
) -> None:
    """Judge these anchors and replace their verdicts. `fresh`: there are none yet and roll-ups follow at the end."""
    frames = gather(conn, flow, view.streams, ids)
    since, default = view.watch_starts(flow)
    context = Context(
        sights=view.sights(conn, flow, ids),
        watched_since=since,
        default_since=default,
        not_posted=frozenset(
            e for e in model.entities if "not_posted" in {model.posting(e, k) for k in flow.anchor.kind}
        ),
        active=active_since(conn) if flow.anchor.active else None,
        schedules=model.schedules,
    )
    slis = slis_of(model, flow)
    verdicts = judge_frames(flow, slis, frames, context)
    if flow.anchor.active:
        states = [sli for sli in model.slis.values() if sli.kind == "state" and sli.flow == flow.name]
        verdicts = judge_states(conn, flow, states, frames, context, verdicts, fresh=fresh)
    write_verdicts(conn, flow, [sli.name for sli in slis], verdicts, fresh=fresh)


_TAKE = text(
    "DELETE FROM touch WHERE flow = :flow AND subject_id IN"
    " (SELECT subject_id FROM touch WHERE flow = :flow ORDER BY subject_id LIMIT :limit) RETURNING subject_id"
)
_WAKE = text(
    "INSERT INTO touch (flow, subject_id) SELECT DISTINCT flow, anchor_id FROM flow_step"
    " WHERE flow = :flow AND step = :step AND wait_us <= :watermark ON CONFLICT DO NOTHING"
)
_WATCHED = text(
    "INSERT INTO touch (flow, subject_id) SELECT DISTINCT flow, anchor_id FROM flow_instance"
    " WHERE flow = :flow AND state = 'opening' AND entity = :entity AND started_us >= :since ON CONFLICT DO NOTHING"
)
_WATCHED_REST = text(
    "INSERT INTO touch (flow, subject_id) SELECT DISTINCT flow, anchor_id FROM flow_instance"
    " WHERE flow = :flow AND state = 'opening' AND entity NOT IN :declared AND started_us >= :since ON CONFLICT DO NOTHING"
).bindparams(bindparam("declared", type_=String, expanding=True))  # typed, for a list may be empty


def _wake(conn: Connection, flow: Flow, view: View) -> None:
    """Touch what a watermark, or a watch start that became known, can now decide."""
    for step in flow.steps:
        if step.path:
            watermark = view.step_watermark(flow, step)
            conn.execute(_WAKE, {"flow": flow.name, "step": step.name, "watermark": watermark})
    since, default = view.watch_starts(flow)
    for entity, at in since.items():
        conn.execute(_WATCHED, {"flow": flow.name, "entity": entity, "since": at})
    conn.execute(_WATCHED_REST, {"flow": flow.name, "declared": sorted(since), "since": default})


def _left(store: Store, flow: Flow) -> int:
    with store.read() as conn:
        return int(
            conn.execute(text("SELECT COUNT(*) FROM touch WHERE flow = :flow"), {"flow": flow.name}).scalar_one()
        )
