"""How a page of observations becomes facts: versions, heads, references and touches in the caller's one transaction.

A page that was read twice, late, split or out of order leaves the same rows. Nothing here decides whether a number is good.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import dataclass, field
from operator import attrgetter
from typing import NamedTuple

from sqlalchemy import Connection, bindparam, delete, select, text

from probes.probe import Page
from probes.record import Record, decode_record, digest, encode_record

from .bursts import note_bursts
from .crosswalk import take_in
from .definitions import TRADING
from .keys import customer_id, record_id
from .projection import (
    HEAD_COLUMNS,
    KEY_COLUMNS,
    MILESTONE_COLUMNS,
    REFERENCE_COLUMNS,
    SEQUENCE,
    Head,
    Version,
    project,
)
from .store import bulk_insert, upsert_clause
from .tables import (
    Milestone,
    Quarantine,
    RecordKey,
    RecordRow,
    ReferenceRow,
    SampleRow,
    Scope,
    VersionRow,
    table,
)
from .touching import Toucher, note

RECORD, VERSION, MILESTONE = table(RecordRow), table(VersionRow), table(Milestone)
REFERENCE, KEY, SCOPE = table(ReferenceRow), table(RecordKey), table(Scope)
QUARANTINE, SAMPLE = table(Quarantine), table(SampleRow)
VERSION_COLUMNS = ("record_id", "order_us", "observed_us", "digest", "after_us", "stream_id", "poll_run_id", "body")
_QUARANTINE_COLUMNS = (
    "stream_id",
    "digest",
    "first_us",
    "last_us",
    "seen_count",
    "external_id",
    "reason",
    "message",
    "raw",
)
_CHUNK = 500
_ARRIVAL = attrgetter("observed_us", "order_us", "digest")
_HEAD_REPLACES = upsert_clause(RECORD, HEAD_COLUMNS)
_VERSION_ONCE = upsert_clause(VERSION, VERSION_COLUMNS[:4])
_ONCE = "ON CONFLICT DO NOTHING"
_NUL = b"\\u0000"
_EARLIEST = "ON CONFLICT (stream_id, entity) DO UPDATE SET first_us = excluded.first_us WHERE excluded.first_us < scope.first_us"
_AGAIN = (
    "ON CONFLICT (stream_id, digest) DO UPDATE SET last_us = excluded.last_us, seen_count = quarantine.seen_count + 1"
)


class IdentityClashError(Exception):
    """Two different records would share one identity; nothing of the page is stored."""


@dataclass(slots=True)
class Source:
    """What intake must know of the stream a page came from. `scopes` caches the legal entities already noted."""

    stream_id: int
    platform: str
    watermark_us: int | None = None
    poll_run_id: int | None = None
    scopes: set[str] = field(default_factory=set)


@dataclass(slots=True)
class Landed:
    """What the pages of a poll left behind; `seen` are the identities they showed, `shown` the platform's own ids."""

    records: int = 0
    new: int = 0
    versions: int = 0
    quarantined: int = 0
    seen: set[int] = field(default_factory=set)
    shown: set[str] = field(default_factory=set)


def land(conn: Connection, page: Page, source: Source, toucher: Toucher, landed: Landed) -> None:
    """Store one page inside the caller's write transaction. Errors: IdentityClashError; bad rows only land in quarantine."""
    land_pages(conn, [page], source, toucher, landed)


def land_pages(conn: Connection, pages: Sequence[Page], source: Source, toucher: Toucher, landed: Landed) -> None:
    """Store pages of one stream, in the order they came, as if each had landed before the next but in a few statements."""
    observed = _versions(pages, source)
    digests = _known_digests(conn, observed)
    fresh = {rid: vs for rid, vs in observed.items() if rid not in digests}
    changed = {
        rid: vs for rid, vs in observed.items() if rid in digests and (len(vs) > 1 or vs[0].digest != digests[rid])
    }
    _insert_versions(conn, fresh, source)
    heads = {rid: project(rid, source.stream_id, source.platform, vs, toucher.group) for rid, vs in fresh.items()}
    moved: dict[int, Record] = {rid: max(vs, key=SEQUENCE).record for rid, vs in fresh.items()}
    stored, traders = list(fresh.values()), set[int]()
    if changed:
        again = _take_in_changes(conn, changed, source, toucher)
        heads |= again.heads
        moved |= again.moved
        stored += again.stored
        traders = again.traders
    insert_heads(conn, heads.values())
    customers = _customers(conn, moved, source.platform)
    if customers:
        members, elsewhere = take_in(conn, toucher.identity, customers)
        toucher.touch_members(conn, members)
        toucher.touch_payers(conn, elsewhere)
    toucher.touch(conn, source.platform, moved)
    for kind, ids in note_bursts(conn, source.stream_id, [vs[0].record for vs in fresh.values()]).items():
        toucher.touch_kind(conn, source.platform, kind, sorted(ids))
    toucher.touch_customers(conn, _earliest(fresh.values(), source.platform))
    toucher.touch_traders(conn, traders)
    _note_scopes(conn, stored, source)
    landed.new += len(fresh)
    landed.versions += len(fresh) + len(changed)
    landed.seen.update(observed)
    for page in pages:
        _quarantine(conn, page, source)
        _samples(conn, page, source)
        landed.records += len(page.records)
        landed.quarantined += len(page.bad)
        landed.shown.update(record.id for record in page.records)


