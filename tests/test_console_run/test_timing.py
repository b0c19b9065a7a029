"""Are probes spread over their interval, and is a stepped clock noticed?"""

from __future__ import annotations

from collections import Counter

import pytest

from console.run.timing import ClockReading, first_run_us, jump_us, next_slot_us
from probes.clock import HOUR, MINUTE, SECOND

NOW = 1_795_000_000 * SECOND + 123_456


def test_five_hundred_probes_of_a_minute_never_start_together() -> None:
    starts = Counter((next_slot_us(f"p{n}/s", MINUTE, NOW) - NOW) // SECOND for n in range(500))
    assert max(starts.values()) <= 3 * 500 / 60


def test_a_restart_keeps_every_slot() -> None:
    slot = next_slot_us("crm/opportunity", MINUTE, NOW)
    assert next_slot_us("crm/opportunity", MINUTE, slot - 1) == slot
    assert next_slot_us("crm/opportunity", MINUTE, slot) == slot + MINUTE


def test_the_first_slot_is_within_one_interval() -> None:
    assert all(NOW < next_slot_us(f"s{n}", HOUR, NOW) <= NOW + HOUR for n in range(100))


def test_a_stream_never_read_starts_within_five_seconds() -> None:
    assert all(NOW <= first_run_us(f"s{n}", HOUR, NOW, never_polled=True) < NOW + 5 * SECOND for n in range(100))


@pytest.mark.parametrize("step", [-HOUR, HOUR, 24 * HOUR, -24 * HOUR, 2 * SECOND])
def test_a_step_of_the_wall_clock_is_measured(step: int) -> None:
    assert jump_us(ClockReading(NOW, 10.0), ClockReading(NOW + SECOND + step, 11.0)) == step


def test_slewing_is_no_step() -> None:
    assert jump_us(ClockReading(NOW, 10.0), ClockReading(NOW + SECOND + 900_000, 11.0)) == 0
