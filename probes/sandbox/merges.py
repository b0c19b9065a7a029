"""How do duplicate accounts end? A second account of a customer is found and merged into the first, in the CRM."""

from probes.sandbox import customers
from probes.sandbox.clock import HOUR_US
from probes.sandbox.entities import Entity
from probes.sandbox.records import SALES_USERS, crm_update, support_insert, support_update
from probes.sandbox.world import Customer, World


def double(world: World, key: str, customer: Customer) -> Customer:
    """Create the account of a customer a second time; it is handed to nobody."""
    twin = customers.create(world, key, customer.entity, pool=False, propagate=False)
    names = (
        "Name", "VAT_Id__c", "BillingStreet", "BillingCity", "BillingPostalCode", "BillingCountry", "Payment_Terms__c",
        "Billing_Email__c", "CurrencyIsoCode", "ParentId",
    )  # fmt: skip
    twin.account.update({name: customer.account[name] for name in names})
    return twin


def merge(world: World, winner: Customer, loser: Customer) -> None:
    """Merge two accounts in the CRM: what hung on the loser hangs on the winner, the loser is deleted."""
    actor = SALES_USERS[0]
    for kind in ("Opportunity", "Contract", "Entitlement", "Quote", "Case"):
        for row in world.salesforce[kind].values():
            if row["AccountId"] == loser.id:
                crm_update(world, row, actor, AccountId=winner.id)
    crm_update(world, loser.account, actor, IsDeleted=True, MasterRecordId=winner.id)
    world.milestone("merged", ("salesforce", "Account", loser.id), winner.entity.code)


def live_a_day(world: World, entity: Entity, key: str) -> None:
    """Let a sales person create an existing account again now and then; it is merged within hours.

    The support desk sometimes learnt of the customer through the second account only, and keeps its former id.
    """
    rng = world.rng("merge-day", key)
    known = [c for c in world.customers[entity.code] if c.billed_through is None]
    if not known or rng.random() >= 0.25 * world.scale:
        return
    customer = rng.choice(known)
    twin = double(world, f"double/{key}", customer)

    def end() -> None:
        if customer.organization is None:
            name = customer.account["Name"]
            customer.organization = support_insert(world, "organization", {
                "name": name, "external_id": twin.id, "domain_names": [], "deleted_at": None, "tags": [],
                "organization_fields": {"segment": customer.account["Segment__c"]}, "shared_tickets": False,
            })  # fmt: skip
        elif rng.random() < 0.3:
            support_update(world, customer.organization, external_id=twin.id)  # and keeps the former id
        merge(world, customer, twin)
        world.journal.repaired(known_twice.id, world.now_us)

    known_twice = world.journal.write(
        "suspected_duplicate", ("salesforce", "Account", twin.id), fault=None, money_minor=None, currency=None,
        started_us=world.now_us, due_us=None, true_from_us=world.now_us, entity=entity.code, document=customer.id,
        note="a sales person created it again; it will be merged",
    )  # fmt: skip
    world.at(world.now_us + rng.randint(HOUR_US, 6 * HOUR_US), end)
