"""How long does a won deal bind, and how is it renewed? Contracts in the CRM, their terms in billing and ERP."""

from datetime import date, timedelta

from probes.sandbox import runtime
from probes.sandbox.clock import DAY_US, local_us
from probes.sandbox.entities import major
from probes.sandbox.randoms import heavy_us
from probes.sandbox.records import AUTOMATION, billing_update, crm_insert, crm_update, erp_update
from probes.sandbox.world import Action, Deal, Row, World

CAP_SECONDS = 20 * 3600
NOTICE_DAYS = 90
_MONTHS = 12


def sign(world: World, deal: Deal, lapse: Action) -> None:
    """Sign the contract of a won deal over a year and plan its renewal; `lapse` is what happens if it is not renewed."""
    if deal.contract is not None:
        crm_update(world, deal.contract, deal.row["OwnerId"], Status="Activated", Value__c=value(deal))
        return
    start = world.today(deal.customer.entity)
    number = world.next_number("contract", deal.key)
    deal.contract = crm_insert(world, "Contract", {
        "ContractNumber": f"{number:08d}", "AccountId": deal.customer.id, "Opportunity__c": deal.id, "Status": "Activated",
        "StartDate": start, "EndDate": year_later(start) - timedelta(days=1), "ContractTerm": _MONTHS, "Value__c": value(deal),
        "CurrencyIsoCode": deal.currency, "Legal_Entity__c": deal.customer.entity.code, "Renewal_Opportunity__c": None,
    }, deal.row["OwnerId"], deal.key)  # fmt: skip
    _plan_term(world, deal, lapse)


def value(deal: Deal) -> object:
    """Return what a contract is worth over its term, in major units."""
    return major(deal.net_minor(), deal.currency)


def amend(world: World, deal: Deal) -> None:
    """Set a contract to what its amended deal is worth; billing and ERP follow within the day."""
    if deal.contract is not None:
        crm_update(world, deal.contract, deal.row["OwnerId"], Value__c=value(deal))
        hand_over(world, deal)


def close(world: World, deal: Deal, status: str = "Terminated") -> None:
    """End a contract early."""
    if deal.contract is not None and deal.contract["Status"] == "Activated":
        crm_update(world, deal.contract, deal.row["OwnerId"], Status=status)


def _plan_term(world: World, deal: Deal, lapse: Action) -> None:
    contract = deal.contract
    assert contract is not None  # both callers signed it
    rng = world.rng("term", deal.key, contract["EndDate"])
    over_us = end_us(deal)
    notice_us = over_us - int(rng.uniform(NOTICE_DAYS + 3, NOTICE_DAYS + 28) * DAY_US)
    if over_us > world.history_from_us - 2 * DAY_US:
        world.at(notice_us, lambda: trigger(world, deal))
    world.at(over_us + rng.randint(1, 7_000) * 1_000_000, lambda: _end_of_term(world, deal, lapse))


def end_us(deal: Deal) -> int:
    """Return the instant at which the last day of a contract is over, in the zone of its customer's entity."""
    assert deal.contract is not None  # callers have one
    return local_us(deal.contract["EndDate"] + timedelta(days=1), deal.customer.entity.zone, 0)


def trigger(world: World, deal: Deal) -> Row | None:
    """Open the renewal opportunity of a contract, the signal that its term ends."""
    contract = deal.contract
    if contract is None or contract["Status"] != "Activated" or "no_notice" in deal.plan:
        return None
    if contract["Renewal_Opportunity__c"] is not None:
        return world.salesforce["Opportunity"][contract["Renewal_Opportunity__c"]]
    number = world.next_number("opportunity", deal.key)
    renewal = crm_insert(world, "Opportunity", {
        "Name": f"{deal.customer.account['Name']} renewal {number}", "AccountId": deal.customer.id, "Amount": contract["Value__c"],
        "CurrencyIsoCode": deal.currency, "StageName": "Prospecting", "IsClosed": False, "IsWon": False, "Probability": 60,
        "CloseDate": contract["EndDate"], "Description": None, "Type": "Renewal", "Legal_Entity__c": contract["Legal_Entity__c"],
        "PO_Number__c": f"PO-R-{number:06d}", "Revision__c": 0, "Bill_To__c": None, "Handover__c": "None",
        "Is_Test__c": False, "OwnerId": deal.row["OwnerId"], "Renewed_Contract__c": contract["Id"],
    }, AUTOMATION, deal.key)  # fmt: skip
    _history(world, renewal, AUTOMATION)
    crm_update(world, contract, AUTOMATION, Renewal_Opportunity__c=renewal["Id"])
    world.milestone("renewal_triggered", ("salesforce", "Contract", contract["Id"]), contract["Legal_Entity__c"])
    return renewal


