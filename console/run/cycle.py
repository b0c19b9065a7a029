"""What happens in one cycle? Due probes, lane by lane, then judge, evaluate, deliver: each step on its own.

A fault inside the monitor becomes a "degraded" row and never a verdict about a platform. When to run is decided elsewhere.
"""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from threading import Event
from typing import Any, Literal, TypeVar, cast

from sqlalchemy.exc import SQLAlchemyError

from alerts.evaluate import EvaluationSummary, evaluate
from alerts.outbox import DeliverySummary, deliver
from metrics.confirm import confirm
from metrics.judge import JudgeSummary, judge
from metrics.polling import PollSummary, due, run_poll
from probes.poll import Kind
from probes.probe import Platform, Stream

from . import pulse
from .lease import LeaseLostError
from .workspace import Workspace

log = logging.getLogger("tieout.cycle")
T = TypeVar("T")
Due = tuple[Platform, Stream, Kind]
"""A poll to make; the last part is its kind: changes, reread or sweep."""

Progress = Callable[[str], None]
"""Called with one short sentence whenever something worth telling has happened."""


@dataclass(frozen=True, slots=True)
class CycleSummary:
    """What one cycle did; `degraded` names the steps in which the monitor itself failed."""

    polls: Sequence[PollSummary] = ()
    judged: JudgeSummary | None = None
    evaluated: EvaluationSummary | None = None
    delivered: DeliverySummary | None = None
    degraded: tuple[str, ...] = field(default=())


def run_cycle(
    workspace: Workspace,
    *,
    probes: Literal["due", "all", "none"] = "due",
    progress: Progress | None = None,
    stop: Event | None = None,
) -> CycleSummary:
    """Run one whole cycle now. Errors: LeaseLostError, when another scheduler took over meanwhile."""
    degraded: list[str] = []
    wanted = isolated(workspace, "due", lambda: which(workspace, probes), degraded) or []
    polls = poll_lanes(workspace, wanted, degraded, progress, stop)
    if isolated(workspace, "judge", lambda: ask_targets(workspace, progress), degraded) is None:
        log.warning("judging is tried once more")
    return settle(workspace, polls=polls, degraded=degraded, progress=progress)


def which(workspace: Workspace, probes: Literal["due", "all", "none"]) -> list[Due]:
    """List the polls to make: those that are due, or the changes of every stream, or none."""
    if probes == "none":
        return []
    if probes == "all":
        return [(p, s, "changes") for p in workspace.platforms.values() for s in p.streams]
    with workspace.store.read() as conn:
        return [(p, s, cast(Kind, kind)) for p, s, kind in due(conn, workspace.platforms, workspace.now_us())]


def poll_lanes(
    workspace: Workspace,
    wanted: Iterable[Due],
    degraded: list[str],
    progress: Progress | None = None,
    stop: Event | None = None,
) -> list[PollSummary]:
    """Poll each platform in its own lane, all lanes at once: a dead platform delays nobody else's streams."""
    lanes: Mapping[str, list[Due]] = _by_platform(wanted)
    if not lanes:
        return []

    def run(lane: list[Due]) -> list[PollSummary]:
        done = []
        for platform, stream, kind in lane:
            if stop is not None and stop.is_set():
                break
            summary = poll_stream(workspace, platform, stream, kind, degraded)
            if summary is not None:
                done.append(summary)
                _tell(progress, f"{platform.name}/{stream.spec.name}: {_poll_text(summary)}")
        return done

    with ThreadPoolExecutor(len(lanes), thread_name_prefix="lane") as pool:
        return [summary for lane in pool.map(run, lanes.values()) for summary in lane]


def poll_stream(
    workspace: Workspace, platform: Platform, stream: Stream, kind: Kind, degraded: list[str] | None = None
) -> PollSummary | None:
    """Poll one stream once; None when the monitor itself failed. Platform trouble is in the summary."""
    part = f"probe {platform.name}/{stream.spec.name}"

    def step() -> PollSummary:
        w = workspace
        return run_poll(w.store, w.toucher, platform, stream, w.clock, kind=kind)

    return isolated(workspace, part, step, degraded)


def ask_targets(workspace: Workspace, progress: Progress | None = None) -> int:
    """Judge, then ask the targets directly for what seems absent there. Returns how many were asked about.

    A dead target makes this slow, so the scheduler runs it on a thread of its own.
    """
    w = workspace
    _tell(progress, "judging")
    judge(w.store, w.model, w.now_us(), progress=_counted(progress))
    return confirm(w.store, w.model, w.platforms, w.toucher, w.clock)


def settle(
    workspace: Workspace,
    *,
    polls: Sequence[PollSummary] = (),
    degraded: list[str] | None = None,
    progress: Progress | None = None,
) -> CycleSummary:
    """Judge what was touched, evaluate the rules, deliver what is to be told."""
    failed = degraded if degraded is not None else []
    w = workspace
    judged = isolated(w, "judge", lambda: judge(w.store, w.model, w.now_us(), progress=_counted(progress)), failed)
    evaluated = delivered = None
    if judged is not None:  # rules read verdicts: half-written ones must not alert anybody
        evaluated = isolated(w, "alerts", lambda: evaluate(w.store, w.model, w.settings.alerts, w.now_us()), failed)
    delivered = isolated(w, "deliver", lambda: deliver(w.store, w.settings.alerts, w.now_us(), clock=w.clock), failed)
    return CycleSummary(tuple(polls), judged, evaluated, delivered, tuple(failed))


def isolated(workspace: Workspace, part: str, step: Callable[[], T], degraded: list[str] | None = None) -> T | None:
    """Run one step; a fault in it is logged, recorded as "degraded" and ends there. Errors: LeaseLostError."""
    try:
        return step()
    except LeaseLostError:
        raise
    except Exception as error:  # outermost loop of a step: whatever it is, it is ours and must not spread
        log.exception("%s failed", part)
        pulse.report(workspace.control, "degraded", part, fault_text(error), workspace.now_us())
        if degraded is not None:
            degraded.append(part)
        return None


def fault_text(error: BaseException) -> str:
    """Return one line about an internal fault; of a database error only the driver's own words, never the parameters."""
    cause: Any = getattr(error, "orig", None) if isinstance(error, SQLAlchemyError) else error
    lines = str(cause if cause is not None else "").splitlines()
    return f"{type(error).__name__}: {lines[0][:300]}" if lines else type(error).__name__


def _by_platform(wanted: Iterable[Due]) -> dict[str, list[Due]]:
    lanes: dict[str, list[Due]] = defaultdict(list)
    for platform, stream, kind in wanted:
        lanes[platform.name].append((platform, stream, kind))
    return dict(lanes)


def _counted(progress: Progress | None) -> Callable[[str, int, int], None] | None:
    if progress is None:
        return None
    return lambda what, done, whole: progress(f"judging {what}: {done:,} of {whole:,}")


def _tell(progress: Progress | None, text: str) -> None:
    if progress is not None:
        progress(text)


def _poll_text(summary: PollSummary) -> str:
    if summary.status == "complete":
        return f"{summary.records} records"
    return f"{summary.status}: {summary.message}"
