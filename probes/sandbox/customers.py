"""How does an account become a customer everywhere? Creation, propagation, changes; deals are elsewhere."""

from typing import Any

from probes.sandbox import catalog, runtime
from probes.sandbox.clock import DAY_US
from probes.sandbox.entities import BY_CODE, CURRENCY_IDS, Entity
from probes.sandbox.journal import Entry
from probes.sandbox.randoms import dirty_salesforce_id, dirty_text, heavy_us, stripe_id
from probes.sandbox.records import (
    SALES_USERS,
    billing_insert,
    billing_update,
    crm_insert,
    crm_update,
    erp_insert,
    erp_update,
    support_insert,
    support_update,
)
from probes.sandbox.world import Customer, Row, World, run_all

CAP_SECONDS = 20 * 3600


def create(world: World, key: str, entity: Entity, **flags: Any) -> Customer:
    """Create an account and let it propagate.

    `flags`: `test`, `parent` (a Customer it is billed through), `owner` (a Customer it belongs to), `reseller`, `pool`
    (default true), `propagate` (default true).
    """
    rng = world.rng("account", key)
    number = world.next_number("account", key)
    name = catalog.company_name(rng, entity.country, number)
    parent: Customer | None = flags.get("parent")
    above: Customer | None = parent or flags.get("owner") or _drawn_owner(world, key, entity, flags)
    vat = catalog.vat_id(rng, entity.country)
    if parent is not None and parent.entity is entity:
        vat = parent.account["VAT_Id__c"]  # a branch that its parent is billed for is no company of its own
    account: Row = {
        "Name": f"TEST {name}" if flags.get("test") else name,
        "AccountNumber": f"C-{number:05d}",
        "Type": "Partner" if flags.get("reseller") else "Customer",
        "ParentId": above.id if above else None,
        "MasterRecordId": None,
        "Legal_Entity__c": entity.code,
        "Segment__c": rng.choices(("smb", "mid", "enterprise"), (6, 3, 1))[0],
        "Region__c": catalog.REGIONS[entity.country],
        "VAT_Id__c": vat,
        "Payment_Terms__c": rng.choices(tuple(catalog.TERMS), (2, 5, 1, 1))[0],
        "CurrencyIsoCode": entity.currency,
        "Phone": f"+{rng.randint(10**9, 10**10)}",
        "Is_Test__c": bool(flags.get("test")),
        "Billed_Through_Parent__c": parent is not None,
        "OwnerId": rng.choice(SALES_USERS),
        "Billing_Email__c": f"billing{number:05d}@example.com",
        "Payment_Risk__c": False,
    } | catalog.address(rng, entity.country)
    row = crm_insert(world, "Account", account, account["OwnerId"], key)
    taxes = {"DE": 19_000, "JP": 10_000, "US": 8_875 if account["BillingCity"] in catalog.NEW_YORK else 0}
    customer = Customer(key, row, entity, taxes[entity.country], billed_through=parent, parent=above)
    subject = ("salesforce", "Account", customer.id)
    world.milestone("account_created", subject, entity.code)
    if parent is not None:
        world.silent("N13", "child_billed_through_parent", subject, f"billed through {parent.id}", entity.code)
    elif flags.get("test"):
        world.silent("N06", "test_record", subject, "test account, never handed over", entity.code)
    elif flags.get("propagate", True):
        propagate(world, customer)
    if flags.get("pool", True) and not flags.get("test"):
        (world.resellers if flags.get("reseller") else world.customers[entity.code]).append(customer)
    if rng.random() < 0.12:
        world.at(world.now_us + heavy_us(rng, DAY_US / 1e6 * 3, DAY_US / 1e6 * 20), lambda: touch(world, customer))
    return customer


def _drawn_owner(world: World, key: str, entity: Entity, flags: dict[str, Any]) -> Customer | None:
    """Draw for one account in twelve a company that owns it and is a customer of its own."""
    rng = world.rng("owner", key)
    if flags.get("test") or flags.get("reseller") or flags.get("propagate") is False or rng.random() >= 0.08:
        return None
    known = [c for c in world.customers[entity.code] if c.parent is None and entity.code in c.netsuite]
    return rng.choice(known) if known else None


def propagate(world: World, customer: Customer) -> None:
    """Send a new account to billing, ERP and support."""
    rng = world.rng("propagate", customer.key)
    entity = customer.entity
    world.at(
        world.now_us + heavy_us(rng, 1200, CAP_SECONDS), lambda: in_billing(world, customer, entity.currency) and None
    )
    world.at(world.now_us + heavy_us(rng, 1800, CAP_SECONDS), lambda: in_support(world, customer))
    payload = {"account_id": customer.id, "target": "netsuite", "legal_entity": entity.code}
    message = runtime.publish(world, "customers", (customer.key,), payload)

    def deliver() -> None:
        runtime.consume(world, message)
        in_erp(world, customer, entity)

    runtime.carry(world, message, 1800, CAP_SECONDS, entity.zone, deliver)


