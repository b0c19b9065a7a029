"""What does writing the same rows cost by itself? Into the tables of a store, or into plain ones without key or index."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from operator import itemgetter
from pathlib import Path
from typing import Any

from metrics.store import PRAGMAS

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
    """Write the dumped rows into a fresh file without keys and indexes; reading them beforehand is not measured."""
    to.unlink(missing_ok=True)
    held = _held(dump, names)
    raw = _connect(to)
    for name, (columns, _) in held.items():
        plain_table(raw, name, columns)
    return _insert_all(raw, held)


def insert_into(dump: Path, to: Path, names: Sequence[str]) -> Taken:
    """Write the dumped rows into the tables of a store that holds none of them yet."""
    return _insert_all(_connect(to), _held(dump, names))


def _connect(path: Path) -> sqlite3.Connection:
    raw = sqlite3.connect(path)
    for pragma in PRAGMAS:
        raw.execute(pragma)
    return raw


def _held(dump: Path, names: Sequence[str]) -> dict[str, tuple[list[str], list[Row]]]:
    held = {}
    with sqlite3.connect(dump) as source:
        for name in names:
            cursor = source.execute(f'SELECT * FROM "{name}"')
            held[name] = [d[0] for d in cursor.description], cursor.fetchall()
    source.close()
    return held


def _insert_all(raw: sqlite3.Connection, held: dict[str, tuple[list[str], list[Row]]]) -> Taken:
    """Insert 10,000 rows a transaction, each transaction in the order of the first columns, as whoever knows the store would."""
    with taking() as taken:
        for name, (_, rows) in held.items():
            for start in range(0, len(rows), CHUNK):
                with raw:
                    insert(raw, name, sorted(rows[start : start + CHUNK], key=itemgetter(0, 1)))
    raw.close()
    return taken
