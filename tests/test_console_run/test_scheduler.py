"""Do probes keep running whatever one platform, the clock, the store or another scheduler does?"""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta, tzinfo
from pathlib import Path

import pytest

from console.run import cycle, pulse
from console.run.holding import holding_lease
from console.run.jobs import Jobs, start_jobs
from console.run.settings import settings_from_text
from console.run.workspace import Workspace, open_store
from console.run.yaml_source import ConfigError
from metrics.definitions import MetricsSettings
from metrics.loading import load_model
from metrics.polling import register
from metrics.touching import Toucher
from probes.clock import HOUR, system_clock

from .fakes import FakePlatform, platform

CONFIG = "scheduler: {lease: 2s, settle: 1s}\n"


def until(what: Callable[[], bool], seconds: float = 20) -> None:
    """Poll a running scheduler until something has happened."""
    deadline = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < deadline, "it never happened"
        time.sleep(0.02)


def workspace_of(store_url: str, *platforms: FakePlatform) -> Workspace:
    settings = settings_from_text(CONFIG, Path("tieout.yaml"), store=store_url)
    named = {p.name: p for p in platforms}
    store = open_store(settings.store_url)
    register(store, named)
    model = load_model(MetricsSettings(), named)
    return Workspace(settings, system_clock, store, open_store(settings.store_url), named, model, Toucher(model))


@contextmanager
def running(workspace: Workspace) -> Iterator[Jobs]:
    jobs = start_jobs(workspace, "test")
    try:
        yield jobs
    finally:
        for one in workspace.platforms.values():
            for stream in one.streams:
                stream.gate.set()  # type: ignore[attr-defined] # a fake stream
        jobs.stop(10)
        workspace.close()


def faults(workspace: Workspace) -> set[tuple[str, str]]:
    with workspace.control.read() as conn:
        return {(f.kind, f.part) for f in pulse.faults(conn, 0)}


def test_a_hanging_platform_costs_the_others_no_run_and_its_skipped_runs_are_recorded(store_url: str) -> None:
    stuck, others = platform("stuck"), [platform(f"p{n}") for n in range(9)]
    stuck.streams[0].gate.clear()
    workspace = workspace_of(store_url, stuck, *others)
    with running(workspace):
        until(lambda: all(len(p.streams[0].runs) >= 4 for p in others))
        until(lambda: ("overrun", "probe stuck/s0") in faults(workspace))
        assert len(stuck.streams[0].runs) == 1
        assert not any(part.startswith("probe p") for _, part in faults(workspace))


def test_streams_of_one_platform_never_run_at_the_same_time(store_url: str) -> None:
    one = platform("p", streams=3)
    one.streams[0].gate.clear()
    with running(workspace_of(store_url, one)):
        until(lambda: bool(one.streams[0].runs))
        before = [len(s.runs) for s in one.streams[1:]]
        one.streams[0].gate.set()
        until(lambda: all(len(s.runs) > b for s, b in zip(one.streams[1:], before, strict=True)))


