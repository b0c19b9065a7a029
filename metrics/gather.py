"""Which rows a chunk of subjects is judged on: a few set-wise statements, the same on every database.

The paths of a flow are walked hop by hop from the anchors; what comes back are frames of plain numpy columns. Shapes: one
row per anchor, or per (anchor, record). A missing integer is NONE, an instant that has not come FOREVER.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from sqlalchemy import Connection, text

from probes.clock import FOREVER

from .arrays import NONE, frame_of
from .bursts import JOIN as BURST_JOIN
from .definitions import Flow, Hop, Step
from .groups import resolve
from .telling import compares, told_by

Streams = Mapping[tuple[str, str], tuple[int, ...]]
"""(role, kind) → the streams that show such records."""

_ANCHOR = (
    "SELECT r.id, r.stream_id, r.kind, COALESCE(r.entity, '') AS entity, COALESCE({party}, {none}) AS customer_id,"
    " COALESCE(x.customer_id, {none}) AS payer, r.state, (r.status IS NOT NULL AND r.state IS NULL) AS unmapped, r.currency,"
    " COALESCE(r.net_minor, {none}) AS net, COALESCE(r.tax_minor, {none}) AS tax, COALESCE(r.gross_minor, {none}) AS gross,"
    " r.exempt, r.test, COALESCE(r.deleted_us, {ever}) AS deleted_us, COALESCE(r.created_us, {ever}) AS created_us,"
    " r.document_on, r.version_count, (bu.bucket_us IS NOT NULL) AS bulk {milestones}"
    " FROM subject s CROSS JOIN record r LEFT JOIN crosswalk x ON x.record_id = {party} {bursts} {joins}"
    " WHERE r.id = s.id AND r.kind IN ({kinds}) AND r.stream_id IN ({streams}) ORDER BY r.id"
)
_STEP = (
    "SELECT w.subject, r.id, r.stream_id, r.kind, COALESCE(r.entity, '') AS entity, r.state,"
    " (r.status IS NOT NULL AND r.state IS NULL) AS unmapped, r.currency, COALESCE(r.net_minor, {none}) AS net,"
    " COALESCE(r.tax_minor, {none}) AS tax, COALESCE(r.gross_minor, {none}) AS gross, COALESCE(w.amount, {none}) AS applied,"
    " COALESCE(w.currency, r.currency) AS applied_currency,"
    " COALESCE(x.customer_id, {none}) AS payer, r.posting_on, r.first_observed_us, COALESCE(r.revision, 0) AS shown_revision,"
    " COALESCE(r.deleted_us, {ever}) AS deleted_us, r.version_count {milestones}"
    " FROM {walk} w CROSS JOIN record r"
    " LEFT JOIN crosswalk x ON x.record_id = COALESCE(r.bill_to_id, r.customer_id) {joins}"
    " WHERE r.id = w.record_id AND r.kind IN ({kinds}) AND r.stream_id IN ({streams})"
)
_OBJECTS = frozenset(
    {"kind", "entity", "state", "currency", "applied_currency", "exempt", "document_on", "posting_on", "name"}
)


@dataclass(frozen=True)
class Frames:
    """What one flow's judge reads: anchors, history, lines, and per step the records that reach it.

    `versions` (per step) and `own` (of the anchors) are what those that changed said over time.
    """

    anchors: pd.DataFrame
    history: pd.DataFrame | None
    lines: pd.DataFrame | None
    steps: dict[str, pd.DataFrame]
    revisions: dict[str, pd.DataFrame]
    versions: dict[str, pd.DataFrame]
    groups: dict[str, pd.DataFrame]
    own: pd.DataFrame


def gather(conn: Connection, flow: Flow, streams: Streams, ids: Sequence[int]) -> Frames:
    """Return the frames of these anchors. Shape: anchors sorted by id; ids that are no anchors of the flow are left out."""
    _subjects(conn, ids)
    anchors = _anchors(conn, flow, streams)
    walks = _Walks(conn)
    history = lines = None
    if flow.revisions:
        history = _children(conn, walks, flow.revisions.path, streams)
    if flow.split:
        lines = _children(conn, walks, flow.split.path, streams)
    steps, revisions, versions, groups = {}, {}, {}, {}
    for step in flow.steps:
        if not step.path:
            continue
        table = walks.walk(step.path)
        steps[step.name] = _step(conn, step, table, streams)
        if step.revision:
            revisions[step.name] = _revisions(conn, table)
        if step.state or step.not_state or step.revision or compares(step):
            many = steps[step.name].loc[steps[step.name]["version_count"] > 1, "id"]
            if len(many):
                versions[step.name] = told_by(conn, many.unique().tolist())
        if step.grouped:
            groups[step.name] = _groups(conn, step, walks.walk(step.grouped), streams)
    walks.drop()
    compared = any(compares(step) for step in flow.steps)
    changed = anchors.loc[anchors["version_count"] > 1, "id"] if compared else anchors["id"].iloc[:0]
    return Frames(anchors, history, lines, steps, revisions, versions, groups, told_by(conn, changed.tolist()))


def _groups(conn: Connection, step: Step, walk: str, streams: Streams) -> pd.DataFrame:
    """Return the group postings of the subjects and how they tie. Shape: as a step's rows, with `group` and `m_gross`."""
    rows = _step(conn, step.model_copy(update={"path": step.grouped}), walk, streams)
    members = frame(
        conn,
        f"SELECT k.record_id AS journal, m.id AS member, COALESCE(m.net_minor, {NONE}) AS net, COALESCE(m.tax_minor, {NONE}) AS tax,"
        f" COALESCE(m.gross_minor, {NONE}) AS gross FROM (SELECT DISTINCT record_id FROM {walk}) j"
        " CROSS JOIN record_key k CROSS JOIN reference r CROSS JOIN record m WHERE k.record_id = j.record_id"
        " AND r.to_id = k.key_id AND r.kind = 'grouped_in' AND m.id = r.record_id ORDER BY 1, 2",
    )
    return resolve(rows, members)


