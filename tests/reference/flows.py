"""Which documents reach which step, and where they disagree with their anchor: the shipped flows, told once more in loops."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from probes.record import Record

from . import deadlines
from .customers import Customers
from .facts import Document, Facts
from .verdict import HOUR, NEVER, Reached, Subject

Needs = list[tuple[str, tuple[str, ...]]]


@dataclass(frozen=True)
class Hop:
    """The documents that may reach a step: a kind of reference to the anchor, the role and kinds of document."""

    reference: str
    role: str
    kinds: tuple[str, ...]


@dataclass(frozen=True)
class Step:
    """One step on another document. `parts`: several documents may share the anchor's amount."""

    name: str
    hop: Hop
    milestones: tuple[str, ...]
    refused: tuple[str, ...]
    after: str
    within: str
    grace_us: int = 0
    parts: bool = False
    one_only: bool = False
    by_revision: bool = False
    agree: tuple[str, ...] = ()


ORDERED = Step(
    "ordered", Hop("fulfils", "erp", ("order",)), ("created",), ("draft", "rejected", "cancelled"), "won",
    "4h, or window + 1h where batched", 20 * HOUR, parts=True, by_revision=True, agree=("currency", "net"),
)  # fmt: skip
ACTIVATED = Step(
    "activated",
    Hop("fulfils", "billing", ("subscription",)),
    ("activated", "created"),
    ("draft",),
    "won",
    "1h, or window + 1h where batched",
    3 * HOUR,
)
POSTED = Step(
    "posted", Hop("posts", "erp", ("invoice", "credit_note", "journal_entry")), ("posted", "created"),
    ("draft", "pending", "rejected", "cancelled", "voided"), "finalised", "later of 24h and window + 1h", one_only=True,
    agree=("customer", "entity", "currency", "net", "tax", "gross"),
)  # fmt: skip
TOLERANCE = {"tax": 1, "gross": 1}


def candidates(facts: Facts, step: Step, s: Subject) -> list[Document]:
    """Return the documents that name the subject, living or not."""
    found = facts.naming(s.anchor, step.hop.reference, facts.of(step.hop.role, *step.hop.kinds))
    return [d for d in found if not s.split or d.head.entity == s.entity]


def reach(facts: Facts, step: Step, s: Subject, due_us: int | None = None, *, only_then: bool = False) -> Reached:
    """Return what a step shows of a subject; with `due_us`, as far as it was so then; `only_then`: later ones are not known."""
    live = [d for d in candidates(facts, step, s) if _lives(d, due_us)]
    if only_then and due_us is not None:
        live = [d for d in live if (made := d.milestone(*step.milestones)) is None or made[1] <= due_us]
    unmapped = any(_unmapped(d, due_us) for d in live)
    good = [d for d in live if not _unmapped(d, due_us) and _said(d, due_us).state not in step.refused]
    timed = [(at, d) for d in good if (at := when(step, s, d)) is not None]
    if only_then and due_us is not None:
        timed = [(at, d) for at, d in timed if at[1] <= due_us]
    timed.sort(key=lambda pair: (pair[0][1], identity(pair[1])))
    counted = [d for at, d in timed if due_us is None or at[1] <= due_us]
    amounts = [_share(step, s, _said(d, due_us)) for d in counted]
    known = [a for a in amounts if a is not None]
    total = sum(known) if known else None
    chosen = _complete(step, s, [(at, d, _share(step, s, _said(d, due_us))) for at, d in timed])
    duplicate = _twice(step, s, len(counted), known)
    dates = [d.milestone(*step.milestones) for d in good]
    shown_us = min((0 if at is None else at[1] for at in dates), default=NEVER)
    seen_us = min((d.first_observed_us for d in good), default=NEVER)
    if chosen is None:
        return Reached(
            count=len(counted), sum=total, unmapped=unmapped, shown=bool(good), duplicate=duplicate, shown_us=shown_us,
            shown_seen_us=seen_us,
        )  # fmt: skip
    abroad = next((d for d in counted if step.parts and _foreign(s, _said(d, due_us))), None)
    return Reached(chosen[0], chosen[1], len(counted), total, unmapped, True, duplicate, abroad, shown_us, seen_us)


def identity(document: Document) -> int:
    """Return the number by which documents of the same instant are put in order."""
    from metrics.keys import record_id

    return record_id(*document.ident)


def _lives(document: Document, due_us: int | None) -> bool:
    gone = document.deleted_us
    return gone is None or (due_us is not None and gone > due_us)


def _said(document: Document, due_us: int | None) -> Record:
    return document.head if due_us is None else document.at(due_us)


def _unmapped(document: Document, due_us: int | None) -> bool:
    said = _said(document, due_us)
    return said.status is not None and said.state is None


