"""Does an alert go through its states as the rules of the lifecycle say?"""

from __future__ import annotations

from dataclasses import replace

import pytest

from alerts.findings import Alert, Timing, alert_id
from alerts.lifecycle import GONE_RULE, Change, advance
from probes.clock import MINUTE

from .build import NOW, finding, member

FOUND = finding()
KEY = alert_id(FOUND.fingerprint)


def run(
    old: Alert | None, now_us: int, *, found: bool = True, blind: str | None = None, timing: Timing | None = None
) -> Change:
    """Advance one alert by one evaluation."""
    stored = {} if old is None else {old.id: old}
    wanted = timing or Timing()
    (change,) = advance(stored, [FOUND] if found else [], lambda a: blind, lambda s: wanted, now_us)
    return change


def fired(now_us: int = NOW) -> Alert:
    """Return an alert that has just fired."""
    return run(None, now_us).alert


def test_a_condition_without_patience_fires_at_once() -> None:
    change = run(None, NOW)
    assert (change.alert.state, change.alert.episode, change.move) == ("firing", 1, "firing")
    assert change.alert.id == KEY
    assert change.alert.since_us == FOUND.since_us


def test_a_condition_waits_until_it_is_true_for_long_enough() -> None:
    timing = Timing(for_us=5 * MINUTE)
    waiting = run(None, NOW, timing=timing)
    assert (waiting.alert.state, waiting.alert.episode, waiting.move) == ("pending", 0, None)
    almost = run(waiting.alert, NOW + 5 * MINUTE - 1, timing=timing)
    assert almost.alert.state == "pending"
    there = run(almost.alert, NOW + 5 * MINUTE, timing=timing)
    assert (there.alert.state, there.alert.episode, there.move) == ("firing", 1, "firing")


def test_a_condition_that_goes_before_it_fired_is_forgotten_without_an_episode() -> None:
    timing = Timing(for_us=5 * MINUTE)
    waiting = run(None, NOW, timing=timing).alert
    over = run(waiting, NOW + MINUTE, found=False, timing=timing)
    assert (over.alert.state, over.alert.episode, over.move) == ("resolved", 0, None)
    again = run(over.alert, NOW + 10 * MINUTE, timing=timing).alert
    assert again.pending_us == NOW + 10 * MINUTE


def test_a_condition_that_is_seen_to_be_over_resolves() -> None:
    over = run(fired(), NOW + MINUTE, found=False)
    assert (over.alert.state, over.move, over.alert.resolved_us) == ("resolved", "resolved", NOW + MINUTE)
    assert over.members == ()
    assert over.alert.facts.at_us == NOW + MINUTE


def test_an_alert_whose_streams_are_blind_never_resolves() -> None:
    alert = fired()
    for minute in range(1, 200):
        change = run(alert, NOW + minute * MINUTE, found=False, blind="erp/order was last polled without success")
        alert = change.alert
        assert (alert.state, change.move, change.members) == ("firing", None, None)
    assert alert.held == "erp/order was last polled without success"
    seen = run(alert, NOW + 200 * MINUTE, found=False)
    assert (seen.alert.state, seen.alert.held) == ("resolved", None)


def test_blindness_starts_the_time_until_resolving_anew() -> None:
    timing = Timing(keep_firing_us=10 * MINUTE)
    alert = run(fired(), NOW + MINUTE, found=False, timing=timing).alert
    alert = run(alert, NOW + 9 * MINUTE, found=False, blind="not read", timing=timing).alert
    alert = run(alert, NOW + 12 * MINUTE, found=False, timing=timing).alert
    assert alert.state == "firing"
    assert run(alert, NOW + 22 * MINUTE, found=False, timing=timing).alert.state == "resolved"


def test_an_alert_keeps_firing_for_as_long_as_it_is_told_to() -> None:
    timing = Timing(keep_firing_us=10 * MINUTE)
    alert = run(fired(), NOW + MINUTE, found=False, timing=timing).alert
    assert alert.state == "firing"
    assert run(alert, NOW + 11 * MINUTE - 1, found=False, timing=timing).alert.state == "firing"
    back = run(alert, NOW + 10 * MINUTE, timing=timing).alert
    assert back.clear_us is None
    assert run(alert, NOW + 11 * MINUTE, found=False, timing=timing).alert.state == "resolved"


def test_a_condition_that_returns_begins_a_new_episode() -> None:
    over = run(fired(), NOW + MINUTE, found=False).alert
    again = run(over, NOW + 2 * MINUTE)
    assert (again.alert.state, again.alert.episode, again.move) == ("firing", 2, "firing")
    assert again.alert.acknowledged_us is None


def test_a_taken_on_alert_stays_taken_on_while_its_condition_holds_and_resolves_after() -> None:
    taken = replace(fired(), state="acknowledged", acknowledged_by="kim", acknowledged_us=NOW)
    still = run(taken, NOW + MINUTE).alert
    assert (still.state, still.acknowledged_by) == ("acknowledged", "kim")
    assert run(still, NOW + 2 * MINUTE, found=False).alert.state == "resolved"


def test_the_condition_is_true_since_the_earliest_instant_ever_seen_in_the_episode() -> None:
    alert = fired()
    later = replace(FOUND, since_us=NOW)
    (change,) = advance({alert.id: alert}, [later], lambda a: None, lambda s: Timing(), NOW + MINUTE)
    assert change.alert.since_us == FOUND.since_us
    assert change.alert.facts.since_us == FOUND.since_us


def test_an_alert_of_a_rule_that_is_no_longer_configured_resolves_and_says_so() -> None:
    alert = fired()
    (change,) = advance({alert.id: alert}, [], lambda a: "not read", lambda s: None, NOW + MINUTE)
    assert change.alert.state == "resolved"
    assert change.alert.facts.note == GONE_RULE


def test_money_is_summed_per_currency_over_distinct_documents_with_late_and_lost_apart() -> None:
    members = (
        member("1", lost=True, money_minor=100, currency="EUR"),
        member("2", lost=False, money_minor=250, currency="EUR"),
        member("3", lost=True, money_minor=5000, currency="JPY", customer_id=8),
        member("4", lost=True, money_minor=None, currency=None, customer_id=None),
    )
    change = advance({}, [finding("NW-DE", *members)], lambda a: None, lambda s: Timing(), NOW)[0]
    facts = change.alert.facts
    assert facts.lost == {"EUR": 100, "JPY": 5000}
    assert facts.late == {"EUR": 250}
    assert (facts.documents, facts.customers, facts.unpriced) == (4, 2, 1)


@pytest.mark.parametrize("state", ["firing", "acknowledged"])
def test_every_open_alert_that_no_rule_finds_is_looked_at(state: str) -> None:
    alert = replace(fired(), state=state)  # type: ignore[arg-type]
    changes = advance({alert.id: alert}, [], lambda a: None, lambda s: Timing(), NOW + MINUTE)
    assert [c.move for c in changes] == ["resolved"]
