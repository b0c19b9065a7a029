"""How many events count in a window, per outcome and reason: the naive judge's verdicts, counted one by one."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime

from .facts import Facts
from .flows import Needs
from .judge import NEEDS
from .verdict import NEVER, Verdicts

MINUTE = 60_000_000
SLACK = 4 * MINUTE
"""Lag that is normal: two poll intervals of a minute, a minute until changes are visible, and one more."""
FLOW = {
    "order_latency": "quote_to_order", "order_completion": "quote_to_order",
    "subscription_activation": "subscription_activation", "invoice_sync_success": "invoice_to_cash",
}  # fmt: skip
WINDOW = 28 * 24 * 60 * MINUTE


def count(facts: Facts, verdicts: Verdicts, sli: str, now_us: int) -> dict[tuple[str, str], int]:
    """Return the events of an SLI's own window by (outcome, reason); what stands after it is pending, or not observed."""
    needs = NEEDS[FLOW[sli]]
    horizon = facts.watermark([s for role, kinds in needs for s in facts.streams_of(role, *kinds)])
    end = now_us if horizon is None else min(horizon, now_us)
    begin = max(_begin(sli, end), _watched(facts, needs))
    found: Counter[tuple[str, str]] = Counter()
    for (name, _subject), (outcome, reason, start, _due, at, _value, _corrected) in verdicts.events.items():
        if name != sli:
            continue
        assert isinstance(at, int)
        assert isinstance(start, int)
        if begin <= at <= end:
            found[str(outcome), str(reason)] += 1
        elif at > end >= start and outcome != "excluded":
            overdue = outcome == "pending" and at <= now_us - SLACK
            found[("blind", "not_observed") if overdue else ("pending", "not_due")] += 1
    return dict(found)


def _begin(sli: str, end_us: int) -> int:
    if sli != "invoice_sync_success":
        return end_us - WINDOW
    month = datetime.fromtimestamp(end_us // 1_000_000, UTC).replace(day=1, hour=0, minute=0, second=0)
    return int(month.timestamp()) * 1_000_000


def _watched(facts: Facts, needs: Needs) -> int:
    firsts = [s.first_complete_us for role, kinds in needs for s in facts.streams_of(role, *kinds)]
    default = NEVER if None in firsts else max(f for f in firsts if f is not None)
    return min([default, *(default if at is None else at for at in facts.entities.values())])
