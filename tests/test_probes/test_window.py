"""Windows: the next one always covers what may still appear; a watermark never runs ahead of it."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from probes.clock import DAY, SECOND
from probes.probe import Meter
from probes.window import Window, begun, done, plan, watermark

from .fakes import NOW_US

OVERLAP = 600 * SECOND
HISTORY = 800 * DAY


def windows(cursor: dict[str, object], meter: Meter | None = None) -> list[Window]:
    return plan(cursor, NOW_US, overlap_us=OVERLAP, history_us=HISTORY, meter=meter or Meter())


def test_the_first_window_is_the_history() -> None:
    assert windows({}) == [Window(NOW_US - HISTORY, NOW_US)]


def test_a_quiet_night_moves_the_window_on() -> None:
    assert windows(done(Window(0, NOW_US - DAY))) == [Window(NOW_US - DAY - OVERLAP, NOW_US)]


def test_an_interrupted_window_is_finished_before_the_next() -> None:
    cursor = begun(Window(5, NOW_US - DAY), "token")
    assert windows(cursor) == [Window(5, NOW_US - DAY, "token"), Window(NOW_US - DAY - OVERLAP, NOW_US)]


@given(st.integers(-(2**62), 2**62))
def test_whatever_the_cursor_says_the_window_ends_now_and_covers_the_look_back(until_us: int) -> None:
    meter = Meter()
    (window,) = windows({"until_us": until_us}, meter)
    assert window.to_us == NOW_US
    assert window.from_us <= min(until_us, NOW_US) - OVERLAP
    assert bool(meter.warnings) is (until_us > NOW_US)


def test_the_watermark_is_the_windows_end_less_the_delay_and_less_the_platforms_lead() -> None:
    window = Window(0, NOW_US)
    assert watermark(window, 60, Meter()) == NOW_US - 60 * SECOND
    assert watermark(window, 60, Meter(skew_seconds=1.5)) == NOW_US - 60 * SECOND
    assert watermark(window, 60, Meter(skew_seconds=-3600)) == NOW_US - 60 * SECOND
    assert watermark(window, 60, Meter(skew_seconds=3600)) == NOW_US - 3660 * SECOND
