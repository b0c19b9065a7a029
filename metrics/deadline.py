"""By when is something due? The one spelling of deadlines in definitions, and the instants they mean.

    4h                                      elapsed time
    15 business minutes, 5 business days    on the calendar of the legal entity; `… on NAME` names another
    window + 1h                             the end of the first batch window that opens after the start, plus an hour
    later of 24h and window + 1h            whichever is later; the first alone where nothing is handed over in batches
    4h, or window + 1h where batched        the second where it is handed over in batches, else the first

Which calendar an entity has and which platform is reached in batches comes in as `Schedules`. Nothing is decided here.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np

from probes.clock import DAY, FOREVER, HOUR, duration_text, duration_us

from .arrays import Array
from .calendar import Calendar, after_business_days, after_business_time, after_window

Kind = Literal["elapsed", "business_time", "business_days", "window"]
Join = Literal["", "later", "batched"]
FORMS = (
    "write `4h`, `15 business minutes`, `5 business days on NAME`, `window + 1h`, `later of 24h and window + 1h` or"
    " `4h, or window + 1h where batched`"
)
_NAME = r"[a-z][a-z0-9_-]{0,30}"
_BUSINESS = re.compile(rf"(\d+) business (minute|hour|day)s?(?: on ({_NAME}))?")
_WINDOW = re.compile(rf"window(?: of ({_NAME}))?(?: \+ (.+))?")
_LATER = re.compile(r"later of (.+) and (.+)")
_BATCHED = re.compile(r"(.+), or (.+) where batched")
_UNIT = {"minute": HOUR // 60, "hour": HOUR}


@dataclass(frozen=True, slots=True)
class Term:
    """One wait. `amount`: microseconds of elapsed or business time, business days, or the grace after a window."""

    kind: Kind
    amount: int
    calendar: str | None = None

    def __str__(self) -> str:
        on = f" on {self.calendar}" if self.calendar else ""
        if self.kind == "window":
            of = f" of {self.calendar}" if self.calendar else ""
            return f"window{of}" + (f" + {_exact(self.amount)}" if self.amount else "")
        if self.kind == "elapsed":
            return _exact(self.amount)
        if self.kind == "business_days":
            return f"{self.amount} business day{'s' if self.amount > 1 else ''}{on}"
        unit, size = ("hour", HOUR) if self.amount % HOUR == 0 else ("minute", HOUR // 60)
        return f"{self.amount // size} business {unit}{'s' if self.amount > size else ''}{on}"


@dataclass(frozen=True, slots=True)
class Deadline:
    """One wait, or two joined: the `later`, or the second only where documents are handed over in batches."""

    first: Term
    join: Join = ""
    second: Term | None = None

    @property
    def elapsed_us(self) -> int | None:
        """Return the plain time it is, None when it hangs on a calendar."""
        return self.first.amount if self.first.kind == "elapsed" and self.second is None else None

    @property
    def terms(self) -> tuple[Term, ...]:
        """Return its waits."""
        return (self.first,) if self.second is None else (self.first, self.second)

    def __str__(self) -> str:
        if self.join == "later":
            return f"later of {self.first} and {self.second}"
        return f"{self.first}, or {self.second} where batched" if self.join else str(self.first)


@dataclass(frozen=True)
class Schedules:
    """The calendars of a company: by name, per legal entity, the company's own, and per role those of its batches.

    `batches`: role → the batch calendars of its platforms, each by legal entity; under "" that of every other entity.
    """

    calendars: Mapping[str, Calendar] = field(default_factory=dict)
    entities: Mapping[str, str] = field(default_factory=dict)
    zones: Mapping[str, str] = field(default_factory=dict)
    default: str | None = None
    batches: Mapping[str, tuple[Mapping[str, str], ...]] = field(default_factory=dict)

    def business(self, entity: str, name: str | None = None) -> Calendar:
        """Return the calendar of an entity; where none is declared its weekdays, of which only the days are certain."""
        chosen = name or self.entities.get(entity) or self.default
        return self.calendars[chosen] if chosen else weekdays(self.zones.get(entity, "UTC"))

    def named(self) -> dict[str, object]:
        """Return who follows which calendar, as plain JSON."""
        return {
            "calendar": self.default,
            "batches": {role: [dict(b) for b in own] for role, own in self.batches.items()},
        }

    def windows(self, role: str, entity: str) -> tuple[Calendar, ...]:
        """Return the batch calendars with which an entity's documents reach the platforms of a role."""
        names = (batch.get(entity, batch.get("")) for batch in self.batches.get(role, ()))
        return tuple(self.calendars[name] for name in names if name is not None)


