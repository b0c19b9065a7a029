"""How does a won deal become sales orders in the ERP, one per entity? Hand-over, revisions, withdrawal; no invoices."""

from collections.abc import Sequence
from datetime import date

from probes.sandbox import contracts, customers, fulfilment, runtime, truth
from probes.sandbox.catalog import BY_CODE as PRODUCT_BY_CODE
from probes.sandbox.clock import local_date
from probes.sandbox.entities import BY_CODE, CURRENCY_IDS, Entity, exchange_rate, major, periods
from probes.sandbox.randoms import dirty_salesforce_id, heavy_us
from probes.sandbox.records import ERP_CLERK, erp_insert, erp_update
from probes.sandbox.world import Deal, Row, World

_CAP_SECONDS = 3 * 3600 + 20 * 60
PENDING_APPROVAL, PENDING_FULFILMENT, CANCELLED, BILLED = "A", "B", "C", "G"


def hand_over(world: World, deal: Deal) -> None:
    """Send the revision in force to the ERP, one message per entity."""
    if deal.row["Is_Test__c"]:
        world.silent(
            "N06", "test_record", truth.deal_subject(deal), "test deal, never handed over", deal.customer.entity.code
        )
        return
    if deal.row["Handover__c"] == "None":
        kind = "trial" if deal.row["Type"] == "Trial" else "zero_value"
        world.silent("N06", kind, truth.deal_subject(deal), "no order by policy", deal.customer.entity.code)
        return
    for code in deal.entities:
        block = customers.block_of(deal.bill_to, BY_CODE[code])
        if block is not None:
            truth.order_missing(world, deal, code, cause=block)
        if code not in deal.plan.get("unsent", ()):
            _send(world, deal, BY_CODE[code])


def _send(world: World, deal: Deal, entity: Entity) -> None:
    revision = deal.row["Revision__c"]
    payload = {
        "opportunity_id": deal.id,
        "legal_entity": entity.code,
        "revision": revision,
        "po_number": deal.row["PO_Number__c"],
    }
    message = runtime.publish(world, "orders", (deal.key, entity.code, revision), payload)

    def handle() -> None:
        if "instead" in deal.plan:
            deal.plan["instead"](message)
            return
        order = deliver(world, deal, entity)
        runtime.consume(world, message, None if order else "not won any more, or customer not in the ERP")
        if order is not None:
            runtime.maybe_again(world, message, truth.deal_subject(deal), lambda: deliver(world, deal, entity))

    delay_us = deal.plan.get("order_delay_us")
    if delay_us is not None:
        world.at(world.now_us + delay_us, handle)
    else:
        runtime.carry(world, message, 480, _CAP_SECONDS, entity.zone, handle)


def deliver(world: World, deal: Deal, entity: Entity) -> Row | None:
    """Write the revision in force into the ERP.

    Returns: the order, or None when the deal is not won any more or its customer is kept out of the ERP.
    """
    if not deal.won:
        return None
    payer = customers.in_erp(world, deal.bill_to, entity)
    if payer is None:
        deal.bill_to.blocked.append(lambda: deliver(world, deal, entity))
        return None
    revision = deal.row["Revision__c"]
    order = deal.orders.get(entity.code)
    if order is None:
        order = _create(world, deal, entity, payer)
        world.milestone("order_in_erp", ("netsuite", "SalesOrd", str(order["id"])), entity.code)
    elif deal.order_revisions[entity.code] != revision:
        total = major(deal.net_minor(entity.code), deal.currency)
        erp_update(world, "transaction", order, foreigntotal=total, netamount=total, custbody_sf_revision=revision)
        _write_lines(world, deal, entity, order)
        fulfilment.revise(world, deal, entity)
        world.milestone("order_revised", ("netsuite", "SalesOrd", str(order["id"])), entity.code)
    deal.order_revisions[entity.code] = revision
    if entity.code in deal.missing:
        world.journal.repaired(deal.missing.pop(entity.code).id, world.now_us)
    return order


