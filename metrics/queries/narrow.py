"""How a list over verdicts is narrowed to a platform, legal entity or customer, and given the names people read.

Every list of documents, breaks and exceptions uses this one place, so two lists with the same filters hold the same rows.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, Table, select

from metrics.definitions import Model
from metrics.filters import Filters
from metrics.past import Past, past_of

from .heads import CROSSWALK, RECORD, STREAM


@dataclass(frozen=True, slots=True)
class Narrow:
    """What a list is narrowed to; None leaves that open. `customer_id` is the customer's own identity.

    `past`: the instant the list stands for; None is now.
    """

    platform: str | None = None
    entity: str | None = None
    customer_id: int | None = None
    segment: str | None = None
    past: Past | None = None

    @property
    def everywhere(self) -> bool:
        """Return whether the whole company is asked about, at whatever instant."""
        return (self.platform, self.entity, self.customer_id, self.segment) == (None, None, None, None)


EVERYTHING = Narrow()


def narrow(conn: Connection, model: Model, filters: Filters) -> Narrow:
    """Return the filters of figures as lists take them."""
    f = filters
    return Narrow(f.platform, f.entity, f.customer_id, f.segment, past_of(conn, model, f.as_of_us))


def conditions(conn: Connection, where: Narrow, rows: Table) -> list[ColumnElement[bool]]:
    """Return the conditions on a table that has `entity`, `customer_id` and, for the platform, `stream_id`."""
    found: list[ColumnElement[bool]] = []
    if where.platform is not None and "stream_id" in rows.c:
        found.append(rows.c.stream_id.in_(select(STREAM.c.id).where(STREAM.c.platform == where.platform)))
    elif where.platform is not None:
        streams = select(STREAM.c.id).where(STREAM.c.platform == where.platform)
        found.append(rows.c.subject_id.in_(select(RECORD.c.id).where(RECORD.c.stream_id.in_(streams))))
    if where.entity is not None:
        found.append(rows.c.entity == where.entity)
    if where.customer_id is not None:
        found.append(rows.c.customer_id.in_(customer_records(conn, where.customer_id)))
    if where.segment is not None:
        found.append(rows.c.customer_id.in_(_of_segment(where.segment)))
    return found


def customer_records(conn: Connection, customer_id: int) -> list[int]:
    """Return the platforms' customer records that belong to a customer, itself included."""
    rows = conn.execute(select(CROSSWALK.c.record_id).where(CROSSWALK.c.customer_id == customer_id))
    return sorted({customer_id, *(r.record_id for r in rows)})


def _of_segment(segment: str) -> Select[Any]:
    shown = select(CROSSWALK.c.record_id).join(RECORD, RECORD.c.id == CROSSWALK.c.customer_id)
    return shown.where(RECORD.c.segment == segment)


def sums(rows: Iterable[tuple[str | None, int | None]]) -> Mapping[str, int]:
    """Return money by currency; rows without an amount or a currency add nothing."""
    total: dict[str, int] = {}
    for currency, minor in rows:
        if currency is not None and minor is not None:
            total[currency] = total.get(currency, 0) + minor
    return dict(sorted(total.items()))
