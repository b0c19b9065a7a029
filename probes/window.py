"""Which change stamps a poll asks for, and where it goes on: windows that overlap, watermarks that never run ahead.

The next window starts at the end of the last complete one minus the overlap, never at the greatest stamp seen: a quiet night
moves it too, and a stamp from the future moves nothing. Times are microseconds; the cursor is plain JSON.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from .clock import SECOND
from .probe import Cursor, Meter

SKEW_TOLERANCE_SECONDS = 2.0


@dataclass(frozen=True, slots=True)
class Window:
    """Change stamps in [from_us, to_us). `after` is where an interrupted reading of it goes on, if it can."""

    from_us: int
    to_us: int
    after: Any = None


def plan(cursor: Cursor, now_us: int, *, overlap_us: int, history_us: int, meter: Meter) -> list[Window]:
    """Return the windows to read now, oldest first: an interrupted one if there is, then the one that ends now."""
    if "to_us" in cursor:
        to_us = _clamped(int(cursor["to_us"]), now_us, meter)
        begun = Window(min(int(cursor["from_us"]), to_us), to_us, cursor.get("after"))
        return [begun, Window(to_us - overlap_us, now_us)]
    if "until_us" in cursor:
        until_us = _clamped(int(cursor["until_us"]), now_us, meter)
        return [Window(until_us - overlap_us, now_us)]
    return [Window(now_us - history_us, now_us)]


def _clamped(us: int, now_us: int, meter: Meter) -> int:
    if us <= now_us:
        return us
    meter.warnings = (
        *meter.warnings,
        f"the cursor stood {(us - now_us) // SECOND} s in the future and was set back to now",
    )
    return now_us


def begun(window: Window, after: Any) -> Cursor:
    """Return the cursor in the middle of a window."""
    return {"from_us": window.from_us, "to_us": window.to_us, "after": after}


def done(window: Window) -> Cursor:
    """Return the cursor after a window."""
    return {"until_us": window.to_us}


def watermark(window: Window, delay_seconds: int, meter: Meter) -> int:
    """Return the instant up to which a complete window proves every change.

    A platform whose clock runs ahead stamps rows beyond our window: what it wrote in that lead is not covered yet.
    """
    skew = meter.skew_seconds or 0.0
    lead = skew if skew > SKEW_TOLERANCE_SECONDS else 0.0
    return window.to_us - delay_seconds * SECOND - int(lead * SECOND)


def note(window: Window, meter: Meter) -> None:
    """Write the window's bounds into the meter."""
    meter.window_from_us, meter.window_to_us = window.from_us, window.to_us
