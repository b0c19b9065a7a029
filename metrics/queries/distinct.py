"""Which values an indexed column holds, asked so that it costs as many steps as there are values, however many rows."""

from __future__ import annotations

from sqlalchemy import ColumnElement, Connection, func, select


def distinct(conn: Connection, column: ColumnElement[str], *conditions: ColumnElement[bool]) -> list[str]:
    """Return the different values, ascending. An index must begin with the column."""
    found: list[str] = []
    least = select(func.min(column)).where(*conditions)
    value = conn.execute(least).scalar()
    while value is not None:
        found.append(value)
        value = conn.execute(least.where(column > value)).scalar()
    return found
