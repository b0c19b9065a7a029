"""Which records are one customer: pure, from what platforms declared, what stewards decided and which keys are equal.

Stewards come before declared references, these before keys. A decision that two records are apart is never overruled, and
a key that would do so, or would join a company with its parent, joins nobody. The order of arrival plays no part.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import dataclass, field

Pair = tuple[int, int]


@dataclass(frozen=True)
class Links:
    """What connects some customer records.

    `references`: (record, record it names). `together`, `apart`: decided by stewards. `parents`: (record, its parent company).
    `keys`: value → the records that hold it.
    """

    references: Set[Pair] = frozenset()
    together: Set[Pair] = frozenset()
    apart: Set[Pair] = frozenset()
    parents: Set[Pair] = frozenset()
    keys: Mapping[int, Sequence[int]] = field(default_factory=dict)


@dataclass(frozen=True)
class Grouping:
    """The customers found, how each record came to its own, and the values that join nobody: disputed or hierarchy."""

    groups: list[list[int]]
    evidence: dict[int, tuple[str, int]]
    refused: dict[int, str]


class _Sets:
    """Disjoint sets of records of which some may not meet."""

    def __init__(self, records: Iterable[int], apart: Iterable[Pair]) -> None:
        self.over = {r: r for r in records}
        self.members = {r: [r] for r in self.over}
        self.enemies: dict[int, set[int]] = defaultdict(set)
        for a, b in apart:
            if a in self.over and b in self.over:
                self.enemies[a].add(b)
                self.enemies[b].add(a)

    def find(self, record: int) -> int:
        while self.over[record] != record:
            self.over[record] = self.over[self.over[record]]
            record = self.over[record]
        return record

    def unite(self, a: int, b: int) -> bool:
        """Join two records' sets; False where a decision keeps them apart."""
        one, two = sorted((self.find(a), self.find(b)))
        if one == two:
            return True
        fewer, other = (one, two) if len(self.enemies[one]) <= len(self.enemies[two]) else (two, one)
        if any(self.find(enemy) == other for enemy in self.enemies[fewer]):
            return False
        self.over[two] = one
        self.members[one] += self.members.pop(two)
        self.enemies[one] |= self.enemies.pop(two)
        return True


def group(records: Iterable[int], links: Links) -> Grouping:
    """Return the customers that these records are."""
    sets = _Sets(sorted(records), links.apart)
    evidence: dict[int, tuple[str, int]] = {}
    for word, pairs in (("steward", links.together), ("reference", links.references)):
        for a, b in sorted(pairs, key=lambda pair: (min(pair), max(pair))):
            if sets.unite(a, b):
                evidence.setdefault(a, (word, 0))
                evidence.setdefault(b, (word, 0))
    refused = _refused(sets, links)
    for key, holders in sorted(links.keys.items()):
        if key not in refused:
            for holder in holders[1:]:
                sets.unite(holders[0], holder)
            for holder in holders if len(holders) > 1 else ():
                evidence.setdefault(holder, ("key", key))
    return Grouping(sorted(sorted(held) for held in sets.members.values()), evidence, refused)


def _refused(sets: _Sets, links: Links) -> dict[int, str]:
    """Return the values that must not join: all those of a web of values that would bring together who is apart."""
    kept = [("disputed", pair) for pair in links.apart] + [("hierarchy", pair) for pair in links.parents]
    known = [(why, sets.find(a), sets.find(b)) for why, (a, b) in kept if a in sets.over and b in sets.over]
    # A parent that the platforms themselves declare to be one customer with its child is no reason.
    barred = [(why, a, b) for why, a, b in known if a != b]
    if not barred:
        return {}
    webs = _Sets({sets.find(r) for r in sets.over}, ())
    for holders in links.keys.values():
        for holder in holders[1:]:
            webs.unite(sets.find(holders[0]), sets.find(holder))
    torn: dict[int, str] = {}
    for why, a, b in sorted(barred):
        if webs.find(a) == webs.find(b):
            torn.setdefault(webs.find(a), why)
    found = {key: torn.get(webs.find(sets.find(holders[0]))) for key, holders in links.keys.items() if len(holders) > 1}
    return {key: why for key, why in found.items() if why is not None}
