"""How do subscriptions and what they entitle to come apart? Each fault creates its own victim and writes its truth."""

from probes.sandbox import entitlements, fulfilment, orders, sales, subscriptions, truth
from probes.sandbox.clock import HOUR_US, MINUTE_US
from probes.sandbox.entities import BY_CODE, major
from probes.sandbox.failures.spec import Fault, Given, fault, variant_of
from probes.sandbox.failures.victims import fresh_deal, settled_deal
from probes.sandbox.records import crm_update, erp_update
from probes.sandbox.world import World


def not_entitled(world: World, key: str, given: Given) -> None:
    """S01."""
    deal = fresh_deal(world, key, given)
    deal.plan["unsent"] = set(deal.entities)
    sales.win(world, deal, later=False)
    code = deal.entities[0]
    orders.deliver(world, deal, BY_CODE[code])
    deal.plan["ungranted"] = True
    subscriptions.activate(world, deal, code)
    subscription = deal.subscriptions[code]
    truth.wrong(
        world, "S01", "missing_in_target", truth.subscription_subject(subscription), "active, entitles to nothing",
        money=truth.net(deal, code), due_us=world.now_us + entitlements.GRANT_US, at_once=False, entity=code,
        document=deal.id, mend=lambda: entitlements.grant(world, subscription),
    )  # fmt: skip


def still_entitled(world: World, key: str, given: Given) -> None:
    """S02: a subscription is cancelled, paused or downgraded, its entitlement stays."""
    variant = variant_of(world, key, given, "cancelled", "paused", "downgraded")
    more = {"product": "NW-SUPPORT"} if variant == "downgraded" else {}
    deal = settled_deal(world, key, given, **more)
    subscription = deal.subscriptions[deal.entities[0]]
    row = subscription.entitlement
    assert row is not None  # settled deals are entitled
    subscription.plan["entitlement_frozen"] = True

    def mend() -> None:
        subscription.plan.pop("entitlement_frozen")
        if variant == "downgraded":
            crm_update(world, row, Type="Standard")
        else:
            entitlements.follow(world, subscription)

    def change() -> None:
        if variant == "cancelled":
            subscriptions.cancel(world, subscription)
        elif variant == "paused":
            subscriptions.pause(world, subscription)
        else:
            subscriptions.swap_product(world, subscription, "NW-SUPPORT", "NW-CORE")
        truth.wrong(
            world, "S02", "attribute_differs", truth.subscription_subject(subscription), f"{variant}, entitled as before",
            due_us=world.now_us + entitlements.REVOKE_US, at_once=False, entity=subscription.entity.code,
            document=row["Id"], mend=mend,
        )  # fmt: skip

    world.at(world.now_us + 30 * MINUTE_US, change)


def schedule_wrong(world: World, key: str, given: Given) -> None:
    """S03: the revenue plan of an order is missing, or over another amount."""
    variant = variant_of(world, key, given, "missing", "amount")
    deal = fresh_deal(world, key, given)
    deal.plan |= {"unsent": set(deal.entities), "unplanned": True, "plan_frozen": True}
    sales.win(world, deal, later=False)
    entity = BY_CODE[deal.entities[0]]
    order = orders.deliver(world, deal, entity)
    assert order is not None  # an established customer is in the ERP
    subject = ("netsuite", "SalesOrd", str(order["id"]))
    if variant == "missing":
        truth.wrong(
            world, "S03", "missing_in_target", subject, "no revenue plan", money=truth.net(deal, entity.code),
            due_us=world.now_us + truth.GRACE_US, at_once=False, entity=entity.code, document=deal.id,
            mend=lambda: fulfilment.plan_revenue(world, deal, entity, order),
        )  # fmt: skip
        return
    plan = fulfilment.plan_revenue(world, deal, entity, order)
    assert plan is not None  # worth something
    step = max(2, deal.net_minor(entity.code) // 12)
    plan["amount"] += major(step, deal.currency)
    right = order["foreigntotal"]
    truth.wrong(
        world, "S03", "amount_differs", subject, f"revenue plan {plan['recordnumber']} is over {step} more",
        money=(step, deal.currency), due_us=world.now_us + truth.GRACE_US, entity=entity.code, document=str(plan["id"]),
        mend=lambda: erp_update(world, "revenueplan", plan, amount=right),
    )  # fmt: skip


def trial_not_followed(world: World, key: str, given: Given) -> None:
    """S06: a trial converts and CRM and entitlement do not follow, or it expires and stays entitled."""
    variant = variant_of(world, key, given, "converted", "expired")
    deal = fresh_deal(world, key, given, kind="trial")
    sales.win(world, deal, later=False)
    code = deal.entities[0]
    subscriptions.activate(world, deal, code)
    subscription = deal.subscriptions[code]
    entitlements.grant(world, subscription)
    subscription.plan |= {"entitlement_frozen": True, "trial_frozen": True}
    outcome = "Converted" if variant == "converted" else "Expired"

    def mend() -> None:
        subscription.plan.clear()
        entitlements.follow(world, subscription)
        crm_update(world, deal.row, Trial_Outcome__c=outcome)

    def end() -> None:
        subscriptions.end_trial(world, subscription, converts=variant == "converted")
        late_us = entitlements.GRANT_US if variant == "converted" else entitlements.REVOKE_US
        truth.wrong(
            world, "S06", "overdue" if variant == "converted" else "attribute_differs",
            truth.subscription_subject(subscription), f"trial {variant}, CRM and entitlement did not follow",
            due_us=world.now_us + late_us, at_once=False, entity=code, document=deal.id, mend=mend,
        )  # fmt: skip

    world.at(world.now_us + HOUR_US, end)


FAULTS: dict[str, Fault] = {
    "S01": fault("a subscription is active, nothing is entitled", "missing_in_target: subscription", not_entitled, "entity", "customer"),
    "S02": fault(
        "a subscription ended or shrank, the entitlement did not", "attribute_differs: subscription", still_entitled,
        "entity", "customer", "variant",
    ),
    "S03": fault(
        "the revenue plan of an order is missing or differs", "missing_in_target or amount_differs: SalesOrd", schedule_wrong,
        "entity", "customer", "variant",
    ),
    "S06": fault(
        "a trial ended, the others did not follow", "overdue or attribute_differs: subscription", trial_not_followed,
        "entity", "customer", "variant",
    ),
}  # fmt: skip