def _customers(conn: Connection, moved: Mapping[int, Record], platform: str) -> dict[int, tuple[str, Record]]:
    """Return the customer records among these, as they last were before they went."""
    found = {rid: (platform, record) for rid, record in moved.items() if record.kind == "customer"}
    gone = [rid for rid, (_, record) in found.items() if record.deleted]
    for rid, versions in load_versions(conn, gone).items():
        found[rid] = platform, last_known(versions)
    return found


def last_known(versions: Sequence[Version]) -> Record:
    """Return the newest version that does not say that the record is gone; what goes says little of who it was."""
    alive = [v for v in versions if not v.record.deleted]
    return max(alive or versions, key=SEQUENCE).record


def _versions(pages: Sequence[Page], source: Source) -> dict[int, list[Version]]:
    """Return what the pages show per record, in the order of the identities: neighbours are written side by side."""
    found: dict[int, list[Version]] = defaultdict(list)
    platform, after = source.platform, source.watermark_us
    for page in pages:
        observed_us = page.observed_us
        for record in page.records:
            order = record.changed_us if record.changed_us is not None else observed_us
            body = encode_record(record)
            if _NUL in body:  # PostgreSQL stores no such text, and one odd name must not hold up a stream
                body = body.replace(_NUL, b"\\ufffd")
                record = decode_record(body)
            version = Version(order, observed_us, digest(body), after, record, body)
            found[record_id(platform, record.kind, record.id)].append(version)
    for rid, versions in found.items():
        if len(versions) > 1:
            _same(rid, {v.record.id for v in versions})
    return {rid: versions if len(versions) == 1 else _new([], versions) for rid, versions in sorted(found.items())}


def _new(held: Sequence[Version], seen: Sequence[Version]) -> list[Version]:
    """Return the versions seen that are not held, as if each had come alone: repeating the newest adds none.

    What was held before, replaced under the same stamp and is seen again later is back: found gone by a sweep, for one.
    """
    known = {(v.order_us, v.digest) for v in held}
    newest = max(held, key=SEQUENCE, default=None)
    new = []
    for version in sorted(seen, key=_ARRIVAL):
        if newest is not None and version.digest == newest.digest:
            continue
        back = newest is not None and version.order_us == newest.order_us and version.observed_us > newest.observed_us
        if (version.order_us, version.digest) in known and not back:
            continue
        known.add((version.order_us, version.digest))
        new.append(version)
        newest = version if newest is None else max(newest, version, key=SEQUENCE)
    return new


def _known_digests(conn: Connection, observed: Mapping[int, Sequence[Version]]) -> dict[int, bytes]:
    known = {}
    for chunk in _chunks(list(observed)):
        query = select(RECORD.c.id, RECORD.c.digest, RECORD.c.external_id).where(RECORD.c.id.in_(chunk))
        for rid, known_digest, external_id in conn.execute(query):
            _same(rid, {observed[rid][0].record.id, external_id})
            known[rid] = bytes(known_digest)
    return known


def _same(rid: int, external_ids: Set[str]) -> None:
    if len(external_ids) > 1:
        raise IdentityClashError(f"{' and '.join(sorted(external_ids))} hash to the same identity {rid}")


def _insert_versions(conn: Connection, versions: Mapping[int, Sequence[Version]], source: Source) -> None:
    rows = [
        (
            rid,
            v.order_us,
            v.observed_us,
            v.digest,
            v.after_us,
            source.stream_id,
            source.poll_run_id,
            (v.body or encode_record(v.record)).decode(),
        )
        for rid, vs in versions.items()
        for v in vs
    ]
    bulk_insert(conn, VERSION, rows, VERSION_COLUMNS, _ONCE)


class _Changes(NamedTuple):
    """New heads of records held before, those that told something judged, what is stored, and customers to look at again."""

    heads: dict[int, Head]
    moved: dict[int, Record]
    stored: list[list[Version]]
    traders: set[int]


def _take_in_changes(
    conn: Connection, changed: Mapping[int, Sequence[Version]], source: Source, toucher: Toucher
) -> _Changes:
    held = load_versions(conn, list(changed))
    heads, moved, new_versions = {}, {}, {}
    traders: set[int] = set()
    for rid, seen in changed.items():
        before = max(held[rid], key=SEQUENCE)
        new = _new(held[rid], seen)
        if not new:
            continue
        new_versions[rid] = new
        heads[rid] = project(rid, source.stream_id, source.platform, [*held[rid], *new], toucher.group)
        after = max([*held[rid], *new], key=SEQUENCE)
        if after is before or any(judged(v.record) != judged(before.record) for v in new):
            moved[rid] = after.record
            if _trade(before.record) != _trade(after.record) or after.record.kind == "opportunity":
                traders |= _customers_of((before.record, after.record), source.platform)
    _insert_versions(conn, new_versions, source)
    toucher.touch(conn, source.platform, moved)  # along the references as they were, before they are replaced
    forget(conn, list(heads))
    return _Changes(heads, moved, list(new_versions.values()), traders)


