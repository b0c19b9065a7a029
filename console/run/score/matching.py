"""How well does what was said cover what was true? Exact on kind and subject; pure, and the only judge of a score.

Nothing is adjusted to the detector: whatever was said and is covered by no truth is false, whatever was true and was not said
in time is missed.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction

from .findings import Said
from .truths import Key, Truth

OUTAGES = frozenset({"platform_down", "rate_limited", "not_visible"})
"""While one of these is true of a platform, nobody can know more of it; patience begins when it ends."""


@dataclass(frozen=True, slots=True)
class Patience:
    """How soon something true has to be said, and how soon after its repair not any more. Units: microseconds.

    `interval_us`: the polls'; `visible_us`: the longest visibility delay of the streams.
    """

    interval_us: int
    visible_us: int

    @property
    def allowed_us(self) -> int:
        """Return the visibility delay and two poll intervals."""
        return self.visible_us + 2 * self.interval_us


@dataclass(frozen=True, slots=True)
class Match:
    """What became of one truth. `detect_us`, `close_us`: how long after it was due, was repaired; None: not at all."""

    truth: Truth
    said: Said | None
    detect_us: int | None
    in_time: bool
    close_us: int | None
    money_exact: bool | None


@dataclass(frozen=True, slots=True)
class Result:
    """Everything matched. `false`: said, and never true. `open`: truths whose time to be said had not run out at the end."""

    matches: Sequence[Match]
    false: Sequence[Said]
    undecided: int


def match(truths: Iterable[Truth], said: Iterable[Said], patience: Patience, end_us: int) -> Result:
    """Match what was said with what was true until `end_us`."""
    told: dict[Key, list[Said]] = defaultdict(list)
    for one in said:
        told[one.key].append(one)
    true = sorted(truths, key=lambda t: (t.from_us, t.id))
    outages = [(t.from_us, t.to_us if t.to_us is not None else end_us) for t in true if t.key[0] in OUTAGES]
    matches, undecided = [], 0
    for truth in true:
        if truth.from_us > end_us:
            continue
        found = _match(truth, told.get(truth.key, ()), patience, outages, end_us)
        if found is None:
            undecided += 1
        else:
            matches.append(found)
    covering: dict[Key, list[Truth]] = defaultdict(list)
    for truth in true:
        covering[truth.key].append(truth)
    false = [
        one for ones in told.values() for one in ones if not _covered(one, covering.get(one.key, ()), patience, outages)
    ]
    return Result(matches, sorted(false, key=lambda s: (s.from_us, s.key)), undecided)


def _match(
    truth: Truth, told: Sequence[Said], patience: Patience, outages: Sequence[tuple[int, int]], end_us: int
) -> Match | None:
    """Return what became of a truth; None when nothing can be said yet, or it ended before it had to be found."""
    until_us = _until(truth.due_us, patience, outages if truth.key[0] not in OUTAGES else ())
    gone_us = truth.to_us if truth.to_us is not None else end_us
    first = next((s for s in told if _overlaps(s, truth)), None)
    if first is None:
        return None if gone_us < until_us or end_us < until_us else Match(truth, None, None, False, None, None)
    detect_us = max(first.from_us - truth.due_us, 0)
    last = [s for s in told if _overlaps(s, truth)][-1]
    close_us = None
    if truth.to_us is not None and last.to_us is not None:
        close_us = max(last.to_us - truth.to_us, 0)
    exact = last.money_minor == truth.money_minor and (truth.money_minor is None or last.currency == truth.currency)
    return Match(truth, first, detect_us, first.from_us <= until_us, close_us, exact)


def _until(from_us: int, patience: Patience, outages: Sequence[tuple[int, int]]) -> int:
    """Return by when something has to be said; while a platform cannot be read, patience waits for its return."""
    until_us = from_us + patience.allowed_us
    for began_us, ended_us in sorted(outages):
        if began_us < until_us and ended_us > from_us:
            until_us = max(until_us, ended_us + patience.allowed_us)
    return until_us


def _overlaps(said: Said, truth: Truth) -> bool:
    return (said.to_us is None or said.to_us > truth.from_us) and (truth.to_us is None or said.from_us <= truth.to_us)


def _covered(said: Said, truths: Iterable[Truth], patience: Patience, outages: Sequence[tuple[int, int]]) -> bool:
    """Return whether something was true when it was said first; what was just repaired may still be said for a while."""
    return any(
        t.from_us <= said.from_us and (t.to_us is None or said.from_us <= _until(t.to_us, patience, outages))
        for t in truths
    )


@dataclass(frozen=True, slots=True)
class FaultScore:
    """How well one fault is found. Ratios are exact; None where there is nothing to divide by. Times: poll intervals."""

    id: str
    injected: int
    recall: Fraction | None
    precision: Fraction | None
    money_exact: Fraction | None
    detect: tuple[Fraction, Fraction] | None
    close: tuple[Fraction, Fraction] | None
    unclosed: int


def by_fault(result: Result, patience: Patience, closed_by_us: int) -> list[FaultScore]:
    """Score every fault. A false finding counts against the faults that its subject suffers from, if any.

    `closed_by_us`: what was repaired before this instant should not be said any more at the end.
    """
    groups: dict[str, list[Match]] = defaultdict(list)
    for one in result.matches:
        if one.truth.fault is not None:
            groups[one.truth.fault].append(one)
    subjects: dict[Key, set[str]] = defaultdict(set)
    for fault, ones in groups.items():
        for one in ones:
            subjects[("", *one.truth.key[1:])].add(fault)
    false: dict[str, int] = defaultdict(int)
    for said in result.false:
        for fault in subjects.get(("", *said.key[1:]), ()):
            false[fault] += 1
    return [_score(fault, groups[fault], false[fault], patience, closed_by_us) for fault in sorted(groups)]


def _score(fault: str, ones: Sequence[Match], false: int, patience: Patience, closed_by_us: int) -> FaultScore:
    found = [m for m in ones if m.in_time]
    priced = [m for m in found if m.money_exact is not None]
    repaired = [m for m in ones if m.said is not None and m.truth.to_us is not None and m.truth.to_us < closed_by_us]
    detect = [Fraction(m.detect_us, patience.interval_us) for m in ones if m.detect_us is not None]
    close = [Fraction(m.close_us, patience.interval_us) for m in repaired if m.close_us is not None]
    return FaultScore(
        fault,
        len(ones),
        Fraction(len(found), len(ones)),
        Fraction(len(found), len(found) + false) if found or false else None,
        Fraction(sum(bool(m.money_exact) for m in priced), len(priced)) if priced else None,
        percentiles(detect),
        percentiles(close),
        sum(m.close_us is None for m in repaired if m.truth.key[0] != "late"),
    )


def overall(result: Result) -> Mapping[str, Fraction | None]:
    """Return recall over injected faults and precision over everything that was said."""
    injected = [m for m in result.matches if m.truth.fault is not None]
    found = sum(m.in_time for m in injected)
    said = sum(m.said is not None for m in result.matches)
    return {
        "recall": Fraction(found, len(injected)) if injected else None,
        "precision": Fraction(said, said + len(result.false)) if said or result.false else None,
    }


def percentiles(values: Sequence[Fraction]) -> tuple[Fraction, Fraction] | None:
    """Return the median and the 99th percentile, interpolated linearly; None of nothing."""
    if not values:
        return None
    ordered = sorted(values)
    return _at(ordered, Fraction(1, 2)), _at(ordered, Fraction(99, 100))


def _at(ordered: Sequence[Fraction], share: Fraction) -> Fraction:
    place = share * (len(ordered) - 1)
    low = place.numerator // place.denominator
    high = min(low + 1, len(ordered) - 1)
    return ordered[low] + (ordered[high] - ordered[low]) * (place - low)
