"""What became of records that a platform no longer lists: a deleted version each, seen by comparing ids.

Only a complete sweep speaks; records observed after it began are left alone, for they may be younger than its list.
"""

from __future__ import annotations

from collections.abc import Set

import msgspec
from sqlalchemy import Connection, select

from probes.probe import Page

from .intake import RECORD, Landed, Source, land, load_versions
from .projection import SEQUENCE
from .touching import Toucher

_PAGE = 500


def mark_deleted(
    conn: Connection, source: Source, kind: str, present: Set[str], started_us: int, now_us: int, toucher: Toucher
) -> int:
    """Add a deleted version to every held record of a kind that the sweep did not list. Returns how many."""
    query = select(RECORD.c.id, RECORD.c.external_id).where(
        RECORD.c.stream_id == source.stream_id,
        RECORD.c.kind == kind,
        RECORD.c.deleted_us.is_(None),
        RECORD.c.observed_us < started_us,
    )
    gone = [rid for rid, external_id in conn.execute(query) if external_id not in present]
    for start in range(0, len(gone), _PAGE):
        held = load_versions(conn, gone[start : start + _PAGE])
        records = [
            msgspec.structs.replace(max(versions, key=SEQUENCE).record, deleted=True) for versions in held.values()
        ]
        land(conn, Page(records, {}, now_us), source, toucher, Landed())
    return len(gone)
