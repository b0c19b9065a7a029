"""How does an opportunity live: opened, staged, won, amended, re-opened, cancelled? Orders and bills are elsewhere."""

import random
from dataclasses import replace
from datetime import date, timedelta
from typing import Any

from probes.sandbox import contracts, orders, quotes, subscriptions
from probes.sandbox.catalog import PRODUCTS, monthly_minor
from probes.sandbox.clock import DAY_US, HOUR_US, MINUTE_US
from probes.sandbox.entities import BY_CODE, ENTITIES, major
from probes.sandbox.randoms import heavy_us, office_moment_us, salesforce_id
from probes.sandbox.records import AUTOMATION, KEY_PREFIX, SALES_USERS, crm_insert, crm_update
from probes.sandbox.world import Customer, Deal, Line, Row, World

STAGES = ("Prospecting", "Qualification", "Proposal", "Negotiation")
WON, LOST = "Closed Won", "Closed Lost"


def open_deal(world: World, key: str, customer: Customer, **given: Any) -> Deal:
    """Open an opportunity with its lines.

    `given`: `kind` (standard|trial|zero|test), `bill_to`, `currency`, `entities`, `collection`, `actor`, `product` (code of
    the first line's); drawn where absent.
    """
    rng = world.rng("deal", key)
    kind = given.get("kind", "standard")
    currency = given.get("currency") or _draw_currency(rng, customer)
    bill_to = given.get("bill_to") or customer.billed_through or customer
    owner = rng.choice(SALES_USERS)
    number = world.next_number("opportunity", key)
    year = world.today(customer.entity).year
    name = f"{customer.account['Name']} {rng.choice(('platform', 'expansion', 'seats', 'add-on'))} {number}"
    row = crm_insert(world, "Opportunity", {
        "Name": f"TEST {name}" if kind == "test" else name, "AccountId": customer.id, "Amount": None,
        "CurrencyIsoCode": currency, "StageName": STAGES[0], "IsClosed": False, "IsWon": False, "Probability": 10,
        "CloseDate": world.today(customer.entity) + timedelta(days=rng.randint(5, 45)), "Description": None,
        "Type": _type(rng, kind, bill_to, customer), "Legal_Entity__c": customer.entity.code,
        "PO_Number__c": f"PO-{year}-{number:06d}", "Revision__c": 0,
        "Bill_To__c": bill_to.id if bill_to is not customer else None,
        "Handover__c": "None" if kind in ("trial", "zero") else "Standard", "Is_Test__c": kind == "test", "OwnerId": owner,
        "Renewed_Contract__c": None, "Trial_Outcome__c": None,
    }, given.get("actor") or owner, key)  # fmt: skip
    deal = Deal(key, row, customer, bill_to, currency, [])
    deal.collection = given.get("collection") or rng.choices(("charge_automatically", "send_invoice"), (7, 3))[0]
    worth = 0 if kind in ("trial", "zero") else 1
    for entity in given.get("entities") or _draw_entities(rng, customer):
        wanted = given.get("product") if not deal.lines else None
        deal.lines.append(_line(world, rng, deal, entity, worth, wanted))
    if rng.random() < 0.4:
        deal.lines.append(_line(world, rng, deal, customer.entity.code, worth))
    row["Amount"] = major(deal.net_minor(), currency)
    write_history(world, deal, owner)
    world.deals[deal.id] = deal
    return deal


def draw_deal(world: World, key: str, customer: Customer) -> Deal:
    """Open an opportunity of the kinds that normal life brings."""
    rng = world.rng("deal-kind", key)
    draw = rng.random()
    if draw < 0.03:
        return open_deal(world, key, customer, kind="trial", collection="charge_automatically")
    if draw < 0.05:
        return open_deal(world, key, customer, kind="zero")
    if draw < 0.06:
        return open_deal(world, key, customer, kind="test")
    if draw < 0.11 and world.resellers and customer.billed_through is None:
        partners = [r for r in world.resellers if r.entity is customer.entity]
        if partners:
            return open_deal(world, key, customer, bill_to=rng.choice(partners))
    if draw < 0.16:
        other = rng.choice([e.code for e in ENTITIES if e is not customer.entity])
        return open_deal(world, key, customer, entities=[customer.entity.code, other])
    return open_deal(world, key, customer)


