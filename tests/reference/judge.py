"""A naive judge to compare with: the shipped flows and SLIs in plain loops over everything that was observed.

Written from the rules, not from the code that it checks, and slow: use it on small histories. It shares the record types only.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from .customers import ROLE, Customers, intervals, sorted_by_birth
from .episodes import ABSENT, agreed_us, episodes
from .facts import Facts
from .flows import ACTIVATED, ORDERED, POSTED, Needs, Step, differences, due, reach, then
from .subjects import deals, invoices
from .verdict import NEVER, Subject, Verdicts, corrected, decide

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
BREAK_KIND = {
    "duplicate": "duplicate",
    "currency": "currency_differs",
    "customer": "attribute_differs",
    "entity": "attribute_differs",
}


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
    if s.exclusion is None:
        check = f"{flow.name}.{step.name}"
        out.breaks += _breaks(facts, check, step, s, state, due_us, watermark, customers)


def _breaks(
    facts: Facts, check: str, step: Step, s: Subject, state: str, due_us: int, watermark: int | None, customers: Customers
) -> list[tuple[object, ...]]:  # fmt: skip
    """Return (check, subject, kind, field, expected, actual, money, since, closed)."""
    found: list[tuple[object, ...]] = []
    ripe = NEVER if due_us == NEVER else due_us + step.grace_us
    for field, mine, theirs, money, began, until, closed in episodes(facts, step, s, customers):
        words: tuple[str | None, str | None] = (_word(mine, customers), _word(theirs, customers))
        since, ended, kind = began, closed, BREAK_KIND.get(field, "amount_differs")
        if field in ABSENT:
            since, ended = max(began, ripe), min(closed, s.withdrawn_us)
            proven = watermark is not None and since <= watermark and state in ("lost", "late", "excluded")
            if since >= min(until, ended) or not (until < s.superseded_us or proven):
                continue
            kind = "missing_in_target" if field == "missing" else "stale_revision"
            words = (None if field == "missing" else str(s.revision), None)
            money = s.money if field == "missing" else delta(s)
        shown = "" if field in ("duplicate", *ABSENT) else field
        found.append((check, s.name, kind, shown, *words, money, since, _ended(ended)))
    return found


def _ended(at_us: int) -> int | None:
    return None if at_us == NEVER else at_us


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
    watermark = _seen(facts, flow)
    told = then(s, due_us) if agree else s
    r = reach(facts, step, told, due_us)
    r = replace(r, shown=r.shown and r.shown_us <= due_us)
    outcome, reason = decide(facts, s, r, start, due_us, streams, watermark)
    latest = r.at[1] if r.at else NEVER
    stands = min(latest, due_us)
    if agree and outcome == "good":
        apart = differences(step, told, r, customers, due_us)
        if s.superseded_us > due_us and (r.duplicate or apart):  # else the record shows the revision in force
            decided = watermark is not None and due_us <= watermark
            failed = "duplicate" if r.duplicate else apart[0][0]
            outcome, reason = ("bad", failed) if decided else ("pending", "not_due")
        else:
            stands = max(stands, agreed_us(episodes(facts, step, s, customers), due_us))
    if outcome == "bad":
        stands = due_us
    if s.exclusion is not None:
        outcome, reason = "excluded", s.exclusion
    at = stands if outcome in ("good", "bad", "excluded") else due_us
    value = latest - start if r.at and reason != "within_precision" else None
    mended = corrected(outcome, r, due_us, streams)
    out.events[name, s.name] = (outcome, reason, start, due_us, at, value, mended)
    out.money[name, s.name] = (s.money, s.currency)


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
