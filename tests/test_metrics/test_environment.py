"""A platform that is not the one configured is not polled."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import select

from metrics.definitions import MetricsSettings
from metrics.loading import load_model
from metrics.polling import register, run_poll
from metrics.store import Store
from metrics.tables import PlatformRow, RecordRow, table
from metrics.touching import Toucher
from probes.clock import to_us
from probes.errors import ProbeError, Reason
from probes.probe import Environment, Meter, Page, StreamSpec
from probes.record import Record

START = datetime(2026, 11, 1, tzinfo=UTC)


@dataclass
class _Customers:
    spec: StreamSpec = field(default_factory=lambda: StreamSpec("customer", "customer"))

    def changes(self, cursor: dict[str, object], now_us: int, meter: Meter) -> Iterator[Page]:
        yield Page([Record(kind="customer", id="c1", created_us=1)], {}, now_us, last=True, watermark_us=now_us)


@dataclass
class _Crm:
    says: list[Environment | ProbeError]
    name: str = "crm"
    vendor: str = "salesforce"
    roles: tuple[str, ...] = ("crm",)
    streams: tuple[_Customers, ...] = (_Customers(),)

    def check(self, meter: Meter) -> Environment:
        answer = self.says.pop(0)
        if isinstance(answer, ProbeError):
            raise answer
        return answer

    def link(self, kind: str, external_id: str) -> str | None:
        return None


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    opened = Store.open(f"sqlite:///{tmp_path / 'store.sqlite'}")
    yield opened
    opened.close()


def _poll(store: Store, crm: _Crm, hours: int = 0) -> tuple[str, str | None]:
    register(store, {"crm": crm})
    toucher = Toucher(load_model(MetricsSettings(), {"crm": crm}))
    summary = run_poll(store, toucher, crm, crm.streams[0], lambda: START + timedelta(hours=hours))
    return summary.status, summary.reason


def test_what_a_platform_says_of_itself_is_remembered_and_asked_once_an_hour(store: Store) -> None:
    crm = _Crm([Environment("00D1", "production", "v66.0", ("the probe user may write",))])
    assert _poll(store, crm) == ("complete", None)
    assert _poll(store, crm) == ("complete", None)
    with store.read() as conn:
        row = conn.execute(select(table(PlatformRow))).one()
    assert (row.account, row.environment, row.version, row.warnings) == (
        "00D1", "production", "v66.0", "the probe user may write",
    )  # fmt: skip
    assert row.checked_us == to_us(START)


def test_another_environment_is_refused_and_nothing_of_it_lands(store: Store) -> None:
    crm = _Crm([ProbeError(Reason.ENVIRONMENT, "says it is a test environment")])
    assert _poll(store, crm) == ("failed", "environment")
    with store.read() as conn:
        assert conn.execute(select(table(RecordRow))).all() == []


def test_another_account_behind_the_same_name_is_refused(store: Store) -> None:
    crm = _Crm([Environment("00D1", "production"), Environment("00D2", "production")])
    assert _poll(store, crm) == ("complete", None)
    assert _poll(store, crm, hours=2) == ("failed", "environment")


def test_trouble_while_asking_decides_nothing(store: Store) -> None:
    crm = _Crm([ProbeError(Reason.TIMEOUT, "no answer"), Environment("00D1", "production")])
    assert _poll(store, crm) == ("complete", None)
    assert _poll(store, crm) == ("complete", None)
