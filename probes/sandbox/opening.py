"""With what stock does the observed history begin? Users, customers, running subscriptions, open deals of the years before."""

import random

from probes.sandbox import catalog, customers, executions, orders, reference, runtime, sales
from probes.sandbox.clock import DAY_US, HOUR_US, SECOND_US, local_date, to_instant
from probes.sandbox.entities import BY_CODE, CURRENCY_IDS, ENTITIES, Entity
from probes.sandbox.randoms import office_moment_us, salesforce_id, stripe_id
from probes.sandbox.records import AUTOMATION, INTEGRATION, LOADER, SALES_USERS, crm_insert
from probes.sandbox.world import World

STOCK_DAYS = 700
_CUSTOMERS, _DEALS, _OPEN_DEALS = 420, 520, 260


def lay_out(world: World) -> None:
    """Put the fixed tables in place and plan everything that happened before the history."""
    _fixed_tables(world)
    runtime.open_queues(world)
    executions.declare(world)
    reference.stock(world)
    rng = world.rng("opening")
    for entity in ENTITIES:
        for number in range(3):
            _plan_customer(world, rng, entity, f"reseller/{entity.code}/{number}", reseller=True)
        for number in range(round(_CUSTOMERS * entity.share * world.scale)):
            _plan_customer(world, rng, entity, f"stock/{entity.code}/{number}")
        for number in range(round(_DEALS * entity.share * world.scale)):
            _plan_old_deal(world, rng, entity, number)
        for number in range(round(_OPEN_DEALS * entity.share * world.scale)):
            _plan_open_deal(world, rng, entity, number)


def _plan_customer(world: World, rng: random.Random, entity: Entity, key: str, reseller: bool = False) -> None:
    days = (
        rng.uniform(STOCK_DAYS - 20, STOCK_DAYS) if rng.random() < 0.5 or reseller else rng.uniform(60, STOCK_DAYS - 20)
    )
    when = world.history_from_us - int(days * DAY_US)
    world.at(when, lambda: customers.create(world, key, entity, reseller=reseller))


def _plan_old_deal(world: World, rng: random.Random, entity: Entity, number: int) -> None:
    day = local_date(world.history_from_us - rng.randint(45, STOCK_DAYS - 45) * DAY_US, entity.zone)
    when = office_moment_us(rng, day, entity.zone)

    def close() -> None:
        key = f"old/{entity.code}/{number}"
        deal = sales.draw_deal(world, key, world.rng("old", key).choice(world.customers[entity.code]))
        for stage in sales.STAGES[1:]:
            sales.move_stage(world, deal, stage)
        if deal.row["Type"] != "Trial":
            sales.win(world, deal)
        else:
            sales.lose(world, deal)

    world.at(when, close)


def _plan_open_deal(world: World, rng: random.Random, entity: Entity, number: int) -> None:
    when = world.history_from_us - rng.randint(1 * HOUR_US, 12 * DAY_US)

    def begin() -> None:
        key = f"open/{entity.code}/{number}"
        sales.run_course(
            world, sales.draw_deal(world, key, world.rng("open", key).choice(world.customers[entity.code]))
        )

    world.at(when, begin)


def _fixed_tables(world: World) -> None:
    named = {INTEGRATION: "Integration", AUTOMATION: "Automated Process", LOADER: "Data Loader"}
    people = {user: f"Sales Person {number}" for number, user in enumerate(SALES_USERS, start=1)}
    for user_id, name in (named | people).items():
        kind = "AutomatedProcess" if user_id == AUTOMATION else "Standard"
        crm_insert(
            world,
            "User",
            {"Id": user_id, "Name": name, "UserType": kind, "IsActive": True, "Username": f"{user_id}@example.com"},
        )
    crm_insert(world, "Organization", {
        "Id": salesforce_id("00D", 1), "Name": "Northwind", "IsSandbox": False, "DefaultCurrencyIsoCode": "EUR",
        "OrganizationType": "Enterprise Edition", "InstanceName": "NW1",
    })  # fmt: skip
    erp = world.netsuite
    erp["subsidiary"][1] = {
        "id": 1,
        "name": "Northwind Group",
        "currency": 4,
        "country": "DE",
        "parent": None,
        "isinactive": "F",
    }
    for entity in ENTITIES:
        erp["subsidiary"][entity.subsidiary_id] = {
            "id": entity.subsidiary_id, "name": entity.code, "legalname": entity.name, "parent": 1, "isinactive": "F",
            "currency": CURRENCY_IDS[entity.currency], "country": entity.country, "fiscalcalendar": entity.calendar,
        }  # fmt: skip
    for code, number in CURRENCY_IDS.items():
        erp["currency"][number] = {"id": number, "symbol": code, "name": code, "isinactive": "F"}
    for name, number in catalog.TERMS.items():
        erp["term"][number] = {"id": number, "name": name, "daysuntilnetdue": int(name.split()[1])}
    for number, name in ((11, "Integration"), (12, "Accounts Receivable Clerk"), (13, "Data Loader")):
        erp["employee"][number] = {"id": number, "entityid": name, "isinactive": "F"}
    first_year = to_instant(world.now_us).year
    for year in range(first_year, to_instant(world.history_from_us).year + 4):
        orders.lay_out_periods(world, year)
    webhook = stripe_id("we", "sandbox")
    world.stripe["webhook_endpoint"][webhook] = {
        "id": webhook, "object": "webhook_endpoint", "api_version": "2026-08-26.dahlia", "status": "enabled", "livemode": True,
        "url": "https://integration.example.com/stripe", "created": world.now_us // SECOND_US, "enabled_events": ["*"],
        "metadata": {},
    }  # fmt: skip


def entity_of(code: str) -> Entity:
    """Return a legal entity by its code."""
    if code not in BY_CODE:
        raise ValueError(f"unknown legal entity {code!r}: use one of {', '.join(BY_CODE)}")
    return BY_CODE[code]
