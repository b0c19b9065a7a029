"""Which channels do not deliver: the messages they lost or hold back. Told to every other channel."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from sqlalchemy import Connection, func, select

from alerts.findings import Alert, Finding, Scope, Timing, fingerprint
from alerts.spec import Common, Duration
from alerts.tables import OutboxRow, table
from metrics.definitions import Model
from probes.clock import DAY, HOUR, duration_us

TIMING = Timing()
ADVICE = (
    "Mend the channel's address or credentials, then try it with a test message; until then nobody is told through it."
)
REMEMBERED_US = DAY
FRESH_US = HOUR

_OUTBOX = table(OutboxRow)


class Spec(Common):
    """A channel is broken when a message died on it since its last success, or one waits longer than `waiting`."""

    rule: Literal["channel_broken"] = "channel_broken"
    waiting: Duration = duration_us("15m")


@dataclass(frozen=True, slots=True)
class Undelivered:
    """A message that did not get through."""

    id: int
    channel: str
    status: str
    created_us: int
    failed_us: int
    reason: str


@dataclass(frozen=True, slots=True)
class Facts:
    """What did not get through, and each channel's last success."""

    undelivered: tuple[Undelivered, ...]
    last_sent: dict[str, int]


def defaults(model: Model) -> Sequence[Spec]:
    """Propose to watch every channel."""
    return (Spec(severity="critical"),)


def problems(spec: Spec, model: Model) -> Sequence[str]:
    """Return nothing: there is nothing to choose."""
    return []


def read(conn: Connection, model: Model, spec: Spec, now_us: int) -> Facts:
    """Read what failed in the last day and what still waits after a failure."""
    c = _OUTBOX.c
    rows = conn.execute(
        select(c.id, c.channel, c.status, c.created_us, c.failed_us, c.reason)
        .where(c.status.in_(("dead", "queued")), c.failed_us > now_us - REMEMBERED_US)
        .order_by(c.channel, c.id)
    )
    sent = conn.execute(select(c.channel, func.max(c.id)).where(c.status == "sent").group_by(c.channel))
    return Facts(tuple(Undelivered(*row) for row in rows), {row[0]: row[1] for row in sent})


def find(facts: Facts, spec: Spec, now_us: int) -> list[Finding]:
    """Return one finding per channel that does not deliver."""
    broken: dict[str, list[Undelivered]] = {}
    for item in facts.undelivered:
        if _counts(item, facts.last_sent.get(item.channel, 0), spec, now_us):
            broken.setdefault(item.channel, []).append(item)
    return [_finding(channel, items, spec, now_us) for channel, items in broken.items()]


def _counts(item: Undelivered, last_sent: int, spec: Spec, now_us: int) -> bool:
    if item.status == "dead":
        return item.id > last_sent or item.failed_us > now_us - FRESH_US
    return now_us - item.created_us >= spec.waiting


def _finding(channel: str, items: list[Undelivered], spec: Spec, now_us: int) -> Finding:
    dead = sum(i.status == "dead" for i in items)
    return Finding(
        fingerprint=fingerprint(spec.key, channel),
        rule=spec.rule,
        spec=spec.key,
        severity=spec.severity or "critical",
        title=f"Channel {channel} does not deliver",
        since_us=min(i.created_us for i in items),
        as_of_us=now_us,
        scope=Scope(channel=channel, owner=spec.owner),
        details=(
            ("Messages", f"{dead} lost, {len(items) - dead} waiting"),
            ("Last answer", items[-1].reason or "none"),
        ),
    )


def blind(facts: Facts, spec: Spec, alert: Alert, now_us: int) -> str | None:
    """Return None: our own outbox is always seen."""
    return None
