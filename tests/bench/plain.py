"""What does writing the same rows cost where nothing has to be kept in order? Plain tables: same columns, no key, no index."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from .measure import Taken, taking

Row = tuple[Any, ...]
CHUNK = 10_000


def plain_table(conn: sqlite3.Connection, name: str, columns: Sequence[str]) -> None:
    """Create the table."""
    conn.execute(f'CREATE TABLE "{name}" ({", ".join(chr(34) + c + chr(34) for c in columns)})')


def insert(conn: sqlite3.Connection, name: str, rows: Sequence[Row]) -> None:
    """Insert rows as they are."""
    if rows:
        conn.executemany(f'INSERT INTO "{name}" VALUES ({", ".join("?" * len(rows[0]))})', rows)


def dump_all(store: Path, to: Path, names: Sequence[str]) -> None:
    """Copy whole tables of a store into plain ones."""
    with sqlite3.connect(store) as raw, sqlite3.connect(to) as out:
        for name in names:
            cursor = raw.execute(f'SELECT * FROM "{name}"')
            plain_table(out, name, [d[0] for d in cursor.description])
            insert(out, name, cursor.fetchall())
    raw.close()
    out.close()


def copy_plainly(dump: Path, to: Path, names: Sequence[str]) -> Taken:
    """Write the dumped rows into a fresh file, 10,000 a transaction; reading them beforehand is not measured."""
    held: dict[str, list[Row]] = {}
    to.unlink(missing_ok=True)
    raw = sqlite3.connect(to)
    raw.execute("PRAGMA journal_mode=WAL")
    raw.execute("PRAGMA synchronous=NORMAL")
    with sqlite3.connect(dump) as source:
        for name in names:
            cursor = source.execute(f'SELECT * FROM "{name}"')
            plain_table(raw, name, [d[0] for d in cursor.description])
            held[name] = cursor.fetchall()
    source.close()
    with taking() as taken:
        for name, rows in held.items():
            for start in range(0, len(rows), CHUNK):
                with raw:
                    insert(raw, name, rows[start : start + CHUNK])
    raw.close()
    return taken
