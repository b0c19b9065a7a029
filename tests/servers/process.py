"""How is a server process started, awaited and stopped? It knows no particular server.

Each runs in its own process group with its output in a file, so that nothing it spawned is left behind and a failure to
start shows the last lines of that file.
"""

from __future__ import annotations

import ctypes
import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TypeVar

import httpx

Found = TypeVar("Found")
_PR_SET_PDEATHSIG = 1
_PRCTL = getattr(ctypes.CDLL(None), "prctl", None)


def until(probe: Callable[[], Found | None], seconds: float, what: str, every_seconds: float = 0.1) -> Found:
    """Ask until the answer is truthy and return it. Errors: TimeoutError naming `what` was awaited."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        answer = probe()
        if answer:
            return answer
        time.sleep(every_seconds)
    raise TimeoutError(f"{what}: not within {seconds:g} seconds")


def answers(url: str) -> bool:
    """Return whether the URL answers with a status below 500."""
    try:
        return httpx.get(url, timeout=10, trust_env=False).status_code < 500
    except httpx.HTTPError:
        return False


def listens(port: int) -> bool:
    """Return whether somebody accepts connections on that loopback port."""
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex(("127.0.0.1", port)) == 0


@contextmanager
def running(
    args: Sequence[object],
    log: Path,
    ready: Callable[[], bool],
    *,
    seconds: float = 60,
    env: Mapping[str, str] | None = None,
    stop_signal: signal.Signals = signal.SIGTERM,
) -> Iterator[subprocess.Popen[bytes]]:
    """Run a server until the block ends; enter the block when `ready`. Errors: RuntimeError with the end of its log."""
    with log.open("ab") as output:
        process = subprocess.Popen(
            [str(arg) for arg in args],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env={**os.environ, **(env or {})},
            cwd=log.parent,
            start_new_session=True,
            preexec_fn=_end_with_parent,
        )
    try:
        _await(process, log, ready, seconds)
        yield process
    finally:
        _stop(process, stop_signal)


def _end_with_parent() -> None:
    # a killed test run must not leave its servers behind; no prctl outside Linux, where they then would stay
    if _PRCTL is not None:
        _PRCTL(_PR_SET_PDEATHSIG, signal.SIGTERM)


def _await(process: subprocess.Popen[bytes], log: Path, ready: Callable[[], bool], seconds: float) -> None:
    end = time.monotonic() + seconds
    while not ready():
        if process.poll() is not None or time.monotonic() > end:
            state = "did not start in time" if process.returncode is None else f"ended with {process.returncode}"
            tail = "\n".join(log.read_text(errors="replace").splitlines()[-30:])
            raise RuntimeError(f"{process.args!r} {state}; the end of {log}:\n{tail}")
        time.sleep(0.1)


def _stop(process: subprocess.Popen[bytes], stop_signal: signal.Signals) -> None:
    if process.poll() is None:
        process.send_signal(stop_signal)
        with suppress(subprocess.TimeoutExpired):  # killed with its group below
            process.wait(20)
    with suppress(ProcessLookupError):  # the whole group may be gone already
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
