"""What does a company's own history suggest: which fields carry the other system's ids, and how long does each hop take?

Pure: samples in, proposals with their evidence out. Decides nothing.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from probes.clock import DAY, HOUR, MINUTE
from probes.record import Record
from probes.values import normaliser

from .sampling import Sample

MIN_RATIO_PERCENT = 50
"""A field that resolves less often than this is no cross reference; proposing it would mislead."""

# role and kind that names another, how, and the role and kind it names.
LINKS = (
    ("billing", "customer", "about", "crm", "customer"),
    ("erp", "customer", "about", "crm", "customer"),
    ("support", "customer", "about", "crm", "customer"),
    ("billing", "subscription", "fulfils", "crm", "opportunity"),
    ("erp", "order", "fulfils", "crm", "opportunity"),
    ("erp", "invoice", "posts", "billing", "invoice"),
    ("erp", "credit_note", "posts", "billing", "credit_note"),
    ("erp", "payment", "posts", "billing", "payment"),
)
CHAINS = (
    ("trim",),
    ("trim", "salesforce_id"),
    ("trim", "upper"),
    ("trim", "strip_zeros"),
    ("trim", "before_dash", "salesforce_id"),
)
CADENCES = (5 * MINUTE, 10 * MINUTE, 15 * MINUTE, 30 * MINUTE, HOUR, 6 * HOUR, DAY)
MIN_CADENCE_COUNT = 30


@dataclass(frozen=True, slots=True)
class Link:
    """One field that names records of another platform, and how often it does."""

    platform: str
    stream: str
    kind: str
    path: str
    to: str
    normalise: tuple[str, ...]
    records: int
    filled: int
    resolved: int


@dataclass(frozen=True, slots=True)
class Hop:
    """How long a counterpart took to appear, over `count` pairs. Units: microseconds; `cadence_us` None: no batch seen."""

    source: str
    target: str
    count: int
    p50_us: int
    p99_us: int
    cadence_us: int | None


@dataclass(frozen=True, slots=True)
class Measured:
    """Everything that could be measured, and what could not be read."""

    links: tuple[Link, ...]
    hops: tuple[Hop, ...]
    troubles: tuple[str, ...]


KINDS = tuple({(role, kind) for r, k, _, r2, k2 in LINKS for role, kind in ((r, k), (r2, k2))})
"""The roles and kinds of record worth sampling."""


def measure(samples: Sequence[Sample], troubles: Sequence[str] = ()) -> Measured:
    """Measure which fields resolve and how long counterparts take."""
    links = tuple(_links(samples))
    return Measured(links, tuple(_hops(samples, links)), tuple(troubles))


def _links(samples: Sequence[Sample]) -> Iterator[Link]:
    for role, kind, how, target_role, target_kind in LINKS:
        for one in samples:
            if role not in one.roles or one.kind != kind:
                continue
            for other in samples:
                if other.platform == one.platform or target_role not in other.roles or other.kind != target_kind:
                    continue
                for path in one.paths:
                    link = _link(one, path, how, other, target_kind)
                    if link is not None:
                        yield link


def _link(one: Sample, path: str, how: str, other: Sample, target_kind: str) -> Link | None:
    values = [v for r in one.records if (v := one.value(r, path))]
    known = {"id": {r.id for r in other.records}, "number": {r.number for r in other.records if r.number}}
    best = _best(values, known)
    if best is None or best[2] * 100 < MIN_RATIO_PERCENT * len(one.records):
        return None
    to = f"{other.platform}/{target_kind}/{best[0]}"
    return Link(one.platform, one.stream, how, path, to, best[1], len(one.records), len(values), best[2])


def _best(values: Sequence[str], known: Mapping[str, set[str]]) -> tuple[str, tuple[str, ...], int] | None:
    """Return by, normalisers and count of the reading under which most values resolve; the shortest chain wins a tie."""
    found: tuple[str, tuple[str, ...], int] | None = None
    for by, there in known.items():
        for chain in CHAINS:
            run = normaliser(chain)
            count = sum((run(v) if run else v) in there for v in values)
            if count and (found is None or count > found[2]):
                found = (by, chain, count)
    return found


def _hops(samples: Sequence[Sample], links: Iterable[Link]) -> Iterator[Hop]:
    best: dict[tuple[str, str, str], Link] = {}
    for link in links:
        place = (link.platform, link.stream, link.to.rpartition("/")[0])
        if place not in best or link.resolved > best[place].resolved:
            best[place] = link
    for (platform, stream, target), link in best.items():
        pairs = list(_pairs(samples, link))
        if pairs:
            waits = sorted(max(0, arrived - started) for started, arrived in pairs)
            cadence = cadence_us([arrived for _, arrived in pairs])
            yield Hop(target, f"{platform}/{stream}", len(waits), _at(waits, 50), _at(waits, 99), cadence)


def _pairs(samples: Sequence[Sample], link: Link) -> Iterator[tuple[int, int]]:
    other, kind, by = link.to.split("/")
    run = normaliser(link.normalise)
    targets = (r for s in samples if s.platform == other and s.kind == kind for r in s.records)
    origins = {(r.number if by == "number" else r.id): r for r in targets}
    for one in (s for s in samples if (s.platform, s.stream) == (link.platform, link.stream)):
        for record in one.records:
            value = one.value(record, link.path)
            origin = origins.get(run(value) if run and value else value)
            started = _started(origin) if origin else None
            if started is not None and record.created_us is not None:
                yield started, record.created_us


def _started(origin: Record) -> int | None:
    """Return when the other side could first be expected: won, finalised, or created."""
    for name in ("won", "finalised", "created"):
        if name in origin.milestones:
            return origin.milestones[name][1]
    return origin.created_us


def _at(ordered: Sequence[int], percent: int) -> int:
    """Return a percentile of sorted values by linear interpolation."""
    place, rest = divmod((len(ordered) - 1) * percent, 100)
    if not rest:
        return ordered[place]
    return ordered[place] + (ordered[place + 1] - ordered[place]) * rest // 100


def cadence_us(arrivals: Sequence[int]) -> int | None:
    """Return the longest usual interval in whose first tenth nine of ten arrivals fall: the rhythm of a batch."""
    if len(arrivals) < MIN_CADENCE_COUNT:
        return None
    for period in reversed(CADENCES):
        buckets: dict[int, int] = defaultdict(int)
        for at in arrivals:
            buckets[at % period * 20 // period] += 1
        if max(buckets.get(n, 0) + buckets.get((n + 1) % 20, 0) for n in range(20)) * 10 >= 9 * len(arrivals):
            return period
    return None
