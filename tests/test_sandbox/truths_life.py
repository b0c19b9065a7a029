"""Which promises of its further life did the company break, judging by the platforms' own tables alone? It reads no journal."""

from collections.abc import Iterator
from decimal import Decimal

from probes.sandbox.clock import DAY_US, HOUR_US, MINUTE_US, SECOND_US
from probes.sandbox.entities import BY_CODE, EXPONENTS
from probes.sandbox.support import business_us
from probes.sandbox.world import Row, World

from .truths import account_names, account_of, clean

ENTITY = {entity.subsidiary_id: entity for entity in BY_CODE.values()}


def late_leads(world: World) -> Iterator[str]:
    """Yield every lead that was not converted, or has no territory, a day after it was qualified."""
    for lead in world.salesforce["Lead"].values():
        due_us = (lead["Qualified_At__c"] or world.now_us) + DAY_US
        if due_us <= world.now_us and not lead["IsConverted"]:
            yield lead["Id"]


def late_entitlements(world: World) -> Iterator[str]:
    """Yield every live subscription without entitlement after an hour, and every ended one still entitled after a day."""
    granted = {clean(row["Stripe_Subscription__c"]).lower(): row for row in world.salesforce["Entitlement"].values()}
    changed_us = {
        event["data"]["object"]["id"]: event["created"] * SECOND_US
        for event in world.stripe["event"].values()
        if event["type"].startswith("customer.subscription.")
    }
    for row in world.stripe["subscription"].values():
        entitlement = granted.get(row["id"].lower())
        if entitlement is None:
            if row["created"] * SECOND_US + HOUR_US <= world.now_us and row["status"] != "canceled":
                yield f"{row['id']} entitles to nothing"
        elif row["status"] == "canceled":
            if row["ended_at"] * SECOND_US + DAY_US <= world.now_us and entitlement["Status"] == "Active":
                yield f"{row['id']} ended, still entitled"
        elif changed_us.get(row["id"], 0) + DAY_US <= world.now_us:
            want = "Inactive" if row["pause_collection"] else "Active"
            if row["status"] in ("active", "past_due") and entitlement["Status"] != want:
                yield f"{row['id']} should be entitled as {want}"


def late_shipments_and_plans(world: World) -> Iterator[str]:
    """Yield every order without revenue plan after a day, or with goods and without shipment after three."""
    planned = {row["createdfrom"]: row for row in world.netsuite["revenueplan"].values()}
    shipped = {row["createdfrom"] for row in world.netsuite["transaction"].values() if row["type"] == "ItemShip"}
    storage = next(row["id"] for row in world.netsuite["item"].values() if row["itemid"] == "NW-STORAGE")
    goods = {row["transaction"] for row in world.netsuite["transactionline"].values() if row["item"] == storage}
    for row in world.netsuite["transaction"].values():
        if row["type"] != "SalesOrd" or row["status"] == "C" or row["foreigntotal"] == 0:
            continue
        plan = planned.get(row["id"])
        if plan is None and row["createddate"] + DAY_US <= world.now_us:
            yield f"{row['tranid']} has no revenue plan"
        if (
            plan is not None
            and row["lastmodifieddate"] + DAY_US <= world.now_us
            and plan["amount"] != row["foreigntotal"]
        ):
            yield f"{row['tranid']} is planned over {plan['amount']}"
        if row["id"] in goods and row["id"] not in shipped and row["createddate"] + 3 * DAY_US <= world.now_us:
            yield f"{row['tranid']} is not shipped"


def unrouted_tickets(world: World) -> Iterator[str]:
    """Yield every ticket that no group had after fifteen minutes of its desk's business time."""
    zones = {o["id"]: _zone(world, o) for o in world.zendesk["organization"].values()}
    routed = {
        a["ticket_id"]: a["created_at"] for a in world.zendesk["audit"].values() if a["events"][0]["value"] == 800
    }
    for ticket in world.zendesk["ticket"].values():
        due_us = business_us(ticket["created_at"], zones[ticket["organization_id"]], 15 * MINUTE_US)
        if ticket["external_id"] is None and due_us < world.now_us and routed.get(ticket["id"], 1 << 62) > due_us:
            yield str(ticket["id"])


def _zone(world: World, organization: Row) -> str:
    account = account_of(account_names(world), organization["external_id"])
    code = world.salesforce["Account"][account]["Legal_Entity__c"] if account else "NW-DE"
    return BY_CODE[code].zone


def cases_of_another_severity(world: World) -> Iterator[str]:
    """Yield every case of the CRM whose ticket has had another priority for more than an hour."""
    for case in world.salesforce["Case"].values():
        ticket = world.zendesk["ticket"][int(case["Zendesk_Ticket__c"])]
        changes = [
            a["created_at"] for a in world.zendesk["audit"].values()
            if a["ticket_id"] == ticket["id"] and a["events"][0]["field_name"] == "priority"
        ]  # fmt: skip
        if max(changes, default=0) + HOUR_US <= world.now_us and case["Priority"].lower() != ticket["priority"]:
            yield str(ticket["id"])


