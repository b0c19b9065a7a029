"""What has to be told now: read the facts, run the rules, move the alerts, queue the messages.

Rules read in one read transaction; transitions and messages are written in one write transaction, so neither is ever
without the other. Nothing is sent here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from metrics.definitions import Model
from metrics.store import Store
from probes.clock import duration_text

from . import dedup, ledger, sight, telling
from .dedup import Decision, Flap, Situation, Told, Why
from .findings import Alert, Finding, Member, Timing, alert_id
from .ledger import Held, Ledger
from .lifecycle import Change, advance, is_open
from .maintenance import platforms_of, worked_on
from .routing import route
from .rules import rules
from .settings import AlertSettings, specs
from .silences import silenced_by
from .spec import Common, timing

ALWAYS_NEWS = frozenset({"platform_down", "channel_broken"})
"""Rules that do not wait for the first load of history to end: they say why it does not."""
NOTICES = frozenset({"bulk_load"})
"""Rules that report something done with, not a state that lasts: nobody waits to hear that it is over."""
FIRST_EVER_LIMIT = 1


@dataclass(frozen=True, slots=True)
class EvaluationSummary:
    """What an evaluation did. `suppressed`: how often nobody was told of something open, by reason."""

    findings: int = 0
    fired: int = 0
    updated: int = 0
    resolved: int = 0
    held: int = 0
    messages: int = 0
    suppressed: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Outlook:
    """What the rules found, and whom to ask whether an alert of theirs can be seen to be over.

    `planned`: whether a finding is explained by planned maintenance, so that no alert begins with it.
    """

    findings: tuple[Finding, ...]
    blind: Callable[[Alert], str | None]
    timing: Callable[[str], Timing | None]
    first_load: bool
    planned: Callable[[Finding], bool] = lambda _: False


def evaluate(store: Store, model: Model, settings: AlertSettings, now_us: int) -> EvaluationSummary:
    """Evaluate every rule once and queue what has to be told."""
    outlook = look(store, model, specs(settings, model), now_us)
    busy = worked_on(model, settings.maintenance, now_us)
    planned = replace(outlook, planned=lambda finding: not platforms_of(finding, model).isdisjoint(busy))
    return record(store, settings, planned, now_us)


def record(store: Store, settings: AlertSettings, outlook: Outlook, now_us: int) -> EvaluationSummary:
    """Move the alerts by what the rules found and queue the messages, in one transaction."""
    with store.write() as conn:
        ids = [alert_id(f.fingerprint) for f in outlook.findings]
        before = ledger.load(conn, ids, now_us, settings.flapping.window)
        findings = [f for f in outlook.findings if _goes_on(f, before) or not outlook.planned(f)]
        changes = advance(before.alerts, findings, outlook.blind, outlook.timing, now_us)
        down = frozenset(f.scope.platform for f in findings if f.rule == "platform_down" and f.scope.platform)
        told = [_tell(c, before, outlook, down, settings, now_us) for c in changes]
        ledger.save_alerts(conn, [alert for alert, _, _ in told])
        ledger.save_members(conn, [m for c in changes for m in _member_changes(c, before, now_us)])
        items = [item for _, item, _ in told if item is not None]
        limit = settings.burst if before.ever_told else FIRST_EVER_LIMIT
        messages = telling.write(conn, items, limit=limit, now_us=now_us)
    planned = len(outlook.findings) - len(findings)
    return _summary(outlook.findings, changes, [decision for _, _, decision in told], messages, planned)


def _goes_on(finding: Finding, before: Ledger) -> bool:
    """Return whether an alert of this condition is firing already: maintenance begins none and ends none."""
    alert = before.alerts.get(alert_id(finding.fingerprint))
    return alert is not None and is_open(alert)


def look(store: Store, model: Model, wanted: Sequence[Common], now_us: int) -> Outlook:
    """Run every rule over one snapshot of the store."""
    found: list[Finding] = []
    facts: dict[str, tuple[Common, object]] = {}
    with store.read() as conn:
        for spec in wanted:
            rule = rules()[spec.rule]
            facts[spec.key] = (spec, rule.read(conn, model, spec, now_us))
        loading = sight.first_load(conn, sight.read(conn), now_us)
    for spec, known in facts.values():
        rule = rules()[spec.rule]
        found.extend(replace(f, advice=rule.ADVICE) for f in rule.find(known, spec, now_us))

    def blind(alert: Alert) -> str | None:
        if alert.spec not in facts:
            return None
        spec, known = facts[alert.spec]
        return rules()[spec.rule].blind(known, spec, alert, now_us)

    def patience(key: str) -> Timing | None:
        return timing(facts[key][0], rules()[facts[key][0].rule].TIMING) if key in facts else None

    return Outlook(tuple(found), blind, patience, loading)


def _tell(
    change: Change, before: Ledger, outlook: Outlook, down: frozenset[str], settings: AlertSettings, now_us: int
) -> tuple[Alert, telling.Item | None, Decision]:
    alert = change.alert
    fresh = _new_documents(change, before)
    told = Told(_heard(change, before, settings), before.flips.get(alert.id, 0), alert.id in before.damped)
    situation = Situation(
        alert=alert,
        move=change.move,
        told=told,
        routed=route(alert, settings.routes, tuple(settings.channels)),
        new_documents=fresh,
        repeat_us=(outlook.timing(alert.spec) or Timing()).repeat_us,
        provisional=change.finding is not None and change.finding.provisional,
        first_load=outlook.first_load and alert.rule not in ALWAYS_NEWS,
        silenced=silenced_by(alert, before.silences, now_us) is not None,
        explained=change.finding is not None and not down.isdisjoint(change.finding.caused_by),
        notice=alert.rule in NOTICES,
    )
    flap = Flap(settings.flapping.messages, settings.flapping.hold)
    decision = dedup.decide(situation, flap, now_us)
    item = telling.item(change, decision, fresh, told.flips, duration_text(settings.flapping.window))
    return _after(alert, decision, told, now_us), item, decision


def _heard(change: Change, before: Ledger, settings: AlertSettings) -> tuple[str, ...]:
    """Return who was told of this episode and still is there; nobody yet when it begins now."""
    told = () if change.move == "firing" else before.told.get(change.alert.id, ())
    return tuple(channel for channel in told if channel in settings.channels)


def _after(alert: Alert, decision: Decision, told: Told, now_us: int) -> Alert:
    if decision.kind is not None:
        return replace(alert, told_us=now_us, untold=None)
    waiting = is_open(alert) and not told.channels and decision.why in dedup.HOLDS
    return replace(alert, untold=str(decision.why) if waiting else None)


def _new_documents(change: Change, before: Ledger) -> int:
    """Count the documents in an alert that nobody was told of."""
    if change.members is None or not is_open(change.alert):
        return 0
    known = before.members.get(change.alert.id, {})
    told_us = change.alert.told_us
    return sum(told_us is None or m.key not in known or known[m.key].since_us > told_us for m in change.members)


def _member_changes(change: Change, before: Ledger, now_us: int) -> list[tuple[str, Held]]:
    """Return the documents that came, went or changed; while nobody can look, none does."""
    known = before.members.get(change.alert.id, {})
    if change.members is None:
        return []
    present: dict[str, Member] = {m.key: m for m in change.members} if is_open(change.alert) else {}
    rows = []
    for key, member in present.items():
        held = known.get(key)
        if held is None or held.gone_us is not None or held.member != member:
            rows.append((change.alert.id, Held(member, held.since_us if held else now_us, None)))
    gone = [h for key, h in known.items() if key not in present and h.gone_us is None]
    return rows + [(change.alert.id, replace(h, gone_us=now_us)) for h in gone]


def _summary(
    findings: Sequence[Finding], changes: Sequence[Change], decisions: Sequence[Decision], messages: int, planned: int
) -> EvaluationSummary:
    suppressed: dict[str, int] = {"maintenance": planned} if planned else {}
    for change, decision in zip(changes, decisions, strict=True):
        if is_open(change.alert) and decision.why in dedup.HOLDS:
            suppressed[str(decision.why)] = suppressed.get(str(decision.why), 0) + 1
    return EvaluationSummary(
        findings=len(findings),
        fired=sum(c.move == "firing" for c in changes),
        updated=sum(d.why is Why.NEW_DOCUMENTS for d in decisions),
        resolved=sum(c.move == "resolved" for c in changes),
        held=sum(c.alert.held is not None for c in changes),
        messages=messages,
        suppressed=suppressed,
    )