def _subjects(conn: Connection, ids: Sequence[int]) -> None:
    conn.exec_driver_sql("CREATE TEMP TABLE IF NOT EXISTS subject (id BIGINT PRIMARY KEY)" + _compact(conn))
    conn.exec_driver_sql("DELETE FROM subject")
    if conn.dialect.name == "sqlite":
        conn.exec_driver_sql("INSERT INTO subject VALUES (?)", [(i,) for i in ids])
    else:
        conn.exec_driver_sql("INSERT INTO subject SELECT unnest(%s::bigint[])", (list(ids),))


def _compact(conn: Connection) -> str:
    """Return what keeps a table in the order of its key where the database can."""
    return " WITHOUT ROWID" if conn.dialect.name == "sqlite" else ""


class _Walks:
    """Walks paths from the subjects hop by hop; paths along the same references share what is found, whatever kind they want."""

    def __init__(self, conn: Connection) -> None:
        self._conn = conn
        self._tables: dict[tuple[tuple[object, ...], ...], str] = {}

    def walk(self, path: tuple[Hop, ...]) -> str:
        """Return the temporary table (subject, record_id, amount, currency) of the records at the end of a path."""
        along = tuple((hop.back, hop.to, hop.same) for hop in path)
        if along in self._tables:
            return self._tables[along]
        start = self.walk(path[:-1]) if len(path) > 1 else None
        name = f"walk_{len(self._tables)}"
        self._tables[along] = name
        self._conn.exec_driver_sql(f"DROP TABLE IF EXISTS {name}")
        self._conn.exec_driver_sql(
            f"CREATE TEMP TABLE {name} (subject BIGINT, record_id BIGINT, amount BIGINT, currency TEXT,"
            " PRIMARY KEY (subject, record_id))" + _compact(self._conn)
        )
        origin = (
            f"(SELECT subject, record_id FROM {start})"
            if start
            else "(SELECT id AS subject, id AS record_id FROM subject)"
        )
        given = {"kind": path[-1].back or path[-1].to}
        for select in _hop(path[-1], origin):
            self._conn.execute(text(f"INSERT INTO {name} {select} ON CONFLICT DO NOTHING"), given)
        return name

    def drop(self) -> None:
        """Remove the temporary tables."""
        for name in self._tables.values():
            self._conn.exec_driver_sql(f"DROP TABLE {name}")


