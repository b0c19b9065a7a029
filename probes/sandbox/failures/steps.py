"""Where do leads, quotes and orders get stuck between steps? Each fault creates its own victim and writes its truth."""

from probes.sandbox import customers, executions, fulfilment, leads, orders, runtime, sales, subscriptions, truth
from probes.sandbox.clock import HOUR_US, MINUTE_US
from probes.sandbox.entities import BY_CODE
from probes.sandbox.failures.orders import alter_order, deliver
from probes.sandbox.failures.spec import Fault, Given, fault, variant_of
from probes.sandbox.failures.victims import entity_for, established, fresh_deal, settled_deal
from probes.sandbox.records import crm_update
from probes.sandbox.world import Action, Deal, Row, World

LEAD_US, APPROVAL_US, STEP_US, SHIPMENT_US = 24 * HOUR_US, 8 * HOUR_US, HOUR_US, 72 * HOUR_US
_REFUSALS = (
    "422 validation: item NW-CORE is inactive in subsidiary", "422 validation: currency not enabled for customer",
    "422 validation: accounting period is closed",
)  # fmt: skip


def lead_stuck(world: World, key: str, given: Given) -> None:
    """L01: a qualified lead is not converted; in the second variant because it belongs to no territory."""
    kind = variant_of(world, key, given, "forgotten", "territory")
    entity = entity_for(world, key, given)
    customer = established(world, key, entity, given)
    lead = leads.capture(world, key, entity)
    if kind == "territory":
        crm_update(world, lead, Territory__c=None)
    leads.qualify(world, lead)

    def mend() -> None:
        if kind == "territory":
            crm_update(world, lead, lead["OwnerId"], Territory__c=leads.TERRITORIES[entity.code][0])
        deal = sales.open_deal(world, key, customer)
        leads.convert(world, lead, customer, deal.id)

    note = "qualified, not converted" + (": it has no territory" if kind == "territory" else "")
    truth.wrong(
        world, "L01", "overdue", ("salesforce", "Lead", lead["Id"]), note, due_us=world.now_us + LEAD_US, at_once=False,
        entity=entity.code, mend=mend,
    )  # fmt: skip


def _refused(world: World, fault_id: str, deal: Deal, message: Row, error: str, first: Action) -> None:
    run = runtime.reject(world, message, error)
    entry = truth.wrong(
        world, fault_id, "exception", ("n8n", "execution", run["id"]), error, money=truth.net(deal), entity=deal.entities[0],
        document=deal.id,
    )  # fmt: skip
    truth.order_missing(world, deal, deal.entities[0], cause=entry)

    def mend() -> None:
        deal.plan.pop("instead", None)
        first()
        executions.ran(world, "orders", message["payload"], retry_of=run)
        deliver(world, deal)

    world.repairs[entry.id] = mend


def order_refused(world: World, key: str, given: Given) -> None:
    """O03: the truth is written when the ERP refuses, minutes after the win."""
    deal = fresh_deal(world, key, given)
    rng = world.rng("refusal", key)
    error = rng.choice(_REFUSALS)
    deal.plan["order_delay_us"] = rng.randint(2, 14) * MINUTE_US
    deal.plan["instead"] = lambda message: _refused(world, "O03", deal, message, error, lambda: None)
    sales.win(world, deal, later=False)


def master_incomplete(world: World, key: str, given: Given) -> None:
    """M08: a customer without a tax id; the ERP refuses what it orders, naming the missing field."""
    entity = entity_for(world, key, given)
    customer = customers.create(world, key, entity, pool=False, propagate=False)
    tax_id = customer.account["VAT_Id__c"]
    customer.account["VAT_Id__c"] = None
    customers.in_billing(world, customer, entity.currency)
    customers.in_erp(world, customer, entity)
    customers.in_support(world, customer)
    deal = fresh_deal(world, key, {"entity": entity.code}, customer=customer)
    deal.plan["order_delay_us"] = world.rng("refusal", key).randint(2, 14) * MINUTE_US
    error = "422 validation: missing field vatregnumber of the customer"

    def complete() -> None:
        crm_update(world, customer.account, customer.account["OwnerId"], VAT_Id__c=tax_id)
        customers.update_billing(world, customer)
        customers.update_erp(world, customer)

    deal.plan["instead"] = lambda message: _refused(world, "M08", deal, message, error, complete)
    sales.win(world, deal, later=False)


