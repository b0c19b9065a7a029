"""How does a test have a real Prometheus scrape us? One server per session; targets are added while it runs."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from . import lab
from .process import answers, running, until

_SCRAPE = """
global: {scrape_interval: 3s, scrape_timeout: 3s}
scrape_configs:
  - job_name: lab
    file_sd_configs: [{files: [targets.json], refresh_interval: 1s}]
"""


@dataclass(frozen=True)
class Prometheus:
    """A running Prometheus that scrapes every three seconds what it is told to."""

    url: str
    folder: Path

    def scrape(self, host_and_port: str, seconds: float = 60) -> None:
        """Add a target and wait until a scrape of it succeeds. Errors: AssertionError with Prometheus's own reason."""
        targets = self.folder / "targets.json"
        known = json.loads(targets.read_text())
        wanted = [*known, {"targets": [host_and_port]}]
        (self.folder / "new.json").write_text(json.dumps(wanted))
        (self.folder / "new.json").replace(targets)  # in one step: Prometheus must not read half a file
        try:
            until(lambda: self._target(host_and_port).get("health") == "up", seconds, f"a scrape of {host_and_port}")
        except TimeoutError as error:
            raise AssertionError(f"{error}: {self._target(host_and_port).get('lastError')}") from None

    def _target(self, host_and_port: str) -> dict[str, Any]:
        active = httpx.get(f"{self.url}/api/v1/targets", trust_env=False).json()["data"]["activeTargets"]
        return next((target for target in active if target["labels"]["instance"] == host_and_port), {})

    def query(self, expression: str) -> list[dict[str, Any]]:
        """Return the instant vector of a PromQL expression."""
        answer = httpx.get(f"{self.url}/api/v1/query", params={"query": expression}, trust_env=False)
        result: list[dict[str, Any]] = answer.raise_for_status().json()["data"]["result"]
        return result


@pytest.fixture(scope="session")
def prometheus(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Prometheus]:
    """Run a Prometheus server."""
    program = lab.command("prometheus", "prometheus")
    folder = tmp_path_factory.mktemp("prometheus")
    (folder / "targets.json").write_text("[]")
    (folder / "prometheus.yml").write_text(_SCRAPE)
    (port,) = lab.free_ports(1)
    url = f"http://127.0.0.1:{port}"
    command = [
        program,
        f"--config.file={folder / 'prometheus.yml'}",
        f"--storage.tsdb.path={folder / 'tsdb'}",
        f"--web.listen-address=127.0.0.1:{port}",
        f"--web.external-url={url}",
    ]
    with running(command, folder / "log", lambda: answers(f"{url}/-/ready"), seconds=60):
        yield Prometheus(url, folder)


def check_metrics(exposition: str) -> str:
    """Return what `promtool check metrics` complains of in the Prometheus text format; silence is approval."""
    program = lab.command("promtool", "prometheus")
    done = subprocess.run(
        [program, "check", "metrics"], input=exposition, capture_output=True, text=True, check=False, timeout=60
    )
    said = (done.stdout + done.stderr).strip()
    return said or (f"promtool ended with {done.returncode}" if done.returncode else "")
