"""How is a failed step written into the journal? Wording of the ground truth, shared by steps and faults."""

from probes.sandbox.clock import HOUR_US, SECOND_US
from probes.sandbox.journal import Entry
from probes.sandbox.world import Action, Deal, Invoice, Row, Subscription, World

ORDER_DEADLINE_US = 4 * HOUR_US
INVOICE_DEADLINE_US = 24 * HOUR_US
CUSTOMER_DEADLINE_US = 24 * HOUR_US
PAYMENT_DEADLINE_US = 48 * HOUR_US
REVERSAL_DEADLINE_US = 24 * HOUR_US
GRACE_US = 24 * HOUR_US

Subject = tuple[str, str, str]


def deal_subject(deal: Deal) -> Subject:
    """Name a deal as the journal does."""
    return ("salesforce", "Opportunity", deal.id)


def invoice_subject(invoice: Invoice) -> Subject:
    """Name an invoice as the journal does."""
    return ("stripe", "invoice", invoice.id)


def subscription_subject(subscription: Subscription) -> Subject:
    """Name a subscription as the journal does."""
    return ("stripe", "subscription", str(subscription.row["id"]))


def wrong(
    world: World,
    fault: str,
    kind: str,
    subject: Subject,
    note: str,
    *,
    money: tuple[int, str] | None = None,
    due_us: int | None = None,
    at_once: bool = True,
    entity: str | None = None,
    cause: Entry | None = None,
    document: str | None = None,
    mend: Action | None = None,
) -> Entry:
    """Write what is wrong from now on, or from its deadline on when it is not wrong at once; `mend` is how it is repaired.

    `document`: the external id of what the subject is about, where it is a message, a run or a reference.
    """
    entry = world.journal.write(
        kind,
        subject,
        fault=fault,
        money_minor=money[0] if money else None,
        currency=money[1] if money else None,
        started_us=world.now_us,
        due_us=due_us,
        true_from_us=world.now_us if at_once or due_us is None else due_us,
        entity=entity,
        cause=cause.id if cause else None,
        document=document,
        note=note,
    )
    if mend is not None:
        world.repairs[entry.id] = mend
    return entry


def net(deal: Deal, code: str | None = None) -> tuple[int, str]:
    """Return what a deal, or the part of it that an entity delivers, is worth."""
    return deal.net_minor(code), deal.currency


def gross(invoice: Invoice) -> tuple[int, str]:
    """Return what an invoice asks for."""
    return int(invoice.row["total"]), invoice.currency


def order_missing(world: World, deal: Deal, entity: str, fault: str | None = None, cause: Entry | None = None) -> Entry:
    """Write that the order of one entity is not in the ERP; it becomes true at the deadline."""
    if entity in deal.missing:
        return deal.missing[entity]
    due_us = deal.won_us + ORDER_DEADLINE_US
    entry = world.journal.write(
        "missing_in_target",
        deal_subject(deal),
        fault=fault or (cause.fault if cause else None),
        money_minor=deal.net_minor(entity),
        currency=deal.currency,
        started_us=deal.won_us,
        due_us=due_us,
        true_from_us=due_us,
        entity=entity,
        cause=cause.id if cause else None,
        note="order not in the ERP",
    )
    deal.missing[entity] = entry
    _count_blocked(world, entry)
    return entry


def invoice_missing(world: World, invoice: Invoice, fault: str | None = None, cause: Entry | None = None) -> Entry:
    """Write that a finalised invoice is not in the ERP; it becomes true at the deadline."""
    if invoice.missing is not None:
        return invoice.missing
    finalised_us = invoice.row["status_transitions"]["finalized_at"] * SECOND_US
    due_us = finalised_us + INVOICE_DEADLINE_US
    invoice.missing = world.journal.write(
        "missing_in_target",
        invoice_subject(invoice),
        fault=fault or (cause.fault if cause else None),
        money_minor=invoice.row["total"],
        currency=invoice.currency,
        started_us=finalised_us,
        due_us=due_us,
        true_from_us=due_us,
        entity=invoice.entity.code,
        cause=cause.id if cause else None,
        note="invoice not in the ERP",
    )
    _count_blocked(world, invoice.missing)
    return invoice.missing


def payment_subject(payment: Row) -> Subject:
    """Name a payment as the journal does: by its intent, whatever part of it went to which invoice."""
    return ("stripe", "payment_intent", str(payment["payment"]["payment_intent"]))


def payment_missing(world: World, invoice: Invoice, payment: Row) -> Entry:
    """Write that a payment cannot be applied because its invoice is not in the ERP."""
    due_us = world.now_us + PAYMENT_DEADLINE_US
    return world.journal.write(
        "missing_in_target",
        payment_subject(payment),
        fault=invoice.missing.fault if invoice.missing else None,
        money_minor=payment["amount_paid"],
        currency=invoice.currency,
        started_us=world.now_us,
        due_us=due_us,
        true_from_us=due_us,
        entity=invoice.entity.code,
        cause=invoice.missing.id if invoice.missing else None,
        document=invoice.id,
        note="payment waits for its invoice",
    )


def _count_blocked(world: World, entry: Entry) -> None:
    """Add the money of a blocked document to the missing customer that blocks it."""
    cause = world.journal.entries[entry.cause - 1] if entry.cause else None
    if cause is not None and cause.fault == "M03":
        money = (cause.money_minor or 0) + (entry.money_minor or 0)
        world.journal.change(cause.id, money_minor=money, currency=entry.currency)
