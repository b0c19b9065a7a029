"""How does a won deal become subscriptions and invoices in billing? Payments and postings are elsewhere."""

from dataclasses import replace
from datetime import datetime, timedelta

from probes.sandbox import catalog, contracts, customers, entitlements, ledger, payments
from probes.sandbox.clock import HOUR_US, SECOND_US, local_date, local_us, to_instant, to_us
from probes.sandbox.entities import BY_CODE, tax_minor
from probes.sandbox.randoms import heavy_us, stripe_id
from probes.sandbox.records import billing_event, billing_insert, billing_update, crm_update
from probes.sandbox.truth import deal_subject
from probes.sandbox.world import Deal, Invoice, Line, Row, Subscription, World

_ACTIVATION_CAP_SECONDS = 50 * 60
_TRIAL_DAYS = 14


def activate_soon(world: World, deal: Deal) -> None:
    """Plan the activation of what was won, well within the hour."""
    rng = world.rng("activate", deal.key, deal.row["Revision__c"])
    for code in deal.entities:
        delay = 50 * 60 * SECOND_US if deal.plan.get("cancels") else heavy_us(rng, 240, _ACTIVATION_CAP_SECONDS)
        world.at(world.now_us + delay, lambda c=code: activate(world, deal, c))  # type: ignore[misc]


def activate(world: World, deal: Deal, code: str) -> None:
    """Create the subscription of one entity unless the deal was lost again or already has it."""
    if not deal.won or code in deal.subscriptions:
        return
    entity = BY_CODE[code]
    payer = customers.in_billing(world, deal.bill_to, deal.currency)
    trial = deal.row["Type"] == "Trial"
    key = f"{deal.key}/{code}"
    identifier = stripe_id("sub", world.seed, key)
    start = world.now_us // SECOND_US
    row: Row = {
        "id": identifier, "object": "subscription", "customer": payer["id"], "status": "trialing" if trial else "active",
        "currency": deal.currency.lower(), "collection_method": deal.collection, "billing_cycle_anchor": start,
        "cancel_at": None, "cancel_at_period_end": False, "canceled_at": None, "ended_at": None, "latest_invoice": None,
        "start_date": start, "trial_start": start if trial else None, "description": None, "test_clock": None,
        "trial_end": start + _TRIAL_DAYS * 86_400 if trial else None, "pause_collection": None,
        "days_until_due": 30 if deal.collection == "send_invoice" else None,
        "metadata": {"salesforce_opportunity_id": deal.id, "legal_entity": code} | contracts.terms(deal),
    }  # fmt: skip
    subscription = Subscription(key, row, deal, entity)
    row["items"] = _items(world, subscription, start)
    billing_insert(world, row, "customer.subscription.created")
    deal.subscriptions[code] = subscription
    world.milestone("subscription_active", ("stripe", "subscription", identifier), code)
    entitlements.grant_soon(world, subscription)
    if trial:
        world.after(_TRIAL_DAYS * 86_400, lambda: end_trial(world, subscription))
        return
    if world.in_history():
        bill(world, subscription, "subscription_create")
    _plan_next_cycle(world, subscription)


def change_items_soon(world: World, deal: Deal) -> None:
    """Let billing follow an amendment within the hour; the next invoice bills the new quantity."""
    rng = world.rng("items", deal.key, deal.row["Revision__c"])
    for subscription in deal.subscriptions.values():
        if subscription.live:
            delay = heavy_us(rng, 300, _ACTIVATION_CAP_SECONDS)
            world.at(world.now_us + delay, lambda s=subscription: _change_items(world, s))  # type: ignore[misc]


def cancel_subscriptions(world: World, deal: Deal) -> None:
    """Cancel what a withdrawn deal had already activated."""
    for subscription in deal.subscriptions.values():
        cancel(world, subscription)


def cancel(world: World, subscription: Subscription) -> None:
    """Cancel a subscription at once."""
    if subscription.live:
        subscription.live = False
        now = world.now_us // SECOND_US
        changes = {"status": "canceled", "canceled_at": now, "ended_at": now}
        billing_update(world, subscription.row, "customer.subscription.deleted", **changes)
        entitlements.follow_soon(world, subscription)


def swap_product(world: World, subscription: Subscription, former: str, product: str) -> None:
    """Change what a subscription contains, at the price agreed; it entitles to something else from now on."""
    deal = subscription.deal
    deal.lines = [replace(line, product=product) if line.product == former else line for line in deal.lines]
    _change_items(world, subscription)
    entitlements.follow_soon(world, subscription)


