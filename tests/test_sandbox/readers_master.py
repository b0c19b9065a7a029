"""Is master data, a contract, an entitlement, a batch or a case wrong, as far as the platforms' APIs show?"""

from collections.abc import Mapping
from decimal import Decimal

from probes.sandbox.journal import Entry

from . import readers
from .readers import SUBSIDIARY, Platforms, Reader, Row

_GL = {"Software": "4000", "Services": "4010", "Hardware": "4020"}


def _customers(p: Platforms, name: str, entity: str | None) -> list[Row]:
    where = f"companyname = '{name.replace(chr(39), chr(39) * 2)}' AND isinactive = 'F' AND subsidiary = {SUBSIDIARY[str(entity)]}"
    columns = "id, vatregnumber, billaddr1, email, parent, BUILTIN.DF(terms) AS terms, BUILTIN.DF(currency) AS currency"
    return p.sql(f"SELECT {columns} FROM customer WHERE {where}")


def customer_twice(p: Platforms, e: Entry) -> bool:
    return len(_customers(p, p.one("Account", e.external_id, "Name")["Name"], e.entity)) > 1


def account_stands(p: Platforms, e: Entry) -> bool:
    return not p.one("Account", e.external_id, "IsDeleted")["IsDeleted"]


def customer_missing(p: Platforms, e: Entry) -> bool:
    if e.fault != "C02":
        return not _customers(p, p.one("Account", e.external_id, "Name")["Name"], e.entity)
    named = p.support("organizations", **{"page[size]": 100})
    found = list(named["organizations"])
    while named["meta"]["has_more"]:
        named = p.support("organizations", **{"page[size]": 100, "page[after]": named["meta"]["after_cursor"]})
        found += named["organizations"]
    mine = [o for o in found if (o["external_id"] or "").strip().upper()[:15] == e.external_id.upper()[:15]]
    return not mine or "entitlement" not in mine[0]["organization_fields"]


def customer_unknown(p: Platforms, e: Entry) -> bool:
    (row,) = p.sql(
        f"SELECT isinactive, externalid, custentity_stripe_customer FROM customer WHERE id = {e.external_id}"
    )
    return row["isinactive"] == "F" and "externalid" not in row and "custentity_stripe_customer" not in row


def attribute_differs(p: Platforms, e: Entry) -> bool:
    names = "Name, VAT_Id__c, Payment_Terms__c, BillingStreet, Billing_Email__c, CurrencyIsoCode, ParentId"
    account = p.one("Account", e.external_id, names)
    (booked,) = _customers(p, account["Name"], e.entity)
    pairs = {
        "VAT_Id__c": "vatregnumber", "Payment_Terms__c": "terms", "BillingStreet": "billaddr1", "Billing_Email__c": "email",
        "CurrencyIsoCode": "currency",
    }  # fmt: skip
    differing = {crm for crm, erp in pairs.items() if account[crm] != booked.get(erp)}
    billed = [
        c
        for c in p.listed("customers")
        if c["metadata"]["salesforce_account_id"].strip().upper()[:15] == e.external_id.upper()[:15]
    ]
    differing |= {"vat" for c in billed if c["metadata"]["vat_id"] != account["VAT_Id__c"]}
    differing |= {"terms" for c in billed if c["metadata"]["payment_terms"] != account["Payment_Terms__c"]}
    differing |= {"street" for c in billed if c["address"]["line1"] != account["BillingStreet"]}
    if e.fault == "M09":
        parents = p.sql(f"SELECT externalid FROM customer WHERE id = {booked['parent']}") if "parent" in booked else []
        return [row["externalid"].strip()[:15] for row in parents] != [account["ParentId"][:15]]
    return bool(differing)


def dangling(p: Platforms, e: Entry) -> bool:
    (row,) = p.sql(f"SELECT isinactive, externalid FROM customer WHERE id = {e.external_id}")
    account = row["externalid"].strip().split("-")[0]
    alive = p.soql(f"SELECT Id FROM Account WHERE Id = '{account}' AND IsDeleted = false")
    return row["isinactive"] == "F" and not alive


def _item(p: Platforms, product: str) -> tuple[Row, Row | None]:
    crm = p.one("Product2", product, "ProductCode, Tax_Code__c, GL_Account__c, Department__c")
    columns = "custitem_tax_code, BUILTIN.DF(incomeaccount) AS account, BUILTIN.DF(department) AS department"
    found = p.sql(f"SELECT {columns} FROM item WHERE itemid = '{crm['ProductCode']}'")
    return crm, found[0] if found else None


def product_missing(p: Platforms, e: Entry) -> bool:
    return _item(p, e.external_id)[1] is None


