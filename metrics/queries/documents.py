"""Everything that is known about one document: the page behind a number, a name in a list or a link in an alert.

It gathers the record, its versions, what it names and what names it, the flows it is on, the verdicts about it and one
timeline over all platforms. It decides nothing itself.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, func, select

from metrics.keys import record_id
from metrics.past import Past
from metrics.tables import FlowInstance, FlowStep, Lookup, SliEvent, table
from probes.record import Record

from .breaks import Break, Trouble, breaks_of, exceptions_of
from .distinct import distinct
from .flows import Instance, Step, instances_of
from .heads import STREAM, Head, bodies, chunks, heads
from .history import Version, fields, happenings, versions
from .references import Named, references
from .timeline import Moment, timeline

EVENT, LOOKUP, INSTANCE, STEP = (table(m) for m in (SliEvent, Lookup, FlowInstance, FlowStep))
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


def document(
    conn: Connection, platform: str, kind: str, external_id: str, now_us: int, past: Past | None = None
) -> Document | None:
    """Return the document under a platform's own id, None when no poll has ever shown it, or none that existed then.

    With `past` its story ends then; the record itself is shown as newest known.
    """
    identity = record_id(platform, kind, external_id)
    head = heads(conn, [identity], past).get(identity)
    return None if head is None else _document(conn, head, now_us, past)


def _document(conn: Connection, head: Head, now_us: int, past: Past | None) -> Document:
    flows = instances_of(conn, [head.id], past)
    named = references(conn, head.id, past=past)
    body = bodies(conn, [head.id]).get(head.id)
    around = related(head, flows, named)
    return Document(
        head=head,
        body=body,
        fields=fields(body) if body else {},
        versions=versions(conn, head.id, past=past),
        references=named,
        flows=flows,
        verdicts=verdicts_of(conn, [head.id], past=past),
        breaks=breaks_of(conn, [head.id], past),
        exceptions=exceptions_of(conn, [head.id], past),
        asked=[a for a in _asked(conn, [head.id, *(i.anchor_id for i, _ in flows)]) if a.asked_us <= now_us],
        timeline=_timeline(conn, around, flows, now_us, past),
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
    conn: Connection, ids: set[int], flows: Sequence[tuple[Instance, Sequence[Step]]], now_us: int, past: Past | None
) -> list[Moment]:
    known = heads(conn, ids, past)
    happened = [h for batch in chunks(known.values()) for h in happenings(conn, batch, past)]
    return timeline(known, happened, flows, now_us)


def verdicts_of(conn: Connection, ids: Iterable[int], limit: int = 200, past: Past | None = None) -> list[Verdict]:
    """Return the SLI verdicts of which one of these records is the subject or the proof; with `past` as they stood."""
    wanted = set(ids)
    steps = conn.execute(select(STEP.c.anchor_id).where(STEP.c.record_id.in_(wanted))).scalars()
    anchors = sorted({*wanted, *steps})  # what proves an event did a step of its subject
    about = (
        EVENT.c.sli.in_(distinct(conn, EVENT.c.sli)),
        EVENT.c.anchor_id.in_(anchors),
        EVENT.c.anchor_id.in_(wanted) | EVENT.c.proof_id.in_(wanted),
    )
    same = (
        INSTANCE.c.flow.in_(distinct(conn, INSTANCE.c.flow)),
        *(INSTANCE.c[n] == EVENT.c[n] for n in ("anchor_id", "revision", "entity")),
    )
    left = select(func.min(INSTANCE.c.withdrawn_us)).where(*same).scalar_subquery().label("withdrawn_us")
    found = conn.execute(select(EVENT, left).where(*about).order_by(EVENT.c.at_us.desc()).limit(limit)).mappings()
    rows = [dict(r) if past is None else cut for r in found if past is None or (cut := _cut(dict(r), past.at_us))]
    known = heads(conn, (i for r in rows for i in (r["anchor_id"], r["proof_id"]) if i is not None))
    names = [n for n in Verdict.__slots__ if n not in ("anchor", "proof")]
    return [
        Verdict(**{n: r[n] for n in names}, anchor=known.get(r["anchor_id"]), proof=known.get(r["proof_id"]))
        for r in rows
    ]


_UNSEEN = {"value_us": None, "proof_id": None, "corrected_us": None}


def _cut(row: dict[str, Any], at_us: int) -> dict[str, Any]:
    """Return a verdict as it stood at an instant, empty when its clock had not begun; as `metrics.listing` lists it."""
    if row["start_us"] is not None and row["start_us"] > at_us:
        return {}
    later = row["value_us"] is not None and row["start_us"] + row["value_us"] > at_us
    if row["at_us"] is not None and row["at_us"] > at_us:
        gone = row["reason"] != "withdrawn" or (row["withdrawn_us"] is not None and row["withdrawn_us"] <= at_us)
        if row["outcome"] == "excluded" and gone:
            return row
        return {**row, **_UNSEEN, "at_us": row["due_us"], "outcome": "pending", "reason": "not_due"}
    if not later:
        return row
    return {**row, **_UNSEEN, "reason": "missing" if row["reason"] == "late" else row["reason"]}


def _asked(conn: Connection, subjects: Iterable[int]) -> list[Asked]:
    statement = select(LOOKUP, STREAM.c.platform, STREAM.c.name).join(STREAM, STREAM.c.id == LOOKUP.c.stream_id)
    rows = conn.execute(statement.where(LOOKUP.c.subject_id.in_(sorted(set(subjects)))).order_by(LOOKUP.c.asked_us))
    return [Asked(r.platform, r.name, r.asked_us, r.keys) for r in rows]
