"""What does a company's own history suggest: which fields carry the other system's ids, and how long does each hop take?

Reads a sample of records with every candidate field beside the ordinary mapping; stores nothing and decides nothing: what
comes out are proposals with their evidence.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from probes.clock import DAY, HOUR, MINUTE, Clock, to_us
from probes.errors import ProbeError
from probes.mapspec import FieldSpec
from probes.platforms import load_platforms
from probes.poll import poll
from probes.probe import Meter, Platform
from probes.record import Record
from probes.settings import PlatformSettings, StreamSettings
from probes.values import normaliser

from .progress import Tell

SAMPLE_ROWS = 4000
HISTORY_SECONDS = 30 * 86_400
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
# Fields in which companies commonly keep the other system's id. More can be named on the command line.
CANDIDATES: Mapping[str, tuple[str, ...]] = {
    "stripe": (
        "metadata.salesforce_account_id",
        "metadata.salesforce_opportunity_id",
        "metadata.account_id",
        "metadata.opportunity_id",
        "metadata.crm_id",
        "description",
    ),
    "netsuite": (
        "externalid",
        "otherrefnum",
        "tranid",
        "custbody_sf_opportunity",
        "custbody_salesforce_opportunity_id",
        "custentity_sf_account",
        "custentity_stripe_customer",
    ),
    "zendesk": ("external_id",),
    "salesforce": ("PO_Number__c", "OrderNumber"),
    "tryton": ("reference", "number", "code", "description"),
}
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


Held = dict[tuple[str, str], list[Record]]
"""Sampled records by platform and stream; candidate fields are attributes named like `_CANDIDATE`."""


def measure(
    settings: Mapping[str, PlatformSettings], extra: Mapping[tuple[str, str], Sequence[str]], clock: Clock, tell: Tell
) -> Measured:
    """Read a sample of every platform's history and measure. Platforms that cannot be read are named, not fatal."""
    troubles: list[str] = []
    paths: dict[tuple[str, str], list[str]] = {}
    held: Held = {}
    roles: dict[str, tuple[str, ...]] = {}
    for name, one in settings.items():
        try:
            platform = load_platforms({name: one}, clock=clock)[name]
            platform.check(Meter())
        except ProbeError as error:
            troubles.append(f"{name}: {error.message}")
            continue
        roles[name] = platform.roles
        for stream in platform.streams:
            if stream.spec.samples_only or not _of_interest(platform, stream.spec.kind):
                continue
            place = (name, stream.spec.name)
            tell(f"{name}/{stream.spec.name}")
            wanted = [*CANDIDATES.get(one.vendor, ()), *extra.get(place, ())]
            paths[place] = [p for p in wanted if _readable(name, one, stream.spec.name, p, clock)]
            held[place] = _sample(name, one, stream.spec.name, paths[place], clock, troubles)
    links = tuple(_links(held, paths, roles))
    return Measured(links, tuple(_hops(held, links)), tuple(troubles))


def _of_interest(platform: Platform, kind: str) -> bool:
    sides = [(r, k) for r, k, _, _, _ in LINKS] + [(r, k) for _, _, _, r, k in LINKS]
    return any((role, kind) in sides for role in platform.roles)


def _with_candidates(one: PlatformSettings, stream: str, paths: Sequence[str]) -> PlatformSettings:
    own = one.stream(stream)
    extra = {_attribute(n): FieldSpec.model_validate({"path": path}) for n, path in enumerate(paths)}
    changed = own.model_copy(update={"attributes": {**own.attributes, **extra}, "enabled": True})
    streams: dict[str, StreamSettings | None] = {**one.streams, stream: changed}
    return one.model_copy(update={"streams": streams, "history": HISTORY_SECONDS})


def _attribute(number: int) -> str:
    return f"candidate_{number}"


