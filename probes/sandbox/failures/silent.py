"""What looks like a failure and is none? Rounding, flight, withdrawal, archives, bulk loads, several ids."""

from datetime import timedelta

from probes.sandbox import billing, customers, orders, payments, runtime, sales, support, truth
from probes.sandbox.clock import DAY_US, HOUR_US, SECOND_US, local_date, local_us
from probes.sandbox.entities import BY_CODE, major
from probes.sandbox.failures.invoices import posted_soon
from probes.sandbox.failures.nights import free_night
from probes.sandbox.failures.receivables import second_invoice
from probes.sandbox.failures.spec import Fault, Given, NotYetError, fault, one_of
from probes.sandbox.failures.victims import entity_for, established, fresh_deal, fresh_invoice, settled_deal
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
            raise NotYetError(f"no reseller of {entity.code} exists yet: advance the company first")
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


MAINTENANCE = {"zendesk": 2, "netsuite": 5}
"""At which hour UTC a platform may be maintained every day, for half an hour."""
MAINTENANCE_SECONDS = 1800


def off_hours(world: World, key: str, given: Given) -> None:
    """N03: a case is opened at eight in the evening and waits until the desk opens."""
    customer = established(world, key, entity_for(world, key, given), given)
    customers.in_support(world, customer)
    zone = customer.entity.zone
    evening_us = local_us(local_date(world.now_us, zone) + timedelta(days=1), zone, 20)
    world.at(evening_us, lambda: support.open_ticket(world, key, customer))


def maintained(world: World, key: str, given: Given) -> None:
    """N04: a platform is down within its next maintenance window."""
    name = one_of(
        "platform", str(given.get("platform") or world.rng("kept", key).choice(tuple(MAINTENANCE))), tuple(MAINTENANCE)
    )
    day = local_date(world.now_us, "UTC")
    starts_us = local_us(day, "UTC", MAINTENANCE[name])
    if starts_us <= world.now_us:
        starts_us = local_us(day + timedelta(days=1), "UTC", MAINTENANCE[name])
    condition: Row = {"kind": "down", "variant": "503"}

    def begin() -> None:
        world.conditions[name].append(condition)
        entry = world.silent("N04", "maintenance", (name, "platform", name), "down in its maintenance window")
        world.journal.change(entry.id, repaired_us=world.now_us + MAINTENANCE_SECONDS * SECOND_US)

    def end() -> None:
        world.conditions[name] = [c for c in world.conditions[name] if c is not condition]

    world.at(starts_us, begin)
    world.at(starts_us + MAINTENANCE_SECONDS * SECOND_US, end)


def delivered_twice(world: World, key: str, given: Given) -> None:
    """N05: the message of an order comes again some minutes after it was delivered."""
    deal = settled_deal(world, key, given)
    entity = BY_CODE[deal.entities[0]]
    payload = {"opportunity_id": deal.id, "legal_entity": entity.code, "revision": deal.row["Revision__c"]}
    message = runtime.publish(world, "orders", (deal.key, "twice"), payload)
    runtime.consume(world, message)
    subject = truth.deal_subject(deal)
    world.after(600, lambda: runtime.again(world, message, subject, lambda: orders.deliver(world, deal, entity)))


def instalments(world: World, key: str, given: Given) -> None:
    """N09: an invoice is paid in three instalments; the journal is written by the payments themselves."""
    invoice = posted_soon(world, key, given)
    total = int(invoice.row["total"])
    for number, amount in enumerate((total // 3, total // 3, total - 2 * (total // 3)), start=1):
        when = world.now_us + number * 6 * HOUR_US
        world.at(when, lambda a=amount: payments.pay(world, invoice, a, "customer_balance"))  # type: ignore[misc]


def paid_together(world: World, key: str, given: Given) -> None:
    """N10: one transfer pays two invoices and is split as it should be."""
    first = posted_soon(world, key, given)
    second = second_invoice(world, key, first)

    def pay() -> None:
        intent = payments.pay_together(world, [first, second])
        world.silent(
            "N10", "one_payment", ("stripe", "payment_intent", intent["id"]), "pays two invoices", first.entity.code
        )

    world.at(world.now_us + HOUR_US, pay)


def rebilled(world: World, key: str, given: Given) -> None:
    """N11: an invoice is credited and billed again; both halves arrive."""
    invoice = posted_soon(world, key, given)
    world.at(world.now_us + 2 * HOUR_US, lambda: billing.credit_and_rebill(world, invoice))


def retried(world: World, key: str, given: Given) -> None:
    """N12: a card is declined once and charged a day or two later."""
    invoice = posted_soon(world, key, given, declined=True)

    def try_once() -> None:
        payments.attempt(world, invoice, 1)
        invoice.plan.pop("declined")

    world.at(world.now_us + HOUR_US, try_once)


def long_night(world: World, key: str, given: Given) -> None:
    """N15: a night's batch takes as long as at a month's end, inside its window."""
    free_night(world, entity_for(world, key, given)).plan["long"] = True


def rewon(world: World, key: str, given: Given) -> None:
    """N16: a deal is re-opened half an hour after its win and won again before its order was due."""
    deal = fresh_deal(world, key, given)
    sales.win(world, deal, later=False)
    world.after(1800, lambda: sales.reopen(world, deal))


FAULTS: dict[str, Fault] = {
    "N01": fault("tax differs by one minor unit of rounding", "silent", rounding, "entity", "customer"),
    "N02": fault("a document is in flight until just before its deadline", "silent", in_flight, "entity", "flow"),
    "N03": fault("a case comes when the desk is closed", "silent", off_hours, "entity", "customer"),
    "N04": fault("a platform is down in its maintenance window", "silent", maintained, "platform"),
    "N05": fault("a message comes twice", "silent", delivered_twice, "entity", "customer"),
    "N06": fault("a deal is withdrawn everywhere, a test, or of zero value", "silent", withdrawn, "entity", "variant"),
    "N07": fault("documents of past years are there", "silent", archive, "entity"),
    "N08": fault("one actor loads `size` old deals, orders follow hours later", "silent", bulk_load, "entity", "size"),
    "N09": fault("an invoice is paid in instalments", "silent", instalments, "entity", "customer"),
    "N10": fault("one payment pays two invoices", "silent", paid_together, "entity", "customer"),
    "N11": fault("an invoice is credited and billed again", "silent", rebilled, "entity", "customer"),
    "N12": fault("a payment is in retry", "silent", retried, "entity", "customer"),
    "N13": fault(
        "several ids, a reseller deal, a child billed by its parent", "silent", several_ids, "entity", "variant"
    ),
    "N15": fault("a batch takes as long as at a month's end", "silent", long_night, "entity"),
    "N16": fault("a deal is re-opened and won again in time", "silent", rewon, "entity", "customer"),
}
