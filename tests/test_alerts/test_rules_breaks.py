"""Do differences between platforms and loads reach people: once, with money and the first record, and only what is new?"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from alerts.dedup import Decision, Flap, Situation, Told, Why, decide
from alerts.findings import Alert, Timing
from alerts.lifecycle import advance
from alerts.rules import breaks, bulk_load, overdue_document
from probes.clock import HOUR, MINUTE

from .build import NOW, member
from .test_rules import document, overdue, stream

CHECK = "invoice_to_cash.posted"


def differing(name: str, **changes: Any) -> breaks.OpenBreak:
    """Return an invoice that the ERP shows with another tax since an hour."""
    values: dict[str, Any] = {
        "check": CHECK, "kind": "amount_differs", "field": "tax", "since_us": NOW - HOUR, "expected": "1900",
        "actual": "1700", "member": member(name, kind="invoice", lost=False, due_us=None, money_minor=200),
    }  # fmt: skip
    return breaks.OpenBreak(**{**values, **changes})


def seen(*found: breaks.OpenBreak, **streams: Any) -> breaks.Facts:
    """Return what the rule reads."""
    return breaks.Facts(found, {CHECK: "Invoice to cash: Posted"}, {CHECK: "finance"}, {CHECK: (stream(**streams),)})


def test_differences_are_grouped_by_check_and_kind_with_their_money() -> None:
    facts = seen(differing("A"), differing("B", since_us=NOW - 2 * HOUR), differing("C", kind="duplicate", field=""))
    amount, duplicate = breaks.find(facts, breaks.Spec(), NOW)
    assert (amount.title, amount.severity) == ("Amount differs: Invoice to cash: Posted", "warning")
    assert [m.external_id for m in amount.members] == ["A", "B"]
    assert sum(m.money_minor or 0 for m in amount.members) == 400
    assert (amount.since_us, amount.scope.flow, amount.scope.step) == (NOW - 2 * HOUR, "invoice_to_cash", "posted")
    assert dict(amount.details) == {"Differs in": "tax", "First difference": "1900 here, 1700 there"}
    assert [m.external_id for m in duplicate.members] == ["C"]


def test_a_document_that_differs_in_two_fields_counts_once() -> None:
    (found,) = breaks.find(seen(differing("A"), differing("A", field="gross")), breaks.Spec(), NOW)
    assert len(found.members) == 1
    assert dict(found.details)["Differs in"] == "gross, tax"


def test_a_difference_is_not_seen_to_be_over_while_a_side_is_blind() -> None:
    (found,) = breaks.find(seen(differing("A")), breaks.Spec(), NOW)
    alert = alert_of(found)
    assert breaks.blind(seen(), breaks.Spec(), alert, NOW) is None
    assert "without success" in (breaks.blind(seen(failures=1), breaks.Spec(), alert, NOW) or "")


def test_what_is_told_as_overdue_is_not_told_as_a_difference_too() -> None:
    query = str(breaks._open(breaks.Spec()).compile(compile_kwargs={"literal_binds": True}))
    assert "kind NOT IN ('missing_in_target', 'stale_revision')" in query
    query = str(breaks._open(breaks.Spec(kind=("missing_in_target",))).compile(compile_kwargs={"literal_binds": True}))
    assert "kind IN ('missing_in_target')" in query


@pytest.mark.parametrize(("entity", "since_us", "told"), [("NW-DE", 5, False), ("NW-DE", 15, True), ("NW-US", 5, True)])
def test_differences_from_before_the_watch_began_tell_nobody(entity: str, since_us: int, told: bool) -> None:
    row = {"check_name": CHECK, "entity": entity, "since_us": since_us}
    assert breaks._watched(row, {"invoice_to_cash": ({"NW-DE": 10}, 0)}) is told
    assert not breaks._watched(row, {"quote_to_order": ({}, 0)})


def alert_of(*found: Any) -> Alert:
    """Return the alert of a finding."""
    return advance({}, found, lambda a: None, lambda s: Timing(), NOW)[0].alert


def test_a_load_is_one_notice_however_many_kinds_of_records_it_made() -> None:
    loads = (
        bulk_load.Load("crm", "005L", "opportunity", NOW - HOUR, 60),
        bulk_load.Load("crm", "005L", "opportunity_change", NOW - HOUR - MINUTE, 120),
        bulk_load.Load("erp", "77", "invoice", NOW, 55),
    )
    crm, erp = bulk_load.find(loads, bulk_load.Spec(), NOW)
    assert (crm.title, crm.severity, crm.since_us) == ("Bulk load on crm", "info", NOW - HOUR - MINUTE)
    assert dict(crm.details)["Records"] == "60 opportunity, 120 opportunity change"
    assert erp.scope.platform == "erp"


@pytest.mark.parametrize(("notice", "expected"), [(True, Why.NOTICE), (False, Why.RESOLVED)])
def test_the_end_of_a_notice_is_no_news(notice: bool, expected: Why) -> None:
    (found,) = bulk_load.find((bulk_load.Load("crm", "005L", "order", NOW, 60),), bulk_load.Spec(), NOW)
    over = Situation(alert_of(found), "resolved", Told(("ops",)), ("ops",), 0, HOUR, notice=notice)
    decision = decide(over, Flap(2, MINUTE), NOW)
    assert decision == Decision(expected, () if notice else ("ops",))


def test_a_missing_customer_says_what_waits_for_it_without_adding_it_up() -> None:
    customer = document("001A", kind="customer", anchor_id=7, money_minor=None, currency=None)
    facts = replace(overdue(customer), blocked={7: {"EUR": (501_154, 2), "USD": (100, 1)}})
    (found,) = overdue_document.find(facts, overdue_document.Spec(), NOW)
    assert found.details == (("Blocks", "3 open documents, €5,011.54 + $1.00"),)
    assert [m.money_minor for m in found.members] == [None]
