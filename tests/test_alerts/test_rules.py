"""Does each rule find what it should, and only that, and know when it cannot see?"""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from typing import Any

import pytest

from alerts.findings import Alert, Timing
from alerts.lifecycle import advance
from alerts.rules import burn_rate, channel_broken, exceptions, overdue_document, platform_down, rules, threshold
from alerts.sight import StreamSight
from alerts.spec import timing
from metrics.definitions import Sli
from metrics.risk import LateDocument
from metrics.sli import BurnRates, Figure
from probes.clock import DAY, HOUR, MINUTE, SECOND, duration_us

from .build import NOW, finding, member

SLI = Sli.model_validate(
    {"name": "order_latency", "title": "Order latency", "kind": "event", "flow": "quote_to_order", "start": "won",
     "stop": "ordered", "objective": "0.99", "window": "30d", "owner": "integration"}
)  # fmt: skip
STEP = ("quote_to_order", "ordered")


def stream(**changes: Any) -> StreamSight:
    """Return a stream that is read every minute without trouble."""
    values: dict[str, Any] = {
        "id": 1, "platform": "erp", "name": "order", "kind": "order", "interval_us": MINUTE, "watermark_us": NOW - MINUTE,
        "first_complete_us": NOW - DAY, "failures": 0, "failing_us": None, "reason": None, "message": None,
        "finished_us": NOW - 10 * SECOND,
    }  # fmt: skip
    return StreamSight(**{**values, **changes})


def document(name: str, **changes: Any) -> LateDocument:
    """Return an order that is not in the ERP although it was due an hour ago."""
    values: dict[str, Any] = {
        "flow": "quote_to_order", "step": "ordered", "step_title": "Order in the ERP", "anchor_id": 1, "revision": 1,
        "entity": "NW-DE", "platform": "crm", "kind": "opportunity", "external_id": name, "number": None, "customer_id": 7,
        "customer_name": "Acme", "reason": "missing", "started_us": NOW - 5 * HOUR, "due_us": NOW - HOUR, "lost": True,
        "money_minor": 100, "currency": "EUR", "owner": "integration", "link": None,
    }  # fmt: skip
    return LateDocument(**{**values, **changes})


def alert_of(*found: Any) -> Alert:
    """Return the alert of a finding."""
    return advance({}, found, lambda a: None, lambda s: Timing(), NOW)[0].alert


# --- overdue documents -----------------------------------------------------------------------------------------------


def overdue(*documents: LateDocument, sli: Sli = SLI, **streams: Any) -> overdue_document.Facts:
    """Return what overdue_document reads."""
    return overdue_document.Facts(
        tuple(documents), {STEP: "Quote to order: Order in the ERP"}, {STEP: (sli,)}, {STEP: (stream(**streams),)}
    )


def test_overdue_documents_are_grouped_by_flow_step_and_entity() -> None:
    facts = overdue(document("1"), document("2"), document("3", entity="NW-US"), document("4", due_us=NOW - 2 * HOUR))
    found = overdue_document.find(facts, overdue_document.Spec(), NOW)
    assert [(f.scope.entity, len(f.members)) for f in found] == [("NW-DE", 3), ("NW-US", 1)]
    assert found[0].since_us == NOW - 2 * HOUR
    assert found[0].as_of_us == NOW - MINUTE
    assert found[0].scope.owner == "integration"


def test_a_document_that_arrived_late_is_in_no_alert() -> None:
    assert overdue_document.find(overdue(document("1", lost=False)), overdue_document.Spec(), NOW) == []


def test_an_order_counts_once_however_many_of_its_revisions_are_overdue() -> None:
    (found,) = overdue_document.find(overdue(document("1"), document("1", revision=2)), overdue_document.Spec(), NOW)
    assert len(found.members) == 1


def test_a_step_that_decides_only_provisional_slis_notifies_nobody() -> None:
    facts = overdue(document("1"), sli=SLI.model_copy(update={"provisional": True}))
    assert [f.provisional for f in overdue_document.find(facts, overdue_document.Spec(), NOW)] == [True]


BLIND: dict[str, tuple[dict[str, Any], str]] = {
    "failing": ({"failures": 1, "reason": "server_error"}, "without success"),
    "never read": ({"watermark_us": None}, "never read"),
    "not polled": ({"finished_us": NOW - HOUR}, "not polled for 1h"),
}


