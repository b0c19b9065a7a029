"""What the versions of one record amount to: its head row, milestones, references and keys.

Pure: the same versions in any order give the same rows, so a head can always be rebuilt. Nothing is read or written here.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from operator import attrgetter
from typing import Any, NamedTuple

from probes.record import Record, Reference

from .keys import customer_id, key_id


class Version(NamedTuple):
    """One observation: when it holds from, when it was seen, the watermark before that, its digest and what was seen.

    `body` is the canonical text while it has just been made, so that nothing is encoded twice.
    """

    order_us: int
    observed_us: int
    digest: bytes
    after_us: int | None
    record: Record
    body: bytes | None = None


class Head(NamedTuple):
    """The rows that one record contributes. Shapes: tuples in the column order of `HEAD_COLUMNS` and the like."""

    row: tuple[Any, ...]
    milestones: list[tuple[Any, ...]]
    references: list[tuple[Any, ...]]
    keys: list[tuple[Any, ...]]


HEAD_COLUMNS = (
    "id", "stream_id", "kind", "external_id", "number", "name", "segment", "entity", "customer_id", "bill_to_id", "status",
    "state", "currency",
    "net_minor", "tax_minor", "gross_minor", "open_minor", "revision", "exempt", "test", "actor_id", "document_on", "posting_on",
    "created_us", "changed_us", "first_observed_us", "observed_us", "deleted_us", "version_count", "digest",
)  # fmt: skip
MILESTONE_COLUMNS = ("record_id", "name", "ordinal", "earliest_us", "latest_us")
REFERENCE_COLUMNS = ("record_id", "kind", "to_id", "line", "to_key", "amount_minor", "currency", "quantity")
KEY_COLUMNS = ("key_id", "record_id", "key")
SEQUENCE = attrgetter("order_us", "observed_us", "digest")


Grouper = Callable[[Record], Reference | None]
"""Returns the reference to the posting group that the configuration puts a document into, if any."""


def project(rid: int, stream_id: int, platform: str, versions: Sequence[Version], group: Grouper | None = None) -> Head:
    """Return the head of a record from all its versions, in whatever order they are given."""
    ordered = sorted(versions, key=SEQUENCE) if len(versions) > 1 else versions
    last = ordered[-1]
    r = last.record
    amounts, on, parties = r.amounts, r.on, r.parties
    deleted = _deleted_us(ordered) if r.deleted else None
    bill_to = parties.get("bill_to")
    row = (
        rid, stream_id, r.kind, r.id, r.number, r.attributes.get("name"), r.attributes.get("segment"), r.entity,
        customer_id(platform, parties.get("sold_to")),
        customer_id(platform, bill_to), r.status, r.state, r.currency, amounts.get("net"), amounts.get("tax"),
        amounts.get("gross"), amounts.get("open"), r.revision, r.exempt, r.test,
        r.actor.id if r.actor is not None and r.actor.grade == "field" else None, on.get("document"), on.get("posting"),
        r.created_us, r.changed_us, last.observed_us if len(ordered) == 1 else min(v.observed_us for v in ordered),
        last.observed_us, deleted, len(ordered), last.digest,
    )  # fmt: skip
    return Head(
        row,
        _milestones(rid, ordered),
        _references(rid, r, group),
        [(key_id(k), rid, k) for k in dict.fromkeys(r.keys)],
    )


def _deleted_us(ordered: Sequence[Version]) -> int:
    """Return when the record went: its stamp, unless a sweep found it gone and the stamp is that of its last change."""
    last = ordered[-1]
    stamp = last.record.changed_us
    if stamp is None or (len(ordered) > 1 and ordered[-2].record.changed_us == stamp):
        return last.observed_us
    return stamp


def _references(rid: int, record: Record, group: Grouper | None) -> list[tuple[Any, ...]]:
    rows = {}
    grouped = group(record) if group is not None else None
    for ref in (*record.references, grouped) if grouped is not None else record.references:
        to, line = key_id(ref.to), ref.line or ""
        rows[ref.kind, to, line] = (rid, ref.kind, to, line, ref.to, ref.amount_minor, ref.currency, ref.quantity)
    return list(rows.values())


def _milestones(rid: int, ordered: Sequence[Version]) -> list[tuple[Any, ...]]:
    """Return what the newest version dates, each entry into a state as seen, and when each revision after the first was shown."""
    rows = [(rid, name, 1, earliest, latest) for name, (earliest, latest) in ordered[-1].record.milestones.items()]
    entries: dict[str, int] = {}
    shown, before = 1, None
    for version in ordered:
        state, revision = version.record.state, version.record.revision or 1
        entered = state is not None and (before is None or before.record.state != state)
        if entered or revision > shown:
            since = _between(before, version)
            if state is not None and entered:
                entries[state] = entries.get(state, 0) + 1
                rows.append((rid, f"state:{state}", entries[state], *since))
            rows += [(rid, "revision", number, *since) for number in range(shown + 1, revision + 1)]
            shown = max(shown, revision)
        before = version
    return rows


def _between(before: Version | None, version: Version) -> tuple[int, int]:
    """Return within what a change took place that `version` shows first: after the version before (or creation), by its stamp."""
    record = version.record
    latest = record.changed_us if record.changed_us is not None else version.observed_us
    if before is not None:
        earliest = max(before.order_us, version.after_us or 0)
    elif record.created_us is not None:
        earliest = record.created_us
    else:
        earliest = version.after_us if version.after_us is not None else latest
    return min(earliest, latest), latest
