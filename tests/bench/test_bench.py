"""Does the bench measure what it says? Small runs of its parts; no clock time is judged."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path

import pytest

from . import b1_pull, b2_rebuild
from .bulk import Filling, company_store
from .invoices import server
from .report import faster, slower, table, write


def test_a_ratio_reads_as_its_target_does(tmp_path: Path) -> None:
    quick = faster("B1", "pull", 100, [2.0, 1.0, 4.0], "limit", [1.0, 1.0, 1.0], 0.5)
    slow = slower("B2", "rebuild", "s", [9.0], "limit", [2.0], 3.0)
    assert (quick.ratio, quick.met) == (0.5, True)
    assert (slow.ratio, slow.met) == (4.5, False)
    assert "NOT MET" in table([quick, slow])
    write([quick, slow], tmp_path / "bench.json")
    assert [r["met"] for r in json.loads((tmp_path / "bench.json").read_text())] == [True, False]


def test_the_limit_of_the_pull_writes_the_rows_that_ours_left(tmp_path: Path) -> None:
    prepared, dump = tmp_path / "prepared.sqlite", tmp_path / "rows.sqlite"
    b1_pull.prepare(prepared, 400)
    with server(400) as url:
        told = b1_pull.pull(url, str(prepared), str(tmp_path), str(dump)).value
        b1_pull.limit(url, str(prepared), str(dump), str(tmp_path))
    assert told["invoices"] == 400
    held, limit, bare = (_counts(path) for path in (prepared, tmp_path / "limit.sqlite", tmp_path / "bare.sqlite"))
    assert bare == told["rows"]
    assert {name: count - held[name] for name, count in limit.items()} == told["rows"]
    assert bare["sli_event"] == 400
    assert bare["breaks"] == 2  # every 200th is posted with another amount


def _counts(path: Path) -> dict[str, int]:
    with sqlite3.connect(path) as raw:
        counts = {name: raw.execute(f'SELECT COUNT(*) FROM "{name}"').fetchone()[0] for name in b1_pull.WRITTEN}
    raw.close()
    return counts


def test_duckdb_and_the_rebuild_say_the_same_of_every_event(tmp_path: Path) -> None:
    pytest.importorskip("duckdb", reason="the bench group is not installed")
    prepared, dump = tmp_path / "prepared.sqlite", tmp_path / "rows.sqlite"
    company_store(prepared, Filling(300))
    b2_rebuild.export(prepared, tmp_path)
    ours = b2_rebuild.ours(str(prepared), str(tmp_path), str(dump)).value["events"]
    assert b2_rebuild.limit(str(tmp_path), str(dump)).value["events"] == ours
    assert sum(row[3] for row in ours) == 1200
