"""How do orders, invoices, customers and messages fail? Each fault creates its own victim and writes the truth about it."""

from decimal import Decimal
from typing import Any

from probes.sandbox import billing, catalog, customers, ledger, orders, runtime, sales, truth
from probes.sandbox.clock import HOUR_US, MINUTE_US, SECOND_US
from probes.sandbox.entities import BY_CODE, CURRENCY_IDS, Entity, major
from probes.sandbox.records import crm_update, erp_update
from probes.sandbox.world import Customer, Deal, Invoice, Row, Subscription, World

Given = dict[str, Any]
DOCUMENT_ENTITIES = tuple(entity for entity in BY_CODE.values() if entity.posting_mode == "document")


def entity_for(world: World, key: str, given: Given, documents_only: bool = False) -> Entity:
    """Return the entity asked for, or draw one."""
    options = DOCUMENT_ENTITIES if documents_only else tuple(BY_CODE.values())
    code = given.get("entity")
    if code is None:
        return world.rng("victim-entity", key).choice(options)
    found = next((entity for entity in options if entity.code == code), None)
    if found is None:
        raise ValueError(f"entity {code!r} is not possible here: use one of {', '.join(e.code for e in options)}")
    return found


def established(world: World, key: str, entity: Entity) -> Customer:
    """Draw a customer that exists everywhere and that no other fault keeps from the ERP."""
    pool = [
        c for c in world.customers[entity.code]
        if c.billed_through is None and entity.currency in c.stripe and entity.code in c.netsuite
        and c.erp_block is None and c.erp_stale is None
    ]  # fmt: skip
    if not pool:
        raise ValueError(f"no customer of {entity.code} exists everywhere yet: advance the company first")
    return world.rng("victim", key).choice(pool)


def fresh_deal(world: World, key: str, given: Given, **more: Any) -> Deal:
    """Open a deal of one entity with an established customer, ready to be won."""
    entity = entity_for(world, key, given)
    customer = established(world, key, entity)
    deal = sales.open_deal(world, key, customer, **{"entities": [entity.code], "currency": entity.currency} | more)
    for stage in sales.STAGES[1:]:
        sales.move_stage(world, deal, stage)
    return deal


def fresh_invoice(world: World, key: str, given: Given, plan: Given) -> Invoice:
    """Bill a live subscription once more and finalise at once; it is paid by transfer, weeks later."""
    entity = entity_for(world, key, given, documents_only=True)
    live = [s for s in _subscriptions(world) if s.live and s.entity is entity and s.row["status"] == "active"]
    live = [s for s in live if s.deal.currency == entity.currency and s.deal.bill_to.erp_block is None]
    live = [s for s in live if s.deal.net_minor(entity.code) > 0]
    if not live:
        raise ValueError(f"no live subscription of {entity.code} to bill: advance the company first")
    invoice = billing.draft(world, world.rng("victim", key).choice(live), key, "subscription_update")
    invoice.plan.update(plan)
    invoice.row["collection_method"] = "send_invoice"
    billing.finalise(world, invoice)
    return invoice


def order_lost(world: World, key: str, given: Given) -> None:
    """O01."""
    deal = fresh_deal(world, key, given)
    deal.plan["unsent"] = set(deal.entities)
    sales.win(world, deal, later=False)
    entry = truth.order_missing(world, deal, deal.entities[0], fault="O01")
    world.repairs[entry.id] = lambda: _deliver(world, deal)


def order_late(world: World, key: str, given: Given) -> None:
    """O02."""
    late = float(given.get("late_seconds", world.rng("late", key).uniform(120, 2 * 3600)))
    deal = fresh_deal(world, key, given)
    deal.plan["order_delay_us"] = truth.ORDER_DEADLINE_US + int(late * SECOND_US)
    sales.win(world, deal, later=False)
    entry = truth.order_missing(world, deal, deal.entities[0], fault="O02")
    note = f"order arrives {late:.0f} s after its deadline"
    deal.missing[deal.entities[0]] = world.journal.change(entry.id, kind="late", note=note)
    world.repairs[entry.id] = lambda: _deliver(world, deal)


