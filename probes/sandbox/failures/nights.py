"""How do nightly batches fail? Not run, late, partial, out of balance; each fault writes the truth when the night is over."""

from collections.abc import Callable
from datetime import timedelta

from probes.sandbox import batches, truth
from probes.sandbox.batches import Night
from probes.sandbox.clock import HOUR_US, MINUTE_US, local_us
from probes.sandbox.entities import Entity, major
from probes.sandbox.failures.spec import Fault, Given, fault, variant_of
from probes.sandbox.failures.victims import entity_for, fresh_invoice
from probes.sandbox.world import Invoice, World


def free_night(world: World, entity: Entity) -> Night:
    """Return the next batch of an entity that has not begun and that no fault has touched."""
    day = world.today(entity)
    while True:
        night = batches.night(world, entity, day)
        if night.run is None and not night.plan and not night.tells and batches.starts_us(night) > world.now_us:
            return night
        day += timedelta(days=1)


def _subject(night: Night) -> truth.Subject:
    return ("n8n", "batch", night.name)


def not_run(world: World, key: str, given: Given) -> None:
    """B01."""
    night = free_night(world, entity_for(world, key, given, documents_only=True))
    night.plan["skipped"] = True

    def missed() -> None:
        truth.wrong(
            world, "B01", "batch_missing", _subject(night), "no run until the end of its window and an hour",
            due_us=world.now_us, entity=night.entity.code, mend=lambda: batches.run(world, night),
        )  # fmt: skip

    world.at(batches.window_end_us(night) + batches.GRACE_US, missed)


def run_late(world: World, key: str, given: Given) -> None:
    """B02: it starts hours late, or takes hours too long; it is late from the end of its window until it is done."""
    variant = variant_of(world, key, given, "late", "long")
    night = free_night(world, entity_for(world, key, given, documents_only=True))
    over_us = world.rng("overrun", key).randint(10 * MINUTE_US, 50 * MINUTE_US)
    ends_us = batches.window_end_us(night) + over_us
    if variant == "late":
        night.plan["delay_us"] = ends_us - batches.starts_us(night) - 40 * MINUTE_US
    night.plan["ends_us"] = ends_us

    def late() -> None:
        entry = truth.wrong(
            world, "B02", "batch_late", _subject(night), f"still running at the end of its window ({variant})",
            due_us=world.now_us, entity=night.entity.code,
        )  # fmt: skip
        night.tells.append(lambda: world.journal.repaired(entry.id, world.now_us))

    def hang() -> None:
        assert night.run is not None  # it started when it should
        entry = truth.wrong(
            world, "B02", "stuck", ("n8n", "execution", night.run["id"]), "the batch runs and runs", due_us=world.now_us,
            entity=night.entity.code, document=night.name,
        )  # fmt: skip
        night.tells.append(lambda: world.journal.repaired(entry.id, world.now_us))

    world.at(batches.window_end_us(night), late)
    if variant == "long":
        world.at(batches.starts_us(night) + HOUR_US, hang)


def _with_invoice(world: World, key: str, given: Given, then: Callable[[Night, Invoice], None]) -> None:
    """Take the next free night for a fault and see to it that it has an invoice to carry."""
    entity = entity_for(world, key, given, documents_only=True)
    night = free_night(world, entity)
    night.plan["taken"] = True

    def bill() -> None:
        more = {"delay_us": 10 * MINUTE_US, "uncollected": True}
        then(night, fresh_invoice(world, key, {"entity": entity.code}, more))

    morning_us = local_us(night.on, entity.zone, 10)
    if night.on > world.today(entity):
        world.at(morning_us, bill)
    else:
        bill()


def partial(world: World, key: str, given: Given) -> None:
    """B03: the load loses a document; the run's own totals say so."""
    _with_invoice(world, key, given, lambda night, invoice: _lose(world, night, invoice))


def _lose(world: World, night: Night, invoice: Invoice) -> None:
    night.dropped.add(invoice.id)
    net = int(invoice.row["total_excluding_tax"])

    def tell() -> None:
        entry = truth.wrong(
            world, "B03", "control_total", _subject(night), f"one document less in {invoice.currency} than was sent",
            money=(net, invoice.currency), entity=night.entity.code, document=invoice.id,
        )  # fmt: skip
        name = batches.journal_key(night, batches.REVENUE, invoice.currency)
        short = truth.wrong(
            world, "B03", "amount_differs", ("netsuite", "Journal", name), "less than the day's invoices", cause=entry,
            money=(net, invoice.currency), entity=night.entity.code, document=invoice.id,
        )  # fmt: skip

        def mend() -> None:
            _reload(world, night, invoice.id, invoice.currency)
            world.journal.repaired(short.id, world.now_us)

        world.repairs[entry.id] = mend

    night.tells.append(tell)


def _reload(world: World, night: Night, invoice_id: str, currency: str) -> None:
    night.dropped.discard(invoice_id)
    batches.correct(world, night, batches.REVENUE, currency)
    if night.run is not None:
        for name in ("count", "sum"):
            source = night.run["customData"][f"{batches.REVENUE}-{currency}:source_{name}"]
            night.run["customData"][f"{batches.REVENUE}-{currency}:target_{name}"] = source


def out_of_balance(world: World, key: str, given: Given) -> None:
    """B04: the journal's lines do not sum up to nothing, or its total is not that of the day's invoices."""
    variant = variant_of(world, key, given, "unbalanced", "totals")
    _with_invoice(world, key, given, lambda night, invoice: _alter(world, night, invoice, variant))


def _alter(world: World, night: Night, invoice: Invoice, variant: str) -> None:
    currency = invoice.currency
    step = max(2, int(invoice.row["total_excluding_tax"]) // 10)
    name = batches.journal_key(night, batches.REVENUE, currency)

    def tell() -> None:
        journal = next(row for row in night.journals if row["externalid"] == name)
        lines, amount = world.netsuite["transactionline"], major(step, currency)
        lines[(journal["id"], 1)]["foreignamount"] -= amount
        if variant == "totals":
            lines[(journal["id"], 0)]["foreignamount"] += amount
            journal.update(foreigntotal=journal["foreigntotal"] + amount, netamount=journal["netamount"] + amount)
        truth.wrong(
            world, "B04", "amount_differs", ("netsuite", "Journal", name), f"{variant} by {step}", money=(step, currency),
            entity=night.entity.code, document=invoice.id,
            mend=lambda: batches.correct(world, night, batches.REVENUE, currency),
        )  # fmt: skip

    night.tells.append(tell)


FAULTS: dict[str, Fault] = {
    "B01": fault("a nightly batch does not run", "batch_missing: batch", not_run, "entity"),
    "B02": fault("a nightly batch is late or too long", "batch_late: batch, and stuck: execution", run_late, "entity", "variant"),
    "B03": fault("a nightly batch loses a document", "control_total: batch", partial, "entity"),
    "B04": fault(
        "a journal is out of balance or not the billing total", "amount_differs: Journal", out_of_balance,
        "entity", "variant",
    ),
}  # fmt: skip
