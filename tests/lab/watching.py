"""How does a lab test poll one platform through Tieout's own connector, without a store?"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from probes.clock import system_clock
from probes.platform import BoundPlatform
from probes.platforms import load_platforms
from probes.poll import PollReport, poll
from probes.probe import Cursor, Platform, Stream
from probes.record import BadRow, Record, Sample
from probes.settings import parse_platforms

Connect = Callable[..., Platform]


@pytest.fixture
def connect() -> Iterator[Connect]:
    """Return what makes one platform configured as in tieout.yaml, as a test environment; closed with the test."""
    opened: list[BoundPlatform] = []

    def make(name: str, **settings: Any) -> Platform:
        section = parse_platforms({name: {"environment": "test", **settings}})
        platform = load_platforms(section, clock=system_clock)[name]
        assert isinstance(platform, BoundPlatform)
        opened.append(platform)
        return platform

    yield make
    for platform in opened:
        platform.close()


def stream(platform: Platform, name: str) -> Stream:
    """Return a stream of a platform by name."""
    return next(each for each in platform.streams if each.spec.name == name)


class Watch:
    """One stream followed poll by poll, as the store would follow it."""

    def __init__(self, platform: Platform, name: str) -> None:
        self.platform, self.stream = platform, stream(platform, name)
        self.cursor: Cursor = {}
        self.samples: list[Sample] = []
        self.bad: list[BadRow] = []

    def poll(self, **kind: Any) -> tuple[list[Record], PollReport]:
        """Poll once, keep the cursor and return what came."""
        polling = poll(self.stream, self.cursor, clock=system_clock, platform=self.platform.name, **kind)
        records: list[Record] = []
        for page in polling:
            records += page.records
            self.samples += page.samples
            self.bad += page.bad
            if "kind" not in kind:
                self.cursor = page.cursor
        return records, polling.report

    def complete(self, **kind: Any) -> list[Record]:
        """Poll once, insist that the poll was complete and every row was mapped, and return the records."""
        records, report = self.poll(**kind)
        assert (report.status, report.message) == ("complete", "")
        assert not self.bad, self.bad
        return records
