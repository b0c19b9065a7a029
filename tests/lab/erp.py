"""How does business happen in the lab's Tryton? Customers, orders, invoices and money, over its own REST API.

Every function does what a person or an integration would do there and returns what Tryton then says of it; what Tieout
shows is compared with that. It writes with the integration's key.
"""

from __future__ import annotations

import base64
import datetime as dt
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import httpx

from tests.servers.tryton import Tryton

Json = dict[str, Any]
_ZONES = {"gmbh": "Europe/Berlin", "kk": "Asia/Tokyo"}  # as tryton_bootstrap.py sets them


@dataclass(frozen=True)
class Order:
    """A confirmed sale. Amounts in minor units of the company's currency; `reference` is the other system's id."""

    id: int
    number: str
    reference: str
    party: int
    net_minor: int
    tax_minor: int
    gross_minor: int
    created_at: dt.datetime
    invoices: tuple[int, ...]


@dataclass(frozen=True)
class Invoice:
    """An invoice as Tryton has it now."""

    id: int
    number: str | None
    state: str
    net_minor: int
    tax_minor: int
    gross_minor: int
    open_minor: int


class RestError(RuntimeError):
    """Tryton refused: the status and what it said."""


@dataclass(frozen=True)
class Erp:
    """Tryton's REST API as seen with one key, working in one of the two legal entities."""

    server: Tryton
    entity: str = "gmbh"
    key: str | None = None

    @property
    def facts(self) -> Json:
        """Return the ids this legal entity works with."""
        facts: Json = self.server.facts[self.entity]
        return facts

    def today(self) -> dt.date:
        """Return the day it is where this entity keeps its books: Tryton refuses to post into the day before."""
        return dt.datetime.now(ZoneInfo(_ZONES[self.entity])).date()

    def call(self, method: str, path: str, body: Json | None = None, **params: Any) -> Any:
        """Send one request. Returns: the decoded answer. Errors: RestError."""
        answer = httpx.request(
            method,
            f"{self.server.url}/{self.server.database}/rest/model/{path}",
            params=params,
            content=None if body is None else dump(body),
            headers={
                "Authorization": f"Bearer {self.key or self.server.integration_key}",
                "Content-Type": "application/json",
                "X-Tryton-Context": encode({"company": self.facts["company"]}),
            },
            timeout=60,
            trust_env=False,
        )
        if answer.status_code >= 400:
            raise RestError(f"{answer.status_code} {method} {path}: {answer.text[:500]}")
        return load(answer.text) if answer.text else None

    def find(self, model: str, domain: Sequence[Any], fields: Iterable[str]) -> list[Json]:
        """Return the records of a domain with these fields, by id."""
        found: list[Json] = self.call("GET", model, d=encode(list(domain)), o=encode([["id", "ASC"]]), f=list(fields))
        return found

    def create(self, model: str, values: Json, *fields: str) -> Json:
        """Create a record and return it with these fields."""
        made: Json = self.call("POST", model, values, f=list(fields))
        return made

    def write(self, model: str, id: int, **values: Any) -> None:
        """Change a record."""
        self.call("PUT", f"{model}/{id}", values)

    def press(self, model: str, id: int, button: str) -> None:
        """Press a button of a record's form."""
        self.call("POST", f"{model}/{id}/{button}", {})


def customer(erp: Erp, name: str, vat_id: str | None = None, code: str | None = None) -> int:
    """Make a customer with an address and an e-mail; `code` is the CRM's id of it. Returns: the party's id."""
    values: Json = {
        "name": name,
        "addresses": [["create", [{"street": "Hauptstr. 1", "city": "Berlin", "postal_code": "10115"}]]],
        "contact_mechanisms": [["create", [{"type": "email", "value": "ap@customer.example"}]]],
    }
    if code:
        values["code"] = code
    if vat_id:
        values["identifiers"] = [["create", [{"type": "eu_vat", "code": vat_id}]]]
    return int(erp.create("party.party", values)["id"])


def order(erp: Erp, party: int, reference: str, quantity: int = 1, unit_price: str = "49.00") -> Order:
    """Take an order through quotation and confirmation to processing, which drafts its invoice."""
    facts = erp.facts
    (address,) = erp.find("party.address", [["party", "=", party]], ["id"])
    line = {
        "product": facts["product"],
        "unit": facts["unit"],
        "quantity": float(quantity),
        "unit_price": Decimal(unit_price),
        "taxes": [["add", [facts["tax"]]]],  # REST runs no on_change: what the client would fill in must be given
    }
    values = {
        "company": facts["company"], "currency": facts["currency"], "party": party, "invoice_party": party,
        "shipment_party": party, "invoice_address": address["id"], "shipment_address": address["id"],
        "payment_term": facts["payment_term"], "sale_date": erp.today(), "reference": reference,
        "invoice_method": "order", "shipment_method": "order", "lines": [["create", [line]]],
    }  # fmt: skip
    id = int(erp.create("sale.sale", values)["id"])
    for button in ("quote", "confirm", "process"):
        if order_state(erp, id) not in {"processing", "done"}:
            erp.press("sale.sale", id, button)
    return _order(erp, id)


def order_state(erp: Erp, id: int) -> str:
    """Return the state of a sale."""
    return str(erp.find("sale.sale", [["id", "=", id]], ["state"])[0]["state"])


