"""How a company writes its calendars: the `calendars:` of tieout.yaml, checked when read and made into instants' tables.

office-de:
  time_zone: Europe/Berlin
  hours: {mon-thu: 09:00-17:30, fri: 09:00-15:00}   # a list where there is a break
  holidays: [2026-12-31, 12-25, 12-26]              # a day, or a day of every year
  cut_off: 16:00                                    # what comes later counts for the next business day
nightly:
  time_zone: Europe/Berlin
  windows:
    - {at: 01:00, for: 2h}                          # every day
    - {at: 01:00, for: 8h, on: month-end}           # `on`: mon-fri, sat, a date, day 15, month-end, or a list
    - {every: 15m, for: 1m}                         # counted from 00:00 UTC
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import date
from typing import Annotated, Any
from zoneinfo import ZoneInfo, available_timezones

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from probes.clock import DAY, HOUR, MINUTE, duration_us

from .calendar import MONTH_END, Calendar, Window, day_number

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_TIME = re.compile(r"([01]\d|2[0-4]):([0-5]\d)")
_RANGE = re.compile(r"(\d\d:\d\d)-(\d\d:\d\d)")
_YEARLY = re.compile(r"(\d\d)-(\d\d)")
_DAY_OF_MONTH = re.compile(r"day (\d{1,2})")


def _zone(value: str) -> str:
    if value not in available_timezones():
        raise ValueError(f"{value!r} is no time zone; write an IANA name such as Europe/Berlin")
    ZoneInfo(value)
    return value


def _listed(value: Any) -> Any:
    return value if isinstance(value, list | tuple) else [value]


def _texts(value: Any) -> Any:
    return [str(item) for item in _listed(value)]


def time_of_day(text: str) -> int:
    """Read `09:30` as microseconds since midnight; `24:00` ends the day. Errors: ValueError."""
    found = _TIME.fullmatch(text)
    if found is None or text > "24:00":
        raise ValueError(f"{text!r} is no time of day; write for example 09:30, at most 24:00")
    return int(found[1]) * HOUR + int(found[2]) * MINUTE


def weekdays_of(text: str) -> frozenset[int]:
    """Read `mon`, `mon-fri` or `daily`. Errors: ValueError."""
    if text == "daily":
        return frozenset(range(7))
    first, _, last = text.partition("-")
    if first not in DAYS or (last and last not in DAYS):
        raise ValueError(f"{text!r} is no weekday; write mon, tue … sun, mon-fri or daily")
    begin, end = DAYS.index(first), DAYS.index(last or first)
    return frozenset(day % 7 for day in range(begin, end + 1 if end >= begin else end + 8))


Zone = Annotated[str, AfterValidator(_zone)]
Texts = Annotated[tuple[str, ...], BeforeValidator(_texts)]
Duration = Annotated[int, BeforeValidator(duration_us)]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)


class WindowSettings(_Strict):
    """One batch window, or one that opens again and again."""

    at: Texts = ()
    every: Duration | None = None
    for_: Duration = Field(default=0, alias="for")
    on: Texts = ()

    @model_validator(mode="after")
    def _when(self) -> WindowSettings:
        if bool(self.at) == (self.every is not None):
            raise ValueError("a window says either `at: 01:00` (or a list of times) or `every: 15m`")
        if self.every is not None and (self.every < MINUTE or DAY % self.every):
            raise ValueError("every must divide a day, for example 5m, 15m, 1h or 6h")
        if self.at and not self.for_:
            raise ValueError("a window at a time says how long it is open, for example `for: 2h`")
        self.window()
        return self

    def window(self) -> Window:
        """Return the window. Errors: ValueError."""
        weekdays, month_days, dates = _days(self.on)
        at = tuple(sorted({time_of_day(text) for text in self.at}))
        if DAY in at:
            raise ValueError("a window opens at 00:00 of the next day, not at 24:00")
        return Window(self.for_, at, self.every, weekdays, month_days, dates)


class CalendarSettings(_Strict):
    """Business hours, holidays, cut-off and batch windows in one zone."""

    time_zone: Zone
    hours: dict[str, Texts] = {}
    holidays: Texts = ()
    cut_off: str | None = None
    windows: tuple[WindowSettings, ...] = ()

    @model_validator(mode="after")
    def _whole(self) -> CalendarSettings:
        if not self.hours and not self.windows:
            raise ValueError("a calendar has `hours:` (business time) or `windows:` (batches)")
        if not self.hours and (self.holidays or self.cut_off):
            raise ValueError("holidays and cut_off belong to business time; add `hours:`")
        self.calendar()
        return self

    def calendar(self) -> Calendar:
        """Return the calendar. Errors: ValueError."""
        holidays, yearly = _holidays(self.holidays)
        cut_off = None if self.cut_off is None else time_of_day(self.cut_off)
        windows = tuple(window.window() for window in self.windows)
        return Calendar(self.time_zone, _hours(self.hours), holidays, yearly, cut_off, windows)


def _hours(written: dict[str, tuple[str, ...]]) -> tuple[tuple[tuple[int, int], ...], ...]:
    found: dict[int, tuple[tuple[int, int], ...]] = {}
    for days, ranges in written.items():
        for day in sorted(frozenset().union(*(weekdays_of(part.strip()) for part in days.split(",")))):
            if day in found:
                raise ValueError(f"hours says twice what {DAYS[day]} is; name each day once")
            found[day] = _ranges(ranges)
    return tuple(found.get(day, ()) for day in range(7))


def _ranges(texts: Iterable[str]) -> tuple[tuple[int, int], ...]:
    found: list[tuple[int, int]] = []
    for text in texts:
        parts = _RANGE.fullmatch(text)
        if parts is None:
            raise ValueError(f"{text!r} are no hours; write for example 09:00-17:30")
        begin, end = time_of_day(parts[1]), time_of_day(parts[2])
        if begin >= end:
            raise ValueError(f"{text!r} ends before it begins; write what is after midnight under the next day")
        if found and begin < found[-1][1]:
            raise ValueError(f"{text!r} begins before the hours in front of it end; write them in order, apart")
        found.append((begin, end))
    return tuple(found)


def _holidays(texts: Iterable[str]) -> tuple[frozenset[int], frozenset[tuple[int, int]]]:
    dates, yearly = set(), set()
    for text in texts:
        if _YEARLY.fullmatch(text):
            on = _date(f"2028-{text}", text)  # a leap year: 29 February is a day of every fourth
            yearly.add((on.month, on.day))
        else:
            dates.add(day_number(_date(text, text)))
    return frozenset(dates), frozenset(yearly)


def _days(texts: Iterable[str]) -> tuple[frozenset[int], frozenset[int], frozenset[int]]:
    """Return weekdays, days of the month and dates."""
    weekdays: set[int] = set()
    month_days: set[int] = set()
    dates: set[int] = set()
    for text in texts:
        if text == "month-end":
            month_days.add(MONTH_END)
        elif found := _DAY_OF_MONTH.fullmatch(text):
            if not 1 <= int(found[1]) <= 31:
                raise ValueError(f"{text!r} is no day of a month; write day 1 to day 31, or month-end")
            month_days.add(int(found[1]))
        elif text[:1].isdigit():
            dates.add(day_number(_date(text, text)))
        else:
            weekdays |= weekdays_of(text)
    return frozenset(weekdays), frozenset(month_days), frozenset(dates)


def _date(iso: str, text: str) -> date:
    try:
        return date.fromisoformat(iso)
    except ValueError:
        raise ValueError(f"{text!r} is no day; write 2026-12-31, or 12-25 for every year") from None
