"""What looks like a failure and is none? Rounding, flight, withdrawal, archives, bulk loads, several ids."""

from datetime import timedelta

from probes.sandbox import customers, orders, sales, truth
from probes.sandbox.clock import DAY_US, HOUR_US, SECOND_US
from probes.sandbox.entities import major
from probes.sandbox.failures.spec import Fault, Given, fault
from probes.sandbox.failures.victims import entity_for, established, fresh_deal, fresh_invoice
from probes.sandbox.records import LOADER, crm_update
from probes.sandbox.world import Deal, Row, World


def rounding(world: World, key: str, given: Given) -> None:
    """N01."""
    step = world.rng("rounding", key).choice((-1, 1))
    invoice = fresh_invoice(world, key, given, {"delay_us": 600 * SECOND_US})

    def alter(row: Row) -> None:
        amount = major(step, invoice.currency)
        row.update(taxtotal=row["taxtotal"] + amount, foreigntotal=row["foreigntotal"] + amount)
        row["foreignamountunpaid"] = row["foreigntotal"] - row["foreignamountpaid"]
        subject = truth.invoice_subject(invoice)
        world.silent("N01", "rounding", subject, f"tax differs by {step} minor unit", invoice.entity.code)

    invoice.plan["alter"] = alter


def in_flight(world: World, key: str, given: Given) -> None:
    """N02."""
    rng = world.rng("flight", key)
    early_us = rng.randint(60, 900) * SECOND_US
    flow = given.get("flow") or rng.choice(("orders", "invoices"))
    if flow == "invoices":
        invoice = fresh_invoice(world, key, given, {"delay_us": truth.INVOICE_DEADLINE_US - early_us})
        world.silent(
            "N02", "in_flight", truth.invoice_subject(invoice), "posted just before its deadline", invoice.entity.code
        )
        return
    if flow != "orders":
        raise ValueError(f"flow {flow!r} of N02 is unknown: use orders or invoices")
    deal = fresh_deal(world, key, given)
    deal.plan["order_delay_us"] = truth.ORDER_DEADLINE_US - early_us
    sales.win(world, deal, later=False)
    world.silent("N02", "in_flight", truth.deal_subject(deal), "arrives just before its deadline", deal.entities[0])


def withdrawn(world: World, key: str, given: Given) -> None:
    """N06; the journal is written by the steps themselves."""
    rng = world.rng("withdrawn", key)
    variant = given.get("variant") or rng.choice(("withdrawn", "test", "zero"))
    if variant == "withdrawn":
        deal = fresh_deal(world, key, given)
        deal.plan["cancels"] = True
        sales.win(world, deal, later=False)
        world.after(rng.uniform(600, 2400), lambda: sales.cancel(world, deal))
    elif variant in ("test", "zero"):
        sales.win(world, fresh_deal(world, key, given, kind=variant), later=False)
    else:
        raise ValueError(f"variant {variant!r} of N06 is unknown: use withdrawn, test or zero")


def archive(world: World, key: str, given: Given) -> None:
    """N07: a deal and its order of up to two years ago, stamped then."""
    present_us = world.now_us
    past_us = present_us - world.rng("archive", key).randint(200 * DAY_US, 700 * DAY_US)
    entity = entity_for(world, key, given)
    customer = established(world, key, entity)
    world.now_us = past_us
    try:
        deal = sales.open_deal(world, key, customer, entities=[entity.code], currency=entity.currency)
        deal.won, deal.won_us = True, world.now_us
        owner = deal.row["OwnerId"]
        on = world.today(entity)
        changes = {"StageName": sales.WON, "IsClosed": True, "IsWon": True, "Revision__c": 1, "CloseDate": on}
        crm_update(world, deal.row, owner, Probability=100, **changes)
        sales.write_history(world, deal, owner)
        world.now_us += HOUR_US
        order = orders.deliver(world, deal, entity)
        if order is not None:  # the order lies in its own period, long closed by now
            order["postingperiod"] = orders.period_of(world, entity, on)
    finally:
        world.now_us = present_us
    world.silent("N07", "archive", truth.deal_subject(deal), f"a deal of {on}", entity.code)


def bulk_load(world: World, key: str, given: Given) -> None:
    """N08."""
    size = int(given.get("size", 60))
    if not 10 <= size <= 2000:
        raise ValueError("size of N08 must be 10..2000")
    entity = entity_for(world, key, given)
    for number in range(size):
        part = f"{key}/{number}"
        customer = established(world, part, entity)
        deal: Deal = sales.open_deal(
            world, part, customer, entities=[entity.code], currency=entity.currency, actor=LOADER
        )
        deal.plan |= {"order_delay_us": 6 * HOUR_US, "unbilled": True}
        closed_on = world.today(entity) - timedelta(days=world.rng("bulk", part).randint(200, 900))
        sales.win(world, deal, later=False, actor=LOADER, close_on=closed_on)
    entry = world.silent(
        "N08", "bulk_load", ("salesforce", "User", LOADER), f"{size} deals loaded at once", entity.code
    )
    world.journal.change(entry.id, repaired_us=world.now_us + 6 * HOUR_US)


def several_ids(world: World, key: str, given: Given) -> None:
    """N13; the journal is written by the steps themselves."""
    variant = given.get("variant") or world.rng("ids", key).choice(("reseller", "child", "currency"))
    if variant == "currency":
        sales.win(world, fresh_deal(world, key, {"entity": "NW-DE"}, currency="GBP"), later=False)
        return
    entity = entity_for(world, key, given)
    if variant == "reseller":
        partners = [r for r in world.resellers if r.entity is entity and entity.code in r.netsuite]
        if not partners:
            raise ValueError(f"no reseller of {entity.code} exists yet: advance the company first")
        deal = fresh_deal(world, key, {"entity": entity.code}, bill_to=world.rng("partner", key).choice(partners))
        sales.win(world, deal, later=False)
    elif variant == "child":
        parent = established(world, key, entity)
        child = customers.create(world, key, entity, parent=parent, pool=False)
        sales.win(
            world, sales.open_deal(world, key, child, entities=[entity.code], currency=entity.currency), later=False
        )
    else:
        raise ValueError(f"variant {variant!r} of N13 is unknown: use reseller, child or currency")


FAULTS: dict[str, Fault] = {
    "N01": fault("tax differs by one minor unit of rounding", "silent", rounding, "entity"),
    "N02": fault("a document is in flight until just before its deadline", "silent", in_flight, "entity", "flow"),
    "N06": fault("a deal is withdrawn everywhere, a test, or of zero value", "silent", withdrawn, "entity", "variant"),
    "N07": fault("documents of past years are there", "silent", archive, "entity"),
    "N08": fault("one actor loads `size` old deals, orders follow hours later", "silent", bulk_load, "entity", "size"),
    "N13": fault(
        "several ids, a reseller deal, a child billed by its parent", "silent", several_ids, "entity", "variant"
    ),
}