def withdraw(world: World, deal: Deal) -> None:
    """Cancel the orders of a withdrawn deal soon."""
    rng = world.rng("withdraw", deal.key)
    for code, order in deal.orders.items():
        world.after(rng.uniform(120, 1500), lambda c=code, o=order: cancel(world, deal, c, o))  # type: ignore[misc]


def create_again(world: World, deal: Deal, entity: Entity) -> Row:
    """Write an order into the ERP a second time, as a replay without a key does."""
    first = deal.orders[entity.code]
    second = _create(world, deal, entity, world.netsuite["customer"][first["entity"]])
    second["externalid"] = None  # the ERP refuses the same one twice
    deal.orders[entity.code] = first
    return second


def cancel(world: World, deal: Deal, code: str, order: Row) -> None:
    """Cancel an order; its revenue plan follows."""
    erp_update(world, "transaction", order, status=CANCELLED)
    fulfilment.revise(world, deal, BY_CODE[code])


def _create(world: World, deal: Deal, entity: Entity, payer: Row) -> Row:
    rng = world.rng("order", deal.key, entity.code)
    single = len(deal.entities) == 1
    external: str | None = deal.id if single else f"{deal.id}-{entity.code}"
    about: str | None = deal.id
    if rng.random() < 0.10:
        about = dirty_salesforce_id(rng, deal.id)
    if single and rng.random() < 0.10:
        external = dirty_salesforce_id(rng, deal.id)
    if single and rng.random() < 0.02:
        external = about = None  # still found through the purchase order number
    net = major(deal.net_minor(entity.code), deal.currency)
    pending = rng.random() < 0.15 or "unapproved" in deal.plan
    row = {
        "type": "SalesOrd", "externalid": external, "custbody_sf_opportunity": about,
        "custbody_sf_revision": deal.row["Revision__c"], "otherrefnum": deal.row["PO_Number__c"],
        "status": PENDING_APPROVAL if pending else PENDING_FULFILMENT, "foreigntotal": net, "netamount": net,
        "taxtotal": major(0, deal.currency), "memo": None, "posting": "F",
        "approvalstatus": 1 if pending else 2,
    } | document(world, entity, payer, deal.currency) | contracts.erp_columns(deal)  # fmt: skip
    if deal.bill_to is not deal.customer:
        sold_to = deal.customer.netsuite.get(entity.code) or deal.customer.netsuite.get(deal.customer.entity.code)
        row["custbody_end_customer"] = sold_to["id"] if sold_to else None
        kind = "reseller" if deal.row["Type"] == "Reseller" else "billed_through_parent"
        world.silent(
            "N13",
            kind,
            truth.deal_subject(deal),
            f"sold to {deal.customer.id}, billed to {deal.bill_to.id}",
            entity.code,
        )
    row["tranid"] = f"SO{10_000 + world.next_number('netsuite.SalesOrd')}"
    order = erp_insert(world, "transaction", row)
    deal.orders[entity.code] = order
    _write_lines(world, deal, entity, order)
    if pending:
        wait_seconds = rng.uniform(300, 3600)
        if "unapproved" not in deal.plan:
            world.after(wait_seconds, lambda: approve(world, order))
    if rng.random() < 0.1:
        world.at(world.now_us + heavy_us(rng, 86_400, 9 * 86_400), lambda: touch(world, order))
    fulfilment.follow(world, deal, entity, order)
    return order


def document(world: World, entity: Entity, payer: Row, currency: str, on: date | None = None) -> Row:
    """Return the columns that every ERP document carries."""
    day = on or world.today(entity)
    return {
        "entity": payer["id"], "subsidiary": entity.subsidiary_id, "currency": CURRENCY_IDS[currency], "trandate": day,
        "exchangerate": exchange_rate(currency, entity.currency), "postingperiod": open_period(world, entity, day),
        "voided": "F", "terms": payer.get("terms"), "custbody_end_customer": None,
    }  # fmt: skip


