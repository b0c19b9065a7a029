"""Can every platform be read, is it the one meant, and does the mapping make sense of a record? Asks each, stores nothing."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Literal, cast

from probes.errors import ProbeError
from probes.probe import Meter, Platform, Stream
from probes.record import Record, encode_record

from .progress import Tell

State = Literal["ok", "warning", "failed"]


@dataclass(frozen=True, slots=True)
class Finding:
    """What one look at a platform (`stream` None) or at a stream of it showed."""

    platform: str
    stream: str | None
    state: State
    detail: str
    reason: str | None = None
    record: Mapping[str, Any] | None = None


def check_platforms(platforms: Mapping[str, Platform], tell: Tell) -> list[Finding]:
    """Look at every platform, all at once."""
    if not platforms:
        return []
    with ThreadPoolExecutor(len(platforms)) as pool:
        found = pool.map(lambda platform: list(check_platform(platform, tell)), platforms.values())
        return [finding for findings in found for finding in findings]


def check_platform(platform: Platform, tell: Tell) -> Iterator[Finding]:
    """Look at a platform and, when it lets us in, at one record of each stream."""
    tell(platform.name)
    meter = Meter()
    try:
        said = platform.check(meter)
    except ProbeError as error:
        yield Finding(platform.name, None, "failed", error.message, error.reason.value)
        return
    version = f", version {said.version or meter.api_version}" if said.version or meter.api_version else ""
    yield Finding(
        platform.name, None, "ok", f"account {said.account}, {said.environment or 'environment not told'}{version}"
    )
    for warning in (*said.warnings, *meter.warnings):
        yield Finding(platform.name, None, "warning", warning)
    for stream in platform.streams:
        tell(f"{platform.name}/{stream.spec.name}")
        yield from _check_stream(platform, stream)


def _check_stream(platform: Platform, stream: Stream) -> Iterator[Finding]:
    name, meter = stream.spec.name, Meter()
    try:
        records: list[Record] = cast(Any, platform).sample(name, meter)
    except ProbeError as error:
        yield Finding(platform.name, name, "failed", error.message, error.reason.value)
        return
    if not records:
        samples = stream.spec.samples_only
        yield Finding(
            platform.name, name, "ok", "yields samples, no records" if samples else "reachable, nothing there yet"
        )
        return
    shown = json.loads(encode_record(records[0]))
    yield Finding(platform.name, name, "ok", describe(records[0]), record=shown)
    for trouble in _doubts(records, stream, meter):
        yield Finding(platform.name, name, "warning", trouble)


def describe(record: Record) -> str:
    """Return one line about a mapped record."""
    amounts = [f"{name} {minor}" for name, minor in record.amounts.items()]
    parts = [
        f"{record.kind} {record.number or record.id}",
        f"state {record.state}" if record.state else "",
        f"entity {record.entity}" if record.entity else "",
        f"{record.currency} minor units: {', '.join(amounts)}" if amounts else "",
        f"names {', '.join(sorted({r.kind for r in record.references}))}"
        if record.references
        else "names no other record",
    ]
    return "; ".join(part for part in parts if part)


def _doubts(records: list[Record], stream: Stream, meter: Meter) -> Iterator[str]:
    """Say what a person should look at before trusting figures from this stream."""
    if meter.unknown_statuses:
        words = ", ".join(sorted(meter.unknown_statuses))
        yield f"the status map does not know: {words}; add them under `states:`"
    if meter.missing_fields:
        yield f"mapped but not there: {', '.join(meter.missing_fields)}"
    money = stream.spec.kind in ("opportunity", "order", "invoice", "credit_note", "payment")
    if money and not any(r.amounts for r in records):
        yield "no record shows an amount; check `fields: {amounts.net: …}`"
    if money and not any(r.entity for r in records):
        yield "no record names a legal entity; name the field under `fields: {entity: …}`"
