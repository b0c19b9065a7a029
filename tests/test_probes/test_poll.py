"""A poll: complete only when the stream said so, and trouble becomes a report."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import pytest

from probes.errors import ProbeError, Reason
from probes.poll import Polling, poll, sweep
from probes.probe import Cursor, Meter, Page, StreamSpec
from probes.record import Record
from probes.wire import remaining

from .fakes import NOW_US, clock


@dataclass
class Scripted:
    """A stream that plays what it is given: pages, and errors to raise."""

    script: Sequence[Page | ProbeError]
    seen: list[float | None] = field(default_factory=list)
    spec: StreamSpec = field(default_factory=lambda: StreamSpec("orders", "order"))

    def changes(self, cursor: Cursor, now_us: int, meter: Meter) -> Iterator[Page]:
        for step in self.script:
            self.seen.append(remaining())
            if isinstance(step, ProbeError):
                raise step
            yield step

    def read(self, by: str, values: Sequence[str], meter: Meter) -> Iterator[Page]:
        return self.changes({}, 0, meter)

    def reread(self, meter: Meter) -> Iterator[Page]:
        return self.changes({}, 0, meter)

    def ids(self, meter: Meter) -> Iterator[list[str]]:
        yield ["1", "2"]
        yield ["3"]


def page(*, last: bool = False, rows: int = 1, mark: int | None = None) -> Page:
    return Page([Record("order", str(n)) for n in range(rows)], {}, NOW_US, last=last, watermark_us=mark)


def run(*script: Page | ProbeError, **options: object) -> Polling[Page]:
    polling = poll(Scripted(script), {}, clock=clock, platform="erp", **options)  # type: ignore[arg-type]
    list(polling)
    return polling


def test_a_complete_poll_proves_its_watermark() -> None:
    report = run(page(), page(last=True, mark=NOW_US - 5)).report
    assert (report.status, report.watermark_us, report.pages, report.rows) == ("complete", NOW_US - 5, 2, 2)
    assert report.reason is None


def test_a_cut_poll_moves_no_watermark() -> None:
    report = run(page(), ProbeError(Reason.CUT, "the connection was cut"), page(last=True, mark=NOW_US)).report
    assert (report.status, report.watermark_us, report.reason) == ("partial", None, Reason.CUT)
    assert report.message == "the connection was cut"


def test_a_poll_that_never_began_failed() -> None:
    report = run(ProbeError(Reason.AUTH, "no", retry_after_seconds=5.0)).report
    assert (report.status, report.permanent, report.retry_after_seconds) == ("failed", True, 5.0)


def test_pages_that_end_without_a_last_one_are_no_proof() -> None:
    report = run(page(), page()).report
    assert (report.status, report.watermark_us) == ("partial", None)


def test_a_poll_left_early_is_no_proof() -> None:
    polling = poll(Scripted([page(), page(last=True, mark=1)]), {}, clock=clock)
    next(polling)
    assert polling.report.status == "partial"
    assert polling.report.watermark_us is None
    with pytest.raises(StopIteration):
        next(polling)


@pytest.mark.parametrize("options", [{"page_cap": 2}, {"row_cap": 25}])
def test_a_poll_without_end_stops_at_its_cap(options: dict[str, int]) -> None:
    report = run(*[page(rows=10) for _ in range(100)], **options).report
    assert (report.status, report.reason) == ("partial", Reason.CAP)
    assert report.pages == 3


def test_the_deadline_of_the_poll_bounds_every_request() -> None:
    stream = Scripted([page(), page(last=True)])
    list(poll(stream, {}, clock=clock, deadline_seconds=7.0))
    assert all(left is not None and 0 < left <= 7.0 for left in stream.seen)
    assert remaining() is None


def test_a_poll_past_its_deadline_stops_between_pages() -> None:
    report = run(page(), deadline_seconds=-1.0).report
    assert (report.status, report.reason) == ("failed", Reason.TIMEOUT)


def test_reads_and_rereads_are_complete_without_a_watermark() -> None:
    for kind in ("read", "reread"):
        report = run(page(), kind=kind).report
        assert (report.status, report.watermark_us, report.kind) == ("complete", None, kind)


def test_a_sweep_yields_ids() -> None:
    sweeping = sweep(Scripted([]), clock=clock)
    assert [one for ids in sweeping for one in ids] == ["1", "2", "3"]
    assert (sweeping.report.status, sweeping.report.rows) == ("complete", 3)


def test_the_store_may_call_a_poll_suspect() -> None:
    suspect = run(page(last=True, mark=1)).report.as_suspect("nothing came again")
    assert (suspect.status, suspect.reason, suspect.watermark_us) == ("suspect", Reason.SUSPECT, None)
