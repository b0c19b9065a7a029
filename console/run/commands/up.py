"""`tieout up`: keep watching: scheduler and console, two processes, until stopped."""

from __future__ import annotations

import sys
import threading

import typer

from ..logs import log_to_stderr
from ..pair import local, start_pair
from ..processes import ChildError, answers, check, together, wait_until
from ..question import ConfigOption, StoreOption, settings_of
from ..scheduler import stop_on_signals
from ..workspace import open_workspace

READY_SECONDS = 60.0


def up(ctx: typer.Context, config: ConfigOption = None, store: StoreOption = None) -> None:
    """Start the scheduler and the console, and stop both on Ctrl-C or SIGTERM."""
    settings = settings_of(ctx, config, store)
    open_workspace(settings).close()  # what is wrong with the configuration is said here, before anything starts
    log_to_stderr()
    stop = threading.Event()
    stop_on_signals(stop)
    try:
        with together() as children:
            children += start_pair(settings)
            sys.stderr.write("tieout: starting\n")
            if wait_until(lambda: answers(local(settings), "/healthz"), children, stop, READY_SECONDS):
                sys.stderr.write(f"tieout: open {settings.console.url}\n")
            while not stop.wait(1.0):
                check(children)
            sys.stderr.write("tieout: stopping\n")
    except ChildError as error:
        sys.stderr.write(f"{error}\n")
        raise typer.Exit(1) from None
