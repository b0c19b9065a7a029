"""How many events and how much money fell into each hour and day: contributions added and taken away, never recounted.

Each event counts in the bucket of the instant its outcome stands from; one that is pending in that of its deadline.
"""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection, text

from probes.clock import DAY, HOUR

GRAINS = {"hour": HOUR, "day": DAY}

_SELECT = (
    "SELECT e.sli, '{grain}', e.at_us - (e.at_us % {size}) AS bucket, e.stream_id, e.entity, e.outcome, COALESCE(e.reason, ''),"
    " COALESCE(e.currency, ''), {sign} * COUNT(*), {sign} * COALESCE(SUM(e.money_minor), 0),"
    " {sign} * SUM(CASE WHEN e.outcome = 'bad' AND e.value_us IS NULL THEN 1 ELSE 0 END), {sign} * COUNT(e.corrected_us)"
    " FROM {source}"
    " e.at_us IS NOT NULL"
    " GROUP BY e.sli, bucket, e.stream_id, e.entity, e.outcome, COALESCE(e.reason, ''), COALESCE(e.currency, '')"
)
_SUMS = ("event_count", "money_minor", "incomplete_count", "corrected_count")
_ADD = (
    f"INSERT INTO sli_rollup (sli, grain, bucket_us, stream_id, entity, outcome, reason, currency, {', '.join(_SUMS)})"
    " {select} ON CONFLICT (sli, grain, bucket_us, stream_id, entity, outcome, reason, currency) DO UPDATE SET "
    + ", ".join(f"{name} = sli_rollup.{name} + excluded.{name}" for name in _SUMS)
)
_ALL = "sli_event e WHERE"
_CHOSEN = "subject s CROSS JOIN sli_event e WHERE e.sli = :sli AND e.anchor_id = s.id AND"


def add_contributions(conn: Connection, sign: int, slis: Sequence[str]) -> None:
    """Add (+1) or take away (-1) what the events of the anchors in the temporary table `subject` contribute."""
    for grain, size in GRAINS.items():
        select = _SELECT.format(grain=grain, size=size, sign=sign, source=_CHOSEN)
        for sli in slis:
            conn.execute(text(_ADD.format(select=select)), {"sli": sli})
    if sign > 0:
        conn.execute(text("DELETE FROM sli_rollup WHERE event_count = 0 AND money_minor = 0"))


def rebuild_rollups(conn: Connection) -> None:
    """Fill the empty table from all events."""
    for grain, size in GRAINS.items():
        conn.execute(text(_ADD.format(select=_SELECT.format(grain=grain, size=size, sign=1, source=_ALL))))
