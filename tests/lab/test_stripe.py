"""Does the Stripe connector see what the official client did on a real (emulated) billing platform?"""

from __future__ import annotations

import pytest

from probes.errors import ProbeError, Reason
from probes.probe import Meter, Platform
from tests.servers.localstripe import LocalStripe

from . import billing as business
from .billing import Billing
from .watching import Connect, Watch

# the emulator has neither
MISSING = {"credit_note": {"enabled": False}, "dispute": {"enabled": False}}


@pytest.fixture
def billing(localstripe: LocalStripe) -> Billing:
    return Billing(localstripe)


@pytest.fixture
def platform(localstripe: LocalStripe, connect: Connect, monkeypatch: pytest.MonkeyPatch) -> Platform:
    monkeypatch.setenv("LAB_STRIPE_KEY", localstripe.api_key)
    return connect("billing", vendor="stripe", url=localstripe.url, auth={"key": "env:LAB_STRIPE_KEY"}, streams=MISSING)


def test_the_account_and_its_mode_are_asked_for(platform: Platform) -> None:
    environment = platform.check(Meter())
    assert (environment.account, environment.environment) == ("acct_lab", "test")
    assert any("can write" in warning for warning in environment.warnings)


def test_a_wrong_key_is_refused_as_such(
    localstripe: LocalStripe, connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LAB_STRIPE_KEY", "pk_not_a_secret_key")
    platform = connect("billing", vendor="stripe", url=localstripe.url, auth={"key": "env:LAB_STRIPE_KEY"})
    with pytest.raises(ProbeError) as refused:
        platform.check(Meter())
    assert refused.value.reason is Reason.AUTH
    assert "pk_not_a_secret_key" not in str(refused.value)


def test_a_paid_subscription_is_seen_with_its_invoice_and_payment(billing: Billing, platform: Platform) -> None:
    plan = business.plan(billing, "seat-watched", 4_900, "eur")
    customer = business.customer(billing, "Watched GmbH", "001000000000009AAA")
    subscription = business.subscribe(billing, customer, plan, 3, "LAB-DE", "006000000000009AAA")
    (made,) = business.invoices(billing, customer)
    business.assign(billing, made.id, "LAB-DE")

    seen = {record.id: record for record in Watch(platform, "customer").complete()}[customer]
    assert seen.attributes["name"] == "Watched GmbH"
    live = {record.id: record for record in Watch(platform, "subscription").complete()}[subscription["id"]]
    assert (live.state, live.entity) == ("active", "LAB-DE")
    invoice = {record.id: record for record in Watch(platform, "invoice").complete()}[made.id]
    assert (invoice.state, invoice.entity, invoice.currency) == ("paid", "LAB-DE", "EUR")
    assert {name: invoice.amounts[name] for name in ("net", "tax", "gross", "open")} == {
        "net": made.subtotal, "tax": 0, "gross": made.total, "open": 0,
    }  # fmt: skip
    assert f"billing/subscription/id={subscription['id']}" in {reference.to for reference in invoice.references}
    applied = [
        (record.state, reference.amount_minor)
        for record in Watch(platform, "payment").complete()
        for reference in record.references
        if reference.kind == "applies" and reference.to == f"billing/invoice/id={made.id}"
    ]
    assert applied == [("succeeded", made.total)]


def test_what_happens_after_the_first_load_arrives_through_the_events_feed(
    billing: Billing, platform: Platform
) -> None:
    customers, invoices = Watch(platform, "customer"), Watch(platform, "invoice")
    customers.complete()
    invoices.complete()
    plan = business.plan(billing, "seat-followed", 1_900, "eur")
    customer = business.customer(billing, "Followed GmbH", "001000000000010AAA")
    business.subscribe(billing, customer, plan, 1, "LAB-DE", "006000000000010AAA")
    (made,) = business.invoices(billing, customer)
    assert customer in {record.id for record in customers.complete()}
    assert {record.id: record.entity for record in invoices.complete()}[made.id] is None
    business.assign(billing, made.id, "LAB-DE")
    assert {record.id: record.entity for record in invoices.complete()} == {made.id: "LAB-DE"}


def test_a_failed_first_payment_leaves_an_open_invoice_in_full(billing: Billing, platform: Platform) -> None:
    plan = business.plan(billing, "seat-unpaid", 2_900, "eur")
    customer = business.customer(billing, "Unpaid GmbH", "001000000000011AAA", business.CARD_THAT_FAILS_LATER)
    business.subscribe(billing, customer, plan, 1, "LAB-DE", "006000000000011AAA")
    (made,) = business.invoices(billing, customer)
    invoice = {record.id: record for record in Watch(platform, "invoice").complete()}[made.id]
    assert (invoice.state, invoice.amounts["open"], "paid" in invoice.milestones) == ("open", 2_900, False)
