"""How a table is followed: keyset on a cursor column and a unique key, in windows when the cursor is a time.

`url` is a SQLAlchemy URL (or env:NAME, file:PATH holding one). Only mapped columns are selected, only bound parameters used.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Annotated, Any, Literal

import sqlalchemy as sa
from pydantic import BeforeValidator, Field, ValidationError

from ..clock import SECOND, from_us, iso
from ..errors import ProbeError, Reason
from ..listing import chunks, windows_of
from ..manifest import first_error
from ..mapspec import Strict
from ..probe import Cursor, Environment, Meter, Page
from ..settings import secret
from ..source import Session, Source
from ..values import zone
from ..window import Window, begun, done, note, watermark
from ._rows import plain

PAGE = 2000
IN_LIMIT = 500


class TableSource(Strict):
    """What `source:` of a stream of rows says. `stamp` is how the cursor column holds time; `sequence` means it only grows."""

    table: Annotated[str, Field(min_length=1)]
    db_schema: str | None = Field(None, alias="schema")
    cursor: str
    key: str = "id"
    stamp: Literal["datetime", "iso", "unix_s", "unix_ms", "sequence"] = "datetime"
    overlap_rows: Annotated[int, BeforeValidator(int), Field(ge=0)] = 1000


def changes(source: Source, cursor: Cursor, now_us: int, meter: Meter) -> Iterator[Page]:
    """Yield what changed since the cursor."""
    given, table = _table(source)
    if given.stamp == "sequence":
        yield from _sequence(source, given, table, cursor, now_us, meter)
        return
    windows = windows_of(source, cursor, now_us, meter)
    for window in windows:
        yield from _window(source, given, table, window, meter, final=window is windows[-1])


def read(source: Source, by: str, values: Sequence[str], meter: Meter) -> Iterator[Page]:
    """Yield the rows known under these values."""
    _, table = _table(source)
    name = source.params["key_paths"].get(by, source.params["id_path"] if by == "id" else by)
    column = _column(source, table, name)
    for group in chunks(list(dict.fromkeys(values)), IN_LIMIT):
        condition = sa.cast(column, sa.String).in_(list(group))
        rows = _rows(source, sa.select(*_selected(source, table)).where(condition), meter)
        yield source.page(rows, source.session.now_us(), meter, {})


def ids(source: Source, meter: Meter) -> Iterator[list[str]]:
    """Yield all ids."""
    _, table = _table(source)
    rows = _rows(source, sa.select(*_selected(source, table)), meter)
    for group in chunks(rows, PAGE):
        yield [str(source.mapper.read_id(row)) for row in group]


def check(session: Session, meter: Meter) -> Environment:
    """Connect."""
    with _connection(session) as connection:
        version = connection.dialect.server_version_info
        name = connection.engine.url.database or connection.dialect.name
    return Environment(str(name), None, ".".join(map(str, version)) if version else None)


def _window(
    source: Source, given: TableSource, table: sa.Table, window: Window, meter: Meter, *, final: bool
) -> Iterator[Page]:
    note(window, meter)
    stamp, key = _column(source, table, given.cursor), _column(source, table, given.key)
    low, high = (_bound(source, given, stamp, us) for us in (window.from_us, window.to_us))
    base = sa.select(*_selected(source, table)).where(stamp >= low, stamp < high).order_by(stamp, key).limit(PAGE)
    after: tuple[Any, Any] | None = None
    while True:
        statement = (
            base if after is None else base.where(sa.tuple_(stamp, key) > sa.tuple_(*_literals(after, stamp, key)))
        )
        found = _fetch(source, statement, meter)
        rows = [_plain(row) for row in found]
        last = len(found) < PAGE
        page = source.page(rows, source.session.now_us(), meter, done(window) if last else begun(window, None))
        if last and final:
            page.last, page.watermark_us = True, watermark(window, source.description.visibility_delay, meter)
        yield page
        if last:
            return
        after = (found[-1][given.cursor], found[-1][given.key])


def _sequence(
    source: Source, given: TableSource, table: sa.Table, cursor: Cursor, now_us: int, meter: Meter
) -> Iterator[Page]:
    """Yield rows by growing number; the last ones are read again, since a lower number may be committed later."""
    column = _column(source, table, given.cursor)
    reached = int(cursor.get("reached") or 0)
    at = max(0, reached - given.overlap_rows)
    while True:
        statement = sa.select(*_selected(source, table)).where(column > at).order_by(column).limit(PAGE)
        found = _fetch(source, statement, meter)
        if found:
            at = int(found[-1][given.cursor])
        last = len(found) < PAGE
        page = source.page([_plain(r) for r in found], source.session.now_us(), meter, {"reached": max(at, reached)})
        if last:
            page.last, page.watermark_us = True, now_us - source.description.visibility_delay * SECOND
        yield page
        if last:
            return


def _given(source: Source) -> TableSource:
    try:
        return TableSource.model_validate(source.description.source)
    except ValidationError as error:
        raise source.error(Reason.CONFIG, f"source.{first_error(error)}") from None


def _table(source: Source) -> tuple[TableSource, sa.Table]:
    given = _given(source)

    def reflect() -> sa.Table:
        try:
            with _connection(source.session) as connection:
                return sa.Table(given.table, sa.MetaData(), schema=given.db_schema, autoload_with=connection)
        except sa.exc.NoSuchTableError:
            raise source.error(
                Reason.BAD_REQUEST, f"there is no table {given.table!r} that this user can see"
            ) from None

    table: sa.Table = source.session.remember(f"table/{given.db_schema}/{given.table}", reflect)
    return given, table


def _selected(source: Source, table: sa.Table) -> list[sa.Column[Any]]:
    given = _given(source)
    names = dict.fromkeys([*source.mapper.columns, given.cursor, given.key])
    return [_column(source, table, name) for name in names if not name.startswith("_")]


def _column(source: Source, table: sa.Table, name: str) -> sa.Column[Any]:
    if name not in table.c:
        raise source.error(Reason.BAD_REQUEST, f"the table {table.name!r} has no column {name!r}")
    return table.c[name]


def _bound(source: Source, given: TableSource, column: sa.Column[Any], us: int) -> Any:
    if given.stamp == "unix_s":
        return us // SECOND
    if given.stamp == "unix_ms":
        return us // 1000
    if given.stamp == "iso":
        return iso(us - us % SECOND)
    at: datetime = from_us(us)
    if getattr(column.type, "timezone", False):
        return at
    return at.astimezone(zone(source.session.settings.time_zone or "UTC")).replace(tzinfo=None)


def _literals(values: tuple[Any, Any], *columns: sa.Column[Any]) -> list[Any]:
    return [sa.literal(value, column.type) for value, column in zip(values, columns, strict=True)]


def _rows(source: Source, statement: sa.Select[Any], meter: Meter) -> list[dict[str, Any]]:
    return [_plain(row) for row in _fetch(source, statement, meter)]


def _plain(row: Any) -> dict[str, Any]:
    return {name: plain(value) for name, value in row.items()}


def _fetch(source: Source, statement: sa.Select[Any], meter: Meter) -> list[Any]:
    meter.requests += 1
    with _connection(source.session) as connection:
        try:
            return list(connection.execute(statement).mappings())
        except sa.exc.SQLAlchemyError as error:
            raise _failed(source.session, error) from None


def _connection(session: Session) -> sa.Connection:
    def engine() -> sa.Engine:
        url = secret(session.client.base_url, "url", session.name)
        try:
            return sa.create_engine(url, pool_pre_ping=True, pool_size=2)
        except (sa.exc.ArgumentError, sa.exc.NoSuchModuleError, ImportError):
            text = "`url` is no database address; write for example postgresql+psycopg://user@host/name or env:NAME"
            raise session.error(Reason.CONFIG, text) from None

    made: sa.Engine = session.remember("engine", engine, seconds=float("inf"))
    try:
        return made.connect()
    except sa.exc.SQLAlchemyError as error:
        raise _failed(session, error) from None


def _failed(session: Session, error: sa.exc.SQLAlchemyError) -> ProbeError:
    """Return the error without statement, parameters or address: they may hold secrets."""
    kind = type(getattr(error, "orig", None) or error).__name__
    if isinstance(error, sa.exc.OperationalError | sa.exc.InterfaceError):
        return session.error(Reason.UNREACHABLE, f"the database does not answer ({kind}); check `url` and the network")
    return session.error(Reason.BAD_REQUEST, f"the database refuses the query ({kind}); check table and columns")
