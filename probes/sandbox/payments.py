"""How is an invoice paid in billing? Attempts, retries, partial payments, disputes; the ledger is elsewhere."""

from probes.sandbox import dunning, ledger, refunds
from probes.sandbox.clock import DAY_US, HOUR_US, SECOND_US
from probes.sandbox.randoms import stripe_id
from probes.sandbox.records import billing_insert, billing_update
from probes.sandbox.world import Action, Invoice, Row, World

ATTEMPTS = 4


def collect(world: World, invoice: Invoice, credit_and_rebill: Action) -> None:
    """Plan how an open invoice is settled: by card at once, by transfer later, or by credit-and-rebill."""
    rng = world.rng("collect", invoice.key)
    if "uncollected" in invoice.plan:
        return
    if invoice.row["collection_method"] == "charge_automatically":
        world.after(rng.uniform(2, 30), lambda: attempt(world, invoice, 1))
        return
    if rng.random() < 0.10 and "rebill_of" not in invoice.row["metadata"] and not invoice.plan:
        world.at(world.now_us + rng.randint(26 * HOUR_US, 5 * DAY_US), credit_and_rebill)
        return
    slow = bool(invoice.plan) or invoice.customer.erp_block is not None
    first = world.now_us + (rng.randint(20 * DAY_US, 28 * DAY_US) if slow else rng.randint(3 * DAY_US, 25 * DAY_US))
    total = invoice.row["total"]
    if rng.random() < 0.33:
        part = total * rng.randint(20, 80) // 100
        world.at(first, lambda: pay(world, invoice, part, "customer_balance"))
        rest = first + rng.randint(2 * DAY_US, 10 * DAY_US)
        world.at(rest, lambda: pay(world, invoice, total - part, "customer_balance"))
    else:
        world.at(first, lambda: _transfer(world, invoice, total))


def _transfer(world: World, invoice: Invoice, total: int) -> None:
    """Receive a transfer; some customers pay everything they owe with one."""
    rng = world.rng("transfer", invoice.key)
    others = [i for i in _owed_too(world, invoice) if not invoice.plan] if rng.random() < 0.4 else []
    if not others:
        pay(world, invoice, total, "customer_balance")
        return
    intent = pay_together(world, [invoice, *others])
    subject = ("stripe", "payment_intent", intent["id"])
    world.silent("N10", "one_payment", subject, f"pays {len(others) + 1} invoices", invoice.entity.code)


def _owed_too(world: World, invoice: Invoice) -> list[Invoice]:
    """List the other open invoices of the same customer, entity and currency that are in the ledger and of which nothing is paid."""
    return [
        other for other in world.invoices.values()
        if other is not invoice and other.customer is invoice.customer and other.entity is invoice.entity
        and other.row["status"] == "open" and other.row["amount_paid"] == 0 and other.currency == invoice.currency
        and other.row["collection_method"] == "send_invoice" and other.erp is not None and not other.plan
    ]  # fmt: skip


def pay_together(world: World, invoices: list[Invoice]) -> Row:
    """Receive one transfer for several invoices of a customer.

    Returns: the payment intent.
    """
    first = invoices[0]
    total = sum(invoice.row["amount_remaining"] for invoice in invoices)
    intent = _intent(world, first, total, "customer_balance")
    charge = _charge(world, first, intent, "succeeded", "customer_balance")
    done = {"status": "succeeded", "amount_received": total, "latest_charge": charge["id"], "last_payment_error": None}
    billing_update(world, intent, "payment_intent.succeeded", **done)
    parts = []
    for invoice in invoices:
        part = _part(world, invoice, intent, invoice.row["amount_remaining"])
        mark_paid(world, invoice)
        world.milestone("payment_received", ("stripe", "invoice_payment", part["id"]), invoice.entity.code)
        parts.append((invoice, part))
    ledger.hand_over_payments(world, parts)
    return intent


