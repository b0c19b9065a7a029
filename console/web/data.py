"""How a page or a route asks the store: one short read per question, answers kept until something is judged anew.

No connection outlives a question, so the write-ahead log can always be checkpointed. An answer is kept under the store, the
question, its filters and the generation: what was last polled and judged. Answers hold no per-user data.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Any, TypeVar

from sqlalchemy import Connection, func, select

from alerts.tables import TransitionRow
from alerts.tables import table as alert_table
from metrics.filters import Filters
from metrics.queries.narrow import Narrow, narrow
from metrics.sli import generation as judged
from metrics.tables import PollRun, StreamRow, table

from .context import Console

T = TypeVar("T")
KEEP = 512
BEAT_US = 15_000_000
"""Time alone changes figures too (a deadline passes): no answer is older than this."""

_RUN, _STREAM = table(PollRun), table(StreamRow)
_TRANSITION = alert_table(TransitionRow)
_answers: OrderedDict[Hashable, Any] = OrderedDict()
_lock = threading.Lock()

Generation = tuple[Any, ...]


def generation(conn: Connection) -> Generation:
    """Return what changes whenever something was polled, judged or told; cheap enough to ask every few seconds."""
    return (
        judged(conn),
        conn.execute(select(func.max(_RUN.c.id))).scalar(),
        conn.execute(select(func.max(_STREAM.c.watermark_us))).scalar(),
        conn.execute(select(func.max(_TRANSITION.c.id))).scalar(),
    )


def ask(console: Console, key: tuple[Hashable, ...], question: Callable[[Connection], T]) -> T:
    """Return `question(conn)`, from the kept answers when nothing has changed since. `key` names the question and its filters."""
    with console.store.read() as conn:
        slot = (id(console.store), id(console.model), key, generation(conn), console.now_us() // BEAT_US)
        with _lock:
            if slot in _answers:
                _answers.move_to_end(slot)
                return _answers[slot]  # type: ignore[no-any-return] # the slot names the question
        answer = question(conn)
    with _lock:
        _answers[slot] = answer
        while len(_answers) > KEEP:
            _answers.popitem(last=False)
    return answer


def narrowed(console: Console, filters: Filters) -> Narrow:
    """Return the filters of figures as lists take them."""
    if filters.as_of_us is None:
        return Narrow(filters.platform, filters.entity, filters.customer_id, filters.segment)
    return ask(console, ("narrow", filters), lambda conn: narrow(conn, console.model, filters))


def as_of(console: Console) -> int:
    """Return the instant that pages show: a little in the past, and the same for every number of a page."""
    return console.now_us() // BEAT_US * BEAT_US


def forget() -> None:
    """Drop every kept answer."""
    with _lock:
        _answers.clear()
