"""What the reference judge says, and its one decision: was a step reached by its deadline, or is it provably absent?"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from .facts import Document, Facts, Ident, Stream

HOUR = 3_600_000_000
DAY = 24 * HOUR
NEVER = 2**63 - 1


@dataclass(frozen=True)
class Subject:
    """One revision of one anchor in one legal entity, that has started.

    `base`: the first of the revisions in a row that asked for the same money; `base_us`: when that began.
    `told`: its money is what the history or the lines say, whatever the anchor itself says.
    """

    anchor: Document
    revision: int
    entity: str
    split: bool
    last: bool
    start: tuple[int, int]
    money: int | None
    before: int | None
    withdrawn_us: int
    superseded_us: int
    exclusion: str | None
    currency: str | None = None
    base: int = 1
    base_us: int = 0
    told: bool = False

    @property
    def name(self) -> tuple[Ident, int, str]:
        return self.anchor.ident, self.revision, self.entity


@dataclass(frozen=True)
class Reached:
    """What a step shows of a subject. `shown`: a document is there, whatever it lacks; `sum`: of all that count.

    `shown_us`, `shown_seen_us`: since when one is there, and when one was first observed. `abroad`: the first in another
    currency than its anchor, of those that share its money.
    """

    at: tuple[int, int] | None = None
    document: Document | None = None
    count: int = 0
    sum: int | None = None
    unmapped: bool = False
    shown: bool = False
    duplicate: bool = False
    abroad: Document | None = None
    shown_us: int = NEVER
    shown_seen_us: int = NEVER


@dataclass
class Verdicts:
    """Steps: (flow, subject, step) → (state, reason, at). Events: (sli, subject) → (outcome, reason, start, due, at, value,
    corrected). Breaks: rows. States: (sli, customer, step) → intervals. Sums: (sli, grain, bucket, entity, outcome, reason,
    currency) → (count, money)."""

    steps: dict[tuple[object, ...], tuple[object, ...]] = field(default_factory=dict)
    events: dict[tuple[object, ...], tuple[object, ...]] = field(default_factory=dict)
    money: dict[tuple[object, ...], tuple[int | None, str | None]] = field(default_factory=dict)
    breaks: list[tuple[object, ...]] = field(default_factory=list)
    states: dict[tuple[object, ...], list[tuple[object, ...]]] = field(default_factory=dict)

    def sums(self) -> dict[tuple[object, ...], tuple[int, int, int, int]]:
        """Return how many events and how much money fell into each hour and day, how many never came, how many were corrected."""
        counts: Counter[tuple[object, ...]] = Counter()
        minor: Counter[tuple[object, ...]] = Counter()
        never: Counter[tuple[object, ...]] = Counter()
        mended: Counter[tuple[object, ...]] = Counter()
        for (sli, subject), (outcome, reason, _start, _due, at, value, corrected_us) in self.events.items():
            assert isinstance(subject, tuple)
            ident, _revision, entity = subject
            amount, currency = self.money[sli, subject]
            for grain, size in (("hour", HOUR), ("day", DAY)):
                bucket = at // size * size  # type: ignore[operator] # an instant
                where = (sli, grain, bucket, ident[0], entity, outcome, reason or "", currency or "")
                counts[where] += 1
                minor[where] += amount or 0
                never[where] += outcome == "bad" and value is None
                mended[where] += corrected_us is not None
        return {where: (n, minor[where], never[where], mended[where]) for where, n in counts.items()}


def decide(
    facts: Facts, s: Subject, r: Reached, start_us: int, due_us: int, streams: list[Stream], watermark: int | None
) -> tuple[str, str]:  # fmt: skip
    """Decide a subject at min(completed, due). `watermark`: how far both the anchor's streams and these were seen."""
    earliest, latest = r.at if r.at else (NEVER, NEVER)
    if s.withdrawn_us != NEVER and s.withdrawn_us <= min(due_us, latest):
        return "excluded", "withdrawn"
    if s.anchor.unmapped:
        return "blind", "unmapped_status"
    if r.at:
        if latest < start_us:
            return "good", "early"
        if latest <= due_us:
            return "good", "in_time"
        return ("good", "within_precision") if earliest <= due_us else ("bad", "late")
    if due_us == NEVER:
        return "pending", "no_deadline"
    if r.unmapped:
        return "blind", "unmapped_status"
    return _absent(facts, s, r, due_us, streams, watermark)


def _absent(
    facts: Facts, s: Subject, r: Reached, due_us: int, streams: list[Stream], watermark: int | None
) -> tuple[str, str]:
    """Absence is evidence only if we looked: far enough, at that legal entity, and by the known keys where one can ask."""
    if watermark is None or due_us > watermark:
        return "pending", "not_due"
    if s.entity and s.entity not in facts.scopes(streams):
        return "blind", "scope_never_seen"
    readable = [x for x in streams if x.readable]
    answers = [facts.lookups.get((x.platform, x.kind, s.anchor.ident)) for x in readable]
    told = [a for a in answers if a is not None]
    asked = len(told) == len(readable) and all(at >= due_us for at, _ in told)
    if asked and not all(control for _, control in told):
        return "blind", "not_visible"
    if not asked:
        return "pending", "confirming"
    if r.shown and s.revision > 1:
        return "bad", "stale_revision"
    return "bad", "missing"


def corrected(outcome: str, r: Reached, due_us: int, streams: list[Stream]) -> int | None:
    """Return when a bad verdict was mended by a record seen only after its absence was provable on every stream."""
    if outcome != "good" or r.document is None or due_us == NEVER:
        return None
    seen = r.document.first_observed_us
    provable = due_us
    for stream in streams:
        reached = [finished for mark, finished in stream.runs if mark >= due_us]
        if not reached:
            return None
        provable = max(provable, reached[0])
    return seen if streams and seen > provable else None
