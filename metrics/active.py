"""Since when each customer trades: its first won deal, live subscription or invoice, whichever platform shows it.

Read as an attribute of the customer; no path leads through one. Each part is an index look-up, not a scan of its documents.
"""

from __future__ import annotations

import pandas as pd
from sqlalchemy import Connection

from .definitions import TRADING
from .gather import frame

_FIRST = (
    "SELECT x.customer_id AS subject, (SELECT MIN(r.created_us) FROM record r WHERE r.customer_id = x.record_id"
    " AND r.kind = '{kind}' AND r.state = '{state}' AND r.deleted_us IS NULL) AS at"
    " FROM subject s CROSS JOIN crosswalk x WHERE x.customer_id = s.id"
)
_WON = (
    "SELECT x.customer_id AS subject, (SELECT MIN(m.latest_us) FROM record r CROSS JOIN milestone m"
    " WHERE r.customer_id = x.record_id AND m.record_id = r.id AND m.name = 'state:won' AND r.kind = 'opportunity' AND r.state = 'won'"
    " AND r.deleted_us IS NULL) AS at"
    " FROM subject s CROSS JOIN crosswalk x WHERE x.customer_id = s.id"
)


def active_since(conn: Connection) -> pd.DataFrame:
    """Return (subject, at) for the customers in the temporary table `subject` that trade. Time: microseconds UTC."""
    parts = [_WON if kind == "opportunity" else _FIRST.format(kind=kind, state=state) for kind, state in TRADING]
    union = " UNION ALL ".join(parts)
    return frame(
        conn,
        f"SELECT subject, MIN(at) AS at FROM ({union}) AS firsts WHERE at IS NOT NULL GROUP BY subject ORDER BY subject",
    )