@pytest.mark.parametrize("case", BLIND)
def test_an_overdue_alert_cannot_be_seen_to_be_over_while_its_stream_is_blind(case: str) -> None:
    changes, why = BLIND[case]
    (found,) = overdue_document.find(overdue(document("1")), overdue_document.Spec(), NOW)
    facts = overdue(**changes)
    assert why in (overdue_document.blind(facts, overdue_document.Spec(), alert_of(found), NOW) or "")


def test_an_overdue_alert_is_seen_to_be_over_when_its_streams_are_read() -> None:
    (found,) = overdue_document.find(overdue(document("1")), overdue_document.Spec(), NOW)
    assert overdue_document.blind(overdue(), overdue_document.Spec(), alert_of(found), NOW) is None


# --- platforms that are down -----------------------------------------------------------------------------------------

DOWN: dict[str, tuple[dict[str, Any], bool]] = {
    "one failed poll is no news": ({"failures": 1, "reason": "timeout"}, False),
    "two failed polls are": ({"failures": 2, "reason": "timeout"}, True),
    "one refused key is at once": ({"failures": 1, "reason": "auth"}, True),
    "a stream that is read is fine": ({}, False),
}


@pytest.mark.parametrize("sentence", DOWN)
def test_platform_down(sentence: str) -> None:
    changes, expected = DOWN[sentence]
    found = platform_down.find((stream(failing_us=NOW - 5 * MINUTE, **changes),), platform_down.Spec(), NOW)
    assert bool(found) is expected


def test_one_platform_makes_one_alert_that_names_its_streams() -> None:
    broken = {"failures": 3, "reason": "server_error", "message": "the server answered 503", "failing_us": NOW - HOUR}
    facts = (
        stream(**broken),
        stream(name="invoice", **{**broken, "failing_us": NOW - 2 * HOUR}),
        stream(name="customer"),
    )
    (found,) = platform_down.find(facts, platform_down.Spec(), NOW)
    assert dict(found.details)["Streams"] == "2 of 3: invoice, order"
    assert dict(found.details)["Reason"] == "the server answered 503"
    assert found.since_us == NOW - 2 * HOUR


def test_a_platform_is_back_only_when_all_its_streams_are_read_again() -> None:
    (found,) = platform_down.find((stream(failures=2, failing_us=NOW),), platform_down.Spec(), NOW)
    alert = alert_of(found)
    half = (stream(), stream(name="invoice", failures=1, reason="timeout"))
    assert platform_down.blind(half, platform_down.Spec(), alert, NOW) is not None
    assert platform_down.blind((stream(), stream(name="invoice")), platform_down.Spec(), alert, NOW) is None


# --- burn rates ------------------------------------------------------------------------------------------------------


def burning(long: str | None, short: str | None, *, bad: int = 10, valid: int = 100, tier: int = 0) -> burn_rate.Facts:
    """Return the burn of one tier."""
    t = burn_rate.TIERS[tier]
    rates = BurnRates(
        None if long is None else Fraction(long), None if short is None else Fraction(short), valid, valid, bad
    )
    return burn_rate.Facts((burn_rate.Burning(SLI, t, *burn_rate.windows(t, SLI), rates, (member(),)),), {}, {})


BURNS: dict[str, tuple[tuple[str | None, str | None], dict[str, int], bool]] = {
    "both windows above the factor fire": (("15", "15"), {}, True),
    "exactly at the factor is within": (("14.4", "20"), {}, False),
    "a hair above the factor fires unrounded": (("14.4000001", "14.4000001"), {}, True),
    "only the long window is over already": (("20", "1"), {}, False),
    "only the short window may be noise": (("1", "50"), {}, False),
    "one bad event never pages": (("50", "50"), {"bad": 1}, False),
    "no data is no burn": ((None, "50"), {}, False),
}


@pytest.mark.parametrize("sentence", BURNS)
def test_burn_rate(sentence: str) -> None:
    (long, short), more, expected = BURNS[sentence]
    assert bool(burn_rate.find(burning(long, short, **more), burn_rate.Spec(), NOW)) is expected


def test_tiers_of_one_severity_make_one_alert_in_which_the_fastest_speaks() -> None:
    fast, slow = burning("50", "50"), burning("7", "7", tier=1)
    both = replace(fast, burning=(*slow.burning, *fast.burning))
    (found,) = burn_rate.find(both, burn_rate.Spec(), NOW)
    assert dict(found.details)["Burn rate"].startswith("50.0 times the budget over 1h")


