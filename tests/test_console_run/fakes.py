"""Platforms in memory for the tests of the scheduler: they yield one record per poll, hang, or break on demand."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from probes.clock import system_clock, to_us
from probes.errors import ProbeError, Reason
from probes.probe import Cursor, Environment, Meter, Page, StreamSpec
from probes.record import Record


@dataclass
class FakeStream:
    """One stream; `gate` unset makes its polls hang, `fault` makes them fail."""

    spec: StreamSpec
    gate: threading.Event = field(default_factory=threading.Event)
    fault: Exception | None = None
    runs: list[int] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.gate.set()

    def changes(self, cursor: Cursor, now_us: int, meter: Meter) -> Iterator[Page]:
        self.runs.append(to_us(system_clock()))
        self.gate.wait(60)
        if self.fault is not None:
            raise self.fault
        number = str(len(self.runs))
        observed = to_us(system_clock())
        record = Record(kind="customer", id=number, created_us=observed, changed_us=observed)
        yield Page([record], {"n": number}, observed, last=True, watermark_us=now_us)

    def read(self, by: str, values: Sequence[str], meter: Meter) -> Iterator[Page]:
        yield from ()

    def ids(self, meter: Meter) -> Iterator[list[str]]:
        yield from ()

    def reread(self, meter: Meter) -> Iterator[Page]:
        yield from ()


@dataclass
class FakePlatform:
    """One platform with its streams."""

    name: str
    streams: Sequence[FakeStream]
    vendor: str = "fake"
    roles: tuple[str, ...] = ("crm",)

    def check(self, meter: Meter) -> Environment:
        return Environment("fake", "production")

    def link(self, kind: str, external_id: str) -> str | None:
        return None


def platform(name: str, *, streams: int = 1, interval_seconds: int = 1) -> FakePlatform:
    """Return a platform that answers at once."""
    specs = [StreamSpec(f"s{n}", "customer", interval_seconds=interval_seconds) for n in range(streams)]
    return FakePlatform(name, [FakeStream(spec) for spec in specs])


DOWN = ProbeError(Reason.UNREACHABLE, "connection refused")