def _trade(record: Record) -> tuple[object, ...]:
    """Return what a document says of since when its customer trades."""
    if record.deleted or (record.kind, record.state) not in TRADING:
        return ()
    return record.created_us, record.parties.get("sold_to")


def _earliest(fresh: Iterable[Sequence[Version]], platform: str) -> dict[int, int]:
    """Return, per customer record that new documents name, the earliest instant of these."""
    found: dict[int, int] = {}
    for version in (v for versions in fresh for v in versions):
        at = version.record.created_us if version.record.created_us is not None else -1
        for customer in _customers_of((version.record,), platform):
            found[customer] = min(at, found.get(customer, at))
    return found


def judged(record: Record) -> Record:
    """Return the record without what no verdict reads: its change stamp and its author."""
    return Record(
        **{name: getattr(record, name) for name in record.__struct_fields__ if name not in ("changed_us", "actor")}
    )


def load_versions(conn: Connection, ids: Sequence[int]) -> dict[int, list[Version]]:
    """Return every stored version of these records."""
    found: dict[int, list[Version]] = defaultdict(list)
    for chunk in _chunks(ids):
        query = select(
            VERSION.c.record_id,
            VERSION.c.order_us,
            VERSION.c.observed_us,
            VERSION.c.digest,
            VERSION.c.after_us,
            VERSION.c.body,
        ).where(VERSION.c.record_id.in_(chunk))
        for rid, order, seen, hashed, after, body in conn.execute(query):
            found[rid].append(Version(order, seen, bytes(hashed), after, decode_record(body)))
    return found


def forget(conn: Connection, ids: Sequence[int]) -> None:
    """Remove the derived rows of records whose head is about to be written again."""
    for chunk in _chunks(ids):
        for derived in (MILESTONE, REFERENCE, KEY):
            conn.execute(delete(derived).where(derived.c.record_id.in_(chunk)))


def insert_heads(conn: Connection, heads: Iterable[Head]) -> None:
    heads = list(heads)
    bulk_insert(conn, RECORD, [h.row for h in heads], HEAD_COLUMNS, _HEAD_REPLACES)
    bulk_insert(conn, MILESTONE, [r for h in heads for r in h.milestones], MILESTONE_COLUMNS)
    bulk_insert(conn, REFERENCE, [r for h in heads for r in h.references], REFERENCE_COLUMNS)
    bulk_insert(conn, KEY, [r for h in heads for r in h.keys], KEY_COLUMNS, _ONCE)


def _customers_of(records: Iterable[Record], platform: str) -> set[int]:
    named = {p for r in records if r.kind != "customer" for p in r.parties.values()}
    return {cid for p in named if (cid := customer_id(platform, p)) is not None}


_BLIND_FOR_SCOPE = text(
    "SELECT DISTINCT flow, anchor_id FROM flow_step WHERE state = 'blind' AND entity IN :entities"
).bindparams(bindparam("entities", expanding=True))


def _note_scopes(conn: Connection, observed: Iterable[Sequence[Version]], source: Source) -> None:
    """Note legal entities seen for the first time; what was blind for want of them is judged again."""
    firsts: dict[str, int] = {}
    for versions in observed:
        for version in versions:
            entity = version.record.entity
            if entity and entity not in source.scopes:
                firsts[entity] = min(firsts.get(entity, version.observed_us), version.observed_us)
    if not firsts:
        return
    rows = [(source.stream_id, entity, at) for entity, at in sorted(firsts.items())]
    if bulk_insert(conn, SCOPE, rows, ("stream_id", "entity", "first_us"), _EARLIEST):
        note(conn, {(flow, anchor) for flow, anchor in conn.execute(_BLIND_FOR_SCOPE, {"entities": sorted(firsts)})})
    source.scopes.update(firsts)


def _quarantine(conn: Connection, page: Page, source: Source) -> None:
    rows = [
        (source.stream_id, digest(b.raw.encode("utf-8", "replace")), page.observed_us, page.observed_us, 1, b.external_id,
         b.reason, b.message, b.raw.replace("\x00", "\ufffd"))
        for b in page.bad
    ]  # fmt: skip
    bulk_insert(conn, QUARANTINE, list({r[1]: r for r in rows}.values()), _QUARANTINE_COLUMNS, _AGAIN)


def _samples(conn: Connection, page: Page, source: Source) -> None:
    rows = [(source.stream_id, s.series, json.dumps(s.labels, sort_keys=True), s.at_us, s.value) for s in page.samples]
    bulk_insert(conn, SAMPLE, rows, ("stream_id", "series", "labels", "at_us", "value"), _ONCE)


def _chunks(ids: Sequence[int]) -> Iterable[Sequence[int]]:
    for start in range(0, len(ids), _CHUNK):
        yield ids[start : start + _CHUNK]
