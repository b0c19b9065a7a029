"""How well each stream is seen now: what rules ask before they believe that something is over. Reads poll runs only."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Row, Select, func, select

from metrics.definitions import Flow, Model
from metrics.tables import Lookup, PollRun, StreamRow, table
from probes.clock import HOUR, MINUTE, duration_text

RUNS_READ = 20
PATIENCE_RUNS = 3
LEAST_PATIENCE_US = 15 * MINUTE
FIRST_LOAD_LIMIT_US = HOUR
ASKED_AGAIN_US = SWEPT_AGAIN_US = HOUR
"""What a direct read or a list of ids did not show is asked for again well within this time, as long as it matters."""

_STREAM, _RUN, _LOOKUP = table(StreamRow), table(PollRun), table(Lookup)


@dataclass(frozen=True, slots=True)
class StreamSight:
    """How a stream's latest finished polls went. `failures`: how many in a row did not complete, `failing_us`: since when.

    `hidden`: why it no longer shows all it showed, though it answers; `hidden_us`: since when.
    """

    id: int
    platform: str
    name: str
    kind: str
    interval_us: int
    watermark_us: int | None
    first_complete_us: int | None
    failures: int
    failing_us: int | None
    reason: str | None
    message: str | None
    finished_us: int | None
    hidden: str | None = None
    hidden_us: int | None = None

    def blind(self, now_us: int) -> str | None:
        """Return why what this stream shows now cannot be trusted to be all there is, or None."""
        where = f"{self.platform}/{self.name}"
        if self.failures:
            return f"{where} was last polled without success ({self.reason or 'no reason given'})"
        if self.hidden is not None:
            return f"{where} lost sight of records ({self.hidden})"
        if self.finished_us is None or self.watermark_us is None:
            return f"{where} was never read completely"
        age = now_us - self.finished_us
        if age > max(PATIENCE_RUNS * self.interval_us, LEAST_PATIENCE_US):
            return f"{where} was not polled for {duration_text(age)}"
        return None


def read(conn: Connection) -> tuple[StreamSight, ...]:
    """Return every stream as it is seen now, by platform and name."""
    rows = conn.execute(select(_STREAM).order_by(_STREAM.c.platform, _STREAM.c.name)).mappings().all()
    swept, missed = _hidden(conn)
    runs: dict[int, list[Row[Any]]] = defaultdict(list)
    for run in conn.execute(_latest()):
        runs[run.stream_id].append(run)
    return tuple(_sight(runs[row["id"]], dict(row), swept.get(row["id"]), missed.get(row["id"])) for row in rows)


def _latest() -> Select[Any]:
    """Return the question for the last polls of every stream, newest first: by index, however many there were."""
    r, own = _RUN.c, _RUN.alias("own").c
    wanted = (own.stream_id == _STREAM.c.id, own.finished_us.is_not(None), own.kind == "changes")
    newest = select(own.id).where(*wanted).order_by(own.started_us.desc()).limit(RUNS_READ).correlate(_STREAM)
    polls = select(r.stream_id, r.status, r.reason, r.message, r.started_us, r.finished_us)
    return polls.join_from(_STREAM, _RUN, r.id.in_(newest)).order_by(r.stream_id, r.started_us.desc())


def _hidden(conn: Connection) -> tuple[dict[int, tuple[str, int]], dict[int, tuple[int, int]]]:
    """Return what says that streams hide records: what the last comparison of ids missed and since when, and the first
    and the last direct read that missed a record known to exist."""
    r, k = _RUN.c, _LOOKUP.c
    lately = select(func.max(r.started_us) - SWEPT_AGAIN_US).scalar_subquery()
    last = select(r.stream_id, func.max(r.id).label("id")).where(r.started_us >= lately, r.kind == "sweep")
    newest = last.where(r.finished_us.is_not(None)).group_by(r.stream_id).subquery()
    swept = select(r.stream_id, r.message, r.started_us).join(newest, newest.c.id == r.id).where(r.status == "suspect")
    asked = select(k.stream_id, func.min(k.asked_us), func.max(k.asked_us)).where(k.control_seen.is_(False))
    listed = {row[0]: (str(row[1]), int(row[2])) for row in conn.execute(swept)}
    return listed, {row[0]: (int(row[1]), int(row[2])) for row in conn.execute(asked.group_by(k.stream_id))}


def _sight(
    runs: Sequence[Row[Any]], stream: dict[str, object], swept: tuple[str, int] | None, missed: tuple[int, int] | None
) -> StreamSight:
    if missed and runs and missed[1] < runs[0].finished_us - ASKED_AGAIN_US:
        missed = None  # what it was asked for is no longer looked for, so it was seen since
    failed = []
    for run in runs:
        if run.status == "complete":
            break
        failed.append(run)
    return StreamSight(
        **{
            k: stream[k] for k in ("id", "platform", "name", "kind", "interval_us", "watermark_us", "first_complete_us")
        },  # type: ignore[arg-type]
        failures=len(failed),
        failing_us=failed[-1].started_us if failed else None,
        reason=failed[0].reason if failed else None,
        message=failed[0].message if failed else None,
        finished_us=runs[0].finished_us if runs else None,
        hidden=swept[0] if swept else "a record known to exist was not found by its id" if missed else None,
        hidden_us=swept[1] if swept else missed[0] if missed else None,
    )


def first_load(conn: Connection, streams: Iterable[StreamSight], now_us: int) -> bool:
    """Return whether history is still being read for the first time, which is no news; after an hour it counts as read."""
    if all(s.first_complete_us is not None for s in streams):
        return False
    begun = conn.execute(select(func.min(_RUN.c.started_us))).scalar()
    return begun is None or now_us - begun < FIRST_LOAD_LIMIT_US


def behind(model: Model, flow: Flow, step: str | None, streams: Iterable[StreamSight]) -> list[StreamSight]:
    """Return the streams that a flow, or one of its steps, is judged from."""
    paths = [s.path for s in flow.steps if (not s.optional if step is None else s.name == step)]
    paths += [extra.path for extra in (flow.revisions, flow.split) if extra is not None]
    wanted = {(flow.anchor.role, kind) for kind in flow.anchor.kind}
    wanted |= {(hop.role, kind) for path in paths for hop in path for kind in hop.kind}
    names = {(name, kind) for role, kind in wanted for name in model.with_role(role)}
    return [s for s in streams if (s.platform, s.kind) in names]


def first_blind(streams: Sequence[StreamSight], now_us: int) -> str | None:
    """Return why the first blind stream is blind, or None when all are seen."""
    return next((why for s in streams if (why := s.blind(now_us)) is not None), None)


def horizon_us(streams: Sequence[StreamSight]) -> int | None:
    """Return the instant up to which all of these streams are read, None when one never was."""
    marks = [s.watermark_us for s in streams]
    return None if not marks or None in marks else min(m for m in marks if m is not None)
