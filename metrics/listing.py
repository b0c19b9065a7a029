"""Which subjects stand behind a figure: the same conditions as the count, one row per subject, with evidence."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, text

from .counting import BEGUN, UNSEEN, ahead, reason_then
from .definitions import Model, Sli
from .filters import Filters
from .sight import View
from .windows import window_of


@dataclass(frozen=True)
class EventRow:
    """One subject of an SLI with its verdict and its evidence. Time: microseconds UTC. Money: minor units."""

    sli: str
    anchor_id: int
    revision: int
    entity: str
    platform: str
    kind: str
    external_id: str
    number: str | None
    customer_id: int | None
    customer_name: str | None
    outcome: str
    reason: str | None
    start_us: int | None
    due_us: int | None
    at_us: int | None
    value_us: int | None
    money_minor: int | None
    currency: str | None
    proof_id: int | None
    proof_platform: str | None
    proof_kind: str | None
    proof_external_id: str | None
    proof_number: str | None
    corrected_us: int | None
    digest: str
    link: str | None
    proof_link: str | None


_COLUMNS = (
    "e.sli, e.anchor_id, e.revision, e.entity, p.platform, a.kind, a.external_id, a.number, cw.customer_id, cu.name AS customer_name,"
    " {outcome} AS outcome, {reason} AS reason, e.start_us, e.due_us, {at} AS at_us, {value} AS value_us, e.money_minor, e.currency,"
    " {proof} AS proof_id,"
    " pp.platform AS proof_platform, pr.kind AS proof_kind, pr.external_id AS proof_external_id, pr.number AS proof_number,"
    " e.corrected_us, a.digest"
)
_JOINS = (
    " JOIN record a ON a.id = e.anchor_id JOIN stream p ON p.id = e.stream_id"
    " LEFT JOIN record pr ON pr.id = {proof} LEFT JOIN stream pp ON pp.id = pr.stream_id"
)
_AHEAD = "e.at_us > :high"
_WHEN = f"CASE WHEN {_AHEAD} AND {{open}} THEN CASE WHEN e.outcome = 'pending' AND e.at_us <= :overdue"
_OUTCOME = f"{_WHEN} THEN 'blind' ELSE 'pending' END ELSE e.outcome END"
_REASON = f"{_WHEN} THEN 'not_observed' ELSE 'not_due' END ELSE {{reason}} END"


def _columns(filters: Filters) -> dict[str, str]:
    """Return what stands for an event's verdict and proof: what came after a past instant is not seen."""
    open_, reason = ahead(filters, ":high"), reason_then(filters)
    found = {"outcome": _OUTCOME.format(open=open_), "reason": _REASON.format(open=open_, reason=reason)}
    if filters.as_of_us is None:
        return {**found, "at": "e.at_us", "value": "e.value_us", "proof": "e.proof_id"}
    found["at"] = f"CASE WHEN {_AHEAD} THEN COALESCE(e.due_us, e.at_us) ELSE e.at_us END"
    return {
        **found,
        **{n: f"CASE WHEN {UNSEEN} THEN NULL ELSE e.{n}_{s} END" for n, s in (("value", "us"), ("proof", "id"))},
    }


def events(
    conn: Connection,
    model: Model,
    now_us: int,
    name: str,
    filters: Filters = Filters(),
    *,
    outcome: str | None = None,
    reason: str | None = None,
    limit: int | None = 100,
    after: tuple[int, int, int, str] | None = None,
) -> list[EventRow]:
    """Return the subjects that an event SLI's figure counted, newest first. `after`: (at_us, anchor_id, revision, entity)."""
    view, sli = View(conn, model), model.slis[name]
    sql, given = _query(view, sli, now_us, filters, outcome, reason)
    if after is not None:
        sql += " AND (q.at_us, q.anchor_id, q.revision, q.entity) < (:a_at, :a_id, :a_rev, :a_ent)"
        given |= {"a_at": after[0], "a_id": after[1], "a_rev": after[2], "a_ent": after[3]}
    sql += " ORDER BY q.at_us DESC, q.anchor_id DESC, q.revision DESC, q.entity DESC"
    if limit is not None:
        sql += " LIMIT :limit"
        given["limit"] = limit
    return [_row(model, row._mapping) for row in conn.execute(text(sql), given)]


def _query(
    view: View, sli: Sli, now_us: int, filters: Filters, outcome: str | None, reason: str | None
) -> tuple[str, dict[str, Any]]:
    window = window_of(view, sli, now_us, filters)
    where, given = filters.events_where(view)
    own, months = window.own_month()
    where += own
    given |= {
        **months,
        "sli": sli.name,
        "flow": sli.flow,
        "low": window.from_us,
        "high": window.to_us,
        "overdue": window.until_us - window.slack_us,
    }
    if filters.as_of_us is not None:
        where, given["at"] = f"{where} AND {BEGUN}", filters.as_of_us
    columns = _columns(filters)
    inner = (
        f"SELECT {_COLUMNS.format(**columns)} FROM {filters.events(named=True)}{_JOINS.format(**columns)} WHERE e.sli = :sli{where} AND"
        f" ((e.at_us >= :low AND e.at_us <= :high) OR ({_AHEAD} AND e.start_us <= :high AND {ahead(filters, ':high')}))"
    )
    sql = f"SELECT * FROM ({inner}) q WHERE 1 = 1"
    if outcome is not None:
        sql, given["outcome"] = sql + " AND q.outcome = :outcome", outcome
    if reason is not None:
        sql, given["reason"] = sql + " AND q.reason = :reason", reason
    return sql, given


def _row(model: Model, row: Any) -> EventRow:
    values = dict(row)
    values["digest"] = bytes(values["digest"]).hex()
    proof = values["proof_platform"] is not None
    return EventRow(
        **values,
        link=model.link(values["platform"], values["kind"], values["external_id"]),
        proof_link=model.link(values["proof_platform"], values["proof_kind"], values["proof_external_id"])
        if proof
        else None,
    )
