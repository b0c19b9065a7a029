"""How do invoices, credit notes and payments reach the ERP? Documents and applications; no billing, no batches."""

from probes.sandbox import batches, customers, runtime, truth
from probes.sandbox.batches import Member
from probes.sandbox.clock import SECOND_US, local_date
from probes.sandbox.entities import major
from probes.sandbox.orders import document, period_of, touch, write_lines
from probes.sandbox.randoms import dirty_text, flush_us, heavy_us
from probes.sandbox.records import ERP_CLERK, erp_insert, erp_update
from probes.sandbox.world import Deal, Invoice, Row, World, run_all

_INVOICE_CAP_SECONDS = 18 * 3600
_PAYMENT_CAP_SECONDS = 40 * 3600
OPEN, SETTLED, VOIDED = "A", "B", "V"


def hand_over(world: World, invoice: Invoice) -> None:
    """Send a finalised invoice to the ERP, or put it into the summary of its day."""
    entity = invoice.entity
    if entity.posting_mode == "summary_journal":
        batches.add(world, entity, batches.SUMMARY, _member(invoice))
        return
    net = invoice.row["total_excluding_tax"]
    batches.add(world, entity, batches.REVENUE, Member(invoice.id, net, 0, invoice.currency))
    block = customers.block_of(invoice.customer, entity)
    if block is not None:
        truth.invoice_missing(world, invoice, cause=block)
    if "unsent" in invoice.plan:
        tell = invoice.plan.get("tell")
        if tell is not None:
            tell()
        return
    payload = {"invoice_id": invoice.id, "legal_entity": entity.code, "number": invoice.row["number"]}
    message = runtime.publish(world, "invoices", (invoice.key,), payload)

    def handle() -> None:
        if "instead" in invoice.plan:
            invoice.plan["instead"](message)
            return
        posted = post(world, invoice)
        runtime.consume(world, message, None if posted else "customer not in the ERP")
        if posted is not None:
            runtime.maybe_again(world, message, truth.invoice_subject(invoice), lambda: post(world, invoice))

    delay_us = invoice.plan.get("delay_us")
    if delay_us is not None:
        world.at(world.now_us + delay_us, handle)
    else:
        runtime.carry(world, message, 3600, _INVOICE_CAP_SECONDS, entity.zone, handle)


def post(world: World, invoice: Invoice) -> Row | None:
    """Create the ERP invoice.

    Returns: None when the customer is kept out of the ERP; it is posted when that ends.
    """
    if invoice.erp is not None:
        return invoice.erp
    payer = customers.in_erp(world, invoice.customer, invoice.entity)
    if payer is None:
        invoice.customer.blocked.append(lambda: post(world, invoice))
        return None
    row = _invoice_row(world, invoice, payer)
    invoice.erp = erp_insert(world, "transaction", row)
    _note_cut_off(world, invoice, invoice.erp)
    alter = invoice.plan.get("alter")
    if alter is not None:
        alter(invoice.erp)
    _write_invoice_lines(world, invoice, invoice.erp)
    _link_order(world, invoice, invoice.erp)
    world.milestone("invoice_in_erp", ("netsuite", "CustInvc", str(invoice.erp["id"])), invoice.entity.code)
    if invoice.missing is not None:
        world.journal.repaired(invoice.missing.id, world.now_us)
    rng = world.rng("posted", invoice.key)
    if invoice.erp["approvalstatus"] == 1:
        world.after(rng.uniform(300, 3300), lambda: _approve(world, invoice))
    if rng.random() < 0.12:
        posted = invoice.erp
        world.after(rng.uniform(86_400, 9 * 86_400), lambda: touch(world, posted))
    run_all(invoice.waiting)
    return invoice.erp


def _note_cut_off(world: World, invoice: Invoice, row: Row) -> None:
    """Write down that a document went into the next open period because its own was locked when it came."""
    if row["postingperiod"] != period_of(world, invoice.entity, row["trandate"]):
        note = f"own period locked, posted in {row['postingperiod']}"
        world.silent("N16", "cut_off", truth.invoice_subject(invoice), note, invoice.entity.code)


def post_again(world: World, invoice: Invoice) -> Row:
    """Post an invoice a second time, as a replay without a key does."""
    assert invoice.erp is not None  # only what is posted can be posted again
    payer = world.netsuite["customer"][invoice.erp["entity"]]
    second = erp_insert(world, "transaction", _invoice_row(world, invoice, payer) | {"externalid": None})
    _write_invoice_lines(world, invoice, second)
    return second


def void(world: World, invoice: Invoice) -> None:
    """Void an invoice in the ERP."""
    if invoice.erp is not None:
        zero = major(0, invoice.currency)
        erp_update(world, "transaction", invoice.erp, ERP_CLERK, voided="T", status=VOIDED, foreignamountunpaid=zero)


