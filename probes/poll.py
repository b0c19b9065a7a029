"""How one poll runs: pages are handed out one by one, measured and guarded; trouble ends the poll and becomes a report.

It stores nothing and never raises for what a platform does. A poll is complete only when the stream said so: anything else
moves no watermark.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Generic, Literal, TypeVar

from .clock import Clock, monotonic, to_us
from .errors import ProbeError, Reason
from .probe import Cursor, Meter, Page, Stream
from .wire import until

PAGE_CAP = 20_000
ROW_CAP = 10_000_000
DEADLINE_SECONDS = 900.0

Kind = Literal["changes", "read", "reread", "sweep"]
Status = Literal["complete", "partial", "suspect", "failed"]
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class PollReport:
    """How a poll ended. `partial`: some pages came, then it broke off; `failed`: none came.

    `watermark_us` is set only when the poll is complete and the stream's kind of poll proves one.
    """

    platform: str
    stream: str
    kind: Kind
    status: Status
    reason: Reason | None
    message: str
    started_us: int
    finished_us: int
    pages: int
    rows: int
    bad_rows: int
    watermark_us: int | None
    retry_after_seconds: float | None
    permanent: bool
    meter: Meter

    def as_suspect(self, message: str) -> PollReport:
        """Return this report as one that proves nothing: the store found that what should have come again did not."""
        return replace(self, status="suspect", reason=Reason.SUSPECT, message=message, watermark_us=None)


class Polling(Generic[T]):
    """A running poll: iterate over what it brings, then read `report`."""

    def __init__(
        self,
        start: Callable[[Meter], Iterator[T]],
        *,
        platform: str,
        stream: str,
        kind: Kind,
        clock: Clock,
        deadline_seconds: float,
        page_cap: int,
        row_cap: int,
    ) -> None:
        self.meter = Meter()
        self._start = start
        self._place = (platform, stream, kind)
        self._clock = clock
        self._caps = (page_cap, row_cap)
        self._deadline = monotonic() + deadline_seconds
        self._started_us = to_us(clock())
        self._items: Iterator[T] | None = None
        self._pages = self._rows = self._bad = 0
        self._last = False
        self._watermark_us: int | None = None
        self._report: PollReport | None = None

    def __iter__(self) -> Polling[T]:
        return self

    def __next__(self) -> T:
        if self._report is not None:
            raise StopIteration
        try:
            item = self._step()
        except ProbeError as error:
            self._finish(error)
            raise StopIteration from None
        if item is None:
            self._finish(None)
            raise StopIteration
        return item

    @property
    def report(self) -> PollReport:
        """Return how the poll ended; a poll left early ends here as incomplete."""
        if self._report is None:
            self._finish(ProbeError(Reason.CAP, "the poll was left before its end"))
        assert self._report is not None
        return self._report

    def _step(self) -> T | None:
        with until(self._deadline):
            if self._items is None:
                self._items = iter(self._start(self.meter))
            if monotonic() > self._deadline:
                raise ProbeError(Reason.TIMEOUT, "the poll reached its deadline; the next one goes on from here")
            item = next(self._items, None)
        if item is not None:
            self._count(item)
        return item

    def _count(self, item: T) -> None:
        self._pages += 1
        if isinstance(item, Page):
            self._rows += len(item.records) + len(item.samples)
            self._bad += len(item.bad)
            self._last = item.last
            self._watermark_us = item.watermark_us if item.last else None
        elif isinstance(item, list):
            self._rows += len(item)
        page_cap, row_cap = self._caps
        if self._pages > page_cap or self._rows > row_cap:
            raise ProbeError(Reason.CAP, f"more than {page_cap} pages or {row_cap} rows in one poll; narrow the stream")

    def _finish(self, error: ProbeError | None) -> None:
        platform, stream, kind = self._place
        whole = error is None and (self._last or kind != "changes")
        if error is None and not whole:
            error = ProbeError(Reason.CUT, "the stream ended without a last page")
        if self._items is not None and hasattr(self._items, "close"):
            self._items.close()
        self._report = PollReport(
            platform or (error.platform if error else ""),
            stream,
            kind,
            "complete" if error is None else "partial" if self._pages else "failed",
            error.reason if error else None,
            error.message if error else "",
            self._started_us,
            to_us(self._clock()),
            self._pages,
            self._rows,
            self._bad,
            self._watermark_us if error is None else None,
            error.retry_after_seconds if error else None,
            error.permanent if error else False,
            self.meter,
        )


def poll(
    stream: Stream,
    cursor: Cursor,
    *,
    clock: Clock,
    platform: str = "",
    kind: Kind = "changes",
    by: str = "id",
    values: Sequence[str] = (),
    deadline_seconds: float = DEADLINE_SECONDS,
    page_cap: int = PAGE_CAP,
    row_cap: int = ROW_CAP,
) -> Polling[Page]:
    """Start a poll: `changes` since the cursor, a `read` of `values` known under `by`, or a `reread` of what is open."""

    def start(meter: Meter) -> Iterator[Page]:
        if kind == "read":
            return stream.read(by, values, meter)
        if kind == "reread":
            return stream.reread(meter)
        return stream.changes(cursor, to_us(clock()), meter)

    return Polling(
        start,
        platform=platform,
        stream=stream.spec.name,
        kind=kind,
        clock=clock,
        deadline_seconds=deadline_seconds,
        page_cap=page_cap,
        row_cap=row_cap,
    )


def sweep(
    stream: Stream, *, clock: Clock, platform: str = "", deadline_seconds: float = DEADLINE_SECONDS
) -> Polling[list[str]]:
    """Start a sweep: lists of all ids that exist."""
    return Polling(
        stream.ids,
        platform=platform,
        stream=stream.spec.name,
        kind="sweep",
        clock=clock,
        deadline_seconds=deadline_seconds,
        page_cap=PAGE_CAP,
        row_cap=ROW_CAP,
    )
