"""Which channels a finding goes to, and what a matcher matches. Decides nothing about whether to send."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from .findings import Alert, Scope
from .settings import Route

FIELDS = ("severity", "rule", "alert", "flow", "sli", "entity", "platform", "owner")
"""What routes and silences can match on."""


def labels(alert: Alert) -> dict[str, str | None]:
    """Return what of an alert can be matched."""
    scope: Scope = alert.facts.scope
    return {
        "severity": alert.severity,
        "rule": alert.rule,
        "alert": alert.id,
        "flow": scope.flow,
        "sli": scope.sli,
        "entity": scope.entity,
        "platform": scope.platform,
        "owner": scope.owner,
    }


def matches(wanted: Mapping[str, Sequence[str]], have: Mapping[str, str | None]) -> bool:
    """Return whether every field that is named has one of its values; a field that is not named matches all."""
    return all(have.get(name) in values for name, values in wanted.items() if values)


def route(alert: Alert, routes: Sequence[Route], channels: Sequence[str]) -> tuple[str, ...]:
    """Return the channels for an alert: those of the first matching route, and of later ones while `continue` says so.

    Without any route every channel hears of everything. A broken channel is never told about itself.
    """
    have = labels(alert)
    chosen: list[str] = [] if routes else list(channels)
    for r in routes:
        if matches(r.matchers(), have):
            chosen.extend(c for c in r.channels if c not in chosen)
            if not r.continue_:
                break
    return tuple(c for c in chosen if c in channels and c != alert.facts.scope.channel)
