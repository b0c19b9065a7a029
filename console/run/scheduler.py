"""Who keeps the probes running? The one process per database that holds the lease: `python -m console.run.scheduler`.

APScheduler decides when, each platform has its own single-thread executor, and whatever is missed, overrun or late is
recorded. What a run does is in `cycle`; the pages of the console never start any of this.
"""

from __future__ import annotations

import logging
import os
import signal
import sys
import threading
from pathlib import Path
from typing import Annotated

import typer
from sqlalchemy.exc import SQLAlchemyError

from metrics.store import Store
from probes.clock import Clock, duration_text, monotonic, system_clock

from . import pulse
from .cycle import fault_text
from .jobs import Jobs, start_jobs
from .lease import Lease, LeaseLostError, acquire, fence, new_holder, release, renew
from .logs import log_to_stderr
from .settings import Settings, load_settings
from .timing import ClockReading, jump_us
from .workspace import Workspace, open_store, open_workspace, with_store
from .yaml_source import ConfigError

log = logging.getLogger("tieout.scheduler")
WATCH_SECONDS = 1.0
STOP_SECONDS = 10.0
"""How long a stop waits for running polls; after that they are cut between two transactions and resume next time."""


def run(settings: Settings, stop: threading.Event, *, clock: Clock = system_clock) -> None:
    """Be the scheduler, or wait to become it, until `stop` is set."""
    workspace = open_workspace(settings, clock=clock)
    holder, waiting = new_holder(), False
    try:
        while not stop.is_set():
            lease = _try_acquire(workspace, holder)
            if lease is not None:
                waiting = False
                _lead(workspace, lease, stop)
                continue
            if not waiting:
                log.info("another scheduler is active on this database; waiting to take over")
                waiting = True
            stop.wait(settings.scheduler.lease / 3e6)
    finally:
        workspace.close()


def _try_acquire(workspace: Workspace, holder: str) -> Lease | None:
    try:
        return acquire(workspace.control, holder, workspace.now_us(), workspace.settings.scheduler.lease)
    except SQLAlchemyError as error:
        log.error("the store refuses the lease: %s", fault_text(error))
        return None


def _lead(workspace: Workspace, lease: Lease, stop: threading.Event) -> None:
    """Run the jobs while the lease is ours. Writes go through a store that is fenced with this lease's token."""
    log.info("active scheduler: lease %d of %s", lease.token, lease.holder)
    working = _fenced(workspace, lease)
    jobs = start_jobs(with_store(workspace, working), lease.holder)
    try:
        kept = _keep(workspace, lease, jobs, stop)
    finally:
        jobs.stop(STOP_SECONDS if stop.is_set() else 0.0)
        working.close()
    if kept:
        release(workspace.control, lease, workspace.now_us())


def _fenced(workspace: Workspace, lease: Lease) -> Store:
    store = open_store(workspace.settings.store_url, create=False)
    fence(store, lease.token)
    return store


def _keep(workspace: Workspace, lease: Lease, jobs: Jobs, stop: threading.Event) -> bool:
    """Renew the lease and watch the clock until told to stop. Returns whether the lease is still ours."""
    ttl = workspace.settings.scheduler.lease
    renewed = monotonic()
    before = _reading(workspace)
    while not stop.wait(WATCH_SECONDS):
        after = _reading(workspace)
        jump = jump_us(before, after)
        before = after
        if jump:
            jobs.shift(jump)
            text = f"the wall clock was moved by {duration_text(jump)}; the plan moved with it"
            pulse.report(workspace.control, "clock_jump", "clock", text, after.wall_us)
        if jump or monotonic() - renewed >= ttl / 3e6:
            try:
                lease = renew(workspace.control, lease, workspace.now_us(), ttl)
                renewed = monotonic()
            except LeaseLostError as error:
                pulse.report(workspace.control, "lease", "scheduler", str(error), workspace.now_us())
                return False
            except SQLAlchemyError as error:
                log.error("cannot renew the lease: %s", fault_text(error))
                if monotonic() - renewed >= ttl / 1e6:
                    return False
    return True


def _reading(workspace: Workspace) -> ClockReading:
    return ClockReading(workspace.now_us(), monotonic())


def stop_on_signals(stop: threading.Event) -> None:
    """Let SIGTERM and SIGINT end the run gracefully; a second one ends it at once."""

    def handle(_signal: int, _frame: object) -> None:
        if stop.is_set():
            os._exit(130)
        stop.set()

    signal.signal(signal.SIGTERM, handle)
    signal.signal(signal.SIGINT, handle)


def main(
    config: Annotated[Path, typer.Option(help="The tieout.yaml to run.")],
    store: Annotated[str | None, typer.Option(help="Store URL instead of the configured one.")] = None,
) -> None:
    """Run the scheduler of one configuration in the foreground."""
    log_to_stderr()
    stop = threading.Event()
    stop_on_signals(stop)
    try:
        run(load_settings(config, store=store), stop)
    except ConfigError as error:
        sys.stderr.write(f"{error}\n")
        raise SystemExit(2) from None
    # Threads of polls that did not end in time would keep the process alive; every transaction of theirs is whole.
    sys.stderr.flush()
    os._exit(0)


if __name__ == "__main__":
    typer.run(main)
