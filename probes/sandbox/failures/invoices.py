"""How do invoices and credit notes fail on their way to the ledger? Each fault creates its victim and writes its truth."""

from decimal import Decimal

from probes.sandbox import billing, ledger, orders, payments, refunds, truth
from probes.sandbox.clock import HOUR_US, MINUTE_US
from probes.sandbox.entities import BY_CODE, CURRENCY_IDS, major
from probes.sandbox.failures.spec import Fault, Given, fault, variant_of
from probes.sandbox.failures.victims import finalised_us, fresh_invoice
from probes.sandbox.records import erp_update
from probes.sandbox.world import Invoice, Row, World


def posted_soon(world: World, key: str, given: Given, **plan: object) -> Invoice:
    """Finalise an invoice that is posted within a quarter of an hour and that nobody pays by himself."""
    delay = world.rng("posted-soon", key).randint(3 * MINUTE_US, 14 * MINUTE_US)
    return fresh_invoice(world, key, given, {"delay_us": delay, "uncollected": True} | plan)


def invoice_lost(world: World, key: str, given: Given) -> None:
    """I01."""
    invoice = fresh_invoice(world, key, given, {"unsent": True})
    entry = truth.invoice_missing(world, invoice, fault="I01")
    world.repairs[entry.id] = lambda: ledger.post(world, invoice)


def invoice_altered(world: World, key: str, given: Given) -> None:
    """I02: the truth is written when the wrong document is posted, minutes after finalisation."""
    variant = variant_of(world, key, given, "total", "tax", "currency")
    rng = world.rng("alter", key)
    invoice = fresh_invoice(world, key, given, {"delay_us": rng.randint(3 * MINUTE_US, 14 * MINUTE_US)})
    invoice.plan["alter"] = lambda row: _alter(world, invoice, row, variant, rng.randint(3, 12))


