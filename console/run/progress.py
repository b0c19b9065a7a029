"""How does a person see that long work is going on? A live line on a terminal, plain lines elsewhere, always on stderr."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.markup import escape

from probes.clock import monotonic

Tell = Callable[[str], None]
QUIET_SECONDS = 2.0
"""Work shorter than this says nothing where lines stay: in a pipe or a log."""


@contextmanager
def progress(title: str) -> Iterator[Tell]:
    """Yield a function that shows one short sentence; safe to call from several threads."""
    if sys.stderr.isatty():
        console = Console(stderr=True, highlight=False)
        with console.status(escape(title)) as status:
            yield lambda text: status.update(escape(f"{title}: {text}"))
        return
    started, lock, last = monotonic(), threading.Lock(), [0.0]

    def line(text: str) -> None:
        with lock:
            now = monotonic()
            if now - started >= QUIET_SECONDS and now - last[0] >= QUIET_SECONDS:
                last[0] = now
                sys.stderr.write(f"{title}: {text}\n")
                sys.stderr.flush()

    yield line