def amendment_lost(world: World, key: str, given: Given) -> None:
    """O10."""
    entity = entity_for(world, key, given)
    settled = [d for d in world.deals.values() if _amendable(world, d, entity)]
    if not settled:
        raise ValueError(f"no settled deal of {entity.code} to amend: advance the company first")
    deal = world.rng("victim", key).choice(settled)
    delta = sales.amend(world, deal, handed_over=False)
    due_us = world.now_us + truth.ORDER_DEADLINE_US
    entry = world.journal.write(
        "stale_revision", truth.deal_subject(deal), fault="O10", money_minor=abs(delta), currency=deal.currency,
        started_us=world.now_us, due_us=due_us, true_from_us=due_us, entity=entity.code,
        note=f"ERP keeps revision {deal.order_revisions[entity.code]}, the deal is at {deal.row['Revision__c']}",
    )  # fmt: skip
    deal.missing[entity.code] = entry
    world.repairs[entry.id] = lambda: _deliver(world, deal)


def invoice_lost(world: World, key: str, given: Given) -> None:
    """I01."""
    invoice = fresh_invoice(world, key, given, {"unsent": True})
    entry = truth.invoice_missing(world, invoice, fault="I01")
    world.repairs[entry.id] = lambda: ledger.post(world, invoice)


def invoice_altered(world: World, key: str, given: Given) -> None:
    """I02: the truth is written when the wrong document is posted, minutes after finalisation."""
    rng = world.rng("alter", key)
    variant = given.get("variant") or rng.choice(("total", "tax", "currency"))
    if variant not in ("total", "tax", "currency"):
        raise ValueError(f"variant {variant!r} of I02 is unknown: use total, tax or currency")
    plan: Given = {"delay_us": rng.randint(3 * MINUTE_US, 14 * MINUTE_US)}
    invoice = fresh_invoice(world, key, given, plan)
    invoice.plan["alter"] = lambda row: _alter(world, invoice, row, variant, rng.randint(3, 12))


def customer_lost(world: World, key: str, given: Given) -> None:
    """M03: the account reaches billing and support; it wins a deal whose order and invoices are blocked."""
    entity = entity_for(world, key, given, documents_only=True)
    customer = customers.create(world, key, entity, pool=False, propagate=False)
    due_us = world.now_us + truth.CUSTOMER_DEADLINE_US
    customer.erp_block = world.journal.write(
        "missing_in_target", ("salesforce", "Account", customer.id), fault="M03", money_minor=None, currency=None,
        started_us=world.now_us, due_us=due_us, true_from_us=due_us, entity=entity.code, note="customer not in the ERP",
    )  # fmt: skip
    world.repairs[customer.erp_block.id] = lambda: customers.lift_block(world, customer)
    world.after(300, lambda: customers.in_billing(world, customer, entity.currency))
    world.after(420, lambda: customers.in_support(world, customer))

    def buy() -> None:
        more: Given = {"entities": [entity.code], "currency": entity.currency, "collection": "send_invoice"}
        sales.win(world, sales.open_deal(world, key, customer, **more), later=False)

    world.after(1800, buy)


def attribute_stale(world: World, key: str, given: Given) -> None:
    """M05."""
    entity = entity_for(world, key, given)
    customer = established(world, key, entity)
    variant = given.get("variant")
    changes = _changes(world, key, customer, variant) if variant else customers.drawn_change(world, customer, key)
    crm_update(world, customer.account, customer.account["OwnerId"], **changes)
    entry = world.journal.write(
        "attribute_differs", ("salesforce", "Account", customer.id), fault="M05", money_minor=None, currency=None,
        started_us=world.now_us, due_us=world.now_us + truth.CUSTOMER_DEADLINE_US, true_from_us=world.now_us,
        entity=entity.code, note=", ".join(f"{name} is {value}" for name, value in changes.items()),
    )  # fmt: skip
    customer.erp_stale = entry
    world.after(600, lambda: customers.update_billing(world, customer))

    def mend() -> None:
        customer.erp_stale = None
        customers.update_erp(world, customer)

    world.repairs[entry.id] = mend


def message_dead(world: World, key: str, given: Given) -> None:
    """E01: the truth is written when the message dies, minutes after it was sent."""
    flow = given.get("flow") or world.rng("flow", key).choice(("orders", "invoices"))
    delay_us = world.rng("dead", key).randint(2 * MINUTE_US, 14 * MINUTE_US)
    if flow == "orders":
        deal = fresh_deal(world, key, given)
        deal.plan |= {"order_delay_us": delay_us, "dead": lambda message: _order_dies(world, deal, message)}
        sales.win(world, deal, later=False)
    elif flow == "invoices":
        plan: Given = {"delay_us": delay_us}
        invoice = fresh_invoice(world, key, given, plan)
        invoice.plan["dead"] = lambda message: _invoice_dies(world, invoice, message)
    else:
        raise ValueError(f"flow {flow!r} of E01 is unknown: use orders or invoices")


