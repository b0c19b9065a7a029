"""How does a subscription become invoices in billing? Drafts, finalisation, corrections; payments and postings are elsewhere."""

from datetime import timedelta

from probes.sandbox import catalog, customers, ledger, payments
from probes.sandbox.clock import HOUR_US, SECOND_US, local_date, local_us
from probes.sandbox.entities import tax_minor
from probes.sandbox.randoms import stripe_id
from probes.sandbox.records import billing_insert, billing_update
from probes.sandbox.truth import deal_subject
from probes.sandbox.world import Invoice, Line, Row, Subscription, World


def bill(world: World, subscription: Subscription, reason: str, rebill_of: str | None = None) -> Invoice:
    """Create an invoice: the first is finalised at once, a recurring one stays a draft for about an hour."""
    subscription.cycle += 1
    key = f"{subscription.key}/{subscription.cycle}"
    invoice = draft(world, subscription, key, reason)
    if rebill_of:
        invoice.row["metadata"]["rebill_of"] = rebill_of
    rng = world.rng("finalise", key)
    wait_us = 0 if reason == "subscription_create" else int(rng.uniform(3600, 3900) * SECOND_US)
    world.at(_finalisation_us(world.now_us + wait_us, invoice), lambda: finalise(world, invoice))
    return invoice


def draft(world: World, subscription: Subscription, key: str, reason: str) -> Invoice:
    """Create the draft of an invoice over the current items of a subscription."""
    deal, entity = subscription.deal, subscription.entity
    customer_row = customers.in_billing(world, deal.bill_to, deal.currency)
    identifier = stripe_id("in", world.seed, key)
    start = world.now_us // SECOND_US
    lines = _lines(world, subscription, identifier, start)
    net, tax = sum(line["amount"] for line in lines), sum(line["taxes"][0]["amount"] for line in lines)
    rate = lines[0]["taxes"][0]["tax_rate_details"]
    row: Row = {
        "id": identifier, "object": "invoice", "number": None, "customer": customer_row["id"], "status": "draft",
        "customer_name": customer_row["name"], "currency": deal.currency.lower(), "subtotal": net, "total": net + tax,
        "total_excluding_tax": net, "amount_due": net + tax, "amount_paid": 0, "amount_remaining": net + tax,
        "amount_overpaid": 0, "total_taxes": [{"amount": tax, "tax_behavior": "exclusive", "taxable_amount": net,
            "taxability_reason": "standard_rated", "type": "tax_rate_details", "tax_rate_details": rate}],
        "post_payment_credit_notes_amount": 0, "pre_payment_credit_notes_amount": 0, "due_date": None,
        "period_start": start - 30 * 86_400, "period_end": start, "billing_reason": reason, "attempt_count": 0,
        "attempted": False, "auto_advance": True, "collection_method": deal.collection, "next_payment_attempt": None,
        "last_finalization_error": None, "on_behalf_of": None, "issuer": {"type": "self"}, "description": None,
        "custom_fields": [{"name": "PO", "value": deal.row["PO_Number__c"]}], "effective_at": None, "test_clock": None,
        "status_transitions": {"finalized_at": None, "paid_at": None, "voided_at": None, "marked_uncollectible_at": None},
        "parent": {"type": "subscription_details", "quote_details": None, "subscription_details": {
            "subscription": subscription.row["id"], "metadata": dict(subscription.row["metadata"])}},
        "lines": {"object": "list", "has_more": False, "url": f"/v1/invoices/{identifier}/lines", "data": lines},
        "metadata": {"legal_entity": entity.code},
    }  # fmt: skip
    billing_insert(world, row, "invoice.created")
    invoice = Invoice(key, row, subscription, deal.bill_to, entity)
    world.invoices[identifier] = invoice
    subscription.row["latest_invoice"] = identifier
    return invoice


def finalise(world: World, invoice: Invoice) -> None:
    """Finalise an invoice: it gets its number, is handed to the ERP and collected."""
    now = world.now_us // SECOND_US
    row, entity = invoice.row, invoice.entity
    number = f"{entity.code.replace('-', '')}-{world.next_number(f'stripe.invoice.{entity.code}'):06d}"
    transitions = row["status_transitions"] | {"finalized_at": now}
    days = 30 if row["collection_method"] == "send_invoice" else None
    due = now + days * 86_400 if days else None
    changes = {
        "number": number,
        "status": "open",
        "status_transitions": transitions,
        "effective_at": now,
        "due_date": due,
    }
    billing_update(world, row, "invoice.finalized", **changes)
    world.milestone("invoice_finalised", ("stripe", "invoice", invoice.id), entity.code)
    if row["total"] == 0:
        subject = ("stripe", "invoice", invoice.id)
        world.silent(
            "N06", "zero_value", subject, f"zero invoice of {deal_subject(invoice.subscription.deal)[2]}", entity.code
        )
        payments.mark_paid(world, invoice)
        return
    ledger.hand_over(world, invoice)
    payments.collect(world, invoice, lambda: credit_and_rebill(world, invoice))


