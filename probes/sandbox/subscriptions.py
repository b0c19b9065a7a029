"""How does a won deal become a subscription, and how does that live? Activation, cycles, changes, trials, ends; no invoices."""

from dataclasses import replace
from datetime import datetime

from probes.sandbox import billing, catalog, contracts, customers, entitlements
from probes.sandbox.clock import SECOND_US, to_instant, to_us
from probes.sandbox.entities import BY_CODE
from probes.sandbox.randoms import heavy_us, stripe_id
from probes.sandbox.records import billing_event, billing_insert, billing_update, crm_update
from probes.sandbox.world import Deal, Row, Subscription, World

_ACTIVATION_CAP_SECONDS = 50 * 60
_TRIAL_DAYS = 14


def activate_soon(world: World, deal: Deal) -> None:
    """Plan the activation of what was won, well within the hour."""
    rng = world.rng("activate", deal.key, deal.row["Revision__c"])
    for code in deal.entities:
        delay = 50 * 60 * SECOND_US if deal.plan.get("cancels") else heavy_us(rng, 240, _ACTIVATION_CAP_SECONDS)
        world.at(world.now_us + delay, lambda c=code: activate(world, deal, c))  # type: ignore[misc]


def activate(world: World, deal: Deal, code: str) -> None:
    """Create the subscription of one entity unless the deal was lost again or already has it."""
    if not deal.won or code in deal.subscriptions:
        return
    entity = BY_CODE[code]
    payer = customers.in_billing(world, deal.bill_to, deal.currency)
    trial = deal.row["Type"] == "Trial"
    key = f"{deal.key}/{code}"
    identifier = stripe_id("sub", world.seed, key)
    start = world.now_us // SECOND_US
    row: Row = {
        "id": identifier, "object": "subscription", "customer": payer["id"], "status": "trialing" if trial else "active",
        "currency": deal.currency.lower(), "collection_method": deal.collection, "billing_cycle_anchor": start,
        "cancel_at": None, "cancel_at_period_end": False, "canceled_at": None, "ended_at": None, "latest_invoice": None,
        "start_date": start, "trial_start": start if trial else None, "description": None, "test_clock": None,
        "trial_end": start + _TRIAL_DAYS * 86_400 if trial else None, "pause_collection": None,
        "days_until_due": 30 if deal.collection == "send_invoice" else None,
        "metadata": {"salesforce_opportunity_id": deal.id, "legal_entity": code} | contracts.terms(deal),
    }  # fmt: skip
    subscription = Subscription(key, row, deal, entity)
    row["items"] = _items(world, subscription, start)
    billing_insert(world, row, "customer.subscription.created")
    deal.subscriptions[code] = subscription
    world.milestone("subscription_active", ("stripe", "subscription", identifier), code)
    entitlements.grant_soon(world, subscription)
    if trial:
        world.after(_TRIAL_DAYS * 86_400, lambda: end_trial(world, subscription))
        return
    if world.in_history():
        billing.bill(world, subscription, "subscription_create")
    _plan_next_cycle(world, subscription)


def change_items_soon(world: World, deal: Deal) -> None:
    """Let billing follow an amendment within the hour; the next invoice bills the new quantity."""
    rng = world.rng("items", deal.key, deal.row["Revision__c"])
    for subscription in deal.subscriptions.values():
        if subscription.live:
            delay = heavy_us(rng, 300, _ACTIVATION_CAP_SECONDS)
            world.at(world.now_us + delay, lambda s=subscription: _change_items(world, s))  # type: ignore[misc]


def cancel_all(world: World, deal: Deal) -> None:
    """Cancel what a withdrawn deal had already activated."""
    for subscription in deal.subscriptions.values():
        cancel(world, subscription)


def cancel(world: World, subscription: Subscription) -> None:
    """Cancel a subscription at once."""
    if subscription.live:
        subscription.live = False
        now = world.now_us // SECOND_US
        changes = {"status": "canceled", "canceled_at": now, "ended_at": now}
        billing_update(world, subscription.row, "customer.subscription.deleted", **changes)
        entitlements.follow_soon(world, subscription)


def swap_product(world: World, subscription: Subscription, former: str, product: str) -> None:
    """Change what a subscription contains, at the price agreed; it entitles to something else from now on."""
    deal = subscription.deal
    deal.lines = [replace(line, product=product) if line.product == former else line for line in deal.lines]
    _change_items(world, subscription)
    entitlements.follow_soon(world, subscription)


