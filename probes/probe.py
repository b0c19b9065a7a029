"""What a stream of a platform can do for a poll, and what a poll tells: the contract between probes and the store.

A connector is a `Platform` of `Stream`s. It reads; it keeps no state: the cursor it returns is stored for it and handed
back. Nothing here talks to a database.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import msgspec

from .record import BadRow, Record, Sample

Cursor = dict[str, Any]
"""Whatever the stream needs to go on, as plain JSON. Empty on the first poll."""


@dataclass(slots=True)
class Page:
    """One answer of a platform, mapped. Rows that could not be mapped are in `bad`; the rest lands.

    `observed_us` is when the answer arrived. `cursor` is where to go on after this page. On the last page of a complete
    poll `last` is true and `watermark_us` is the instant up to which every change is now held; else it is None.
    """

    records: list[Record]
    cursor: Cursor
    observed_us: int
    bad: list[BadRow] = field(default_factory=list)
    samples: list[Sample] = field(default_factory=list)
    last: bool = False
    watermark_us: int | None = None


@dataclass(slots=True)
class Meter:
    """What a poll measured on the way; the stream fills it in, the poll run stores it.

    `quota_limit`/`quota_used` as the platform counts them, `quota_reset_us` when it starts anew. `skew_seconds` is the
    platform's clock minus ours, from the `Date` header, good to one second. `schema_digest` changes when a field appears
    or goes. `window_from_us`/`window_to_us` are the bounds of change stamps last asked for, overlap included, so that the
    store can tell whether rows it holds in the overlap came again. `unknown_statuses` counts rows per word the status map
    does not know. `warnings` are findings for people.
    """

    requests: int = 0
    bytes: int = 0
    latency_seconds: float = 0.0
    http_status: int | None = None
    quota_limit: int | None = None
    quota_used: int | None = None
    quota_reset_us: int | None = None
    throttled: int = 0
    skew_seconds: float | None = None
    api_version: str | None = None
    schema_digest: str | None = None
    unknown_fields: tuple[str, ...] = ()
    missing_fields: tuple[str, ...] = ()
    unknown_statuses: dict[str, int] = field(default_factory=dict)
    window_from_us: int | None = None
    window_to_us: int | None = None
    warnings: tuple[str, ...] = ()


class StreamSpec(msgspec.Struct, frozen=True):
    """What the rest of Tieout must know of a stream.

    `covers` names what its watermark proves: created, changed, deleted. `uncovered` are fields its change stamp does not
    move (balances, payment status): those are re-read. `visibility_delay_seconds`: rows may become readable this late.
    Each window reads `overlap_seconds` of the one before again. `reads_by` are the key names `read` accepts. `finds`
    says under which of them another record's key leads here: (name for `read`, key without its value). `log` is true when
    each row is an event that never changes.
    """

    name: str
    kind: str
    covers: tuple[str, ...] = ("created", "changed")
    uncovered: tuple[str, ...] = ()
    visibility_delay_seconds: int = 60
    overlap_seconds: int = 0
    interval_seconds: int = 60
    reads_by: tuple[str, ...] = ()
    finds: tuple[tuple[str, str], ...] = ()
    reread_seconds: int | None = None
    sweeps: bool = False
    log: bool = False
    samples_only: bool = False
    fields: tuple[str, ...] = ()


class Stream(Protocol):
    """One object type or log of one platform."""

    @property
    def spec(self) -> StreamSpec: ...

    def changes(self, cursor: Cursor, now_us: int, meter: Meter) -> Iterator[Page]:
        """Yield pages of what changed since `cursor`, oldest window first. Errors: ProbeError."""
        ...

    def read(self, by: str, values: Sequence[str], meter: Meter) -> Iterator[Page]:
        """Yield the records known under these values now, whatever their stamp. Errors: ProbeError."""
        ...

    def ids(self, meter: Meter) -> Iterator[list[str]]:
        """Yield all ids that exist, for the sweep that finds deletions. Errors: ProbeError."""
        ...

    def reread(self, meter: Meter) -> Iterator[Page]:
        """Yield the open records whose `uncovered` fields may have moved without their stamp. Errors: ProbeError."""
        ...


class Platform(Protocol):
    """One external system instance with its streams."""

    @property
    def name(self) -> str: ...

    @property
    def vendor(self) -> str: ...

    @property
    def roles(self) -> tuple[str, ...]: ...

    @property
    def streams(self) -> Sequence[Stream]: ...

    def check(self, meter: Meter) -> Environment:
        """Ask the platform who we are and which environment it is. Errors: ProbeError."""
        ...

    def link(self, kind: str, external_id: str) -> str | None:
        """Return the URL of a record in that platform's own user interface, or None."""
        ...


@dataclass(frozen=True, slots=True)
class Environment:
    """What a platform says of itself: account, production or test, version, warnings (writable user, expiring key)."""

    account: str
    environment: str | None
    version: str | None = None
    warnings: tuple[str, ...] = ()
