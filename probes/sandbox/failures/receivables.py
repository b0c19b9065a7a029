"""How do payments fail to become settled receivables? Each fault creates its own victim and writes its truth."""

from probes.sandbox import billing, dunning, ledger, payments, truth
from probes.sandbox.clock import HOUR_US
from probes.sandbox.entities import major
from probes.sandbox.failures.invoices import posted_soon
from probes.sandbox.failures.spec import Fault, Given, fault, variant_of
from probes.sandbox.journal import Entry
from probes.sandbox.records import billing_update, erp_update
from probes.sandbox.world import Invoice, Row, World


def _open_differs(world: World, invoice: Invoice, amount_minor: int, cause: Entry, due_us: int) -> None:
    """Write the consequence that billing and ledger disagree on what is open."""
    entry = truth.wrong(
        world, cause.fault or "", "amount_differs", truth.invoice_subject(invoice), "open balance differs",
        money=(amount_minor, invoice.currency), due_us=due_us, at_once=False, entity=invoice.entity.code, cause=cause,
    )  # fmt: skip
    invoice.plan["open_entry"] = entry


def _agree_again(world: World, *invoices: Invoice) -> None:
    for invoice in invoices:
        entry = invoice.plan.pop("open_entry", None)
        if entry is not None:
            world.journal.repaired(entry.id, world.now_us)


def second_invoice(world: World, key: str, invoice: Invoice) -> Invoice:
    """Bill the same subscription once more, posted soon too."""
    other = billing.draft(world, invoice.subscription, f"{key}/second", "subscription_update")
    other.plan |= {"delay_us": invoice.plan["delay_us"], "uncollected": True}
    other.row["collection_method"] = "send_invoice"
    billing.finalise(world, other)
    return other


def payment_lost(world: World, key: str, given: Given) -> None:
    """I05: a payment is not applied in the ERP, or to another invoice of the customer."""
    variant = variant_of(world, key, given, "unapplied", "misapplied")
    invoice = posted_soon(world, key, given)
    other = second_invoice(world, key, invoice) if variant == "misapplied" else None

    def received(payment: Row) -> None:
        due_us = world.now_us + truth.PAYMENT_DEADLINE_US
        money = (int(payment["amount_paid"]), invoice.currency)
        if other is None:
            entry = truth.wrong(
                world, "I05", "missing_in_target", truth.payment_subject(payment), "payment not applied", money=money,
                due_us=due_us, at_once=False, entity=invoice.entity.code, document=invoice.id,
            )  # fmt: skip

            def mend() -> None:
                ledger.apply(world, invoice, payment)
                _agree_again(world, invoice)

            world.repairs[entry.id] = mend
        else:
            wrong = ledger.apply(world, other, payment)
            entry = truth.wrong(
                world, "I05", "amount_differs", truth.payment_subject(payment), f"applied to {other.id}", money=money,
                due_us=due_us, at_once=False, entity=invoice.entity.code, document=invoice.id,
            )  # fmt: skip
            world.repairs[entry.id] = lambda: _reapply(world, wrong, invoice, other, int(payment["amount_paid"]))
            _open_differs(world, other, int(payment["amount_paid"]), entry, due_us)
        _open_differs(world, invoice, int(payment["amount_paid"]), entry, due_us)

    invoice.plan["payment"] = received
    world.at(world.now_us + HOUR_US, lambda: payments.pay(world, invoice, invoice.row["total"], "customer_balance"))


def _reapply(world: World, payment_row: Row, right: Invoice, wrong: Invoice, amount_minor: int) -> None:
    """Move an application from one invoice to another."""
    assert right.erp is not None and wrong.erp is not None  # noqa: PT018 - both were posted before they were paid
    links = world.netsuite["transactionlinelink"].values()
    row = next(r for r in links if (r["previousdoc"], r["nextdoc"]) == (wrong.erp["id"], payment_row["id"]))
    row.update(previousdoc=right.erp["id"], lastmodifieddate=world.now_us)
    erp_update(world, "transaction", payment_row, memo="re-applied")
    ledger.settle(world, right.erp, amount_minor, right.currency)
    ledger.settle(world, wrong.erp, -amount_minor, wrong.currency)
    _agree_again(world, right, wrong)


