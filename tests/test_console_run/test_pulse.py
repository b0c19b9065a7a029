"""Does the monitor tell its own faults from a platform's, even while its store refuses?"""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest
from sqlalchemy import create_engine, event

from console.run import pulse
from metrics.store import Store

NOW = 1_795_000_000_000_000


def test_a_beat_is_fresh_for_two_intervals(store: Store) -> None:
    pulse.beat(store, "scheduler", "me", NOW, 10_000_000)
    with store.read() as conn:
        assert pulse.beats(conn, NOW + 20_000_000)[0].fresh
        assert not pulse.beats(conn, NOW + 26_000_000)[0].fresh


def test_a_second_beat_replaces_the_first(store: Store) -> None:
    pulse.beat(store, "scheduler", "me", NOW, 1)
    pulse.beat(store, "scheduler", "you", NOW + 5, 2)
    with store.read() as conn:
        assert pulse.beats(conn, NOW + 5) == [pulse.Beat("scheduler", NOW + 5, 2, "you", True)]


def test_a_repeated_fault_is_one_row_with_a_count(store: Store) -> None:
    for n in range(5):
        pulse.report(store, "overrun", "probe crm/x", "skipped", NOW + n)
    with store.read() as conn:
        assert pulse.faults(conn, 0) == [pulse.Fault("overrun", "probe crm/x", "skipped", NOW + 4, 5)]


def test_old_faults_are_forgotten(store: Store) -> None:
    pulse.report(store, "missed", "a", "m", NOW)
    pulse.prune(store, NOW + pulse.KEEP_US + 1)
    with store.read() as conn:
        assert pulse.faults(conn, 0) == []


def test_a_fault_reported_while_the_store_is_locked_is_written_afterwards(
    store: Store, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    impatient = Store(create_engine(store.engine.url, connect_args={"timeout": 0.05}))
    event.listen(impatient.engine, "begin", lambda conn: conn.exec_driver_sql("BEGIN IMMEDIATE"))
    event.listen(impatient.engine, "connect", lambda raw, _: setattr(raw, "isolation_level", None))
    blocker = sqlite3.connect(tmp_path / "tieout.sqlite", isolation_level=None)
    blocker.execute("BEGIN IMMEDIATE")
    pulse.report(impatient, "degraded", "judge", "locked", NOW)
    assert "kept in memory" in caplog.text
    blocker.execute("ROLLBACK")
    blocker.close()
    pulse.report(impatient, "degraded", "judge", "again", NOW + 1)
    with store.read() as conn:
        assert [f.message for f in pulse.faults(conn, 0)] == ["again", "locked"]
    impatient.close()
