"""Does Stripe's own shape come back, and can its own client read it over a real socket?"""

from collections.abc import Callable

import httpx
import pytest
import stripe

from probes.sandbox import App, Company, Running, inject

Get = Callable[..., httpx.Response]


@pytest.fixture
def client(running: Running) -> stripe.StripeClient:
    """Give the vendor's client against the loopback server."""
    return stripe.StripeClient("rk_live_sandbox_stripe", base_addresses={"api": f"{running.base_url}/stripe"})


def test_the_vendors_client_walks_every_page(client: stripe.StripeClient, running: Running) -> None:
    found = [invoice.id for invoice in client.v1.invoices.list({"limit": 100}).auto_paging_iter()]
    assert len(found) > 100
    assert len(found) == len(set(found))
    assert set(found) == set(running.app.served.world.stripe["invoice"])


def test_the_vendors_client_reads_events_types_and_expansions(client: stripe.StripeClient) -> None:
    events = client.v1.events.list({"types": ["invoice.finalized", "customer.created"], "limit": 20}).data
    assert {event.type for event in events} <= {"invoice.finalized", "customer.created"}
    invoice = client.v1.invoices.list({"limit": 1, "expand": ["data.customer"]}).data[0]
    assert isinstance(invoice.customer, stripe.Customer)
    assert client.v1.invoices.retrieve(invoice.id).parent is not None


def test_the_vendors_client_raises_its_own_errors(client: stripe.StripeClient, running: Running) -> None:
    with pytest.raises(stripe.InvalidRequestError, match="No such customer"):
        client.v1.customers.retrieve("cus_nobody")
    wrong = stripe.StripeClient("rk_live_wrong", base_addresses={"api": f"{running.base_url}/stripe"})
    with pytest.raises(stripe.AuthenticationError):
        wrong.v1.customers.list()


def test_lists_are_newest_first_and_filter_by_creation(billing: Get) -> None:
    created = [row["created"] for row in billing("invoices", limit=100).json()["data"]]
    assert created == sorted(created, reverse=True)
    middle = created[len(created) // 2]
    window = billing("invoices", limit=100, **{"created[gte]": middle}).json()["data"]
    assert [row["created"] for row in window] == [at for at in created if at >= middle]


def test_cancelled_subscriptions_are_hidden_unless_asked_for(billing: Get, company: Company) -> None:
    rows = list(company.world.stripe["subscription"].values())
    rows[-1]["status"] = "canceled"
    assert rows[-1]["id"] not in {row["id"] for row in billing("subscriptions", limit=100).json()["data"]}
    everything = billing("subscriptions", limit=100, status="all").json()["data"]
    assert rows[-1]["id"] in {row["id"] for row in everything}


def test_paging_has_no_gap_and_no_repetition_among_equal_stamps(billing: Get, company: Company) -> None:
    found: list[str] = []
    body = billing("events", limit=37).json()
    found += [row["id"] for row in body["data"]]
    while body["has_more"]:
        body = billing("events", limit=37, starting_after=found[-1]).json()
        found += [row["id"] for row in body["data"]]
    assert len(found) == len(set(found))
    fresh = (company.world.now_us // 1_000_000) - 60
    assert {e["id"] for e in company.world.stripe["event"].values() if e["created"] <= fresh} <= set(found)


def test_a_fresh_event_appears_within_a_minute_and_ages_out_after_thirty_days(
    billing: Get, app: App, company: Company
) -> None:
    inject(company.world, "I01", entity="NW-DE")
    made = [e["id"] for e in company.world.stripe["event"].values() if e["type"] == "invoice.finalized"][-1]
    app.served.clock.step(60)
    assert made in {row["id"] for row in billing("events", limit=100).json()["data"]}
    app.served.clock.step(30 * 86_400)
    recent = {"type": "invoice.finalized", "limit": 100, "created[lte]": company.start_us // 1_000_000 + 1}
    assert billing("events", **recent).json()["data"] == []


def test_search_finds_by_metadata(billing: Get, company: Company) -> None:
    row = next(iter(company.world.stripe["customer"].values()))
    account_id = row["metadata"]["salesforce_account_id"]
    found = billing("customers/search", query=f"metadata['salesforce_account_id']:'{account_id}'").json()
    assert row["id"] in {customer["id"] for customer in found["data"]}


@pytest.mark.parametrize(
    ("path", "parameters", "code"),
    [
        ("invoices", {"limit": 101}, "parameter_invalid_integer"),
        ("invoices", {"updated[gte]": 1}, "parameter_unknown"),
        ("invoices", {"starting_after": "in_nothing"}, "resource_missing"),
    ],
)
def test_a_wrong_parameter_gets_the_vendors_code(
    billing: Get, path: str, parameters: dict[str, object], code: str
) -> None:
    answered = billing(path, **parameters)
    assert (answered.status_code, answered.json()["error"]["code"]) == (400, code)


def test_a_rate_limit_says_which_one(billing: Get, company: Company) -> None:
    inject(company.world, "P03", platform="stripe", calls=2)
    answers = [billing("balance") for _ in range(3)]
    assert [a.status_code for a in answers] == [429, 429, 200]
    assert answers[0].headers["Stripe-Rate-Limited-Reason"] == "global-rate"
    assert answers[0].json()["error"]["code"] == "rate_limit"


def test_yen_have_no_minor_unit_and_taxes_are_summed_per_line(billing: Get, company: Company) -> None:
    for row in company.world.stripe["invoice"].values():
        assert row["total"] == row["total_excluding_tax"] + row["total_taxes"][0]["amount"]
        assert row["total_taxes"][0]["amount"] == sum(line["taxes"][0]["amount"] for line in row["lines"]["data"])
        assert row["subtotal"] == sum(line["amount"] for line in row["lines"]["data"])
