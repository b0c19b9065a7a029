"""Which documents and customers stand behind what alerts: under a figure, by the same conditions as its count."""

from __future__ import annotations

from sqlalchemy import Connection, or_, select

from metrics.definitions import Model, Sli
from metrics.filters import Filters
from metrics.listing import EventRow, events
from metrics.risk import LateDocument
from metrics.sli import figures
from metrics.tables import RecordRow, StateInterval, StreamRow, table

from .findings import Member

_STATE, _RECORD, _STREAM = table(StateInterval), table(RecordRow), table(StreamRow)


def bad_members(
    conn: Connection, model: Model, sli: Sli, now_us: int, window_us: int | None = None
) -> tuple[Member, ...]:
    """Return what is bad in the window of an SLI: documents of an event SLI, subjects of a state SLI, none of a sample."""
    if sli.kind == "event":
        rows = events(conn, model, now_us, sli.name, Filters(window_us=window_us), outcome="bad", limit=None)
        # Without any proof of arrival its money counts as lost, else as late.
        return tuple(member_of(row, lost=row.proof_id is None) for row in rows)
    return _bad_subjects(conn, model, sli, now_us) if sli.kind == "state" else ()


def member_of(document: EventRow | LateDocument, *, lost: bool) -> Member:
    """Return a judged document as a member of an alert."""
    return Member(
        platform=document.platform,
        kind=document.kind,
        external_id=document.external_id,
        number=document.number,
        entity=document.entity or None,
        customer_id=document.customer_id,
        customer=document.customer_name,
        lost=lost,
        due_us=document.due_us,
        money_minor=document.money_minor,
        currency=document.currency,
        link=document.link,
    )


def _bad_subjects(conn: Connection, model: Model, sli: Sli, now_us: int) -> tuple[Member, ...]:
    (figure,) = figures(conn, model, now_us, Filters(), [sli.name], percentiles=False)
    s, r = _STATE.c, _RECORD.c
    query = (
        select(r.id, _STREAM.c.platform, r.kind, r.external_id, r.number, r.entity, r.name)
        .join_from(_STATE, _RECORD, r.id == s.subject_id)
        .join(_STREAM, _STREAM.c.id == r.stream_id)
        .where(s.sli == sli.name, s.outcome == "bad", s.from_us <= figure.window_to_us)
        .where(or_(s.to_us.is_(None), s.to_us > figure.window_to_us))
        .order_by(s.from_us, r.id)
    )
    return tuple(
        Member(
            platform=row.platform,
            kind=row.kind,
            external_id=row.external_id,
            number=row.number,
            entity=row.entity,
            customer_id=row.id,
            customer=row.name,
            lost=True,
            link=model.link(row.platform, row.kind, row.external_id),
        )
        for row in conn.execute(query)
    )
