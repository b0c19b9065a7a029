"""Where does the lab keep its software, and what happens when a piece is missing? Starts nothing itself."""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NoReturn

import pytest


def required() -> bool:
    """Return whether a missing piece is a failure (continuous integration) or a reason to skip."""
    return os.environ.get("CI", "").lower() in {"1", "true", "yes"} or os.environ.get("TIEOUT_REQUIRE_LAB") == "1"


def missing(what: str, how: str) -> NoReturn:
    """Skip the test, or fail it where the lab is required, saying what is missing and how to get it."""
    reason = f"{what} is missing: {how}"
    if required():
        pytest.fail(reason, pytrace=False)
    pytest.skip(reason)


def command(name: str, package: str, *, folders: str = "") -> str:
    """Return the path of a program, looking on PATH and then in `folders` (colon separated)."""
    found = shutil.which(name) or shutil.which(name, path=folders)
    return found or missing(name, f"apt-get install {package}")


def cache() -> Path:
    """Return the folder that keeps installations between runs: $TIEOUT_LAB, else ~/.cache/tieout-lab."""
    folder = Path(os.environ.get("TIEOUT_LAB") or Path.home() / ".cache" / "tieout-lab").expanduser().absolute()
    folder.mkdir(parents=True, exist_ok=True)
    return folder


@contextmanager
def locked(name: str) -> Iterator[None]:
    """Let one process at a time build the piece of that name in the cache; the others wait and find it built."""
    with (cache() / f"{name}.lock").open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def fingerprint(*parts: str | bytes) -> str:
    """Return a short name for what a cached piece was made of, so that a change makes a new one."""
    state = hashlib.blake2b(digest_size=6)
    for part in parts:
        state.update((part.encode() if isinstance(part, str) else part) + b"\0")
    return state.hexdigest()


def free_ports(count: int) -> list[int]:
    """Return that many loopback ports nobody listens on at the moment."""
    sockets = [socket.socket() for _ in range(count)]
    try:
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]
    finally:
        for each in sockets:
            each.close()