def when(step: Step, s: Subject, document: Document) -> tuple[int, int] | None:
    """Return when a document reached the step; a later revision when it first showed that one, by number, age or amount."""
    own = document.milestone(*step.milestones)
    if not step.by_revision or s.base == 1:
        return own
    found = [document.showed_revision(s.base), _came_to_be_worth(s, document, own)]
    if document.head.revision is None and own is not None and own[1] >= s.base_us:
        found.append(own)
    known = [at for at in found if at is not None]
    return min(known, key=lambda at: (at[1], at[0])) if known else None


def _came_to_be_worth(s: Subject, document: Document, own: tuple[int, int] | None) -> tuple[int, int] | None:
    """Return when a document came to show the revision's amount, and still did when the revision had begun."""
    told = document.held()
    for number, (since, version) in enumerate(told):
        before = told[number - 1] if number else None
        if not _worth(s, version.record) or (before is not None and _worth(s, before[1].record)):
            continue
        ends = [at for at, later in told[number + 1 :] if not _worth(s, later.record)]
        if ends and ends[0] <= s.base_us:
            continue
        if before is None:
            return own
        return min(max(before[0], version.after_us or 0), since), since
    return None


def _worth(s: Subject, said: Record) -> bool:
    return s.money is not None and said.amounts.get("net") == s.money and not _foreign(s, said)


def _amount(step: Step, s: Subject, said: Record, name: str | None = None) -> int | None:
    """Return what a document says; one that already shows a later revision has no common basis with an earlier one."""
    if (said.revision or 0) > s.revision and step.by_revision:
        return None
    return said.amounts.get(name or ("net" if step.parts else "gross"))


def _share(step: Step, s: Subject, said: Record) -> int | None:
    """Return what a document carries of the anchor's money, unknown in another currency: sums never mix them."""
    return None if _foreign(s, said) else _amount(step, s, said)


def _foreign(s: Subject, said: Record) -> bool:
    return None not in (s.currency, said.currency) and s.currency != said.currency


def _complete(
    step: Step, s: Subject, timed: list[tuple[tuple[int, int], Document, int | None]]
) -> tuple[tuple[int, int], Document] | None:
    """Return the document that completes the step: alone the first, in parts the one with which they cover the anchor."""
    if not timed:
        return None
    if not step.parts or len(timed) == 1 or s.money is None or not s.last:
        return timed[0][:2]
    covered = 0
    for at, document, amount in timed:
        if amount is None:
            return at, document
        covered += amount
        if (covered >= s.money) if s.money >= 0 else (covered <= s.money):
            return at, document
    return None


def _twice(step: Step, s: Subject, count: int, known: list[int]) -> bool:
    """Return whether a document is one too many: it may be only one, or the others cover the anchor without it."""
    if not s.last:
        return False
    if step.one_only:
        return count > 1
    if not step.parts or not s.money or not known or count < 2:
        return False
    return abs(sum(known)) - min(map(abs, known)) >= abs(s.money)


def differences(
    step: Step, s: Subject, r: Reached, customers: Customers, due_us: int | None = None
) -> list[tuple[str, object, object]]:
    """Return (field, expected, actual) where a document disagrees with its anchor; no common basis is no difference."""
    if r.document is None:
        return []
    said, own = _said(r.document, due_us), _said(s.anchor, due_us)
    s = then(s, due_us)
    currency = _said(r.abroad, due_us).currency if r.abroad else said.currency
    same_currency = s.currency is not None and s.currency == currency
    found: list[tuple[str, object, object]] = []
    compare: dict[str, Callable[[], tuple[object, object]]] = {
        "customer": lambda: (customers.payer(s.anchor, own), customers.payer(r.document, said)),
        "entity": lambda: (s.entity if s.split else own.entity, said.entity),
        "currency": lambda: (s.currency, currency),
    }
    for name in step.agree:
        if name in compare:
            mine, theirs = compare[name]()
            if mine is not None and theirs is not None and mine != theirs:
                found.append((name, mine, theirs))
            continue
        a = s.money if step.parts and name == "net" else own.amounts.get(name)
        b = _amount(step, s, said, name)
        if step.parts and r.count > 1:
            b = r.sum
        if a is not None and b is not None and same_currency and abs(a - b) > TOLERANCE.get(name, 0):
            found.append((name, a, b))
    return found


def then(s: Subject, at_us: int | None) -> Subject:
    """Return a subject with the money its anchor stated at an instant."""
    if at_us is None:
        return s
    own = s.anchor.at(at_us)
    if s.anchor.ident[1] != "opportunity":
        return replace(s, money=own.amounts.get("gross"), currency=own.currency)
    if s.told:
        return s if not s.split else replace(s, currency=own.currency)
    return replace(s, money=own.amounts.get("net"), currency=own.currency)


def due(facts: Facts, step: Step, s: Subject, name: str, within: str) -> int:
    """Return when a step or an SLI of a subject is due."""
    return deadlines.due(
        facts.calendars.deadlines.get(name, within), s.start[1], s.entity, step.hop.role, facts.calendars
    )
