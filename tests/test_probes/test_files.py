"""Files: a torn line waits, a rotated log is known again, a snapshot is read when it was replaced."""

from __future__ import annotations

import json
import os
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from probes.errors import ProbeError, Reason
from probes.platforms import load_platforms
from probes.poll import PollReport, poll, sweep
from probes.probe import Stream
from probes.record import BadRow, Record
from probes.settings import parse_platforms

from .fakes import NOW_US, clock

MAP = {"id": "id", "changed": "at", "status": "status", "attributes": {"step": "step"}}


def stream_of(folder: Path, **source: Any) -> Stream:
    row_map = source.pop("map", MAP)
    streams = {"log": {"kind": "message", "source": source, "map": row_map}}
    section = {"runtime": {"vendor": "files", "url": str(folder), "streams": streams}}
    return load_platforms(parse_platforms(section), clock=clock)["runtime"].streams[0]


def take(stream: Stream, cursor: dict[str, Any]) -> tuple[list[Record], list[BadRow], dict[str, Any], PollReport]:
    records, bad = [], []
    polling = poll(stream, cursor, clock=clock)
    for page in polling:
        records += page.records
        bad += page.bad
        cursor = page.cursor
    return records, bad, json.loads(json.dumps(cursor)), polling.report


def line(number: int) -> str:
    return json.dumps({"id": f"m{number}", "at": "2026-11-20T11:00:00Z", "status": "ok", "step": "sent"}) + "\n"


def test_a_log_is_read_from_where_it_was_left(tmp_path: Path) -> None:
    log, stream = tmp_path / "log.jsonl", stream_of(tmp_path, path="log.jsonl")
    log.write_text(line(1) + line(2))
    records, _, cursor, report = take(stream, {})
    assert [record.id for record in records] == ["m1", "m2"]
    assert (report.status, report.watermark_us) == ("complete", NOW_US - 2_000_000)
    with log.open("a") as file:
        file.write(line(3))
    assert [record.id for record in take(stream, cursor)[0]] == ["m3"]


def test_a_torn_last_line_waits_for_its_end(tmp_path: Path) -> None:
    log, stream = tmp_path / "log.jsonl", stream_of(tmp_path, path="log.jsonl")
    whole = line(1) + line(2)
    for cut in range(len(line(1)), len(whole)):
        log.write_text(whole[:cut])
        records, bad, cursor, _ = take(stream, {})
        assert ([record.id for record in records], bad) == (["m1"], [])
        with log.open("a") as file:
            file.write(whole[cut:])
        assert [record.id for record in take(stream, cursor)[0]] == ["m2"]


def test_a_first_line_that_is_torn_waits_too(tmp_path: Path) -> None:
    (tmp_path / "log.jsonl").write_text(line(1)[:10])
    records, _, cursor, report = take(stream_of(tmp_path, path="log.jsonl"), {})
    assert (records, cursor, report.status) == ([], {"offsets": {}}, "complete")


def test_a_rotated_log_loses_and_repeats_nothing(tmp_path: Path) -> None:
    log, stream = tmp_path / "log.jsonl", stream_of(tmp_path, path="log*", format="jsonl")
    log.write_text(line(1))
    _, _, cursor, _ = take(stream, {})
    with log.open("a") as file:
        file.write(line(2))
    log.rename(tmp_path / "log.1.jsonl")
    log.write_text(line(3))
    records, _, cursor, _ = take(stream, cursor)
    assert sorted(record.id for record in records) == ["m2", "m3"]
    assert take(stream, cursor)[0] == []


def test_a_log_cut_and_begun_anew_is_read_from_its_start(tmp_path: Path) -> None:
    log, stream = tmp_path / "log.jsonl", stream_of(tmp_path, path="log.jsonl")
    log.write_text(line(1) + line(2))
    _, _, cursor, _ = take(stream, {})
    log.write_text(line(3))
    assert [record.id for record in take(stream, cursor)[0]] == ["m3"]


def test_only_the_unreadable_line_is_quarantined(tmp_path: Path) -> None:
    body = (
        line(1).encode() + b"no json\n" + b'["a list"]\n' + b'{"id": "m4", "step": "\xff"}\n' + b"\n" + line(5).encode()
    )
    (tmp_path / "log.jsonl").write_bytes(body)
    records, bad, _, report = take(stream_of(tmp_path, path="log.jsonl"), {})
    assert [record.id for record in records] == ["m1", "m5"]
    assert [(row.reason, row.raw[:7]) for row in bad] == [
        ("unreadable", "no json"),
        ("unreadable", '["a lis'),
        ("mapping", '{"_id":'),
    ]
    assert (report.status, report.bad_rows) == ("complete", 3)