def product_differs(p: Platforms, e: Entry) -> bool:
    crm, item = _item(p, e.external_id)
    assert item is not None  # it differs, so it is there
    want = (crm["Tax_Code__c"], crm["GL_Account__c"], crm["Department__c"])
    return (item["custitem_tax_code"], item.get("account"), item.get("department")) != want


def price_differs(p: Platforms, e: Entry) -> bool:
    entry = p.one("PricebookEntry", e.external_id, "ProductCode, CurrencyIsoCode, UnitPrice")
    prices = p.billing("prices", limit=100, active="true")["data"]
    key = f"{entry['ProductCode']}-{entry['CurrencyIsoCode']}"
    (price,) = (x for x in prices if x["lookup_key"] == key)
    scale = 1 if entry["CurrencyIsoCode"] == "JPY" else 100
    return bool(round(entry["UnitPrice"] * scale) != price["unit_amount"])


def contract_differs(p: Platforms, e: Entry) -> bool:
    row = p.one("Contract", e.external_id, "ContractNumber, EndDate, Value__c, CurrencyIsoCode")
    columns = "custbody_contract_value, TO_CHAR(enddate, 'YYYY-MM-DD') AS enddate"
    (order,) = p.sql(f"SELECT {columns} FROM transaction WHERE custbody_contract_number = '{row['ContractNumber']}'")
    (live,) = (
        s
        for s in p.listed("subscriptions", status="all")
        if s["metadata"].get("contract_number") == row["ContractNumber"]
    )
    booked = (float(order["custbody_contract_value"]), order["enddate"])
    billed = (live["metadata"]["contract_end"], live["metadata"]["contract_currency"])
    return booked != (row["Value__c"], row["EndDate"]) or billed != (row["EndDate"], row["CurrencyIsoCode"])


def no_renewal(p: Platforms, e: Entry) -> bool:
    return p.one("Contract", e.external_id, "Renewal_Opportunity__c")["Renewal_Opportunity__c"] is None


def _entitlement(p: Platforms, subscription: str) -> Row | None:
    found = p.soql(f"SELECT Status, Type FROM Entitlement WHERE Stripe_Subscription__c LIKE '%{subscription}%'")
    return found[0] if found else None


def not_entitled(p: Platforms, e: Entry) -> bool:
    return p.billing(f"subscriptions/{e.external_id}")["status"] == "active" and _entitlement(p, e.external_id) is None


def entitled_otherwise(p: Platforms, e: Entry) -> bool:
    row = p.billing(f"subscriptions/{e.external_id}")
    granted = _entitlement(p, e.external_id)
    assert granted is not None  # it is wrong, so it is there
    want = "Expired" if row["status"] == "canceled" else "Inactive" if row["pause_collection"] else "Active"
    products = {item["price"]["lookup_key"] or item["price"]["product"] for item in row["items"]["data"]}
    premium = any(str(name).startswith("NW-SUPPORT") for name in products)
    tier = "Premium" if premium else "Standard"
    return bool(granted["Status"] != want or (want == "Active" and granted["Type"] != tier))


def _run(p: Platforms, e: Entry) -> Row | None:
    _, entity, day = e.external_id.split("/")
    page = p.runtime("executions", limit=250)
    rows = list(page["data"])
    while page["nextCursor"]:
        page = p.runtime("executions", limit=250, cursor=page["nextCursor"])
        rows += page["data"]
    mine = [
        r for r in rows if (r["customData"].get("legal_entity"), r["customData"].get("business_date")) == (entity, day)
    ]
    return mine[0] if mine else None


def batch_missing(p: Platforms, e: Entry) -> bool:
    return _run(p, e) is None


def totals_differ(p: Platforms, e: Entry) -> bool:
    run = _run(p, e)
    assert run is not None  # its totals differ, so it ran
    key = f"REV-{e.currency}"
    names = ("source_count", "target_count", "source_sum", "target_sum")
    counts = [int(run["customData"][f"{key}:{name}"]) for name in names]
    return counts[0] != counts[1] or counts[2] != counts[3]


def journal_differs(p: Platforms, e: Entry) -> bool:
    (journal,) = p.sql(
        f"SELECT id, netamount FROM transaction WHERE type = 'Journal' AND externalid = '{e.external_id}'"
    )
    lines = p.sql(f"SELECT foreignamount FROM transactionline WHERE transaction = {journal['id']}")
    unbalanced = sum(Decimal(line["foreignamount"]) for line in lines) != 0
    _, a, b, currency, *day = e.external_id.split("-")
    zone_day, entity = "-".join(day), f"{a}-{b}"
    booked = p.sql(
        "SELECT SUM(netamount) AS net FROM transaction WHERE type = 'CustInvc' AND voided = 'F' AND "
        f"subsidiary = {SUBSIDIARY[entity]} AND BUILTIN.DF(currency) = '{currency}' AND "
        f"TO_CHAR(trandate, 'YYYY-MM-DD') = '{zone_day}'"
    )
    return unbalanced or Decimal(booked[0]["net"]) != Decimal(journal["netamount"])


