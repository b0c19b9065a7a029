"""What time is it in the sandbox company? One clock, running or stepped by hand; it schedules nothing."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

SECOND_US = 1_000_000
MINUTE_US = 60 * SECOND_US
HOUR_US = 60 * MINUTE_US
DAY_US = 24 * HOUR_US
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass
class Clock:
    """A virtual clock: `speed` virtual seconds pass per real second, 0 means it only moves by `step`."""

    origin_us: int
    speed: float = 0.0
    monotonic: Callable[[], float] = time.monotonic
    _started: float = field(init=False, default=0.0)

    def __post_init__(self) -> None:
        self._started = self.monotonic()

    def now_us(self) -> int:
        """Return the virtual instant."""
        return self.origin_us + int((self.monotonic() - self._started) * self.speed * SECOND_US)

    def step(self, seconds: float) -> None:
        """Move the clock forward by hand."""
        if seconds < 0:
            raise ValueError("the clock of the sandbox never runs backwards: give seconds >= 0")
        self.origin_us += int(seconds * SECOND_US)


def wall_clock() -> Clock:
    """Return a clock that shows this machine's time, so that the company's platforms have no skew."""
    return Clock(to_us(datetime.now(UTC)), speed=1.0)


def to_us(instant: datetime) -> int:
    """Turn an aware datetime into microseconds since epoch UTC."""
    if instant.tzinfo is None:
        raise ValueError(f"{instant!r} has no time zone: pass an aware datetime, for instance with tzinfo=UTC")
    return (instant - _EPOCH) // timedelta(microseconds=1)


def to_instant(us: int) -> datetime:
    """Turn microseconds since epoch into an aware UTC datetime."""
    return _EPOCH + timedelta(microseconds=us)


def local_date(us: int, zone: str) -> date:
    """Return the calendar day of an instant in `zone`."""
    return to_instant(us).astimezone(ZoneInfo(zone)).date()


def local_us(day: date, zone: str, hour: int, minute: int = 0) -> int:
    """Return the instant at which clocks in `zone` show this day and time."""
    return to_us(datetime(day.year, day.month, day.day, hour, minute, tzinfo=ZoneInfo(zone)))


def iso_seconds(us: int) -> str:
    """Render an instant as ISO 8601 UTC with whole seconds."""
    return to_instant(us).strftime("%Y-%m-%dT%H:%M:%SZ")
