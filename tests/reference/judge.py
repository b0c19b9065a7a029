"""A naive judge to compare with: the shipped flows and SLIs in plain loops over everything that was observed.

Written from the rules, not from the code that it checks, and slow: use it on small histories. It shares the record types only.
"""

from __future__ import annotations

from dataclasses import dataclass

from .customers import ROLE, Customers, intervals, sorted_by_birth
from .facts import Facts
from .flows import ACTIVATED, ORDERED, POSTED, Needs, Step, differences, due, reach
from .subjects import deals, invoices
from .verdict import NEVER, Reached, Subject, Verdicts, corrected, decide

STATE = {"good": "done", "bad": "lost", "blind": "blind", "pending": "waiting", "excluded": "excluded"}


@dataclass(frozen=True)
class Flow:
    """One document flow: its step, the streams it needs and its SLIs as (name, deadline, must agree)."""

    name: str
    step: Step
    slis: tuple[tuple[str, str, bool], ...]


QUOTE_TO_ORDER = Flow(
    "quote_to_order",
    ORDERED,
    (("order_latency", ORDERED.within, False), ("order_completion", "later of 24h and window + 1h", True)),
)
ACTIVATION = Flow("subscription_activation", ACTIVATED, (("subscription_activation", ACTIVATED.within, False),))
INVOICE_TO_CASH = Flow("invoice_to_cash", POSTED, (("invoice_sync_success", POSTED.within, True),))
_DEAL: Needs = [("crm", ("opportunity",)), ("crm", ("opportunity_change",))]
NEEDS: dict[str, Needs] = {
    "quote_to_order": [*_DEAL, ("crm", ("opportunity_line",)), ("erp", ("order",))],
    "subscription_activation": [*_DEAL, ("billing", ("subscription",))],
    "invoice_to_cash": [("billing", ("invoice", "credit_note")), ("erp", ("invoice", "credit_note", "journal_entry"))],
}
BREAK_KIND = {"currency": "currency_differs", "customer": "attribute_differs", "entity": "attribute_differs"}


def judge(facts: Facts) -> Verdicts:
    """Return every verdict that the facts support."""
    out, customers = Verdicts(), Customers(facts)
    for flow, subjects in (
        (QUOTE_TO_ORDER, deals(facts, NEEDS["quote_to_order"], split=True)),
        (ACTIVATION, deals(facts, NEEDS["subscription_activation"], split=False)),
        (INVOICE_TO_CASH, invoices(facts, NEEDS["invoice_to_cash"])),
    ):
        for subject in subjects:
            _step(facts, flow, subject, out, customers)
            for name, within, agree in flow.slis:
                _event(facts, flow, subject, name, within, agree, out, customers)
    _masters(facts, customers, out)
    return out


def _step(facts: Facts, flow: Flow, s: Subject, out: Verdicts, customers: Customers) -> None:
    step, streams = flow.step, facts.streams_of(flow.step.hop.role, *flow.step.hop.kinds)
    due_us = due(facts, step, s, step.name, step.within)
    r = reach(facts, step, s)
    watermark = _seen(facts, flow)
    outcome, reason = decide(facts, s, r, s.start[1], due_us, streams, watermark)
    state = "confirming" if reason == "confirming" else STATE[outcome]
    if outcome == "bad" and not r.at and s.withdrawn_us != NEVER:
        state = "excluded"  # it was late, but nothing is owed any more
    if r.at:
        state = "duplicate" if r.duplicate else "late" if outcome == "bad" else "done"
    out.steps[flow.name, s.name, step.name] = (state, reason, r.at, due_us, r.count)
    if s.last and s.exclusion is None:
        out.breaks += _breaks(f"{flow.name}.{step.name}", step, s, r, state, due_us, watermark, customers)


