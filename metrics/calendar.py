"""When is business time, and when does a batch run? Instants that hang on hours, holidays, cut-offs and windows of a zone.

Pure and vectorised: arrays of instants in, arrays of instants out. A calendar is open while the clock on its wall shows opening
hours, so an hour that the clocks repeat counts twice and one that they skip not at all. A local time is the first instant at which
that clock shows it or a later one (as Vixie cron runs its jobs). Which deadline runs on which calendar is not known here.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import lru_cache
from typing import NamedTuple
from zoneinfo import ZoneInfo

import numpy as np

from probes.clock import DAY, EPOCH, FOREVER, SECOND

from .arrays import Array

FIRST_US, LAST_US = 0, 47_482 * DAY
"""1970 to 2099: beyond, a calendar goes on as elapsed time, so that one absurd stamp costs no table of ages."""
_BLOCK = 512
_EVER = 2**62
_SAMPLE_US = 20_454 * DAY
"""1 January 2026."""
MONTH_END = 0
"""The day of the month that stands for its last."""


@dataclass(frozen=True)
class Window:
    """When a batch may hand over. Units: microseconds, `at_us` since local midnight, `every_us` since 00:00 UTC.

    `weekdays` (Monday 0), `month_days` (1..31, MONTH_END) and `dates` (days since 1970) are alternatives; all empty: every day.
    """

    length_us: int
    at_us: tuple[int, ...] = ()
    every_us: int | None = None
    weekdays: frozenset[int] = frozenset()
    month_days: frozenset[int] = frozenset()
    dates: frozenset[int] = frozenset()

    @property
    def recurs(self) -> bool:
        """Return whether it opens again for ever."""
        return not self.dates or bool(self.weekdays or self.month_days)


@dataclass(frozen=True)
class Calendar:
    """Business hours and batch windows in one zone. Units: `hours` per weekday, Monday first, microseconds since midnight.

    `holidays` are days since 1970, `yearly` months and days; neither is a business day. What comes after `cut_off_us` counts for
    the next business day. Windows know no holidays.
    """

    zone: str
    hours: tuple[tuple[tuple[int, int], ...], ...] = ((),) * 7
    holidays: frozenset[int] = frozenset()
    yearly: frozenset[tuple[int, int]] = frozenset()
    cut_off_us: int | None = None
    windows: tuple[Window, ...] = ()

    @property
    def works(self) -> bool:
        """Return whether there is business time at all."""
        return any(self.hours)


def after_business_time(calendar: Calendar, starts: Array, amount_us: int) -> Array:
    """Return when `amount_us` of opening time has passed since each start; at closing time it is still that day."""

    def find(at: Array, first: int, last: int) -> Array | None:
        opens, closes, worked = _open(calendar, first, last)
        place = np.searchsorted(closes, at, side="right")
        if len(opens) == 0 or place.max() >= len(opens):
            return None
        before = worked[place] - (closes[place] - opens[place])
        target = before + np.maximum(at - opens[place], 0) + amount_us
        end = np.searchsorted(worked, target, side="left")
        if end.max() >= len(opens):
            return None
        return np.asarray(closes[end] - (worked[end] - target))

    return _growing(starts, find)


def after_business_days(calendar: Calendar, starts: Array, count: int) -> Array:
    """Return the end of the day `count` business days after the one that each start counts for."""

    def find(at: Array, first: int, last: int) -> Array | None:
        days, ends = _business_days(calendar, first, last)
        local = at + _offset(calendar.zone, at)
        own = local // DAY
        place = np.searchsorted(days, own, side="left")
        if len(days) == 0 or place.max() + 1 >= len(days):
            return None
        if calendar.cut_off_us is not None:
            place = place + ((days[place] == own) & (local - own * DAY > calendar.cut_off_us))
        return np.asarray(ends[place + count]) if place.max() + count < len(days) else None

    return _growing(starts, find)


def after_window(calendar: Calendar, starts: Array, grace_us: int) -> Array:
    """Return the end of the first window that opens after each start, plus grace. Errors: ValueError without a recurring one."""
    if not any(w.recurs for w in calendar.windows):
        raise ValueError("a calendar without a window that opens again ends no wait")

    def find(at: Array, first: int, last: int) -> Array | None:
        opens, closes = _windows(calendar, first, last)
        place = np.searchsorted(opens, at, side="right")
        return np.asarray(closes[place] + grace_us) if len(opens) and place.max() < len(opens) else None

    return _growing(starts, find)


def open_until(calendar: Calendar, at_us: int) -> int | None:
    """Return when the window ends that is open at an instant (its end no longer is), None outside every window."""
    longest = max((w.length_us for w in calendar.windows), default=0)
    first, last = _blocks(at_us - longest, at_us)
    opens, closes = _windows(calendar, first, last)
    there = closes[(opens <= at_us) & (closes > at_us)]
    return int(there.max()) if len(there) else None


def longest_wait_us(calendar: Calendar) -> int:
    """Return the longest time between a start and the end of the window that takes it, in four years with their leap day."""
    first, last = _blocks(_SAMPLE_US, _SAMPLE_US + 1461 * DAY)
    opens, closes = _windows(calendar, first, last)
    return int((closes[1:] - opens[:-1]).max()) if len(opens) > 1 else FOREVER


def local_days(zone: str, instants: Array) -> Array:
    """Return the local day of each instant, in days since 1970."""
    return np.asarray((instants + _offset(zone, instants)) // DAY)


def day_starts(zone: str, days: Array) -> Array:
    """Return the first instant of each local day."""
    return _instants(zone, np.asarray(days, dtype=np.int64) * DAY)


def day_number(on: date) -> int:
    """Return a day as days since 1970."""
    return (on - EPOCH.date()).days


# --- growing tables ------------------------------------------------------------------------------------------------------


def _growing(starts: Array, find: Callable[[Array, int, int], Array | None]) -> Array:
    """Return what is found for each start in a table of days that grows until it reaches; FOREVER stays FOREVER."""
    due = np.full(len(starts), FOREVER, dtype=np.int64)
    begun = np.flatnonzero(starts != FOREVER)
    if not len(begun):
        return due
    at = starts[begun]
    inside = np.clip(at, FIRST_US, LAST_US)
    first, last = _blocks(int(inside.min()), int(inside.max()))
    while (found := find(inside, first, last)) is None:
        if last - first > LAST_US // DAY * 2:
            raise ValueError("a calendar that is never open again ends no wait")
        last += last - first
    due[begun] = found + (at - inside)
    return due


def _blocks(from_us_: int, to_us_: int) -> tuple[int, int]:
    """Return days around a span, on a coarse grid so that tables are computed once."""
    return (from_us_ // DAY - 2) // _BLOCK * _BLOCK, -(-(to_us_ // DAY + 3) // _BLOCK) * _BLOCK


@lru_cache(maxsize=64)
def _open(calendar: Calendar, first: int, last: int) -> tuple[Array, Array, Array]:
    """Return opening and closing instants and the time worked by each closing."""
    days = _working(calendar, first, last)
    weekday = _weekday(days)
    spans = [
        (days[weekday == number] * DAY + begin, days[weekday == number] * DAY + end)
        for number, ranges in enumerate(calendar.hours)
        for begin, end in ranges
    ]
    if not spans:
        return (np.zeros(0, dtype=np.int64),) * 3
    begins, ends = (np.sort(np.concatenate(side)) for side in zip(*spans, strict=True))
    parts = []
    for begin, end, offset in zip(*_segments(calendar.zone), strict=True):
        inside = (ends > begin + offset) & (begins < end + offset)
        parts.append((np.maximum(begins[inside] - offset, begin), np.minimum(ends[inside] - offset, end)))
    opens, closes = (np.concatenate(side) for side in zip(*parts, strict=True))
    return opens, closes, np.cumsum(closes - opens)


@lru_cache(maxsize=64)
def _business_days(calendar: Calendar, first: int, last: int) -> tuple[Array, Array]:
    """Return the business days and when each ends."""
    days = _working(calendar, first, last)
    return days, day_starts(calendar.zone, days + 1)


@lru_cache(maxsize=64)
def _windows(calendar: Calendar, first: int, last: int) -> tuple[Array, Array]:
    """Return when windows open and when they end; of those that open together only the longest."""
    opens, closes = [], []
    for window in calendar.windows:
        begun = _openings(calendar.zone, window, first, last)
        opens.append(begun)
        closes.append(begun + window.length_us)
    if not opens:
        return np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.int64)
    begins, ends = np.concatenate(opens), np.concatenate(closes)
    order = np.lexsort((-ends, begins))
    begins, ends = begins[order], ends[order]
    longest = np.r_[True, begins[1:] > begins[:-1]] if len(begins) else np.zeros(0, dtype=bool)
    return begins[longest], ends[longest]


def _openings(zone: str, window: Window, first: int, last: int) -> Array:
    if window.every_us is not None:
        grid: Array = np.arange(-(-first * DAY // window.every_us), last * DAY // window.every_us) * window.every_us
        return grid[_chosen(window, local_days(zone, grid))]
    days = _existing(zone, np.arange(first, last))
    days = days[_chosen(window, days)]
    return np.sort(np.concatenate([_instants(zone, days * DAY + at) for at in window.at_us]))


def _chosen(window: Window, days: Array) -> Array:
    if not (window.weekdays or window.month_days or window.dates):
        return np.ones(len(days), dtype=bool)
    dates = days.astype("datetime64[D]")
    month = dates.astype("datetime64[M]")
    number = (dates - month.astype("datetime64[D]")).astype(np.int64) + 1
    tomorrow = (dates + np.timedelta64(1, "D")).astype("datetime64[M]")
    chosen = np.isin(_weekday(days), sorted(window.weekdays)) | np.isin(number, sorted(window.month_days))
    return np.asarray(
        chosen | ((tomorrow > month) & (MONTH_END in window.month_days)) | np.isin(days, sorted(window.dates))
    )


def _working(calendar: Calendar, first: int, last: int) -> Array:
    """Return the days with opening hours that are no holidays."""
    days = _existing(calendar.zone, np.arange(first, last))
    days = days[np.array([bool(ranges) for ranges in calendar.hours])[_weekday(days)]]
    free = np.isin(days, sorted(calendar.holidays))
    dates = days.astype("datetime64[D]")
    month = dates.astype("datetime64[M]")
    code = (month.astype(np.int64) % 12 + 1) * 32 + (dates - month.astype("datetime64[D]")).astype(np.int64) + 1
    free |= np.isin(code, sorted(m * 32 + d for m, d in calendar.yearly))
    return np.asarray(days[~free])


def _weekday(days: Array) -> Array:
    return np.asarray((days + 3) % 7)  # 1 January 1970 was a Thursday


def _existing(zone: str, days: Array) -> Array:
    """Leave out a day that a zone never had: Samoa went from 29 to 31 December 2011."""
    return np.asarray(days[day_starts(zone, days) < day_starts(zone, days + 1)])


# --- zones ---------------------------------------------------------------------------------------------------------------


class _Segments(NamedTuple):
    """Stretches of one offset: from (inclusive), to (exclusive), local time minus UTC. Units: microseconds."""

    begins: Array
    ends: Array
    offsets: Array


def _offset(zone: str, instants: Array) -> Array:
    begins, _, offsets = _segments(zone)
    return np.asarray(offsets[np.searchsorted(begins, instants, side="right") - 1])


def _instants(zone: str, local: Array) -> Array:
    """Return the first instant at which the clock of a zone shows each local time or a later one."""
    begins, ends, offsets = _segments(zone)
    place = np.searchsorted(np.maximum.accumulate(ends + offsets), local, side="right")
    return np.asarray(np.maximum(local - offsets[place], begins[place]))


@lru_cache(maxsize=64)
def _segments(zone: str) -> _Segments:
    """Return the stretches of one offset. Source: IANA zone rules, asked once a day: no zone changes twice within one."""
    tz = ZoneInfo(zone)

    def offset_at(second: int) -> timedelta:
        offset = datetime.fromtimestamp(second, tz).utcoffset()
        assert offset is not None
        return offset

    step = DAY // SECOND
    known = [offset_at(second) for second in range(FIRST_US // SECOND, LAST_US // SECOND + 1, step)]
    begins, offsets = [-_EVER], [known[0]]
    for day in range(1, len(known)):
        if known[day] != known[day - 1]:
            low, high = (day - 1) * step, day * step
            while high - low > 1:
                middle = (low + high) // 2
                low, high = (middle, high) if offset_at(middle) == known[day - 1] else (low, middle)
            begins.append(high * SECOND)
            offsets.append(known[day])
    shifts = [offset // timedelta(microseconds=1) for offset in offsets]
    return _Segments(np.array(begins), np.array([*begins[1:], _EVER]), np.array(shifts))
