"""Is a thing wrong, as far as the platforms' APIs show? One reader per kind of finding and object; none looks into the world."""

from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import httpx

from probes.sandbox import Clock
from probes.sandbox.journal import Entry

from .erp_client import Erp

Row = dict[str, Any]
SUBSIDIARY = {"NW-DE": "2", "NW-US": "3", "NW-JP": "4"}
_CRM = "/salesforce/services/data/v66.0"


@dataclass(frozen=True)
class Platforms:
    """All platforms, signed in."""

    web: httpx.Client
    crm_headers: dict[str, str]
    erp: Erp
    clock: Clock

    def soql(self, text: str) -> list[Row]:
        """Run SOQL over deleted rows too; one page is enough here."""
        answered = self.web.get(f"{_CRM}/queryAll", params={"q": text}, headers=self.crm_headers)
        assert answered.status_code == 200, answered.text
        found: list[Row] = answered.json()["records"]
        return found

    def one(self, kind: str, row_id: str, fields: str) -> Row:
        """Read one row of the CRM."""
        (row,) = self.soql(f"SELECT {fields} FROM {kind} WHERE Id = '{row_id}'")
        return row

    def sql(self, text: str) -> list[Row]:
        """Run SuiteQL."""
        return self.erp.rows(text)

    def billing(self, path: str, **parameters: Any) -> Row:
        """Read from Stripe, not faster than it lets us."""
        self.clock.step(0.02)
        headers = {"Authorization": "Bearer rk_live_sandbox_stripe"}
        answered = self.web.get(f"/stripe/v1/{path}", params=parameters, headers=headers)
        assert answered.status_code == 200, answered.text
        found: Row = answered.json()
        return found

    def listed(self, path: str, **parameters: Any) -> list[Row]:
        """Read a whole list of Stripe's."""
        page = self.billing(path, limit=100, **parameters)
        found: list[Row] = list(page["data"])
        while page["has_more"]:
            page = self.billing(path, limit=100, starting_after=found[-1]["id"], **parameters)
            found += page["data"]
        return found

    def support(self, path: str, **parameters: Any) -> Row:
        """Read from Zendesk, not faster than it lets us."""
        self.clock.step(0.1)
        headers = {"Authorization": "Bearer sandbox-zendesk-token"}
        found: Row = self.web.get(f"/zendesk/api/v2/{path}.json", params=parameters, headers=headers).json()
        return found

    def runtime(self, path: str, **parameters: Any) -> Row:
        """Read from n8n."""
        found: Row = self.web.get(
            f"/n8n/api/v1/{path}", params=parameters, headers={"X-N8N-API-KEY": "sandbox-n8n-key"}
        ).json()
        return found

    def queue(self, name: str) -> Row:
        """Read a queue."""
        found: Row = self.web.get(f"/rabbitmq/api/queues/%2F/{name}", auth=("monitor", "sandbox-rabbitmq")).json()
        return found


Reader = Callable[[Platforms, Entry], bool]


def _orders(p: Platforms, opportunity: str, entity: str | None) -> list[Row]:
    deal = p.one("Opportunity", opportunity, "PO_Number__c")
    where = f"type = 'SalesOrd' AND otherrefnum = '{deal['PO_Number__c']}' AND status <> 'C'"
    where += f" AND subsidiary = {SUBSIDIARY[entity]}" if entity else ""
    columns = "id, status, foreigntotal, custbody_sf_revision, custbody_contract_value, enddate"
    return p.sql(f"SELECT {columns} FROM transaction WHERE {where}")


def order_missing(p: Platforms, e: Entry) -> bool:
    return not _orders(p, e.external_id, e.entity)


def order_twice(p: Platforms, e: Entry) -> bool:
    return len(_orders(p, e.external_id, e.entity)) > 1


def order_stands(p: Platforms, e: Entry) -> bool:
    won = p.one("Opportunity", e.external_id, "IsWon")["IsWon"]
    return not won and len(_orders(p, e.external_id, e.entity)) > 0