def hand_over_payment(world: World, invoice: Invoice, payment: Row) -> None:
    """Send a received payment to the ERP, or put it into the summary of its day."""
    entity, amount = invoice.entity, payment["amount_paid"]
    if entity.posting_mode == "summary_journal":
        batches.add(world, entity, "PAY", Member(payment["id"], amount, 0, invoice.currency))
        return
    if "payment" in invoice.plan:
        invoice.plan["payment"](payment)
        return
    rng = world.rng("apply", payment["id"])
    when = flush_us(world.now_us + heavy_us(rng, 4 * 3600, _PAYMENT_CAP_SECONDS), rng)
    world.at(when, lambda: _apply_or_wait(world, invoice, payment))


def hand_over_payments(world: World, parts: list[tuple[Invoice, Row]]) -> None:
    """Send one payment of several invoices to the ERP; all of them are there already."""
    rng = world.rng("apply", parts[0][1]["id"])
    drawn = heavy_us(rng, 4 * 3600, _PAYMENT_CAP_SECONDS)
    if parts[0][0].plan.get("split") is None:
        world.at(flush_us(world.now_us + drawn, rng), lambda: apply_many(world, parts))
    else:
        world.at(world.now_us + 900 * SECOND_US, lambda: parts[0][0].plan["split"](parts))


def hand_over_credit(world: World, invoice: Invoice, note: Row, refund: Row | None = None) -> None:
    """Send a credit note to the ERP, with the refund it documents; every entity posts credit notes as documents."""
    rng = world.rng("credit", note["id"])
    when = flush_us(world.now_us + heavy_us(rng, 3600, _INVOICE_CAP_SECONDS), rng)
    world.at(when, lambda: post_credit(world, invoice, note, refund))


def _invoice_row(world: World, invoice: Invoice, payer: Row) -> Row:
    rng, row, entity = world.rng("post", invoice.key), invoice.row, invoice.entity
    number = f"INV{10_000 + world.next_number('netsuite.CustInvc')}"
    external: str | None = invoice.id
    reference: str | None = row["number"]
    draw = rng.random()
    if draw < 0.10:
        external = dirty_text(rng, invoice.id)
    elif draw < 0.12:
        external, reference, number = None, None, row["number"]  # still found through its own number
    if rng.random() < 0.05 and reference is not None:
        reference = dirty_text(rng, reference)
    finalised_on = local_date(row["status_transitions"]["finalized_at"] * SECOND_US, entity.zone)
    pending = rng.random() < 0.08
    currency, tax = invoice.currency, row["total_taxes"][0]["amount"]
    due = row["due_date"]
    body = {
        "type": "CustInvc", "status": OPEN, "tranid": number, "externalid": external, "otherrefnum": reference,
        "foreigntotal": major(row["total"], currency), "taxtotal": major(tax, currency),
        "netamount": major(row["total_excluding_tax"], currency), "foreignamountunpaid": major(row["total"], currency),
        "foreignamountpaid": major(0, currency), "posting": "F" if pending else "T",
        "approvalstatus": 1 if pending else 2, "memo": None, "custbody_sf_opportunity": None, "custbody_sf_revision": None,
        "duedate": local_date(due * SECOND_US, entity.zone) if due else finalised_on,
    }  # fmt: skip
    return body | document(world, entity, payer, currency, finalised_on)


def _write_invoice_lines(world: World, invoice: Invoice, row: Row) -> None:
    lines: list[tuple[str, int, str | None, int | None, int]] = [("T", 0, None, None, invoice.row["total"])]
    for number, line in enumerate(invoice.row["lines"]["data"], start=1):
        lines.append(("F", number, line["metadata"]["product_code"], line["quantity"], line["amount"]))
    write_lines(world, row, invoice.entity, invoice.currency, lines)


def _link_order(world: World, invoice: Invoice, row: Row) -> None:
    deal: Deal = invoice.subscription.deal
    order = deal.orders.get(invoice.entity.code)
    if order is not None:
        row["createdfrom"] = order["id"]
        link(world, order, row, "OrdBill", invoice.row["total_excluding_tax"], invoice.currency)
        if order["status"] == "B":
            erp_update(world, "transaction", order, status="G")


def link(world: World, previous: Row, following: Row, kind: str, amount_minor: int, currency: str) -> None:
    """Link two ERP documents with an amount."""
    number = world.next_number("netsuite.link")
    world.netsuite["transactionlinelink"][number] = {
        "id": number, "previousdoc": previous["id"], "previousline": 0, "previoustype": previous["type"],
        "nextdoc": following["id"], "nextline": 0, "nexttype": following["type"], "linktype": kind,
        "foreignamount": major(amount_minor, currency), "lastmodifieddate": world.now_us - world.now_us % SECOND_US,
    }  # fmt: skip


def _approve(world: World, invoice: Invoice) -> None:
    if invoice.erp is not None and invoice.erp["approvalstatus"] == 1:
        erp_update(world, "transaction", invoice.erp, ERP_CLERK, approvalstatus=2, posting="T")


def _apply_or_wait(world: World, invoice: Invoice, payment: Row) -> None:
    if invoice.erp is not None:
        apply(world, invoice, payment)
        return
    entry = truth.payment_missing(world, invoice, payment) if invoice.missing else None

    def late() -> None:
        apply(world, invoice, payment)
        if entry is not None:
            world.journal.repaired(entry.id, world.now_us)

    invoice.waiting.append(late)


