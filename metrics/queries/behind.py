"""Which subjects stand behind an SLI's figure, whatever its kind: decided events, customers in a state, or polls.

The conditions are those of the count, so a list has exactly as many rows as the number it was opened from.
"""

from __future__ import annotations

from dataclasses import fields
from typing import Any

from sqlalchemy import Connection, text

from metrics.definitions import Model, Sli
from metrics.filters import Filters
from metrics.listing import EventRow, events
from metrics.sight import View
from metrics.windows import window_of

from .pages import Listing, decode, page

_STATE = (
    "SELECT v.subject_id, v.target, v.outcome, v.reason, v.from_us, v.counterpart_id, r.entity, r.kind, r.external_id,"
    " r.number, r.name, r.digest, p.platform, c.kind AS proof_kind, c.external_id AS proof_external_id,"
    " COALESCE(c.name, c.number) AS proof_number, pc.platform AS proof_platform"
    " FROM state_interval v JOIN record r ON r.id = v.subject_id JOIN stream p ON p.id = r.stream_id"
    " LEFT JOIN record c ON c.id = v.counterpart_id LEFT JOIN stream pc ON pc.id = c.stream_id"
    " WHERE v.sli = :sli AND v.from_us <= :high AND (v.to_us IS NULL OR v.to_us > :high)"
)
_POLL = (
    "SELECT u.id, u.started_us, u.finished_us, u.reason, u.message, p.platform, p.name,"
    " CASE WHEN {good} THEN 'good' ELSE 'bad' END AS outcome FROM poll_run u JOIN stream p ON p.id = u.stream_id"
    " WHERE u.kind = 'changes' AND u.finished_us IS NOT NULL AND u.started_us >= :low AND u.started_us <= :high"
)
_GOOD = {
    "availability": "u.status IN ('complete', 'suspect')",
    "freshness": "u.watermark_us IS NOT NULL AND u.finished_us - u.watermark_us <= 3 * p.interval_us + p.visibility_us",
}


def behind(
    conn: Connection,
    model: Model,
    now_us: int,
    name: str,
    filters: Filters,
    *,
    outcome: str | None = None,
    reason: str | None = None,
    total: int = 0,
    limit: int = 100,
    after: str | None = None,
) -> Listing[EventRow]:
    """Return the subjects that a figure counted, newest first. `total` is what the figure says."""
    sli = model.slis[name]
    if sli.kind == "event":
        last = None if after is None else tuple(decode(after, (int, int, int, str)))
        rows = events(conn, model, now_us, name, filters, outcome=outcome, reason=reason, limit=limit + 1, after=last)
        return page(rows, limit, total, lambda e: (e.at_us or 0, e.anchor_id, e.revision, e.entity))
    rows = (
        _state(conn, model, sli, now_us, filters) if sli.kind == "state" else _polls(conn, model, sli, now_us, filters)
    )
    rows = [r for r in rows if outcome in (None, r.outcome) and reason in (None, r.reason)]
    if after is not None:
        last = tuple(decode(after, (int, int, str)))
        rows = [r for r in rows if _order(r) > last]
    return page(rows[: limit + 1], limit, total, _order)


def _order(row: EventRow) -> tuple[int, int, str]:
    return -(row.at_us or 0), row.anchor_id, row.proof_platform or ""


def _state(conn: Connection, model: Model, sli: Sli, now_us: int, filters: Filters) -> list[EventRow]:
    window = window_of(View(conn, model), sli, now_us, filters)
    sql, given = _STATE, {"sli": sli.name, "high": window.to_us}
    if filters.entity is not None:
        sql, given["entity"] = sql + " AND r.entity = :entity", filters.entity
    if filters.segment is not None:
        sql, given["segment"] = sql + " AND r.segment = :segment", filters.segment
    if filters.customer_id is not None:
        sql += " AND v.subject_id = (SELECT customer_id FROM crosswalk WHERE record_id = :customer)"
        given["customer"] = filters.customer_id
    rows = [_state_row(model, sli, row._mapping) for row in conn.execute(text(sql), given)]
    return sorted(rows, key=_order)


def _state_row(model: Model, sli: Sli, row: Any) -> EventRow:
    proof = (row["proof_platform"], row["proof_kind"], row["proof_external_id"])
    return _event(
        sli,
        anchor_id=row["subject_id"],
        entity=row["entity"] or "",
        platform=row["platform"],
        kind=row["kind"],
        external_id=row["external_id"],
        number=row["number"],
        customer_id=row["subject_id"],
        customer_name=row["name"],
        outcome=row["outcome"],
        reason=row["reason"],
        at_us=row["from_us"],
        proof_id=row["counterpart_id"],
        # Where there is no counterpart the role that lacks one is what matters.
        proof_platform=row["proof_platform"] or row["target"],
        proof_kind=row["proof_kind"],
        proof_external_id=row["proof_external_id"],
        proof_number=row["proof_number"],
        digest=bytes(row["digest"]).hex(),
        link=model.link(row["platform"], row["kind"], row["external_id"]),
        proof_link=model.link(*proof) if row["proof_kind"] else None,
    )


def _polls(conn: Connection, model: Model, sli: Sli, now_us: int, filters: Filters) -> list[EventRow]:
    window = window_of(View(conn, model), sli, now_us, filters)
    sql = _POLL.format(good=_GOOD[sli.measure or "availability"])
    given: dict[str, Any] = {"low": window.from_us, "high": window.to_us}
    if filters.as_of_us is not None:
        sql += " AND u.finished_us <= :high"
    if filters.platform is not None:
        sql, given["platform"] = sql + " AND p.platform = :platform", filters.platform
    rows = [_poll_row(sli, row._mapping) for row in conn.execute(text(sql), given)]
    return sorted(rows, key=_order)


def _poll_row(sli: Sli, row: Any) -> EventRow:
    return _event(
        sli,
        anchor_id=row["id"],
        platform=row["platform"],
        kind="poll_run",
        external_id=str(row["id"]),
        number=f"{row['platform']}/{row['name']}",
        outcome=row["outcome"],
        reason=row["reason"],
        start_us=row["started_us"],
        at_us=row["started_us"],
        value_us=row["finished_us"] - row["started_us"],
    )


_PRESENT = {"sli", "anchor_id", "revision", "entity", "platform", "kind", "external_id", "outcome", "digest"}
_ABSENT: dict[str, Any] = {f.name: None for f in fields(EventRow) if f.name not in _PRESENT}


def _event(sli: Sli, **values: Any) -> EventRow:
    return EventRow(**{**_ABSENT, "sli": sli.name, "revision": 1, "entity": "", "digest": "", **values})