_SHARE = "CASE WHEN MIN(COALESCE(r.currency, '')) = MAX(COALESCE(r.currency, '')) THEN SUM(r.amount_minor) END, MIN(r.currency)"
"""What references name of an amount: nothing when it is in several currencies."""


def _hop(hop: Hop, origin: str) -> tuple[str, ...]:
    """Return the selects of a hop: by id, and by business key.

    CROSS JOIN, because SQLite keeps its order: a planner that knows nothing of a temporary table may read all references.
    """
    if hop.same:
        return (
            f"SELECT f.subject, x.record_id, NULL, NULL FROM {origin} f CROSS JOIN crosswalk x"
            " WHERE x.customer_id = f.record_id AND x.record_id <> f.record_id",
        )
    by_key = f"FROM {origin} f CROSS JOIN record_key k CROSS JOIN reference r WHERE k.record_id = f.record_id"
    by_id = f"FROM {origin} f CROSS JOIN reference r WHERE"
    if hop.back:
        return (
            f"SELECT f.subject, r.record_id, {_SHARE} {by_id} r.to_id = f.record_id AND r.kind = :kind GROUP BY 1, 2",
            f"SELECT f.subject, r.record_id, {_SHARE} {by_key} AND r.to_id = k.key_id AND r.kind = :kind GROUP BY 1, 2",
        )
    named = f"FROM {origin} f CROSS JOIN reference r CROSS JOIN record_key k WHERE r.record_id = f.record_id"
    return (
        f"SELECT f.subject, r.to_id, {_SHARE} {by_id} r.record_id = f.record_id AND r.kind = :kind GROUP BY 1, 2",
        f"SELECT f.subject, k.record_id, {_SHARE} {named} AND r.kind = :kind AND k.key_id = r.to_id GROUP BY 1, 2",
    )


def _anchors(conn: Connection, flow: Flow, streams: Streams) -> pd.DataFrame:
    names = dict.fromkeys(n for step in flow.steps if not step.path for n in step.milestone if n != "active")
    columns, joins = _milestones(tuple(names), prefix="a")
    leaving = tuple(name for state in flow.anchor.withdrawn for name in (state, f"state:{state}"))
    gone_columns, gone_joins = _milestones(leaving, prefix="g")
    party = "r.customer_id" if flow.anchor.customer == "sold_to" else "COALESCE(r.bill_to_id, r.customer_id)"
    if flow.anchor.active:
        party = "r.id"
    sql = _ANCHOR.format(
        party=party, bursts=BURST_JOIN, none=NONE, ever=FOREVER, milestones=columns + gone_columns, joins=joins + gone_joins,
        kinds=_words(flow.anchor.kind), streams=_streams(streams, flow.anchor.role, flow.anchor.kind),
    )  # fmt: skip
    rows = frame(conn, sql)
    ends = [rows[f"g{i}_latest"].to_numpy() for i in range(len(leaving))]
    return rows.assign(gone_us=np.minimum.reduce(ends) if ends else np.full(len(rows), FOREVER))


def _step(conn: Connection, step: Step, walk: str, streams: Streams) -> pd.DataFrame:
    hop = step.path[-1]
    columns, joins = _milestones(step.milestone, prefix="m")
    sql = _STEP.format(
        none=NONE, ever=FOREVER, milestones=columns, joins=joins, walk=walk, kinds=_words(hop.kind),
        streams=_streams(streams, hop.role, hop.kind),
    )  # fmt: skip
    rows = frame(conn, sql)
    names = range(len(step.milestone))
    return rows.assign(
        earliest=_coalesce(rows, [f"m{i}_earliest" for i in names]),
        latest=_coalesce(rows, [f"m{i}_latest" for i in names]),
    )


