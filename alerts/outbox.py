"""How queued messages leave: send, then mark, channel by channel, each in its own thread so that none waits for another.

A crash between send and mark sends the same key again once the lease is over; the other order would lose messages. Within a
channel messages keep their order: the first that has to wait makes the rest wait.
"""

from __future__ import annotations

import logging
import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from threading import Lock, Thread

from sqlalchemy import Connection, func, select, update

from metrics.store import Store
from probes.clock import HOUR, MINUTE, SECOND, Clock, monotonic, to_us

from . import ledger
from .channels import ChannelError, channels
from .message import Message, compose
from .settings import AlertSettings
from .tables import OutboxRow, TransitionRow, table

LEASE_US = 2 * MINUTE
FIRST_WAIT_US = 5 * SECOND
LONGEST_WAIT_US = 5 * MINUTE
LONGEST_RETRY_AFTER_US = HOUR
DEADLINE_SECONDS = 30.0

_OUTBOX, _TRANSITION = table(OutboxRow), table(TransitionRow)
_log = logging.getLogger(__name__)
Sender = Callable[[Message], str | None]


@dataclass(frozen=True, slots=True)
class DeliverySummary:
    """What a delivery did. `waiting`: messages still queued. `unfinished`: channels that had not answered at the deadline."""

    sent: int = 0
    retried: int = 0
    dead: int = 0
    waiting: int = 0
    unfinished: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Claim:
    """A message that is ours to send until the lease ends."""

    id: int
    token: str
    attempts: int
    created_us: int
    message: Message


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one attempt. `go_on`: whether the channel can take the next message now."""

    status: str
    reason: str | None = None
    next_us: int | None = None
    go_on: bool = False


@dataclass(slots=True)
class _Tally:
    """Counts of all lanes of one delivery; a lane that outlives the deadline still writes into it, unread."""

    counts: dict[str, int] = field(default_factory=dict)
    lock: Lock = field(default_factory=Lock)

    def add(self, status: str) -> None:
        with self.lock:
            self.counts[status] = self.counts.get(status, 0) + 1


def deliver(
    store: Store, settings: AlertSettings, now_us: int, *, clock: Clock, deadline_seconds: float = DEADLINE_SECONDS
) -> DeliverySummary:
    """Send what is due on every channel. Never raises for what a channel does."""
    retired = _retire(store, settings)
    tally = _Tally()
    lanes = {
        name: Thread(target=_lane, args=(store, settings, name, clock, tally), name=f"channel-{name}", daemon=True)
        for name in _due(store, now_us)
    }
    for thread in lanes.values():
        thread.start()
    until = monotonic() + deadline_seconds
    for thread in lanes.values():
        thread.join(max(0.0, until - monotonic()))
    with store.read() as conn:
        waiting = conn.execute(select(func.count()).where(_OUTBOX.c.status == "queued")).scalar_one()
    return DeliverySummary(
        sent=tally.counts.get("sent", 0),
        retried=tally.counts.get("queued", 0),
        dead=tally.counts.get("dead", 0) + retired,
        waiting=waiting,
        unfinished=tuple(name for name, thread in lanes.items() if thread.is_alive()),
    )


def _retire(store: Store, settings: AlertSettings) -> int:
    """Give up messages for channels that are not configured any more; that is no failure of theirs, so none is noted."""
    c = _OUTBOX.c
    with store.read() as conn:
        waiting = set(conn.execute(select(c.channel).where(c.status == "queued").distinct()).scalars())
    gone = sorted(waiting - set(settings.channels))
    if not gone:
        return 0
    with store.write() as conn:
        values = {"status": "dead", "failed_us": None, "reason": "the channel is not configured any more"}
        return conn.execute(update(_OUTBOX).where(c.status == "queued", c.channel.in_(gone)).values(**values)).rowcount


def _due(store: Store, now_us: int) -> list[str]:
    """Return the channels whose first waiting message may be tried now."""
    c = _OUTBOX.c
    with store.read() as conn:
        heads = select(func.min(c.id)).where(c.status == "queued").group_by(c.channel)
        rows = conn.execute(select(c.channel, c.next_us, c.lease_us).where(c.id.in_(heads)).order_by(c.channel)).all()
    return [name for name, next_us, lease_us in rows if next_us <= now_us and (lease_us is None or lease_us <= now_us)]


def _lane(store: Store, settings: AlertSettings, name: str, clock: Clock, tally: _Tally) -> None:
    """Send the messages of one channel in their order until one has to wait."""
    channel = settings.channels[name]
    module = channels()[channel.kind]  # type: ignore[attr-defined] # every channel's settings have a kind
    try:
        while (claim := _claim(store, settings, name, to_us(clock()))) is not None:
            outcome = attempt(lambda message: module.send(channel, message), claim, settings.give_up, clock)
            _mark(store, claim, outcome, to_us(clock()))
            tally.add(outcome.status)
            if not outcome.go_on:
                return
    except Exception:  # noqa: BLE001 # a lane is an outermost loop: the others go on, the lease brings the message back
        _log.exception("delivery on channel %s stopped; its message is tried again when the lease is over", name)


def _claim(store: Store, settings: AlertSettings, name: str, now_us: int) -> Claim | None:
    c, t = _OUTBOX.c, _TRANSITION.c
    token = secrets.token_hex(8)
    with store.write() as conn:
        head = select(_OUTBOX).where(c.channel == name, c.status == "queued").order_by(c.id).limit(1).with_for_update()
        row = conn.execute(head).mappings().first()
        if row is None or row["next_us"] > now_us or (row["lease_us"] is not None and row["lease_us"] > now_us):
            return None
        told = conn.execute(select(t.alert_id, t.episode, t.facts).where(t.id == row["transition_id"])).one()
        values = {"lease_us": now_us + LEASE_US, "lease_token": token, "attempts": row["attempts"] + 1}
        conn.execute(update(_OUTBOX).where(c.id == row["id"]).values(**values))
    message = compose(
        row["kind"],
        ledger.decode_facts(told.facts),
        key=row["dedup_key"],
        alert=told.alert_id,
        episode=told.episode,
        public_url=settings.public_url,
    )
    return Claim(row["id"], token, row["attempts"] + 1, row["created_us"], message)


def attempt(send: Sender, claim: Claim, give_up_us: int, clock: Clock) -> Outcome:
    """Send once and judge the answer: accepted, refused for good, or to be tried again."""
    try:
        remark = send(claim.message)
    except ChannelError as error:
        now_us = to_us(clock())
        if error.permanent:
            return Outcome("dead", str(error), go_on=error.fault == "message")
        if now_us - claim.created_us >= give_up_us:
            return Outcome("dead", f"given up: {error}")
        return Outcome("queued", str(error), now_us + wait_us(claim.attempts, error.retry_after_seconds))
    return Outcome("sent", remark, go_on=True)


def wait_us(attempts: int, retry_after_seconds: float | None) -> int:
    """Return how long to wait after the n-th failure: what the receiver asks for, else twice as long each time."""
    own = min(LONGEST_WAIT_US, FIRST_WAIT_US << min(attempts - 1, 16))
    if retry_after_seconds is None:
        return own
    return min(LONGEST_RETRY_AFTER_US, max(SECOND, int(retry_after_seconds * SECOND)))


def _mark(store: Store, claim: Claim, outcome: Outcome, now_us: int) -> None:
    """Put down what became of a message, unless the lease passed to somebody else meanwhile."""
    values: dict[str, object] = {"status": outcome.status, "reason": outcome.reason, "lease_us": None}
    if outcome.status == "sent":
        values["sent_us"] = now_us
    else:
        values["failed_us"] = now_us
    if outcome.next_us is not None:
        values["next_us"] = outcome.next_us
    c = _OUTBOX.c
    with store.write() as conn:
        conn.execute(update(_OUTBOX).where(c.id == claim.id, c.lease_token == claim.token).values(**values))


def lag_us(conn: Connection, now_us: int) -> int | None:
    """Return how long the oldest undelivered message has waited, None when none waits."""
    oldest = conn.execute(select(func.min(_OUTBOX.c.created_us)).where(_OUTBOX.c.status == "queued")).scalar()
    return None if oldest is None else max(0, now_us - int(oldest))


def requeue(store: Store, channel: str, now_us: int) -> int:
    """Queue the dead messages of a channel that was mended again. Returns: how many."""
    c = _OUTBOX.c
    values = {
        "status": "queued",
        "next_us": now_us,
        "created_us": now_us,
        "attempts": 0,
        "failed_us": None,
        "reason": None,
    }
    with store.write() as conn:
        return conn.execute(update(_OUTBOX).where(c.channel == channel, c.status == "dead").values(**values)).rowcount
