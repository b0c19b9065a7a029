"""Which loads just came: many records that one actor made within minutes. One notice each, for they are outside the SLIs.

A notice is told once and ends by itself a day after the load.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Literal

from sqlalchemy import Connection, and_, func, select

from alerts.findings import Alert, Finding, Scope, Timing, fingerprint
from alerts.spec import Common, Words, unknown
from metrics.bursts import WINDOW_US
from metrics.definitions import Model
from metrics.tables import Burst, RecordRow, StreamRow, table
from probes.clock import DAY

TIMING = Timing()
ADVICE = (
    "Ask whose load it was. If it was meant, nothing needs doing; if not, stop it before the integrations carry it on."
)
REMEMBERED_US = DAY

_BURST, _RECORD, _STREAM = table(Burst), table(RecordRow), table(StreamRow)


class Spec(Common):
    """Without `platform` every platform is watched."""

    rule: Literal["bulk_load"] = "bulk_load"
    platform: Words = ()


@dataclass(frozen=True, slots=True)
class Load:
    """What one actor made of one kind on one platform within the last day, and when it began."""

    platform: str
    actor: str
    kind: str
    since_us: int
    count: int


def defaults(model: Model) -> Sequence[Spec]:
    """Propose one notice per load on any platform."""
    return (Spec(severity="info"),) if model.platforms else ()


def problems(spec: Spec, model: Model) -> Sequence[str]:
    """Return what is wrong with a spec for this company."""
    return unknown("platform", spec.platform, model.platforms)


def read(conn: Connection, model: Model, spec: Spec, now_us: int) -> tuple[Load, ...]:
    """Read the loads of the last day, with how many records each brought."""
    b, r, s = _BURST.c, _RECORD.c, _STREAM.c
    within = and_(
        r.stream_id == b.stream_id,
        r.kind == b.kind,
        r.actor_id == b.actor_id,
        r.created_us >= b.bucket_us,
        r.created_us < b.bucket_us + WINDOW_US,
    )
    query = (
        select(s.platform, b.actor_id, b.kind, func.min(b.bucket_us), func.count())
        .join_from(_BURST, _RECORD, within)
        .join(_STREAM, s.id == b.stream_id)
        .where(b.bucket_us > now_us - REMEMBERED_US, s.platform.in_(spec.platform or tuple(model.platforms)))
        .group_by(s.platform, b.actor_id, b.kind)
        .order_by(s.platform, b.actor_id, b.kind)
    )
    since = model.watched_since_us
    loads = [Load(*row) for row in conn.execute(query)]
    return tuple(load for load in loads if since is None or load.since_us >= since)


def find(facts: tuple[Load, ...], spec: Spec, now_us: int) -> list[Finding]:
    """Return one finding per platform and actor, however many kinds of records the load made."""
    groups = groupby(facts, key=lambda load: (load.platform, load.actor))
    return [_finding(spec, platform, actor, list(loads)) for (platform, actor), loads in groups]


def _finding(spec: Spec, platform: str, actor: str, loads: list[Load]) -> Finding:
    counts = ", ".join(f"{load.count:,} {load.kind.replace('_', ' ')}" for load in loads)
    return Finding(
        fingerprint=fingerprint(spec.key, platform, actor),
        rule=spec.rule,
        spec=spec.key,
        severity=spec.severity or "info",
        title=f"Bulk load on {platform}",
        since_us=min(load.since_us for load in loads),
        as_of_us=None,
        scope=Scope(platform=platform, owner=spec.owner),
        details=(("Made by", actor), ("Records", counts), ("Effect", "its documents are outside the event SLIs")),
    )


def blind(facts: tuple[Load, ...], spec: Spec, alert: Alert, now_us: int) -> str | None:
    """Return nothing: a load is over when a day has passed."""
    return None
