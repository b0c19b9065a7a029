"""When is something due? The naive way: a clock on the wall is watched minute by minute, calendars are read as they are written.

Shares no code with what it checks: no tables, no arithmetic on offsets, only what the clock of a zone shows at an instant.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

NEVER = 2**63 - 1
MINUTE = timedelta(minutes=1)
WORDS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}
Written = Mapping[str, Any]
WEEKDAYS: Written = {"hours": {"mon-fri": "00:00-24:00"}}


@dataclass(frozen=True)
class Calendars:
    """What a company wrote: calendars, the default one, those of its entities, their zones, per role its batches.

    `deadlines`: by step or SLI, where it says another than is shipped.
    """

    written: Mapping[str, Written] = field(default_factory=dict)
    default: str | None = None
    entities: Mapping[str, str] = field(default_factory=dict)
    zones: Mapping[str, str] = field(default_factory=dict)
    batches: Mapping[str, list[str | Mapping[str, str]]] = field(default_factory=dict)
    deadlines: Mapping[str, str] = field(default_factory=dict)

    def business(self, entity: str, named: str | None) -> Written:
        name = named or self.entities.get(entity) or self.default
        return self.written[name] if name else {**WEEKDAYS, "time_zone": self.zones.get(entity, "UTC")}

    def windows(self, role: str, entity: str) -> list[Written]:
        found = []
        for batch in self.batches.get(role, []):
            name = batch if isinstance(batch, str) else batch.get(entity)
            if name is not None:
                found.append(self.written[name])
        return found


def due(deadline: str, start_us: int, entity: str, role: str, calendars: Calendars) -> int:
    """Return when something that began is due."""
    if start_us == NEVER:
        return NEVER
    if deadline.startswith("later of "):
        first, second = deadline.removeprefix("later of ").split(" and ")
        ends = [_ends(part, start_us, entity, role, calendars) for part in (first, second)]
        return max(end for end in ends if end is not None)
    if deadline.endswith(" where batched"):
        first, second = deadline.removesuffix(" where batched").split(", or ")
        batched = _ends(second, start_us, entity, role, calendars)
        found = batched if batched is not None else _ends(first, start_us, entity, role, calendars)
    else:
        found = _ends(deadline, start_us, entity, role, calendars)
    return NEVER if found is None else found


def _ends(term: str, start_us: int, entity: str, role: str, calendars: Calendars) -> int | None:
    start = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=start_us)
    words = term.split()
    if words[0] == "window":
        grace = _span(term.split(" + ")[1]) if "+" in words else timedelta()
        own = [calendars.written[words[2]]] if "of" in words else calendars.windows(role, entity)
        return max((_us(_window(calendar, start) + grace) for calendar in own), default=None)
    if "business" not in words:
        return _us(start + _span(term))
    calendar = calendars.business(entity, words[-1] if "on" in words else None)
    count = int(words[0])
    if words[2].startswith("day"):
        return _us(_business_days(calendar, start, count))
    return _us(_business_time(calendar, start, timedelta(minutes=count * (60 if words[2].startswith("hour") else 1))))


def _us(at: datetime) -> int:
    return (at - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)


def _span(text: str) -> timedelta:
    return timedelta(seconds=sum(int(n) * UNITS[unit] for n, unit in re.findall(r"(\d+)([smhdw])", text)))


def _wall(calendar: Written, at: datetime) -> datetime:
    """Return what the clock on the wall shows."""
    return at.astimezone(ZoneInfo(calendar["time_zone"])).replace(tzinfo=None, fold=0)


def _next_minute(at: datetime) -> datetime:
    return at.replace(second=0, microsecond=0) + MINUTE


def _business_time(calendar: Written, start: datetime, left: timedelta) -> datetime:
    at = start
    while True:
        then = _next_minute(at)
        if _is_open(calendar, _wall(calendar, at)):
            if left <= then - at:
                return at + left
            left -= then - at
        at = then


def _is_open(calendar: Written, wall: datetime) -> bool:
    if _holiday(calendar, wall.date()):
        return False
    return any(begin <= _minutes(wall.time()) < end for begin, end in _hours(calendar, wall.date()))


def _minutes(at: time) -> int:
    return at.hour * 60 + at.minute


def _hours(calendar: Written, on: date) -> Iterator[tuple[int, int]]:
    for days, ranges in calendar.get("hours", {}).items():
        if any(_names(part.strip(), on) for part in days.split(",")):
            for text in [ranges] if isinstance(ranges, str) else ranges:
                begin, end = text.split("-")
                yield _clock(begin), _clock(end)


def _clock(text: str) -> int:
    return int(text[:2]) * 60 + int(text[3:])


def _names(word: str, on: date) -> bool:
    if word == "daily":
        return True
    if word == "month-end":
        return (on + timedelta(days=1)).month != on.month
    if word.startswith("day "):
        return on.day == int(word[4:])
    if word[0].isdigit():
        return on == date.fromisoformat(word)
    first, _, last = word.partition("-")
    day = WORDS.index(first)
    while day != on.weekday():
        if day == WORDS.index(last or first):
            return False
        day = (day + 1) % 7
    return True


def _holiday(calendar: Written, on: date) -> bool:
    return any(text in (on.isoformat(), on.isoformat()[5:]) for text in calendar.get("holidays", ()))


def _business_days(calendar: Written, start: datetime, count: int) -> datetime:
    wall = _wall(calendar, start)
    day = wall.date()
    late = "cut_off" in calendar and wall - datetime.combine(day, time()) > timedelta(
        minutes=_clock(calendar["cut_off"])
    )
    if late and _works(calendar, day):
        day += timedelta(days=1)
    while not _works(calendar, day):
        day += timedelta(days=1)
    for _ in range(count):
        day += timedelta(days=1)
        while not _works(calendar, day):
            day += timedelta(days=1)
    return _first_shown(calendar, datetime.combine(day + timedelta(days=1), time()))


def _works(calendar: Written, day: date) -> bool:
    return any(_hours(calendar, day)) and not _holiday(calendar, day) and _was(calendar, day)


def _was(calendar: Written, day: date) -> bool:
    """Return whether a zone had a day at all."""
    noon = datetime.combine(day, time(12))
    around = (noon.replace(tzinfo=UTC) + timedelta(hours=h) for h in range(-26, 27))
    return any(_wall(calendar, at).date() == day for at in around)


def _first_shown(calendar: Written, wanted: datetime) -> datetime:
    """Return the first minute at which the clock shows a time or a later one."""
    at = wanted.replace(tzinfo=UTC) - timedelta(hours=27)
    while _wall(calendar, at) < wanted:
        at += timedelta(hours=1) if wanted - _wall(calendar, at) > timedelta(hours=27) else MINUTE
    return at


def _window(calendar: Written, start: datetime) -> datetime:
    """Return the end of the first window that opens after an instant; the longest of those that open together."""
    found: list[tuple[datetime, datetime]] = []
    day = _wall(calendar, start).date() - timedelta(days=1)
    more = 2
    while more:
        for window in calendar["windows"]:
            length = _span(window.get("for", "0s"))
            found += [(opens, opens + length) for opens in _openings(calendar, window, day) if opens > start]
        more -= bool(found)
        day += timedelta(days=1)
    first = min(opens for opens, _ in found)
    return max(end for opens, end in found if opens == first)


def _openings(calendar: Written, window: Written, day: date) -> Iterator[datetime]:
    on = window.get("on", "daily")
    days = [on] if isinstance(on, str) else on
    if not any(_names(word, day) for word in days) or not _was(calendar, day):
        return
    if "every" not in window:
        for at in [window["at"]] if isinstance(window["at"], str) else window["at"]:
            wanted = datetime.combine(day, time()) + timedelta(minutes=_clock(at))
            yield _first_shown(calendar, wanted)
        return
    at = datetime.combine(day - timedelta(days=1), time(), tzinfo=UTC)
    while at < datetime.combine(day + timedelta(days=3), time(), tzinfo=UTC):
        if _wall(calendar, at).date() == day:
            yield at
        at += _span(window["every"])
