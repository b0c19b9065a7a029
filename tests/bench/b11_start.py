"""B11: how long from a clean checkout to the first SLI on screen, beyond what pip takes to install?

The committed tree is exported to an empty folder and installed there, packages coming from pip's own cache where it has them.
Then `make demo` runs until its HTTP interface shows a figure.
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
import tempfile
from pathlib import Path

import httpx

from probes.clock import monotonic
from tests.servers.process import until

from .measure import Taken
from .report import Result, slower

ALLOWED_SECONDS = 30.0
ROOT = Path(__file__).resolve().parents[2]
_READY = re.compile(r"Tieout is ready: (http://\S+)")


def run(scale: float, rounds: int) -> list[Result]:
    """Measure installation and start; `scale` means nothing here."""
    taken = [start() for _ in range(min(rounds, 3))]
    install = [t.value["install_seconds"] for t in taken]
    whole = [t.wall for t in taken]
    allowed = [seconds + ALLOWED_SECONDS for seconds in install]
    return [slower("B11", "make demo to first SLI", "s", whole, "pip + 30 s", allowed, 1.0, install_seconds=install)]


def start() -> Taken:
    """Export, install, start, wait for the first figure, stop."""
    with tempfile.TemporaryDirectory() as folder:
        archive = subprocess.run(["git", "archive", "HEAD"], cwd=ROOT, capture_output=True, check=True)
        subprocess.run(["tar", "-x", "-C", folder], input=archive.stdout, check=True)
        own = {k: v for k, v in os.environ.items() if k not in ("VIRTUAL_ENV", "PYTHONPATH", "MAKEFLAGS")}
        began = monotonic()
        subprocess.run(["make", "-s", ".venv/.installed"], cwd=folder, env=own, check=True, capture_output=True)
        installed = monotonic()
        log = Path(folder, "demo.log")
        with log.open("wb") as out:
            demo = subprocess.Popen(
                ["make", "-s", "demo"], cwd=folder, env=own, stdout=out, stderr=out, start_new_session=True
            )
        try:
            until(lambda: _shown(log, demo), 600, "the first SLI", 0.2)
            shown = monotonic()
        finally:
            os.killpg(demo.pid, signal.SIGINT)
            demo.wait(60)
    return Taken(wall=shown - began, value={"install_seconds": installed - began})


def _shown(log: Path, demo: subprocess.Popen[bytes]) -> bool:
    text = log.read_text("utf-8", "replace")
    if demo.poll() is not None:
        raise RuntimeError(f"make demo ended: {text[-2000:]}")
    ready = _READY.search(text)
    if ready is None:
        return False
    answer = httpx.get(f"{ready.group(1).rstrip('/')}/api/v1/slis", trust_env=False, timeout=10)
    return answer.status_code == 200 and any(item["status"] != "no_data" for item in answer.json()["items"])
