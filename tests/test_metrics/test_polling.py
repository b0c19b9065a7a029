"""When does a watermark move, and when must it not? Polls over streams in memory, page by page."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime

import pytest

from metrics.polling import register, run_poll
from metrics.store import Store
from metrics.touching import Toucher
from probes.clock import DAY, HOUR, MINUTE, from_us
from probes.errors import ProbeError, Reason
from probes.probe import Cursor, Environment, Meter, Page, StreamSpec
from probes.record import Record

from .world import T0, model_of


@dataclass
class Script:
    """A stream that answers with the pages given and then, where told, breaks."""

    pages: list[Page] = field(default_factory=list)
    fault: ProbeError | None = None
    window_from_us: int | None = None
    spec: StreamSpec = field(default_factory=lambda: StreamSpec(name="order", kind="order"))
    cursors: list[Cursor] = field(default_factory=list)

    def changes(self, cursor: Cursor, now_us: int, meter: Meter) -> Iterator[Page]:
        self.cursors.append(cursor)
        meter.window_from_us = self.window_from_us
        yield from self.pages
        if self.fault is not None:
            raise self.fault

    def read(self, by: str, values: Sequence[str], meter: Meter) -> Iterator[Page]:
        yield from self.pages

    def reread(self, meter: Meter) -> Iterator[Page]:
        yield from self.pages

    def ids(self, meter: Meter) -> Iterator[list[str]]:
        yield [r.id for page in self.pages for r in page.records]


@dataclass
class Erp:
    """A platform with that stream."""

    stream: Script
    name: str = "erp"
    vendor: str = "erp"
    roles: tuple[str, ...] = ("erp",)

    @property
    def streams(self) -> Sequence[Script]:
        return [self.stream]

    def check(self, meter: Meter) -> Environment:
        return Environment("erp", "test")

    def link(self, kind: str, external_id: str) -> str | None:
        return None


Poll = Callable[..., str]


@pytest.fixture
def script() -> Script:
    return Script()


@pytest.fixture
def poll(any_store: Store, script: Script) -> Poll:
    """Return a function that runs one poll of the scripted pages at an instant and says how it ended."""
    platform = Erp(script)
    register(any_store, {"erp": platform})
    toucher = Toucher(model_of({"DE": {}}))

    def run(
        at_us: int, *pages: Page, fault: ProbeError | None = None, window: int | None = None, kind: str = "changes"
    ) -> str:
        script.pages, script.fault, script.window_from_us = list(pages), fault, window
        clock: Callable[[], datetime] = lambda: from_us(at_us)  # noqa: E731
        return run_poll(any_store, toucher, platform, script, clock, kind=kind).status

    return run


def order(ident: str, at_us: int, entity: str = "DE") -> Record:
    return Record(kind="order", id=ident, created_us=at_us, changed_us=at_us, entity=entity)


def page(at_us: int, *records: Record, cursor: str = "c", watermark: int | None = None) -> Page:
    return Page(list(records), {"at": cursor}, at_us, last=watermark is not None, watermark_us=watermark)


def watermark(store: Store) -> int | None:
    with store.read() as conn:
        held = conn.exec_driver_sql("SELECT watermark_us FROM stream").scalar_one()
    return None if held is None else int(held)


def test_a_complete_poll_moves_the_watermark_even_when_nothing_came(any_store: Store, poll: Poll) -> None:
    assert poll(T0, page(T0, watermark=T0 - MINUTE)) == "complete"
    assert watermark(any_store) == T0 - MINUTE


def test_a_cut_poll_keeps_what_landed_and_moves_no_watermark(any_store: Store, poll: Poll, script: Script) -> None:
    poll(T0, page(T0, watermark=T0 - MINUTE))
    broken = ProbeError(Reason.TIMEOUT, "gone")
    assert poll(T0 + HOUR, page(T0 + HOUR, order("s1", T0), cursor="p1"), fault=broken) == "partial"
    assert watermark(any_store) == T0 - MINUTE
    poll(T0 + HOUR, page(T0 + HOUR, watermark=T0 + HOUR))
    assert script.cursors[-1] == {"at": "p1"}, "the next poll goes on where the last page landed"
    with any_store.read() as conn:
        assert conn.exec_driver_sql("SELECT COUNT(*) FROM record").scalar_one() == 1


def test_a_stream_that_ends_without_its_last_page_moves_no_watermark(any_store: Store, poll: Poll) -> None:
    assert poll(T0, page(T0, order("s1", T0))) == "partial"
    assert watermark(any_store) is None


def test_a_watermark_never_goes_back(any_store: Store, poll: Poll) -> None:
    poll(T0, page(T0, watermark=T0 - MINUTE))
    poll(T0 + MINUTE, page(T0 + MINUTE, watermark=T0 - DAY))
    assert watermark(any_store) == T0 - MINUTE


def test_a_watermark_never_goes_beyond_the_instant_of_the_answer(any_store: Store, poll: Poll) -> None:
    poll(T0, page(T0, watermark=T0 + 365 * DAY))
    assert watermark(any_store) == T0


@pytest.mark.parametrize("kind", ["read", "reread"])
def test_other_polls_move_no_watermark(any_store: Store, poll: Poll, kind: str) -> None:
    poll(T0, page(T0, watermark=T0 - MINUTE))
    assert poll(T0 + HOUR, page(T0 + HOUR, watermark=T0 + HOUR), kind=kind) == "complete"
    assert watermark(any_store) == T0 - MINUTE


def test_a_poll_that_does_not_return_its_overlap_is_suspect(any_store: Store, poll: Poll) -> None:
    held = [order("s1", T0), order("s2", T0)]
    poll(T0 + MINUTE, page(T0 + MINUTE, *held, watermark=T0 + MINUTE))
    assert poll(T0 + HOUR, page(T0 + HOUR, watermark=T0 + HOUR), window=T0 - HOUR) == "suspect"
    assert watermark(any_store) == T0 + MINUTE
    assert poll(T0 + HOUR, page(T0 + HOUR, *held, watermark=T0 + HOUR), window=T0 - HOUR) == "complete"
    assert watermark(any_store) == T0 + HOUR


def test_one_legal_entity_out_of_sight_makes_the_poll_suspect(any_store: Store, poll: Poll) -> None:
    held = [order(f"{entity}{n}", T0, entity) for entity in ("DE", "US") for n in range(2)]
    poll(T0 + MINUTE, page(T0 + MINUTE, *held, watermark=T0 + MINUTE))
    back = [r for r in held if r.entity == "DE"]
    assert poll(T0 + HOUR, page(T0 + HOUR, *back, watermark=T0 + HOUR), window=T0 - HOUR) == "suspect"
    assert watermark(any_store) == T0 + MINUTE


def test_a_sweep_marks_what_is_gone_and_leaves_the_rest(any_store: Store, poll: Poll) -> None:
    poll(T0, page(T0, order("s1", T0), order("s2", T0), watermark=T0))
    assert poll(T0 + DAY, page(T0 + DAY, order("s1", T0)), kind="sweep") == "complete"
    with any_store.read() as conn:
        rows = conn.exec_driver_sql("SELECT external_id, deleted_us FROM record ORDER BY external_id").all()
    assert [tuple(row) for row in rows] == [("s1", None), ("s2", T0 + DAY)]