@pytest.mark.parametrize("step_hours", [-24, -1, 1, 24])
def test_a_step_of_the_wall_clock_changes_no_run_rate(
    store_url: str, step_hours: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    step = [timedelta()]

    class Stepped(datetime):
        @classmethod
        def now(cls, tz: tzinfo | None = None) -> datetime:  # type: ignore[override] # plain datetimes are enough
            return datetime.now(tz) + step[0]

    for module in ("schedulers.base", "triggers.interval", "executors.base"):
        monkeypatch.setattr(f"apscheduler.{module}.datetime", Stepped)
    one = platform("p")
    with running(workspace_of(store_url, one)) as jobs:
        until(lambda: len(one.streams[0].runs) >= 2)
        step[0] = timedelta(hours=step_hours)
        jobs.shift(step_hours * HOUR)
        held, since = len(one.streams[0].runs), time.monotonic()
        until(lambda: len(one.streams[0].runs) >= held + 3, seconds=6)
        assert time.monotonic() - since > 1, "runs came in a burst"


def test_a_platform_that_is_down_is_no_fault_of_the_monitor(store_url: str) -> None:
    from .fakes import DOWN

    one = platform("p")
    one.streams[0].fault = DOWN
    workspace = workspace_of(store_url, one)
    with running(workspace):
        until(lambda: len(one.streams[0].runs) >= 3)
        assert not faults(workspace)


def test_a_bug_in_a_connector_is_a_fault_of_the_monitor_and_stops_nothing(store_url: str) -> None:
    one = platform("p", streams=2)
    one.streams[0].fault = RuntimeError("boom")
    workspace = workspace_of(store_url, one)
    with running(workspace):
        until(lambda: all(len(s.runs) >= 3 for s in one.streams))


def test_the_parts_of_a_running_scheduler_beat(store_url: str) -> None:
    workspace = workspace_of(store_url, platform("p"))

    def names() -> set[str]:
        with workspace.control.read() as conn:
            return {b.name for b in pulse.beats(conn, workspace.now_us()) if b.fresh}

    with running(workspace):
        until(lambda: names() == {"scheduler", "judge", "alerts", "deliver"})


def test_a_part_that_never_works_goes_silent(store_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object, **__: object) -> None:
        raise RuntimeError("a bug of ours")

    monkeypatch.setattr(cycle, "judge", broken)
    workspace = workspace_of(store_url)

    def silent() -> set[str]:
        with workspace.control.read() as conn:
            return {b.name for b in pulse.beats(conn, workspace.now_us()) if not b.fresh}

    with running(workspace):
        until(lambda: silent() >= {"judge"}, 30)
        assert "deliver" not in silent()


def test_a_command_that_writes_is_refused_while_a_scheduler_is_active(store_url: str) -> None:
    first, second = workspace_of(store_url), workspace_of(store_url)
    with holding_lease(first), pytest.raises(ConfigError, match="polling this store already"), holding_lease(second):
        pass
    with holding_lease(second):
        pass
    first.close()
    second.close()


def start(config: Path) -> subprocess.Popen[bytes]:
    log = config.with_name(f"log{time.monotonic_ns()}")
    with log.open("wb") as out:
        return subprocess.Popen(
            [sys.executable, "-m", "console.run.scheduler", "--config", str(config)], stdout=out, stderr=out
        )


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "tieout.yaml"
    path.write_text(CONFIG + "store: sqlite:///tieout.sqlite\n")
    return path


def lease(config: Path) -> tuple[str, int, int] | None:
    path = config.with_name("tieout.sqlite")
    if not path.exists():
        return None
    db = sqlite3.connect(path)
    try:
        return db.execute("SELECT holder, token, expires_us FROM scheduler_lease").fetchone()  # type: ignore[no-any-return]
    except sqlite3.OperationalError:
        return None
    finally:
        db.close()


def test_when_the_active_scheduler_is_killed_the_other_takes_over_with_a_greater_token(config: Path) -> None:
    both = [start(config), start(config)]
    try:
        until(lambda: lease(config) is not None, 60)
        held = lease(config)
        assert held is not None
        leader = next(p for p in both if f":{p.pid}:" in held[0])
        leader.kill()
        killed = time.monotonic()
        until(lambda: (lease(config) or held)[1] == held[1] + 1, 60)
        assert time.monotonic() - killed < 60
        follower = next(p for p in both if p is not leader)
        assert f":{follower.pid}:" in (lease(config) or held)[0]
    finally:
        for process in both:
            process.kill()
            process.wait()


def test_sigterm_stops_the_scheduler_and_frees_the_lease(config: Path) -> None:
    process = start(config)
    try:
        until(lambda: lease(config) is not None, 60)
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 0
        held = lease(config)
        assert held is not None
        assert held[2] <= time.time_ns() // 1000
    finally:
        process.kill()
        process.wait()


def test_a_wrong_configuration_ends_the_scheduler_with_code_2(tmp_path: Path) -> None:
    path = tmp_path / "tieout.yaml"
    path.write_text("consol: {}\n")
    command = [sys.executable, "-m", "console.run.scheduler", "--config", str(path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, env={**os.environ}, check=False)
    assert done.returncode == 2
    assert "Did you mean `console`?" in done.stderr
    assert "Traceback" not in done.stderr
