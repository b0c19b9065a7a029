"""How columns are declared: keys in byte order, instants and money as 64-bit integers."""

from __future__ import annotations

from typing import Any

from sqlalchemy import BigInteger, Column, Index, Integer, String, text
from sqlmodel import Field

# One byte order for keys everywhere: SQLite compares bytes already, PostgreSQL is told to.
KEY_TEXT = String().with_variant(String(collation="C"), "postgresql")


def big(*, key: bool = False, null: bool = False, index: bool = False) -> Any:
    """Return a 64-bit integer column: an instant, an amount, an identity."""
    return Field(
        default=None,
        sa_column=Column(BigInteger, primary_key=key, nullable=null and not key, index=index, autoincrement=False),
    )


def rowid() -> Any:
    """Return an integer key that on SQLite is the table's own order, so that a record is found in one step."""
    column: Column[int] = Column(
        BigInteger().with_variant(Integer, "sqlite"), primary_key=True, nullable=False, autoincrement=False
    )
    return Field(default=None, sa_column=column)


def key(*, key: bool = True, null: bool = False) -> Any:
    """Return a text column compared byte by byte, part of the primary key unless told otherwise."""
    return Field(default=None, sa_column=Column(KEY_TEXT, primary_key=key, nullable=null and not key))


def index_where(name: str, *columns: str, where: str) -> Index:
    """Return an index of few rows: those that are ever looked for by it."""
    return Index(name, *columns, sqlite_where=text(where), postgresql_where=text(where))


BILLED = text("bill_to_id IS NOT NULL")  # most documents are paid by whom they were sold to
COMPACT = {"sqlite_with_rowid": False}
ASKING = text("reason IN ('confirming', 'not_visible')")
"""Of millions of verdicts the few that wait for a direct read: an index of their own finds them."""
