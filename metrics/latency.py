"""How long did those take that completed: percentiles over the events of a window, read from an index alone.

Who never completed has no latency and is counted beside it, elsewhere.
"""

from __future__ import annotations

import numpy as np
from sqlalchemy import Connection, text

from .counting import BEGUN, UNSEEN
from .definitions import Sli
from .filters import Filters
from .sight import View
from .windows import Window

Latencies = tuple[int | None, int | None, int | None]


def latencies(conn: Connection, view: View, sli: Sli, window: Window, filters: Filters) -> Latencies:
    """Return p50, p95 and p99 of the signed latency over completed subjects, by linear interpolation. Units: microseconds."""
    where, given = filters.events_where(view)
    own, months = window.own_month()
    where, given = where + own, {**given, **months}
    if filters.as_of_us is not None:
        where, given["at"] = f"{where} AND {BEGUN} AND NOT {UNSEEN}", filters.as_of_us
    rows = conn.execute(
        text(
            f"SELECT e.value_us FROM {filters.events()} WHERE e.sli = :sli AND e.at_us >= :from_us"
            f" AND e.at_us <= :to_us AND e.outcome IN ('good', 'bad') AND e.value_us IS NOT NULL{where}"
        ),
        {"sli": sli.name, "from_us": window.from_us, "to_us": window.to_us, **given},
    ).scalars()
    values = np.fromiter(rows, dtype=np.int64)
    if not len(values):
        return None, None, None
    found = np.percentile(values, [50, 95, 99], method="linear")
    return round(found[0]), round(found[1]), round(found[2])
