"""Does `tieout up` keep the scheduler and the console as one: start, survive a crash, refuse, stop?"""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from tests.servers import lab
from tests.servers.process import until

SECONDS = 120


class Up:
    """One running `tieout up` and what it says."""

    def __init__(self, folder: Path, port: int) -> None:
        self.config = folder / f"up-{port}.yaml"
        self.config.write_text(
            f"console: {{port: {port}}}\nscheduler: {{lease: 3s, settle: 1s}}\nstore: sqlite:///{folder}/tieout.sqlite\n"
        )
        self.url = f"http://127.0.0.1:{port}"
        self.log = folder / f"up-{port}.log"
        with self.log.open("wb") as out:
            command = [sys.executable, "-m", "console.run.cli", "--config", str(self.config), "up"]
            self.process = subprocess.Popen(command, cwd=folder, stdout=out, stderr=out)

    def said(self) -> str:
        return self.log.read_text("utf-8", "replace")

    def says(self, words: str) -> str:
        """Wait until it says something. Returns: all it said."""
        until(lambda: words in self.said() or self.process.poll() is not None, SECONDS, words)
        assert words in self.said(), self.said()
        return self.said()

    def child(self, module: str) -> int | None:
        """Return the process id of the scheduler or the console of this one."""
        for entry in Path("/proc").glob("[0-9]*/cmdline"):
            try:
                words = entry.read_bytes().split(b"\0")
            except OSError:
                continue
            if module.encode() in words and str(self.config).encode() in words:
                return int(entry.parent.name)
        return None

    def ready(self) -> bool:
        return self.status("/readyz") == 200

    def status(self, path: str) -> int | None:
        try:
            return httpx.get(self.url + path, timeout=30, trust_env=False).status_code
        except httpx.HTTPError:
            return None


@contextmanager
def up(folder: Path) -> Iterator[Up]:
    (port,) = lab.free_ports(1)
    running = Up(folder, port)
    try:
        yield running
    finally:
        running.process.terminate()
        try:
            running.process.wait(40)
        finally:
            running.process.kill()
            running.process.wait()


def again(one: Up) -> subprocess.CompletedProcess[str]:
    """Start a second one with the same configuration."""
    command = [sys.executable, "-m", "console.run.cli", "--config", str(one.config), "up"]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, cwd=one.config.parent, check=False)


def test_it_becomes_ready_refuses_another_at_its_port_and_ends_with_both_its_processes(tmp_path: Path) -> None:
    with up(tmp_path) as one:
        one.says(f"tieout: open {one.url}")
        until(one.ready, SECONDS, "readiness")
        scheduler, console = one.child("console.run.scheduler"), one.child("console.web.serve")
        assert scheduler is not None
        assert console is not None
        refused = again(one)
        assert refused.returncode == 2
        assert "address already in use" in refused.stderr
        assert "write another `port:`" in refused.stderr
        assert "Traceback" not in refused.stderr
        one.process.send_signal(signal.SIGTERM)
        assert one.process.wait(60) == 0
        assert "tieout: stopping" in one.said()
        assert "Traceback" not in one.said()
        for pid in (scheduler, console):
            assert not Path(f"/proc/{pid}").exists()


def test_the_console_outlives_a_scheduler_that_crashed_and_another_is_started(tmp_path: Path) -> None:
    with up(tmp_path) as one:
        until(one.ready, SECONDS, "readiness")
        first = one.child("console.run.scheduler")
        assert first is not None
        os.kill(first, signal.SIGKILL)
        said = one.says("the scheduler has ended with code -9; the console stays open")
        assert re.search(r"started again in \d+ s", said)
        assert one.status("/healthz") == 200
        until(lambda: one.child("console.run.scheduler") not in (None, first), SECONDS, "another scheduler")
        until(lambda: one.said().count("active scheduler: lease") == 2, SECONDS, "the lease taken over")
        until(one.ready, SECONDS, "readiness again")
        assert one.process.poll() is None


def test_a_scheduler_that_stays_away_is_told_by_the_console(tmp_path: Path) -> None:
    with up(tmp_path) as one:
        until(one.ready, SECONDS, "readiness")
        scheduler = one.child("console.run.scheduler")
        assert scheduler is not None
        os.kill(scheduler, signal.SIGSTOP)  # alive for its parent, and yet doing nothing
        try:
            until(lambda: one.status("/readyz") == 503, SECONDS, "that it is not ready")
            told = httpx.get(f"{one.url}/readyz", timeout=30, trust_env=False).json()["checks"]["scheduler"]
            assert "last heard of: " in told["detail"]
            assert one.status("/healthz") == 200
        finally:
            os.kill(scheduler, signal.SIGCONT)


def test_a_second_scheduler_waits_for_the_lease_and_takes_over(tmp_path: Path) -> None:
    with up(tmp_path) as one:
        until(one.ready, SECONDS, "readiness")
        with up(tmp_path) as two:
            two.says("another scheduler is active on this database; waiting to take over")
            assert "active scheduler" not in two.said()
            until(two.ready, SECONDS, "its console, which shows the same store")
            one.process.send_signal(signal.SIGTERM)
            assert one.process.wait(60) == 0
            two.says("active scheduler: lease 2")


@pytest.mark.parametrize("host", ["203.0.113.7", "no-such-host.invalid"])
def test_a_host_of_somebody_else_is_refused_with_what_to_write(tmp_path: Path, host: str) -> None:
    config = tmp_path / "tieout.yaml"
    config.write_text(f"console: {{host: {host}}}\n")
    command = [sys.executable, "-m", "console.run.cli", "--config", str(config), "up"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, cwd=tmp_path, check=False)
    assert done.returncode == 2
    assert f"cannot listen on {host}:8600" in done.stderr
    assert "Traceback" not in done.stderr
