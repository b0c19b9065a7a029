"""Does the company live the normal life it promises, the same for the same seed, and never late when calm?"""

import time
from datetime import datetime, timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from probes.sandbox import Company, inject
from probes.sandbox.world import World

from . import truths, truths_life
from .conftest import START_AT, lived


def broken_deadlines(world: World) -> list[str]:
    """List everything that was late, missing or did not tie."""
    checks = (
        truths.late_orders,
        truths.late_invoices,
        truths.late_customers,
        truths.late_subscriptions,
        truths.untied_invoices,
        truths_life.late_leads,
        truths_life.late_entitlements,
        truths_life.late_shipments_and_plans,
        truths_life.unrouted_tickets,
        truths_life.cases_of_another_severity,
        truths_life.contracts_that_differ,
        truths_life.renewals_missed,
        truths_life.references_that_differ,
        truths_life.flags_that_differ,
        truths_life.batches_that_differ,
        truths_life.failed_runs,
    )
    return [f"{check.__name__}: {found}" for check in checks for found in check(world)]


def test_the_same_seed_gives_the_same_bytes() -> None:
    assert lived(seed=11).digest() == lived(seed=11).digest()


def test_another_seed_gives_another_company() -> None:
    assert lived(seed=11).digest() != lived(seed=12).digest()


def test_the_way_to_an_instant_may_be_cut_into_any_steps() -> None:
    whole, stepped = lived(seed=5), lived(seed=5, history_days=8)
    whole.advance_to(START_AT + timedelta(days=2))
    for minutes in (1, 7, 61, 599, 1440, 2880):
        stepped.advance_to(START_AT + timedelta(minutes=minutes))
    assert whole.digest() == stepped.digest()


def test_time_never_runs_backwards(company: Company) -> None:
    before = company.digest()
    company.advance_to(START_AT - timedelta(days=1))
    assert company.digest() == before


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(seed=st.integers(0, 2**32), days=st.integers(2, 35))
def test_a_calm_company_is_never_late_and_always_ties(seed: int, days: int) -> None:
    company = lived(seed=seed, history_days=days, scale=0.4)
    assert broken_deadlines(company.world) == []


@pytest.mark.parametrize(
    "start_at", ["2026-04-06T03:17:00+00:00", "2026-11-09T00:00:00+00:00", "2027-01-12T23:59:59+00:00"]
)
def test_a_calm_company_is_never_late_over_clock_changes_and_the_turn_of_the_year(start_at: str) -> None:
    company = Company(41, datetime.fromisoformat(start_at), history_days=25, scale=0.4)
    company.run_history()
    company.advance_to(company.start_us + 20 * 86_400_000_000)
    assert broken_deadlines(company.world) == []


def test_the_deadline_checks_can_fail(company: Company) -> None:
    for fault in ("O01", "I01", "M03"):
        inject(company.world, fault, entity="NW-DE")
    for fault in ("L01", "S01", "S02", "S03", "O08", "C01", "C03", "R01", "R03", "R04", "S04", "B03", "B04", "E06"):
        inject(company.world, fault, 3)
    inject(company.world, "I06", variant="crm")
    company.advance_to(START_AT + timedelta(days=5))
    found = broken_deadlines(company.world)
    assert {line.split(":")[0] for line in found} >= {
        "late_orders",
        "late_invoices",
        "late_customers",
        "late_leads",
        "late_entitlements",
        "late_shipments_and_plans",
        "unrouted_tickets",
        "cases_of_another_severity",
        "contracts_that_differ",
        "renewals_missed",
        "references_that_differ",
        "flags_that_differ",
        "batches_that_differ",
        "failed_runs",
    }


def test_a_month_of_history_is_large_enough_and_made_within_ten_seconds() -> None:
    began = time.process_time()  # other work on the machine does not count
    company = lived(history_days=30, scale=1.0)
    assert time.process_time() - began < 10
    assert 30_000 <= sum(sum(tables.values()) for tables in company.counts().values()) <= 60_000


