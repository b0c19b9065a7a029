"""What do a company's platforms hold, with the fields beside the mapping that may carry another system's ids?

Reads a bounded sample of each stream of interest; stores nothing. What the values mean is measured elsewhere.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import httpx

from probes.clock import Clock, to_us
from probes.errors import ProbeError
from probes.mapspec import FieldSpec
from probes.platforms import load_platforms
from probes.poll import poll
from probes.probe import Meter, Platform
from probes.record import Record
from probes.settings import PlatformSettings, StreamSettings

from .progress import Tell

SAMPLE_ROWS = 4000
HISTORY_SECONDS = 30 * 86_400
NAMED_ROWS = 50_000
NAMED_KINDS = ("customer", "opportunity")
"""What others name may be far older than the record that names it: these are read as far back as configured."""
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

Load = Callable[[Mapping[str, PlatformSettings]], Mapping[str, Platform]]


@dataclass(frozen=True, slots=True)
class Sample:
    """Some records of one stream; `paths` are the candidate fields that this platform knows."""

    platform: str
    stream: str
    roles: tuple[str, ...]
    paths: tuple[str, ...]
    records: tuple[Record, ...]

    @property
    def kind(self) -> str | None:
        """Return the kind of its records."""
        return self.records[0].kind if self.records else None

    def value(self, record: Record, path: str) -> str | None:
        """Return what a record holds in a candidate field."""
        return record.attributes.get(_attribute(self.paths.index(path)))


def sample(
    settings: Mapping[str, PlatformSettings],
    kinds: Sequence[tuple[str, str]],
    extra: Mapping[tuple[str, str], Sequence[str]],
    clock: Clock,
    tell: Tell,
    transport: httpx.BaseTransport | None = None,
) -> tuple[list[Sample], list[str]]:
    """Sample every stream of these (role, kind). Returns samples and, as sentences, what could not be read."""
    samples: list[Sample] = []
    troubles: list[str] = []
    load: Load = partial(load_platforms, clock=clock, transport=transport)
    for name, one in settings.items():
        try:
            platform = load({name: one})[name]
            platform.check(Meter())
        except ProbeError as error:
            troubles.append(f"{name}: {error.message}")
            continue
        for stream in platform.streams:
            if not stream.spec.samples_only and any((role, stream.spec.kind) in kinds for role in platform.roles):
                tell(f"{name}/{stream.spec.name}")
                wanted = [*CANDIDATES.get(one.vendor, ()), *extra.get((name, stream.spec.name), ())]
                place = (name, one, stream.spec.name)
                paths = _known(load, *place, tuple(dict.fromkeys(wanted)), clock)
                records = tuple(_records(load, *place, stream.spec.kind, paths, clock, troubles))
                samples.append(Sample(name, stream.spec.name, platform.roles, paths, records))
    return samples, troubles


def _with_candidates(one: PlatformSettings, stream: str, paths: Sequence[str]) -> PlatformSettings:
    own = one.stream(stream)
    extra = {_attribute(n): FieldSpec.model_validate({"path": path}) for n, path in enumerate(paths)}
    changed = own.model_copy(update={"attributes": {**own.attributes, **extra}, "enabled": True})
    streams: dict[str, StreamSettings | None] = {**one.streams, stream: changed}
    return one.model_copy(update={"streams": streams})


def _attribute(number: int) -> str:
    return f"candidate_{number}"


def _known(
    load: Load, name: str, one: PlatformSettings, stream: str, wanted: tuple[str, ...], clock: Clock
) -> tuple[str, ...]:
    """Return the candidate fields that a platform knows; asked one by one only when it refuses them together."""
    if not wanted or _readable(load, name, one, stream, wanted, clock):
        return wanted
    return tuple(path for path in wanted if _readable(load, name, one, stream, (path,), clock))


def _readable(load: Load, name: str, one: PlatformSettings, stream: str, paths: Sequence[str], clock: Clock) -> bool:
    """Return whether the platform knows all these fields; platforms
    with a query language refuse unknown ones."""
    try:
        platform = load({name: _with_candidates(one, stream, paths)})[name]
        found = next(s for s in platform.streams if s.spec.name == stream)
        next(iter(found.changes({}, to_us(clock()), Meter())), None)
    except ProbeError:
        return False
    return True


def _records(
    load: Load,
    name: str,
    one: PlatformSettings,
    stream: str,
    kind: str,
    paths: Sequence[str],
    clock: Clock,
    troubles: list[str],
) -> list[Record]:
    named = kind in NAMED_KINDS
    recent = one if named else one.model_copy(update={"history": min(one.history, HISTORY_SECONDS)})
    platform = load({name: _with_candidates(recent, stream, paths)})[name]
    found = next(s for s in platform.streams if s.spec.name == stream)
    rows = NAMED_ROWS if named else SAMPLE_ROWS
    polling = poll(found, {}, clock=clock, platform=name, row_cap=rows, deadline_seconds=60)
    records = [record for page in polling for record in page.records]
    if not records and polling.report.status != "complete":
        troubles.append(f"{name}/{stream}: {polling.report.message}")
    return records
