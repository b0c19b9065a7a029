"""Everything that is known about one document: the page behind a number, a name in a list or a link in an alert.

It gathers the record, its versions, what it names and what names it, the flows it is on, the verdicts about it and one
timeline over all platforms. It decides nothing itself.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, select

from metrics.keys import record_id
from metrics.tables import Lookup, SliEvent, table
from probes.record import Record

from .breaks import Break, Trouble, breaks_of, exceptions_of
from .flows import Instance, Step, instances_of
from .heads import STREAM, Head, bodies, chunks, heads
from .history import Version, fields, happenings, versions
from .references import Named, references
from .timeline import Moment, timeline

EVENT, LOOKUP = table(SliEvent), table(Lookup)
# Not a step of anybody's document: shared by thousands of them.
SHARED = ("customer", "contact", "product", "price", "user", "accounting_period")


@dataclass(frozen=True, slots=True)
class Verdict:
    """One SLI's verdict on one subject, with the record that proves it. Time: `*_us`; `value_us` is the signed latency."""

    sli: str
    anchor_id: int
    revision: int
    entity: str
    outcome: str
    reason: str | None
    start_us: int | None
    due_us: int | None
    at_us: int | None
    value_us: int | None
    money_minor: int | None
    currency: str | None
    corrected_us: int | None
    anchor: Head | None
    proof: Head | None


@dataclass(frozen=True, slots=True)
class Asked:
    """One direct read that found nothing: which platform and stream was asked, when, under which keys."""

    platform: str
    stream: str
    asked_us: int
    keys: str


@dataclass(frozen=True, slots=True)
class Document:
    """One record with everything that hangs on it."""

    head: Head
    body: Record | None
    fields: dict[str, str]
    versions: list[Version]
    references: list[Named]
    flows: list[tuple[Instance, list[Step]]]
    verdicts: list[Verdict]
    breaks: list[Break]
    exceptions: list[Trouble]
    asked: list[Asked]
    timeline: list[Moment]


def document(conn: Connection, platform: str, kind: str, external_id: str, now_us: int) -> Document | None:
    """Return the document under a platform's own id, None when no poll has ever shown it."""
    identity = record_id(platform, kind, external_id)
    head = heads(conn, [identity]).get(identity)
    return None if head is None else _document(conn, head, now_us)


def _document(conn: Connection, head: Head, now_us: int) -> Document:
    flows = instances_of(conn, head.id)
    named = references(conn, head.id)
    body = bodies(conn, [head.id]).get(head.id)
    around = related(head, flows, named)
    return Document(
        head=head,
        body=body,
        fields=fields(body) if body else {},
        versions=versions(conn, head.id),
        references=named,
        flows=flows,
        verdicts=verdicts_of(conn, [head.id]),
        breaks=breaks_of(conn, [head.id]),
        exceptions=exceptions_of(conn, [head.id]),
        asked=_asked(conn, [head.id, *(i.anchor_id for i, _ in flows)]),
        timeline=_timeline(conn, around, flows, now_us),
    )


def related(head: Head, flows: Sequence[tuple[Instance, Sequence[Step]]], named: Sequence[Named]) -> set[int]:
    """Return the records whose story is this document's: itself, the flow's anchor and steps, and its direct neighbours."""
    found = {head.id}
    for instance, steps in flows:
        found |= {instance.anchor_id, *(s.record_id for s in steps if s.record_id is not None)}
    if head.kind not in SHARED:
        found |= {n.other.id for n in named if n.other is not None and n.other.kind not in SHARED}
    return found


def _timeline(
    conn: Connection, ids: set[int], flows: Sequence[tuple[Instance, Sequence[Step]]], now_us: int
) -> list[Moment]:
    known = heads(conn, ids)
    happened = [h for batch in chunks(known.values()) for h in happenings(conn, batch)]
    return timeline(known, happened, flows, now_us)


def verdicts_of(conn: Connection, ids: Iterable[int], limit: int = 200) -> list[Verdict]:
    """Return the SLI verdicts of which one of these records is the subject or the proof."""
    wanted = sorted(set(ids))
    about = EVENT.c.anchor_id.in_(wanted) | EVENT.c.proof_id.in_(wanted)
    rows = conn.execute(select(EVENT).where(about).order_by(EVENT.c.at_us.desc()).limit(limit)).all()
    known = heads(conn, (i for r in rows for i in (r.anchor_id, r.proof_id) if i is not None))
    names = [n for n in Verdict.__slots__ if n not in ("anchor", "proof")]
    return [
        Verdict(**{n: getattr(r, n) for n in names}, anchor=known.get(r.anchor_id), proof=known.get(r.proof_id))
        for r in rows
    ]


def _asked(conn: Connection, subjects: Iterable[int]) -> list[Asked]:
    statement = select(LOOKUP, STREAM.c.platform, STREAM.c.name).join(STREAM, STREAM.c.id == LOOKUP.c.stream_id)
    rows = conn.execute(statement.where(LOOKUP.c.subject_id.in_(sorted(set(subjects)))).order_by(LOOKUP.c.asked_us))
    return [Asked(r.platform, r.name, r.asked_us, r.keys) for r in rows]
