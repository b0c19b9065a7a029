"""How the database is opened, read and written: SQLite by default, the same tables on PostgreSQL.

Write transactions begin IMMEDIATE on SQLite, because a deferred one that reads first loses its write to every other
writer. Readers are short: a long one stops the write-ahead log from being checkpointed.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import chain
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, Table, create_engine, event, insert, inspect, text
from sqlalchemy.engine import make_url
from sqlalchemy.exc import OperationalError

from .revision import REVISION
from .tables import metadata

_MARK = "alembic_version"
_AT_ONCE = 64
"""Rows that one statement inserts: a third less per row than one at a time, and 30 columns stay far below SQLite's limit."""
# ANALYZE is never run: with its statistics SQLite reads whole tables to build Bloom filters for joins over a few subjects.
PRAGMAS = (
    "PRAGMA journal_mode=WAL",
    "PRAGMA synchronous=NORMAL",
    "PRAGMA foreign_keys=ON",
    "PRAGMA busy_timeout=30000",
    "PRAGMA cache_size=-131072",  # what a transaction of a load changes fits, and nothing is written twice
    "PRAGMA temp_store=MEMORY",
    "PRAGMA wal_autocheckpoint=32768",  # 128 MiB: keys are hashes, so a load writes to every page; checkpoint it seldom
    "PRAGMA journal_size_limit=134217728",
)


class StoreError(Exception):
    """The store cannot be used; the text says why and what to do."""