def _alter(world: World, invoice: Invoice, row: Row, variant: str, percent: int) -> None:
    currency, right = invoice.currency, dict(row)
    step = max(2, invoice.row["total"] * percent // 100)
    amount = major(step, currency)
    if variant == "total":
        row.update(foreigntotal=row["foreigntotal"] + amount, netamount=row["netamount"] + amount)
    elif variant == "tax":
        row.update(taxtotal=row["taxtotal"] + amount, netamount=row["netamount"] - amount)
    else:
        wrong = "USD" if currency != "USD" else "EUR"
        row.update(currency=CURRENCY_IDS[wrong])
    row["foreignamountunpaid"] = row["foreigntotal"] - row["foreignamountpaid"]
    names = ("foreigntotal", "netamount", "taxtotal", "currency")

    def mend() -> None:
        unpaid = right["foreigntotal"] - row["foreignamountpaid"]
        restored = {name: right[name] for name in names}
        erp_update(world, "transaction", row, **restored, foreignamountunpaid=max(unpaid, Decimal(0)))

    kind = "currency_differs" if variant == "currency" else "amount_differs"
    entry = truth.wrong(
        world, "I02", kind, truth.invoice_subject(invoice), f"posted with another {variant}",
        money=(invoice.row["total"] if variant == "currency" else step, currency), entity=invoice.entity.code, mend=mend,
        due_us=finalised_us(invoice) + truth.INVOICE_DEADLINE_US,
    )  # fmt: skip
    world.journal.change(entry.id, started_us=finalised_us(invoice))


def posted_twice(world: World, key: str, given: Given) -> None:
    """I03."""
    invoice = posted_soon(world, key, given)

    def again() -> None:
        second = ledger.post_again(world, invoice)
        assert invoice.erp is not None  # posted before
        truth.wrong(
            world, "I03", "duplicate", truth.invoice_subject(invoice), f"posted as {invoice.erp['id']} and {second['id']}",
            money=truth.gross(invoice), entity=invoice.entity.code, document=str(second["id"]),
            mend=lambda: erp_update(world, "transaction", second, voided="T", status=ledger.VOIDED),
        )  # fmt: skip

    world.at(world.now_us + 20 * MINUTE_US, again)


def posted_elsewhere(world: World, key: str, given: Given) -> None:
    """I04: in the books of another entity, or in the next period although its own is open."""
    variant = variant_of(world, key, given, "entity", "period")
    invoice = posted_soon(world, key, given)

    def alter(row: Row) -> None:
        right = {name: row[name] for name in ("subsidiary", "postingperiod")}
        if variant == "entity":
            other = next(e for e in BY_CODE.values() if e is not invoice.entity)
            row["subsidiary"] = other.subsidiary_id
        else:
            row["postingperiod"] = orders.period_after(world, invoice.entity, row["trandate"])
        truth.wrong(
            world, "I04", "attribute_differs" if variant == "entity" else "period_differs", truth.invoice_subject(invoice),
            f"posted to another {variant}", money=truth.gross(invoice), entity=invoice.entity.code,
            due_us=finalised_us(invoice) + truth.INVOICE_DEADLINE_US,
            mend=lambda: erp_update(world, "transaction", row, **right),
        )  # fmt: skip

    invoice.plan["alter"] = alter


def credit_lost(world: World, key: str, given: Given) -> None:
    """I07: an invoice is paid and partly refunded; the credit note or the refund does not reach the ERP."""
    variant = variant_of(world, key, given, "credit", "refund")
    invoice = posted_soon(world, key, given)

    def give_back() -> None:
        charge = world.stripe["charge"][_charge_of(world, invoice)]
        refund, note = refunds.refund(world, invoice, charge, 50, hand_over=False)
        due_us, entity = world.now_us + truth.INVOICE_DEADLINE_US, invoice.entity.code
        money = (int(refund["amount"]), invoice.currency)
        if variant == "credit":
            world.after(1800, lambda: ledger.post_refund(world, invoice, refund, None))
            truth.wrong(
                world, "I07", "missing_in_target", ("stripe", "credit_note", note["id"]), "credit note not in the ERP",
                money=money, due_us=due_us, at_once=False, entity=entity, document=invoice.id,
                mend=lambda: ledger.post_credit(world, invoice, note),
            )  # fmt: skip
        else:
            world.after(1800, lambda: ledger.post_credit(world, invoice, note))
            truth.wrong(
                world, "I07", "missing_in_target", ("stripe", "refund", refund["id"]), "refund not in the ERP",
                money=money, due_us=due_us, at_once=False, entity=entity, document=invoice.id,
                mend=lambda: ledger.post_refund(world, invoice, refund, None),
            )  # fmt: skip

    world.at(world.now_us + HOUR_US, lambda: payments.pay(world, invoice, invoice.row["total"], "customer_balance"))
    world.at(world.now_us + 3 * HOUR_US, give_back)


def _charge_of(world: World, invoice: Invoice) -> str:
    mine = (p for p in world.stripe["invoice_payment"].values() if p["invoice"] == invoice.id)
    intent = world.stripe["payment_intent"][next(mine)["payment"]["payment_intent"]]
    return str(intent["latest_charge"])


def not_reversed(world: World, key: str, given: Given) -> None:
    """I09: voided in billing, open in the ERP, or the other way round."""
    variant = variant_of(world, key, given, "billing", "erp")
    invoice = posted_soon(world, key, given)
    here, there = (billing.void, ledger.void) if variant == "billing" else (ledger.void, billing.void)

    def reverse() -> None:
        here(world, invoice)
        truth.wrong(
            world, "I09", "not_reversed", truth.invoice_subject(invoice), f"voided in {variant} only",
            money=truth.gross(invoice), due_us=world.now_us + truth.REVERSAL_DEADLINE_US, at_once=False,
            entity=invoice.entity.code, mend=lambda: there(world, invoice),
        )  # fmt: skip

    world.at(world.now_us + 2 * HOUR_US, reverse)


def half_rebilled(world: World, key: str, given: Given) -> None:
    """I10: an invoice is credited and billed again; only one half reaches the ERP."""
    variant = variant_of(world, key, given, "credit", "rebill")
    invoice = posted_soon(world, key, given, halved=True)

    def correct() -> None:
        if variant == "credit":
            invoice.plan["credit_unsent"] = True
        made = billing.credit_and_rebill(world, invoice)
        assert made is not None  # posted before
        note, rebill = made
        if variant == "credit":
            truth.wrong(
                world, "I10", "missing_in_target", ("stripe", "credit_note", note["id"]),
                f"credit note not in the ERP, its rebill {rebill.id} is", money=(int(note["total"]), invoice.currency),
                due_us=world.now_us + truth.INVOICE_DEADLINE_US, at_once=False, entity=invoice.entity.code,
                document=rebill.id, mend=lambda: ledger.post_credit(world, invoice, note),
            )  # fmt: skip
            return

        def tell() -> None:
            entry = truth.invoice_missing(world, rebill, fault="I10")
            why = f"rebill not in the ERP, the credit note {note['id']} is"
            rebill.missing = world.journal.change(entry.id, document=note["id"], note=why)
            world.repairs[entry.id] = lambda: ledger.post(world, rebill)

        rebill.plan |= {"unsent": True, "tell": tell, "uncollected": True}

    world.at(world.now_us + 2 * HOUR_US, correct)


FAULTS: dict[str, Fault] = {
    "I01": fault("a finalised invoice is never posted", "missing_in_target: invoice", invoice_lost, "entity", "customer"),
    "I02": fault(
        "an invoice is posted with another total, tax or currency", "amount_differs or currency_differs: invoice",
        invoice_altered, "entity", "customer", "variant",
    ),
    "I03": fault("an invoice is posted twice", "duplicate: invoice", posted_twice, "entity", "customer"),
    "I04": fault(
        "an invoice is posted to another entity or period", "attribute_differs or period_differs: invoice", posted_elsewhere,
        "entity", "customer", "variant",
    ),
    "I07": fault(
        "a credit note or refund is missing in the ERP", "missing_in_target: credit_note or refund", credit_lost,
        "entity", "customer", "variant",
    ),
    "I09": fault("an invoice is voided in one system only", "not_reversed: invoice", not_reversed, "entity", "customer", "variant"),
    "I10": fault(
        "of a credit-and-rebill one half arrives", "missing_in_target: credit_note or invoice", half_rebilled,
        "entity", "customer", "variant",
    ),
}  # fmt: skip
