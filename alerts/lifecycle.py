"""Which state an alert is in after an evaluation: pending, firing, acknowledged, resolved. Pure; tells nobody.

1. A condition that is true longer than `for` fires and begins an episode.
2. A condition that is not found any more is over only if the streams behind it were read: otherwise the alert is held.
3. A condition that is over longer than `keep_firing_for` resolves. One that never fired is forgotten.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Literal

from .findings import OPEN_STATES, Alert, Finding, Member, Timing, alert_id, facts_of

Move = Literal["firing", "resolved"]
GONE_RULE = "the rule is not configured any more"


@dataclass(frozen=True, slots=True)
class Change:
    """An alert after an evaluation. `move`: what became of it. `members` is None where nobody could look."""

    alert: Alert
    move: Move | None
    members: tuple[Member, ...] | None
    finding: Finding | None = None


def advance(
    stored: Mapping[str, Alert],
    findings: Iterable[Finding],
    blind: Callable[[Alert], str | None],
    timing: Callable[[str], Timing | None],
    now_us: int,
) -> list[Change]:
    """Move every alert by one evaluation. Shape: `stored` by alert id; one change per finding and per open alert."""
    changes: list[Change] = []
    found: set[str] = set()
    for finding in findings:
        key = alert_id(finding.fingerprint)
        found.add(key)
        changes.append(_present(stored.get(key), finding, timing(finding.spec) or Timing(), now_us))
    for key, alert in stored.items():
        if key not in found and alert.state != "resolved":
            changes.append(_absent(alert, blind(alert), timing(alert.spec), now_us))
    return changes


def _present(old: Alert | None, finding: Finding, timing: Timing, now_us: int) -> Change:
    if old is None or old.state == "resolved":
        old = _begin(old, finding, now_us)
    facts = facts_of(finding, now_us)
    since = min(old.since_us, finding.since_us)
    alert = replace(
        old,
        severity=finding.severity,
        spec=finding.spec,
        since_us=since,
        seen_us=now_us,
        clear_us=None,
        held=None,
        facts=replace(facts, since_us=since),
    )
    if alert.state == "pending" and now_us - alert.pending_us >= timing.for_us:
        alert = replace(alert, state="firing", episode=alert.episode + 1, fired_us=now_us)
        return Change(alert, "firing", finding.members, finding)
    return Change(alert, None, finding.members, finding)


def _begin(old: Alert | None, finding: Finding, now_us: int) -> Alert:
    """Start waiting: episodes already over keep their number, so the next one is a new one."""
    return Alert(
        id=alert_id(finding.fingerprint),
        fingerprint=finding.fingerprint,
        rule=finding.rule,
        spec=finding.spec,
        severity=finding.severity,
        state="pending",
        episode=old.episode if old else 0,
        since_us=finding.since_us,
        pending_us=now_us,
        seen_us=now_us,
        facts=facts_of(finding, now_us),
        told_us=old.told_us if old else None,
    )


def _absent(old: Alert, blind: str | None, timing: Timing | None, now_us: int) -> Change:
    if timing is not None and blind is not None:
        return Change(replace(old, held=blind, clear_us=None), None, None)
    if old.state == "pending":
        return Change(replace(old, state="resolved", held=None, untold=None), None, ())
    clear = now_us if old.clear_us is None else old.clear_us
    alert = replace(old, clear_us=clear, held=None)
    if timing is not None and now_us - clear < timing.keep_firing_us:
        return Change(alert, None, None)
    note = GONE_RULE if timing is None else None
    facts = replace(old.facts, at_us=now_us, as_of_us=None, note=note)
    return Change(replace(alert, state="resolved", resolved_us=now_us, facts=facts), "resolved", ())


def is_open(alert: Alert) -> bool:
    """Return whether an alert is firing, taken on or not."""
    return alert.state in OPEN_STATES
