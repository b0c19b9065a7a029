"""B1: how fast do invoices come in, from the first byte asked for to the last roll-up written?

Ours is the real connector, poll, store and judge. The limit fetches and parses the same pages without doing anything with
them and inserts the rows that ours left behind into a copy of the same store: same keys, same indexes, same durability, in the
order in which they came. The peer is dlt loading the same list by merge.
"""

from __future__ import annotations

import os
import sqlite3
import tempfile
from pathlib import Path
from typing import Any

import httpx

from metrics.intake import Landed, Source, land
from metrics.judge import judge
from metrics.keys import stream_id
from metrics.polling import register, run_poll
from metrics.store import Store
from metrics.tables import metadata
from metrics.touching import Toucher
from probes.clock import HOUR, SECOND, from_us
from probes.platforms import load_platforms, vendors
from probes.probe import Page, Platform
from probes.record import Record, Reference, key
from probes.settings import parse_platforms

from .invoices import APART, CUSTOMERS, ENTITIES, NEWEST, gross, invoice_id, server
from .measure import Taken, alternate, in_child, taking, walls
from .plain import copy_plainly, insert, insert_into, plain_table
from .report import Result, faster, slower
from .stage import NOW_US, Known, add_streams, copy_store, model_of

COUNT = 100_000
WRITTEN = (
    "version", "record", "milestone", "reference", "record_key", "flow_instance", "flow_step", "sli_event", "breaks",
    "sli_rollup",
)  # fmt: skip
ERP = Known("erp", "netsuite", ("erp",))


def run(scale: float, rounds: int) -> list[Result]:
    """Measure pull, limit and peer."""
    count = max(200, int(COUNT * scale))
    with tempfile.TemporaryDirectory() as folder, server(count) as url:
        prepared, dump = Path(folder, "prepared.sqlite"), Path(folder, "rows.sqlite")
        prepare(prepared, count)
        told = in_child(pull, url=url, prepared=str(prepared), folder=folder, dump=str(dump)).value
        taken = alternate(
            rounds,
            {
                "ours": lambda: in_child(pull, url=url, prepared=str(prepared), folder=folder, dump=""),
                "limit": lambda: in_child(limit, url=url, prepared=str(prepared), dump=str(dump), folder=folder),
                "dlt": lambda: in_child(peer, url=url, folder=folder),
                "idle": lambda: in_child(idle),
            },
        )
    ours = walls(taken["ours"])
    peaks, idles = [float(t.peak) / 2**20 for t in taken["ours"]], [float(t.peak) / 2**20 for t in taken["idle"]]
    cpu = {"our_cpu_seconds": [t.cpu for t in taken["ours"]], "limit_cpu_seconds": [t.cpu for t in taken["limit"]]}
    split = {name: [t.value[name] for t in taken["ours"]] for name in ("poll_seconds", "judge_seconds")}
    parts = {
        name: [t.value[name] for t in taken["limit"]]
        for name in ("fetch_seconds", "insert_seconds", "unindexed_seconds")
    }
    return [
        faster("B1", "pull invoices", count, ours, "httpx + insert of the rows", walls(taken["limit"]), 0.5,
               **told, **split, **parts, **cpu),
        faster("B1", "pull invoices", count, ours, "dlt merge into DuckDB", walls(taken["dlt"]), 8.0),
        slower("B9", "memory of B1", "MiB", peaks, "idle process", idles, 2.0),
    ]  # fmt: skip


def prepare(path: Path, count: int) -> None:
    """Make a store in which the ERP already shows the posting of every invoice, 1 in 200 of them with another amount."""
    store = Store.open(f"sqlite:///{path}")
    model = model_of({"billing": Known("billing", "stripe", ("billing",)), "erp": ERP})
    add_streams(store, "erp", ("customer", "order", "invoice", "credit_note", "payment", "journal_entry"))
    source, toucher = Source(stream_id("erp", "invoice"), "erp", NOW_US), Toucher(model)
    for start in range(0, count, 5000):
        with store.write() as conn:
            page = Page([posted(n) for n in range(start, min(start + 5000, count))], {}, NOW_US)
            land(conn, page, source, toucher, Landed())
    judge(store, model, NOW_US)
    store.close()
    with sqlite3.connect(path) as raw:
        raw.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    raw.close()


def posted(n: int) -> Record:
    """Return the ERP's record of the n-th invoice."""
    at = (NEWEST - n * APART) * SECOND + 2 * HOUR
    total = gross(n) + (500 if n % 200 == 0 else 0)
    return Record(
        kind="invoice", id=f"{n}", created_us=at, changed_us=at, entity=ENTITIES[n % 3], status="A", state="open", currency="EUR",
        parties={"sold_to": f"{n % CUSTOMERS}"}, amounts={"net": 10_000 + n % 977, "tax": gross(n) - 10_000 - n % 977, "gross": total},
        references=(Reference("posts", key("billing", "invoice", "id", invoice_id(n))),),
    )  # fmt: skip


def billing(url: str) -> dict[str, Platform]:
    """Return the billing platform at that address, its invoices only."""
    os.environ["BENCH_STRIPE_KEY"] = "rk_live_bench"
    declared = {"vendor": "stripe", "url": url, "auth": {"key": "env:BENCH_STRIPE_KEY"}, "environment": "production"}
    off = [name for name in vendors()["stripe"].streams if name != "invoice"]
    settings = parse_platforms({"billing": {**declared, "streams": {name: {"enabled": False} for name in off}}})
    return load_platforms(settings, clock=lambda: from_us(NOW_US))


