"""When does a probe start, and has somebody moved the wall clock? Pure arithmetic on instants.

Start times are spread by a hash of the probe's name over its interval and do not change when Tieout restarts.
"""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import blake2b

from probes.clock import SECOND

JUMP_US = 2 * SECOND
"""Below this a difference between wall and monotonic clock is slewing or a slow wake-up, not a jump."""


def offset_us(name: str, interval_us: int) -> int:
    """Return the place of a probe inside its interval: the same one every time, evenly spread over names."""
    return int.from_bytes(blake2b(name.encode(), digest_size=8).digest(), "big") % interval_us


def next_slot_us(name: str, interval_us: int, now_us: int) -> int:
    """Return the next instant strictly after `now_us` in the probe's slots."""
    return now_us + interval_us - (now_us - offset_us(name, interval_us)) % interval_us


def first_run_us(name: str, interval_us: int, now_us: int, *, never_polled: bool) -> int:
    """Return when a probe runs first. One that has never completed starts within 5 s, spread; others keep their slot."""
    if never_polled:
        return now_us + offset_us(name, min(interval_us, 5 * SECOND))
    return next_slot_us(name, interval_us, now_us)


@dataclass(frozen=True, slots=True)
class ClockReading:
    """Wall and monotonic clock read together."""

    wall_us: int
    monotonic_seconds: float


def jump_us(before: ClockReading, after: ClockReading) -> int:
    """Return how far the wall clock was stepped between two readings; 0 for less than two seconds."""
    passed_us = round((after.monotonic_seconds - before.monotonic_seconds) * SECOND)
    moved = after.wall_us - before.wall_us - passed_us
    return moved if abs(moved) >= JUMP_US else 0
