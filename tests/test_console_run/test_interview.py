"""Does `tieout init`, asked at a terminal, write a file that `tieout check` finds right, against real servers?"""

from __future__ import annotations

import os
import pty
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from probes.clock import system_clock
from probes.sandbox import Company, Running, serve, wall_clock

SECRETS = {
    "CRM_CLIENT_ID": "sandbox-salesforce-client",
    "CRM_CLIENT_SECRET": "sandbox-salesforce-secret",
    "BILLING_KEY": "rk_live_sandbox_stripe",
}


@pytest.fixture(scope="module")
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    company = Company(7, system_clock(), 3, 0.2, data_dir=tmp_path_factory.mktemp("sandbox"))
    company.run_history()
    running = serve(company, clock=wall_clock())
    yield running
    running.stop()


def at_a_terminal(folder: Path, answers: list[str]) -> tuple[int, str]:
    """Run `tieout init` on a pseudo-terminal and answer each question. Returns: the exit code and what was shown."""
    pid, terminal = pty.fork()
    if pid == 0:  # the child: nothing of the test runs on in it
        os.chdir(folder)
        os.execve(sys.executable, [sys.executable, "-m", "console.run.cli", "init"], {**os.environ, **SECRETS})
    shown, waiting = b"", list(answers)
    while True:
        try:
            part = os.read(terminal, 65536)
        except OSError:  # the other side is gone
            break
        if not part:
            break
        shown += part
        if waiting and shown.rstrip().endswith((b":", b"]:")):
            os.write(terminal, waiting.pop(0).encode() + b"\n")
            shown += b"\n"
    _, status = os.waitpid(pid, 0)
    os.close(terminal)
    assert not waiting, shown.decode()
    return os.waitstatus_to_exitcode(status), shown.decode("utf-8", "replace")


def test_an_interview_ends_in_a_file_that_checks(tmp_path: Path, sandbox: Running) -> None:
    base = sandbox.base_url
    answers = ["O'Neill & Söhne", "sap", "salesforce", "crm", f"{base}/salesforce"]
    answers += ["stripe", "billing", f"{base}/stripe", "", "NW-DE NW-US NW-JP"]
    code, shown = at_a_terminal(tmp_path, answers)
    assert code == 0, shown
    assert "There is no vendor sap." in shown
    assert "wrote tieout.yaml" in shown
    assert "proposed: billing/subscription metadata.salesforce_opportunity_id -> crm/opportunity/id" in shown
    command = [sys.executable, "-m", "console.run.cli", "check"]
    done = subprocess.run(
        command, cwd=tmp_path, env={**os.environ, **SECRETS}, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    assert " failed " not in done.stdout
