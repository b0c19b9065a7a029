"""How a row becomes a record: a mapping compiled once into plain functions, about ten microseconds a row.

A row that cannot be mapped is returned as a BadRow with the slot and the reason; the others land. No I/O.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any

from . import linking
from .decode import Poison
from .mapspec import MapSpec
from .paths import top_name
from .probe import Meter
from .readers import Read
from .record import BadRow, Record
from .slots import MapContext, Slots
from .values import RowError

MAX_RAW = 4000


@dataclass(frozen=True)
class Mapper:
    """A compiled mapping. `fields` are the paths it reads, `columns` the names they start from,

    `expected` those a row should have: what a condition asks for may be absent.
    """

    record: Callable[[Any], Record]
    read_id: Read
    slots: tuple[tuple[str, Read], ...]
    fields: tuple[str, ...]
    columns: tuple[str, ...]
    expected: frozenset[str]
    total: bool

    def page(self, rows: Iterable[Any], meter: Meter) -> tuple[list[Record], list[BadRow]]:
        """Return the records of a page, each id once (the latest change wins), and the rows that could not be mapped."""
        found: dict[str, Record] = {}
        bad: list[BadRow] = []
        record, total = self.record, self.total
        for row in rows:
            try:
                mapped = record(row)
            except (RowError, ArithmeticError, TypeError, ValueError, KeyError, AttributeError) as error:
                bad.append(self.bad(row, error))
                continue
            if total and mapped.state is None and mapped.status is not None and not mapped.deleted:
                meter.unknown_statuses[mapped.status] = meter.unknown_statuses.get(mapped.status, 0) + 1
            other = found.get(mapped.id)
            if other is None or (other.changed_us or 0) <= (mapped.changed_us or 0):
                found[mapped.id] = mapped
        return list(found.values()), bad

    def bad(self, row: Any, error: Exception) -> BadRow:
        """Return the quarantine entry of a row, naming the slot that failed."""
        if isinstance(row, Poison):
            return BadRow("unreadable", row.why, row.raw, None)
        where, message = "row", str(error) or type(error).__name__
        for slot, read in self.slots:
            try:
                read(row)
            except (ValueError, ArithmeticError, TypeError, KeyError, AttributeError) as cause:
                where, message = slot, str(cause) or type(cause).__name__
                break
        try:
            external_id = self.read_id(row)
        except (ValueError, TypeError, AttributeError):
            external_id = None
        return BadRow("mapping", f"{where}: {message}"[:500], raw(row), external_id)


def raw(row: Any) -> str:
    """Return a row as JSON text for quarantine, cut at 4,000 characters."""
    written = json.dumps(row, default=str, ensure_ascii=False, sort_keys=True)
    return written.encode("utf-8", "replace").decode().replace("\x00", "")[:MAX_RAW]


def describe(rows: list[Any], mapper: Mapper, meter: Meter) -> None:
    """Note the shape of rows: a digest of their columns, and mapped columns that none of them has."""
    present = {name for row in rows[:200] if isinstance(row, dict) for name in row}
    if present:
        meter.schema_digest = blake2b("\n".join(sorted(present)).encode(), digest_size=8).hexdigest()
        meter.missing_fields = tuple(sorted(mapper.expected - present))


def compile_map(spec: MapSpec, context: MapContext) -> Mapper:
    """Return the mapper of a mapping on one platform."""
    slots = Slots(spec, context)
    read_id = slots.text("id", spec.id, needed=True)
    record = _record(slots, read_id)
    paths = tuple(dict.fromkeys([*slots.paths, *slots.tested]))
    columns = tuple(dict.fromkeys(top for top in map(top_name, paths) if top))
    expected = frozenset(top for top in map(top_name, slots.paths) if top and not top.startswith("_"))
    total = bool(spec.states or spec.states_lookup or spec.state_rules)
    return Mapper(record, read_id, tuple(slots.slots), paths, columns, expected, total)


def _record(slots: Slots, read_id: Read) -> Callable[[Any], Record]:
    spec, kind = slots.spec, slots.context.kind
    number, status = slots.text("number", spec.number), slots.text("status", spec.status)
    changed, created = slots.stamp("changed", spec.changed), slots.stamp("created", spec.created)
    currency, revision = slots.currency(), slots.revision()
    entity, state = slots.entity(), slots.state()
    parties, on, attributes = slots.parties(), slots.dates(), slots.attributes()
    amounts, milestones = slots.amounts(), slots.milestones()
    references, keys = linking.references(slots), slots.keys()
    exempt, actor = slots.exempt(), slots.actor()
    test, deleted = slots.any("test", spec.test), slots.any("deleted", spec.deleted)

    def record(row: Any) -> Record:
        if type(row) is not dict:
            raise RowError("the row is no object")
        money, word = currency(row), status(row)
        mapped_state = state(row, word)
        return Record(
            kind,
            read_id(row),
            changed(row),
            created(row),
            number(row),
            entity(row),
            parties(row),
            word,
            mapped_state,
            money,
            amounts(row, money),
            on(row),
            milestones(row, mapped_state),
            attributes(row),
            references(row, money),
            keys(row),
            revision(row),
            exempt(row),
            test(row),
            deleted(row),
            actor(row),
        )

    return record