def run_course(world: World, deal: Deal, from_stage: int = 0) -> None:
    """Plan the stages of a deal up to its end, at office moments of the coming days."""
    rng = world.rng("course", deal.key)
    day, zone = world.today(deal.customer.entity), deal.customer.entity.zone
    for stage in STAGES[from_stage + 1 :]:
        day += timedelta(days=rng.choice((1, 1, 2, 2, 3, 5)))
        world.at(office_moment_us(rng, day, zone), lambda s=stage: move_stage(world, deal, s))  # type: ignore[misc]
    day += timedelta(days=rng.choice((1, 1, 2, 3, 6)))
    while day.weekday() >= 5 and rng.random() < 0.85:
        day += timedelta(days=1)
    end = office_moment_us(rng, day, zone)
    draw = rng.random()
    if draw < 0.62:
        world.at(end, lambda: win(world, deal))
    elif draw < 0.98:
        world.at(end, lambda: lose(world, deal))
    else:
        world.at(end, lambda: crm_update(world, deal.row, deal.row["OwnerId"], IsDeleted=True))
    if rng.random() < 0.15:
        world.at(world.now_us + heavy_us(rng, 86_400, 20 * 86_400), lambda: touch(world, deal))


def move_stage(world: World, deal: Deal, stage: str) -> None:
    """Move an open deal to another stage."""
    if deal.row["IsClosed"] or deal.row["IsDeleted"]:
        return
    owner = deal.row["OwnerId"]
    crm_update(world, deal.row, owner, StageName=stage, Probability=20 + 15 * STAGES.index(stage))
    write_history(world, deal, owner)
    if stage == "Proposal" and _is_sold(deal):
        quotes.draw_up(world, deal)


def win(world: World, deal: Deal, later: bool = True, actor: str | None = None, close_on: date | None = None) -> None:
    """Close a deal as won: a new revision is in force and is handed over. `later` draws what normal life does next."""
    actor = actor or deal.row["OwnerId"]
    row = deal.row
    if row["IsDeleted"] or row["IsWon"]:
        return
    deal.won, deal.won_us = True, world.now_us
    closed_on = close_on or world.today(deal.customer.entity)
    changes = {"StageName": WON, "IsClosed": True, "IsWon": True, "Probability": 100, "CloseDate": closed_on}
    crm_update(world, row, actor, Revision__c=row["Revision__c"] + 1, **changes)
    write_history(world, deal, actor)
    world.milestone("deal_won", ("salesforce", "Opportunity", deal.id), deal.customer.entity.code)
    if _is_sold(deal):
        quotes.accept(world, deal)
        contracts.sign(world, deal, lambda: subscriptions.cancel_all(world, deal))
    orders.hand_over(world, deal)
    first = row["Revision__c"] == 1
    if first and later and world.in_history():
        _plan_later(world, deal)
    if not row["Is_Test__c"] and "unbilled" not in deal.plan:
        subscriptions.activate_soon(world, deal)


def lose(world: World, deal: Deal) -> None:
    """Close a deal as lost."""
    if not deal.row["IsDeleted"]:
        crm_update(world, deal.row, deal.row["OwnerId"], StageName=LOST, IsClosed=True, Probability=0)
        write_history(world, deal, deal.row["OwnerId"])
        quotes.deny(world, deal)