def _breaks(
    check: str, step: Step, s: Subject, r: Reached, state: str, due_us: int, watermark: int | None, customers: Customers
) -> list[tuple[object, ...]]:
    """Return (check, subject, kind, field, expected, actual, money, since, closed)."""
    found: list[tuple[object, ...]] = []
    ripe = NEVER if due_us == NEVER else due_us + step.grace_us
    left = state == "excluded" and ripe < s.withdrawn_us != NEVER
    if (state == "lost" or left) and watermark is not None and ripe <= watermark:
        closed = s.withdrawn_us if left else None
        stale = r.shown and s.revision > 1
        revision, money = (str(s.revision), delta(s)) if stale else (None, s.money)
        kind = "stale_revision" if stale else "missing_in_target"
        found.append((kind, "", revision, None, money, ripe, closed))
    was_missing = state == "late" and s.revision == 1 and r.at is not None and r.at[1] > ripe
    if was_missing and r.document and r.document.first_observed_us > ripe:
        found.append(("missing_in_target", "", None, None, s.money, ripe, r.document.first_observed_us))
    if r.at:
        since = max(r.at[1], s.start[1])
        for field, mine, theirs in differences(step, s, r, customers):
            kind = BREAK_KIND.get(field, "amount_differs")
            gap = abs(theirs - mine) if isinstance(mine, int) and isinstance(theirs, int) else s.money
            found.append((kind, field, _word(mine, customers), _word(theirs, customers), gap, since, None))
        if r.duplicate:
            over = None if r.sum is None else r.sum - (s.money or 0)
            found.append(("duplicate", "", None, None, over, r.at[1], None))
    return [(check, s.name, *row) for row in found]


def delta(s: Subject) -> int | None:
    """Return by how much a revision differs from the one before it."""
    known = s.money is not None and s.before is not None
    return abs((s.money or 0) - (s.before or 0)) if known else s.money


def _word(value: object, customers: Customers) -> str | None:
    if isinstance(value, tuple):
        return str(customers.identity(*value))
    return None if value is None else str(value)


def _seen(facts: Facts, flow: Flow) -> int | None:
    """Return how far every stream of a flow was seen, the anchor's own included."""
    return facts.watermark([s for role, kinds in NEEDS[flow.name] for s in facts.streams_of(role, *kinds)])


def _event(
    facts: Facts, flow: Flow, s: Subject, name: str, within: str, agree: bool, out: Verdicts, customers: Customers
) -> None:
    step = flow.step
    streams = facts.streams_of(step.hop.role, *step.hop.kinds)
    start, due_us = s.start[1], due(facts, step, s, name, within)
    r = reach(facts, step, s, due_us)
    outcome, reason = decide(facts, s, r, start, due_us, streams, _seen(facts, flow))
    if agree and outcome == "good" and s.superseded_us > due_us:  # else the record shows the revision in force
        apart = differences(step, s, r, customers, due_us)
        if r.duplicate or apart:
            outcome, reason = "bad", "duplicate" if r.duplicate else apart[0][0]
    if s.exclusion is not None:
        outcome, reason = "excluded", s.exclusion
    latest = r.at[1] if r.at else NEVER
    at = min(latest, due_us) if outcome in ("good", "bad", "excluded") else due_us
    value = latest - start if r.at and reason != "within_precision" else None
    mended = corrected(outcome, r, due_us, streams)
    out.events[name, s.name] = (outcome, reason, start, due_us, at, value, mended)
    out.money[name, s.name] = (s.money, s.anchor.head.currency)


def _masters(facts: Facts, customers: Customers, out: Verdicts) -> None:
    for ident, start in customers.active_since().items():
        customer = facts.documents[ident]
        if "crm" not in facts.roles.get(ident[0], ()) or customer.head.test or customer.head.exempt is not None:
            continue
        for step, role in ROLE.items():
            watermark = facts.watermark([*facts.streams_of("crm", "customer"), *facts.streams_of(role, "customer")])
            if watermark is None or customer.head.deleted:
                continue
            same = [d for d in facts.of(role, "customer") if d.ident != ident and customers.head[d.ident] == ident]
            found = sorted_by_birth(same, customers.identity)
            told = intervals(customer, found, step, start, watermark)
            if told:
                out.states["master_reconciliation", ident, step] = list(told)