def fan_out_incomplete(world: World, key: str, given: Given) -> None:
    """I06: a payment fails for good; one flag is not set, or not cleared when the money came after all."""
    variant = variant_of(world, key, given, "crm", "erp", "support", "uncleared")
    branch = world.rng("branch", key).choice(dunning.BRANCHES) if variant == "uncleared" else variant
    invoice = posted_soon(world, key, given, declined=True, stays_failed=True)
    invoice.plan["uncleared" if variant == "uncleared" else "unflagged"] = {branch}

    def pay() -> None:
        payments.pay(world, invoice, invoice.row["amount_remaining"], "customer_balance")

    def recovered() -> None:
        dunning.recover(world, invoice, pay)
        truth.wrong(
            world, "I06", "incomplete_fan_out", truth.invoice_subject(invoice), f"paid, but not cleared: {branch}",
            due_us=world.now_us + dunning.CLEAR_US, at_once=False, entity=invoice.entity.code,
            mend=lambda: dunning.clear(world, invoice, branch),
        )  # fmt: skip

    def failed() -> None:
        payments.attempt(world, invoice, payments.ATTEMPTS)
        if variant == "uncleared":
            world.at(world.now_us + 3 * HOUR_US, recovered)
            return
        truth.wrong(
            world, "I06", "incomplete_fan_out", truth.invoice_subject(invoice), f"failed for good, not told: {branch}",
            money=truth.gross(invoice), due_us=world.now_us + dunning.FAN_OUT_US, at_once=False,
            entity=invoice.entity.code, mend=lambda: dunning.flag(world, invoice, branch),
        )  # fmt: skip

    world.at(world.now_us + HOUR_US, failed)


def wrongly_split(world: World, key: str, given: Given) -> None:
    """I08: one transfer pays two invoices; the ERP gives one of them too little and the other too much."""
    invoice = posted_soon(world, key, given)
    other = second_invoice(world, key, invoice)
    shift = max(1, min(invoice.row["total"], other.row["total"]) // 5)

    def split(parts: list[tuple[Invoice, Row]]) -> None:
        ledger.apply_many(world, parts, shift)
        due_us = world.now_us + truth.PAYMENT_DEADLINE_US
        entry = truth.wrong(
            world, "I08", "amount_differs", truth.payment_subject(parts[0][1]), f"{shift} of {invoice.id} given to {other.id}",
            money=(shift, invoice.currency), entity=invoice.entity.code, document=invoice.id, due_us=due_us, at_once=False,
            mend=lambda: _split_right(world, invoice, other, shift),
        )  # fmt: skip
        for part, _ in parts:
            _open_differs(world, part, shift, entry, due_us)

    invoice.plan["split"] = split
    world.at(world.now_us + HOUR_US, lambda: payments.pay_together(world, [invoice, other]))


def _split_right(world: World, invoice: Invoice, other: Invoice, shift: int) -> None:
    for part, step in ((invoice, shift), (other, -shift)):
        assert part.erp is not None  # posted before it was paid
        links = world.netsuite["transactionlinelink"].values()
        row = next(r for r in links if r["previousdoc"] == part.erp["id"] and r["linktype"] == "Payment")
        row.update(foreignamount=row["foreignamount"] + major(step, part.currency), lastmodifieddate=world.now_us)
        erp_update(
            world, "transaction", world.netsuite["transaction"][row["nextdoc"]], memo=f"split corrected {part.id}"
        )
        ledger.settle(world, part.erp, step, part.currency)
    _agree_again(world, invoice, other)


def short_payment(world: World, key: str, given: Given) -> None:
    """I11: a transfer comes short by the bank's fee; billing lets it pass, the ERP keeps the rest open."""
    invoice = posted_soon(world, key, given)
    fee = max(1, min(1500, invoice.row["total"] // 50))

    def come_short() -> None:
        payments.pay(world, invoice, invoice.row["total"] - fee, "customer_balance")
        transitions = invoice.row["status_transitions"] | {"paid_at": world.now_us // 1_000_000}
        billing_update(
            world, invoice.row, "invoice.paid", status="paid", amount_remaining=0, status_transitions=transitions
        )
        truth.wrong(
            world, "I11", "amount_differs", truth.invoice_subject(invoice), "open balance differs by the bank's fee",
            money=(fee, invoice.currency), due_us=world.now_us + truth.PAYMENT_DEADLINE_US, at_once=False,
            entity=invoice.entity.code, mend=lambda: _write_off(world, invoice, fee),
        )  # fmt: skip

    world.at(world.now_us + HOUR_US, come_short)


def _write_off(world: World, invoice: Invoice, fee: int) -> None:
    assert invoice.erp is not None  # posted before it was paid
    ledger.settle(world, invoice.erp, fee, invoice.currency)


FAULTS: dict[str, Fault] = {
    "I05": fault(
        "a payment is not applied, or to another invoice", "missing_in_target or amount_differs: payment_intent, open balances",
        payment_lost, "entity", "customer", "variant",
    ),
    "I06": fault(
        "a payment fails for good and not everybody is told", "incomplete_fan_out: invoice", fan_out_incomplete,
        "entity", "customer", "variant",
    ),
    "I08": fault(
        "one payment of two invoices is split wrongly", "amount_differs: payment_intent, open balances", wrongly_split,
        "entity", "customer",
    ),
    "I11": fault("the open balance differs after a short payment", "amount_differs: invoice", short_payment, "entity", "customer"),
}  # fmt: skip
