"""How are the scheduler, the console and the sandbox kept as one? Starts child processes, waits for them, ends them together.

A child dies with its parent where the system offers it; its output goes to a file or to our stderr.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from probes.client import Client, ClientSpec
from probes.clock import monotonic
from probes.errors import ProbeError
from probes.probe import Meter

from .yaml_source import ConfigError

_PR_SET_PDEATHSIG = 1  # Source: prctl(2)
STOP_SECONDS = 15.0
STEP_SECONDS = 0.1


class ChildError(Exception):
    """A child process that ended or did not become ready; the text says where its output is."""


@dataclass(frozen=True, slots=True)
class Child:
    """One running process of ours."""

    name: str
    process: subprocess.Popen[bytes]
    log: Path | None

    def tail(self, lines: int = 15) -> str:
        """Return the last lines it wrote."""
        if self.log is None or not self.log.exists():
            return ""
        return "\n".join(self.log.read_text("utf-8", "replace").splitlines()[-lines:])


def start(name: str, arguments: Sequence[str], log: Path | None = None, env: dict[str, str] | None = None) -> Child:
    """Start `python -m …` in a session of its own, so that Ctrl-C reaches only us and we end it in order."""
    command = [sys.executable, "-m", *arguments]
    with contextlib.ExitStack() as stack:
        out = None if log is None else stack.enter_context(log.open("wb"))
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=out if out is not None else sys.stderr.fileno(),
            stderr=subprocess.STDOUT,
            start_new_session=True,
            preexec_fn=_die_with_parent if sys.platform == "linux" else None,  # one system call, no locks
            env={**os.environ, **(env or {})},
        )
    return Child(name, process, log)


def _die_with_parent() -> None:
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)


@contextmanager
def together() -> Iterator[list[Child]]:
    """Yield a list for children; whatever happens, the last started ends first."""
    children: list[Child] = []
    try:
        yield children
    finally:
        for child in reversed(children):
            child.process.terminate()
        until = monotonic() + STOP_SECONDS
        for child in reversed(children):
            try:
                child.process.wait(max(0.1, until - monotonic()))
            except subprocess.TimeoutExpired:
                child.process.kill()
                child.process.wait()


def wait_until(ready: Callable[[], bool], children: Sequence[Child], stop: threading.Event, seconds: float) -> bool:
    """Wait until `ready`; False when told to stop. Errors: ChildError when a child ends or time runs out."""
    until = monotonic() + seconds
    while True:
        # First of all ours must be alive: at an address that is not ours another process may well answer.
        check(children)
        if ready():
            return True
        if monotonic() > until:
            last = children[-1]
            raise ChildError(f"{last.name} was not ready after {seconds:.0f} s.{_where(last)}")
        if stop.wait(STEP_SECONDS):
            return False


def check(children: Sequence[Child]) -> None:
    """Errors: ChildError naming the first child that has ended."""
    for child in children:
        code = child.process.poll()
        if code is not None:
            raise ChildError(f"{child.name} has ended with code {code}.{_where(child)}")


def _where(child: Child) -> str:
    if child.log is None:
        return " Its output is above."
    return f" Its output is in {child.log}:\n{child.tail()}"


def answers(base_url: str, path: str) -> bool:
    """Return whether a page answers with success."""
    # A new client for each look: its breaker would otherwise stop asking a server that is still starting.
    client = Client(ClientSpec(base_url=base_url, deadline_seconds=2.0, attempts=1))
    try:
        return client.get(path, Meter()).status < 300
    except ProbeError:
        return False
    finally:
        client.close()


def refuse_taken(host: str, port: int) -> None:
    """Refuse an address at which the console could not listen. Errors: ConfigError with what to do."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            raise ConfigError(
                f"the console cannot listen on {host}:{port} ({(error.strerror or str(error)).lower()}). Stop what listens"
                " there (another `tieout up` or `tieout demo`?), or write another `port:` or `host:` under `console:`."
            ) from None


def free_port(wanted: int, host: str = "127.0.0.1", tries: int = 50) -> int:
    """Return the first port from `wanted` on that nobody listens on. Errors: ChildError when none is free."""
    for port in range(wanted, min(wanted + tries, 65536)):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((host, port))
            except OSError:
                continue
            return port
    raise ChildError(f"no port from {wanted} to {wanted + tries} is free; name another with --port")
