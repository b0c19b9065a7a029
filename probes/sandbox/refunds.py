"""How is money given back? Refunds and the credit notes that document them, in billing and ERP."""

from probes.sandbox import ledger
from probes.sandbox.clock import SECOND_US
from probes.sandbox.entities import tax_minor
from probes.sandbox.randoms import stripe_id
from probes.sandbox.records import billing_insert, billing_update
from probes.sandbox.world import Invoice, Row, World


def refund(world: World, invoice: Invoice, charge: Row, percent: int, hand_over: bool = True) -> tuple[Row, Row]:
    """Give back part of a paid invoice. `hand_over` false keeps both documents from the ERP.

    Returns: the refund and its credit note.
    """
    row, now = invoice.row, world.now_us // SECOND_US
    net = row["total_excluding_tax"] * percent // 100
    tax = tax_minor(net, invoice.customer.tax_rate_e5)
    total = net + tax
    made = billing_insert(world, {
        "id": stripe_id("re", charge["id"], percent), "object": "refund", "amount": total, "currency": row["currency"],
        "charge": charge["id"], "payment_intent": charge["payment_intent"], "reason": "requested_by_customer",
        "status": "succeeded", "balance_transaction": None, "metadata": {"legal_entity": invoice.entity.code},
    }, "refund.created")  # fmt: skip
    billing_update(world, charge, "charge.refunded", amount_refunded=total, refunded=total >= charge["amount"])
    taxes = [row["total_taxes"][0] | {"amount": tax, "taxable_amount": net}]
    note = billing_insert(world, {
        "id": stripe_id("cn", world.seed, invoice.key, "refund"), "object": "credit_note", "number": f"{row['number']}-CN-09",
        "invoice": row["id"], "customer": row["customer"], "currency": row["currency"], "status": "issued",
        "type": "post_payment", "reason": "order_change", "subtotal": net, "total": total, "amount": total,
        "total_excluding_tax": net, "total_taxes": taxes, "pre_payment_amount": 0, "post_payment_amount": total,
        "refunds": [{"refund": made["id"], "amount_refunded": total}], "effective_at": now, "voided_at": None, "memo": None,
        "metadata": {"legal_entity": invoice.entity.code},
    }, "credit_note.created")  # fmt: skip
    billing_update(world, row, "invoice.updated", post_payment_credit_notes_amount=total)
    world.milestone("refunded", ("stripe", "refund", made["id"]), invoice.entity.code)
    if hand_over:
        ledger.hand_over_credit(world, invoice, note, made)
    return made, note
