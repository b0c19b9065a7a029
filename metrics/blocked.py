"""What waits for a customer that is missing somewhere: its open documents and their money. Reads verdicts, decides nothing."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection

from sqlalchemy import Connection, bindparam, text

_BLOCKED = text(
    "SELECT asked, currency, SUM(risk), COUNT(*) FROM (SELECT own.record_id AS asked, i.anchor_id, i.entity, i.currency,"
    " MAX(i.risk_minor) AS risk FROM crosswalk own JOIN crosswalk cw ON cw.customer_id = own.customer_id"
    " JOIN flow_instance i ON i.customer_id = cw.record_id WHERE own.record_id IN :ids AND i.risk_minor > 0"
    " AND i.currency IS NOT NULL AND i.state IN ('open', 'late', 'lost', 'blind')"
    " GROUP BY own.record_id, i.anchor_id, i.entity, i.currency) d GROUP BY asked, currency ORDER BY asked, currency"
).bindparams(bindparam("ids", expanding=True))


def blocked(conn: Connection, customers: Collection[int]) -> dict[int, dict[str, tuple[int, int]]]:
    """Return what waits for each of these customer records: per currency the money of its open documents and their count.

    Units: minor. A document in two flows counts once.
    """
    rows = conn.execute(_BLOCKED, {"ids": sorted(customers)}) if customers else ()
    found: dict[int, dict[str, tuple[int, int]]] = defaultdict(dict)
    for customer, currency, money, count in rows:
        found[customer][currency] = (int(money), int(count))
    return dict(found)