def order_stale(p: Platforms, e: Entry) -> bool:
    (order,) = _orders(p, e.external_id, e.entity)
    return bool(int(order["custbody_sf_revision"]) < p.one("Opportunity", e.external_id, "Revision__c")["Revision__c"])


def order_differs(p: Platforms, e: Entry) -> bool:
    where = f"OpportunityId = '{e.external_id}' AND Legal_Entity__c = '{e.entity}'"
    lines = p.soql(f"SELECT TotalPrice FROM OpportunityLineItem WHERE {where}")
    (order,) = _orders(p, e.external_id, e.entity)
    return bool(round(sum(line["TotalPrice"] for line in lines), 2) != float(order["foreigntotal"]))


def half_done(p: Platforms, e: Entry) -> bool:
    live = bool(p.billing(f"subscriptions/{e.document}")["status"] == "active")
    return live and order_missing(p, e)


def lead_stuck(p: Platforms, e: Entry) -> bool:
    row = p.one("Lead", e.external_id, "IsConverted, Status, Qualified_At__c")
    return bool(row["Qualified_At__c"] is not None and not row["IsConverted"])


def run_failed(p: Platforms, e: Entry) -> bool:
    row = p.runtime(f"executions/{e.external_id}", includeData="true")
    named = e.document in row["customData"].values() and row["data"]["resultData"]["error"] is not None
    return named and row["status"] == "error" and row["retrySuccessId"] is None


def run_stuck(p: Platforms, e: Entry) -> bool:
    row = p.runtime(f"executions/{e.external_id}")
    return e.document in row["customData"].values() and row["status"] in ("running", "waiting")


def approval_waits(p: Platforms, e: Entry) -> bool:
    return bool(p.sql(f"SELECT status FROM transaction WHERE id = {e.external_id}")[0]["status"] == "A")


def not_shipped(p: Platforms, e: Entry) -> bool:
    return not p.sql(f"SELECT id FROM transaction WHERE type = 'ItemShip' AND createdfrom = {e.external_id}")


def _plans(p: Platforms, order: str) -> list[Row]:
    return p.sql(f"SELECT amount FROM revenueplan WHERE createdfrom = {order}")


def not_planned(p: Platforms, e: Entry) -> bool:
    return not _plans(p, e.external_id)


def planned_otherwise(p: Platforms, e: Entry) -> bool:
    (order,) = p.sql(f"SELECT foreigntotal FROM transaction WHERE id = {e.external_id}")
    return bool(_plans(p, e.external_id)[0]["amount"] != order["foreigntotal"])


def _postings(p: Platforms, number: str) -> list[Row]:
    columns = "id, foreigntotal, netamount, taxtotal, foreignamountunpaid, BUILTIN.DF(currency) AS currency, subsidiary"
    columns += ", voided, TO_CHAR(trandate, 'YYYY-MM-DD') AS trandate, postingperiod"
    where = f"UPPER(TRIM(otherrefnum)) LIKE '%{number}' OR tranid = '{number}'"
    return p.sql(f"SELECT {columns} FROM transaction WHERE type = 'CustInvc' AND ({where})")


def _posting(p: Platforms, e: Entry) -> tuple[Row, Row]:
    billed = p.billing(f"invoices/{e.external_id}")
    return billed, _postings(p, billed["number"])[0]


def invoice_missing(p: Platforms, e: Entry) -> bool:
    return not _postings(p, p.billing(f"invoices/{e.external_id}")["number"])


def invoice_differs(p: Platforms, e: Entry) -> bool:
    billed, posted = _posting(p, e)
    tax = billed["total"] - billed["total_excluding_tax"]
    want = (billed["total"], billed["total_excluding_tax"], tax, billed["amount_remaining"])
    names = ("foreigntotal", "netamount", "taxtotal", "foreignamountunpaid")
    return tuple(round(Decimal(posted[name]) * 100) for name in names) != want