def void(world: World, invoice: Invoice) -> None:
    """Void an open invoice in billing."""
    now = world.now_us // SECOND_US
    transitions = invoice.row["status_transitions"] | {"voided_at": now}
    changes = {"status": "void", "status_transitions": transitions, "next_payment_attempt": None}
    billing_update(world, invoice.row, "invoice.voided", amount_remaining=0, **changes)
    world.milestone("voided", ("stripe", "invoice", invoice.id), invoice.entity.code)


def credit_and_rebill(world: World, invoice: Invoice) -> tuple[Row, Invoice] | None:
    """Credit an open invoice in full and bill it again.

    Returns: the credit note and the new invoice, None when the ledger does not know the first.
    """
    if invoice.erp is None and invoice.entity.posting_mode == "document":
        return None  # its posting failed: nobody corrects what the ledger does not know
    row = invoice.row
    invoice.credited = True
    now = world.now_us // SECOND_US
    identifier = stripe_id("cn", world.seed, invoice.key)
    net, tax = row["total_excluding_tax"], row["total_taxes"][0]["amount"]
    note = billing_insert(world, {
        "id": identifier, "object": "credit_note", "number": f"{row['number']}-CN-01", "invoice": row["id"],
        "customer": row["customer"], "currency": row["currency"], "status": "issued", "type": "pre_payment",
        "reason": "order_change", "subtotal": net, "total": net + tax, "amount": net + tax, "total_excluding_tax": net,
        "total_taxes": row["total_taxes"], "pre_payment_amount": net + tax, "post_payment_amount": 0, "refunds": [],
        "effective_at": now, "voided_at": None, "memo": None, "metadata": {"legal_entity": invoice.entity.code},
    }, "credit_note.created")  # fmt: skip
    transitions = row["status_transitions"] | {"paid_at": now}
    changes = {"pre_payment_credit_notes_amount": net + tax, "amount_remaining": 0, "status": "paid"}
    billing_update(world, row, "invoice.updated", status_transitions=transitions, **changes)
    if "credit_unsent" not in invoice.plan:
        ledger.hand_over_credit(world, invoice, note)
    world.milestone("credited", ("stripe", "credit_note", identifier), invoice.entity.code)
    rebill = bill(world, invoice.subscription, "subscription_update", rebill_of=row["id"])
    if "halved" not in invoice.plan:
        subject = ("stripe", "credit_note", identifier)
        world.silent("N11", "credit_and_rebill", subject, f"{invoice.id} rebilled as {rebill.id}", invoice.entity.code)
    return note, rebill


def _lines(world: World, subscription: Subscription, invoice_id: str, start: int) -> list[Row]:
    deal, found = subscription.deal, []
    rate_e5 = deal.bill_to.tax_rate_e5
    for number, line in enumerate(own_lines(subscription)):
        amount = line.quantity * (line.unit_minor // 12)
        tax = {"amount": tax_minor(amount, rate_e5), "tax_behavior": "exclusive", "taxable_amount": amount}
        tax |= {"type": "tax_rate_details", "taxability_reason": "standard_rated"}
        tax["tax_rate_details"] = {"tax_rate": catalog.tax_rate_id(rate_e5)}
        found.append({
            "id": stripe_id("il", invoice_id, number), "object": "line_item", "amount": amount, "subtotal": amount,
            "currency": deal.currency.lower(), "description": catalog.BY_CODE[line.product].name, "invoice": invoice_id,
            "quantity": line.quantity, "taxes": [tax], "period": {"start": start, "end": start + 30 * 86_400},
            "pricing": {"type": "price_details", "unit_amount_decimal": str(line.unit_minor // 12),
                "price_details": {"price": catalog.price_id(line.product, deal.currency)}},
            "metadata": {"product_code": line.product}, "livemode": True,
        })  # fmt: skip
    return found


def _finalisation_us(wish_us: int, invoice: Invoice) -> int:
    """Keep finalisation away from the daily summary's cut-off, so that every document meets the next journal in time."""
    if invoice.entity.posting_mode != "summary_journal":
        return wish_us
    zone = invoice.entity.zone
    day = local_date(wish_us, zone)
    opens_us, closes_us = local_us(day, zone, 4), local_us(day, zone, 23, 30)
    if wish_us < opens_us:
        return opens_us + wish_us % HOUR_US
    if wish_us >= closes_us:
        return local_us(day + timedelta(days=1), zone, 4) + wish_us % HOUR_US
    return wish_us


def own_lines(subscription: Subscription) -> list[Line]:
    """List the lines of a deal that a subscription bills."""
    return [line for line in subscription.deal.lines if line.entity == subscription.entity.code]
