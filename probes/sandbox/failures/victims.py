"""Whom does a fault hit? Fresh documents of established customers, and customers of its own; nothing fails here."""

from probes.sandbox import billing, customers, entitlements, orders, sales, subscriptions
from probes.sandbox.clock import SECOND_US
from probes.sandbox.entities import BY_CODE, Entity
from probes.sandbox.failures.spec import Given, NotYetError
from probes.sandbox.world import Customer, Deal, Invoice, Subscription, World

AFFLICTED = "afflicted"
"""Given instead of a customer's id: any one that suffers from another fault."""
DOCUMENT_ENTITIES = tuple(entity for entity in BY_CODE.values() if entity.posting_mode == "document")


def entity_for(world: World, key: str, given: Given, documents_only: bool = False) -> Entity:
    """Return the entity asked for, or draw one. Errors: ValueError naming the possible ones."""
    options = DOCUMENT_ENTITIES if documents_only else tuple(BY_CODE.values())
    code = given.get("entity")
    if code is None:
        return world.rng("victim-entity", key).choice(options)
    found = next((entity for entity in options if entity.code == code), None)
    if found is None:
        raise ValueError(f"entity {code!r} is not possible here: use one of {', '.join(e.code for e in options)}")
    return found


def established(world: World, key: str, entity: Entity, given: Given | None = None) -> Customer:
    """Draw a customer that exists everywhere and that no other fault keeps from the ERP, or take the one given."""
    known = [c for c in world.customers[entity.code] if _everywhere(c, entity) and c.erp_block is None]
    wanted = (given or {}).get("customer")
    if wanted == AFFLICTED:
        return _afflicted(world, key, entity, known)
    if wanted is not None:
        found = next((c for c in known if c.id == wanted), None)
        if found is None:
            raise ValueError(
                f"customer {wanted!r} is not an established one of {entity.code}: give the id of its account"
            )
        return found
    pool = [c for c in known if c.erp_stale is None and c.billing_stale is None and not c.plan]
    if not pool:
        raise NotYetError(f"no customer of {entity.code} exists everywhere yet: advance the company first")
    return world.rng("victim", key).choice(pool)


def _afflicted(world: World, key: str, entity: Entity, known: list[Customer]) -> Customer:
    """Draw a customer that suffers from another fault already, one that keeps its attributes from a platform."""
    pool = [c for c in known if c.erp_stale is not None or c.billing_stale is not None]
    if not pool:
        raise NotYetError(f"no customer of {entity.code} suffers from M05, M06 or M07: inject one of them first")
    return world.rng("victim", key).choice(pool)


def _everywhere(customer: Customer, entity: Entity) -> bool:
    gone = customer.account["IsDeleted"]
    here = entity.currency in customer.stripe and entity.code in customer.netsuite
    return here and not gone and customer.billed_through is None


def fresh_customer(world: World, key: str, entity: Entity, skip: tuple[str, ...] = ()) -> Customer:
    """Create an account that is at once in billing, ERP and support, but for the ones skipped; only the fault uses it."""
    customer = customers.create(world, key, entity, pool=False, propagate=False)
    if "billing" not in skip:
        customers.in_billing(world, customer, entity.currency)
    if "erp" not in skip:
        customers.in_erp(world, customer, entity)
    if "support" not in skip:
        customers.in_support(world, customer)
    return customer


def fresh_deal(world: World, key: str, given: Given, **more: object) -> Deal:
    """Open a deal of one entity with an established customer, ready to be won."""
    entity = entity_for(world, key, given)
    customer = more.pop("customer", None) or established(world, key, entity, given)
    assert isinstance(customer, Customer)  # callers pass one or none
    deal = sales.open_deal(world, key, customer, **{"entities": [entity.code], "currency": entity.currency} | more)
    for stage in sales.STAGES[1:]:
        sales.move_stage(world, deal, stage)
    return deal


def settled_deal(world: World, key: str, given: Given, **more: object) -> Deal:
    """Win a fresh deal and deliver it everywhere at once: order, subscription, entitlement; then it may break."""
    deal = fresh_deal(world, key, given, **more)
    deal.plan["unsent"] = set(deal.entities)
    sales.win(world, deal, later=False)
    for code in deal.entities:
        orders.deliver(world, deal, BY_CODE[code])
        subscriptions.activate(world, deal, code)
        entitlements.grant(world, deal.subscriptions[code])
    deal.plan.pop("unsent")
    return deal


def all_subscriptions(world: World) -> list[Subscription]:
    """List all subscriptions."""
    return [subscription for deal in world.deals.values() for subscription in deal.subscriptions.values()]


def live_subscription(world: World, key: str, entity: Entity, given: Given | None = None) -> Subscription:
    """Draw a subscription that bills something and that no fault has touched."""
    wanted = (given or {}).get("customer")
    live = [s for s in all_subscriptions(world) if s.live and s.entity is entity and s.row["status"] == "active"]
    live = [s for s in live if s.deal.currency == entity.currency and s.deal.bill_to.erp_block is None]
    live = [s for s in live if s.deal.net_minor(entity.code) > 0 and s.row["pause_collection"] is None and not s.plan]
    if wanted == AFFLICTED:
        live = [s for s in live if s.deal.bill_to.erp_stale is not None or s.deal.bill_to.billing_stale is not None]
    elif wanted is not None:
        live = [s for s in live if s.deal.bill_to.id == wanted]
    if not live:
        raise NotYetError(f"no live subscription of {entity.code} to bill: advance the company first")
    return world.rng("victim", key).choice(live)


def fresh_invoice(world: World, key: str, given: Given, plan: Given, method: str = "send_invoice") -> Invoice:
    """Bill a live subscription once more and finalise at once; by default it is paid by transfer, weeks later."""
    entity = entity_for(world, key, given, documents_only=True)
    subscription = live_subscription(world, key, entity, given)
    invoice = billing.draft(world, subscription, key, "subscription_update")
    invoice.plan.update(plan)
    invoice.row["collection_method"] = method
    billing.finalise(world, invoice)
    return invoice


def finalised_us(invoice: Invoice) -> int:
    """Return when an invoice was finalised."""
    return int(invoice.row["status_transitions"]["finalized_at"]) * SECOND_US