def pause(world: World, subscription: Subscription) -> None:
    """Pause a subscription: it bills nothing and entitles to nothing until it is resumed."""
    if subscription.live and subscription.row["status"] == "active":
        held = {"behavior": "void", "resumes_at": None}
        billing_update(world, subscription.row, "customer.subscription.updated", pause_collection=held)
        entitlements.follow_soon(world, subscription)


def resume(world: World, subscription: Subscription) -> None:
    """Resume a paused subscription."""
    if subscription.live and subscription.row["pause_collection"] is not None:
        billing_update(world, subscription.row, "customer.subscription.updated", pause_collection=None)
        entitlements.follow_soon(world, subscription)


def end_trial(world: World, subscription: Subscription, converts: bool | None = None) -> None:
    """End a trial: two in five become customers, the others are cancelled; CRM and entitlement follow."""
    if not subscription.live or subscription.row["status"] != "trialing":
        return
    rng = world.rng("trial", subscription.key)
    drawn = rng.random() < 0.4
    converts = drawn if converts is None else converts
    if converts:
        billing_update(world, subscription.row, "customer.subscription.updated", status="active")
        entitlements.follow_soon(world, subscription)
        world.milestone("trial_converted", ("stripe", "subscription", subscription.row["id"]), subscription.entity.code)
        _plan_next_cycle(world, subscription)
    else:
        cancel(world, subscription)
    outcome = "Converted" if converts else "Expired"
    row = subscription.deal.row
    if "trial_frozen" not in subscription.plan:
        delay_us = heavy_us(rng, 300, _ACTIVATION_CAP_SECONDS)
        world.at(world.now_us + delay_us, lambda: crm_update(world, row, Trial_Outcome__c=outcome))


def _items(world: World, subscription: Subscription, start: int) -> Row:
    data = []
    for number, line in enumerate(billing.own_lines(subscription)):
        data.append({
            "id": stripe_id("si", world.seed, subscription.key, number), "object": "subscription_item", "created": start,
            "current_period_start": start, "current_period_end": _next_month_us(start * SECOND_US) // SECOND_US,
            "metadata": {}, "quantity": line.quantity, "subscription": subscription.row["id"],
            "price": dict(world.stripe["price"][catalog.price_id(line.product, subscription.deal.currency)])
            | {"unit_amount": line.unit_minor // 12, "unit_amount_decimal": str(line.unit_minor // 12)},
        })  # fmt: skip
    url = f"/v1/subscription_items?subscription={subscription.row['id']}"
    return {"object": "list", "has_more": False, "url": url, "data": data}


def _change_items(world: World, subscription: Subscription) -> None:
    if subscription.live:
        start = subscription.row["items"]["data"][0]["current_period_start"]
        items = _items(world, subscription, start)
        billing_update(world, subscription.row, "customer.subscription.updated", items=items)


def _plan_next_cycle(world: World, subscription: Subscription) -> None:
    next_us = _next_month_us(world.now_us)
    while next_us < world.history_from_us:
        next_us = _next_month_us(next_us)
    world.at(next_us, lambda: _cycle(world, subscription))


def _cycle(world: World, subscription: Subscription) -> None:
    if not subscription.live:
        return
    for item in subscription.row["items"]["data"]:
        item["current_period_start"] = world.now_us // SECOND_US
        item["current_period_end"] = _next_month_us(world.now_us) // SECOND_US
    billing_event(world, "customer.subscription.updated", subscription.row, {"items": None})
    if subscription.row["pause_collection"] is None and subscription.row["status"] != "unpaid":
        former = world.invoices.get(subscription.row["latest_invoice"])
        invoice = billing.bill(world, subscription, "subscription_cycle")
        if former is not None and former.row["total"] == invoice.row["total"] > 0:
            subject = ("stripe", "invoice", invoice.id)
            world.silent("N09", "recurring", subject, f"equal to {former.id}", subscription.entity.code)
    _plan_next_cycle(world, subscription)


def _next_month_us(us: int) -> int:
    now = to_instant(us)
    year, month = divmod(now.year * 12 + now.month, 12)
    return to_us(datetime(year, month + 1, min(now.day, 28), now.hour, now.minute, now.second, tzinfo=now.tzinfo))