def amend(world: World, deal: Deal, handed_over: bool = True) -> int:
    """Change the first line of a won deal: next revision, other amount.

    Returns: the change of the net in minor units.
    """
    if not deal.won:
        return 0
    rng = world.rng("amend", deal.key, deal.row["Revision__c"])
    before, first = deal.net_minor(), deal.lines[0]
    quantity = first.quantity + max(1, first.quantity * rng.randint(10, 60) // 100)
    deal.lines[0] = replace(first, quantity=quantity)
    total = major(deal.lines[0].total_minor, deal.currency)
    line_row = world.salesforce["OpportunityLineItem"][first.row_id]
    crm_update(world, line_row, deal.row["OwnerId"], Quantity=quantity, TotalPrice=total)
    changes = {"Amount": major(deal.net_minor(), deal.currency), "Revision__c": deal.row["Revision__c"] + 1}
    crm_update(world, deal.row, deal.row["OwnerId"], **changes)
    write_history(world, deal, deal.row["OwnerId"])
    quotes.amend(world, deal)
    contracts.amend(world, deal)
    world.milestone("deal_amended", ("salesforce", "Opportunity", deal.id), deal.customer.entity.code)
    if handed_over:
        orders.hand_over(world, deal)
    subscriptions.change_items_soon(world, deal)
    return deal.net_minor() - before


def reopen(world: World, deal: Deal) -> None:
    """Take a won deal back to negotiation; it is won again within the afternoon."""
    if not deal.won:
        return
    deal.won = False
    changes = {"StageName": STAGES[-1], "IsClosed": False, "IsWon": False, "Probability": 80}
    crm_update(world, deal.row, deal.row["OwnerId"], **changes)
    write_history(world, deal, deal.row["OwnerId"])
    world.milestone("deal_reopened", ("salesforce", "Opportunity", deal.id), deal.customer.entity.code)
    world.after(world.rng("rewin", deal.key).uniform(600, 3 * 3600), lambda: win(world, deal))
    world.silent(
        "N16",
        "reopened",
        ("salesforce", "Opportunity", deal.id),
        "re-opened, won again soon",
        deal.customer.entity.code,
    )


def cancel(world: World, deal: Deal) -> None:
    """Withdraw a won deal on every platform before its order deadline."""
    if not deal.won:
        return
    unwin(world, deal)
    subject = ("salesforce", "Opportunity", deal.id)
    world.silent(
        "N06", "withdrawn_everywhere", subject, "won, then withdrawn before its deadline", deal.customer.entity.code
    )
    orders.withdraw(world, deal)
    subscriptions.cancel_all(world, deal)


def unwin(world: World, deal: Deal) -> None:
    """Take back a win in the CRM; what the others do is up to the caller."""
    deal.won = False
    crm_update(world, deal.row, deal.row["OwnerId"], StageName=LOST, IsClosed=True, IsWon=False, Probability=0)
    write_history(world, deal, deal.row["OwnerId"])
    quotes.deny(world, deal)
    contracts.close(world, deal)


def touch(world: World, deal: Deal) -> None:
    """Let the system write a note on a deal, so that only the stamp moves."""
    if not deal.row["IsDeleted"]:
        crm_update(world, deal.row, AUTOMATION, Description=f"Checked at {world.now_us // 1_000_000}")


def _plan_later(world: World, deal: Deal) -> None:
    rng = world.rng("later", deal.key)
    draw = rng.random()
    if draw < 0.10 and deal.row["Handover__c"] != "None":
        world.at(world.now_us + rng.randint(8 * HOUR_US, 9 * DAY_US), lambda: amend(world, deal))
    elif draw < 0.15:
        world.at(world.now_us + heavy_us(rng, 5 * 3600, 48 * 3600), lambda: reopen(world, deal))
    elif draw < 0.165 and deal.row["Type"] != "Trial":
        deal.plan["cancels"] = True
        world.at(world.now_us + rng.randint(10 * MINUTE_US, 40 * MINUTE_US), lambda: cancel(world, deal))
    elif draw < 0.30:
        world.at(world.now_us + heavy_us(rng, 86_400, 10 * 86_400), lambda: touch(world, deal))


def _is_sold(deal: Deal) -> bool:
    """Tell whether a deal is real and worth something: only then is it quoted and signed."""
    return deal.net_minor() > 0 and not deal.row["Is_Test__c"]


def _type(rng: random.Random, kind: str, bill_to: Customer, customer: Customer) -> str:
    if kind == "trial":
        return "Trial"
    if bill_to is not customer and bill_to is not customer.billed_through:
        return "Reseller"
    return rng.choices(("New Business", "Renewal"), (7, 3))[0]


def _draw_currency(rng: random.Random, customer: Customer) -> str:
    return "GBP" if customer.entity.code == "NW-DE" and rng.random() < 0.12 else customer.entity.currency


def _draw_entities(rng: random.Random, customer: Customer) -> list[str]:
    return [customer.entity.code] * rng.choice((1, 1, 1, 2))


def _line(world: World, rng: random.Random, deal: Deal, entity: str, worth: int, code: str | None = None) -> Line:
    taken = {line.product for line in deal.lines}
    product = rng.choice([p for p in PRODUCTS if p.code not in taken and code in (None, p.code)])
    discount = rng.choice((0, 0, 0, 5, 7, 10, 15))
    monthly = monthly_minor(product, deal.currency) * (100 - discount) // 100 * worth
    quantity = rng.choice((1, 1, 2, 3, 5, 8, 10, 25))
    row_id = salesforce_id(
        KEY_PREFIX["OpportunityLineItem"], world.next_number("salesforce.OpportunityLineItem", deal.key)
    )
    line = Line(product.code, quantity, monthly * 12, BY_CODE[entity].code, row_id)
    body: Row = {"Id": row_id, "OpportunityId": deal.id, "ProductCode": product.code, "Quantity": quantity}
    body |= {"UnitPrice": major(line.unit_minor, deal.currency), "TotalPrice": major(line.total_minor, deal.currency)}
    body |= {"Legal_Entity__c": entity, "CurrencyIsoCode": deal.currency}
    crm_insert(world, "OpportunityLineItem", body, deal.row["OwnerId"])
    return line


def write_history(world: World, deal: Deal, actor: str) -> None:
    """Append a row to the stage history of a deal."""
    row = {"OpportunityId": deal.id, "StageName": deal.row["StageName"], "Amount": deal.row["Amount"]}
    row |= {
        "CloseDate": deal.row["CloseDate"],
        "Probability": deal.row["Probability"],
        "CurrencyIsoCode": deal.currency,
    }
    crm_insert(world, "OpportunityHistory", row, actor, deal.key)
