"""Does a fault inside the monitor stay inside it: recorded, told apart from platforms' trouble, and never a verdict?"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event, func, select
from sqlalchemy.exc import OperationalError

from console.run import cycle, pulse
from console.run.cycle import fault_text, poll_stream, run_cycle
from console.run.lease import LeaseLostError, acquire, fence
from console.run.workspace import Workspace
from metrics.tables import RecordRow, SliEvent, table

from .fakes import DOWN, platform
from .test_scheduler import workspace_of


@pytest.fixture
def workspace(store_url: str) -> Iterator[Workspace]:
    opened = workspace_of(store_url, platform("a"), platform("b"))
    yield opened
    opened.close()


def faults(workspace: Workspace) -> list[tuple[str, str]]:
    with workspace.control.read() as conn:
        return [(f.kind, f.part) for f in pulse.faults(conn, 0)]


def count(workspace: Workspace, of: Any) -> int:
    with workspace.store.read() as conn:
        return int(conn.execute(select(func.count()).select_from(table(of))).scalar_one())


def test_one_cycle_polls_judges_evaluates_and_delivers(workspace: Workspace) -> None:
    summary = run_cycle(workspace, probes="all")
    assert {(p.platform, p.status) for p in summary.polls} == {("a", "complete"), ("b", "complete")}
    assert summary.judged is not None
    assert summary.evaluated is not None
    assert summary.delivered is not None
    assert summary.degraded == ()
    assert count(workspace, RecordRow) == 2


def test_nothing_is_polled_again_before_it_is_due(workspace: Workspace) -> None:
    run_cycle(workspace, probes="all")
    assert run_cycle(workspace, probes="none").polls == ()


def test_a_platform_that_is_down_is_a_failed_poll_and_no_fault_of_ours(workspace: Workspace) -> None:
    workspace.platforms["a"].streams[0].fault = DOWN  # type: ignore[attr-defined] # a fake stream
    summary = run_cycle(workspace, probes="all")
    assert {(p.platform, p.status) for p in summary.polls} == {("a", "failed"), ("b", "complete")}
    assert summary.degraded == ()
    assert faults(workspace) == []


def test_a_fault_in_judging_tells_nobody_anything_and_is_recorded(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: Any, **__: Any) -> None:
        raise ZeroDivisionError("a bug of ours")

    monkeypatch.setattr(cycle, "judge", broken)
    summary = run_cycle(workspace, probes="all")
    assert len(summary.polls) == 2
    assert summary.evaluated is None, "rules must not read half-written verdicts"
    assert summary.delivered is not None, "what was to be told before is still delivered"
    assert set(summary.degraded) == {"judge"}
    assert ("degraded", "judge") in faults(workspace)


def test_a_fault_in_one_channel_of_alerting_still_delivers_the_rest(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: Any, **__: Any) -> None:
        raise KeyError("a bug of ours")

    monkeypatch.setattr(cycle, "evaluate", broken)
    summary = run_cycle(workspace, probes="all")
    assert summary.degraded == ("alerts",)
    assert summary.delivered is not None


def test_a_locked_store_is_a_fault_of_the_monitor_and_makes_no_verdict(workspace: Workspace, tmp_path: Path) -> None:
    run_cycle(workspace, probes="all")
    before = count(workspace, SliEvent)
    for store in (workspace.store, workspace.control):
        event.listen(store.engine, "checkout", lambda raw, *_: raw.execute("PRAGMA busy_timeout=50"))
    blocker = sqlite3.connect(tmp_path / "tieout.sqlite", isolation_level=None)
    blocker.execute("BEGIN IMMEDIATE")
    summary = run_cycle(workspace, probes="all")
    assert summary.polls == ()
    assert "probe a/s0" in summary.degraded
    blocker.execute("ROLLBACK")
    blocker.close()
    assert run_cycle(workspace, probes="all").degraded == ()
    pulse.report(workspace.control, "degraded", "probe", "flushes what waited", workspace.now_us())
    assert ("degraded", "probe a/s0") in faults(workspace)
    assert count(workspace, SliEvent) == before


def test_a_replaced_scheduler_stops_in_the_middle_of_a_cycle(workspace: Workspace) -> None:
    lease = acquire(workspace.control, "old", workspace.now_us() - 60_000_000, 30_000_000)
    assert lease is not None
    fence(workspace.store, lease.token)
    assert run_cycle(workspace, probes="all").degraded == ()
    acquire(workspace.control, "new", workspace.now_us(), 30_000_000)
    held = count(workspace, RecordRow)
    with pytest.raises(LeaseLostError):
        poll_stream(workspace, workspace.platforms["a"], workspace.platforms["a"].streams[0], "changes")
    assert count(workspace, RecordRow) == held


def test_the_text_of_a_database_fault_never_holds_what_was_to_be_written() -> None:
    fault = OperationalError("INSERT INTO version VALUES (?)", ["a secret body"], Exception("database is locked"))
    assert fault_text(fault) == "OperationalError: database is locked"
