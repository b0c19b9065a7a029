"""Which records a record names, and which name it: references resolved both ways.

A reference holds a key. A key by id is the target's identity itself; any other key is looked up among the keys that
records are known under. What nobody has seen yet stays a reference without a target.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from sqlalchemy import Connection, select

from metrics.past import Past
from metrics.tables import RecordKey, ReferenceRow, table

from .heads import RECORD, Head, chunks, heads

REFERENCE, KEY = table(ReferenceRow), table(RecordKey)


@dataclass(frozen=True, slots=True)
class Named:
    """One reference seen from one of its ends: `other` is the record at the far end, None when never seen."""

    kind: str
    outgoing: bool
    to_key: str
    amount_minor: int | None
    currency: str | None
    other: Head | None


def keys_of(conn: Connection, record_ids: Iterable[int]) -> dict[int, dict[int, str]]:
    """Return for each record its further business keys, by key identity."""
    found: dict[int, dict[int, str]] = {}
    for batch in chunks(sorted(set(record_ids))):
        for row in conn.execute(select(KEY).where(KEY.c.record_id.in_(batch))):
            found.setdefault(row.record_id, {})[row.key_id] = row.key
    return found


def resolve(conn: Connection, key_ids: Iterable[int]) -> dict[int, int]:
    """Return which record each key identity belongs to, where one was seen; the least record where several share it."""
    found: dict[int, int] = {}
    for batch in chunks(sorted(set(key_ids))):
        for row in conn.execute(
            select(KEY.c.key_id, KEY.c.record_id).where(KEY.c.key_id.in_(batch)).order_by(KEY.c.record_id.desc())
        ):
            found[row.key_id] = row.record_id
        found.update({i: i for (i,) in conn.execute(select(RECORD.c.id).where(RECORD.c.id.in_(batch)))})
    return found


def references(conn: Connection, record_id: int, limit: int = 500, past: Past | None = None) -> list[Named]:
    """Return what the record names, then what names it, both by kind; with `past` only what existed then."""
    out = conn.execute(select(REFERENCE).where(REFERENCE.c.record_id == record_id).limit(limit)).all()
    own = [record_id, *keys_of(conn, [record_id]).get(record_id, {})]
    into = conn.execute(select(REFERENCE).where(REFERENCE.c.to_id.in_(own)).limit(limit)).all()
    targets = resolve(conn, (r.to_id for r in out))
    known = heads(conn, {*targets.values(), *(r.record_id for r in into)}, past)
    named = [Named(r.kind, True, r.to_key, r.amount_minor, r.currency, known.get(targets.get(r.to_id, 0))) for r in out]
    named += [
        Named(r.kind, False, r.to_key, r.amount_minor, r.currency, known[r.record_id])
        for r in into
        if r.record_id in known
    ]
    return sorted(named, key=lambda n: (not n.outgoing, n.kind, n.to_key, n.other.external_id if n.other else ""))
