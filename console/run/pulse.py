"""Is the monitor itself well? Writes and reads heartbeats and the list of its own faults.

A fault of ours must never look like a fault of a platform, and must be visible even while the database refuses writes:
then it goes to stderr and waits in memory.
"""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, delete, insert, select, update
from sqlalchemy.exc import SQLAlchemyError

from metrics.store import Store
from metrics.tables import table
from probes.clock import DAY, HOUR

from .tables import Heartbeat, MonitorEvent

log = logging.getLogger("tieout.monitor")
KEEP_US = 30 * DAY
_BEAT, _EVENT = table(Heartbeat), table(MonitorEvent)


@dataclass(frozen=True, slots=True)
class Beat:
    """When a part last did its work. `fresh` is false once two intervals (and 5 s of slack) have passed."""

    name: str
    at_us: int
    interval_us: int
    holder: str
    fresh: bool


@dataclass(frozen=True, slots=True)
class Fault:
    """Something that went wrong inside the monitor."""

    kind: str
    part: str
    message: str
    at_us: int
    seen_count: int = 1


_waiting: deque[Fault] = deque(maxlen=1000)
_lock = threading.Lock()


def beat(store: Store, name: str, holder: str, now_us: int, interval_us: int) -> None:
    """Say that a part of the monitor has just done its work."""
    with store.write() as conn:
        values = {"at_us": now_us, "interval_us": interval_us, "holder": holder}
        if conn.execute(update(_BEAT).where(_BEAT.c.name == name).values(**values)).rowcount == 0:
            conn.execute(insert(_BEAT).values(name=name, **values))


def beats(conn: Connection, now_us: int) -> list[Beat]:
    """List the heartbeats, by name."""
    rows = conn.execute(select(_BEAT).order_by(_BEAT.c.name)).all()
    slack = 5_000_000
    return [Beat(r.name, r.at_us, r.interval_us, r.holder, now_us - r.at_us <= 2 * r.interval_us + slack) for r in rows]


def report(store: Store, kind: str, part: str, message: str, now_us: int) -> None:
    """Record a fault of the monitor. Never raises: while the store refuses, it waits in memory and is on stderr."""
    log.warning("%s in %s: %s", kind, part, message)
    with _lock:
        _waiting.append(Fault(kind, part, message, now_us))
        try:
            _flush(store)
        except SQLAlchemyError as error:
            log.error("the store refuses to record it (%s); kept in memory", type(error).__name__)


def faults(conn: Connection, since_us: int, limit: int = 200, until_us: int | None = None) -> Sequence[Fault]:
    """List the monitor's own faults since an instant, and until one, newest first."""
    query = select(_EVENT).where(_EVENT.c.last_us >= since_us)
    query = query if until_us is None else query.where(_EVENT.c.last_us <= until_us)
    query = query.order_by(_EVENT.c.last_us.desc()).limit(limit)
    return [Fault(r.kind, r.part, r.message, r.last_us, r.seen_count) for r in conn.execute(query)]


def prune(store: Store, now_us: int) -> None:
    """Forget faults older than 30 days."""
    with store.write() as conn:
        conn.execute(delete(_EVENT).where(_EVENT.c.last_us < now_us - KEEP_US))


def _flush(store: Store) -> None:
    """Write what waits; a repeat within the hour raises a count instead of adding a row."""
    while _waiting:
        fault = _waiting[0]
        with store.write() as conn:
            same = (
                (_EVENT.c.kind == fault.kind)
                & (_EVENT.c.part == fault.part)
                & (_EVENT.c.message == fault.message)
                & (_EVENT.c.first_us > fault.at_us - HOUR)
            )
            counted = {"seen_count": _EVENT.c.seen_count + 1, "last_us": fault.at_us}
            if conn.execute(update(_EVENT).where(same).values(**counted)).rowcount == 0:
                row = {"kind": fault.kind, "part": fault.part, "message": fault.message}
                conn.execute(insert(_EVENT).values(first_us=fault.at_us, last_us=fault.at_us, seen_count=1, **row))
        _waiting.popleft()
