"""Which records came in one go: many of a kind, by one actor, within ten minutes. A load is not business happening.

What a burst made is excluded from event SLIs (`bulk_load`) and told of once. Kept as rows, found when records land, so that
judging joins it instead of counting.
"""

from __future__ import annotations

from collections.abc import Iterable

from sqlalchemy import Connection, text

from probes.clock import MINUTE
from probes.record import Record

from .store import bulk_insert
from .tables import Burst, table

WINDOW_US = 10 * MINUTE
LEAST = 50
BURST = table(Burst)
_COLUMNS = ("stream_id", "kind", "actor_id", "bucket_us")
_COUNT = text(
    "SELECT COUNT(*) FROM record WHERE stream_id = :stream AND kind = :kind AND created_us >= :low AND created_us < :high"
    " AND actor_id = :actor"
)
_MEMBERS = text(
    "SELECT id FROM record WHERE stream_id = :stream AND kind = :kind AND created_us >= :low AND created_us < :high"
    " AND actor_id = :actor"
)
_ALL = text(
    "INSERT INTO burst (stream_id, kind, actor_id, bucket_us) SELECT stream_id, kind, actor_id, created_us - created_us % :window"
    " FROM record WHERE actor_id IS NOT NULL AND created_us IS NOT NULL AND kind <> 'customer'"
    " GROUP BY stream_id, kind, actor_id, created_us - created_us % :window HAVING COUNT(*) >= :least"
)
# Integer division instead of %, which a PostgreSQL driver would read as a placeholder.
JOIN = (
    f" LEFT JOIN burst bu ON bu.stream_id = r.stream_id AND bu.kind = r.kind AND bu.actor_id = r.actor_id"
    f" AND bu.bucket_us = r.created_us / {WINDOW_US} * {WINDOW_US}"
)
"""Joins `burst` to a record called `r`; `bu.bucket_us IS NOT NULL` then says that it came in one."""


def note_bursts(conn: Connection, stream_id: int, landed: Iterable[Record]) -> dict[str, set[int]]:
    """Note the bursts that these new records complete. Returns, per kind, every record of a burst that just became one."""
    spots = {
        (r.kind, r.actor.id, r.created_us - r.created_us % WINDOW_US)
        for r in landed
        if r.actor is not None and r.actor.grade == "field" and r.created_us is not None and r.kind != "customer"
    }
    members: dict[str, set[int]] = {}
    for kind, actor, bucket in sorted(spots):
        given = {"stream": stream_id, "kind": kind, "actor": actor, "low": bucket, "high": bucket + WINDOW_US}
        if conn.execute(_COUNT, given).scalar_one() < LEAST:
            continue
        if bulk_insert(conn, BURST, [(stream_id, kind, actor, bucket)], _COLUMNS, "ON CONFLICT DO NOTHING"):
            members.setdefault(kind, set()).update(conn.execute(_MEMBERS, given).scalars())
    return members


def rebuild_bursts(conn: Connection) -> None:
    """Find all bursts among the records."""
    conn.execute(_ALL, {"window": WINDOW_US, "least": LEAST})
