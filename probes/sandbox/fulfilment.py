"""What does the ERP do with an order once it is there? Shipment of hardware and the plan of its revenue."""

from probes.sandbox.clock import SECOND_US
from probes.sandbox.entities import Entity, major
from probes.sandbox.randoms import heavy_us
from probes.sandbox.records import ERP_CLERK, erp_insert, erp_update
from probes.sandbox.world import Deal, Row, World

SHIP_CAP_SECONDS = 60 * 3600
PLAN_CAP_SECONDS = 18 * 3600
_HARDWARE = "NW-STORAGE"


def ships(deal: Deal, code: str) -> bool:
    """Tell whether the part of a deal that an entity delivers contains something to ship."""
    return any(line.product == _HARDWARE and line.entity == code for line in deal.lines) and deal.net_minor(code) > 0


def follow(world: World, deal: Deal, entity: Entity, order: Row) -> None:
    """Plan what follows a new order: its revenue plan within the day, its shipment within two and a half."""
    rng = world.rng("follow", deal.key, entity.code)
    planned_us, shipped_us = heavy_us(rng, 3600, PLAN_CAP_SECONDS), heavy_us(rng, 20 * 3600, SHIP_CAP_SECONDS)
    if "unplanned" not in deal.plan:
        world.at(world.now_us + planned_us, lambda: plan_revenue(world, deal, entity, order))
    if ships(deal, entity.code) and "unshipped" not in deal.plan:
        world.at(world.now_us + shipped_us, lambda: ship(world, deal, entity, order))


def ship(world: World, deal: Deal, entity: Entity, order: Row) -> Row | None:
    """Write the fulfilment of an order: the goods have left the house.

    Returns: None when there is nothing to ship any more or it has been shipped.
    """
    if order["status"] in ("A", "C") or order.get("shipstatus"):
        if order["status"] == "A":  # not approved yet: the warehouse waits
            world.after(1800, lambda: ship(world, deal, entity, order))
        return None
    number = world.next_number("netsuite.ItemShip")
    row = erp_insert(world, "transaction", {
        "type": "ItemShip", "status": "C", "tranid": f"IF{10_000 + number}", "externalid": None, "otherrefnum": None,
        "entity": order["entity"], "subsidiary": order["subsidiary"], "currency": order["currency"], "posting": "T",
        "exchangerate": order["exchangerate"], "trandate": world.today(entity), "postingperiod": order["postingperiod"],
        "foreigntotal": major(0, deal.currency), "createdfrom": order["id"], "shipstatus": "C", "approvalstatus": 2,
        "voided": "F", "memo": None,
    }, ERP_CLERK)  # fmt: skip
    link_id = world.next_number("netsuite.link")
    world.netsuite["transactionlinelink"][link_id] = {
        "id": link_id, "previousdoc": order["id"], "previousline": 0, "previoustype": "SalesOrd", "nextdoc": row["id"],
        "nextline": 0, "nexttype": "ItemShip", "linktype": "ShipRcpt", "foreignamount": None,
        "lastmodifieddate": world.now_us - world.now_us % SECOND_US,
    }  # fmt: skip
    order["shipstatus"] = "C"
    world.milestone("shipped", ("netsuite", "ItemShip", str(row["id"])), entity.code)
    return row


def plan_revenue(world: World, deal: Deal, entity: Entity, order: Row) -> Row | None:
    """Plan the revenue of a deal's order.

    Returns: None when it is cancelled or worth nothing.
    """
    known = deal.schedules.get(entity.code)
    if known is not None and known["createdfrom"] == order["id"]:
        return known
    if order["status"] == "C" or order["foreigntotal"] == 0:
        return None
    plan = plan_order(world, entity, order)
    deal.schedules.setdefault(entity.code, plan)
    return plan


def plan_order(world: World, entity: Entity, order: Row) -> Row:
    """Create the revenue arrangement of an order and the plan over its term, whoever wrote the order."""
    start, end = order.get("startdate") or order["trandate"], order.get("enddate")
    net, number = order["foreigntotal"], world.next_number("netsuite.RevArrng")
    arrangement = erp_insert(world, "transaction", {
        "type": "RevArrng", "status": "A", "tranid": f"RA{10_000 + number}", "externalid": None, "otherrefnum": None,
        "entity": order["entity"], "subsidiary": entity.subsidiary_id, "currency": order["currency"], "posting": "F",
        "exchangerate": order["exchangerate"], "trandate": order["trandate"], "postingperiod": order["postingperiod"],
        "foreigntotal": net, "netamount": net, "createdfrom": order["id"], "approvalstatus": 2, "voided": "F", "memo": None,
    })  # fmt: skip
    plan = erp_insert(world, "revenueplan", {
        "recordnumber": f"RP{10_000 + number}", "externalid": None, "createdfrom": order["id"],
        "revenuearrangement": arrangement["id"], "amount": net, "currency": order["currency"],
        "subsidiary": entity.subsidiary_id, "revrecstartdate": start, "revrecenddate": end, "status": "NOTSTARTED",
    })  # fmt: skip
    world.milestone("revenue_planned", ("netsuite", "revenueplan", str(plan["id"])), entity.code)
    return plan


def revise(world: World, deal: Deal, entity: Entity) -> None:
    """Let the revenue plan follow an order that was changed, within the day."""
    rng = world.rng("revise-plan", deal.key, entity.code, deal.row["Revision__c"])
    world.at(world.now_us + heavy_us(rng, 3600, PLAN_CAP_SECONDS), lambda: bring_plan_up_to_date(world, deal, entity))


def bring_plan_up_to_date(world: World, deal: Deal, entity: Entity) -> None:
    """Set arrangement and plan to what the order is worth."""
    plan, order = deal.schedules.get(entity.code), deal.orders.get(entity.code)
    if plan is None or order is None or "plan_frozen" in deal.plan:
        return
    arrangement = world.netsuite["transaction"][plan["revenuearrangement"]]
    if order["status"] == "C":
        erp_update(world, "revenueplan", plan, status="CANCELLED")
        erp_update(world, "transaction", arrangement, status="C")
    elif plan["amount"] != order["foreigntotal"]:
        erp_update(world, "revenueplan", plan, amount=order["foreigntotal"])
        erp_update(
            world, "transaction", arrangement, foreigntotal=order["foreigntotal"], netamount=order["foreigntotal"]
        )
