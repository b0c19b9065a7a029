"""Is everything due when its calendar says, whatever the clocks, the holidays and the leap days do? Also against the naive way."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from metrics.calendar import Calendar, Window, after_business_time, after_window, longest_wait_us, open_until
from metrics.calendar_settings import CalendarSettings
from metrics.deadline import Schedules, due_at, parse
from probes.clock import DAY, FOREVER, HOUR, MINUTE, to_us
from tests.reference import deadlines as naive

OFFICE = {"time_zone": "Europe/Berlin", "hours": {"mon-fri": "09:00-17:00"}, "holidays": ["12-25", "2026-11-11"]}
NIGHTLY: dict[str, Any] = {
    "time_zone": "Europe/Berlin",
    "windows": [{"at": "02:30", "for": "2h"}, {"at": "02:30", "for": "8h", "on": "month-end"}],
}


def calendar(**written: Any) -> Calendar:
    return CalendarSettings.model_validate(written).calendar()


def at(text: str) -> int:
    return to_us(datetime.fromisoformat(text))


def when(deadline: str, start: str, **written: Any) -> str:
    """Return when something is due, as the clock of the calendar's zone shows it."""
    schedules = Schedules({"own": calendar(**written)}, default="own", batches={"erp": ({"": "own"},)})
    found = due_at(parse(deadline), np.array([at(start)]), np.array([""], dtype=object), schedules, "erp")
    zone = written["time_zone"]
    return datetime.fromtimestamp(int(found[0]) / 1e6, ZoneInfo(zone)).isoformat()


@pytest.mark.parametrize(
    ("deadline", "start", "due"),
    [
        ("15 business minutes", "2026-11-06T16:50+01:00", "2026-11-09T09:05:00+01:00"),  # a Friday
        ("15 business minutes", "2026-11-07T12:00+01:00", "2026-11-09T09:15:00+01:00"),
        (
            "15 business minutes",
            "2026-11-06T16:45+01:00",
            "2026-11-06T17:00:00+01:00",
        ),  # closing time still is that day
        ("15 business minutes", "2026-11-06T17:00+01:00", "2026-11-09T09:15:00+01:00"),
        ("8 business hours", "2026-11-10T16:00+01:00", "2026-11-12T16:00:00+01:00"),  # the 11th is a holiday
        ("1 business day", "2026-11-10T16:00+01:00", "2026-11-13T00:00:00+01:00"),
        ("5 business days", "2026-11-02T08:00+01:00", "2026-11-10T00:00:00+01:00"),
        ("5 business days", "2026-10-31T08:00+01:00", "2026-11-10T00:00:00+01:00"),  # Saturday counts for Monday
        ("2 business days", "2026-12-23T08:00+01:00", "2026-12-29T00:00:00+01:00"),
        ("16 business hours", "2026-10-23T13:00+02:00", "2026-10-27T13:00:00+01:00"),  # the clocks go back on the 25th
        ("16 business hours", "2026-03-27T13:00+01:00", "2026-03-31T13:00:00+02:00"),
    ],
)
def test_business_time_passes_while_the_office_is_open(deadline: str, start: str, due: str) -> None:
    assert when(deadline, start, **OFFICE) == due


def test_what_comes_after_the_cut_off_counts_for_the_next_business_day() -> None:
    cut = {**OFFICE, "cut_off": "16:00"}
    assert when("1 business day", "2026-11-02T16:00+01:00", **cut) == "2026-11-04T00:00:00+01:00"
    assert when("1 business day", "2026-11-02T16:00:01+01:00", **cut) == "2026-11-05T00:00:00+01:00"
    assert when("1 business day", "2026-11-06T18:00+01:00", **cut) == "2026-11-11T00:00:00+01:00"


