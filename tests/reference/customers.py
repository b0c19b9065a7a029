"""Which customer records are one customer, since when it trades, and how long each platform told the truth about it."""

from __future__ import annotations

import re
from collections.abc import Iterable

from probes.record import Record

from .facts import Document, Facts, Ident
from .verdict import DAY, NEVER

FIELDS = {"in_billing": (), "in_erp": ("tax_id", "payment_terms", "postal_code", "city")}
ROLE = {"in_billing": "billing", "in_erp": "erp"}
GRACE = DAY
WITHIN = DAY


SHARED_BY = 5


class Customers:
    """Customer records joined by stewards, by what platforms asserted (`about`, `merged_into`), and by equal tax ids."""

    def __init__(self, facts: Facts) -> None:
        from metrics.keys import record_id

        self.identity = record_id
        self.facts = facts
        self.records = [d for d in facts.documents.values() if d.ident[1] == "customer"]
        self.edges = self._named("about", "merged_into")
        self.parents = self._named("part_of")
        self.decided = _last_decisions(facts)
        self.refused: dict[str, str] = {}
        self.head = {ident: self._head(group) for group in self._groups() for ident in group}

    def _named(self, *kinds: str) -> set[tuple[Ident, Ident]]:
        return {
            (d.ident, other.ident)
            for d in self.records
            for r in d.head.references
            if r.kind in kinds
            for other in self.records
            if r.to in other.names and other is not d
        }

    def _groups(self) -> list[set[Ident]]:
        groups = [{d.ident} for d in self.records]
        apart = [pair for pair, kind in self.decided.items() if kind != "confirm"]
        together = {tuple(pair) for pair, kind in self.decided.items() if kind == "confirm"}
        for pairs in (together, self.edges):
            for a, b in sorted(pairs, key=lambda pair: sorted(self.identity(*i) for i in pair)):
                one, two = _of(groups, a), _of(groups, b)
                if one is not two and one and two and not any(_between(pair, one, two) for pair in apart):
                    one |= two
                    groups.remove(two)
        for web in self._webs(groups):
            held = [g for g in groups if g <= web]
            torn = [any(_between(pair, g, h) for g in held for h in held if g is not h) for pair in apart]
            strict = [any(_between(frozenset(p), g, h) for g in held for h in held if g is not h) for p in self.parents]
            if any(torn) or any(strict):
                continue
            groups = [g for g in groups if g not in held] + [web]
        return groups

    def _webs(self, groups: list[set[Ident]]) -> list[set[Ident]]:
        """Return the customers that equal values would make of these groups."""
        holders: dict[str, set[Ident]] = {}
        for document in self.records:
            value = _tax_id(document)
            if value is not None:
                holders.setdefault(value, set()).add(document.ident)
        webs = [set(g) for g in groups]
        for held in holders.values():
            platforms = [ident[0] for ident in held]
            if max(platforms.count(p) for p in platforms) > SHARED_BY:
                continue
            met = [w for w in webs if w & held]
            webs = [w for w in webs if w not in met] + [set().union(*met)]
        return [w for w in webs if w not in groups]

    def _head(self, group: set[Ident]) -> Ident:
        """A record of the CRM that the others name stands for the customer."""
        naming, named = {a for a, _ in self.edges}, {b for _, b in self.edges}

        def standing(ident: Ident) -> tuple[object, ...]:
            elsewhere = "crm" not in self.facts.roles.get(ident[0], ())
            deleted = self.facts.documents[ident].head.deleted
            return elsewhere, deleted, ident in naming, ident not in named, self.identity(*ident)

        return min(group, key=standing)

    def payer(self, document: Document | None, said: Record) -> Ident | None:
        """Return the customer who pays a document, as it said; None where nobody known is named."""
        if document is None:
            return None
        parties = said.parties
        named = parties.get("bill_to", parties.get("sold_to"))
        return None if named is None else self.head.get((document.ident[0], "customer", named))

    def active_since(self) -> dict[Ident, int]:
        """Return when each customer began to trade: a won deal, a live subscription or an invoice that stands."""
        first: dict[Ident, int] = {}
        for document in self.facts.documents.values():
            at = _traded(document)
            named = document.head.parties.get("sold_to")
            if at is None or named is None:
                continue
            customer = self.head.get((document.ident[0], "customer", named))
            if customer is not None:
                first[customer] = min(at, first.get(customer, NEVER))
        return first