def open_period(world: World, entity: Entity, day: date) -> int:
    """Return the id of the period that takes a document of this day: its own while open, else the next open one."""
    return int(next(p["id"] for p in _periods(world, entity) if p["enddate"] >= day and p["arlocked"] == "F"))


def period_of(world: World, entity: Entity, day: date) -> int:
    """Return the id of the period a day belongs to, open or not."""
    return int(next(p["id"] for p in _periods(world, entity) if p["enddate"] >= day))


def period_after(world: World, entity: Entity, day: date) -> int:
    """Return the id of the period after the one a day belongs to."""
    return int([p["id"] for p in _periods(world, entity) if p["enddate"] >= day][1])


def _periods(world: World, entity: Entity) -> list[Row]:
    return world.periods[entity.calendar]


def lay_out_periods(world: World, year: int) -> None:
    """Create the accounting periods of a year in both calendars, with their closing on the agenda."""
    for calendar in ("month", "4-4-5"):
        for period in periods(calendar, year):
            number = world.next_number("netsuite.period")
            row: Row = {"id": number, "periodname": period.name, "startdate": period.start_on, "enddate": period.end_on}
            row |= {"closed": "F", "arlocked": "F", "isposting": "T", "isquarter": "F", "isyear": "F"}
            row |= {"fiscalcalendar": calendar, "lastmodifieddate": world.now_us}
            world.netsuite["accountingperiod"][number] = row
            world.periods.setdefault(calendar, []).append(row)  # years are laid out in order


def close_periods(world: World) -> None:
    """Close every period that ended more than five days ago."""
    today = local_date(world.now_us, "UTC")
    for row in world.netsuite["accountingperiod"].values():
        if row["closed"] == "F" and (today - row["enddate"]).days > 5:
            row.update(closed="T", arlocked="T", lastmodifieddate=world.now_us)


def touch(world: World, row: Row) -> None:
    """Let a clerk correct a memo, so that only the stamp moves."""
    erp_update(world, "transaction", row, ERP_CLERK, memo=f"checked {world.now_us // 1_000_000}")


def approve(world: World, order: Row) -> None:
    """Approve an order that waits for it."""
    if order["status"] == PENDING_APPROVAL:
        erp_update(world, "transaction", order, ERP_CLERK, status=PENDING_FULFILMENT, approvalstatus=2)


def rewrite_lines(world: World, deal: Deal, entity: Entity) -> None:
    """Write the lines of an order as its deal has them."""
    _write_lines(world, deal, entity, deal.orders[entity.code])


def _write_lines(world: World, deal: Deal, entity: Entity, order: Row) -> None:
    lines: list[tuple[str, int, str | None, int | None, int]] = [("T", 0, None, None, deal.net_minor(entity.code))]
    mine = [line for line in deal.lines if line.entity == entity.code]
    lines += [("F", n, line.product, line.quantity, line.total_minor) for n, line in enumerate(mine, start=1)]
    write_lines(world, order, entity, deal.currency, lines)


def write_lines(
    world: World,
    document_row: Row,
    entity: Entity,
    currency: str,
    lines: Sequence[tuple[str, int, str | None, int | None, int]],
) -> None:
    """Write the transaction lines of a document: (mainline, number, product, quantity, net in minor units)."""
    items = {item["itemid"]: item["id"] for item in world.netsuite["item"].values()}
    for mainline, number, product, quantity, net_minor in lines:
        key = (document_row["id"], number)
        world.netsuite["transactionline"][key] = {
            "uniquekey": document_row["id"] * 100 + number, "transaction": document_row["id"], "id": number,
            "linesequencenumber": number, "mainline": mainline, "item": items.get(product) if product else None,
            "quantity": quantity, "foreignamount": major(net_minor, currency), "subsidiary": entity.subsidiary_id,
            "memo": PRODUCT_BY_CODE[product].name if product else None, "createdfrom": document_row.get("createdfrom"),
            "linelastmodifieddate": world.now_us,
        }  # fmt: skip
