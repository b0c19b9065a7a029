"""How instants are written, read and asked for: aware UTC at the edges, integer microseconds since 1970 inside.

Integers compare and index the same on every database and never lose a zone. No other module calls `datetime.now`.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

Clock = Callable[[], datetime]
"""Returns the present instant as aware UTC; injected wherever time matters, so tests and replays set it."""

SECOND = 1_000_000
MINUTE = 60 * SECOND
HOUR = 60 * MINUTE
DAY = 24 * HOUR
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
FOREVER = 2**63 - 1
"""Later than every instant: "has not happened" inside computations. Never stored; the database holds NULL."""

_DURATION = re.compile(r"(\d+)\s*(s|m|h|d|w)")
_UNIT = {"s": SECOND, "m": MINUTE, "h": HOUR, "d": DAY, "w": 7 * DAY}


def system_clock() -> datetime:
    """Return the machine's present instant."""
    return datetime.now(UTC)


def monotonic() -> float:
    """Return seconds on a clock that no one steps; only differences mean anything."""
    return time.monotonic()


def to_us(at: datetime) -> int:
    """Return microseconds since the epoch. Errors: ValueError for a time without zone."""
    if at.tzinfo is None:
        raise ValueError(f"{at.isoformat()} has no time zone; write it with an offset or Z")
    return (at - EPOCH) // timedelta(microseconds=1)


def from_us(us: int) -> datetime:
    """Return the aware UTC instant of `us` microseconds since the epoch."""
    return EPOCH + timedelta(microseconds=us)


def iso(us: int | None) -> str | None:
    """Return `2026-11-21T20:15:00Z` (fraction only when there is one) or None."""
    return None if us is None else from_us(us).isoformat().replace("+00:00", "Z")


def day_bounds_us(on: date, zone: str) -> tuple[int, int]:
    """Return the first and last microsecond of a local day, whatever its length. Source: IANA zone rules."""
    tz = ZoneInfo(zone)
    start = datetime(on.year, on.month, on.day, tzinfo=tz).astimezone(UTC)
    tomorrow = on + timedelta(days=1)
    end = datetime(tomorrow.year, tomorrow.month, tomorrow.day, tzinfo=tz).astimezone(UTC)
    return to_us(start), to_us(end) - 1


def local_date(us: int, zone: str) -> date:
    """Return the business date of an instant in the zone of somebody's books."""
    return from_us(us).astimezone(ZoneInfo(zone)).date()


def duration_us(text: object) -> int:
    """Read `4h`, `1d 12h` or `90s`. Errors: ValueError naming the accepted forms; a number without a unit is none."""
    if isinstance(text, int | float) and not isinstance(text, bool):
        raise ValueError(f"{text} has no unit; write for example {text}s, {text}m, {text}h or {text}d")
    parts = _DURATION.findall(str(text))
    if not parts or _DURATION.sub("", str(text)).strip():
        raise ValueError(f"{text!r} is not a duration; write for example 90s, 15m, 4h, 28d or '1d 12h'")
    return sum(int(n) * _UNIT[unit] for n, unit in parts)


def duration_text(us: int) -> str:
    """Return the two largest units of a signed duration: `1d 4h`, `12m`, `-3s`, `0s`."""
    sign, rest, parts = ("-" if us < 0 else ""), abs(us), []
    for unit in ("d", "h", "m", "s"):
        count, rest = divmod(rest, _UNIT[unit])
        if count:
            parts.append(f"{count}{unit}")
    return sign + " ".join(parts[:2]) if parts else "0s"