@pytest.mark.parametrize(
    ("start", "due"),
    [
        ("2026-11-02T12:00+01:00", "2026-11-03T05:30:00+01:00"),
        ("2026-11-03T02:30+01:00", "2026-11-04T05:30:00+01:00"),  # the window that opens now is not after now
        ("2026-11-29T12:00+01:00", "2026-11-30T11:30:00+01:00"),  # the longer batch at the end of a month
        (
            "2026-03-28T12:00+01:00",
            "2026-03-29T06:00:00+02:00",
        ),  # 02:30 is skipped: it opens as the clocks jump to 03:00
        ("2026-10-24T12:00+02:00", "2026-10-25T04:30:00+01:00"),  # 02:30 comes twice: it opens the first time
        ("2026-10-25T02:45+02:00", "2026-10-26T05:30:00+01:00"),  # and not again an hour later
        ("2028-02-28T12:00+01:00", "2028-02-29T11:30:00+01:00"),
    ],
)
def test_a_batch_is_due_at_the_end_of_the_first_window_that_opens_after_the_start(start: str, due: str) -> None:
    assert when("window + 1h", start, **NIGHTLY) == due


def test_an_hour_that_comes_twice_is_worked_twice_and_one_that_is_skipped_not_at_all() -> None:
    night = calendar(time_zone="Europe/Berlin", hours={"daily": "01:00-04:00"})
    worked = after_business_time(night, np.array([at("2026-10-25T01:00+02:00")]), 4 * HOUR)
    assert worked[0] == at("2026-10-25T04:00+01:00")
    worked = after_business_time(night, np.array([at("2026-03-29T01:00+01:00")]), 2 * HOUR)
    assert worked[0] == at("2026-03-29T04:00+02:00")


def test_windows_every_quarter_of_an_hour_take_no_notice_of_the_clocks() -> None:
    flushes = calendar(time_zone="Europe/Berlin", windows=[{"every": "15m", "for": "1m"}])
    found = after_window(flushes, np.array([at("2026-10-25T02:50+02:00")]), 0)
    assert found[0] == at("2026-10-25T02:01+01:00")
    assert longest_wait_us(flushes) == 16 * MINUTE


def test_deadlines_are_joined_as_they_read() -> None:
    nightly = {"erp": ({"": "nightly"},)}
    schedules = Schedules({"nightly": calendar(**NIGHTLY)}, batches=nightly)
    start = np.array([at("2026-11-02T12:00+01:00"), FOREVER])
    names = np.array(["", ""], dtype=object)

    def due(text: str, role: str = "erp") -> list[int]:
        return [int(n) for n in due_at(parse(text), start, names, schedules, role)]

    window = at("2026-11-03T05:30+01:00")
    assert due("later of 24h and window + 1h") == [at("2026-11-03T12:00+01:00"), FOREVER]
    assert due("later of 4h and window + 1h") == [window, FOREVER]
    assert due("4h, or window + 1h where batched") == [window, FOREVER]
    assert due("4h, or window + 1h where batched", "billing") == [int(start[0]) + 4 * HOUR, FOREVER]
    assert due("later of 4h and window + 1h", "billing") == [int(start[0]) + 4 * HOUR, FOREVER]


def test_each_entity_follows_its_own_calendar_and_an_unknown_one_its_weekdays() -> None:
    schedules = Schedules({"office": calendar(**OFFICE)}, {"DE": "office"}, {"DE": "Europe/Berlin", "JP": "Asia/Tokyo"})
    start = np.array([at("2026-11-10T16:00+00:00")] * 3)
    found = due_at(parse("1 business day"), start, np.array(["DE", "JP", ""], dtype=object), schedules, "erp")
    assert [int(n) for n in found] == [
        at("2026-11-13T00:00+01:00"), at("2026-11-13T00:00+09:00"), at("2026-11-12T00:00+00:00")
    ]  # fmt: skip


@pytest.mark.parametrize(
    "text",
    ["4h", "1d 2h", "15 business minutes", "1 business hour", "90 business minutes", "5 business days on office-de", "window",
     "window of nightly + 1h", "later of 1d and window + 1h", "4h, or window + 90m where batched"],
)  # fmt: skip
def test_a_deadline_is_written_as_it_is_read(text: str) -> None:
    assert parse(str(parse(text))) == parse(text)