def _readable(name: str, one: PlatformSettings, stream: str, path: str, clock: Clock) -> bool:
    """Return whether the platform knows a candidate field; those with a query language refuse unknown ones."""
    try:
        platform = load_platforms({name: _with_candidates(one, stream, [path])}, clock=clock)[name]
        found = next(s for s in platform.streams if s.spec.name == stream)
        next(iter(found.changes({}, to_us(clock()), Meter())), None)
    except ProbeError:
        return False
    return True


def _sample(
    name: str, one: PlatformSettings, stream: str, paths: Sequence[str], clock: Clock, troubles: list[str]
) -> list[Record]:
    platform = load_platforms({name: _with_candidates(one, stream, paths)}, clock=clock)[name]
    found = next(s for s in platform.streams if s.spec.name == stream)
    polling = poll(found, {}, clock=clock, platform=name, row_cap=SAMPLE_ROWS, deadline_seconds=60)
    records = [record for page in polling for record in page.records]
    if not records and polling.report.status != "complete":
        troubles.append(f"{name}/{stream}: {polling.report.message}")
    return records


def _links(
    held: Held, paths: Mapping[tuple[str, str], Sequence[str]], roles: Mapping[str, Sequence[str]]
) -> Iterator[Link]:
    for role, kind, how, target_role, target_kind in LINKS:
        for (platform, stream), records in held.items():
            if role not in roles[platform] or not records or records[0].kind != kind:
                continue
            for other, known in _targets(held, roles, platform, target_role, target_kind):
                for number, path in enumerate(paths[(platform, stream)]):
                    values = [v for r in records if (v := r.attributes.get(_attribute(number)))]
                    best = _best(values, known)
                    if best and best[2] * 100 >= MIN_RATIO_PERCENT * len(records):
                        to = f"{other}/{target_kind}/{best[0]}"
                        yield Link(platform, stream, how, path, to, best[1], len(records), len(values), best[2])


def _targets(
    held: Held, roles: Mapping[str, Sequence[str]], platform: str, role: str, kind: str
) -> Iterator[tuple[str, Mapping[str, set[str]]]]:
    """Yield the platforms a field could point to, with the values they know: ids, numbers."""
    for (other, _), records in held.items():
        if other != platform and role in roles[other] and records and records[0].kind == kind:
            yield other, {"id": {r.id for r in records}, "number": {r.number for r in records if r.number}}


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


def _hops(held: Held, links: Iterable[Link]) -> Iterator[Hop]:
    best: dict[tuple[str, str, str], Link] = {}
    for link in links:
        place = (link.platform, link.stream, link.to.rpartition("/")[0])
        if place not in best or link.resolved > best[place].resolved:
            best[place] = link
    for (platform, stream, target), link in best.items():
        other, kind = target.split("/")
        by = link.to.rpartition("/")[2]
        pairs = list(_pairs(held, link, other, kind, by))
        if pairs:
            waits = sorted(max(0, arrived - started) for started, arrived in pairs)
            cadence = cadence_us([arrived for _, arrived in pairs])
            yield Hop(target, f"{platform}/{stream}", len(waits), _at(waits, 50), _at(waits, 99), cadence)


def _pairs(held: Held, link: Link, other: str, kind: str, by: str) -> Iterator[tuple[int, int]]:
    run = normaliser(link.normalise)
    origins: dict[str, Record] = {}
    for (platform, _), records in held.items():
        if platform == other:
            for r in records:
                if r.kind == kind:
                    origins[(r.number or "") if by == "number" else r.id] = r
    for records in [rs for place, rs in held.items() if place == (link.platform, link.stream)]:
        for r in records:
            for value in _values(r):
                origin = origins.get(run(value) if run else value)
                start = _started(origin) if origin else None
                if start is not None and r.created_us is not None:
                    yield start, r.created_us
                    break


def _values(record: Record) -> Iterator[str]:
    for name, value in record.attributes.items():
        if name.startswith("candidate_") and value:
            yield value


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