def in_billing(world: World, customer: Customer, currency: str) -> Row:
    """Return the Stripe customer for a currency, creating it when it is the first time."""
    if currency in customer.stripe:
        return customer.stripe[currency]
    rng = world.rng("stripe-customer", customer.key, currency)
    account_id = dirty_salesforce_id(rng, customer.id) if rng.random() < 0.1 else customer.id
    account = customer.account
    row = billing_insert(world, {
        "id": stripe_id("cus", world.seed, customer.key, currency), "object": "customer", "name": account["Name"],
        "email": account["Billing_Email__c"], "currency": currency.lower(), "balance": 0,
        "delinquent": False, "address": _billing_address(account), "tax_exempt": "none", "test_clock": None,
        "description": None, "phone": account["Phone"], "invoice_prefix": account["AccountNumber"].replace("-", ""),
        "metadata": {"salesforce_account_id": account_id, "vat_id": account["VAT_Id__c"],
                     "payment_terms": account["Payment_Terms__c"], "legal_entity": customer.entity.code},
    }, "customer.created")  # fmt: skip
    if customer.stripe:
        subject = ("stripe", "customer", row["id"])
        world.silent("N13", "several_ids", subject, f"second id of {customer.id} for {currency}", customer.entity.code)
    customer.stripe[currency] = row
    world.milestone("customer_in_billing", ("stripe", "customer", row["id"]), customer.entity.code)
    for erp_row in customer.netsuite.values():
        if erp_row["custentity_stripe_customer"] is None:
            erp_update(world, "customer", erp_row, custentity_stripe_customer=row["id"])
    return row


def block_of(customer: Customer, entity: Entity) -> Entry | None:
    """Return the journal entry of the fault that keeps a customer out of an entity of the ERP, if any does."""
    return customer.erp_block or customer.scope_blocks.get(entity.code)


def in_erp(world: World, customer: Customer, entity: Entity) -> Row | None:
    """Return the NetSuite customer in an entity, creating it when it is the first time.

    Returns: None while a fault keeps this customer out of the ERP.
    """
    if block_of(customer, entity) is not None:
        return None
    if entity.code in customer.netsuite:
        return customer.netsuite[entity.code]
    rng = world.rng("netsuite-customer", customer.key, entity.code)
    own = entity is customer.entity
    external: str | None = customer.id if own else f"{customer.id}-{entity.code}"
    draw = rng.random()
    if own and draw < 0.10:
        external = dirty_salesforce_id(rng, customer.id)
    elif own and draw < 0.12 and customer.stripe:
        external = None  # still found through the Stripe customer
    account = customer.account
    row = erp_insert(world, "customer", {
        "entityid": dirty_text(rng, account["AccountNumber"]) if rng.random() < 0.05 else account["AccountNumber"],
        "companyname": account["Name"], "externalid": external, "creditholdoverride": "AUTO", "custentity_dunning_flag": "F",
        "custentity_stripe_customer": next((c["id"] for c in customer.stripe.values()), None),
        "subsidiary": entity.subsidiary_id, "currency": CURRENCY_IDS[entity.currency], "isinactive": "F", "isperson": "F",
    } | erp_attributes(customer, entity))  # fmt: skip
    if not own:
        subject = ("netsuite", "customer", str(row["id"]))
        world.silent("N13", "several_ids", subject, f"second id of {customer.id} for {entity.code}", entity.code)
    customer.netsuite[entity.code] = row
    world.milestone("customer_in_erp", ("netsuite", "customer", str(row["id"])), entity.code)
    return row


def erp_attributes(customer: Customer, entity: Entity) -> Row:
    """Map the governed attributes of an account onto NetSuite's columns in one entity."""
    account = customer.account
    above = customer.parent.netsuite.get(entity.code) if customer.parent is not None else None
    return {
        "parent": above["id"] if above is not None else None, "email": account["Billing_Email__c"],
        "vatregnumber": account["VAT_Id__c"], "terms": catalog.TERMS[account["Payment_Terms__c"]],
        "billaddr1": account["BillingStreet"], "billcity": account["BillingCity"], "billzip": account["BillingPostalCode"],
        "billcountry": account["BillingCountry"],
    }  # fmt: skip


def in_support(world: World, customer: Customer) -> None:
    """Create the Zendesk organization and its one user."""
    if customer.organization is not None:
        return
    rng = world.rng("organization", customer.key)
    external = dirty_salesforce_id(rng, customer.id) if rng.random() < 0.08 else customer.id
    domain = f"c{customer.account['AccountNumber'][2:]}.example.com"
    organization = {
        "name": customer.account["Name"],
        "external_id": external,
        "domain_names": [domain],
        "deleted_at": None,
    }
    organization |= {
        "organization_fields": {"segment": customer.account["Segment__c"]},
        "tags": [],
        "shared_tickets": False,
    }
    customer.organization = support_insert(world, "organization", organization)
    entitlement = customer.entitlement
    if entitlement is not None and "unlinked" not in customer.plan:
        fields = customer.organization["organization_fields"]
        fields |= {"entitlement": entitlement["Id"], "support_tier": entitlement["Type"]}
    customer.contact = support_insert(world, "user", {
        "name": f"Contact {customer.account['AccountNumber']}", "email": f"it@{domain}", "external_id": None, "active": True,
        "organization_id": customer.organization["id"], "role": "end-user", "suspended": False,
    })  # fmt: skip


