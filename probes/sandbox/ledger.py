"""How do invoices, credit notes and payments reach the ERP? Documents, daily summaries, applications; no billing."""

from dataclasses import dataclass
from datetime import date, timedelta

from probes.sandbox import customers, runtime, truth
from probes.sandbox.clock import SECOND_US, local_date, local_us
from probes.sandbox.entities import CURRENCY_IDS, Entity, exchange_rate, major
from probes.sandbox.orders import document, open_period, touch, write_lines
from probes.sandbox.randoms import dirty_text, flush_us, heavy_us
from probes.sandbox.records import ERP_CLERK, erp_insert, erp_update
from probes.sandbox.world import Deal, Invoice, Row, World, run_all

_INVOICE_CAP_SECONDS = 18 * 3600
_PAYMENT_CAP_SECONDS = 40 * 3600
OPEN, SETTLED = "A", "B"


@dataclass(frozen=True)
class Member:
    """One document of a daily summary."""

    external_id: str
    net_minor: int
    tax_minor: int
    currency: str


def hand_over(world: World, invoice: Invoice) -> None:
    """Send a finalised invoice to the ERP, or put it into the summary of its day."""
    entity = invoice.entity
    if entity.posting_mode == "summary_journal":
        _add_to_summary(world, entity, "SUM", _member(invoice), hour_minute=(0, 30))
        return
    if invoice.customer.erp_block is not None:
        truth.invoice_missing(world, invoice, cause=invoice.customer.erp_block)
    if "unsent" in invoice.plan:
        return
    payload = {"invoice_id": invoice.id, "legal_entity": entity.code, "number": invoice.row["number"]}
    message = runtime.publish(world, "invoices", (invoice.key,), payload)

    def handle() -> None:
        if "dead" in invoice.plan:
            invoice.plan["dead"](message)
            return
        posted = post(world, invoice)
        runtime.consume(world, message, None if posted else "customer not in the ERP")

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


def hand_over_payment(world: World, invoice: Invoice, payment: Row) -> None:
    """Send a received payment to the ERP, or put it into the summary of its day."""
    entity, amount = invoice.entity, payment["amount_paid"]
    if entity.posting_mode == "summary_journal":
        _add_to_summary(world, entity, "PAY", Member(payment["id"], amount, 0, invoice.currency), hour_minute=(0, 45))
        return
    rng = world.rng("apply", payment["id"])
    when = flush_us(world.now_us + heavy_us(rng, 4 * 3600, _PAYMENT_CAP_SECONDS), rng)
    world.at(when, lambda: _apply_or_wait(world, invoice, payment))


def hand_over_credit(world: World, invoice: Invoice, note: Row) -> None:
    """Send a credit note to the ERP; every entity posts credit notes as documents."""
    rng = world.rng("credit", note["id"])
    when = flush_us(world.now_us + heavy_us(rng, 3600, _INVOICE_CAP_SECONDS), rng)
    world.at(when, lambda: _post_credit(world, invoice, note))


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
        _apply(world, invoice, payment)
        return
    entry = truth.payment_missing(world, invoice, payment["id"], payment["amount_paid"]) if invoice.missing else None

    def apply() -> None:
        _apply(world, invoice, payment)
        if entry is not None:
            world.journal.repaired(entry.id, world.now_us)

    invoice.waiting.append(apply)


