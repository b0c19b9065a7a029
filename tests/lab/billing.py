"""How does business happen in the lab's billing platform? Customers, subscriptions and invoices, by the official client.

Every function does what a shop would do there and returns what the platform then says of it; what Tieout shows is compared
with that.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import httpx
import stripe

from tests.servers.localstripe import LocalStripe

GOOD_CARD, CARD_THAT_FAILS_LATER = "4242424242424242", "4000000000000341"


@dataclass(frozen=True)
class Billing:
    """The platform as its official client sees it."""

    server: LocalStripe

    @property
    def client(self) -> stripe.StripeClient:
        """Return the official client, pointed at the lab."""
        return stripe.StripeClient(self.server.api_key, base_addresses={"api": self.server.url})

    def raw(self, path: str, data: Mapping[str, Any]) -> dict[str, Any]:
        """Post a form to an endpoint the newest client no longer has (plans). Errors: httpx.HTTPStatusError."""
        auth = (self.server.api_key, "")
        answer = httpx.post(f"{self.server.url}/v1/{path}", data=data, auth=auth, trust_env=False)
        body: dict[str, Any] = answer.raise_for_status().json()
        return body


def customer(billing: Billing, name: str, crm_id: str, card: str = GOOD_CARD) -> str:
    """Make a customer that knows the CRM's id of it and has a card. Returns: its id."""
    made = billing.client.v1.customers.create({"name": name, "metadata": {"salesforce_account_id": crm_id}})
    details = {"type": "card", "card[number]": card, "card[exp_month]": 12, "card[exp_year]": 2040, "card[cvc]": "123"}
    method = billing.raw("payment_methods", details)
    billing.raw(f"payment_methods/{method['id']}/attach", {"customer": made.id})
    billing.client.v1.customers.update(made.id, {"invoice_settings": {"default_payment_method": method["id"]}})
    return made.id


def plan(billing: Billing, id: str, amount_minor: int, currency: str) -> str:
    """Make a monthly plan. Returns: its id."""
    product = billing.raw("products", {"name": id, "type": "service"})
    billing.raw(
        "plans",
        {"id": id, "product": product["id"], "amount": amount_minor, "currency": currency, "interval": "month"},
    )
    return id


def tax_rate(billing: Billing, percentage: int) -> str:
    """Make a tax rate that comes on top of prices. Returns: its id."""
    return str(billing.raw("tax_rates", {"display_name": "VAT", "percentage": percentage, "inclusive": "false"})["id"])


def subscribe(
    billing: Billing, customer: str, plan: str, quantity: int, entity: str, opportunity: str, tax: str | None = None
) -> dict[str, Any]:
    """Subscribe a customer, which invoices the first month at once. Returns: the subscription."""
    return billing.raw(
        "subscriptions",
        {
            **({"default_tax_rates[0]": tax} if tax else {}),
            "customer": customer,
            "items[0][plan]": plan,
            "items[0][quantity]": quantity,
            "metadata[legal_entity]": entity,
            "metadata[salesforce_opportunity_id]": opportunity,
        },
    )


def invoices(billing: Billing, customer: str) -> list[stripe.Invoice]:
    """Return a customer's invoices, newest first, by the official client's own paging."""
    return list(billing.client.v1.invoices.list({"customer": customer, "limit": 1}).auto_paging_iter())


def assign(billing: Billing, invoice: str, entity: str) -> stripe.Invoice:
    """Say which legal entity an invoice belongs to; Stripe tells of the change in an event."""
    return billing.client.v1.invoices.update(invoice, {"metadata": {"legal_entity": entity}})
