"""`tieout demo`: see everything on this machine, without any account."""

from __future__ import annotations

import sys
import threading
from pathlib import Path
from typing import Annotated

import typer

from probes.clock import system_clock, to_us

from ..demo import prepare
from ..demo import run as run_demo
from ..logs import log_to_stderr
from ..processes import ChildError
from ..scheduler import stop_on_signals


def demo(
    port: Annotated[
        int, typer.Option(min=1, max=65535, help="Port of the console; the next free one is taken.")
    ] = 8600,
    calm: Annotated[bool, typer.Option("--calm", help="A company in which nothing goes wrong.")] = False,
    folder: Annotated[Path, typer.Option(help="Where it keeps its things.")] = Path(".tieout"),
) -> None:
    """Run a sandbox company and the console over it. The store stays for later commands."""
    log_to_stderr(40)
    stop = threading.Event()
    stop_on_signals(stop)
    again = (folder / "tieout.sqlite").exists()
    try:
        prepared = prepare(folder, port, calm=calm, now_us=to_us(system_clock()))
        if again:
            _say("starting afresh: the company and the store of the demo before are replaced")
        if prepared.console_port != port:
            _say(f"port {port} is in use; the console takes {prepared.console_port}")
        run_demo(prepared, stop, _say)
        _say(f"stopped. The store stays in {prepared.folder}: tieout status and the other commands still answer")
    except ChildError as error:
        sys.stderr.write(f"{error}\n")
        raise typer.Exit(1) from None


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()
