"""What was observed, in the order it landed: the only thing that the reference judge knows. It reads no database.

A document's versions are put in order by (change stamp or observation, observation, digest); an unchanged re-read adds none.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from probes.record import Record, digest, encode_record, key

from .deadlines import Calendars

Ident = tuple[str, str, str]
"""(platform, kind, external id)."""


@dataclass(frozen=True)
class Observation:
    """One record as one page showed it. `after_us`: the stream's watermark before that poll."""

    platform: str
    record: Record
    observed_us: int
    after_us: int | None = None


@dataclass(frozen=True)
class Version:
    """One observation that told something new."""

    order_us: int
    observed_us: int
    digest: bytes
    after_us: int | None
    record: Record


@dataclass(frozen=True)
class Stream:
    """How far a stream was seen; `runs` are its complete polls as (watermark, finished)."""

    platform: str
    kind: str
    watermark_us: int | None
    first_complete_us: int | None
    readable: bool = False
    runs: tuple[tuple[int, int], ...] = ()


@dataclass
class Document:
    """A record with everything seen of it, oldest first."""

    ident: Ident
    versions: list[Version]

    @property
    def head(self) -> Record:
        return self.versions[-1].record

    @property
    def names(self) -> set[str]:
        return {key(*self.ident[:2], "id", self.ident[2]), *self.head.keys}

    @property
    def first_observed_us(self) -> int:
        return min(v.observed_us for v in self.versions)

    @property
    def deleted_us(self) -> int | None:
        """When it went: the stamp of the deletion, unless that is still the stamp of its last change."""
        if not self.head.deleted:
            return None
        stamp = self.head.changed_us
        inherited = len(self.versions) > 1 and self.versions[-2].record.changed_us == stamp
        return self.versions[-1].observed_us if stamp is None or inherited else stamp

    @property
    def unmapped(self) -> bool:
        return self.head.status is not None and self.head.state is None

    def at(self, instant_us: int) -> Record:
        """Return what it said at an instant; the first version speaks for the time before it."""
        said = self.versions[0].record
        for since, version in self.dated():
            if since <= instant_us:
                said = version.record
        return said

    def dated(self) -> list[tuple[int, Version]]:
        """Return the versions with since when each is true: a record found gone, or back, still carries its last stamp."""
        found: list[tuple[int, Version]] = []
        before: Version | None = None
        for version in self.versions:
            inherited = before is not None and before.record.changed_us == version.record.changed_us
            turned = inherited and before is not None and version.record.deleted != before.record.deleted
            found.append((version.observed_us if turned else version.order_us, version))
            before = version
        return found

    def held(self) -> list[tuple[int, Version]]:
        """Return the versions that ever held; one that a later one precedes did not, but the first speaks for the time before."""
        told = self.dated()
        return [
            (since, version)
            for number, (since, version) in enumerate(told)
            if number == 0 or all(since < later for later, _ in told[number + 1 :])
        ]

    def entered(self, state: str) -> tuple[int, int] | None:
        """Return the interval in which it was first seen to enter a state."""
        before: Version | None = None
        for version in self.versions:
            if version.record.state == state and (before is None or before.record.state != state):
                return _between(before, version)
            before = version
        return None

    def showed_revision(self, number: int) -> tuple[int, int] | None:
        """Return the interval in which it was first seen to show a revision, or one after it."""
        before: Version | None = None
        for version in self.versions:
            if (version.record.revision or 1) >= number:
                return _between(before, version)
            before = version
        return None

    def milestone(self, *names: str) -> tuple[int, int] | None:
        """Return the first of several milestones that is known."""
        for name in names:
            found: tuple[int, int] | None
            if name == "created":
                created = self.head.created_us
                found = None if created is None else (created, created)
            elif name.startswith("state:"):
                found = self.entered(name.removeprefix("state:"))
            else:
                found = self.head.milestones.get(name)
            if found is not None:
                return found
        return None


def _between(before: Version | None, version: Version) -> tuple[int, int]:
    """A change seen between two observations happened in between; a stamp says when at the latest."""
    record = version.record
    latest = record.changed_us if record.changed_us is not None else version.observed_us
    if before is not None:
        earliest = max(before.order_us, version.after_us or 0)
    elif record.created_us is not None:
        earliest = record.created_us
    else:
        earliest = version.after_us if version.after_us is not None else latest
    return min(earliest, latest), latest


@dataclass
class Facts:
    """Everything there is to judge on.

    `lookups`: (platform, kind of stream, anchor) → (when asked, whether the control record was found) of direct reads that
    found nothing. `watched_since`: per legal entity, None where the first complete polls decide. `decisions`: (when, confirm |
    reject | split, two customer records).
    """

    roles: dict[str, tuple[str, ...]]
    streams: list[Stream]
    observations: list[Observation]
    entities: dict[str, int | None] = field(default_factory=dict)
    not_posted: set[tuple[str, str]] = field(default_factory=set)
    lookups: dict[tuple[str, str, Ident], tuple[int, bool]] = field(default_factory=dict)
    decisions: list[tuple[int, str, Ident, Ident]] = field(default_factory=list)
    calendars: Calendars = field(default_factory=Calendars)

    def __post_init__(self) -> None:
        self.documents = _documents(self.observations)

    def of(self, role: str, *kinds: str) -> list[Document]:
        """Return the documents of some kinds on platforms of a role."""
        return [d for d in self.documents.values() if d.ident[1] in kinds and role in self.roles.get(d.ident[0], ())]

    def streams_of(self, role: str, *kinds: str) -> list[Stream]:
        return [s for s in self.streams if s.kind in kinds and role in self.roles.get(s.platform, ())]

    def watermark(self, streams: list[Stream]) -> int | None:
        """Return the instant up to which all of these were seen, None when one never was."""
        marks = [s.watermark_us for s in streams]
        known = [m for m in marks if m is not None]
        return min(known) if marks and len(known) == len(marks) else None

    def scopes(self, streams: list[Stream]) -> set[str]:
        """Return the legal entities that these streams ever showed."""
        places = {(s.platform, s.kind) for s in streams}
        return {o.record.entity for o in self.observations if o.record.entity and (o.platform, o.record.kind) in places}

    def naming(self, target: Document, reference: str, among: list[Document]) -> list[Document]:
        """Return the documents whose references of a kind name the target, by id or by another of its keys."""
        return [d for d in among if any(r.kind == reference and r.to in target.names for r in d.head.references)]


def _documents(observations: list[Observation]) -> dict[Ident, Document]:
    held: dict[Ident, list[Version]] = {}
    for o in observations:
        r = o.record
        order = r.changed_us if r.changed_us is not None else o.observed_us
        new = Version(order, o.observed_us, digest(encode_record(r)), o.after_us, r)
        versions = held.setdefault((o.platform, r.kind, r.id), [])
        if adds(versions, new):
            versions.append(new)
            versions.sort(key=lambda v: (v.order_us, v.observed_us, v.digest))
    return {ident: Document(ident, versions) for ident, versions in held.items()}


def adds(held: list[Version], new: Version) -> bool:
    """Return whether an observation tells something new: other content, or content that had gone meanwhile and is back."""
    if not held:
        return True
    last = held[-1]
    if last.digest == new.digest:
        return False
    if last.order_us == new.order_us and new.observed_us > last.observed_us:
        return True
    return all((v.order_us, v.digest) != (new.order_us, new.digest) for v in held)