def invoice_in_other_currency(p: Platforms, e: Entry) -> bool:
    billed, posted = _posting(p, e)
    return bool(billed["currency"].upper() != posted["currency"])


def invoice_twice(p: Platforms, e: Entry) -> bool:
    found = _postings(p, p.billing(f"invoices/{e.external_id}")["number"])
    return [row["voided"] for row in found].count("F") > 1


def invoice_elsewhere(p: Platforms, e: Entry) -> bool:
    return bool(_posting(p, e)[1]["subsidiary"] != SUBSIDIARY[str(e.entity)])


def invoice_in_other_period(p: Platforms, e: Entry) -> bool:
    posted = _posting(p, e)[1]
    stamp = "TO_CHAR(startdate, 'YYYY-MM-DD') AS startdate"
    (period,) = p.sql(f"SELECT {stamp} FROM accountingperiod WHERE id = {posted['postingperiod']}")
    return bool(period["startdate"] > posted["trandate"])


def invoice_voided_once(p: Platforms, e: Entry) -> bool:
    billed, posted = _posting(p, e)
    return bool((billed["status"] == "void") != (posted["voided"] == "T"))


def fan_out_incomplete(p: Platforms, e: Entry) -> bool:
    billed, posted = _posting(p, e)
    (payer,) = p.sql(
        f"SELECT c.custentity_dunning_flag, c.externalid, c.entityid FROM customer c "
        f"JOIN transaction t ON t.entity = c.id WHERE t.id = {posted['id']}"
    )
    account = p.soql(f"SELECT Payment_Risk__c FROM Account WHERE AccountNumber = '{_number(payer['entityid'])}'")[0]
    tickets = p.support("tickets/search", external_id=e.external_id)["tickets"]
    flags = (account["Payment_Risk__c"], payer["custentity_dunning_flag"] == "T", bool(tickets))
    if billed["status"] == "open":
        return not all(flags)
    return any(flags[:2]) or any(ticket["status"] not in ("solved", "closed") for ticket in tickets)


def _number(text: str) -> str:
    return text.strip().upper().lstrip("0")


def credit_missing(p: Platforms, e: Entry) -> bool:
    number = p.billing(f"credit_notes/{e.external_id}")["number"]
    return not p.sql(f"SELECT id FROM transaction WHERE type = 'CustCred' AND otherrefnum = '{number}'")


def refund_missing(p: Platforms, e: Entry) -> bool:
    amount = p.billing(f"refunds/{e.external_id}")["amount"]
    found = p.sql(f"SELECT foreigntotal FROM transaction WHERE type = 'CustRfnd' AND externalid = '{e.external_id}'")
    return [round(Decimal(row["foreigntotal"]) * -100) for row in found] != [amount]


def payment_missing(p: Platforms, e: Entry) -> bool:
    return not p.sql(f"SELECT id FROM transaction WHERE type = 'CustPymt' AND externalid = '{e.external_id}'")


def payment_misapplied(p: Platforms, e: Entry) -> bool:
    parts = p.listed("invoice_payments")
    want = {x["invoice"]: x["amount_paid"] for x in parts if x["payment"]["payment_intent"] == e.external_id}
    rows = p.sql(
        "SELECT i.otherrefnum, i.tranid, l.foreignamount FROM nexttransactionlinelink l "
        "JOIN transaction t ON t.id = l.nextdoc JOIN transaction i ON i.id = l.previousdoc "
        f"WHERE t.type = 'CustPymt' AND t.externalid = '{e.external_id}'"
    )
    numbers = {p.billing(f"invoices/{invoice}")["number"]: amount for invoice, amount in want.items()}
    got = {_number(r.get("otherrefnum") or r["tranid"]): round(Decimal(r["foreignamount"]) * 100) for r in rows}
    return got != numbers