def pull(url: str, prepared: str, folder: str, dump: str) -> Taken:
    """Poll everything and judge it; with `dump`, also write down the rows that came of it."""
    target = Path(folder, "ours.sqlite")
    store = Store.open(copy_store(Path(prepared), target))
    before = _counts(target) if dump else {}
    platforms = billing(url)
    platform = platforms["billing"]
    model = model_of({**platforms, "erp": ERP})
    register(store, platforms)
    clock = lambda: from_us(NOW_US)  # noqa: E731
    with taking() as taken:
        with taking() as polling:
            summary = run_poll(store, Toucher(model), platform, platform.streams[0], clock)
        judged = judge(store, model, NOW_US)
    platform.close()  # type: ignore[attr-defined]
    store.close()
    if summary.status != "complete":
        raise RuntimeError(f"the poll ended {summary.status}: {summary.message}")
    taken.value = {"poll_seconds": polling.wall, "judge_seconds": taken.wall - polling.wall, "subjects": judged.total}
    if dump:
        taken.value = {"invoices": summary.records, "rows": _dump(target, Path(dump), before)}
    return taken


_ABOUT = ("anchor_id", "subject_id", "record_id", "id")
"""Columns that say which record a row is about."""


def _counts(path: Path) -> dict[str, set[Any]]:
    """Return the keys that are there before the pull."""
    with sqlite3.connect(path) as raw:
        found = {name: {tuple(row) for row in raw.execute(_keys(name))} for name in WRITTEN}
    raw.close()
    return found


def _keys(name: str) -> str:
    return f'SELECT {", ".join(c.name for c in metadata.tables[name].primary_key)} FROM "{name}"'


def _dump(path: Path, to: Path, before: dict[str, set[Any]]) -> dict[str, int]:
    """Copy the rows that the pull wrote into plain tables, in the order in which the invoices came. Returns how many of each."""
    counts = {}
    with sqlite3.connect(path) as raw, sqlite3.connect(to) as out:
        arrived = dict(raw.execute("SELECT id, external_id FROM record"))
        for name in WRITTEN:
            keys = [c.name for c in metadata.tables[name].primary_key]
            cursor = raw.execute(f'SELECT * FROM "{name}"')
            names = [d[0] for d in cursor.description]
            at = [names.index(k) for k in keys]
            rows = [row for row in cursor if tuple(row[i] for i in at) not in before[name]]
            about = next((names.index(c) for c in _ABOUT if c in names), None)
            if about is not None:
                rows.sort(key=lambda row: arrived[row[about]])
            plain_table(out, name, [d[0] for d in cursor.description])
            insert(out, name, rows)
            counts[name] = len(rows)
    raw.close()
    out.close()
    return counts


def limit(url: str, prepared: str, dump: str, folder: str) -> Taken:
    """Fetch and parse every page, then insert the same rows into the same store, 10,000 a transaction.

    Beside it, for who wonders what keys and indexes cost: the same rows into tables without any.
    """
    with taking() as taken:
        fetched = _fetch(url)
    target = Path(folder, "limit.sqlite")
    copy_store(Path(prepared), target)
    inserting = insert_into(Path(dump), target, WRITTEN)
    bare = copy_plainly(Path(dump), Path(folder, "bare.sqlite"), WRITTEN)
    taken.value = {
        "fetch_seconds": taken.wall,
        "insert_seconds": inserting.wall,
        "unindexed_seconds": bare.wall,
        "invoices": fetched,
    }
    taken.wall, taken.cpu = taken.wall + inserting.wall, taken.cpu + inserting.cpu
    return taken


def _fetch(url: str) -> int:
    count, after = 0, None
    with httpx.Client(base_url=url, trust_env=False) as client:
        while True:
            params = {"limit": "100", **({"starting_after": after} if after else {})}
            page = client.get("/v1/invoices", params=params).json()
            count += len(page["data"])
            if not page["has_more"]:
                return count
            after = page["data"][-1]["id"]


def peer(url: str, folder: str) -> Taken:
    """Load the same list with dlt's REST source, merging by id into DuckDB."""
    os.environ |= {"RUNTIME__DLTHUB_TELEMETRY": "false", "RUNTIME__LOG_LEVEL": "CRITICAL"}
    import dlt  # heavy, and needed in this one process only
    from dlt.sources.rest_api import rest_api_source

    with tempfile.TemporaryDirectory(dir=folder) as own, taking() as taken:
        source = rest_api_source(
            {
                "client": {"base_url": url, "paginator": {
                    "type": "cursor", "cursor_path": "data[-1].id", "cursor_param": "starting_after", "has_more_path": "has_more"}},
                "resource_defaults": {"primary_key": "id", "write_disposition": "merge"},
                "resources": [{"name": "invoices", "endpoint": {
                    "path": "v1/invoices", "params": {"limit": 100}, "data_selector": "data"}}],
            }
        )  # fmt: skip
        target = dlt.destinations.duckdb(str(Path(own, "peer.duckdb")))
        pipeline = dlt.pipeline("bench", destination=target, dataset_name="bench", pipelines_dir=own)
        pipeline.run(source)
        with pipeline.sql_client() as client:
            taken.value = {"invoices": client.execute_sql("SELECT COUNT(*) FROM invoices")}
    return taken


def idle() -> Taken:
    """Do nothing with everything imported that a pull imports, a store open."""
    store = Store.open("sqlite:///:memory:")
    with taking() as taken:
        pass
    store.close()
    return taken