def not_taken(p: Platforms, e: Entry) -> bool:
    row = p.support(f"tickets/{e.external_id}")["ticket"]
    return row["group_id"] is None or ("escalated" in row["tags"] and row["assignee_id"] is None)


def severity_differs(p: Platforms, e: Entry) -> bool:
    row = p.support(f"tickets/{e.external_id}")["ticket"]
    (case,) = p.soql(f"SELECT Priority FROM Case WHERE Zendesk_Ticket__c = '{e.external_id}'")
    return bool(case["Priority"].lower() != row["priority"])


def message_dead(p: Platforms, e: Entry) -> bool:
    body = {"count": 500, "ackmode": "ack_requeue_true", "encoding": "auto"}
    auth = ("monitor", "sandbox-rabbitmq")
    seen = []
    for flow in ("orders", "invoices"):
        for queue in (flow, f"{flow}.dlq"):
            found = p.web.post(f"/rabbitmq/api/queues/%2F/{queue}/get", json=body, auth=auth).json()
            seen += [message["properties"]["message_id"] for message in found]
    return e.external_id in seen


READERS: Mapping[tuple[str, str], Reader] = {
    ("missing_in_target", "Opportunity"): readers.order_missing,
    ("duplicate", "Opportunity"): readers.order_twice,
    ("not_reversed", "Opportunity"): readers.order_stands,
    ("stale_revision", "Opportunity"): readers.order_stale,
    ("amount_differs", "Opportunity"): readers.order_differs,
    ("half_done", "Opportunity"): readers.half_done,
    ("overdue", "Lead"): readers.lead_stuck,
    ("exception", "execution"): readers.run_failed,
    ("stuck", "execution"): readers.run_stuck,
    ("stuck", "SalesOrd"): readers.approval_waits,
    ("overdue", "SalesOrd"): readers.not_shipped,
    ("missing_in_target", "SalesOrd"): readers.not_planned,
    ("amount_differs", "SalesOrd"): readers.planned_otherwise,
    ("missing_in_target", "invoice"): readers.invoice_missing,
    ("amount_differs", "invoice"): readers.invoice_differs,
    ("currency_differs", "invoice"): readers.invoice_in_other_currency,
    ("duplicate", "invoice"): readers.invoice_twice,
    ("attribute_differs", "invoice"): readers.invoice_elsewhere,
    ("period_differs", "invoice"): readers.invoice_in_other_period,
    ("not_reversed", "invoice"): readers.invoice_voided_once,
    ("incomplete_fan_out", "invoice"): readers.fan_out_incomplete,
    ("missing_in_target", "credit_note"): readers.credit_missing,
    ("missing_in_target", "refund"): readers.refund_missing,
    ("missing_in_target", "payment_intent"): readers.payment_missing,
    ("amount_differs", "payment_intent"): readers.payment_misapplied,
    ("duplicate", "Account"): customer_twice,
    ("suspected_duplicate", "Account"): account_stands,
    ("missing_in_target", "Account"): customer_missing,
    ("missing_in_source", "customer"): customer_unknown,
    ("attribute_differs", "Account"): attribute_differs,
    ("unauthorised_write", "Account"): attribute_differs,
    ("unattributed_write", "Account"): attribute_differs,
    ("dangling", "customer"): dangling,
    ("missing_in_target", "Product2"): product_missing,
    ("attribute_differs", "Product2"): product_differs,
    ("attribute_differs", "PricebookEntry"): price_differs,
    ("amount_differs", "Contract"): contract_differs,
    ("attribute_differs", "Contract"): contract_differs,
    ("currency_differs", "Contract"): contract_differs,
    ("overdue", "Contract"): no_renewal,
    ("missing_in_target", "subscription"): not_entitled,
    ("attribute_differs", "subscription"): entitled_otherwise,
    ("overdue", "subscription"): entitled_otherwise,
    ("batch_missing", "batch"): batch_missing,
    ("control_total", "batch"): totals_differ,
    ("amount_differs", "Journal"): journal_differs,
    ("overdue", "ticket"): not_taken,
    ("attribute_differs", "ticket"): severity_differs,
    ("exception", "message"): message_dead,
}