def _part(world: World, invoice: Invoice, intent: Row, amount_minor: int) -> Row:
    """Write which part of a payment goes to an invoice."""
    return billing_insert(world, {
        "id": stripe_id("inpay", intent["id"], invoice.id), "object": "invoice_payment", "invoice": invoice.id,
        "amount_paid": amount_minor, "amount_requested": amount_minor, "currency": invoice.row["currency"], "status": "paid",
        "is_default": True, "payment": {"type": "payment_intent", "payment_intent": intent["id"]},
        "status_transitions": {"paid_at": world.now_us // SECOND_US, "canceled_at": None},
    }, "invoice_payment.paid")  # fmt: skip


def pay(world: World, invoice: Invoice, amount_minor: int, method: str, intent: Row | None = None) -> None:
    """Receive money for an invoice."""
    row = invoice.row
    if row["status"] != "open" or amount_minor <= 0:
        return
    intent = intent or _intent(world, invoice, amount_minor, method)
    charge = _charge(world, invoice, intent, "succeeded", method)
    changes = {
        "status": "succeeded",
        "amount_received": amount_minor,
        "latest_charge": charge["id"],
        "last_payment_error": None,
    }
    billing_update(world, intent, "payment_intent.succeeded", **changes)
    payment = _part(world, invoice, intent, amount_minor)
    paid = row["amount_paid"] + amount_minor
    if paid >= row["total"]:
        mark_paid(world, invoice)
    else:
        remaining = row["total"] - paid
        billing_update(world, row, "invoice.updated", amount_paid=paid, amount_remaining=remaining)
    world.milestone("payment_received", ("stripe", "invoice_payment", payment["id"]), invoice.entity.code)
    ledger.hand_over_payment(world, invoice, payment)
    if amount_minor < row["total"]:
        subject = ("stripe", "invoice", invoice.id)
        world.silent("N09", "partial_payment", subject, f"{amount_minor} of {row['total']}", invoice.entity.code)
    rng = world.rng("dispute", payment["id"])
    if method == "card" and rng.random() < 0.03:
        world.at(world.now_us + rng.randint(2 * DAY_US, 12 * DAY_US), lambda: _dispute(world, charge))
    elif method == "card" and rng.random() < 0.015:
        percent = rng.choice((25, 50, 100))
        world.at(world.now_us + rng.randint(3 * DAY_US, 10 * DAY_US), lambda: _refund(world, invoice, charge, percent))


def mark_paid(world: World, invoice: Invoice) -> None:
    """Set an invoice to paid in full."""
    row = invoice.row
    now = world.now_us // SECOND_US
    transitions = row["status_transitions"] | {"paid_at": now}
    changes = {"status": "paid", "amount_paid": row["total"], "amount_remaining": 0, "next_payment_attempt": None}
    billing_update(world, row, "invoice.paid", attempted=True, status_transitions=transitions, **changes)


def attempt(world: World, invoice: Invoice, number: int, intent: Row | None = None) -> None:
    """Try the card; one in five first attempts is declined and retried days later, the fourth is the last."""
    row = invoice.row
    if row["status"] != "open":
        return
    rng = world.rng("attempt", invoice.key, number)
    intent = intent or _intent(world, invoice, row["amount_remaining"], "card")
    row["attempt_count"] = number
    fails = rng.random() < (0.2 if number == 1 else 0.35)
    if "declined" not in invoice.plan and not fails:
        pay(world, invoice, row["amount_remaining"], "card", intent)
        return
    charge = _charge(world, invoice, intent, "failed", "card")
    error = {
        "type": "card_error",
        "code": "card_declined",
        "decline_code": rng.choice(("insufficient_funds", "do_not_honor")),
    }
    error |= {"message": "Your card was declined.", "charge": charge["id"]}
    changes = {"status": "requires_payment_method", "last_payment_error": error, "latest_charge": charge["id"]}
    billing_update(world, intent, "payment_intent.payment_failed", **changes)
    if number >= ATTEMPTS:
        dunning.fail_finally(world, invoice, lambda: pay(world, invoice, row["amount_remaining"], "customer_balance"))
        return
    next_us = world.now_us + rng.randint(20 * HOUR_US, 3 * DAY_US)
    billing_update(world, row, "invoice.payment_failed", attempted=True, next_payment_attempt=next_us // SECOND_US)
    subscription = invoice.subscription.row
    if subscription["status"] == "active":
        billing_update(world, subscription, "customer.subscription.updated", status="past_due")
    world.at(next_us, lambda: attempt(world, invoice, number + 1, intent))
    subject = ("stripe", "payment_intent", intent["id"])
    world.silent("N12", "retrying", subject, f"attempt {number} declined, next is planned", invoice.entity.code)


def _refund(world: World, invoice: Invoice, charge: Row, percent: int) -> None:
    known = invoice.erp is not None or invoice.entity.posting_mode == "summary_journal"
    if known and not charge["disputed"] and not charge["refunded"] and invoice.customer.erp_block is None:
        refunds.refund(world, invoice, charge, percent)


def _intent(world: World, invoice: Invoice, amount_minor: int, method: str) -> Row:
    row = invoice.row
    return billing_insert(world, {
        "id": stripe_id("pi", row["id"], row["amount_paid"]), "object": "payment_intent", "amount": amount_minor,
        "amount_received": 0, "currency": row["currency"], "customer": row["customer"], "status": "processing",
        "last_payment_error": None, "latest_charge": None, "payment_method_types": [method], "canceled_at": None,
        "capture_method": "automatic", "description": "Subscription update", "metadata": {},
    }, "payment_intent.created")  # fmt: skip


def _charge(world: World, invoice: Invoice, intent: Row, status: str, method: str) -> Row:
    ok = status == "succeeded"
    if ok and invoice.subscription.row["status"] == "past_due":
        billing_update(world, invoice.subscription.row, "customer.subscription.updated", status="active")
    return billing_insert(world, {
        "id": stripe_id("ch", intent["id"], invoice.row["attempt_count"], status), "object": "charge", "amount": intent["amount"],
        "amount_captured": intent["amount"] if ok else 0, "amount_refunded": 0, "currency": intent["currency"],
        "customer": intent["customer"], "payment_intent": intent["id"], "status": status, "paid": ok, "captured": ok,
        "refunded": False, "disputed": False, "failure_code": None if ok else "card_declined", "balance_transaction": None,
        "failure_message": None if ok else "Your card was declined.", "payment_method_details": {"type": method},
        "metadata": {},
    }, f"charge.{status}")  # fmt: skip


def _dispute(world: World, charge: Row) -> None:
    now = world.now_us // SECOND_US
    dispute = billing_insert(world, {
        "id": stripe_id("dp", charge["id"]), "object": "dispute", "charge": charge["id"], "amount": charge["amount"],
        "currency": charge["currency"], "payment_intent": charge["payment_intent"], "reason": "fraudulent",
        "status": "needs_response", "evidence_details": {"due_by": now + 7 * 86_400, "has_evidence": False},
        "balance_transactions": [], "is_charge_refundable": False,
    }, "charge.dispute.created")  # fmt: skip
    billing_update(world, charge, "charge.updated", disputed=True)
    days = world.rng("dispute-end", dispute["id"]).uniform(3, 9)
    world.after(days * 86_400, lambda: billing_update(world, dispute, "charge.dispute.closed", status="won"))
