"""Do matchers, routes and silences match exactly what they say?"""

from __future__ import annotations

from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from alerts.findings import Alert, Scope, Timing
from alerts.lifecycle import advance
from alerts.routing import matches, route
from alerts.settings import Route
from alerts.silences import Silence, active, silenced_by
from probes.clock import HOUR, to_us

from .build import NOW, finding

CHANNELS = ("finance", "ops", "sales")


def alert(**changes: Any) -> Alert:
    """Return a critical alert of flow quote_to_order in NW-DE."""
    return advance({}, [finding(**changes)], lambda a: None, lambda s: Timing(), NOW)[0].alert


def routes(*given: dict[str, Any]) -> tuple[Route, ...]:
    """Return routes as settings read them."""
    return tuple(Route.model_validate(g) for g in given)


ROUTES: dict[str, tuple[tuple[dict[str, Any], ...], tuple[str, ...]]] = {
    "without routes every channel hears of everything": ((), CHANNELS),
    "the first route that matches decides": (
        ({"flow": "quote_to_order", "channels": "ops"}, {"channels": "finance"}), ("ops",)),
    "a route that continues lets the next ones match too": (
        ({"flow": "quote_to_order", "channels": "ops", "continue": True}, {"channels": "finance"}), ("ops", "finance")),
    "a route that does not match is passed by": (
        ({"flow": "invoice_to_cash", "channels": "ops"}, {"channels": "sales"}), ("sales",)),
    "every named field has to match": (({"flow": "quote_to_order", "entity": "NW-US", "channels": "ops"},), ()),
    "one of several values is enough": (({"entity": ["NW-US", "NW-DE"], "channels": "ops"},), ("ops",)),
    "severity is a field": (({"severity": "warning", "channels": "ops"}, {"severity": "critical", "channels": "sales"}), ("sales",)),
    "a channel is told once although two routes name it": (
        ({"channels": ["ops"], "continue": True}, {"channels": ["ops", "sales"]}), ("ops", "sales")),
}  # fmt: skip


@pytest.mark.parametrize("sentence", ROUTES)
def test_route(sentence: str) -> None:
    given, expected = ROUTES[sentence]
    assert route(alert(), routes(*given), CHANNELS) == expected


def test_a_broken_channel_is_never_told_about_itself() -> None:
    broken = alert(rule="channel_broken", scope=Scope(channel="ops"))
    assert route(broken, (), CHANNELS) == ("finance", "sales")


def test_an_alert_without_a_field_does_not_match_a_matcher_on_it() -> None:
    assert not matches({"platform": ("erp",)}, {"platform": None})
    assert matches({"platform": ()}, {"platform": None})


def silence(from_us: int, to_us: int, expired_us: int | None = None) -> Silence:
    """Return a silence about the flow."""
    return Silence(1, {"flow": ("quote_to_order",)}, from_us, to_us, "kim", "cut-over", expired_us)


def test_the_start_of_a_silence_belongs_to_it_and_its_end_does_not() -> None:
    window = silence(NOW, NOW + HOUR)
    assert [active(window, NOW + t) for t in (-1, 0, HOUR - 1, HOUR)] == [False, True, True, False]


def test_a_silence_that_was_ended_early_is_over_from_then_on() -> None:
    window = silence(NOW, NOW + HOUR, expired_us=NOW + HOUR // 2)
    assert active(window, NOW + HOUR // 2 - 1)
    assert not active(window, NOW + HOUR // 2)


def test_a_silence_matches_only_what_it_names() -> None:
    window = silence(NOW, NOW + HOUR)
    assert silenced_by(alert(), [window], NOW) is window
    assert silenced_by(alert(scope=Scope(flow="invoice_to_cash")), [window], NOW) is None


@pytest.mark.parametrize(
    ("night", "hours"), [((2026, 10, 25), 3), ((2026, 3, 29), 1)], ids=["clocks go back", "clocks go forward"]
)
def test_a_silence_over_a_change_of_the_clocks_holds_for_the_hours_that_really_pass(
    night: tuple[int, int, int], hours: int
) -> None:
    berlin = ZoneInfo("Europe/Berlin")
    begin = to_us(datetime(*night, 1, 30, tzinfo=berlin))
    end = to_us(datetime(*night, 3, 30, tzinfo=berlin))
    window = silence(begin, end)
    assert end - begin == hours * HOUR
    assert sum(active(window, begin + n * HOUR // 2) for n in range(-2, 12)) == 2 * hours