@pytest.mark.parametrize(
    "text",
    ["", "0s", "soon", "-1h", "5 business weeks", "0 business days", "later of window and 4h", "window + x", "4h, or 5h where batched",
     "3 business days of office", "later of 4h and 5h", True],
)  # fmt: skip
def test_what_is_no_deadline_is_refused_with_the_forms_there_are(text: object) -> None:
    with pytest.raises(ValueError, match="write"):
        parse(text)


@pytest.mark.parametrize(
    ("written", "words"),
    [
        ({"time_zone": "Mars/Olympus", "hours": {"mon": "09:00-17:00"}}, "IANA name"),
        ({"time_zone": "UTC"}, "`hours:`"),
        ({"time_zone": "UTC", "hours": {"monday": "09:00-17:00"}}, "write mon"),
        ({"time_zone": "UTC", "hours": {"mon-fri": "09:00-17:00", "fri": "09:00-15:00"}}, "twice"),
        ({"time_zone": "UTC", "hours": {"mon": "22:00-06:00"}}, "under the next day"),
        ({"time_zone": "UTC", "hours": {"mon": ["09:00-12:00", "11:00-17:00"]}}, "in order"),
        ({"time_zone": "UTC", "hours": {"mon": "9-17"}}, "09:00-17:30"),
        ({"time_zone": "UTC", "hours": {"mon": "09:00-25:00"}}, "24:00"),
        ({"time_zone": "UTC", "hours": {"mon": "09:00-17:00"}, "holidays": ["2026-02-30"]}, "2026-12-31"),
        ({"time_zone": "UTC", "windows": [{"at": "01:00"}]}, "for: 2h"),
        ({"time_zone": "UTC", "windows": [{"for": "2h"}]}, "either"),
        ({"time_zone": "UTC", "windows": [{"every": "7m"}]}, "divide a day"),
        ({"time_zone": "UTC", "windows": [{"at": "24:00", "for": "1h"}]}, "00:00 of the next day"),
        ({"time_zone": "UTC", "windows": [{"at": "01:00", "for": "1h", "on": "day 32"}]}, "day 31"),
        ({"time_zone": "UTC", "windows": [{"every": "1h"}], "holidays": ["12-25"]}, "add `hours:`"),
        ({"time_zone": "UTC", "hour": {}}, "Extra inputs"),
    ],
)
def test_a_calendar_that_cannot_be_kept_is_refused_with_what_to_write(written: dict[str, Any], words: str) -> None:
    with pytest.raises(ValidationError, match=words):
        CalendarSettings.model_validate(written)


def test_a_window_that_is_open_says_until_when() -> None:
    nightly = calendar(**NIGHTLY)
    assert open_until(nightly, at("2026-11-03T02:29:59+01:00")) is None
    assert open_until(nightly, at("2026-11-03T02:30+01:00")) == at("2026-11-03T04:30+01:00")
    assert open_until(nightly, at("2026-11-03T04:30+01:00")) is None
    once = calendar(time_zone="UTC", windows=[{"at": "22:00", "for": "6h", "on": "2026-12-05"}])
    assert open_until(once, at("2026-12-06T03:00+00:00")) == at("2026-12-06T04:00+00:00")
    assert open_until(once, at("2026-12-07T03:00+00:00")) is None


def test_a_wait_that_nothing_ends_is_refused() -> None:
    once = Calendar("UTC", windows=(Window(HOUR, (0,), dates=frozenset({20_000})),))
    with pytest.raises(ValueError, match="ends no wait"):
        after_window(once, np.array([0]), 0)


def test_an_absurd_stamp_is_due_some_time_after_it() -> None:
    starts = np.array([-5 * DAY, to_us(datetime(9999, 12, 31, tzinfo=UTC))])
    found = after_business_time(calendar(**OFFICE), starts, 8 * HOUR)
    assert ((found > starts) & (found < starts + 10 * DAY)).all()


