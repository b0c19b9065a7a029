"""Which subjects documents make: revisions from the deal's own history, parts from its lines, and what is excluded."""

from __future__ import annotations

from .facts import Document, Facts
from .verdict import NEVER, Subject

TEN_MINUTES = 600_000_000
GONE = ("lost", "cancelled", "voided")


def deals(facts: Facts, needs: list[tuple[str, tuple[str, ...]]], *, split: bool) -> list[Subject]:
    """Return the subjects of won opportunities: one per revision and, where lines name several entities, per entity."""
    changes = facts.of("crm", "opportunity_change")
    lines = facts.of("crm", "opportunity_line") if split else []
    found: list[Subject] = []
    for deal in facts.of("crm", "opportunity"):
        parts = _parts(facts.naming(deal, "part_of", lines), deal.head.currency)
        told = _revisions(facts.naming(deal, "part_of", changes), deal.head.currency)
        begun = told or _plain(deal)
        for number, (start, net, left_us, stated) in enumerate(begun, 1):
            withdrawn = min(left_us, _or_never(deal.deleted_us))
            if not told and deal.head.state in GONE:
                withdrawn = min(withdrawn, _gone(deal, GONE))
            money = net if net is not None else deal.head.amounts.get("net")
            for entity, amount in parts.items() if parts else [(deal.head.entity or "", money)]:
                exclusion = _exclusion(facts, deal, entity, start[1], needs, ("opportunity",))
                last = number == len(begun)
                until = NEVER if last else begun[number][0][1]
                earlier = [x for x in found if x.anchor is deal and x.entity == entity]
                currency = stated if net is not None and not parts else deal.head.currency
                same = bool(earlier) and (earlier[-1].money, earlier[-1].currency) == (amount, currency)
                comparable = bool(earlier) and earlier[-1].currency == currency
                found.append(
                    Subject(
                        deal, number, entity, bool(parts), last, start, amount, earlier[-1].money if comparable else None,
                        withdrawn, until, exclusion, currency, earlier[-1].base if same else number,
                        earlier[-1].base_us if same else start[1], bool(parts) or net is not None,
                    )
                )  # fmt: skip
    return found


def invoices(facts: Facts, needs: list[tuple[str, tuple[str, ...]]]) -> list[Subject]:
    """Return the subjects of invoices and credit notes that are no drafts."""
    found = []
    for invoice in facts.of("billing", "invoice", "credit_note"):
        start = invoice.milestone("finalised", "created")
        if start is None or invoice.head.state == "draft":
            continue
        withdrawn = _or_never(invoice.deleted_us)
        if invoice.head.state == "voided":
            withdrawn = min(withdrawn, _gone(invoice, ("voided",)))
        entity = invoice.head.entity or ""
        exclusion = _exclusion(facts, invoice, entity, start[1], needs, ("invoice", "credit_note"))
        money = invoice.head.amounts.get("gross")
        currency = invoice.head.currency
        found.append(
            Subject(invoice, 1, entity, False, True, start, money, None, withdrawn, NEVER, exclusion, currency)
        )
    return found


def watch_start(facts: Facts, entity: str, needs: list[tuple[str, tuple[str, ...]]]) -> int:
    """Return since when documents of an entity are watched: declared, else when every stream first completed."""
    declared = facts.entities.get(entity)
    if declared is not None:
        return declared
    firsts = [s.first_complete_us for role, kinds in needs for s in facts.streams_of(role, *kinds)]
    return NEVER if not firsts or None in firsts else max(f for f in firsts if f is not None)


def _exclusion(
    facts: Facts, anchor: Document, entity: str, start_us: int, needs: list[tuple[str, tuple[str, ...]]], kinds: tuple[str, ...]
) -> str | None:  # fmt: skip
    if anchor.head.test:
        return "test"
    if start_us < watch_start(facts, entity, needs):
        return "before_watch_start"
    if anchor.head.exempt is not None:
        return anchor.head.exempt
    if _loaded(facts, anchor):
        return "bulk_load"
    return "not_posted" if any((entity, kind) in facts.not_posted for kind in kinds) else None


def _loaded(facts: Facts, anchor: Document) -> bool:
    """Return whether one actor made fifty of its kind within the same ten minutes."""
    actor, created = anchor.head.actor, anchor.head.created_us
    if actor is None or actor.grade != "field" or created is None:
        return False
    alike = [
        d
        for d in facts.documents.values()
        if d.ident[:2] == anchor.ident[:2] and d.head.actor == actor and d.head.created_us is not None
        and d.head.created_us // TEN_MINUTES == created // TEN_MINUTES
    ]  # fmt: skip
    return len(alike) >= 50


Begun = tuple[tuple[int, int], int | None, int, str | None]
"""Start, net, when left, currency."""


def _plain(deal: Document) -> list[Begun]:
    start = deal.milestone("won", "state:won")
    return [] if start is None else [(start, None, NEVER, deal.head.currency)]


def _revisions(changes: list[Document], own: str | None) -> list[Begun]:
    """Return the revisions: a deal is won, won again, or changes its amount or currency while won."""
    dated = [(c.head.created_us, c.ident[2], c.head) for c in changes if not c.head.deleted]
    rows = sorted((at, ident, head) for at, ident, head in dated if at is not None)
    found: list[Begun] = []
    before: tuple[bool, int | None, str | None] = (False, None, None)
    for at, _, head in rows:
        won, net, currency = head.state == "won", head.amounts.get("net"), head.currency or own
        if won and before != (True, net, currency):
            found.append(((at, at), net, NEVER, currency))
        elif not won and found and found[-1][2] == NEVER:
            found[-1] = (*found[-1][:2], at, found[-1][3])
        before = (won, net, currency)
    return found


def _parts(lines: list[Document], own: str | None) -> dict[str, int | None]:
    """Return the amount per legal entity where lines name several; unknown as soon as one line's is, or in another currency."""
    sums: dict[str, int | None] = {}
    for line in lines:
        entity, net = line.head.entity, line.head.amounts.get("net")
        if line.head.deleted or not entity:
            continue
        if None not in (own, line.head.currency) and own != line.head.currency:
            net = None
        held = sums.get(entity, 0)
        sums[entity] = None if held is None or net is None else held + net
    return sums if len(sums) > 1 else {}


def _gone(document: Document, states: tuple[str, ...]) -> int:
    """Return when it was withdrawn: the earliest of the milestones that say so, at their latest."""
    found = [document.milestone(name) for state in states for name in (state, f"state:{state}")]
    return min((at[1] for at in found if at is not None), default=NEVER)


def _or_never(at_us: int | None) -> int:
    return NEVER if at_us is None else at_us
