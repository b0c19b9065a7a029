"""How do messages and runs fail? Dead letters, poison, backlogs, lost events; each fault writes its truth."""

from probes.sandbox import ledger, runtime, sales, truth
from probes.sandbox.clock import MINUTE_US
from probes.sandbox.failures.orders import deliver
from probes.sandbox.failures.spec import Fault, Given, fault
from probes.sandbox.failures.victims import fresh_deal, fresh_invoice
from probes.sandbox.world import Deal, Invoice, Row, World


def message_dead(world: World, key: str, given: Given) -> None:
    """E01: the truth is written when the message dies, minutes after it was sent."""
    flow = given.get("flow") or world.rng("flow", key).choice(("orders", "invoices"))
    delay_us = world.rng("dead", key).randint(2 * MINUTE_US, 14 * MINUTE_US)
    if flow == "orders":
        deal = fresh_deal(world, key, given)
        deal.plan |= {"order_delay_us": delay_us, "instead": lambda message: _order_dies(world, deal, message)}
        sales.win(world, deal, later=False)
    elif flow == "invoices":
        plan: Given = {"delay_us": delay_us}
        invoice = fresh_invoice(world, key, given, plan)
        invoice.plan["instead"] = lambda message: _invoice_dies(world, invoice, message)
    else:
        raise ValueError(f"flow {flow!r} of E01 is unknown: use orders or invoices")


def _order_dies(world: World, deal: Deal, message: Row) -> None:
    runtime.dead_letter(world, message, "422 unprocessable: item not found in target")
    entry = world.journal.write(
        "exception", ("rabbitmq", "message", message["message_id"]), fault="E01", money_minor=deal.net_minor(),
        currency=deal.currency, started_us=world.now_us, due_us=None, true_from_us=world.now_us,
        entity=deal.entities[0], note=f"dead letter in orders.dlq about {deal.id}",
    )  # fmt: skip
    truth.order_missing(world, deal, deal.entities[0], cause=entry)

    def mend() -> None:
        deal.plan.pop("instead", None)
        runtime.replay(world, message)
        deliver(world, deal)

    world.repairs[entry.id] = mend


def _invoice_dies(world: World, invoice: Invoice, message: Row) -> None:
    runtime.dead_letter(world, message, "422 unprocessable: tax code unknown in target")
    entry = world.journal.write(
        "exception", ("rabbitmq", "message", message["message_id"]), fault="E01", money_minor=invoice.row["total"],
        currency=invoice.currency, started_us=world.now_us, due_us=None, true_from_us=world.now_us,
        entity=invoice.entity.code, note=f"dead letter in invoices.dlq about {invoice.id}",
    )  # fmt: skip
    truth.invoice_missing(world, invoice, cause=entry)

    def mend() -> None:
        invoice.plan.pop("instead", None)
        runtime.replay(world, message)
        ledger.post(world, invoice)

    world.repairs[entry.id] = mend


FAULTS: dict[str, Fault] = {
    "E01": fault(
        "a message is dead-lettered, its document never arrives", "exception: message, and its document missing",
        message_dead, "entity", "flow", "customer",
    ),
}  # fmt: skip
