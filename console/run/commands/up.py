"""`tieout up`: keep watching: scheduler and console, two processes, until stopped.

A scheduler that ends is started again, later each time it does not last; the console stays open meanwhile and shows the silence.
"""

from __future__ import annotations

import sys
import threading

import typer

from probes.clock import monotonic

from ..logs import log_to_stderr
from ..pair import local, start_pair
from ..processes import Child, ChildError, answers, check, refuse_taken, together, wait_until
from ..question import ConfigOption, StoreOption, settings_of
from ..scheduler import stop_on_signals
from ..settings import Settings
from ..workspace import open_workspace

READY_SECONDS = 60.0
WATCH_SECONDS = 1.0
AGAIN_SECONDS, AGAIN_MOST_SECONDS = 1.0, 60.0
LASTING_SECONDS = 120.0
"""A scheduler that ran this long is started again as soon as the first time."""


def up(ctx: typer.Context, config: ConfigOption = None, store: StoreOption = None) -> None:
    """Start the scheduler and the console, and stop both on Ctrl-C or SIGTERM."""
    settings = settings_of(ctx, config, store)
    open_workspace(settings).close()  # what is wrong with the configuration is said here, before anything starts
    refuse_taken(settings.console.host, settings.console.port)
    log_to_stderr()
    stop = threading.Event()
    stop_on_signals(stop)
    try:
        with together() as children:
            children += start_pair(settings)
            _say("starting")
            if wait_until(lambda: answers(local(settings), "/healthz"), children, stop, READY_SECONDS):
                _say(f"open {settings.console.url}")
            _watch(settings, children, stop)
            _say("stopping")
    except ChildError as error:
        sys.stderr.write(f"{error}\n")
        raise typer.Exit(1) from None


def _watch(settings: Settings, children: list[Child], stop: threading.Event) -> None:
    """Keep a scheduler running beside the console until told to stop. Errors: ChildError when the console ends."""
    pause, started, due = AGAIN_SECONDS, monotonic(), None
    while not stop.wait(WATCH_SECONDS):
        scheduler, console = children
        check([console])
        if due is None and scheduler.process.poll() is not None:
            pause = AGAIN_SECONDS if monotonic() - started > LASTING_SECONDS else pause
            due = monotonic() + pause
            _say(f"the scheduler has ended with code {scheduler.process.returncode}; the console stays open, "
                 f"and the scheduler is started again in {pause:.0f} s")  # fmt: skip
        elif due is not None and monotonic() >= due:
            children[0] = start_pair(settings, ("scheduler",))[0]
            pause, started, due = min(2 * pause, AGAIN_MOST_SECONDS), monotonic(), None


def _say(text: str) -> None:
    sys.stderr.write(f"tieout: {text}\n")
    sys.stderr.flush()
