"""When an anchor and its document began to differ and when they agreed again: the comparison made at every instant of change."""

from __future__ import annotations

from .customers import Customers
from .facts import Document, Facts
from .flows import Step, candidates, differences, reach, then, when
from .verdict import NEVER, Reached, Subject

Episode = tuple[str, object, object, int | None, int, int, int]
"""Field (or `duplicate`, `missing`, `stale`), expected, actual, money, since, until, closed."""
ABSENT = ("missing", "stale")


def episodes(facts: Facts, step: Step, s: Subject, customers: Customers) -> list[Episode]:
    """Return the stretches in which a comparison failed while the subject was in force."""
    seen = _moments(facts, step, s, customers)
    found: list[Episode] = []
    running: dict[str, tuple[int, tuple[object, object, int | None]]] = {}
    for at in sorted(seen):
        now = _failing(facts, step, s, customers, at)
        for field in [f for f in running if f not in now]:
            since, told = running.pop(field)
            found.append((field, *told, since, at, max(at, seen[at])))
        for field, told in now.items():
            running[field] = (running[field][0] if field in running else at, told)
    end = s.superseded_us
    return found + [(field, *told, since, end, end) for field, (since, told) in running.items()]


def _moments(facts: Facts, step: Step, s: Subject, customers: Customers) -> dict[int, int]:
    """Return the instants at which something compared changed, each with when that was observed."""
    told = [(s.start[1], s.start[1])]
    for document in candidates(facts, step, s):
        for at in (when(step, s, document), document.milestone(*step.milestones)):
            told += [] if at is None else [(at[1], document.first_observed_us)]
        told += [] if document.deleted_us is None else [(document.deleted_us, document.first_observed_us)]
        told += _changes(document, customers)
    told += _changes(s.anchor, customers)
    inside = [(at, seen) for at, seen in told if s.start[1] <= at < s.superseded_us]
    return {at: max(seen for other, seen in inside if other == at) for at, _ in inside}


def _changes(document: Document, customers: Customers) -> list[tuple[int, int]]:
    found, before = [], None
    for number, (since, version) in enumerate(document.held()):
        r = version.record
        payer = customers.payer(document, r)
        amounts = tuple(r.amounts.get(name) for name in ("net", "tax", "gross"))
        unmapped = r.status is not None and r.state is None
        told = (amounts, r.currency, r.entity or "", r.state, unmapped, r.revision or 0, payer, r.deleted)
        if number and told != before:
            found.append((since, version.observed_us))
        before = told
    return found


def _failing(
    facts: Facts, step: Step, s: Subject, customers: Customers, at: int
) -> dict[str, tuple[object, object, int | None]]:
    """Return what does not agree at an instant, with the money of it."""
    current = then(s, at)
    r: Reached = reach(facts, step, current, at, only_then=True)
    if r.at is None:
        stale = r.shown and s.revision > 1
        return {} if r.unmapped or s.anchor.unmapped else {"stale" if stale else "missing": (None, None, None)}
    found: dict[str, tuple[object, object, int | None]] = {}
    for field, mine, theirs in differences(step, current, r, customers, at):
        gap = abs(theirs - mine) if isinstance(mine, int) and isinstance(theirs, int) else current.money
        found[field] = (mine, theirs, gap)
    if r.duplicate:
        found = {field: told for field, told in found.items() if field not in ("net", "tax", "gross")}
        found["duplicate"] = (None, None, None if r.sum is None else r.sum - (current.money or 0))
    return found


def agreed_us(found: list[Episode], due_us: int) -> int:
    """Return when both sides agreed for the last time by then."""
    return max((e[5] for e in found if e[5] <= due_us and e[0] not in ABSENT), default=-NEVER)