def pause(world: World, subscription: Subscription) -> None:
    """Pause a subscription: it bills nothing and entitles to nothing until it is resumed."""
    if subscription.live and subscription.row["status"] == "active":
        held = {"behavior": "void", "resumes_at": None}
        billing_update(world, subscription.row, "customer.subscription.updated", pause_collection=held)
        entitlements.follow_soon(world, subscription)


def resume(world: World, subscription: Subscription) -> None:
    """Resume a paused subscription."""
    if subscription.live and subscription.row["pause_collection"] is not None:
        billing_update(world, subscription.row, "customer.subscription.updated", pause_collection=None)
        entitlements.follow_soon(world, subscription)


def end_trial(world: World, subscription: Subscription, converts: bool | None = None) -> None:
    """End a trial: two in five become customers, the others are cancelled; CRM and entitlement follow."""
    if not subscription.live or subscription.row["status"] != "trialing":
        return
    rng = world.rng("trial", subscription.key)
    drawn = rng.random() < 0.4
    converts = drawn if converts is None else converts
    if converts:
        billing_update(world, subscription.row, "customer.subscription.updated", status="active")
        entitlements.follow_soon(world, subscription)
        world.milestone("trial_converted", ("stripe", "subscription", subscription.row["id"]), subscription.entity.code)
        _plan_next_cycle(world, subscription)
    else:
        cancel(world, subscription)
    outcome = "Converted" if converts else "Expired"
    row = subscription.deal.row
    if "trial_frozen" not in subscription.plan:
        delay_us = heavy_us(rng, 300, _ACTIVATION_CAP_SECONDS)
        world.at(world.now_us + delay_us, lambda: crm_update(world, row, Trial_Outcome__c=outcome))


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


def _items(world: World, subscription: Subscription, start: int) -> Row:
    data = []
    for number, line in enumerate(_own_lines(subscription)):
        data.append({
            "id": stripe_id("si", world.seed, subscription.key, number), "object": "subscription_item", "created": start,
            "current_period_start": start, "current_period_end": _next_month_us(start * SECOND_US) // SECOND_US,
            "metadata": {}, "quantity": line.quantity, "subscription": subscription.row["id"],
            "price": dict(world.stripe["price"][catalog.price_id(line.product, subscription.deal.currency)])
            | {"unit_amount": line.unit_minor // 12, "unit_amount_decimal": str(line.unit_minor // 12)},
        })  # fmt: skip
    url = f"/v1/subscription_items?subscription={subscription.row['id']}"
    return {"object": "list", "has_more": False, "url": url, "data": data}


def _lines(world: World, subscription: Subscription, invoice_id: str, start: int) -> list[Row]:
    deal, found = subscription.deal, []
    rate_e5 = deal.bill_to.tax_rate_e5
    for number, line in enumerate(_own_lines(subscription)):
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


def _own_lines(subscription: Subscription) -> list[Line]:
    return [line for line in subscription.deal.lines if line.entity == subscription.entity.code]


def _change_items(world: World, subscription: Subscription) -> None:
    if subscription.live:
        start = subscription.row["items"]["data"][0]["current_period_start"]
        items = _items(world, subscription, start)
        billing_update(world, subscription.row, "customer.subscription.updated", items=items)


def _plan_next_cycle(world: World, subscription: Subscription) -> None:
    next_us = _next_month_us(world.now_us)
    while next_us < world.history_from_us:
        next_us = _next_month_us(next_us)
    world.at(next_us, lambda: _cycle(world, subscription))


def _cycle(world: World, subscription: Subscription) -> None:
    if not subscription.live:
        return
    for item in subscription.row["items"]["data"]:
        item["current_period_start"] = world.now_us // SECOND_US
        item["current_period_end"] = _next_month_us(world.now_us) // SECOND_US
    billing_event(world, "customer.subscription.updated", subscription.row, {"items": None})
    if subscription.row["pause_collection"] is None and subscription.row["status"] != "unpaid":
        former = world.invoices.get(subscription.row["latest_invoice"])
        invoice = bill(world, subscription, "subscription_cycle")
        if former is not None and former.row["total"] == invoice.row["total"] > 0:
            subject = ("stripe", "invoice", invoice.id)
            world.silent("N09", "recurring", subject, f"equal to {former.id}", subscription.entity.code)
    _plan_next_cycle(world, subscription)


def _next_month_us(us: int) -> int:
    now = to_instant(us)
    year, month = divmod(now.year * 12 + now.month, 12)
    return to_us(datetime(year, month + 1, min(now.day, 28), now.hour, now.minute, now.second, tzinfo=now.tzinfo))


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