def contracts_that_differ(world: World) -> Iterator[str]:
    """Yield every contract whose number, end or value another platform has differently a day after its last change."""
    orders = [row for row in world.netsuite["transaction"].values() if row["type"] == "SalesOrd"]
    booked = {row["custbody_contract_number"]: row for row in orders}
    billed = {row["metadata"].get("contract_number"): row for row in world.stripe["subscription"].values()}
    for contract in world.salesforce["Contract"].values():
        if contract["Status"] != "Activated" or contract["SystemModstamp"] + DAY_US > world.now_us:
            continue
        number, end = contract["ContractNumber"], contract["EndDate"]
        order, subscription = booked.get(number), billed.get(number)
        if order and (order["enddate"], order["custbody_contract_value"]) != (end, contract["Value__c"]):
            yield f"{number} in the ERP"
        if subscription and subscription["status"] != "canceled":
            value = Decimal(subscription["metadata"]["contract_value"]).scaleb(-EXPONENTS[contract["CurrencyIsoCode"]])
            if (subscription["metadata"]["contract_end"], value) != (end.isoformat(), contract["Value__c"]):
                yield f"{number} in billing"


def renewals_missed(world: World) -> Iterator[str]:
    """Yield every contract within 90 days of its end for which no renewal is open."""
    for contract in world.salesforce["Contract"].values():
        left_us = (contract["EndDate"].toordinal() - 719_163 + 1) * DAY_US - world.now_us  # 1970-01-01 is day 719,163
        if contract["Status"] == "Activated" and 0 < left_us < 89 * DAY_US and not contract["Renewal_Opportunity__c"]:
            yield contract["ContractNumber"]


def references_that_differ(world: World) -> Iterator[str]:
    """Yield every product and price that another platform lacks, or has differently, a day after its last change."""
    items = {row["itemid"]: row for row in world.netsuite["item"].values()}
    prices = {row["lookup_key"]: row for row in world.stripe["price"].values() if row["active"]}
    for product in world.salesforce["Product2"].values():
        item = items.get(product["ProductCode"])
        if product["SystemModstamp"] + DAY_US <= world.now_us:
            same = item and (item["custitem_tax_code"], str(item["incomeaccount"])) == (
                product["Tax_Code__c"], product["GL_Account__c"],
            )  # fmt: skip
            if not same:
                yield product["ProductCode"]
    for entry in world.salesforce["PricebookEntry"].values():
        price = prices.get(f"{entry['ProductCode']}-{entry['CurrencyIsoCode']}")
        unit = entry["UnitPrice"].scaleb(EXPONENTS[entry["CurrencyIsoCode"]])
        if entry["SystemModstamp"] + DAY_US <= world.now_us and (price is None or price["unit_amount"] != unit):
            yield f"{entry['ProductCode']} in {entry['CurrencyIsoCode']}"


def flags_that_differ(world: World) -> Iterator[str]:
    """Yield every account whose risk flag is not what its finally failed invoices say, an hour or a day later."""
    names = account_names(world)
    payers = {
        c["id"]: account_of(names, c["metadata"]["salesforce_account_id"]) for c in world.stripe["customer"].values()
    }
    told_us = {
        event["data"]["object"]["customer"]: event["created"] * SECOND_US
        for event in world.stripe["event"].values()
        if event["type"] == "invoice.payment_failed"
    }
    failed = {
        payers[invoice["customer"]]: told_us[invoice["customer"]]
        for invoice in world.stripe["invoice"].values()
        if invoice["status"] == "open" and invoice["attempt_count"] >= 4 and invoice["next_payment_attempt"] is None
    }
    paid_us: dict[str | None, int] = {}
    for invoice in world.stripe["invoice"].values():
        key = payers[invoice["customer"]]
        paid_us[key] = max(paid_us.get(key, 0), (invoice["status_transitions"]["paid_at"] or 0) * SECOND_US)
    for account in world.salesforce["Account"].values():
        key, flagged = account["Id"], account["Payment_Risk__c"]
        if key in failed and not flagged and failed[key] + HOUR_US <= world.now_us:
            yield f"{key} failed to pay"
        if flagged and key not in failed and paid_us.get(key, 0) + DAY_US <= world.now_us:
            yield f"{key} has paid"


def batches_that_differ(world: World) -> Iterator[str]:
    """Yield every journal that does not balance and every night without a good run, and runs whose totals differ."""
    sums: dict[int, Decimal] = {}
    for line in world.netsuite["transactionline"].values():
        sums[line["transaction"]] = sums.get(line["transaction"], Decimal(0)) + line["foreignamount"]
    for row in world.netsuite["transaction"].values():
        if row["type"] == "Journal" and sums[row["id"]] != 0:
            yield str(row["externalid"])
    runs = [row for row in world.n8n["execution"].values() if "business_date" in row["customData"]]
    if len({(r["customData"]["legal_entity"], r["customData"]["business_date"]) for r in runs}) != len(runs):
        yield "a night ran twice"
    for run in runs:
        data = run["customData"]
        pairs = [(name, name.replace(":source", ":target")) for name in data if ":source" in name]
        slow = run["started_us"] + 4 * HOUR_US < world.now_us and run["status"] != "success"
        if slow or any(data[source] != data[target] for source, target in pairs):
            yield f"{data['legal_entity']} of {data['business_date']}"


def failed_runs(world: World) -> Iterator[str]:
    """Yield every run that failed, or that has been running or waiting for more than an hour."""
    for run in world.n8n["execution"].values():
        long = (run["stopped_us"] or world.now_us) - run["started_us"] > HOUR_US
        if long or run["status"] in ("error", "crashed"):
            yield run["id"]
