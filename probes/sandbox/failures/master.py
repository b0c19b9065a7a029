"""How does master data go stale or wrong? Customers missing, behind, overwritten; each fault writes its truth."""

from probes.sandbox import catalog, customers, sales, truth
from probes.sandbox.failures.spec import Fault, Given, fault, variant_of
from probes.sandbox.failures.victims import entity_for, established, fresh_customer, settled_deal
from probes.sandbox.records import ERP_CLERK, billing_update, crm_update, erp_update
from probes.sandbox.world import Customer, World


def account(customer: Customer) -> truth.Subject:
    """Name a customer as the journal does."""
    return ("salesforce", "Account", customer.id)


def customer_lost(world: World, key: str, given: Given) -> None:
    """M03: the account reaches billing and support; it wins a deal whose order and invoices are blocked."""
    entity = entity_for(world, key, given, documents_only=True)
    customer = customers.create(world, key, entity, pool=False, propagate=False)
    customer.erp_block = truth.wrong(
        world, "M03", "missing_in_target", account(customer), "customer not in the ERP", entity=entity.code,
        due_us=world.now_us + truth.CUSTOMER_DEADLINE_US, at_once=False, mend=lambda: customers.lift_block(world, customer),
    )  # fmt: skip
    world.after(300, lambda: customers.in_billing(world, customer, entity.currency))
    world.after(420, lambda: customers.in_support(world, customer))

    def buy() -> None:
        more: Given = {"entities": [entity.code], "currency": entity.currency, "collection": "send_invoice"}
        sales.win(world, sales.open_deal(world, key, customer, **more), later=False)

    world.after(1800, buy)


def attribute_stale(world: World, key: str, given: Given) -> None:
    """M05: the change reaches billing, not the ERP."""
    entity = entity_for(world, key, given)
    customer = established(world, key, entity, given)
    variant = given.get("variant")
    changes = _changes(world, key, customer, given) if variant else customers.drawn_change(world, customer, key)
    crm_update(world, customer.account, customer.account["OwnerId"], **changes)

    def mend() -> None:
        customer.erp_stale = None
        customers.update_erp(world, customer)

    customer.erp_stale = truth.wrong(
        world, "M05", "attribute_differs", account(customer), ", ".join(f"{n} is {v}" for n, v in changes.items()),
        due_us=world.now_us + truth.CUSTOMER_DEADLINE_US, entity=entity.code, mend=mend,
    )  # fmt: skip
    world.after(600, lambda: customers.update_billing(world, customer))


def _changes(world: World, key: str, customer: Customer, given: Given) -> dict[str, str]:
    row, rng = customer.account, world.rng("variant", key)
    variant = variant_of(world, key, given, "vat", "terms", "address", "contact", "currency")
    if variant == "vat":
        return {"VAT_Id__c": catalog.vat_id(rng, customer.entity.country)}
    if variant == "terms":
        return {"Payment_Terms__c": rng.choice([t for t in catalog.TERMS if t != row["Payment_Terms__c"]])}
    if variant == "contact":
        return {"Billing_Email__c": f"accounting-{rng.randint(1000, 9999)}@example.com"}
    if variant == "currency":
        return {"CurrencyIsoCode": "GBP" if row["CurrencyIsoCode"] != "GBP" else "EUR"}
    return {"BillingStreet": f"{row['BillingStreet']}, 2nd floor"}


def overwritten(world: World, key: str, given: Given) -> None:
    """M06: a clerk of the ERP changes a tax id there, or somebody changes the payment terms in billing."""
    variant = variant_of(world, key, given, "erp", "billing")
    entity = entity_for(world, key, given)
    customer = established(world, key, entity, given)
    rng = world.rng("overwrite", key)
    if variant == "erp":
        row = customer.netsuite[entity.code]
        old, new = row["vatregnumber"], catalog.vat_id(rng, entity.country)
        erp_update(world, "customer", row, ERP_CLERK, vatregnumber=new)
        kind, note = "unauthorised_write", f"clerk wrote vatregnumber {new} over {old}"
    else:
        stripe_row = customer.stripe[entity.currency]
        old = stripe_row["metadata"]["payment_terms"]
        new = rng.choice([t for t in catalog.TERMS if t != old])
        changed = stripe_row["metadata"] | {"payment_terms": new}
        billing_update(world, stripe_row, "customer.updated", metadata=changed)
        kind, note = "unattributed_write", f"payment_terms {new} over {old}, nobody says by whom"

    def mend() -> None:
        _unfreeze(customer)
        customers.update_erp(world, customer)
        customers.update_billing(world, customer)
        world.journal.repaired(differs.id, world.now_us)

    entry = truth.wrong(world, "M06", kind, account(customer), note, entity=entity.code, mend=mend)
    differs = truth.wrong(
        world, "M06", "attribute_differs", account(customer), note, due_us=world.now_us + truth.GRACE_US,
        entity=entity.code, cause=entry,
    )  # fmt: skip
    customer.erp_stale = customer.billing_stale = entry  # no later change hides it


def _unfreeze(customer: Customer) -> None:
    customer.erp_stale = customer.billing_stale = None


def replica_behind(world: World, key: str, given: Given) -> None:
    """M07: the authority changed, billing is not told; timing at first, a break after its grace."""
    entity = entity_for(world, key, given)
    customer = established(world, key, entity, given)
    change = _changes(world, key, customer, {"variant": world.rng("behind", key).choice(("vat", "terms", "address"))})
    crm_update(world, customer.account, customer.account["OwnerId"], **change)

    def mend() -> None:
        customer.billing_stale = None
        customers.update_billing(world, customer)

    customer.billing_stale = truth.wrong(
        world, "M07", "attribute_differs", account(customer), f"billing keeps the former {', '.join(change)}",
        due_us=world.now_us + truth.GRACE_US, at_once=False, entity=entity.code, mend=mend,
    )  # fmt: skip
    world.after(900, lambda: customers.update_erp(world, customer))


def parent_differs(world: World, key: str, given: Given) -> None:
    """M09: a company is sold to another group, the ERP keeps the former parent."""
    entity = entity_for(world, key, given)
    customer = fresh_customer(world, key, entity)
    settled_deal(world, key, {"entity": entity.code}, customer=customer)
    owner = established(world, f"{key}/owner", entity)
    crm_update(world, customer.account, customer.account["OwnerId"], ParentId=owner.id)
    customer.parent = owner

    def mend() -> None:
        customer.erp_stale = None
        customers.update_erp(world, customer)

    customer.erp_stale = truth.wrong(
        world, "M09", "attribute_differs", account(customer), f"the CRM says it belongs to {owner.id}",
        due_us=world.now_us + truth.GRACE_US, entity=entity.code, document=owner.id, mend=mend,
    )  # fmt: skip


FAULTS: dict[str, Fault] = {
    "M03": fault(
        "a customer never reaches the ERP and blocks its documents", "missing_in_target: Account, and what it blocks",
        customer_lost, "entity",
    ),
    "M05": fault(
        "a changed attribute never reaches the ERP", "attribute_differs: Account", attribute_stale,
        "entity", "customer", "variant",
    ),
    "M06": fault(
        "a platform overwrites what it may not", "unauthorised_write or unattributed_write: Account, and attribute_differs",
        overwritten, "entity", "customer", "variant",
    ),
    "M07": fault("the authority changed, billing stays behind", "attribute_differs: Account", replica_behind, "entity", "customer"),
    "M09": fault("the parent of an account differs", "attribute_differs: Account", parent_differs, "entity"),
}  # fmt: skip