def _apply(world: World, invoice: Invoice, payment: Row) -> None:
    posted, currency = invoice.erp, invoice.currency
    assert posted is not None  # both callers look first
    payer = world.netsuite["customer"][posted["entity"]]
    amount = major(payment["amount_paid"], currency)
    row = {
        "type": "CustPymt", "status": "C", "tranid": f"PYMT{10_000 + world.next_number('netsuite.CustPymt')}",
        "externalid": payment["payment"]["payment_intent"], "otherrefnum": None, "foreigntotal": amount,
        "foreignpaymentamountused": amount, "foreignpaymentamountunused": major(0, currency), "posting": "T",
        "approvalstatus": 2, "memo": None,
    } | document(world, invoice.entity, payer, currency)  # fmt: skip
    payment_row = erp_insert(world, "transaction", row)
    write_lines(world, payment_row, invoice.entity, currency, [("T", 0, None, None, payment["amount_paid"])])
    link(world, posted, payment_row, "Payment", payment["amount_paid"], currency)
    _settle(world, posted, payment["amount_paid"], currency)
    world.milestone("payment_applied", ("netsuite", "CustPymt", str(payment_row["id"])), invoice.entity.code)


def _settle(world: World, posted: Row, amount_minor: int, currency: str) -> None:
    paid = posted["foreignamountpaid"] + major(amount_minor, currency)
    unpaid = posted["foreigntotal"] - paid
    status = SETTLED if unpaid <= 0 else OPEN
    erp_update(world, "transaction", posted, foreignamountpaid=paid, foreignamountunpaid=unpaid, status=status)


def _post_credit(world: World, invoice: Invoice, note: Row) -> None:
    rng, entity, currency = world.rng("post-credit", note["id"]), invoice.entity, invoice.currency
    payer = customers.in_erp(world, invoice.customer, entity)
    if payer is None:
        invoice.customer.blocked.append(lambda: _post_credit(world, invoice, note))
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
    if invoice.erp is not None:
        link(world, invoice.erp, credit, "Payment", note["total"], currency)
        _settle(world, invoice.erp, note["total"], currency)
    world.milestone("credit_in_erp", ("netsuite", "CustCred", str(credit["id"])), entity.code)


def _member(invoice: Invoice) -> Member:
    row = invoice.row
    return Member(invoice.id, row["total_excluding_tax"], row["total_taxes"][0]["amount"], invoice.currency)


def _add_to_summary(world: World, entity: Entity, prefix: str, member: Member, hour_minute: tuple[int, int]) -> None:
    today = world.today(entity)
    key = f"{prefix}-{entity.code}-{member.currency}-{today}"
    members = world.summaries.setdefault(key, [])
    if not members:
        when = local_us(today + timedelta(days=1), entity.zone, *hour_minute)
        world.at(when, lambda: _post_summary(world, entity, key, member.currency, today))
    members.append(member)


def _post_summary(world: World, entity: Entity, key: str, currency: str, on: date) -> None:
    """Post one journal for all documents of a day; which they were is not written into it."""
    members: list[Member] = world.summaries[key]
    net, tax = sum(m.net_minor for m in members), sum(m.tax_minor for m in members)
    memo = f"Daily {'invoices' if key.startswith('SUM') else 'payments'} {entity.code} {currency} {on}: {len(members)} documents"
    journal = erp_insert(world, "transaction", {
        "type": "Journal", "status": "A", "tranid": f"JE{10_000 + world.next_number('netsuite.Journal')}", "externalid": key,
        "otherrefnum": None, "entity": None, "subsidiary": entity.subsidiary_id, "currency": CURRENCY_IDS[currency],
        "exchangerate": exchange_rate(currency, entity.currency), "trandate": on,
        "postingperiod": open_period(world, entity, on), "foreigntotal": major(net + tax, currency),
        "netamount": major(net, currency), "taxtotal": major(tax, currency), "posting": "T", "approvalstatus": 2,
        "voided": "F", "memo": memo,
    })  # fmt: skip
    write_lines(
        world,
        journal,
        entity,
        currency,
        [("T", 0, None, None, net + tax), ("F", 1, None, None, -net), ("F", 2, None, None, -tax)],
    )
    for number, what in enumerate((memo, f"{memo}, net", f"{memo}, tax")):
        world.netsuite["transactionline"][(journal["id"], number)]["memo"] = what
    world.milestone("summary_posted", ("netsuite", "Journal", key), entity.code)
