"""What there is to choose from in a filter: legal entities, platforms and segments that were ever seen."""

from __future__ import annotations

from sqlalchemy import Connection, select

from metrics.tables import PlatformRow, Scope, table

from .distinct import distinct
from .heads import IS_CUSTOMER, RECORD

SCOPE, PLATFORM = table(Scope), table(PlatformRow)


def entities(conn: Connection) -> list[str]:
    """Return the legal entities that any stream has shown."""
    return sorted(name for (name,) in conn.execute(select(SCOPE.c.entity).distinct()) if name)


def platforms(conn: Connection) -> list[str]:
    """Return the names of the platforms."""
    return list(conn.execute(select(PLATFORM.c.name).order_by(PLATFORM.c.name)).scalars())


def segments(conn: Connection) -> list[str]:
    """Return the customer segments that any platform tells."""
    return distinct(conn, RECORD.c.segment, IS_CUSTOMER)
