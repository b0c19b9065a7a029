"""Does `tieout demo` come up by itself, show figures, and leave nothing running?"""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import httpx
import pytest

from console.run.demo import MARK, prepare
from console.run.processes import ChildError, start, wait_until
from console.run.yaml_source import ConfigError
from probes.clock import system_clock, to_us

READY_SECONDS = 240


def processes_of(folder: Path) -> list[str]:
    """Return the command lines of processes that work in a demo's folder."""
    found = []
    for entry in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            line = entry.read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue
        if str(folder) in line and str(os.getpid()) != entry.parent.name:
            found.append(line)
    return found


def test_a_demo_comes_up_answers_and_stops_with_everything_it_started(tmp_path: Path) -> None:
    folder = tmp_path / ".tieout"
    out = (tmp_path / "out").open("w+")
    command = [sys.executable, "-m", "console.run.cli", "demo", "--folder", str(folder), "--port", "8690"]
    demo = subprocess.Popen(command, cwd=tmp_path, stdout=out, stderr=subprocess.STDOUT)
    try:
        deadline = time.monotonic() + READY_SECONDS
        url = None
        while url is None:
            assert demo.poll() is None, (tmp_path / "out").read_text()
            assert time.monotonic() < deadline, (tmp_path / "out").read_text()
            url = re.search(r"Tieout is ready: (http://\S+)", (tmp_path / "out").read_text())
            time.sleep(0.2)
        with httpx.Client(base_url=url[1], timeout=60) as client:
            assert client.get("/readyz").status_code == 200
            slis = {s["name"]: s for s in client.get("/api/v1/slis").json()["items"]}
            assert slis["order_latency"]["good"] > 100
        with pytest.raises(ConfigError, match="already running"):
            prepare(folder, 8690, calm=True, now_us=to_us(system_clock()))
        assert len(processes_of(folder)) >= 4
        demo.send_signal(signal.SIGINT)
        assert demo.wait(60) == 0
        assert "stopped. The store stays in" in (tmp_path / "out").read_text()
        assert processes_of(folder) == []
    finally:
        demo.kill()
        demo.wait()
        out.close()
    assert (folder / "tieout.sqlite").exists()


def test_a_configuration_of_ones_own_is_never_overwritten(tmp_path: Path) -> None:
    (tmp_path / "tieout.yaml").write_text("company: Mine\n")
    with pytest.raises(ConfigError, match="left alone"):
        prepare(tmp_path, 8600, calm=True, now_us=0)
    assert (tmp_path / "tieout.yaml").read_text() == "company: Mine\n"


def test_a_second_demo_takes_away_only_what_the_first_left(tmp_path: Path) -> None:
    prepare(tmp_path, 8600, calm=True, now_us=0)
    (tmp_path / "notes.txt").write_text("mine")
    (tmp_path / "messages" / "0001-old.txt").write_text("old")
    demo = prepare(tmp_path, 8600, calm=False, now_us=0)
    assert demo.config.read_text().startswith(MARK)
    assert (tmp_path / "notes.txt").read_text() == "mine"
    assert list((tmp_path / "messages").iterdir()) == []
    assert (tmp_path / "secrets" / "stripe").stat().st_mode & 0o077 == 0


def test_a_demo_never_takes_another_process_at_its_address_for_its_own(tmp_path: Path) -> None:
    log = tmp_path / "child.log"
    ended = start("sandbox", ["probes.sandbox", "--port", "not-a-port"], log)
    ended.process.wait(60)
    with pytest.raises(ChildError, match="sandbox has ended"):
        wait_until(lambda: True, [ended], threading.Event(), 1)


def test_a_port_in_use_is_said_and_the_next_one_taken(tmp_path: Path) -> None:
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        held.listen()
        port = held.getsockname()[1]
        demo = prepare(tmp_path, port, calm=True, now_us=0)
    assert demo.console_port > port
    assert f"port: {demo.console_port}" in demo.config.read_text()
