"""Which customers are there twice, unknown, dangling, or not where they are needed? Each fault writes its truth."""

from probes.sandbox import catalog, customers, fulfilment, merges, sales, truth
from probes.sandbox.clock import HOUR_US
from probes.sandbox.entities import BY_CODE, CURRENCY_IDS, Entity, major
from probes.sandbox.failures.master import account
from probes.sandbox.failures.spec import Fault, Given, fault, variant_of
from probes.sandbox.failures.victims import entity_for, established, fresh_customer, fresh_deal, settled_deal
from probes.sandbox.orders import document, write_lines
from probes.sandbox.records import ERP_CLERK, erp_insert, erp_update
from probes.sandbox.world import Row, World, run_all


def doubled_in_erp(world: World, key: str, given: Given) -> None:
    """M01: a clerk creates a customer that the integration created already, and books an order on it."""
    entity = entity_for(world, key, given)
    customer = fresh_customer(world, key, entity)
    settled_deal(world, key, {"entity": entity.code}, customer=customer)
    first = customer.netsuite[entity.code]
    twin = _typed_in(world, key, entity, first)
    order = _order_by_clerk(world, entity, twin, 4_200)
    twin_id = str(twin["id"])
    world.after(1800, lambda: fulfilment.plan_order(world, entity, order))

    def mend() -> None:
        erp_update(world, "transaction", order, ERP_CLERK, status="C")
        erp_update(world, "customer", twin, ERP_CLERK, isinactive="T")

    truth.wrong(
        world, "M01", "duplicate", account(customer), f"customers {first['id']} and {twin_id} of the ERP",
        money=(4_200, entity.currency), entity=entity.code, document=twin_id, mend=mend,
    )  # fmt: skip


def _typed_in(world: World, key: str, entity: Entity, like: Row) -> Row:
    """Create a customer of the ERP by hand, like another one; nothing of it points at another platform."""
    number = world.next_number("netsuite.by-hand", key)
    names = ("companyname", "vatregnumber", "terms", "billaddr1", "billcity", "billzip", "billcountry", "currency")
    return erp_insert(world, "customer", {name: like[name] for name in names} | {
        "entityid": f"CUST-{number}", "externalid": None, "custentity_stripe_customer": None, "parent": None, "email": None,
        "subsidiary": entity.subsidiary_id, "isinactive": "F", "isperson": "F", "creditholdoverride": "AUTO",
        "custentity_dunning_flag": "F",
    }, ERP_CLERK)  # fmt: skip


def _order_by_clerk(world: World, entity: Entity, payer: Row, net_minor: int) -> Row:
    net = major(net_minor, entity.currency)
    order = erp_insert(world, "transaction", {
        "type": "SalesOrd", "externalid": None, "custbody_sf_opportunity": None, "custbody_sf_revision": None,
        "otherrefnum": None, "status": "B", "foreigntotal": net, "netamount": net, "taxtotal": major(0, entity.currency),
        "memo": "walk-in", "posting": "F", "approvalstatus": 2,
        "tranid": f"SO{10_000 + world.next_number('netsuite.SalesOrd')}",
    } | document(world, entity, payer, entity.currency), ERP_CLERK)  # fmt: skip
    write_lines(world, order, entity, entity.currency, [("T", 0, None, None, net_minor)])
    return order


def doubled_misspelt(world: World, key: str, given: Given) -> None:
    """M02: a customer comes again under a name spelt differently, from another domain; everybody creates it."""
    entity = entity_for(world, key, given)
    known = established(world, key, entity, given)
    twin = customers.create(world, key, entity, pool=False, propagate=False)
    rng = world.rng("misspelt", key)
    names = ("BillingStreet", "BillingCity", "BillingPostalCode", "BillingCountry", "Phone")
    twin.account.update({name: known.account[name] for name in names})
    twin.account["Name"] = _misspelt(str(known.account["Name"]), rng.choice(("suffix", "transposition", "moved")))
    if twin.account["Name"] == known.account["Name"]:
        twin.account["BillingStreet"] = f"{rng.randint(181, 240)} Harbour Road"
    twin.account["VAT_Id__c"] = None
    customers.in_billing(world, twin, entity.currency)
    customers.in_erp(world, twin, entity)
    customers.in_support(world, twin)

    def mend() -> None:
        merges.merge(world, known, twin)
        customers.close_down(world, twin)

    truth.wrong(
        world, "M02", "suspected_duplicate", account(twin), f"the same company as {known.id}", entity=entity.code,
        document=known.id, mend=mend,
    )  # fmt: skip