def apply(world: World, invoice: Invoice, payment: Row) -> Row:
    """Apply a payment, or a part of one, to the invoice in the ERP."""
    return apply_many(world, [(invoice, payment)])


def apply_many(world: World, parts: list[tuple[Invoice, Row]], shift_minor: int = 0) -> Row:
    """Create one customer payment and apply it to its invoices; `shift_minor` is taken from the first for the second."""
    first, currency = parts[0][0], parts[0][0].currency
    assert first.erp is not None  # callers look first
    payer = world.netsuite["customer"][first.erp["entity"]]
    total = sum(part["amount_paid"] for _, part in parts)
    amount = major(total, currency)
    row = {
        "type": "CustPymt", "status": "C", "tranid": f"PYMT{10_000 + world.next_number('netsuite.CustPymt')}",
        "externalid": parts[0][1]["payment"]["payment_intent"], "otherrefnum": None, "foreigntotal": amount,
        "foreignpaymentamountused": amount, "foreignpaymentamountunused": major(0, currency), "posting": "T",
        "approvalstatus": 2, "memo": None,
    } | document(world, first.entity, payer, currency)  # fmt: skip
    payment_row = erp_insert(world, "transaction", row)
    write_lines(world, payment_row, first.entity, currency, [("T", 0, None, None, total)])
    for number, (invoice, part) in enumerate(parts):
        assert invoice.erp is not None  # callers look first
        applied = part["amount_paid"] + (-shift_minor, shift_minor, 0)[min(number, 2)]
        link(world, invoice.erp, payment_row, "Payment", applied, currency)
        settle(world, invoice.erp, applied, currency)
    world.milestone("payment_applied", ("netsuite", "CustPymt", str(payment_row["id"])), first.entity.code)
    return payment_row


def settle(world: World, posted: Row, amount_minor: int, currency: str) -> None:
    """Lower the open balance of an invoice."""
    paid = posted["foreignamountpaid"] + major(amount_minor, currency)
    unpaid = posted["foreigntotal"] - paid
    status = SETTLED if unpaid <= 0 else OPEN
    erp_update(world, "transaction", posted, foreignamountpaid=paid, foreignamountunpaid=unpaid, status=status)


def post_credit(world: World, invoice: Invoice, note: Row, refund: Row | None = None) -> None:
    """Create the credit memo of a credit note; a credit on what is paid already leaves the invoice as it is."""
    rng, entity, currency = world.rng("post-credit", note["id"]), invoice.entity, invoice.currency
    payer = customers.in_erp(world, invoice.customer, entity)
    if payer is None:
        invoice.customer.blocked.append(lambda: post_credit(world, invoice, note, refund))
        return
    on = local_date(note["created"] * SECOND_US, entity.zone)
    tax, net = note["total_taxes"][0]["amount"], note["total_excluding_tax"]
    row = {
        "type": "CustCred", "status": SETTLED, "tranid": f"CM{10_000 + world.next_number('netsuite.CustCred')}",
        "externalid": dirty_text(rng, note["id"]) if rng.random() < 0.1 else note["id"], "otherrefnum": note["number"],
        "foreigntotal": major(-note["total"], currency), "taxtotal": major(-tax, currency), "netamount": major(-net, currency),
        "foreignamountunpaid": major(0, currency), "foreignamountpaid": major(-note["total"], currency), "posting": "T",
        "approvalstatus": 2, "memo": None,
    } | document(world, entity, payer, currency, on)  # fmt: skip
    credit = erp_insert(world, "transaction", row)
    write_lines(world, credit, entity, currency, [("T", 0, None, None, -note["total"])])
    if refund is not None:
        post_refund(world, invoice, refund, credit)
    if note["type"] == "pre_payment" and invoice.erp is not None:
        link(world, invoice.erp, credit, "Payment", note["total"], currency)
        settle(world, invoice.erp, note["total"], currency)
    world.milestone("credit_in_erp", ("netsuite", "CustCred", str(credit["id"])), entity.code)


def post_refund(world: World, invoice: Invoice, refund: Row, credit: Row | None) -> Row:
    """Create the customer refund that pays a credit memo out."""
    currency, entity = invoice.currency, invoice.entity
    payer = customers.in_erp(world, invoice.customer, entity)
    assert payer is not None  # its invoice was paid, so it is there
    amount = major(-refund["amount"], currency)
    row = {
        "type": "CustRfnd", "status": "C", "tranid": f"RFND{10_000 + world.next_number('netsuite.CustRfnd')}",
        "externalid": refund["id"], "otherrefnum": None, "foreigntotal": amount, "posting": "T", "approvalstatus": 2, "memo": None,
    } | document(world, entity, payer, currency)  # fmt: skip
    posted = erp_insert(world, "transaction", row)
    write_lines(world, posted, entity, currency, [("T", 0, None, None, -refund["amount"])])
    if credit is not None:
        link(world, credit, posted, "Payment", refund["amount"], currency)
    return posted


def _member(invoice: Invoice) -> Member:
    row = invoice.row
    return Member(invoice.id, row["total_excluding_tax"], row["total_taxes"][0]["amount"], invoice.currency)
