"""What may a customer use, and does support know? Entitlements in the CRM, granted and revoked after billing."""

from datetime import date

from probes.sandbox.clock import HOUR_US
from probes.sandbox.randoms import dirty_text, heavy_us
from probes.sandbox.records import crm_insert, crm_update, support_update
from probes.sandbox.world import Customer, Row, Subscription, World

GRANT_CAP_SECONDS, REVOKE_CAP_SECONDS = 45 * 60, 20 * 3600
GRANT_US, REVOKE_US = HOUR_US, 24 * HOUR_US
_PREMIUM = "NW-SUPPORT"


def tier(subscription: Subscription) -> str:
    """Return what a subscription entitles to."""
    if subscription.row["status"] == "trialing":
        return "Trial"
    mine = [line for line in subscription.deal.lines if line.entity == subscription.entity.code]
    return "Premium" if any(line.product == _PREMIUM for line in mine) else "Standard"


def state(subscription: Subscription) -> str:
    """Return the status the entitlement of a subscription should have."""
    if not subscription.live or subscription.row["status"] == "canceled":
        return "Expired"
    return "Inactive" if subscription.row["pause_collection"] else "Active"


def grant_soon(world: World, subscription: Subscription) -> None:
    """Grant the entitlement of a new subscription within the hour."""
    if "ungranted" not in subscription.deal.plan:
        rng = world.rng("grant", subscription.key)
        world.at(world.now_us + heavy_us(rng, 300, GRANT_CAP_SECONDS), lambda: grant(world, subscription))


def grant(world: World, subscription: Subscription) -> None:
    """Create the entitlement and tell the support desk."""
    if subscription.entitlement is not None:
        return
    rng = world.rng("entitlement", subscription.key)
    customer = subscription.deal.customer
    reference = subscription.row["id"]
    start = world.today(subscription.entity)
    contract = subscription.deal.contract
    end: date | None = contract["EndDate"] if contract else None
    subscription.entitlement = crm_insert(world, "Entitlement", {
        "Name": f"{tier(subscription)} support {customer.account['Name']}", "AccountId": customer.id, "Type": tier(subscription),
        "StartDate": start, "EndDate": end, "Status": state(subscription), "Legal_Entity__c": subscription.entity.code,
        "Stripe_Subscription__c": dirty_text(rng, reference) if rng.random() < 0.08 else reference,
    }, key=subscription.key)  # fmt: skip
    customer.entitlement = customer.entitlement or subscription.entitlement
    world.milestone("entitled", ("salesforce", "Entitlement", subscription.entitlement["Id"]), subscription.entity.code)
    link(world, customer, subscription.entitlement)


def link(world: World, customer: Customer, entitlement: Row) -> None:
    """Note on the support organization what its customer is entitled to."""
    organization = customer.organization
    if organization is not None and "unlinked" not in customer.plan:
        fields = organization["organization_fields"]
        if fields.get("entitlement") != entitlement["Id"]:
            known = fields | {"entitlement": entitlement["Id"], "support_tier": entitlement["Type"]}
            support_update(world, organization, organization_fields=known)


def follow_soon(world: World, subscription: Subscription) -> None:
    """Let the entitlement follow a change: what is granted within the hour, what is taken away within the day."""
    if "entitlement_frozen" in subscription.plan or not world.in_history():
        if not world.in_history():
            follow(world, subscription)
        return
    rng = world.rng("follow-entitlement", subscription.key, world.now_us)
    grows = state(subscription) == "Active"
    delay = heavy_us(rng, 400 if grows else 3 * 3600, GRANT_CAP_SECONDS if grows else REVOKE_CAP_SECONDS)
    world.at(world.now_us + delay, lambda: follow(world, subscription))


def follow(world: World, subscription: Subscription) -> None:
    """Set the entitlement to what the subscription says now."""
    row = subscription.entitlement
    if row is None or "entitlement_frozen" in subscription.plan:
        return
    changes = {"Status": state(subscription), "Type": tier(subscription)}
    if changes["Status"] == "Expired":
        changes["Type"] = row["Type"]
    if any(row[name] != value for name, value in changes.items()):
        end_on = world.today(subscription.entity) if changes["Status"] == "Expired" else row["EndDate"]
        crm_update(world, row, EndDate=end_on, **changes)
