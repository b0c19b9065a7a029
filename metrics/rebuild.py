"""Whether what is derived is what the facts say: everything is computed again from versions and compared row by row.

One write transaction holds it all, so a verification leaves no trace and a rebuild is all or nothing. Probes wait meanwhile.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from sqlalchemy import Connection, select, text

from probes.record import decode_record

from .bursts import rebuild_bursts
from .collecting import seldom
from .crosswalk import connect
from .definitions import Flow, Model
from .exceptions import derive_exceptions
from .groups import grouper
from .identity.keys import Rules, note_keys
from .intake import VERSION, insert_heads, last_known
from .judge import judge, judge_subjects
from .projection import Version, project
from .rollup import rebuild_rollups
from .sight import View
from .store import Store, bulk_insert, indexes_aside
from .tables import HEADS, VERDICTS, Scope, table

Progress = Callable[[str, int, int], None]
_CHUNK = 20_000
_VERSIONS = 50_000


@dataclass(frozen=True, slots=True)
class TableCheck:
    """How a derived table compared: rows held, rows that are not what the facts say, and the first of them."""

    table: str
    rows: int
    differing: int
    first_difference: str | None


class _Undo(Exception):  # noqa: N818 # never an error: it ends the transaction of a verification
    pass


def rebuild(
    store: Store, model: Model, now_us: int, *, heads: bool = True, progress: Progress | None = None
) -> dict[str, int]:
    """Compute heads and verdicts again from facts, in place. Returns the rows of each derived table."""
    with store.write() as conn:
        _recompute(conn, model, heads, progress)
        return {name: _count(conn, name) for name in _derived()}


def verify(store: Store, model: Model, now_us: int, *, progress: Progress | None = None) -> list[TableCheck]:
    """Compare every derived table with what the facts say; nothing is changed beyond judging what is still touched."""
    judge(store, model, now_us)
    with _undone(store) as conn:
        for name in _derived():
            conn.exec_driver_sql(f"DROP TABLE IF EXISTS held_{name}")
            conn.exec_driver_sql(f"CREATE TEMP TABLE held_{name} AS SELECT * FROM {name}")
        _recompute(conn, model, True, progress)
        return [_compare(conn, name) for name in _derived()]


@contextmanager
def _undone(store: Store) -> Iterator[Connection]:
    try:
        with store.write() as conn:
            yield conn
            raise _Undo
    except _Undo:
        pass


def _derived() -> list[str]:
    return [table(t).name for t in (*HEADS, *VERDICTS)]


def _recompute(conn: Connection, model: Model, heads: bool, progress: Progress | None) -> None:
    for name in [table(t).name for t in ((*HEADS, *VERDICTS) if heads else VERDICTS)]:
        conn.exec_driver_sql(f"DELETE FROM {name}")
    with seldom():
        if heads:
            _rebuild_heads(conn, model, progress)
        with indexes_aside(conn, [table(t) for t in VERDICTS]):
            _rebuild_verdicts(conn, model, progress)
        rebuild_rollups(conn)
        derive_exceptions(conn, model)


def _rebuild_verdicts(conn: Connection, model: Model, progress: Progress | None) -> None:
    view = View(conn, model)
    for flow in model.flows.values():
        anchors = _anchors(conn, flow, view)
        for start in range(0, len(anchors), _CHUNK):
            judge_subjects(conn, flow, model, view, anchors[start : start + _CHUNK], fresh=True)
            if progress:
                progress(flow.title, min(start + _CHUNK, len(anchors)), len(anchors))


def _rebuild_heads(conn: Connection, model: Model, progress: Progress | None) -> None:
    group, identity = grouper(model), Rules.of(model)
    platforms = {row[0]: row[1] for row in conn.execute(text("SELECT id, platform FROM stream"))}
    scopes: dict[tuple[int, str], int] = {}
    customers: list[int] = []
    total, done, after = _count(conn, "version"), 0, -1
    while True:
        held: dict[int, list[Version]] = defaultdict(list)
        sources: dict[int, int] = {}
        for rid, order, seen, digest, after_us, stream, body in _versions_after(conn, after):
            record = decode_record(body)
            held[rid].append(Version(order, seen, bytes(digest), after_us, record))
            sources[rid] = stream
            if record.entity:
                at = scopes.get((stream, record.entity))
                scopes[stream, record.entity] = seen if at is None else min(at, seen)
        if not held:
            break
        insert_heads(conn, [project(rid, sources[rid], platforms[sources[rid]], vs, group) for rid, vs in held.items()])
        named = {rid: vs for rid, vs in held.items() if vs[0].record.kind == "customer"}
        note_keys(conn, identity, {rid: (platforms[sources[rid]], last_known(vs)) for rid, vs in named.items()})
        customers += named
        after, done = max(held), done + sum(map(len, held.values()))
        if progress:
            progress("records", done, total)
    bulk_insert(
        conn, table(Scope), sorted((s, e, at) for (s, e), at in scopes.items()), ("stream_id", "entity", "first_us")
    )
    rebuild_bursts(conn)
    for start in range(0, len(customers), 2000):
        connect(conn, identity, customers[start : start + 2000])


def _versions_after(conn: Connection, after: int) -> list[tuple[int, int, int, bytes, int | None, int, str]]:
    """Return the versions of the next records, all of a record together."""
    ids = conn.execute(
        select(VERSION.c.record_id).where(VERSION.c.record_id > after).order_by(VERSION.c.record_id).limit(_VERSIONS)
    ).scalars().all()  # fmt: skip
    if not ids:
        return []
    query = select(
        VERSION.c.record_id, VERSION.c.order_us, VERSION.c.observed_us, VERSION.c.digest, VERSION.c.after_us, VERSION.c.stream_id,
        VERSION.c.body,
    ).where(VERSION.c.record_id > after, VERSION.c.record_id <= ids[-1])  # fmt: skip
    return [tuple(row) for row in conn.execute(query)]


def _anchors(conn: Connection, flow: Flow, view: View) -> list[int]:
    streams = view.read_by(flow.anchor.role, flow.anchor.kind)
    kinds = ", ".join(f"'{kind}'" for kind in flow.anchor.kind)
    sql = f"SELECT id FROM record WHERE stream_id IN ({', '.join(map(str, streams)) or 'NULL'}) AND kind IN ({kinds}) ORDER BY id"
    return list(conn.execute(text(sql)).scalars())


def _count(conn: Connection, name: str) -> int:
    return int(conn.exec_driver_sql(f"SELECT COUNT(*) FROM {name}").scalar_one())


def _compare(conn: Connection, name: str) -> TableCheck:
    columns = ", ".join(f'"{c.name}"' for t in (*HEADS, *VERDICTS) for c in table(t).c if table(t).name == name)
    gone = f"SELECT {columns} FROM held_{name} EXCEPT SELECT {columns} FROM {name}"
    new = f"SELECT {columns} FROM {name} EXCEPT SELECT {columns} FROM held_{name}"
    differing, first = 0, None
    for word, sql in (("held, not computed", gone), ("computed, not held", new)):
        count = int(conn.exec_driver_sql(f"SELECT COUNT(*) FROM ({sql}) AS d").scalar_one())
        if count and first is None:
            first = f"{word}: {conn.exec_driver_sql(f'{sql} LIMIT 1').one()}"
        differing += count
    return TableCheck(name, _count(conn, f"held_{name}"), differing, first)
