"""What does Tieout say is wrong, and from when to when did it say so? Looks after every cycle and keeps the changes.

Only what people see is read: overdue documents, breaks, exceptions, late verdicts and how platforms are seen.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import TypeVar

from sqlalchemy import Connection, select

from alerts import sight
from alerts.rules import platform_down
from metrics.definitions import Model
from metrics.queries.breaks import breaks, exceptions
from metrics.queries.pages import Listing
from metrics.risk import late
from metrics.store import Store
from metrics.tables import RecordRow, SliEvent, StreamRow, table
from probes.errors import Reason

from .truths import Key

T = TypeVar("T")
_EVENT, _RECORD, _STREAM = table(SliEvent), table(RecordRow), table(StreamRow)
PAGE = 1000
STALE = "stale_revision"
AILMENTS = {Reason.RATE_LIMIT: "rate_limited", Reason.NOT_VISIBLE: "not_visible"}
"""What a platform that is down suffers from, by the reason of its polls; every other reason: it is down."""


@dataclass(slots=True)
class Said:
    """One finding and the cycles after which it was first seen, last said with this money, and first not said any more."""

    key: Key
    from_us: int
    money_minor: int | None = None
    currency: str | None = None
    to_us: int | None = None


@dataclass
class Listener:
    """Everything that was said so far. `note` is called after every cycle."""

    said: list[Said] = field(default_factory=list)
    _open: dict[Key, Said] = field(default_factory=dict)

    def note(self, store: Store, model: Model, now_us: int) -> None:
        """Look at what is said now."""
        with store.read() as conn:
            now = dict(_findings(conn, model, now_us))
        for gone in [key for key in self._open if key not in now]:
            self._open.pop(gone).to_us = now_us
        for key, (money, currency) in now.items():
            held = self._open.get(key)
            if held is None:
                held = self._open[key] = Said(key, now_us)
                self.said.append(held)
            held.money_minor, held.currency = money, currency


Found = tuple[Key, tuple[int | None, str | None]]


def _findings(conn: Connection, model: Model, now_us: int) -> Iterator[Found]:
    """Yield everything that is said to be wrong; money is absolute, and the largest where one subject has several."""
    found: dict[Key, tuple[int | None, str | None]] = {}
    every = (
        *_overdue(conn, model, now_us),
        *_breaks(conn),
        *troubles(conn),
        *_late(conn),
        *_platforms(conn, model, now_us),
    )
    for key, money in every:
        held = found.get(key)
        if held is None or (money[0] or 0) > (held[0] or 0):
            found[key] = money
    yield from found.items()


def _overdue(conn: Connection, model: Model, now_us: int) -> Iterator[Found]:
    for d in late(conn, model, now_us):
        if d.lost:
            kind = STALE if d.reason == STALE else "missing_in_target"
            yield (kind, d.platform, d.kind, d.external_id), (d.money_minor, d.currency)


def _breaks(conn: Connection) -> Iterator[Found]:
    for b in _all(lambda after: breaks(conn, limit=PAGE, after=after)):
        if b.subject is not None:
            money = None if b.money_minor is None else abs(b.money_minor)
            yield (b.kind, b.subject.platform, b.subject.kind, b.subject.external_id), (money, b.currency)


def troubles(conn: Connection) -> Iterator[Found]:
    """Yield what waits for a person, with what of its document has not come through."""
    listed = list(_all(lambda after: exceptions(conn, limit=PAGE, after=after)))
    ids = sorted({e.subject_id for e in listed})
    names = select(_RECORD.c.id, _RECORD.c.kind, _RECORD.c.external_id).where(_RECORD.c.id.in_(ids))
    subjects = {row.id: (row.kind, row.external_id) for row in conn.execute(names)}
    for e in listed:
        kind, external_id = subjects.get(e.subject_id, (e.kind, str(e.subject_id)))
        said = "stuck" if e.kind == "stuck_run" else "exception"
        yield (said, e.platform, kind, external_id), (e.money_minor, e.currency)


def _late(conn: Connection) -> Iterator[Found]:
    """Yield what came after its deadline: it stays bad, whatever becomes of it."""
    e = _EVENT.c
    come = select(_STREAM.c.platform, _RECORD.c.kind, _RECORD.c.external_id, e.money_minor, e.currency)
    come = come.join_from(_EVENT, _RECORD, _RECORD.c.id == e.anchor_id).join(_STREAM, _STREAM.c.id == e.stream_id)
    for platform, kind, external_id, money, currency in conn.execute(
        come.where(e.outcome == "bad", e.reason == "late")
    ):
        yield ("late", platform, kind, external_id), (money, currency)


def _platforms(conn: Connection, model: Model, now_us: int) -> Iterator[Found]:
    """Yield the platforms that the rule about them holds to be unreadable."""
    for spec in platform_down.defaults(model):
        for finding in platform_down.find(platform_down.read(conn, model, spec, now_us), spec, now_us):
            name = str(finding.scope.platform)
            streams = [s for s in sight.read(conn) if s.platform == name and (s.failures or s.hidden)]
            for kind in sorted({_ailment(s) for s in streams}):
                yield (kind, name, "platform", name), (None, None)


def _ailment(stream: sight.StreamSight) -> str:
    if stream.hidden is not None:
        return "not_visible"
    known = {str(reason): kind for reason, kind in AILMENTS.items()}
    return known.get(stream.reason or "", "platform_down")


def _all(ask: Callable[[str | None], Listing[T]]) -> Iterator[T]:
    after: str | None = None
    while True:
        listing = ask(after)
        yield from listing.items
        if listing.next is None:
            return
        after = listing.next
