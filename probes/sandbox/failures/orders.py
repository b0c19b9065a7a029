"""How do orders fail to arrive as they should? Each fault creates its own victim and writes the truth about it."""

from probes.sandbox import contracts, fulfilment, orders, runtime, sales, subscriptions, truth
from probes.sandbox.clock import HOUR_US, MINUTE_US, SECOND_US
from probes.sandbox.entities import BY_CODE, Entity, major
from probes.sandbox.failures.spec import Fault, Given, NotYetError, fault, variant_of
from probes.sandbox.failures.victims import entity_for, established, fresh_deal, settled_deal
from probes.sandbox.records import ERP_CLERK, erp_insert, erp_update
from probes.sandbox.world import Deal, Row, World


def order_lost(world: World, key: str, given: Given) -> None:
    """O01."""
    deal = fresh_deal(world, key, given)
    deal.plan["unsent"] = set(deal.entities)
    sales.win(world, deal, later=False)
    entry = truth.order_missing(world, deal, deal.entities[0], fault="O01")
    world.repairs[entry.id] = lambda: deliver(world, deal)


def order_late(world: World, key: str, given: Given) -> None:
    """O02."""
    late = float(given.get("late_seconds", world.rng("late", key).uniform(120, 2 * 3600)))
    deal = fresh_deal(world, key, given)
    deal.plan["order_delay_us"] = truth.ORDER_DEADLINE_US + int(late * SECOND_US)
    sales.win(world, deal, later=False)
    entry = truth.order_missing(world, deal, deal.entities[0], fault="O02")
    note = f"order arrives {late:.0f} s after its deadline"
    deal.missing[deal.entities[0]] = world.journal.change(entry.id, kind="late", note=note)
    world.repairs[entry.id] = lambda: deliver(world, deal)


def order_twice(world: World, key: str, given: Given) -> None:
    """O06: a replay some minutes later writes the order once more."""
    deal = settled_deal(world, key, given)
    entity = BY_CODE[deal.entities[0]]

    def replay() -> None:
        second = orders.create_again(world, deal, entity)
        payload = {"opportunity_id": deal.id, "legal_entity": entity.code, "revision": deal.row["Revision__c"]}
        message = runtime.publish(world, "orders", (deal.key, "again"), payload)
        runtime.consume(world, message)
        truth.wrong(
            world, "O06", "duplicate", truth.deal_subject(deal), f"orders {deal.orders[entity.code]['id']} and {second['id']}",
            money=truth.net(deal, entity.code), entity=entity.code, document=str(second["id"]),
            mend=lambda: orders.cancel(world, deal, entity.code, second),
        )  # fmt: skip

    world.at(world.now_us + world.rng("replay", key).randint(3, 50) * MINUTE_US, replay)


def order_stands(world: World, key: str, given: Given) -> None:
    """O09: hours after its win the deal is lost again; billing follows, the ERP does not."""
    deal = settled_deal(world, key, given)
    code = deal.entities[0]

    def lose_again() -> None:
        sales.unwin(world, deal)
        for subscription in deal.subscriptions.values():
            subscriptions.cancel(world, subscription)
        truth.wrong(
            world, "O09", "not_reversed", truth.deal_subject(deal), f"order {deal.orders[code]['id']} stands",
            money=truth.net(deal, code), entity=code, due_us=world.now_us + truth.REVERSAL_DEADLINE_US, at_once=False,
            document=str(deal.orders[code]["id"]), mend=lambda: orders.cancel(world, deal, code, deal.orders[code]),
        )  # fmt: skip

    world.at(world.now_us + 5 * HOUR_US, lose_again)


def amendment_lost(world: World, key: str, given: Given) -> None:
    """O10."""
    entity = entity_for(world, key, given)
    settled = [d for d in world.deals.values() if _amendable(world, d, entity)]
    if not settled:
        raise NotYetError(f"no settled deal of {entity.code} to amend: advance the company first")
    deal = world.rng("victim", key).choice(settled)
    delta = sales.amend(world, deal, handed_over=False)
    due_us = world.now_us + truth.ORDER_DEADLINE_US
    entry = truth.wrong(
        world, "O10", "stale_revision", truth.deal_subject(deal),
        f"ERP keeps revision {deal.order_revisions[entity.code]}, the deal is at {deal.row['Revision__c']}",
        money=(abs(delta), deal.currency), due_us=due_us, at_once=False, entity=entity.code,
        mend=lambda: deliver(world, deal),
    )  # fmt: skip
    deal.missing[entity.code] = entry