def cancel_draft(erp: Erp, party: int, reference: str) -> int:
    """Draft an order and cancel it again. Returns: the sale's id."""
    facts = erp.facts
    (address,) = erp.find("party.address", [["party", "=", party]], ["id"])
    values = {
        "company": facts["company"], "currency": facts["currency"], "party": party, "reference": reference,
        "invoice_address": address["id"], "shipment_address": address["id"], "payment_term": facts["payment_term"],
    }  # fmt: skip
    id = int(erp.create("sale.sale", values)["id"])
    erp.press("sale.sale", id, "cancel")
    return id


def post_invoice(erp: Erp, id: int, reference: str | None = None) -> Invoice:
    """Post a drafted invoice, dated today, giving it a number; `reference` is the billing platform's id of it."""
    erp.write("account.invoice", id, invoice_date=erp.today(), **({"reference": reference} if reference else {}))
    erp.press("account.invoice", id, "post")
    return invoice(erp, id)


def pay(erp: Erp, id: int, reference: str) -> Invoice:
    """Register money for an invoice: a bank statement of one line that names it, validated and posted."""
    fields = ["party", "account", "amount_to_pay"]
    (owed,) = erp.find("account.invoice", [["id", "=", id]], fields)
    (journal,) = erp.find("account.statement.journal", [], ["id"])
    line = {
        "date": erp.today(), "amount": owed["amount_to_pay"], "party": owed["party"], "account": owed["account"],
        "related_to": f"account.invoice,{id}", "description": reference,
    }  # fmt: skip
    statement = erp.create(
        "account.statement",
        {
            "name": reference,
            "journal": journal["id"],
            "date": erp.today(),
            "number_of_lines": 1,
            "lines": [["create", [line]]],
        },
    )
    for button in ("validate_statement", "post"):
        erp.press("account.statement", statement["id"], button)
    return invoice(erp, id)


def invoice(erp: Erp, id: int) -> Invoice:
    """Return an invoice as it is now."""
    fields = ["number", "state", "untaxed_amount", "tax_amount", "total_amount", "amount_to_pay", "currency.digits"]
    (row,) = erp.find("account.invoice", [["id", "=", id]], fields)
    names = ("untaxed_amount", "tax_amount", "total_amount", "amount_to_pay")
    return Invoice(id, row["number"], row["state"], *(_minor(row[name], row) for name in names))


def post_daily_summary(erp: Erp, on: dt.date, receivable_party: int, gross_minor: int, members: str) -> Json:
    """Post one journal entry for a whole day's invoices: receivable against revenue. Returns: id, number, state.

    Units: `gross_minor` in minor units of the entity's currency, here without decimals.
    """
    facts = erp.facts
    period = erp.find(
        "account.period",
        [
            ["start_date", "<=", on],
            ["end_date", ">=", on],
            ["company", "=", facts["company"]],
            ["type", "=", "standard"],
        ],
        ["id"],
    )[0]
    accounts, amount, nothing = facts["accounts"], Decimal(gross_minor), Decimal(0)
    lines = [
        {"account": accounts["receivable"], "party": receivable_party, "debit": amount, "credit": nothing},
        {"account": accounts["revenue"], "debit": nothing, "credit": amount},
    ]
    values = {
        "company": facts["company"], "period": period["id"], "journal": facts["journal"], "date": on,
        "description": members, "lines": [["create", lines]],
    }  # fmt: skip
    id = erp.create("account.move", values)["id"]
    erp.press("account.move", id, "post")
    return erp.find("account.move", [["id", "=", id]], ["number", "state", "date", "description", "company"])[0]


def _order(erp: Erp, id: int) -> Order:
    amounts = ("untaxed_amount", "tax_amount", "total_amount")
    fields = ("number", "reference", "party", "invoices", "create_date", "currency.digits", *amounts)
    (row,) = erp.find("sale.sale", [["id", "=", id]], fields)
    net_minor, tax_minor, gross_minor = (_minor(row[name], row) for name in amounts)
    invoices = tuple(map(_id, row["invoices"]))
    party, created_at = _id(row["party"]), row["create_date"]
    return Order(id, row["number"], row["reference"], party, net_minor, tax_minor, gross_minor, created_at, invoices)


def _id(value: int | Json) -> int:
    return int(value["id"]) if isinstance(value, dict) else value


def _minor(amount: Decimal, row: Json) -> int:
    return int(amount.scaleb(row["currency"]["digits"]))


def encode(value: object) -> str:
    """Return Tryton's JSON as URL-safe base64, as domains, orders and contexts travel."""
    return base64.urlsafe_b64encode(dump(value).encode()).decode()


def dump(value: object) -> str:
    """Return Tryton's JSON: dates and decimals are objects with `__class__`."""
    return json.dumps(value, default=_tagged)


def _tagged(value: object) -> Json:
    if isinstance(value, dt.datetime):
        parts = ("year", "month", "day", "hour", "minute", "second", "microsecond")
        return {"__class__": "datetime", **{part: getattr(value.astimezone(dt.UTC), part) for part in parts}}
    if isinstance(value, dt.date):
        return {"__class__": "date", "year": value.year, "month": value.month, "day": value.day}
    if isinstance(value, Decimal):
        return {"__class__": "Decimal", "decimal": str(value)}
    raise TypeError(f"no Tryton form for {type(value).__name__}")


def load(text: str) -> Any:
    """Read Tryton's JSON; date-times come back aware, in UTC."""
    return json.loads(text, object_hook=_untagged)


def _untagged(value: Json) -> Any:
    kind = value.pop("__class__", None)
    if kind == "datetime":
        return dt.datetime(**value, tzinfo=dt.UTC)
    if kind == "date":
        return dt.date(**value)
    if kind == "Decimal":
        return Decimal(value["decimal"])
    return value