# --- against the naive way -----------------------------------------------------------------------------------------------

TURNS = {
    "Europe/Berlin": ["2026-03-29T01:00", "2026-10-25T01:00", "2028-02-29T12:00"],
    "America/New_York": ["2026-03-08T07:00", "2026-11-01T06:00"],
    "Australia/Lord_Howe": ["2026-04-04T15:00", "2026-10-03T15:30"],  # by half an hour
    "Pacific/Apia": ["2011-12-30T10:00", "2012-03-31T14:00"],  # one day never was
    "America/Sao_Paulo": ["2017-10-15T03:00", "2018-02-18T02:00"],  # midnight is skipped, then comes twice
    "Africa/Casablanca": ["2026-02-15T02:00", "2026-03-22T02:00"],  # Ramadan
    "Asia/Kolkata": ["2026-12-31T18:30"],
    "UTC": ["2028-02-29T00:00"],
}
HOURS = st.sampled_from(
    [
        {"mon-fri": "09:00-17:00"},
        {"daily": ["00:00-02:30", "22:00-24:00"]},
        {"mon, wed-sat": ["01:30-03:15", "08:00-12:00"], "sun": "00:00-24:00"},
        {"fri-mon": "00:30-01:45"},
    ]
)
WINDOWS = st.lists(
    st.sampled_from(
        [
            {"at": "02:30", "for": "2h"},
            {"at": ["00:00", "02:15"], "for": "30m", "on": "mon-fri"},
            {"at": "02:30", "for": "8h", "on": "month-end"},
            {"at": "00:00", "for": "90m", "on": ["day 29", "sun"]},
            {"every": "6h", "for": "1m"},
            {"every": "15m", "on": ["sat", "mon"]},
        ]
    ),
    min_size=1,
    max_size=2,
)
DEADLINES = st.sampled_from(
    ["15 business minutes", "9 business hours", "1 business day", "3 business days", "window + 1h", "later of 24h and window + 5m",
     "4h, or window where batched"]
)  # fmt: skip


@st.composite
def cases(draw: st.DrawFn) -> tuple[str, dict[str, Any], int]:
    """Draw a deadline, a calendar, and a start near where the clocks of its zone turn."""
    zone = draw(st.sampled_from(sorted(TURNS)))
    turn = datetime.fromisoformat(draw(st.sampled_from(TURNS[zone]))).replace(tzinfo=UTC)
    near = timedelta(
        minutes=draw(st.integers(-3 * 24 * 60, 2 * 24 * 60)), microseconds=draw(st.sampled_from([0, 0, 1, -1]))
    )
    days = [(turn + timedelta(days=n)).date().isoformat() for n in (-1, 0, 1, 2)]
    written: dict[str, Any] = {"time_zone": zone, "hours": draw(HOURS), "windows": draw(WINDOWS)}
    holidays = draw(st.lists(st.sampled_from([*days, days[1][5:]]), max_size=2, unique=True))
    if holidays:
        written["holidays"] = holidays
    if draw(st.booleans()):
        written["cut_off"] = draw(st.sampled_from(["00:00", "02:30", "16:00"]))
    return draw(DEADLINES), written, to_us(turn + near)


@given(case=cases())
def test_every_deadline_is_the_one_that_watching_the_clock_on_the_wall_finds(
    case: tuple[str, dict[str, Any], int],
) -> None:
    deadline, written, start = case
    schedules = Schedules({"own": calendar(**written)}, default="own", batches={"erp": ({"": "own"},)})
    found = due_at(parse(deadline), np.array([start]), np.array(["X"], dtype=object), schedules, "erp")
    told = naive.Calendars({"own": written}, "own", batches={"erp": ["own"]})
    assert int(found[0]) == naive.due(deadline, start, "X", "erp", told)