def _subscriptions(world: World) -> list[Subscription]:
    return [subscription for deal in world.deals.values() for subscription in deal.subscriptions.values()]


def _amendable(world: World, deal: Deal, entity: Entity) -> bool:
    code = entity.code
    return (
        deal.won
        and deal.entities == [code]
        and deal.won_us < world.now_us - 5 * HOUR_US
        and deal.order_revisions.get(code) == deal.row["Revision__c"]
        and not deal.missing
        and not deal.plan
        and deal.net_minor() > 0
        and deal.row["SystemModstamp"] < world.now_us - 5 * HOUR_US
    )


def _deliver(world: World, deal: Deal) -> None:
    for code in deal.entities:
        orders.deliver(world, deal, BY_CODE[code])


def _changes(world: World, key: str, customer: Customer, variant: str) -> dict[str, str]:
    rng, account = world.rng("variant", key), customer.account
    if variant == "vat":
        return {"VAT_Id__c": catalog.vat_id(rng, customer.entity.country)}
    if variant == "terms":
        return {"Payment_Terms__c": rng.choice([t for t in catalog.TERMS if t != account["Payment_Terms__c"]])}
    if variant == "address":
        return {"BillingStreet": f"{account['BillingStreet']}, 2nd floor"}
    raise ValueError(f"variant {variant!r} of M05 is unknown: use vat, terms or address")


def _alter(world: World, invoice: Invoice, row: Row, variant: str, percent: int) -> None:
    currency, right = invoice.currency, dict(row)
    step = max(2, invoice.row["total"] * percent // 100)
    amount = major(step, currency)
    if variant == "total":
        row.update(foreigntotal=row["foreigntotal"] + amount, netamount=row["netamount"] + amount)
    elif variant == "tax":
        row.update(taxtotal=row["taxtotal"] + amount, netamount=row["netamount"] - amount)
    else:
        wrong = "USD" if currency != "USD" else "EUR"
        row.update(currency=CURRENCY_IDS[wrong])
    row["foreignamountunpaid"] = row["foreigntotal"] - row["foreignamountpaid"]
    finalised_us = invoice.row["status_transitions"]["finalized_at"] * SECOND_US
    entry = world.journal.write(
        "currency_differs" if variant == "currency" else "amount_differs", truth.invoice_subject(invoice), fault="I02",
        money_minor=invoice.row["total"] if variant == "currency" else step, currency=currency, started_us=finalised_us,
        due_us=finalised_us + truth.INVOICE_DEADLINE_US, true_from_us=world.now_us, entity=invoice.entity.code,
        note=f"posted with another {variant}",
    )  # fmt: skip
    names = ("foreigntotal", "netamount", "taxtotal", "currency")

    def mend() -> None:
        unpaid = right["foreigntotal"] - row["foreignamountpaid"]
        restored = {name: right[name] for name in names}
        erp_update(world, "transaction", row, **restored, foreignamountunpaid=max(unpaid, Decimal(0)))

    world.repairs[entry.id] = mend


def _order_dies(world: World, deal: Deal, message: Row) -> None:
    runtime.dead_letter(world, message, "422 unprocessable: item not found in target")
    entry = world.journal.write(
        "exception", ("rabbitmq", "message", message["message_id"]), fault="E01", money_minor=deal.net_minor(),
        currency=deal.currency, started_us=world.now_us, due_us=None, true_from_us=world.now_us,
        entity=deal.entities[0], note=f"dead letter in orders.dlq about {deal.id}",
    )  # fmt: skip
    truth.order_missing(world, deal, deal.entities[0], cause=entry)

    def mend() -> None:
        deal.plan.pop("dead", None)
        runtime.replay(world, message)
        _deliver(world, deal)

    world.repairs[entry.id] = mend


def _invoice_dies(world: World, invoice: Invoice, message: Row) -> None:
    runtime.dead_letter(world, message, "422 unprocessable: tax code unknown in target")
    entry = world.journal.write(
        "exception", ("rabbitmq", "message", message["message_id"]), fault="E01", money_minor=invoice.row["total"],
        currency=invoice.currency, started_us=world.now_us, due_us=None, true_from_us=world.now_us,
        entity=invoice.entity.code, note=f"dead letter in invoices.dlq about {invoice.id}",
    )  # fmt: skip
    truth.invoice_missing(world, invoice, cause=entry)

    def mend() -> None:
        invoice.plan.pop("dead", None)
        runtime.replay(world, message)
        ledger.post(world, invoice)

    world.repairs[entry.id] = mend