@pytest.mark.parametrize(
    ("window", "expected"),
    [("30d", (60, 5)), ("90d", (180, 15)), ("7d", (14, 5)), ("1d", (5, 5))],
    ids=["the base", "a quarter", "a week", "a day, never shorter than what can be seen"],
)
def test_windows_scale_with_the_period_and_factors_stay(window: str, expected: tuple[int, int]) -> None:
    sli = SLI.model_copy(update={"window": duration_us(window)})
    assert tuple(w // MINUTE for w in burn_rate.windows(burn_rate.TIERS[0], sli)) == expected


def test_the_factor_times_the_budget_decides_what_can_fire() -> None:
    assert burn_rate.threshold(burn_rate.TIERS[0], SLI) == Fraction("0.144")


def test_an_sli_without_data_in_its_windows_cannot_be_seen_to_recover() -> None:
    (found,) = burn_rate.find(burning("50", "50"), burn_rate.Spec(), NOW)
    alert = alert_of(found)
    assert "no data" in (burn_rate.blind(burning(None, None), burn_rate.Spec(), alert, NOW) or "")
    assert burn_rate.blind(burning("1", "1"), burn_rate.Spec(), alert, NOW) is None
    unread = replace(burning("1", "1"), blind={"order_latency": "erp/order was never read completely"})
    assert "never read" in (burn_rate.blind(unread, burn_rate.Spec(), alert, NOW) or "")


# --- thresholds ------------------------------------------------------------------------------------------------------


def figure(**changes: Any) -> Figure:
    """Return a figure that just meets its objective of 98 %."""
    values: dict[str, Any] = {
        "name": "order_latency", "title": "Order latency", "kind": "state", "flow": None, "owner": None,
        "objective": Fraction("0.98"), "provisional": False, "good": 98, "bad": 2, "pending": 0, "blind": 0, "excluded": 0,
        "reasons": {}, "money": {}, "ratio": Fraction("0.98"), "last_ratio": Fraction("0.98"), "window_ratio": None,
        "status": "met", "window_from_us": 0, "window_to_us": NOW, "horizon_us": NOW, "coverage": Fraction(1),
        "watched_since_us": None,
    }  # fmt: skip
    return Figure(**{**values, **changes})


def reading(**changes: Any) -> tuple[threshold.Reading, ...]:
    """Return what threshold reads."""
    return (threshold.Reading(SLI, figure(**changes)),)


MISSED = {"ratio": Fraction("0.9799"), "status": "missed"}
NO_DATA = {"ratio": None, "status": "no_data"}
BOUNDS: dict[str, tuple[dict[str, Any], dict[str, Any], bool]] = {
    "exactly at the objective is met": ({}, {}, False),
    "below the objective alerts": (MISSED, {}, True),
    "a configured bound replaces the objective": (MISSED, {"below": "90%"}, False),
    "a count above its bound alerts": ({"bad": 11}, {"measure": "bad", "above": 10}, True),
    "a count at its bound does not": ({"bad": 10}, {"measure": "bad", "above": 10}, False),
    "too much that is not seen alerts": ({"blind": 3}, {"measure": "blind_ratio", "above": "2%"}, True),
    "p95 is bounded in seconds": ({"p95_us": 3601 * SECOND}, {"measure": "p95", "above": 3600}, True),
    "no data crosses nothing": (NO_DATA, {}, False),
}


@pytest.mark.parametrize("sentence", BOUNDS)
def test_threshold(sentence: str) -> None:
    changes, options, expected = BOUNDS[sentence]
    spec = threshold.Spec.model_validate({"rule": "threshold", **options})
    assert bool(threshold.find(reading(**changes), spec, NOW)) is expected


STATES = ("none", "pending", "firing", "acknowledged", "resolved")
POLICIES: dict[tuple[str, str], tuple[str, bool]] = {
    # (policy, state before) -> (state of the alert about the bound after an evaluation without data, own alert about no data)
    ("alert", "none"): ("none", True), ("keep", "none"): ("none", False), ("ok", "none"): ("none", False),
    ("alert", "pending"): ("pending", True), ("keep", "pending"): ("pending", False), ("ok", "pending"): ("resolved", False),
    ("alert", "firing"): ("firing", True), ("keep", "firing"): ("firing", False), ("ok", "firing"): ("resolved", False),
    ("alert", "acknowledged"): ("acknowledged", True), ("keep", "acknowledged"): ("acknowledged", False),
    ("ok", "acknowledged"): ("resolved", False),
    ("alert", "resolved"): ("resolved", True), ("keep", "resolved"): ("resolved", False), ("ok", "resolved"): ("resolved", False),
}  # fmt: skip


@pytest.mark.parametrize(("policy", "state"), POLICIES)
def test_no_data_is_a_state_of_its_own_with_its_own_policy(policy: str, state: str) -> None:
    spec = threshold.Spec.model_validate({"rule": "threshold", "no_data": policy})
    (bad,) = threshold.find(reading(**MISSED), spec, NOW)
    old = replace(alert_of(bad), state=state)  # type: ignore[arg-type] # a state, or none stored
    stored = {} if state == "none" else {old.id: old}
    facts = reading(**NO_DATA)
    changes = advance(
        stored,
        threshold.find(facts, spec, NOW),
        lambda a: threshold.blind(facts, spec, a, NOW),
        lambda s: Timing(),
        NOW + MINUTE,
    )
    after = {c.alert.id: c.alert.state for c in changes}
    expected, own = POLICIES[policy, state]
    assert after.pop(old.id, state) == expected
    assert list(after.values()) == (["firing"] if own else [])


def test_the_alert_about_no_data_is_over_when_there_is_data() -> None:
    spec = threshold.Spec.model_validate({"rule": "threshold", "no_data": "alert"})
    (found,) = threshold.find(reading(**NO_DATA), spec, NOW)
    assert threshold.blind(reading(), spec, alert_of(found), NOW) is None


# --- exceptions and channels -----------------------------------------------------------------------------------------


def test_exceptions_are_grouped_by_kind_cause_and_stream_and_name_what_they_stop() -> None:
    waiting = (
        exceptions.OpenException("dead_letter", "rejected", 1, "customer unknown", NOW - HOUR, member("1")),
        exceptions.OpenException("dead_letter", "rejected", 1, "no terms", NOW - 2 * HOUR, member("2")),
        exceptions.OpenException("dead_letter", "expired", 1, "ttl", NOW, member("3")),
    )
    found = exceptions.find(
        exceptions.Facts(waiting, {1: stream(platform="bus", name="orders.dlq")}), exceptions.Spec(), NOW
    )
    assert [f.title for f in found] == [
        "Waiting for a person on bus: dead letter, expired",
        "Waiting for a person on bus: dead letter, rejected",
    ]
    assert [len(f.members) for f in found] == [1, 2]
    assert found[1].details == (("First message", "no terms"),)
    assert found[1].since_us == NOW - 2 * HOUR


def undelivered(key: int, status: str, **changes: Any) -> channel_broken.Undelivered:
    """Return a message that did not get through."""
    values = {"created_us": NOW - 2 * HOUR, "failed_us": NOW - 2 * HOUR, "reason": "Slack answered 404 no_service"}
    return channel_broken.Undelivered(key, "ops", status, **{**values, **changes})


BROKEN: dict[str, tuple[channel_broken.Undelivered, dict[str, int], bool]] = {
    "a message that died after the last success breaks the channel": (undelivered(5, "dead"), {"ops": 4}, True),
    "a message that died long before a success does not": (undelivered(5, "dead"), {"ops": 6}, False),
    "a message that died within the hour is told although others pass": (
        undelivered(5, "dead", failed_us=NOW - MINUTE), {"ops": 6}, True),
    "a message that waits too long breaks the channel": (undelivered(5, "queued", created_us=NOW - HOUR), {}, True),
    "a message that waits a little does not": (undelivered(5, "queued", created_us=NOW - MINUTE), {}, False),
}  # fmt: skip


@pytest.mark.parametrize("sentence", BROKEN)
def test_channel_broken(sentence: str) -> None:
    item, sent, expected = BROKEN[sentence]
    assert bool(channel_broken.find(channel_broken.Facts((item,), sent), channel_broken.Spec(), NOW)) is expected


def test_every_rule_says_how_patient_it_is_and_settings_override_it() -> None:
    for rule in rules().values():
        assert timing(rule.Spec.model_validate({}), rule.TIMING) == rule.TIMING
    spec = platform_down.Spec.model_validate(
        {"rule": "platform_down", "for": "5m", "keep_firing_for": "1h", "repeat": "2h"}
    )
    assert timing(spec, platform_down.TIMING) == Timing(5 * MINUTE, HOUR, 2 * HOUR)
    assert finding().rule in rules()
