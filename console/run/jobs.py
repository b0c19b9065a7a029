"""Which jobs does the active scheduler run, and on which threads? Builds and steers one APScheduler.

One single-thread executor per platform (its lane), one for judging and telling, one for the heartbeat. Nothing here
decides what a poll or a verdict is.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial

from apscheduler.events import (
    EVENT_JOB_ERROR,
    EVENT_JOB_MAX_INSTANCES,
    EVENT_JOB_MISSED,
    JobEvent,
)
from apscheduler.executors.pool import ThreadPoolExecutor as Lane
from apscheduler.schedulers.background import BackgroundScheduler
from apscheduler.triggers.interval import IntervalTrigger
from sqlalchemy import select

from metrics.confirm import confirm
from metrics.identity.suggestions import refresh_where_trained
from metrics.polling import due
from metrics.tables import StreamRow, table
from probes.clock import DAY, SECOND, from_us, monotonic
from probes.poll import Kind
from probes.probe import Platform, Stream

from . import pulse
from .cycle import fault_text, isolated, poll_stream, settle
from .lease import LeaseLostError
from .timing import first_run_us
from .workspace import Workspace

log = logging.getLogger("tieout.scheduler")
PULSE_US = 5 * SECOND
SETTLE, CONFIRM, SUGGEST = "settle", "confirm", "suggest"
CONFIRM_SECONDS = 60
SUGGEST_SECONDS = 600


@dataclass(slots=True)
class Jobs:
    """A running scheduler."""

    workspace: Workspace
    holder: str
    scheduler: BackgroundScheduler
    stopping: threading.Event
    recorder: ThreadPoolExecutor

    def shift(self, by_us: int) -> None:
        """Move the whole plan with the wall clock, so that a step of the clock neither stops nor repeats runs."""
        for job in self.scheduler.get_jobs():
            if job.next_run_time is not None:
                moved = job.next_run_time + timedelta(microseconds=by_us)
                self.scheduler.modify_job(job.id, next_run_time=moved)

    def stop(self, wait_seconds: float) -> None:
        """Start no more runs and wait a while for those under way."""
        self.stopping.set()
        until = monotonic() + wait_seconds
        ender = threading.Thread(target=self.scheduler.shutdown, daemon=True)
        ender.start()
        ender.join(max(0.0, until - monotonic()))
        if ender.is_alive():
            log.warning("a poll is still under way; it ends between two transactions and resumes next time")
        self.recorder.shutdown(wait=False)


def start_jobs(workspace: Workspace, holder: str) -> Jobs:
    """Plan every probe, the judging and the heartbeat, and start."""
    lanes = {f"lane:{name}": Lane(1) for name in workspace.platforms}
    scheduler = BackgroundScheduler(
        timezone="UTC",
        executors={"default": Lane(1), SETTLE: Lane(1), CONFIRM: Lane(1), SUGGEST: Lane(1), **lanes},
        # A late run is run late, never dropped; several late runs of one probe are one; no probe overlaps itself.
        job_defaults={"misfire_grace_time": None, "coalesce": True, "max_instances": 1},
    )
    jobs = Jobs(workspace, holder, scheduler, threading.Event(), ThreadPoolExecutor(1, thread_name_prefix="recorder"))
    scheduler.add_listener(partial(_record, jobs), EVENT_JOB_MISSED | EVENT_JOB_MAX_INSTANCES | EVENT_JOB_ERROR)
    _plan_probes(jobs)
    every = workspace.settings.scheduler.settle / SECOND
    scheduler.add_job(_settle, "interval", seconds=every, args=[jobs], id="settle-tick", executor=SETTLE)
    scheduler.add_job(_confirm, "interval", seconds=CONFIRM_SECONDS, args=[jobs], id="confirm-tick", executor=CONFIRM)
    scheduler.add_job(_suggest, "interval", seconds=SUGGEST_SECONDS, args=[jobs], id="suggest-tick", executor=SUGGEST)
    scheduler.add_job(_pulse, "interval", seconds=PULSE_US / SECOND, args=[jobs], id="pulse", next_run_time=_now(jobs))
    scheduler.add_job(_prune, "interval", seconds=DAY / SECOND, args=[jobs], id="prune")
    for part in ("judge", "alerts", "deliver"):
        # From the start on, so that a part which never works goes silent instead of never having been heard of.
        _beat(jobs, part)
    scheduler.start()
    return jobs


def _beat(jobs: Jobs, part: str) -> None:
    w = jobs.workspace
    every = w.settings.scheduler.settle
    isolated(w, "heartbeat", lambda: pulse.beat(w.control, part, jobs.holder, w.now_us(), every))


def _plan_probes(jobs: Jobs) -> None:
    """Give every stream its slot; streams never read to the end start at once, spread over a few seconds."""
    workspace = jobs.workspace
    done = _complete_streams(workspace)
    for platform in workspace.platforms.values():
        for stream in platform.streams:
            name = f"{platform.name}/{stream.spec.name}"
            interval = stream.spec.interval_seconds * SECOND
            first = first_run_us(name, interval, workspace.now_us(), never_polled=name not in done)
            jobs.scheduler.add_job(
                _probe,
                IntervalTrigger(seconds=stream.spec.interval_seconds, start_date=from_us(first), timezone="UTC"),
                args=[jobs, platform, stream, "changes"],
                id=f"probe {name}",
                executor=f"lane:{platform.name}",
                next_run_time=from_us(first),
            )


def _complete_streams(workspace: Workspace) -> set[str]:
    row = table(StreamRow)
    with workspace.store.read() as conn:
        found = conn.execute(select(row.c.platform, row.c.name).where(row.c.first_complete_us.is_not(None)))
        return {f"{r.platform}/{r.name}" for r in found}


def _probe(jobs: Jobs, platform: Platform, stream: Stream, kind: Kind) -> None:
    """Run one probe in its platform's lane, then have the result judged at once."""
    if jobs.stopping.is_set():
        return
    try:
        summary = poll_stream(jobs.workspace, platform, stream, kind)
    except LeaseLostError as error:
        log.warning("%s: nothing more is written", error)
        return
    if summary is not None and not jobs.stopping.is_set():
        _soon(jobs, _settle, SETTLE)


