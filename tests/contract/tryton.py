"""A small Tryton of our own: the REST wire shapes of trytond 8 over a handful of rows. Only what the connector asks for."""

from __future__ import annotations

import json
from base64 import urlsafe_b64decode
from datetime import datetime
from typing import Any

from werkzeug.wrappers import Request, Response

KEY = "tryton-canary-key"
Row = dict[str, Any]


def stamp(at: datetime) -> Row:
    """Return a datetime as Tryton sends it."""
    names = ("year", "month", "day", "hour", "minute", "second", "microsecond")
    return {"__class__": "datetime", **{name: getattr(at, name) for name in names}}


def amount(text: str) -> Row:
    """Return a decimal as Tryton sends it."""
    return {"__class__": "Decimal", "decimal": text}


def world(at: datetime) -> dict[str, list[Row]]:
    """Return the rows of a small company, all written at `at`."""
    made = {"create_date": stamp(at), "write_date": None, "write_uid": 1}
    document = {"company": 1, "currency": {"id": 1, "code": "EUR"}, "party": {"id": 3, "name": "Acme"}, **made}
    money = {"untaxed_amount": amount("50.00"), "tax_amount": amount("9.50"), "total_amount": amount("59.50")}
    day = {"__class__": "date", "year": at.year, "month": at.month, "day": at.day}
    return {
        "company.company": [{"id": 1, "rec_name": "Northwind"}],
        "party.party": [
            {"id": 3, "code": "7", "name": "Acme", "active": True, "identifiers": [{"id": 1, "code": "DE123"}], **made},
            {"id": 4, "code": "8", "name": "Gone", "active": 0, "replaced_by": 3, "identifiers": [], "addresses": [], **made},
        ],
        "sale.sale": [{"id": 11, "number": "S1", "reference": "PO-1", "state": "processing", "sale_date": day, **money, **document}],
        "account.invoice": [{
            "id": 42, "number": "INV-1", "reference": "in_1", "type": "out", "state": "posted", "amount_to_pay": amount("59.50"),
            "invoice_date": day, "accounting_date": None, "move": {"id": 9, "create_date": stamp(at)}, **money, **document,
        }],
        "account.payment": [{
            "id": 5, "number": "P1", "kind": "receivable", "state": "succeeded", "amount": amount("59.50"), "date": day, **document,
        }],
        "account.move": [{
            "id": 9, "number": "M1", "state": "posted", "date": day, "post_date": day, "company": {"id": 1, "currency": {"code": "EUR"}},
            "create_date": stamp(at), "write_date": stamp(at), "write_uid": 1, "journal": {"code": "REV"}, "origin": "account.invoice,42",
        }],
        "account.move.line": [
            {"id": 1, "move": 9, "debit": amount("59.50")}, {"id": 2, "move": 9, "debit": amount("0.00")},
        ],
    }  # fmt: skip


class Tryton:
    """The WSGI-side of it: bearer key, domains, order by id, size."""

    def __init__(self, rows: dict[str, list[Row]]) -> None:
        self.rows = rows
        self.domains: list[Any] = []

    def __call__(self, request: Request) -> Response:
        if request.path.endswith("/rpc/"):
            return Response(json.dumps({"id": 0, "result": "8.0"}), content_type="application/json")
        if request.headers.get("Authorization") != f"bearer {KEY}":
            return Response("<html><body>Unauthorized</body></html>", 401, content_type="text/html")
        if request.path.endswith("/get_access"):
            return Response("{}", content_type="application/json")
        rows = self.rows[request.path.rpartition("/")[2]]
        if "d" in request.args:
            domain = json.loads(urlsafe_b64decode(request.args["d"]))
            self.domains.append(domain)
            rows = [row for row in rows if holds(domain, row)]
        body = sorted(rows, key=lambda row: row["id"])[: int(request.args["s"])]
        return Response(json.dumps(body), content_type="application/json")


def holds(domain: Any, row: Row) -> bool:
    """Return whether a row is in a domain."""
    if domain and domain[0] in ("OR", "AND"):
        found = [holds(part, row) for part in domain[1:]]
        return any(found) if domain[0] == "OR" else all(found)
    if domain and isinstance(domain[0], str):
        name, operator, value = domain
        held = row.get(name)
        held = held["id"] if isinstance(held, dict) and "id" in held else held
        if operator == "in":
            return held in value
        if operator == "=":
            return bool(held == value)
        if held is None:
            return False
        left, right = _comparable(held), _comparable(value)
        return bool(left >= right) if operator == ">=" else bool(left > right)
    return all(holds(part, row) for part in domain)


def _comparable(value: Any) -> Any:
    names = ("year", "month", "day", "hour", "minute", "second", "microsecond")
    return tuple(value.get(name, 0) for name in names) if isinstance(value, dict) else value
