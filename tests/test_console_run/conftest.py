"""Stores for the tests of the composition root: an empty SQLite file, and one loaded from the sandbox company."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from console.run import tables
from console.run.cycle import CycleSummary, run_cycle
from console.run.demo import Demo, prepare
from console.run.settings import load_settings
from console.run.workspace import open_workspace
from metrics.store import Store
from probes.clock import system_clock, to_us
from probes.sandbox import Clock, Company, served_app

assert tables


@pytest.fixture
def store_url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path / 'tieout.sqlite'}"


@pytest.fixture
def store(store_url: str) -> Iterator[Store]:
    opened = Store.open(store_url)
    yield opened
    opened.close()


@dataclass(frozen=True)
class Loaded:
    """A demo folder whose store holds a whole first load, read from the sandbox in this process."""

    demo: Demo
    summary: CycleSummary
    transport: httpx.WSGITransport
    company: Company

    @property
    def config(self) -> str:
        return str(self.demo.config)


@pytest.fixture(scope="session")
def loaded(tmp_path_factory: pytest.TempPathFactory) -> Loaded:
    folder = tmp_path_factory.mktemp("demo") / ".tieout"
    now = system_clock()
    demo = prepare(folder, 8600, calm=False, now_us=to_us(now))
    company = Company(seed=7, start_at=now, history_days=6, scale=0.5, data_dir=folder / "sandbox")
    company.run_history()
    app = served_app(company, Clock(company.start_us), base_url=demo.sandbox_url)
    transport = httpx.WSGITransport(app=app)
    with closing(open_workspace(load_settings(demo.config), transport=transport)) as workspace:
        summary = run_cycle(workspace, probes="all")
    return Loaded(demo, summary, transport, company)
