"""Which posting group a document belongs to where an entity posts many as one, and what the group proves of its members.

A group that ties to the minor unit proves all of them. One that does not is one break; of its members only those are bad that
are the single set of at most three that explains the difference, the rest are good then, and without such a set all are blind.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from probes.clock import local_date
from probes.record import Record, Reference

from .arrays import NONE, Array
from .definitions import Model, PostingGroup

KIND = "grouped_in"
_WITHDRAWN = frozenset({"draft", "voided", "cancelled", "rejected"})


def grouper(model: Model) -> Callable[[Record], Reference | None] | None:
    """Return the function that names a document's group, or None when no entity posts n:1."""
    rules = {
        (entity, kind): (group, model.zone(entity))
        for entity, settings in model.entities.items()
        for kind, group in settings.posting.items()
        if isinstance(group, PostingGroup)
    }
    if not rules:
        return None

    def group_of(record: Record) -> Reference | None:
        rule = rules.get((record.entity or "", record.kind))
        if rule is None or record.state in _WITHDRAWN or record.deleted or record.exempt or record.test:
            return None
        group, zone = rule
        at = record.milestones.get(group.milestone)
        if at is None:
            return None
        date = local_date(at[1], zone).isoformat()
        return Reference(KIND, group.key.format(entity=record.entity, currency=record.currency, date=date))

    return group_of


@dataclass(frozen=True)
class Explanation:
    """The members, by position, that make a difference; `several` when other sets of at most three make it too."""

    members: tuple[int, ...] = ()
    several: bool = False


def explain(difference: int, amounts: Sequence[int]) -> Explanation:
    """Return the only set of at most three amounts that makes the difference.

    Each pair that can still be part of one is looked at once, a row of them at a time: 10,000 members take about a second.
    """
    places = np.argsort(np.asarray(amounts, dtype=np.int64), kind="stable")
    held = np.asarray(amounts, dtype=np.int64)[places]
    found: list[tuple[int, ...]] = [(i,) for i in _at(held, difference)]
    for i in range(len(held)):
        if len(found) > 1:
            return Explanation(several=True)
        rest = held[i + 1 :]
        left = difference - int(held[i])
        found += [(i, i + 1 + j) for j in _at(rest, left)]
        found += [(i, i + 1 + j, i + 1 + k) for j, k in _pairs(rest, left)]
    if len(found) > 1:
        return Explanation(several=True)
    return Explanation(tuple(sorted(places[list(found[0])].tolist()))) if found else Explanation()


def _at(held: Array, amount: int) -> list[int]:
    """Return where an amount stands, twice at most: that is as good as often. `held` ascends."""
    first, last = np.searchsorted(held, amount, "left"), np.searchsorted(held, amount, "right")
    return list(range(int(first), min(int(last), int(first) + 2)))


def _pairs(held: Array, amount: int) -> list[tuple[int, int]]:
    """Return two of the pairs that add up to an amount, the smaller one first; `held` ascends."""
    if len(held) < 2:
        return []
    low = int(np.searchsorted(held, amount - int(held[-1]), "left"))
    high = int(np.searchsorted(held, amount // 2, "right"))
    smaller = held[low:high]
    first = np.maximum(np.searchsorted(held, amount - smaller, "left"), np.arange(low, high) + 1)
    last = np.searchsorted(held, amount - smaller, "right")
    hits = np.flatnonzero(first < last)[:2]
    found = [(low + int(j), int(k)) for j in hits for k in range(int(first[j]), min(int(last[j]), int(first[j]) + 2))]
    return found[:2]


def resolve(rows: pd.DataFrame, members: pd.DataFrame) -> pd.DataFrame:
    """Say of each (subject, group posting) what the group proves. Shape: rows with `group` and `m_gross` added.

    `group`: tied, in_group (another member explains the difference), absent, doubled, unresolved.
    """
    states: dict[tuple[int, int], str] = {}
    totals: dict[int, int] = {}
    names = ["net", "tax", "gross"]
    postings = dict(zip(rows["id"].tolist(), rows[names].to_numpy().tolist(), strict=True))
    for journal, first, last in _runs(members["journal"].to_numpy()):
        listed, amounts = members["member"].tolist()[first:last], members[names].to_numpy()[first:last]
        sums, posted = amounts.sum(axis=0).tolist(), postings[journal]
        totals[journal] = sums[2]
        if all(own == other for own, other in zip(sums, posted, strict=True) if other != NONE):
            states |= {(m, journal): "tied" for m in listed}
            continue
        gap = sums[2] - posted[2]
        guilty = explain(abs(gap), amounts[:, 2].tolist()) if gap else Explanation()
        proven = {listed[i] for i in guilty.members}
        word = "absent" if gap > 0 else "doubled"
        for member in listed:
            state = "unresolved" if not proven else word if member in proven else "in_group"
            states[member, journal] = state
    pairs = zip(rows["subject"].tolist(), rows["id"].tolist(), strict=True)
    marks = np.array([states.get(pair, "unresolved") for pair in pairs], dtype=object)
    whole = np.array([totals.get(j, NONE) for j in rows["id"].tolist()], dtype=np.int64)
    return rows.assign(group=marks, m_gross=whole)


def _runs(sorted_ids: Array) -> Iterable[tuple[int, int, int]]:
    """Yield each id with the bounds of its run."""
    if not len(sorted_ids):
        return
    starts: list[int] = np.flatnonzero(np.r_[True, sorted_ids[1:] != sorted_ids[:-1]]).tolist()
    for first, last in zip(starts, [*starts[1:], len(sorted_ids)], strict=True):
        yield int(sorted_ids[first]), first, last
