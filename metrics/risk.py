"""Which documents are late or lost now, and what they are worth: each document once, never mixing currencies."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, text

from .definitions import Model
from .filters import Filters
from .sight import View


@dataclass(frozen=True)
class LateDocument:
    """A document whose step is past its due: `lost` when provably absent, else reached too late and not yet through.

    Time: microseconds UTC. Money: the part not yet proven in the target, minor units.
    """

    flow: str
    step: str
    step_title: str
    anchor_id: int
    revision: int
    entity: str
    platform: str
    kind: str
    external_id: str
    number: str | None
    customer_id: int | None
    customer_name: str | None
    reason: str | None
    started_us: int | None
    due_us: int
    lost: bool
    money_minor: int | None
    currency: str | None
    owner: str | None
    link: str | None


@dataclass(frozen=True)
class Money:
    """Money at risk in one currency, minor units, over distinct documents."""

    late_minor: int
    lost_minor: int
    documents: int


_LATE = (
    "SELECT i.flow, t.step, i.anchor_id, i.revision, i.entity, p.platform, r.kind, r.external_id, r.number, cw.customer_id,"
    " cu.name AS customer_name, t.reason, i.started_us, t.due_us, t.state, i.risk_minor, i.currency"
    " FROM flow_instance i JOIN flow_step t ON t.flow = i.flow AND t.anchor_id = i.anchor_id AND t.revision = i.revision"
    " AND t.entity = i.entity AND t.state IN ('lost', 'late') JOIN record r ON r.id = i.anchor_id JOIN stream p ON p.id = i.stream_id"
    " LEFT JOIN crosswalk cw ON cw.record_id = i.customer_id LEFT JOIN record cu ON cu.id = cw.customer_id"
    " WHERE i.flow = :flow AND i.state IN ('lost', 'late'){where} ORDER BY t.due_us, i.anchor_id, i.revision, i.entity, t.step"
)


def late(conn: Connection, model: Model, now_us: int, filters: Filters = Filters()) -> list[LateDocument]:
    """Return the steps that are overdue and open now, longest overdue first. Superseded revisions are left out."""
    view = View(conn, model)
    found: list[LateDocument] = []
    for flow in model.flows.values():
        if filters.flow not in (None, flow.name):
            continue
        where, given = _where(view, filters)
        titles = {step.name: step.title for step in flow.steps}
        rows = conn.execute(text(_LATE.format(where=where)), {"flow": flow.name, **given})
        found.extend(_document(model, row, titles[row.step], flow.owner) for row in rows)
    newest: dict[tuple[str, int, str, str], int] = {}
    for document in found:
        key = (document.flow, document.anchor_id, document.entity, document.step)
        newest[key] = max(newest.get(key, 0), document.revision)
    return [d for d in found if newest[d.flow, d.anchor_id, d.entity, d.step] == d.revision]


def _where(view: View, filters: Filters) -> tuple[str, dict[str, Any]]:
    return filters.events_where(view, "i")


def _document(model: Model, row: Any, title: str, owner: str | None) -> LateDocument:
    values = dict(row._mapping)
    state, risk = values.pop("state"), values.pop("risk_minor")
    return LateDocument(
        **values,
        step_title=title,
        lost=state == "lost",
        money_minor=risk,
        owner=owner,
        link=model.link(row.platform, row.kind, row.external_id),
    )


def at_risk(conn: Connection, model: Model, now_us: int, filters: Filters = Filters()) -> dict[str, Money]:
    """Return money at risk by currency over distinct documents: one in two flows counts once, lost before late."""
    documents: dict[tuple[int, str], LateDocument] = {}
    for document in late(conn, model, now_us, filters):
        key = (document.anchor_id, document.entity)
        held = documents.get(key)
        if held is None or (document.lost, document.money_minor or 0) > (held.lost, held.money_minor or 0):
            documents[key] = document
    sums: dict[str, list[int]] = defaultdict(lambda: [0, 0, 0])
    for document in documents.values():
        if document.currency is None or document.money_minor is None:
            continue
        totals = sums[document.currency]
        totals[1 if document.lost else 0] += document.money_minor
        totals[2] += 1
    return {currency: Money(*totals) for currency, totals in sorted(sums.items())}