def _end_of_term(world: World, deal: Deal, lapse: Action) -> None:
    contract = deal.contract
    if contract is None or contract["Status"] != "Activated":
        return
    renewal = world.salesforce["Opportunity"].get(contract["Renewal_Opportunity__c"])
    if world.rng("renewed", deal.key, contract["EndDate"]).random() < 0.1:
        _close_renewal(world, renewal, won=False)
        crm_update(world, contract, AUTOMATION, Status="Expired")
        lapse()
        return
    _close_renewal(world, renewal, won=True)
    renew(world, deal)
    _plan_term(world, deal, lapse)


def _close_renewal(world: World, renewal: Row | None, won: bool) -> None:
    if renewal is not None and not renewal["IsClosed"]:
        stage = "Closed Won" if won else "Closed Lost"
        changes = {"StageName": stage, "IsClosed": True, "IsWon": won, "Probability": 100 if won else 0}
        crm_update(world, renewal, renewal["OwnerId"], Revision__c=1 if won else 0, **changes)
        _history(world, renewal, renewal["OwnerId"])


def renew(world: World, deal: Deal, skip: frozenset[str] = frozenset()) -> None:
    """Extend a contract by a year in the CRM; billing and ERP follow within the day unless skipped."""
    contract = deal.contract
    assert contract is not None  # only what is signed is renewed
    crm_update(world, contract, AUTOMATION, EndDate=year_later(contract["EndDate"]), Renewal_Opportunity__c=None)
    for subscription in deal.subscriptions.values():
        if subscription.entitlement is not None and subscription.live:
            crm_update(world, subscription.entitlement, AUTOMATION, EndDate=contract["EndDate"])
    hand_over(world, deal, skip)
    world.milestone("renewed", ("salesforce", "Contract", contract["Id"]), contract["Legal_Entity__c"])


def hand_over(world: World, deal: Deal, skip: frozenset[str] = frozenset()) -> None:
    """Send number, term and value of a contract to billing and ERP, but for those skipped."""
    contract = deal.contract
    assert contract is not None  # callers have one
    rng = world.rng("hand-over-contract", deal.key, world.now_us)
    if "billing" not in skip:
        world.at(world.now_us + heavy_us(rng, 1800, CAP_SECONDS), lambda: term_to_billing(world, deal))
    if "erp" in skip:
        return
    payload = {"contract_number": contract["ContractNumber"], "opportunity_id": deal.id, "target": "netsuite"}
    message = runtime.publish(world, "contracts", (deal.key, str(contract["EndDate"])), payload)

    def deliver() -> None:
        term_to_erp(world, deal)
        runtime.consume(world, message)

    runtime.carry(world, message, 2400, CAP_SECONDS, deal.customer.entity.zone, deliver)


def term_to_billing(world: World, deal: Deal) -> None:
    """Write number, end and value of a contract onto its subscriptions."""
    for subscription in deal.subscriptions.values():
        metadata = subscription.row["metadata"] | terms(deal)
        if subscription.live and "terms_frozen" not in deal.plan and metadata != subscription.row["metadata"]:
            billing_update(world, subscription.row, "customer.subscription.updated", metadata=metadata)


def terms(deal: Deal) -> dict[str, str]:
    """Return what billing keeps of a contract; the value in minor units."""
    if deal.contract is None:
        return {}
    end_on: date = deal.contract["EndDate"]
    body = {"contract_number": deal.contract["ContractNumber"], "contract_end": end_on.isoformat()}
    return body | {
        "contract_value": str(int(deal.contract["Value__c"] / major(1, deal.currency))),
        "contract_currency": deal.currency,
    }


def term_to_erp(world: World, deal: Deal) -> None:
    """Write the term of a contract onto its sales orders."""
    for order in deal.orders.values():
        columns = erp_columns(deal)
        if "terms_frozen" not in deal.plan and any(order.get(name) != value for name, value in columns.items()):
            erp_update(world, "transaction", order, **columns)


def erp_columns(deal: Deal) -> Row:
    """Return what the ERP keeps of a contract."""
    if deal.contract is None:
        return no_columns()
    contract = deal.contract
    columns: Row = {"custbody_contract_number": contract["ContractNumber"], "startdate": contract["StartDate"]}
    return columns | {"enddate": contract["EndDate"], "custbody_contract_value": contract["Value__c"]}


def no_columns() -> Row:
    """Return what the ERP keeps where there is no contract."""
    return {"custbody_contract_number": None, "custbody_contract_value": None, "startdate": None, "enddate": None}


def year_later(day: date) -> date:
    """Return the same day a year later, the 28th where there is none."""
    return day.replace(year=day.year + 1, day=28 if (day.month, day.day) == (2, 29) else day.day)


def _history(world: World, row: Row, actor: str) -> None:
    names = ("StageName", "Amount", "CloseDate", "Probability", "CurrencyIsoCode")
    crm_insert(world, "OpportunityHistory", {"OpportunityId": row["Id"]} | {n: row[n] for n in names}, actor, row["Id"])