def _soon(jobs: Jobs, work: Callable[[Jobs], None], name: str) -> None:
    """Have `_settle` or `_confirm` run next on its own thread."""
    # Two instances: one running and one waiting, which will see whatever lands meanwhile. A third has nothing to add.
    jobs.scheduler.add_job(
        work, args=[jobs], id=name, executor=name, replace_existing=True, max_instances=2, next_run_time=_now(jobs)
    )


def _settle(jobs: Jobs) -> None:
    """Judge, evaluate, deliver; then start the re-reads, sweeps and direct look-ups that have become due."""
    if jobs.stopping.is_set():
        return
    w = jobs.workspace
    try:
        summary = settle(w)
        for part, done in (("judge", summary.judged), ("alerts", summary.evaluated), ("deliver", summary.delivered)):
            if done is not None:
                _beat(jobs, part)
        isolated(w, "due", lambda: _start_extra(jobs))
        if summary.judged is not None and summary.judged.total:
            _soon(jobs, _confirm, CONFIRM)
    except LeaseLostError as error:
        log.warning("%s: nothing more is written", error)


def _confirm(jobs: Jobs) -> None:
    """Ask targets directly for what seems absent; on its own thread, because a dead target answers slowly or never."""
    if jobs.stopping.is_set():
        return
    w = jobs.workspace
    try:
        asked = isolated(w, "confirm", lambda: confirm(w.store, w.model, w.platforms, w.toucher, w.clock))
    except LeaseLostError as error:
        log.warning("%s: nothing more is written", error)
        return
    if asked and not jobs.stopping.is_set():
        _soon(jobs, _settle, SETTLE)


def _suggest(jobs: Jobs) -> None:
    """Look for customers that may be one among what changed, on its own thread: comparing takes its time."""
    if jobs.stopping.is_set():
        return
    w = jobs.workspace
    try:
        isolated(w, "suggest", lambda: refresh_where_trained(w.store, w.model))
    except LeaseLostError as error:
        log.warning("%s: nothing more is written", error)


def _start_extra(jobs: Jobs) -> None:
    w = jobs.workspace
    with w.store.read() as conn:
        extra = [d for d in due(conn, w.platforms, w.now_us()) if d[2] != "changes"]
    for platform, stream, kind in extra:
        name = f"{kind} {platform.name}/{stream.spec.name}"
        if not jobs.stopping.is_set():
            jobs.scheduler.add_job(
                _probe,
                args=[jobs, platform, stream, kind],
                id=name,
                executor=f"lane:{platform.name}",
                replace_existing=True,
                next_run_time=_now(jobs),
            )


def _pulse(jobs: Jobs) -> None:
    """Say that the dispatcher is alive."""
    w = jobs.workspace
    isolated(w, "heartbeat", lambda: pulse.beat(w.control, "scheduler", jobs.holder, w.now_us(), PULSE_US))


def _prune(jobs: Jobs) -> None:
    isolated(jobs.workspace, "prune", lambda: pulse.prune(jobs.workspace.control, jobs.workspace.now_us()))


def _record(jobs: Jobs, event: JobEvent) -> None:
    """Record what the dispatcher could not run; on another thread, so that a locked store never delays dispatching."""
    if not event.job_id.startswith("probe ") and event.code == EVENT_JOB_MAX_INSTANCES:
        return  # judging that is already waiting, or a look-up already under way: nothing was lost
    kind, text = {
        EVENT_JOB_MISSED: ("missed", "a planned run was not started in time"),
        EVENT_JOB_MAX_INSTANCES: ("overrun", "the run before was still going; this one was skipped"),
    }.get(event.code, ("degraded", fault_text(getattr(event, "exception", None) or RuntimeError("job failed"))))
    w = jobs.workspace
    if not jobs.stopping.is_set():
        jobs.recorder.submit(pulse.report, w.control, kind, event.job_id, text, w.now_us())


def _now(jobs: Jobs) -> datetime:
    return from_us(jobs.workspace.now_us())
