"""How does a lead become an opportunity? Captured, qualified, converted or dropped; deals are elsewhere."""

from probes.sandbox.clock import DAY_US, HOUR_US
from probes.sandbox.entities import Entity
from probes.sandbox.randoms import heavy_us
from probes.sandbox.records import AUTOMATION, SALES_USERS, crm_insert, crm_update, whole_seconds
from probes.sandbox.world import Action, Customer, Row, World

CONVERSION_CAP_SECONDS = 20 * 3600
TERRITORIES = {"NW-DE": ("DACH", "Nordics"), "NW-US": ("US East", "US West"), "NW-JP": ("Kanto", "Kansai")}


def capture(world: World, key: str, entity: Entity) -> Row:
    """Create a lead from a form of the web site."""
    rng = world.rng("lead", key)
    number = world.next_number("lead", key)
    return crm_insert(world, "Lead", {
        "Company": f"Prospect {number}", "Email": f"lead{number:05d}@prospect.example.com", "Status": "Open - Not Contacted",
        "LeadSource": rng.choice(("Web", "Event", "Partner")), "Territory__c": rng.choice(TERRITORIES[entity.code]),
        "Legal_Entity__c": entity.code, "Qualified_At__c": None, "IsConverted": False, "ConvertedDate": None,
        "ConvertedAccountId": None, "ConvertedOpportunityId": None, "OwnerId": rng.choice(SALES_USERS),
    }, AUTOMATION, key)  # fmt: skip


def qualify(world: World, lead: Row) -> None:
    """Qualify a lead: from now on it has to become an opportunity."""
    now = whole_seconds(world.clock_us("salesforce"))
    crm_update(world, lead, lead["OwnerId"], Status="Qualified", Qualified_At__c=now)
    world.milestone("lead_qualified", ("salesforce", "Lead", lead["Id"]), lead["Legal_Entity__c"])


def convert(world: World, lead: Row, customer: Customer, opportunity_id: str) -> None:
    """Close a lead into an account and an opportunity."""
    changes = {"Status": "Closed - Converted", "IsConverted": True, "ConvertedDate": world.today(customer.entity)}
    names = {"ConvertedAccountId": customer.id, "ConvertedOpportunityId": opportunity_id}
    crm_update(world, lead, lead["OwnerId"], **changes, **names)
    world.milestone("lead_converted", ("salesforce", "Lead", lead["Id"]), customer.entity.code)


def nurture(world: World, key: str, entity: Entity, won_over: Action) -> Row:
    """Let a lead live: half are dropped, the others are qualified in days and `won_over` converts them within the day."""
    rng = world.rng("nurture", key)
    lead = capture(world, key, entity)
    world.after(
        rng.uniform(600, 20_000), lambda: crm_update(world, lead, lead["OwnerId"], Status="Working - Contacted")
    )
    end_us = world.now_us + rng.randint(6 * HOUR_US, 3 * DAY_US)
    if rng.random() < 0.5:
        world.at(end_us, lambda: crm_update(world, lead, lead["OwnerId"], Status="Closed - Not Converted"))
        return lead
    world.at(end_us, lambda: qualify(world, lead))
    world.at(end_us + heavy_us(rng, 4 * 3600, CONVERSION_CAP_SECONDS), won_over)
    return lead