def weekdays(zone: str) -> Calendar:
    """Return Monday to Friday without holidays."""
    return Calendar(zone, hours=(((0, DAY),),) * 5 + ((),) * 2)


def parse(value: Any) -> Deadline:
    """Read a deadline. Errors: ValueError naming the forms there are."""
    if isinstance(value, Deadline):
        return value
    text = " ".join(str(value).split())
    if joined := _LATER.fullmatch(text):
        return _joined("later", joined)
    if joined := _BATCHED.fullmatch(text):
        return _joined("batched", joined)
    return Deadline(_term(text))


def due_at(deadline: Deadline, starts: Array, entities: Array, schedules: Schedules, role: str) -> Array:
    """Return when each start is due. Shape: `entities` as the starts, "" where none is known; FOREVER stays FOREVER."""
    if deadline.elapsed_us is not None:
        return _elapsed(starts, deadline.elapsed_us)
    out = np.full(len(starts), FOREVER, dtype=np.int64)
    for entity in dict.fromkeys(entities.tolist()):
        own = entities == entity
        out[own] = _of_entity(deadline, starts[own], entity, schedules, role)
    return out


def _of_entity(deadline: Deadline, starts: Array, entity: str, schedules: Schedules, role: str) -> Array:
    first = _ends(deadline.first, starts, entity, schedules, role)
    second = None if deadline.second is None else _ends(deadline.second, starts, entity, schedules, role)
    if first is None or second is None:
        return np.full(len(starts), FOREVER) if first is None else first
    return second if deadline.join == "batched" else np.maximum(first, second)


def _ends(term: Term, starts: Array, entity: str, schedules: Schedules, role: str) -> Array | None:
    """Return when a wait ends; None for the window of documents that are not handed over in batches."""
    if term.kind == "elapsed":
        return _elapsed(starts, term.amount)
    if term.kind == "business_time":
        return after_business_time(schedules.business(entity, term.calendar), starts, term.amount)
    if term.kind == "business_days":
        return after_business_days(schedules.business(entity, term.calendar), starts, term.amount)
    named = schedules.calendars.get(term.calendar or "")
    batches = (named,) if named else schedules.windows(role, entity)
    ends = [after_window(calendar, starts, term.amount) for calendar in batches]
    return np.maximum.reduce(ends) if ends else None


def _elapsed(starts: Array, us: int) -> Array:
    never = starts == FOREVER
    return np.where(never, FOREVER, np.where(never, 0, starts) + us)


def _joined(join: Join, found: re.Match[str]) -> Deadline:
    first, second = _term(found[1]), _term(found[2])
    if first.kind == "window" or second.kind != "window":
        raise ValueError(f"{found[0]!r} joins a time and a window, in this order; {FORMS}")
    return Deadline(first, join, second)


def _term(text: str) -> Term:
    if found := _BUSINESS.fullmatch(text):
        amount = int(found[1]) * _UNIT.get(found[2], 1)
        return _positive(Term("business_days" if found[2] == "day" else "business_time", amount, found[3]), text)
    if found := _WINDOW.fullmatch(text):
        return Term("window", duration_us(found[2]) if found[2] else 0, found[1])
    try:
        return _positive(Term("elapsed", duration_us(text)), text)
    except ValueError:
        raise ValueError(f"{text!r} is no deadline; {FORMS}") from None


def _positive(term: Term, text: str) -> Term:
    if term.amount <= 0:
        raise ValueError(f"{text!r} is no time to wait; {FORMS}")
    return term


def _exact(us: int) -> str:
    whole = duration_text(us)
    return whole if duration_us(whole) == us else f"{us // 1_000_000}s"