def test_a_line_without_an_id_of_its_own_is_known_by_its_place(tmp_path: Path) -> None:
    (tmp_path / "log.jsonl").write_text('{"step": "a"}\n{"step": "a"}\n')
    records = take(stream_of(tmp_path, path="log.jsonl", map={"id": "_id"}), {})[0]
    assert len({record.id for record in records}) == 2
    assert take(stream_of(tmp_path, path="log.jsonl", map={"id": "_id"}), {})[0] == records


def test_a_csv_log_keeps_quoted_lines_together_and_waits_for_torn_ones(tmp_path: Path) -> None:
    log, stream = tmp_path / "log.csv", stream_of(tmp_path, path="log.csv", delimiter=";")
    log.write_text(
        '\ufeffid;at;status;step\nm1;2026-11-20T11:00:00Z;ok;"two\nlines; one ""cell"""\nm2;2026-11-20T11:00:00Z;ok;"to'
    )
    records, _, cursor, _ = take(stream, {})
    assert [(record.id, record.attributes["step"]) for record in records] == [("m1", 'two\nlines; one "cell"')]
    with log.open("a") as file:
        file.write('rn"\nm3;x;ok\n')
    records, bad, _, _ = take(stream, cursor)
    assert [(record.id, record.attributes["step"]) for record in records] == [("m2", "torn")]
    assert bad[0].message == "3 cells where 4 columns are named"


def test_a_snapshot_is_read_again_only_when_it_was_replaced(tmp_path: Path) -> None:
    export, stream = tmp_path / "accounts.csv", stream_of(tmp_path, path="accounts.csv", mode="snapshot")
    export.write_text("id,at,status,step\na1,2026-11-20T11:00:00Z,ok,x\na2,,,\n")
    records, _, cursor, _ = take(stream, {})
    assert [record.id for record in records] == ["a1", "a2"]
    assert take(stream, cursor)[0] == []
    part = tmp_path / "part"
    part.write_text("id,at,status,step\na1,2026-11-20T11:30:00Z,ok,y\n")
    os.replace(part, export)
    assert [record.attributes["step"] for record in take(stream, cursor)[0]] == ["y"]
    assert [one for ids in sweep(stream, clock=clock) for one in ids] == ["a1"]


def test_parquet_keeps_times_and_exact_numbers(tmp_path: Path) -> None:
    at = datetime(2026, 11, 20, 12, tzinfo=UTC)
    rows = [
        {"id": "1", "at": at, "net": Decimal("12.50"), "rate": 0.1},
        {"id": "2", "at": at, "net": None, "rate": float("nan")},
    ]
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "orders.parquet")
    row_map = {
        "id": "id", "changed": "at", "currency": {"const": "EUR"}, "amounts": {"net": "net"},
        "attributes": {"rate": {"path": "rate", "as": "decimal"}},
    }  # fmt: skip
    records, bad, _, _ = take(stream_of(tmp_path, path="orders.parquet", map=row_map), {})
    assert (records[0].changed_us, records[0].amounts, records[0].attributes) == (
        NOW_US,
        {"net": 1250},
        {"rate": "0.1"},
    )
    assert bad[0].message.startswith("attributes.rate: nan")


@pytest.mark.parametrize(("source", "reason"), [
    ({"path": "nothing-*.jsonl"}, Reason.NOT_VISIBLE), ({"path": "../secret.jsonl"}, Reason.CONFIG),
    ({"path": "/etc/passwd"}, Reason.CONFIG),
    ({"path": "x.txt"}, Reason.CONFIG), ({"path": "x.jsonl", "mod": "log"}, Reason.CONFIG), ({}, Reason.CONFIG),
])  # fmt: skip
def test_a_source_that_cannot_be_read_says_why(tmp_path: Path, source: dict[str, Any], reason: Reason) -> None:
    report = take(stream_of(tmp_path, **source), {})[3]
    assert (report.status, report.reason) == ("failed", reason)
    assert report.message


def test_a_folder_that_is_not_there_fails_the_check(tmp_path: Path) -> None:
    streams = {"log": {"kind": "message", "source": {"path": "x.jsonl"}, "map": MAP}}
    section = {"runtime": {"vendor": "files", "url": str(tmp_path / "gone"), "streams": streams}}
    platform = load_platforms(parse_platforms(section), clock=clock)["runtime"]
    with pytest.raises(ProbeError, match="cannot be read"):
        platform.check(poll(platform.streams[0], {}, clock=clock).meter)
