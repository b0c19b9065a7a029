"""Which part of the company a question is about. One place turns that into SQL, so a figure and its list agree."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol


class HasStreams(Protocol):
    """What narrowing by platform needs to know."""

    @property
    def rows(self) -> Any: ...


_CUSTOMER = "(SELECT c2.customer_id FROM crosswalk c2 WHERE c2.record_id = :customer_id)"


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

    def events(self, *, named: bool = False) -> str:
        """Return what events `e` are read from, for the conditions of `events_where`; `named`: with their customer `cu`.

        The crosswalk is joined when read. Of one customer it comes first, and its events are found by its ids.
        """
        sql = "sli_event e" if self.customer_id is None else "crosswalk c1 CROSS JOIN sli_event e"
        if self.segment is None and not named:
            return sql
        return (
            sql
            + " LEFT JOIN crosswalk cw ON cw.record_id = e.customer_id LEFT JOIN record cu ON cu.id = cw.customer_id"
        )

    def events_where(self, view: HasStreams) -> tuple[str, dict[str, Any]]:
        """Return SQL conditions on these events, each beginning with AND, and their parameters."""
        sql, given = self._where(view, "e")
        if self.customer_id is not None:
            sql += f" AND e.customer_id = c1.record_id AND c1.customer_id = {_CUSTOMER}"
        return sql, given

    def documents_where(self, view: HasStreams, alias: str) -> tuple[str, dict[str, Any]]:
        """Return the same conditions on documents, which name their customer as events do; a segment is that of `cu`."""
        sql, given = self._where(view, alias)
        if self.customer_id is not None:
            sql += f" AND {alias}.customer_id IN (SELECT c1.record_id FROM crosswalk c1 WHERE c1.customer_id = {_CUSTOMER})"
        return sql, given

    def _where(self, view: HasStreams, alias: str) -> tuple[str, dict[str, Any]]:
        sql, given = "", {"entity": self.entity, "customer_id": self.customer_id, "segment": self.segment}
        if self.platform is not None:
            streams = [s for s, row in view.rows.items() if row.platform == self.platform]
            sql += f" AND {alias}.stream_id IN ({', '.join(map(str, streams)) or 'NULL'})"
        if self.entity is not None:
            sql += f" AND {alias}.entity = :entity"
        if self.segment is not None:
            sql += " AND cu.segment = :segment"
        return sql, {name: value for name, value in given.items() if value is not None}
