"""How does support fail? Cases not routed, organizations missing, severities not passed on; each fault writes its truth."""

from probes.sandbox import customers, entitlements, support, truth
from probes.sandbox.clock import MINUTE_US
from probes.sandbox.failures.spec import Fault, Given, fault, variant_of
from probes.sandbox.failures.victims import entity_for, established, fresh_customer, settled_deal
from probes.sandbox.world import Customer, Row, World


def _with_organization(world: World, key: str, given: Given) -> Customer:
    customer = established(world, key, entity_for(world, key, given), given)
    customers.in_support(world, customer)
    return customer


def not_routed(world: World, key: str, given: Given) -> None:
    """C01: a new case is routed to nobody, or an escalated one picked up by nobody."""
    variant = variant_of(world, key, given, "routing", "escalation")
    customer = _with_organization(world, key, given)
    zone, entity = customer.entity.zone, customer.entity.code

    def write(ticket: Row, note: str) -> None:
        mend = support.route if variant == "routing" else support.take
        truth.wrong(
            world, "C01", "overdue", ("zendesk", "ticket", str(ticket["id"])), note, entity=entity, at_once=False,
            due_us=support.business_us(world.now_us, zone, support.ROUTING_US), mend=lambda: mend(world, ticket),
        )  # fmt: skip

    if variant == "routing":
        ticket = support.open_ticket(world, key, customer, unrouted=True)
        assert ticket is not None  # the customer has an organization
        write(ticket, "routed to no group")
        return
    told = lambda ticket: write(ticket, "escalated, taken by nobody")  # noqa: E731 - handed over as a value
    support.open_ticket(world, key, customer, escalates=True, unescalated=told, stays_open=True)


def not_known(world: World, key: str, given: Given) -> None:
    """C02: a trading customer has no organization, or its organization does not know what it is entitled to."""
    variant = variant_of(world, key, given, "organization", "link")
    entity = entity_for(world, key, given)
    customer = fresh_customer(world, key, entity, skip=("support",) if variant == "organization" else ())
    customer.plan["unlinked"] = True
    deal = settled_deal(world, key, {"entity": entity.code}, customer=customer)
    subject = ("salesforce", "Account", customer.id)
    if variant == "organization":
        truth.wrong(
            world, "C02", "missing_in_target", subject, "no organization at the support desk", entity=entity.code,
            due_us=world.now_us + truth.CUSTOMER_DEADLINE_US, at_once=False, mend=lambda: _linked(world, customer),
        )  # fmt: skip
        return
    granted = deal.subscriptions[entity.code].entitlement
    assert granted is not None  # settled deals are entitled
    truth.wrong(
        world, "C02", "missing_in_target", subject, "its organization names no entitlement", entity=entity.code,
        due_us=world.now_us + entitlements.GRANT_US, at_once=False, document=granted["Id"],
        mend=lambda: _linked(world, customer),
    )  # fmt: skip


def _linked(world: World, customer: Customer) -> None:
    customer.plan.pop("unlinked", None)
    customers.in_support(world, customer)
    for row in world.salesforce["Entitlement"].values():
        if row["AccountId"] == customer.id:
            entitlements.link(world, customer, row)


def severity_not_passed_on(world: World, key: str, given: Given) -> None:
    """C03: half an hour after a case was opened it becomes urgent; the CRM keeps the former severity."""
    customer = _with_organization(world, key, given)
    ticket = support.open_ticket(world, key, customer, priority="high", stays_open=True)
    assert ticket is not None  # the customer has an organization

    def change() -> None:
        support.change_severity(world, key, customer, ticket, "urgent", follows=False)
        truth.wrong(
            world, "C03", "attribute_differs", ("zendesk", "ticket", str(ticket["id"])), "urgent here, high in the CRM",
            due_us=world.now_us + support.SEVERITY_US, at_once=False, entity=customer.entity.code,
            mend=lambda: support.to_crm(world, customer, ticket),
        )  # fmt: skip

    world.at(world.now_us + 30 * MINUTE_US, change)


FAULTS: dict[str, Fault] = {
    "C01": fault("a case is not routed, an escalation not taken", "overdue: ticket", not_routed, "entity", "customer", "variant"),
    "C02": fault(
        "a customer has no organization, or it no entitlement", "missing_in_target: Account", not_known, "entity", "variant",
    ),
    "C03": fault("a new severity is not passed on", "attribute_differs: ticket", severity_not_passed_on, "entity", "customer"),
}  # fmt: skip
