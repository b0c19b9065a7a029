"""How numbers, money, instants and foreign text are written for people."""

from __future__ import annotations

from fractions import Fraction
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from console.web import formats, visits
from console.web.states import DARK, LIGHT, cell, look

MINUTE = 60_000_000


def test_a_ratio_just_below_its_objective_never_reads_as_met() -> None:
    assert formats.percent(Fraction(98_999, 100_000)) == "98.99 %"
    assert formats.percent(Fraction(9_999_999, 10_000_000)) == "99.99 %"
    assert formats.percent(Fraction(1)) == "100 %"
    assert formats.percent(None) == "no data"


def test_currencies_are_never_added_up() -> None:
    assert formats.moneys({"USD": 100, "EUR": 250_050, "JPY": 9000}) == "€2,500.50 · ¥9,000 · $1.00"
    assert formats.moneys({}) == "–"


def test_an_unknown_currency_is_named_and_not_guessed() -> None:
    assert formats.money(1234, "XXY") == "1234 minor units of XXY"


@pytest.mark.parametrize(
    "cell",
    [
        "=1+1",
        "+1+1",
        "-1+1",
        "@SUM(A1)",
        "\t=1",
        "\r=1",
        " =1",
        "=cmd|' /C calc'!A0",
        "＝1+1",
        '=HYPERLINK("http://x")',
        "\n=1",
    ],
)
def test_no_cell_of_a_download_is_a_formula(cell: str) -> None:
    assert formats.csv_cell(cell).startswith("'")


def test_numbers_stay_numbers_in_a_download() -> None:
    assert [formats.csv_cell(v) for v in (-12, "-12.50", 3, None, "PO-1", "+49")] == [
        "-12",
        "-12.50",
        "3",
        "",
        "PO-1",
        "+49",
    ]


@pytest.mark.parametrize("mark", list("\\`*_{}[]()#+-.!|<>~$^="))
def test_markup_in_a_name_is_shown_letter_by_letter(mark: str) -> None:
    assert formats.md(f"a{mark}b") == f"a\\{mark}b"


def test_icons_directives_and_addresses_in_a_name_do_not_come_alive() -> None:
    shown = formats.md(":material/home: :red[x] https://evil.example www.evil.example a@evil.example")
    for alive in (":material/", ":red[", "://", "www.", "www\\.", "a@evil"):
        assert alive not in shown


@given(st.text())
def test_escaped_text_has_no_bare_markup_and_stays_on_one_line(text: str) -> None:
    shown = formats.md(text)
    assert "\n" not in shown
    bare = [i for i, c in enumerate(shown) if c in "*_[]()<>`$!#" and (i == 0 or shown[i - 1] != "\\")]
    assert bare == []


def test_text_that_turns_the_reading_direction_is_disarmed() -> None:
    assert formats.plain("invoice\u202egnp.exe") == "invoicegnp.exe"


def test_chart_text_holds_no_tag() -> None:
    assert formats.chart_text("<b onclick=x>A</b>") == "&lt;b onclick=x&gt;A&lt;/b&gt;"


def test_an_instant_is_shown_in_the_viewers_zone_and_exactly_in_utc() -> None:
    us = 1_795_176_000_000_000
    assert formats.instant(us, ZoneInfo("Asia/Tokyo")) == "20 Nov 2026, 21:00"
    assert formats.utc(us) == "2026-11-20T12:00:00Z"
    assert formats.instant(None, ZoneInfo("UTC")) == "–"


def test_a_zone_the_browser_invents_becomes_utc() -> None:
    assert formats.zone("Mars/Olympus").key == "UTC"
    assert formats.zone("../../etc/passwd").key == "UTC"


def test_durations_below_a_second_are_told_in_milliseconds() -> None:
    assert formats.duration(120_000) == "120 ms"
    assert formats.duration(90 * MINUTE) == "1h 30m"


def test_blind_never_looks_like_success_and_no_two_states_differ_by_colour_alone() -> None:
    for state in ("blind", "no_data", "never"):
        assert look(state).colour == "gray"
        assert look(state).icon != look("good").icon
    shown = [
        (look(s).word, look(s).mark) for s in ("good", "bad", "pending", "blind", "late", "lost", "waiting", "stale")
    ]
    assert len({mark for _, mark in shown if mark}) >= 6
    assert len({word for word, _ in shown}) == len(shown)
    assert cell("never_heard_of") == "? never heard of"


def _luminance(colour: str) -> float:
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    red, green, blue = (p / 12.92 if p <= 0.03928 else ((p + 0.055) / 1.055) ** 2.4 for p in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def _contrast(one: str, other: str) -> float:
    high, low = sorted((_luminance(one), _luminance(other)), reverse=True)
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize(("colours", "ground"), [(LIGHT, "#FFFFFF"), (DARK, "#10151B")])
def test_every_state_colour_is_legible_as_text(colours: dict[str, str], ground: str) -> None:
    assert {name: _contrast(c, ground) for name, c in colours.items() if _contrast(c, ground) < 4.5} == {}


def test_a_new_visit_begins_after_half_an_hour_away() -> None:
    first = visits.stamped(None, 1000 * MINUTE)
    again = visits.stamped(first, 1010 * MINUTE)
    later = visits.stamped(again, 2000 * MINUTE)
    assert visits.last_visit_us({visits.COOKIE: first}) is None
    assert visits.last_visit_us({visits.COOKIE: again}) is None
    assert visits.last_visit_us({visits.COOKIE: later}) == 1010 * MINUTE


@pytest.mark.parametrize("cookie", ["", "x", "1", "1-2-3", "-1-2", "9" * 40 + "-1", "1-1; Path=/"])
def test_a_forged_visit_cookie_is_ignored(cookie: str) -> None:
    assert visits.parse(cookie) is None