class Store:
    """One database with Tieout's tables."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.dialect = engine.dialect.name

    @classmethod
    def open(cls, url: str, *, create: bool = True) -> Store:
        """Open, and where asked create, the store. Errors: StoreError for an unreachable or newer database."""
        store = cls(_engine(url))
        try:
            store._check(create)
        except OperationalError as error:
            store.close()
            why = " ".join(str(error.orig).split())
            raise StoreError(f"cannot open the store {make_url(url).render_as_string()}: {why}") from None
        except StoreError:
            store.close()
            raise
        return store

    def _check(self, create: bool) -> None:
        with self.read() as conn:
            tables = set(inspect(conn).get_table_names())
            found = conn.execute(text(f"SELECT version_num FROM {_MARK}")).scalar() if _MARK in tables else None  # noqa: S608
        if found != REVISION:
            _refuse_unknown(tables, found)
            if not create:
                raise StoreError("the store is empty; `tieout up` or `tieout poll --once` fills it")
        if create:
            self._create()

    def _create(self) -> None:
        """Make the tables that are not there, as the baseline migration would, and mark the store with its revision."""
        with self.write() as conn:
            metadata.create_all(conn)
            if not inspect(conn).has_table(_MARK):
                # As Alembic makes it, so that `alembic` finds what it expects.
                key = f"CONSTRAINT {_MARK}_pkc PRIMARY KEY (version_num)"
                conn.execute(text(f"CREATE TABLE {_MARK} (version_num VARCHAR(32) NOT NULL, {key})"))
                conn.execute(text(f"INSERT INTO {_MARK} VALUES (:revision)"), {"revision": REVISION})  # noqa: S608

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """Yield a connection inside one short read transaction."""
        with self.engine.connect() as conn:
            yield conn
            conn.rollback()

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """Yield a connection inside one write transaction; it commits at the end and rolls back on error."""
        with self.engine.connect().execution_options(tieout_write=True) as conn, conn.begin():
            yield conn

    def close(self) -> None:
        """Close every connection."""
        self.engine.dispose()


def _refuse_unknown(tables: set[str], found: str | None) -> None:
    """Refuse a database that is not empty and that this Tieout did not make."""
    if tables & {_MARK, "schema_version"}:
        raise StoreError(
            f"the store has schema {found or 'of an early build'}, this Tieout reads {REVISION}. If a newer Tieout made it,"
            " upgrade this one; if one from before the first release did, move the store away and let `tieout up` read"
            " everything anew"
        )
    if foreign := sorted(tables & set(metadata.tables)):
        raise StoreError(
            f"the database holds tables of something else ({', '.join(foreign[:3])}): give Tieout a database or a schema of its own"
        )


def _engine(url: str) -> Engine:
    parsed = make_url(url)
    if parsed.get_backend_name() == "postgresql":
        return create_engine(parsed.set(drivername="postgresql+psycopg"), pool_pre_ping=True)
    if parsed.get_backend_name() != "sqlite":
        raise StoreError(f"{parsed.get_backend_name()} is not supported: use sqlite:///FILE or postgresql://…")
    if parsed.database and parsed.database != ":memory:":
        Path(parsed.database).expanduser().resolve().parent.mkdir(parents=True, exist_ok=True)
    engine = create_engine(parsed, connect_args={"timeout": 30, "check_same_thread": False})
    event.listen(engine, "connect", _on_connect)
    event.listen(engine, "begin", _on_begin)
    return engine


def _on_connect(raw: Any, _record: Any) -> None:
    raw.isolation_level = None  # we write BEGIN ourselves
    cursor = raw.cursor()
    for pragma in PRAGMAS:
        cursor.execute(pragma)
    cursor.close()


def _on_begin(conn: Connection) -> None:
    mode = "IMMEDIATE" if conn.get_execution_options().get("tieout_write") else "DEFERRED"
    conn.exec_driver_sql(f"BEGIN {mode}")


def bulk_insert(
    conn: Connection, table: Table, rows: Sequence[tuple[Any, ...]], columns: Sequence[str], conflict: str = ""
) -> int:
    """Insert many rows as tuples in few calls of the driver; `conflict` is an ON CONFLICT clause. Returns the rows changed."""
    if not rows:
        return 0
    if conn.dialect.name != "sqlite":
        return _copy_insert(conn, table, rows, columns, conflict)
    whole = len(rows) // _AT_ONCE * _AT_ONCE
    packed = [tuple(chain.from_iterable(rows[i : i + _AT_ONCE])) for i in range(0, whole, _AT_ONCE)]
    changed = 0
    for count, given in ((_AT_ONCE, packed), (1, rows[whole:])):
        if given:
            changed += conn.exec_driver_sql(_values(table, columns, count, conflict), list(given)).rowcount
    return changed


def _values(table: Table, columns: Sequence[str], count: int, conflict: str) -> str:
    """Return the statement that inserts so many rows at once."""
    names = ", ".join(f'"{c}"' for c in columns)
    marks = ", ".join([f"({', '.join('?' * len(columns))})"] * count)
    return f'INSERT INTO "{table.name}" ({names}) VALUES {marks} {conflict}'  # noqa: S608 # names come from our own tables


@contextmanager
def indexes_aside(conn: Connection, tables: Sequence[Table]) -> Iterator[None]:
    """Take the secondary indexes of tables away while they are filled, and make them anew: one sort beats a million look-ups.

    Only on SQLite: PostgreSQL would keep every reader out until the transaction ends.
    """
    indexes = [index for t in tables for index in t.indexes] if conn.dialect.name == "sqlite" else []
    for index in indexes:
        index.drop(conn, checkfirst=True)
    yield
    for index in indexes:
        index.create(conn)


def _copy_insert(
    conn: Connection, table: Table, rows: Sequence[tuple[Any, ...]], columns: Sequence[str], conflict: str
) -> int:
    """Insert through COPY into a staging table: on PostgreSQL many times faster than one statement a row."""
    names = ", ".join(f'"{c}"' for c in columns)
    stage = f"stage_{table.name}"
    conn.exec_driver_sql(f'CREATE TEMP TABLE IF NOT EXISTS "{stage}" (LIKE "{table.name}") ON COMMIT DROP')
    conn.exec_driver_sql(f'TRUNCATE "{stage}"')
    # LIKE copies NOT NULL; columns that this insert does not name must be allowed to be absent.
    for column in table.columns:
        if column.name not in columns and not column.nullable:
            conn.exec_driver_sql(f'ALTER TABLE "{stage}" ALTER COLUMN "{column.name}" DROP NOT NULL')
    cursor = conn.connection.cursor()
    with cursor.copy(f'COPY "{stage}" ({names}) FROM STDIN') as copy:
        for row in rows:
            copy.write_row(row)
    return conn.exec_driver_sql(
        f'INSERT INTO "{table.name}" ({names}) SELECT {names} FROM "{stage}" {conflict}'  # noqa: S608
    ).rowcount


def upsert_clause(table: Table, columns: Sequence[str]) -> str:
    """Return the ON CONFLICT clause that replaces every column which is not part of the primary key."""
    keys = [c.name for c in table.primary_key.columns]
    sets = ", ".join(f'"{c}" = excluded."{c}"' for c in columns if c not in keys)
    targets = ", ".join(f'"{k}"' for k in keys)
    return f"ON CONFLICT ({targets}) DO " + (f"UPDATE SET {sets}" if sets else "NOTHING")


def insert_one(conn: Connection, table: Table, values: Mapping[str, Any]) -> int | None:
    """Insert one row by Core and return the generated integer key, if the table has one."""
    result = conn.execute(insert(table).values(**values))
    key = result.inserted_primary_key
    return int(key[0]) if key and isinstance(key[0], int) else None
