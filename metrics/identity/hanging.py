"""What hangs on a customer record: its open orders, open receivables and open cases, so that a merge can be weighed.

Counted for many records at once. Each record is counted by itself, as its own platform tells; sums over platforms would count a
document twice.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from sqlalchemy import Connection, bindparam, text

from .keys import chunks

_OPEN = "r.state IN ('pending', 'open', 'active', 'paused') AND r.deleted_us IS NULL AND NOT r.test"
_OWED = (
    "r.kind = 'invoice' AND r.state IN ('open', 'posted', 'uncollectible') AND COALESCE(r.open_minor, 1) <> 0"
    " AND r.deleted_us IS NULL AND NOT r.test"
)
_SQL = text(
    "SELECT r.customer_id AS id, r.kind, r.currency, COUNT(*) AS n, SUM(r.net_minor) AS minor FROM record r"  # noqa: S608
    f" WHERE r.customer_id IN :ids AND r.kind IN ('order', 'case') AND {_OPEN} GROUP BY r.customer_id, r.kind, r.currency"
    " UNION ALL "
    "SELECT r.customer_id, 'invoice', r.currency, COUNT(*), SUM(COALESCE(r.open_minor, r.gross_minor)) FROM record r"
    f" WHERE r.customer_id IN :ids AND r.bill_to_id IS NULL AND {_OWED} GROUP BY r.customer_id, r.currency"
    " UNION ALL "
    "SELECT r.bill_to_id, 'invoice', r.currency, COUNT(*), SUM(COALESCE(r.open_minor, r.gross_minor)) FROM record r"
    f" WHERE r.bill_to_id IS NOT NULL AND r.bill_to_id IN :ids AND {_OWED} GROUP BY r.bill_to_id, r.currency"
).bindparams(bindparam("ids", expanding=True))


@dataclass(slots=True)
class Hanging:
    """Open documents of one record. Units: minor units per currency; receivables are what its payer still owes."""

    orders: int = 0
    order_money: dict[str, int] = field(default_factory=dict)
    invoices: int = 0
    receivables: dict[str, int] = field(default_factory=dict)
    cases: int = 0


def hanging(conn: Connection, ids: Sequence[int]) -> Mapping[int, Hanging]:
    """Return what hangs on each of these customer records; one with nothing open has an empty entry."""
    found = {rid: Hanging() for rid in ids}
    for chunk in chunks(sorted(found)):
        for rid, kind, currency, count, minor in conn.execute(_SQL, {"ids": chunk}):
            _add(found[rid], kind, currency, int(count), None if minor is None else int(minor))
    return found


def _add(to: Hanging, kind: str, currency: str | None, count: int, minor: int | None) -> None:
    if kind == "case":
        to.cases += count
        return
    if kind == "order":
        to.orders += count
        money = to.order_money
    else:
        to.invoices += count
        money = to.receivables
    if currency is not None and minor is not None:
        money[currency] = money.get(currency, 0) + minor