def _of(groups: list[set[Ident]], ident: Ident) -> set[Ident] | None:
    return next((g for g in groups if ident in g), None)


def _between(pair: frozenset[Ident], one: set[Ident], two: set[Ident]) -> bool:
    a, b = pair
    return (a in one and b in two) or (b in one and a in two)


def _last_decisions(facts: Facts) -> dict[frozenset[Ident], str]:
    return {frozenset((a, b)): kind for _at, kind, a, b in sorted(facts.decisions, key=lambda d: d[0])}


def _tax_id(document: Document) -> str | None:
    """Return the tax id by which a record is known, as it last was before it went; None for words that say nothing."""
    alive = [v.record for v in document.versions if not v.record.deleted] or [document.head]
    written = re.sub(r"[^0-9a-z]", "", (alive[-1].attributes.get("tax_id") or "").casefold())
    return None if written in ("", "unknown", "na", "none", "000000") else written


def _traded(document: Document) -> int | None:
    head = document.head
    if head.deleted:
        return None
    if head.kind == "opportunity" and head.state == "won":
        won = document.entered("won")
        return None if won is None else won[1]
    live = {"subscription": ("active",), "invoice": ("open", "paid", "uncollectible")}
    return head.created_us if head.state in live.get(head.kind, ()) else None


def normal(field: str, value: str | None) -> str | None:
    """Return what is compared of an attribute."""
    if value is None or not value.strip():
        return None
    words = re.sub(r"[^0-9a-z]+", " ", value.casefold()).split()
    return ("" if field in ("tax_id", "postal_code") else " ").join(words)


def intervals(
    customer: Document, found: list[Document], step: str, start_us: int, watermark_us: int
) -> list[tuple[int, int | None, str, str]]:
    """Return (from, to, outcome, reason) of one customer on one platform, up to what was seen."""
    moments = {start_us, start_us + WITHIN}
    for document in (customer, *found):
        moments |= {since + more for since, _ in document.dated() for more in (0, GRACE)}
    moments |= {_born(d) for d in found}
    told: list[tuple[int, int | None, str, str]] = []
    last: tuple[object, ...] | None = None
    for at in sorted(m for m in moments if start_us <= m <= watermark_us):
        state = _state(at, customer, found, step, start_us)
        if state != last:
            if told:
                told[-1] = (told[-1][0], at, *told[-1][2:])
            told.append((at, None, *state[:2]))
        last = state
    return told


def _state(at: int, customer: Document, found: list[Document], step: str, start_us: int) -> tuple[str, str, object]:
    there = [d for d in found if _born(d) <= at and not d.at(at).deleted]
    if not there:
        return ("pending", "new", None) if at < start_us + WITHIN else ("bad", "missing", None)
    scopes = [(d.head.entity or "", d.head.currency or d.head.attributes.get("currency") or "") for d in there]
    if len(set(scopes)) < len(scopes):
        return "bad", "duplicate", there[-1].ident
    waiting: list[tuple[Ident, str]] = []
    for document in there:
        for field in FIELDS[step]:
            mine, since = _value(customer, field, at)
            theirs, _ = _value(document, field, at)
            if mine is None or theirs is None or mine == theirs:
                continue
            if at >= since + GRACE:
                return "bad", "differs", (document.ident, field)
            waiting.append((document.ident, field))
    return ("pending", "grace", waiting[0]) if waiting else ("good", "agrees", there[0].ident)


def _born(document: Document) -> int:
    first = document.versions[0]
    return first.record.created_us if first.record.created_us is not None else first.order_us


def _value(document: Document, field: str, at: int) -> tuple[str | None, int]:
    """Return the value in force and since when; nothing is known of the time before the first version."""
    since = document.dated()[0][0]
    if at < since:
        return None, since
    value = normal(field, document.versions[0].record.attributes.get(field))
    for told, version in document.dated()[1:]:
        now = normal(field, version.record.attributes.get(field))
        if told <= at and now != value:
            value, since = now, told
    return value, since


def sorted_by_birth(found: Iterable[Document], identity: object) -> list[Document]:
    """Return counterparts oldest first."""
    assert callable(identity)
    return sorted(found, key=lambda d: (_born(d), identity(*d.ident)))
