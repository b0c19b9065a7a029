"""Which part of the company a question is about. One place turns that into SQL, so a figure and its list agree."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol


class HasStreams(Protocol):
    """What narrowing by platform needs to know."""

    @property
    def rows(self) -> Any: ...


_SAME_CUSTOMER = (
    "(SELECT c1.record_id FROM crosswalk c1 JOIN crosswalk c2 ON c2.customer_id = c1.customer_id"
    " WHERE c2.record_id = :customer_id)"
)


@dataclass(frozen=True)
class Filters:
    """Narrow an answer. `as_of_us`: milestones after it have not happened; `window_us` replaces the SLI's own window."""

    flow: str | None = None
    platform: str | None = None
    entity: str | None = None
    segment: str | None = None
    customer_id: int | None = None
    as_of_us: int | None = None
    window_us: int | None = None

    @property
    def by_customer(self) -> bool:
        """Return whether the answer depends on who the customer is: roll-ups do not know that."""
        return self.segment is not None or self.customer_id is not None

    def events_join(self) -> str:
        """Return the joins that the conditions of `events_where` need; the crosswalk is joined when read."""
        if self.segment is None:
            return ""
        return "LEFT JOIN crosswalk cw ON cw.record_id = e.customer_id LEFT JOIN record cu ON cu.id = cw.customer_id"

    def events_where(self, view: HasStreams, alias: str = "e") -> tuple[str, dict[str, Any]]:
        """Return SQL conditions, each beginning with AND, and their parameters."""
        sql = ""
        given: dict[str, Any] = {}
        if self.platform is not None:
            streams = [s for s, row in view.rows.items() if row.platform == self.platform]
            sql += f" AND {alias}.stream_id IN ({', '.join(map(str, streams)) or 'NULL'})"
        if self.entity is not None:
            sql += f" AND {alias}.entity = :entity"
            given["entity"] = self.entity
        if self.customer_id is not None:
            sql += f" AND {alias}.customer_id IN {_SAME_CUSTOMER}"
            given["customer_id"] = self.customer_id
        if self.segment is not None:
            sql += " AND cu.segment = :segment"
            given["segment"] = self.segment
        return sql, given