def part_lost(world: World, key: str, given: Given) -> None:
    """O11: a deal of two entities; the order of the second is missing, or less than its lines."""
    kind = variant_of(world, key, given, "missing", "short")
    entity = entity_for(world, key, given)
    other = world.rng("other", key).choice([e for e in BY_CODE.values() if e is not entity])
    more = {"entities": [entity.code, other.code], "customer": established(world, key, entity, given)}
    if kind == "missing":
        deal = fresh_deal(world, key, {"entity": entity.code}, **more)
        deal.plan["unsent"] = {other.code}
        sales.win(world, deal, later=False)
        entry = truth.order_missing(world, deal, other.code, fault="O11")
        world.repairs[entry.id] = lambda: orders.deliver(world, deal, other)
        return
    deal = settled_deal(world, key, {"entity": entity.code}, **more)
    alter_order(world, "O11", deal, other, -max(2, deal.net_minor(other.code) // 4))


def alter_order(world: World, fault_id: str, deal: Deal, entity: Entity, step_minor: int) -> None:
    """Make an order differ from its deal from its creation on."""
    order, step = deal.orders[entity.code], major(step_minor, deal.currency)
    order.update(foreigntotal=order["foreigntotal"] + step, netamount=order["netamount"] + step)
    for number in (0, 1):
        line = world.netsuite["transactionline"][(order["id"], number)]
        line["foreignamount"] += step

    def mend() -> None:
        right = major(deal.net_minor(entity.code), deal.currency)
        erp_update(world, "transaction", order, foreigntotal=right, netamount=right)
        orders.rewrite_lines(world, deal, entity)

    truth.wrong(
        world, fault_id, "amount_differs", truth.deal_subject(deal), f"order {order['id']} differs by {step}",
        money=(abs(step_minor), deal.currency), entity=entity.code, document=str(order["id"]), mend=mend,
    )  # fmt: skip


def order_by_hand(world: World, key: str, given: Given) -> None:
    """O12: nothing is sent; a clerk keys the order within the hour, without a reference to anything."""
    deal = fresh_deal(world, key, given)
    entity = BY_CODE[deal.entities[0]]
    deal.plan["unsent"] = set(deal.entities)
    sales.win(world, deal, later=False)
    entry = truth.order_missing(world, deal, entity.code, fault="O12")
    made: list[Row] = []

    def type_in() -> None:
        made.append(_keyed(world, deal, entity))
        world.after(1800, lambda: fulfilment.plan_revenue(world, deal, entity, made[0]))
        world.journal.change(entry.id, document=str(made[0]["id"]), note=f"keyed by hand as order {made[0]['id']}")

    world.at(world.now_us + world.rng("by-hand", key).randint(10, 55) * MINUTE_US, type_in)

    def mend() -> None:
        if not made:
            deliver(world, deal)
            return
        names = {"custbody_sf_opportunity": deal.id, "otherrefnum": deal.row["PO_Number__c"]}
        erp_update(world, "transaction", made[0], ERP_CLERK, **names, custbody_sf_revision=deal.row["Revision__c"])
        deal.orders[entity.code], deal.order_revisions[entity.code] = made[0], deal.row["Revision__c"]

    world.repairs[entry.id] = mend


def _keyed(world: World, deal: Deal, entity: Entity) -> Row:
    """Key an order as a clerk does: customer, date and amount, and a word for himself."""
    payer = deal.bill_to.netsuite[entity.code]
    net = major(deal.net_minor(entity.code), deal.currency)
    row = {
        "type": "SalesOrd", "externalid": None, "custbody_sf_opportunity": None, "custbody_sf_revision": None,
        "otherrefnum": None, "status": "B", "foreigntotal": net, "netamount": net, "taxtotal": major(0, deal.currency),
        "memo": "by phone", "posting": "F", "approvalstatus": 2,
        "tranid": f"SO{10_000 + world.next_number('netsuite.SalesOrd')}",
    } | orders.document(world, entity, payer, deal.currency)  # fmt: skip
    order = erp_insert(world, "transaction", row | contracts.no_columns(), ERP_CLERK)
    lines = [line for line in deal.lines if line.entity == entity.code]
    body = [("F", n, line.product, line.quantity, line.total_minor) for n, line in enumerate(lines, start=1)]
    orders.write_lines(world, order, entity, deal.currency, [("T", 0, None, None, deal.net_minor(entity.code)), *body])
    return order


def run_without_effect(world: World, key: str, given: Given) -> None:
    """E07: the run says success, the ERP shows nothing."""
    deal = fresh_deal(world, key, given)
    deal.plan["unsent"] = set(deal.entities)
    sales.win(world, deal, later=False)
    code = deal.entities[0]
    payload = {"opportunity_id": deal.id, "legal_entity": code, "revision": deal.row["Revision__c"]}
    message = runtime.publish(world, "orders", (deal.key, code), payload)
    world.after(900, lambda: runtime.consume(world, message))
    entry = truth.order_missing(world, deal, code, fault="E07")
    world.repairs[entry.id] = lambda: deliver(world, deal)


def _amendable(world: World, deal: Deal, entity: Entity) -> bool:
    code = entity.code
    return (
        deal.won
        and deal.contract is not None  # one of the archive is nobody's business any more
        and deal.entities == [code]
        and deal.won_us < world.now_us - 5 * HOUR_US
        and deal.order_revisions.get(code) == deal.row["Revision__c"]
        and not deal.missing
        and not deal.plan
        and deal.net_minor() > 0
        and deal.row["SystemModstamp"] < world.now_us - 5 * HOUR_US
    )


def deliver(world: World, deal: Deal) -> None:
    """Write every order of a deal into the ERP."""
    for code in deal.entities:
        orders.deliver(world, deal, BY_CODE[code])


FAULTS: dict[str, Fault] = {
    "O01": fault(
        "a won order never reaches the ERP, no log anywhere", "missing_in_target: Opportunity", order_lost,
        "entity", "customer",
    ),
    "O02": fault(
        "an order is late by `late_seconds`", "late: Opportunity", order_late, "entity", "customer", "late_seconds",
    ),
    "O06": fault("a replay creates the order twice", "duplicate: Opportunity", order_twice, "entity", "customer"),
    "O09": fault("a deal is un-won, its order stands", "not_reversed: Opportunity", order_stands, "entity", "customer"),
    "O10": fault("a deal is amended, the ERP keeps the former revision", "stale_revision: Opportunity", amendment_lost, "entity"),
    "O11": fault(
        "of two entities' orders one is missing or short", "missing_in_target or amount_differs: Opportunity", part_lost,
        "entity", "customer", "variant",
    ),
    "O12": fault("an order is keyed by hand without a reference", "missing_in_target: Opportunity", order_by_hand, "entity"),
}  # fmt: skip
