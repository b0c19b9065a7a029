"""Does the driver of the billing platform do what it says, and do its lists behave as Stripe documents them?"""

from __future__ import annotations

import pytest
import stripe

from tests.servers.localstripe import LocalStripe

from . import billing as business
from .billing import Billing


@pytest.fixture
def billing(localstripe: LocalStripe) -> Billing:
    return Billing(localstripe)


def test_a_subscription_invoices_and_charges_its_first_month(billing: Billing) -> None:
    plan = business.plan(billing, "seat-driver", 4_900, "eur")
    customer = business.customer(billing, "Acme GmbH", "001000000000001AAA")
    subscription = business.subscribe(billing, customer, plan, 3, "LAB-DE", "006000000000001AAA")
    assert subscription["status"] == "active"
    (invoice,) = business.invoices(billing, customer)
    assert (invoice.status, invoice.total, invoice.amount_due, invoice.currency) == ("paid", 14_700, 14_700, "eur")


def test_a_card_that_fails_leaves_the_subscription_incomplete(billing: Billing) -> None:
    plan = business.plan(billing, "seat-failing", 4_900, "eur")
    customer = business.customer(billing, "Broke GmbH", "001000000000002AAA", business.CARD_THAT_FAILS_LATER)
    assert business.subscribe(billing, customer, plan, 1, "LAB-DE", "006000000000002AAA")["status"] == "incomplete"
    (invoice,) = business.invoices(billing, customer)
    assert invoice.status == "open"


def test_lists_are_newest_first_paged_both_ways_and_filtered_by_creation(billing: Billing) -> None:
    made = [business.customer(billing, f"Listed {number}", f"crm-{number}") for number in range(3)]
    customers = billing.client.v1.customers
    newest = customers.list({"limit": 2})
    assert [each.id for each in newest.data] == [made[2], made[1]]
    assert newest.has_more
    older = customers.list({"limit": 1, "starting_after": made[1]})
    assert [each.id for each in older.data] == [made[0]]
    assert [each.id for each in customers.list({"limit": 1, "ending_before": made[0]}).data] == [made[1]]
    since = older.data[0].created
    assert {each.id for each in customers.list({"limit": 100, "created": {"gte": since}}).data} >= set(made)
    assert customers.list({"limit": 100, "created": {"gt": since + 3600}}).data == []
    with pytest.raises(stripe.InvalidRequestError):
        customers.list({"limit": 101})
