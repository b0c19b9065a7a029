"""Tables: keyset over equal stamps loses nothing, bounds fit the column, errors hold no address."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from probes.clock import MINUTE, from_us, iso
from probes.errors import Reason
from probes.platforms import load_platforms
from probes.poll import poll
from probes.probe import Stream
from probes.settings import parse_platforms

from .fakes import NOW_US, clock

ROWS = 4500  # more than two pages


@pytest.fixture
def url(tmp_path: Path) -> str:
    """A table in which thousands of rows share three stamps, in every way to write them."""
    address = f"sqlite:///{tmp_path / 'log.db'}"
    engine = sa.create_engine(address)
    meta = sa.MetaData()
    log = sa.Table(
        "log", meta, sa.Column("id", sa.Integer, primary_key=True), sa.Column("at", sa.DateTime), sa.Column("at_iso", sa.String),
        sa.Column("at_s", sa.BigInteger), sa.Column("at_ms", sa.BigInteger), sa.Column("note", sa.String), sa.Column("net", sa.Float),
    )  # fmt: skip
    meta.create_all(engine)
    with engine.begin() as connection:
        connection.execute(sa.insert(log), [row(number) for number in range(1, ROWS + 1)])
    engine.dispose()
    return address


def row(number: int) -> dict[str, Any]:
    us = NOW_US - (number % 3 + 1) * MINUTE
    return {
        "id": number, "at": from_us(us).replace(tzinfo=None), "at_iso": iso(us), "at_s": us // 1_000_000, "at_ms": us // 1000,
        "note": f"n{number}", "net": 0.5,
    }  # fmt: skip


def stream_of(url: str, source: dict[str, Any], **spec: Any) -> Stream:
    row_map = {"id": "id", "attributes": {"note": "note"}, **spec}
    streams = {"log": {"kind": "workflow_run", "source": source, "map": row_map}}
    section = {"log": {"vendor": "sql", "url": url, "time_zone": "UTC", "streams": streams}}
    return load_platforms(parse_platforms(section), clock=clock)["log"].streams[0]


@pytest.mark.parametrize(("column", "stamp", "form"), [
    ("at", "datetime", "naive"), ("at_iso", "iso", "iso"), ("at_s", "unix_s", "unix_s"), ("at_ms", "unix_ms", "unix_ms"),
])  # fmt: skip
def test_equal_stamps_across_pages_lose_nothing(url: str, column: str, stamp: str, form: str) -> None:
    stream = stream_of(url, {"table": "log", "cursor": column, "stamp": stamp}, time=form, changed=column)
    polling = poll(stream, {}, clock=clock)
    pages = list(polling)
    assert sorted(int(record.id) for page in pages for record in page.records) == list(range(1, ROWS + 1))
    assert len(pages) == 3
    assert polling.report.watermark_us == NOW_US - 60_000_000
    again = list(poll(stream, pages[-1].cursor, clock=clock))
    assert {record.id for page in again for record in page.records} == {str(n) for n in range(1, ROWS + 1)}


def test_a_sequence_goes_on_and_looks_back(url: str) -> None:
    stream = stream_of(url, {"table": "log", "cursor": "id", "stamp": "sequence", "overlap_rows": 10})
    pages = list(poll(stream, {}, clock=clock))
    assert sum(len(page.records) for page in pages) == ROWS
    again = list(poll(stream, pages[-1].cursor, clock=clock))
    assert [int(record.id) for page in again for record in page.records] == list(range(ROWS - 9, ROWS + 1))


def test_rows_are_read_by_key_whatever_their_stamp(url: str) -> None:
    keys = [{"by": "note", "path": "note"}]
    stream = stream_of(url, {"table": "log", "cursor": "at", "stamp": "datetime"}, keys=keys)
    pages = list(poll(stream, {}, clock=clock, kind="read", by="note", values=["n7", "n9", "x'; DROP TABLE log; --"]))
    assert [record.id for page in pages for record in page.records] == ["7", "9"]


@pytest.mark.parametrize(("source", "reason", "words"), [
    ({"table": "gone", "cursor": "at"}, Reason.BAD_REQUEST, "no table 'gone'"),
    ({"table": "log", "cursor": "gone"}, Reason.BAD_REQUEST, "no column 'gone'"),
    ({"table": "log"}, Reason.CONFIG, "source.cursor"),
    ({"table": "log", "cursor": "at", "stamp": "julian"}, Reason.CONFIG, "source.stamp"),
])  # fmt: skip
def test_a_wrong_source_says_what_is_missing(url: str, source: dict[str, Any], reason: Reason, words: str) -> None:
    polling = poll(stream_of(url, source), {}, clock=clock)
    assert list(polling) == []
    assert polling.report.reason is reason
    assert words in polling.report.message


@pytest.mark.parametrize("address", [
    "sqlite:////no/such/folder/x.db", "nonsense", "postgresql+psycopg://probe:canary-password@127.0.0.1:1/x?password=canary-password",
])  # fmt: skip
def test_a_database_that_cannot_be_reached_keeps_its_password(address: str) -> None:
    polling = poll(stream_of(address, {"table": "log", "cursor": "at"}), {}, clock=clock)
    assert list(polling) == []
    assert polling.report.status == "failed"
    assert polling.report.reason in (Reason.UNREACHABLE, Reason.CONFIG)
    assert "canary" not in polling.report.message