def _children(conn: Connection, walks: _Walks, path: tuple[Hop, ...], streams: Streams) -> pd.DataFrame:
    hop = path[-1]
    sql = (
        "SELECT w.subject, r.id, COALESCE(r.entity, '') AS entity, r.state, r.currency,"
        f" COALESCE(r.net_minor, {NONE}) AS net, COALESCE(r.created_us, {FOREVER}) AS created_us, r.first_observed_us,"
        f" COALESCE(r.deleted_us, {FOREVER}) AS deleted_us, (bu.bucket_us IS NOT NULL) AS bulk"
        f" FROM {walks.walk(path)} w CROSS JOIN record r {BURST_JOIN}"
        f" WHERE r.id = w.record_id AND r.kind IN ({_words(hop.kind)}) AND r.stream_id IN ({_streams(streams, hop.role, hop.kind)})"
        " ORDER BY w.subject, r.created_us, r.external_id"
    )
    return frame(conn, sql)


def _revisions(conn: Connection, walk: str) -> pd.DataFrame:
    return frame(
        conn,
        f"SELECT w.subject, m.record_id AS id, m.ordinal, m.earliest_us, m.latest_us FROM {walk} w"
        " CROSS JOIN milestone m WHERE m.record_id = w.record_id AND m.name = 'revision' ORDER BY w.subject, m.record_id, m.ordinal",
    )


def _milestones(names: Sequence[str], prefix: str) -> tuple[str, str]:
    columns, joins = "", ""
    for i, name in enumerate(names):
        if name == "created":
            columns += f", COALESCE(r.created_us, {FOREVER}) AS {prefix}{i}_earliest"
            columns += f", COALESCE(r.created_us, {FOREVER}) AS {prefix}{i}_latest"
            continue
        columns += f", COALESCE({prefix}{i}.earliest_us, {FOREVER}) AS {prefix}{i}_earliest"
        columns += f", COALESCE({prefix}{i}.latest_us, {FOREVER}) AS {prefix}{i}_latest"
        joins += (
            f" LEFT JOIN milestone {prefix}{i} ON {prefix}{i}.record_id = r.id AND {prefix}{i}.name = {_quote(name)}"
            f" AND {prefix}{i}.ordinal = 1"
        )
    return columns, joins


def anchor_milestone(flow: Flow, frame: pd.DataFrame, step: Step, end: str) -> Any:
    """Return the instants at which the anchors themselves reached a step."""
    names = list(dict.fromkeys(n for s in flow.steps if not s.path for n in s.milestone if n != "active"))
    return _coalesce(frame, [f"a{names.index(n)}_{end}" for n in step.milestone])


def _coalesce(frame: pd.DataFrame, columns: Sequence[str]) -> Any:
    """Return the first of several instants that is known."""
    out = frame[columns[0]].to_numpy()
    for column in columns[1:]:
        out = np.where(out == FOREVER, frame[column].to_numpy(), out)
    return out


def frame(conn: Connection, sql: str) -> pd.DataFrame:
    """Return a query's rows as numpy columns: words as objects, everything else as 64-bit integers."""
    result = conn.exec_driver_sql(sql)
    names = list(result.keys())
    rows = result.cursor.fetchall() if result.cursor is not None else []
    columns = list(zip(*rows, strict=True)) if rows else [()] * len(names)
    data = {}
    for name, values in zip(names, columns, strict=True):
        kind = object if name in _OBJECTS else np.int64
        data[name] = np.array(values, dtype=kind) if rows else np.empty(0, dtype=kind)
    return frame_of(data)


def _words(words: Sequence[str]) -> str:
    return ", ".join(_quote(w) for w in words)


def _quote(word: str) -> str:
    """Quote a word of a definition; its pattern allows no quote."""
    return f"'{word}'"


def _streams(streams: Streams, role: str, kinds: Sequence[str]) -> str:
    found = sorted({s for kind in kinds for s in streams.get((role, kind), ())})
    return ", ".join(map(str, found)) or "NULL"
