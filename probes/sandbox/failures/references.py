"""How do products, prices, tax codes, accounts and contracts come to differ? Each fault writes the truth about it."""

from datetime import timedelta

from probes.sandbox import contracts, reference, truth
from probes.sandbox.catalog import monthly_minor
from probes.sandbox.clock import DAY_US, HOUR_US
from probes.sandbox.entities import major
from probes.sandbox.failures.spec import Fault, Given, fault, variant_of
from probes.sandbox.failures.victims import settled_deal
from probes.sandbox.records import ERP_CLERK, billing_update, crm_update, erp_update
from probes.sandbox.reference import Launched
from probes.sandbox.world import Deal, World


def _fresh_product(world: World, key: str, in_erp: bool = True) -> Launched:
    """Launch a product of the fault's own, at once in billing and, if asked, in the ERP."""
    made = reference.launch(world, reference.new_product(world, key), key)
    reference.to_billing(world, made)
    if in_erp:
        reference.to_erp(world, made)
    return made


def _product(made: Launched) -> truth.Subject:
    return ("salesforce", "Product2", str(made.crm["Id"]))


def product_differs(world: World, key: str, given: Given) -> None:
    """R01: a product never reaches the ERP, or a price rise of the CRM never reaches billing."""
    variant = variant_of(world, key, given, "missing", "price")
    due_us = world.now_us + truth.GRACE_US
    if variant == "missing":
        made = _fresh_product(world, key, in_erp=False)
        truth.wrong(
            world, "R01", "missing_in_target", _product(made), "product not in the ERP", due_us=due_us, at_once=False,
            mend=lambda: reference.to_erp(world, made),
        )  # fmt: skip
        return
    made = _fresh_product(world, key)
    currency = world.rng("price", key).choice(("EUR", "USD", "GBP", "JPY"))
    unit = monthly_minor(made.product, currency)
    step = max(1, unit // 20)
    entry = reference.change_price(world, made, currency, unit + step, follows=False)
    truth.wrong(
        world, "R01", "attribute_differs", ("salesforce", "PricebookEntry", entry["Id"]),
        f"{made.product.code} in {currency} costs {step} more than billing asks", money=(step, currency), due_us=due_us,
        at_once=False, document=str(made.crm["Id"]), mend=lambda: reference.follow_price(world, made, currency),
    )  # fmt: skip


def tax_code_differs(world: World, key: str, given: Given) -> None:
    """R02: the ERP keeps another tax code for a product, or one that nobody knows."""
    variant = variant_of(world, key, given, "differs", "unknown")
    made = _fresh_product(world, key)
    reference.correct_item(world, made, custitem_tax_code="reduced" if variant == "differs" else "ZZ-0")
    truth.wrong(
        world, "R02", "attribute_differs", _product(made), f"tax code {variant}", due_us=world.now_us + truth.GRACE_US,
        mend=lambda: reference.correct_item(world, made, custitem_tax_code=made.crm["Tax_Code__c"]),
    )  # fmt: skip


def account_differs(world: World, key: str, given: Given) -> None:
    """R04: the item of the ERP books to another account or department, or to none."""
    variant = variant_of(world, key, given, "account", "department", "missing")
    made = _fresh_product(world, key)
    assert made.erp is not None  # just created
    right = {name: made.erp[name] for name in ("incomeaccount", "department")}
    other = next(number for number in reference.INCOME.values() if number != right["incomeaccount"])
    wrong = {
        "account": {"incomeaccount": other}, "department": {"department": right["department"] % 3 + 1},
        "missing": {"department": None},
    }[variant]  # fmt: skip
    reference.correct_item(world, made, **wrong)
    truth.wrong(
        world, "R04", "attribute_differs", _product(made), f"{variant} differs", due_us=world.now_us + truth.GRACE_US,
        mend=lambda: reference.correct_item(world, made, **right),
    )  # fmt: skip


def _contract(deal: Deal) -> truth.Subject:
    assert deal.contract is not None  # settled deals are signed
    return ("salesforce", "Contract", str(deal.contract["Id"]))


def contract_differs(world: World, key: str, given: Given) -> None:
    """R03: the ERP has another value, term or currency of a contract than the CRM."""
    variant = variant_of(world, key, given, "value", "term", "currency")
    deal = settled_deal(world, key, given)
    assert deal.contract is not None  # settled deals are signed
    deal.plan["terms_frozen"] = True
    code = deal.entities[0]
    order, right = deal.orders[code], contracts.erp_columns(deal)
    value = deal.net_minor()
    step = max(2, value // 10)
    if variant == "value":
        erp_update(
            world,
            "transaction",
            order,
            custbody_contract_value=right["custbody_contract_value"] + major(step, deal.currency),
        )
        kind, money = "amount_differs", (step, deal.currency)
    elif variant == "term":
        erp_update(world, "transaction", order, enddate=contracts.year_later(right["enddate"]))
        kind, money = "attribute_differs", None
    else:
        subscription = deal.subscriptions[code]
        former = dict(subscription.row["metadata"])
        wrong = former | {"contract_currency": "GBP" if deal.currency != "GBP" else "EUR"}
        billing_update(world, subscription.row, "customer.subscription.updated", metadata=wrong)
        kind, money = "currency_differs", (value, deal.currency)

    def mend() -> None:
        deal.plan.pop("terms_frozen", None)
        contracts.term_to_billing(world, deal)
        erp_update(world, "transaction", order, ERP_CLERK, **right)

    truth.wrong(
        world, "R03", kind, _contract(deal), f"{variant} differs", money=money, due_us=world.now_us + truth.GRACE_US,
        entity=code, mend=mend,
    )  # fmt: skip


def notice_missed(world: World, key: str, given: Given) -> None:
    """S04: a contract comes within 90 days of its end and no renewal is opened."""
    deal = _ending(world, key, given, contracts.NOTICE_DAYS + 1)
    deal.plan["no_notice"] = True

    def mend() -> None:
        deal.plan.pop("no_notice", None)
        contracts.trigger(world, deal)

    truth.wrong(
        world, "S04", "overdue", _contract(deal), "no renewal opened 90 days before the end", money=truth.net(deal),
        due_us=_notice_us(world, deal), at_once=False, entity=deal.entities[0], mend=mend,
    )  # fmt: skip


def _ending(world: World, key: str, given: Given, days: int) -> Deal:
    """Settle a deal whose contract was signed so long ago that it ends in so many days."""
    deal = settled_deal(world, key, given)
    assert deal.contract is not None  # settled deals are signed
    end = world.today(deal.customer.entity) + timedelta(days=days)
    crm_update(world, deal.contract, StartDate=end - timedelta(days=364), EndDate=end)
    contracts.term_to_billing(world, deal)
    contracts.term_to_erp(world, deal)
    for subscription in deal.subscriptions.values():
        if subscription.entitlement is not None:
            crm_update(world, subscription.entitlement, EndDate=end)
    return deal


def _notice_us(world: World, deal: Deal) -> int:
    """Return the instant 90 days before the end of a contract's last day, in the zone of its entity."""
    assert deal.contract is not None  # settled deals are signed
    return contracts.end_us(deal) - contracts.NOTICE_DAYS * DAY_US


def renewed_here_only(world: World, key: str, given: Given) -> None:
    """S05: a contract is renewed in the CRM, and in billing or the ERP, not in the third."""
    variant = variant_of(world, key, given, "billing", "erp")
    deal = _ending(world, key, given, contracts.NOTICE_DAYS + 40)

    def renew() -> None:
        contracts.renew(world, deal, skip=frozenset({"billing", "erp"}))
        follow = contracts.term_to_erp if variant == "billing" else contracts.term_to_billing
        world.after(1800, lambda: follow(world, deal))
        late = contracts.term_to_billing if variant == "billing" else contracts.term_to_erp
        truth.wrong(
            world, "S05", "attribute_differs", _contract(deal), f"renewed, but {variant} keeps the former term",
            due_us=world.now_us + truth.GRACE_US, at_once=False, entity=deal.entities[0], mend=lambda: late(world, deal),
        )  # fmt: skip

    world.at(world.now_us + HOUR_US, renew)


FAULTS: dict[str, Fault] = {
    "R01": fault(
        "a product is missing in the ERP, or its price differs", "missing_in_target: Product2, or attribute_differs: PricebookEntry",
        product_differs, "variant",
    ),
    "R02": fault("the tax code of a product differs", "attribute_differs: Product2", tax_code_differs, "variant"),
    "R03": fault(
        "value, term or currency of a contract differs", "amount_differs, attribute_differs or currency_differs: Contract",
        contract_differs, "entity", "customer", "variant",
    ),
    "R04": fault("the account or department of a product differs", "attribute_differs: Product2", account_differs, "variant"),
    "S04": fault("no renewal is opened in time", "overdue: Contract", notice_missed, "entity", "customer"),
    "S05": fault(
        "a renewal is applied in one system only", "attribute_differs: Contract", renewed_here_only,
        "entity", "customer", "variant",
    ),
}  # fmt: skip