def repoint(world: World, customer: Customer, account_id: str) -> None:
    """Let billing and support name another account for a customer, as they do after a merge."""
    for row in customer.stripe.values():
        known = row["metadata"] | {"salesforce_account_id": account_id}
        billing_update(world, row, "customer.updated", metadata=known)
    if customer.organization is not None:
        support_update(world, customer.organization, external_id=account_id)


def close_down(world: World, customer: Customer) -> None:
    """Delete a customer in billing and support and let it rest in the ERP, as after a merge into another."""
    for row in customer.stripe.values():
        billing_update(world, row, "customer.deleted", deleted=True)
    for booked in customer.netsuite.values():
        erp_update(world, "customer", booked, isinactive="T")
    if customer.organization is not None:
        support_update(world, customer.organization, deleted_at=world.now_us - world.now_us % 1_000_000)


def change_attributes(world: World, customer: Customer, serial: str, **changes: Any) -> None:
    """Change governed attributes in the CRM and let the replicas follow."""
    rng = world.rng("attributes", customer.key, serial)
    actor = rng.choice(SALES_USERS)
    crm_update(world, customer.account, actor, **changes)
    world.milestone("attributes_changed", ("salesforce", "Account", customer.id), customer.entity.code)
    world.at(world.now_us + heavy_us(rng, 600, CAP_SECONDS), lambda: update_billing(world, customer))
    message = runtime.publish(
        world, "customers", (customer.key, serial), {"account_id": customer.id, "target": "netsuite"}
    )

    def deliver() -> None:
        runtime.consume(world, message)
        update_erp(world, customer)

    runtime.carry(world, message, 2400, CAP_SECONDS, customer.entity.zone, deliver)


def update_billing(world: World, customer: Customer) -> None:
    """Bring the Stripe customers up to date, unless a fault keeps them stale."""
    account = customer.account
    if customer.billing_stale is not None:
        return
    for row in customer.stripe.values():
        governed = {"vat_id": account["VAT_Id__c"], "payment_terms": account["Payment_Terms__c"]}
        changes = {"address": _billing_address(account), "metadata": row["metadata"] | governed}
        changes["email"] = account["Billing_Email__c"]
        billing_update(world, row, "customer.updated", **changes)


def update_erp(world: World, customer: Customer) -> None:
    """Bring the NetSuite customers up to date, unless a fault keeps them stale."""
    if customer.erp_stale is not None:
        return
    for code, row in customer.netsuite.items():
        erp_update(world, "customer", row, **erp_attributes(customer, BY_CODE[code]))


def touch(world: World, customer: Customer) -> None:
    """Correct something nobody governs, so that only the stamp moves."""
    rng = world.rng("touch-account", customer.key, world.now_us)
    crm_update(world, customer.account, rng.choice(SALES_USERS), Phone=f"+{rng.randint(10**9, 10**10)}")


def drawn_change(world: World, customer: Customer, serial: str) -> dict[str, str]:
    """Draw a change of one governed attribute that truly differs from what is there."""
    rng = world.rng("change", customer.key, serial)
    country, account = customer.entity.country, customer.account
    what = rng.choice(("vat", "terms", "address", "email"))
    if what == "email":
        number = account["AccountNumber"][2:]
        return {"Billing_Email__c": f"ap{number}-{world.next_number('billing-email', customer.key)}@example.com"}
    if what == "vat":
        return {"VAT_Id__c": catalog.vat_id(rng, country)}
    if what == "terms":
        return {"Payment_Terms__c": rng.choice([t for t in catalog.TERMS if t != account["Payment_Terms__c"]])}
    street = catalog.address(rng, country)["BillingStreet"]
    return {"BillingStreet": f"{street} b" if street == account["BillingStreet"] else street}


def lift_block(world: World, customer: Customer) -> None:
    """Create a customer that a fault had kept out of the ERP, then let through what it blocked."""
    if customer.erp_block is not None:
        world.journal.repaired(customer.erp_block.id, world.now_us)
    customer.erp_block = None
    in_erp(world, customer, customer.entity)
    run_all(customer.blocked)


def _billing_address(account: Row) -> Row:
    return {
        "line1": account["BillingStreet"], "line2": None, "city": account["BillingCity"], "state": None,
        "postal_code": account["BillingPostalCode"], "country": account["BillingCountry"],
    }  # fmt: skip