def step_stuck(world: World, key: str, given: Given) -> None:
    """O04: an approval in the ERP waits past its limit, or the run that provisions a deal waits at a step."""
    if variant_of(world, key, given, "approval", "step") == "approval":
        deal = fresh_deal(world, key, given)
        deal.plan |= {"unsent": set(deal.entities), "unapproved": True}
        sales.win(world, deal, later=False)
        order = orders.deliver(world, deal, BY_CODE[deal.entities[0]])
        assert order is not None  # an established customer is in the ERP
        truth.wrong(
            world, "O04", "stuck", ("netsuite", "SalesOrd", str(order["id"])), "approval waits", money=truth.net(deal),
            due_us=world.now_us + APPROVAL_US, at_once=False, entity=deal.entities[0], document=deal.id,
            mend=lambda: orders.approve(world, order),
        )  # fmt: skip
        return
    deal = fresh_deal(world, key, given)
    deal.plan["unsent"] = set(deal.entities)
    sales.win(world, deal, later=False)
    run = executions.begin(world, "provisioning", _keys(deal), node="Wait for credit check")
    run.update(status="waiting", wait_till_us=world.now_us + 10 * 365 * 24 * HOUR_US)
    entry = truth.wrong(
        world, "O04", "stuck", ("n8n", "execution", run["id"]), "waits at step Wait for credit check", money=truth.net(deal),
        due_us=world.now_us + STEP_US, at_once=False, entity=deal.entities[0], document=deal.id,
    )  # fmt: skip
    truth.order_missing(world, deal, deal.entities[0], cause=entry)

    def mend() -> None:
        executions.end(world, run)
        deliver(world, deal)

    world.repairs[entry.id] = mend


def half_done(world: World, key: str, given: Given) -> None:
    """O05: the subscription is live, creating the order failed, and nobody took the subscription back."""
    deal = fresh_deal(world, key, given)
    deal.plan["unsent"] = set(deal.entities)
    sales.win(world, deal, later=False)
    code = deal.entities[0]
    subscriptions.activate(world, deal, code)
    run = executions.begin(world, "provisioning", _keys(deal), node="Create subscription")
    executions.end(
        world, run, "error", "504 while creating the sales order; compensation not started", "Create sales order"
    )
    live = deal.subscriptions[code].row["id"]
    entry = truth.wrong(
        world, "O05", "half_done", truth.deal_subject(deal), f"subscription {live} is live, there is no order",
        money=truth.net(deal), entity=code, document=live,
    )  # fmt: skip
    truth.order_missing(world, deal, code, cause=entry)
    failed = truth.wrong(
        world, "O05", "exception", ("n8n", "execution", run["id"]), "compensation not started", money=truth.net(deal),
        entity=code, document=deal.id, cause=entry,
    )  # fmt: skip

    def mend() -> None:
        executions.ran(world, "provisioning", _keys(deal), retry_of=run)
        world.journal.repaired(failed.id, world.now_us)
        deliver(world, deal)

    world.repairs[entry.id] = mend


def _keys(deal: Deal) -> dict[str, object]:
    return {"opportunity_id": deal.id, "legal_entity": deal.entities[0], "revision": deal.row["Revision__c"]}


def order_differs(world: World, key: str, given: Given) -> None:
    """O07: the order is worth a few per cent more or less than what was quoted."""
    deal = settled_deal(world, key, given)
    rng = world.rng("differs", key)
    step = max(2, deal.net_minor() * rng.randint(3, 12) // 100) * rng.choice((-1, 1))
    alter_order(world, "O07", deal, BY_CODE[deal.entities[0]], step)


def never_shipped(world: World, key: str, given: Given) -> None:
    """O08."""
    entity = entity_for(world, key, given)
    more = {"product": "NW-STORAGE", "customer": established(world, key, entity, given)}
    deal = fresh_deal(world, key, {"entity": entity.code}, **more)
    deal.plan |= {"unsent": set(deal.entities), "unshipped": True}
    sales.win(world, deal, later=False)
    order = orders.deliver(world, deal, entity)
    assert order is not None  # an established customer is in the ERP
    truth.wrong(
        world, "O08", "overdue", ("netsuite", "SalesOrd", str(order["id"])), "not shipped", money=truth.net(deal, entity.code),
        due_us=world.now_us + SHIPMENT_US, at_once=False, entity=entity.code, document=deal.id,
        mend=lambda: fulfilment.ship(world, deal, entity, order),
    )  # fmt: skip


FAULTS: dict[str, Fault] = {
    "L01": fault("a qualified lead is not converted in time", "overdue: Lead", lead_stuck, "entity", "customer", "variant"),
    "M08": fault(
        "incomplete master data blocks an order", "exception: execution, and its order missing", master_incomplete, "entity",
    ),
    "O03": fault(
        "the ERP refuses an order", "exception: execution, and its order missing", order_refused, "entity", "customer",
    ),
    "O04": fault(
        "an approval or a step waits past its limit", "stuck: SalesOrd or execution", step_stuck,
        "entity", "customer", "variant",
    ),
    "O05": fault(
        "a subscription is live, its order failed", "half_done: Opportunity, and its order missing", half_done,
        "entity", "customer",
    ),
    "O07": fault("an order differs from its quote", "amount_differs: Opportunity", order_differs, "entity", "customer"),
    "O08": fault("an order with goods is not shipped", "overdue: SalesOrd", never_shipped, "entity", "customer"),
}  # fmt: skip