@pytest.fixture(scope="module")
def month() -> Company:
    """Give a whole month of normal life; its tests only read."""
    return lived(seed=3, history_days=30, scale=1.0)


def share(part: int, whole: int) -> float:
    """Return part of whole."""
    return part / whole


def test_about_one_deal_in_ten_is_amended_and_one_in_twenty_reopened(month: Company) -> None:
    kinds = [milestone.kind for milestone in month.journal.milestones]
    won = kinds.count("deal_won")
    assert 0.05 < share(kinds.count("deal_amended"), won) < 0.15
    assert 0.02 < share(kinds.count("deal_reopened"), won) < 0.09


def test_deals_come_through_resellers_in_several_entities_and_for_nothing(month: Company) -> None:
    deals = list(month.world.deals.values())
    assert 0.02 < share(sum(d.row["Type"] == "Reseller" for d in deals), len(deals)) < 0.09
    assert 0.02 < share(sum(len(d.entities) > 1 for d in deals), len(deals)) < 0.09
    assert 0.02 < share(sum(d.net_minor() == 0 for d in deals), len(deals)) < 0.09
    assert {d.currency for d in deals} == {"EUR", "USD", "GBP", "JPY"}


def test_a_fifth_of_the_card_payments_is_retried_and_some_invoices_are_paid_in_parts(month: Company) -> None:
    by_card = [
        i
        for i in month.world.invoices.values()
        if i.row["collection_method"] == "charge_automatically" and i.row["total"]
    ]
    assert (
        0.13 < share(sum(i.row["attempt_count"] > 1 or i.row["status"] == "open" for i in by_card), len(by_card)) < 0.27
    )
    paid: dict[str, int] = {}
    for payment in month.world.stripe["invoice_payment"].values():
        paid[payment["invoice"]] = paid.get(payment["invoice"], 0) + 1
    assert max(paid.values()) == 2
    assert month.world.stripe["credit_note"]
    assert month.world.stripe["dispute"]


def test_a_tenth_of_the_references_is_dirty_and_some_are_absent(month: Company) -> None:
    orders = [row for row in month.world.netsuite["transaction"].values() if row["type"] == "SalesOrd"]
    known = month.world.salesforce["Opportunity"]
    given_refs = [row["custbody_sf_opportunity"] for row in orders]
    dirty = sum(ref is not None and ref not in known for ref in given_refs)
    assert 0.07 < share(dirty, len(orders)) < 0.14
    absent = [row for row in orders if row["custbody_sf_opportunity"] is None]
    assert 0.005 < share(len(absent), len(orders)) < 0.04
    assert all(row["externalid"] is None and row["otherrefnum"] for row in absent)


def test_nights_and_weekends_are_quieter(month: Company) -> None:
    won = [
        START_AT.fromtimestamp(m.at_us / 1e6, START_AT.tzinfo) for m in month.journal.milestones if m.kind == "deal_won"
    ]
    weekend = sum(at.weekday() >= 5 for at in won)
    assert 0 < weekend < len(won) * 0.2


def test_an_injected_fault_does_not_reshuffle_the_rest() -> None:
    calm, hurt = lived(seed=21), lived(seed=21)
    inject(hurt.world, "O01", 3, entity="NW-DE")
    for company in (calm, hurt):
        company.advance_to(START_AT + timedelta(days=3))
    for kind in ("Opportunity", "Account", "OpportunityHistory", "OpportunityLineItem"):
        before, after = calm.world.salesforce[kind], hurt.world.salesforce[kind]
        assert {row_id: after[row_id] for row_id in before} == before
    assert set(calm.world.stripe["subscription"]) < set(hurt.world.stripe["subscription"])


def test_a_naive_start_is_refused() -> None:
    with pytest.raises(ValueError, match="no time zone"):
        Company(1, START_AT.replace(tzinfo=None))
