"""What became of records that a platform no longer lists: a deleted version each, seen by comparing ids.

Only a complete sweep speaks; records observed after it began are left alone, for they may be younger than its list. A list
without a single record of a legal entity that has several is not believed: the probe lost sight of it.
"""

from __future__ import annotations

from collections.abc import Set
from typing import Any

import msgspec
from sqlalchemy import ColumnElement, Connection, Select, select

from probes.probe import Page

from .intake import RECORD, Landed, Source, land, load_versions
from .projection import SEQUENCE
from .touching import Toucher

_PAGE = 500
_SEVERAL = 3
"""Fewer records of an entity than this may all have been deleted."""


def lost_sight(conn: Connection, source: Source, kind: str, present: Set[str], started_us: int) -> str | None:
    """Return why a list of ids cannot be all there is: it lacks every record held of a legal entity. None when it can."""
    held: dict[str | None, list[str]] = {}
    for entity, external_id in conn.execute(_held(source, kind, started_us, RECORD.c.entity, RECORD.c.external_id)):
        held.setdefault(entity, []).append(external_id)
    gone = [e or "every entity" for e, ids in held.items() if len(ids) >= _SEVERAL and present.isdisjoint(ids)]
    if not gone:
        return None
    return f"not one of the records held of {', '.join(sorted(gone))} is listed: the probe may have lost sight of them"


def _held(source: Source, kind: str, started_us: int, *columns: ColumnElement[Any]) -> Select[Any]:
    return select(*columns).where(
        RECORD.c.stream_id == source.stream_id,
        RECORD.c.kind == kind,
        RECORD.c.deleted_us.is_(None),
        RECORD.c.observed_us < started_us,
    )


def mark_deleted(
    conn: Connection, source: Source, kind: str, present: Set[str], started_us: int, now_us: int, toucher: Toucher
) -> int:
    """Add a deleted version to every held record of a kind that the sweep did not list. Returns how many."""
    query = _held(source, kind, started_us, RECORD.c.id, RECORD.c.external_id)
    gone = [rid for rid, external_id in conn.execute(query) if external_id not in present]
    for start in range(0, len(gone), _PAGE):
        held = load_versions(conn, gone[start : start + _PAGE])
        records = [
            msgspec.structs.replace(max(versions, key=SEQUENCE).record, deleted=True) for versions in held.values()
        ]
        land(conn, Page(records, {}, now_us), source, toucher, Landed())
    return len(gone)
