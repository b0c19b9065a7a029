"""What happens when a payment has failed for good? Flags in ERP and CRM and a ticket, set and cleared; no collection."""

from probes.sandbox.clock import HOUR_US, SECOND_US
from probes.sandbox.randoms import heavy_us
from probes.sandbox.records import billing_update, crm_update, erp_update, support_insert, support_update
from probes.sandbox.world import Action, Invoice, Row, World

CAP_SECONDS = 45 * 60
FAN_OUT_US, CLEAR_US = HOUR_US, 24 * HOUR_US
_CLEAR_CAP_SECONDS = 20 * 3600
BRANCHES = ("crm", "erp", "support")


def fail_finally(world: World, invoice: Invoice, pay: Action) -> None:
    """Give up collecting an invoice: billing stops trying, the others are told within the hour; days later `pay` settles it."""
    billing_update(
        world, invoice.row, "invoice.payment_failed", attempted=True, next_payment_attempt=None, auto_advance=False
    )
    subscription = invoice.subscription.row
    if subscription["status"] in ("active", "past_due"):
        billing_update(world, subscription, "customer.subscription.updated", status="unpaid")
    invoice.customer.failing.add(invoice.id)
    world.milestone("payment_failed_finally", ("stripe", "invoice", invoice.id), invoice.entity.code)
    rng = world.rng("dunning", invoice.key)
    for branch in BRANCHES:
        delay_us = heavy_us(rng, 420, CAP_SECONDS)
        if branch not in invoice.plan.get("unflagged", ()):
            world.at(world.now_us + delay_us, lambda b=branch: flag(world, invoice, b))  # type: ignore[misc]
    if "stays_failed" not in invoice.plan:
        days = world.rng("recover", invoice.key).uniform(1.3, 9)
        world.after(days * 86_400, lambda: recover(world, invoice, pay))


def flag(world: World, invoice: Invoice, branch: str) -> None:
    """Set one flag of a customer whose payment failed for good."""
    customer = invoice.customer
    if invoice.id not in customer.failing:
        return
    if branch == "crm":
        crm_update(world, customer.account, Payment_Risk__c=True)
    elif branch == "erp":
        row = customer.netsuite.get(invoice.entity.code)
        if row is not None:
            erp_update(world, "customer", row, creditholdoverride="ON", custentity_dunning_flag="T")
    elif _ticket(world, invoice) is None and customer.organization is not None:
        support_insert(world, "ticket", {
            "external_id": invoice.id, "subject": f"Payment failed: {invoice.row['number']}", "status": "open",
            "custom_status_id": None, "priority": "high", "type": "task", "organization_id": customer.organization["id"],
            "requester_id": None, "assignee_id": 9001, "group_id": 810, "brand_id": 1, "tags": ["payment_failed"],
            "custom_fields": [], "due_at": None, "via": {"channel": "api"}, "satisfaction_rating": None,
        })  # fmt: skip


def recover(world: World, invoice: Invoice, pay: Action) -> None:
    """Receive the money after all; the flags are cleared within the day, if no other invoice holds them."""
    pay()
    subscription = invoice.subscription.row
    if subscription["status"] == "unpaid":
        billing_update(world, subscription, "customer.subscription.updated", status="active")
    rng = world.rng("clear", invoice.key)
    for branch in BRANCHES:
        delay_us = heavy_us(rng, 2 * 3600, _CLEAR_CAP_SECONDS)
        if branch not in invoice.plan.get("uncleared", ()):
            world.at(world.now_us + delay_us, lambda b=branch: clear(world, invoice, b))  # type: ignore[misc]
    world.at(world.now_us + (_CLEAR_CAP_SECONDS + 1) * SECOND_US, lambda: invoice.customer.failing.discard(invoice.id))


def clear(world: World, invoice: Invoice, branch: str) -> None:
    """Take back one flag, unless another invoice of the customer needs it."""
    customer = invoice.customer
    if customer.failing - {invoice.id} and branch != "support":
        return
    if branch == "crm":
        crm_update(world, customer.account, Payment_Risk__c=False)
    elif branch == "erp":
        row = customer.netsuite.get(invoice.entity.code)
        if row is not None:
            erp_update(world, "customer", row, creditholdoverride="AUTO", custentity_dunning_flag="F")
    else:
        ticket = _ticket(world, invoice)
        if ticket is not None:
            support_update(world, ticket, status="solved")


def _ticket(world: World, invoice: Invoice) -> Row | None:
    return next((t for t in world.zendesk["ticket"].values() if t["external_id"] == invoice.id), None)