def _misspelt(name: str, how: str) -> str:
    if how == "suffix":
        return name.rsplit(" ", 1)[0]
    if how == "transposition":
        return name[:2] + name[3] + name[2] + name[4:]
    return name


def orphan(world: World, key: str, given: Given) -> None:
    """M04: a clerk creates a customer in the ERP that nobody else knows, and trades with it."""
    entity = entity_for(world, key, given)
    rng = world.rng("orphan", key)
    number = world.next_number("netsuite.orphan", key)
    like = {
        "companyname": f"Walk-in {number} {catalog.company_name(rng, entity.country, number)}",
        "vatregnumber": catalog.vat_id(rng, entity.country), "terms": 2, "currency": CURRENCY_IDS[entity.currency],
        "billaddr1": "Market Place 1", "billcity": "Somewhere", "billzip": "00001", "billcountry": entity.country,
    }  # fmt: skip
    row = _typed_in(world, key, entity, like)
    order = _order_by_clerk(world, entity, row, 9_900)
    world.after(1800, lambda: fulfilment.plan_order(world, entity, order))

    def mend() -> None:
        erp_update(world, "transaction", order, ERP_CLERK, status="C")
        erp_update(world, "customer", row, ERP_CLERK, isinactive="T")

    truth.wrong(
        world, "M04", "missing_in_source", ("netsuite", "customer", str(row["id"])), "no source knows this customer",
        entity=entity.code, document=str(order["id"]), mend=mend,
    )  # fmt: skip


def dangling(world: World, key: str, given: Given) -> None:
    """M10: a trading account is merged away or deleted for good; billing and support follow, the ERP points at nothing."""
    variant = variant_of(world, key, given, "merge", "delete")
    entity = entity_for(world, key, given)
    customer = fresh_customer(world, key, entity)
    settled_deal(world, key, {"entity": entity.code}, customer=customer)
    row = customer.netsuite[entity.code]

    def vanish() -> None:
        follower = merges.double(world, f"{key}/follower", customer)
        if variant == "merge":
            merges.merge(world, follower, customer)
        else:
            gone = world.salesforce["Account"].pop(customer.id)
            world.salesforce["_deleted"][customer.id] = gone | {"IsDeleted": True, "kind": "Account"}
        customers.repoint(world, customer, follower.id)
        truth.wrong(
            world, "M10", "dangling", ("netsuite", "customer", str(row["id"])), f"points at {customer.id}, {variant}d away",
            entity=entity.code, document=customer.id,
            mend=lambda: erp_update(world, "customer", row, externalid=follower.id),
        )  # fmt: skip

    world.at(world.now_us + HOUR_US, vanish)


def scope_missing(world: World, key: str, given: Given) -> None:
    """M11: a customer is in the ERP, but not in the second entity that has to deliver to it."""
    entity = entity_for(world, key, given)
    customer = fresh_customer(world, key, entity)
    other = world.rng("scope", key).choice([e for e in BY_CODE.values() if e is not entity])

    def mend() -> None:
        customer.scope_blocks.pop(other.code, None)
        customers.in_erp(world, customer, other)
        run_all(customer.blocked)

    customer.scope_blocks[other.code] = truth.wrong(
        world, "M11", "missing_in_target", account(customer), f"not in {other.code} of the ERP",
        due_us=world.now_us + truth.CUSTOMER_DEADLINE_US, at_once=False, entity=other.code, mend=mend,
    )  # fmt: skip
    deal = fresh_deal(world, key, {"entity": entity.code}, customer=customer, entities=[entity.code, other.code])
    sales.win(world, deal, later=False)


FAULTS: dict[str, Fault] = {
    "M01": fault("a customer is created again in the ERP", "duplicate: Account", doubled_in_erp, "entity"),
    "M02": fault("a customer comes again, spelt differently", "suspected_duplicate: Account", doubled_misspelt, "entity"),
    "M04": fault("a customer of the ERP that no source knows", "missing_in_source: customer", orphan, "entity"),
    "M10": fault("an account is merged or deleted under its customer", "dangling: customer", dangling, "entity", "variant"),
    "M11": fault(
        "a customer is not in the entity that needs it", "missing_in_target: Account, and the order it blocks", scope_missing,
        "entity",
    ),
}  # fmt: skip
