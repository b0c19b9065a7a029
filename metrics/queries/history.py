"""How a record came to look as it does: its versions, and between each and the one before what changed.

Reads facts only. Values are those that were mapped; what a platform holds beyond them is not known here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
from sqlalchemy import Connection, select

from metrics.past import Past
from metrics.tables import Milestone, PollRun, table
from probes.record import Record, decode_record

from .heads import VERSION, Head

MILESTONE, RUN = table(Milestone), table(PollRun)
_SILENT = ("id", "kind", "changed_us")


@dataclass(frozen=True, slots=True)
class Change:
    """One field that differs from the version before; None where it was absent."""

    field: str
    before: str | None
    after: str | None


@dataclass(frozen=True, slots=True)
class Version:
    """One observation of a record. `after_us`: it changed after that instant; `digest` proves what was seen."""

    order_us: int
    observed_us: int
    after_us: int | None
    digest: str
    actor: str | None
    actor_kind: str | None
    poll_run_id: int | None
    changes: tuple[Change, ...]


@dataclass(frozen=True, slots=True)
class Happening:
    """One milestone of a record, as the interval in which it happened."""

    record_id: int
    name: str
    ordinal: int
    earliest_us: int
    latest_us: int


def versions(conn: Connection, record_id: int, limit: int = 200, past: Past | None = None) -> list[Version]:
    """Return the newest versions of a record, newest first, each with what it changed; with `past` those of then."""
    order = (VERSION.c.order_us.desc(), VERSION.c.observed_us.desc(), VERSION.c.digest.desc())
    then = [] if past is None else [VERSION.c.order_us <= past.at_us]
    held = select(VERSION).where(VERSION.c.record_id == record_id, *then)
    rows = conn.execute(held.order_by(*order).limit(limit + 1)).all()
    decoded = [decode_record(r.body) for r in rows]
    before: list[Record | None] = [*decoded[1:], None] if decoded else []
    found = []
    for row, body, former in zip(rows, decoded, before, strict=True):
        actor = body.actor
        found.append(
            Version(
                row.order_us,
                row.observed_us,
                row.after_us,
                bytes(row.digest).hex(),
                actor.id if actor else None,
                actor.kind if actor else None,
                row.poll_run_id,
                changes(former, body) if former else (),
            )
        )
    return found[:limit]


def changes(before: Record, after: Record) -> tuple[Change, ...]:
    """Return the mapped fields that differ, nested ones by dotted path."""
    old, new = _flat(before), _flat(after)
    return tuple(Change(f, old.get(f), new.get(f)) for f in sorted(old.keys() | new.keys()) if old.get(f) != new.get(f))


def fields(record: Record) -> dict[str, str]:
    """Return every mapped field of a record as text, nested ones by dotted path."""
    return _flat(record)


def _flat(record: Record) -> dict[str, str]:
    found: dict[str, str] = {}
    for name, value in msgspec.to_builtins(record).items():
        if name not in _SILENT:
            _spread(name, value, found)
    return found


def _spread(path: str, value: Any, into: dict[str, str]) -> None:
    if isinstance(value, dict):
        for name, inner in value.items():
            _spread(f"{path}.{name}", inner, into)
    elif isinstance(value, list | tuple):
        into[path] = ", ".join(_item(v) for v in value)
    elif value is not None:
        into[path] = str(value)


def _item(value: Any) -> str:
    return f"{value['kind']} {value['to']}" if isinstance(value, dict) and "to" in value else str(value)


def happenings(conn: Connection, records: Sequence[Head], past: Past | None = None) -> list[Happening]:
    """Return the milestones of these records; revisions are no milestones to people. A creation is one in any case."""
    ids = [r.id for r in records]
    then = [] if past is None else [MILESTONE.c.latest_us <= past.at_us]
    statement = select(MILESTONE).where(MILESTONE.c.record_id.in_(ids), MILESTONE.c.name != "revision", *then)
    rows = conn.execute(statement.order_by(MILESTONE.c.earliest_us, MILESTONE.c.record_id, MILESTONE.c.name))
    found = [Happening(r.record_id, r.name, r.ordinal, r.earliest_us, r.latest_us) for r in rows]
    told = {h.record_id for h in found if h.name == "created"}
    born = [(r.id, r.created_us) for r in records if r.id not in told and r.created_us is not None]
    return found + [Happening(record_id, "created", 1, at, at) for record_id, at in born]
