"""B2: how long does it take to judge a whole company again from its records?

Ours is `rebuild` of every verdict. The limit computes the same verdicts with DuckDB from the same records in Parquet and writes
the rows that ours left behind into plain tables of SQLite. That both say the same is checked outcome by outcome.
"""

from __future__ import annotations

import sqlite3
import tempfile
from pathlib import Path
from typing import Any

import pyarrow as pa

from metrics.rebuild import rebuild
from metrics.store import Store

from .bulk import PER_ORDER, Filling, company_store
from .measure import Taken, alternate, in_child, taking, walls
from .plain import copy_plainly, dump_all
from .report import Result, slower
from .stage import NOW_US, company, copy_store

RECORDS = 1_000_000
MEMORY_MIB = 1536
VERDICTS = ("flow_instance", "flow_step", "sli_event", "breaks", "sli_rollup")
EXPORTED = ("record", "milestone", "reference")
TOLD = "SELECT sli, outcome, reason, COUNT(*) FROM sli_event GROUP BY 1, 2, 3 ORDER BY 1, 2, 3"


def run(scale: float, rounds: int) -> list[Result]:
    """Measure the rebuild, its memory and the limit."""
    orders = max(200, int(RECORDS * scale) // PER_ORDER)
    with tempfile.TemporaryDirectory() as folder:
        prepared, dump = Path(folder, "prepared.sqlite"), Path(folder, "rows.sqlite")
        company_store(prepared, Filling(orders))
        export(prepared, Path(folder))
        first = in_child(ours, prepared=str(prepared), folder=folder, dump=str(dump))
        taken = alternate(
            rounds,
            {
                "ours": lambda: in_child(ours, prepared=str(prepared), folder=folder, dump=""),
                "limit": lambda: in_child(limit, folder=folder, dump=str(dump)),
            },
        )
    for run_ in taken["limit"]:
        if run_.value["events"] != first.value["events"]:
            raise RuntimeError(f"DuckDB says {run_.value['events']}, rebuild says {first.value['events']}")
    peaks = [t.peak / 2**20 for t in taken["ours"]]
    parts = {name: [t.value[name] for t in taken["limit"]] for name in ("compute_seconds", "insert_seconds")}
    cpu = {"our_cpu_seconds": [t.cpu for t in taken["ours"]], "limit_cpu_seconds": [t.cpu for t in taken["limit"]]}
    return [
        slower(
            "B2", "rebuild verdicts", "s", walls(taken["ours"]), "DuckDB + plain insert", walls(taken["limit"]), 3.0,
            **first.value, **parts, **cpu,
        ),
        slower("B9", "memory of B2", "MiB", peaks, "what is allowed", [MEMORY_MIB], 1.0),
    ]  # fmt: skip


def export(store: Path, folder: Path) -> None:
    """Write records, milestones and references as Parquet."""
    import duckdb

    with sqlite3.connect(store) as raw, duckdb.connect() as duck:
        for name in EXPORTED:
            cursor = raw.execute(f'SELECT * FROM "{name}"')
            columns = [d[0] for d in cursor.description]
            values = list(zip(*cursor, strict=True)) or [()] * len(columns)
            kept = {c: pa.array(v) for c, v in zip(columns, values, strict=True) if c != "digest"}
            duck.register("rows", pa.table(kept))
            duck.execute(f"COPY rows TO '{folder}/{name}.parquet'")
    raw.close()


def ours(prepared: str, folder: str, dump: str) -> Taken:
    """Rebuild every verdict; with `dump`, also write down the rows and what they say."""
    target = Path(folder, "ours.sqlite")
    store, model = Store.open(copy_store(Path(prepared), target)), company()
    with taking() as taken:
        rows = rebuild(store, model, NOW_US, heads=False)
    store.close()
    if dump:
        dump_all(target, Path(dump), VERDICTS)
        with sqlite3.connect(target) as raw:
            taken.value = {"rows": {n: rows[n] for n in VERDICTS}, "events": [list(r) for r in raw.execute(TOLD)]}
        raw.close()
    return taken


def limit(folder: str, dump: str) -> Taken:
    """Compute the verdicts with DuckDB and write the same rows plainly."""
    import duckdb  # of the bench group only

    with duckdb.connect() as duck, taking() as taken:
        with taking() as computing:
            for name in EXPORTED:
                duck.execute(f"CREATE VIEW {name} AS SELECT * FROM '{folder}/{name}.parquet'")
            for statement in _VERDICTS.split(";"):
                if statement.strip():
                    duck.execute(statement)
        copying = copy_plainly(Path(dump), Path(folder, "limit.sqlite"), VERDICTS)
        events: list[Any] = [list(row) for row in duck.execute(TOLD).fetchall()]
    taken.wall = computing.wall + copying.wall
    taken.cpu = computing.cpu + copying.cpu
    taken.value = {"events": events, "compute_seconds": computing.wall, "insert_seconds": copying.wall}
    return taken


_HOUR = "3600000000"
_VERDICTS = f"""
CREATE TABLE anchor AS
  SELECT 'quote_to_order' AS flow, o.*, m.latest_us AS start_us, 'ordered' AS step, 4 * {_HOUR} AS within, 20 * {_HOUR} AS grace
  FROM record o JOIN milestone m ON m.record_id = o.id AND m.name = 'won' WHERE o.kind = 'opportunity'
  UNION ALL SELECT 'subscription_activation', o.*, m.latest_us, 'activated', {_HOUR}, 3 * {_HOUR}
  FROM record o JOIN milestone m ON m.record_id = o.id AND m.name = 'won' WHERE o.kind = 'opportunity'
  UNION ALL SELECT 'invoice_to_cash', i.*, m.latest_us, 'posted', 24 * {_HOUR}, 0
  FROM record i JOIN milestone m ON m.record_id = i.id AND m.name = 'finalised' WHERE i.kind = 'invoice';
CREATE TABLE reached AS
  SELECT f.to_id AS anchor_id,
    CASE r.kind WHEN 'order' THEN 'ordered' WHEN 'subscription' THEN 'activated' ELSE 'posted' END AS step, MIN(r.id) AS record_id,
    MIN(COALESCE(m.latest_us, r.created_us)) AS at_us, SUM(r.net_minor) AS net
  FROM reference f JOIN record r ON r.id = f.record_id
  LEFT JOIN milestone m ON m.record_id = r.id AND m.name IN ('activated', 'posted')
  WHERE f.kind IN ('fulfils', 'posts') GROUP BY 1, 2;
CREATE TABLE judged AS
  SELECT a.*, r.record_id, r.at_us, r.net, a.start_us + a.within AS due_us,
    CASE WHEN r.at_us IS NULL THEN 'lost' WHEN r.at_us > a.start_us + a.within THEN 'late' ELSE 'done' END AS found
  FROM anchor a LEFT JOIN reached r ON r.anchor_id = a.id AND r.step = a.step;
CREATE TABLE flow_instance AS
  SELECT flow, id AS anchor_id, 1 AS revision, entity, stream_id, customer_id, CASE found WHEN 'lost' THEN 'lost' ELSE 'done' END AS state,
    step, start_us, due_us, at_us, net_minor, currency FROM judged;
CREATE TABLE flow_step AS
  SELECT flow, id AS anchor_id, 1 AS revision, entity, 'start' AS step, 'done' AS state, start_us AS at_us, NULL AS due_us,
    id AS record_id FROM judged
  UNION ALL SELECT flow, id, 1, entity, step, found, at_us, due_us, record_id FROM judged
  UNION ALL SELECT flow, id, 1, entity, 'paid', 'waiting', NULL, NULL, NULL FROM judged WHERE flow = 'invoice_to_cash'
  UNION ALL SELECT flow, id, 1, entity, 'applied', 'waiting', NULL, NULL, NULL FROM judged WHERE flow = 'invoice_to_cash';
CREATE TABLE event AS
  SELECT *, CASE flow WHEN 'quote_to_order' THEN 'order_latency' WHEN 'invoice_to_cash' THEN 'invoice_sync_success' ELSE flow END AS sli,
    due_us AS until_us, false AS agrees FROM judged
  UNION ALL SELECT *, 'order_completion', start_us + 24 * {_HOUR}, true FROM judged WHERE flow = 'quote_to_order';
CREATE TABLE sli_event AS
  SELECT sli, id AS anchor_id, 1 AS revision, entity, stream_id, customer_id,
    CASE WHEN at_us IS NULL OR at_us > until_us OR (agrees AND net <> net_minor) THEN 'bad' ELSE 'good' END AS outcome,
    CASE WHEN at_us IS NULL THEN 'missing' WHEN at_us > until_us THEN 'late' WHEN agrees AND net <> net_minor THEN 'net'
      ELSE 'in_time' END AS reason,
    start_us, until_us AS due_us, LEAST(COALESCE(at_us, until_us), until_us) AS at_us, at_us - start_us AS value_us,
    net_minor AS money_minor, currency, record_id FROM event;
CREATE TABLE breaks AS
  SELECT flow || '.' || step AS check_name, id AS subject_id, 1 AS revision, entity, 'missing_in_target' AS kind, net_minor,
    due_us + grace AS since_us
  FROM judged WHERE found = 'lost'
  UNION ALL SELECT flow || '.' || step, id, 1, entity, 'amount_differs', net - net_minor, at_us FROM judged
  WHERE flow = 'quote_to_order' AND net <> net_minor;
CREATE TABLE sli_rollup AS
  SELECT sli, 'hour' AS grain, at_us - at_us % {_HOUR} AS bucket_us, stream_id, entity, outcome, reason, currency, COUNT(*),
    SUM(money_minor), COUNT(*) FILTER (outcome = 'bad' AND value_us IS NULL), 0 AS corrected FROM sli_event GROUP BY ALL
  UNION ALL SELECT sli, 'day', at_us - at_us % (24 * {_HOUR}), stream_id, entity, outcome, reason, currency, COUNT(*), SUM(money_minor),
    COUNT(*) FILTER (outcome = 'bad' AND value_us IS NULL), 0 FROM sli_event GROUP BY ALL
"""
