"""How often Python looks for reference cycles while many plain rows are made: seldom, because rows, records and tuples hold none.

Counting references frees them all the same. The collector's usual rhythm costs a fifth of a poll's or a rebuild's time.
"""

from __future__ import annotations

import gc
import threading
from collections.abc import Iterator
from contextlib import contextmanager

_SELDOM = (100_000, 50, 1_000)
_lock = threading.Lock()
_usual: list[tuple[int, int, int]] = []


@contextmanager
def seldom() -> Iterator[None]:
    """Collect seldom inside the block; blocks may nest and run side by side, the last to end restores what was."""
    with _lock:
        _usual.append(gc.get_threshold())
        gc.set_threshold(*_SELDOM)
    try:
        yield
    finally:
        with _lock:
            first = _usual[0]
            _usual.pop()
            if not _usual:
                gc.set_threshold(*first)
