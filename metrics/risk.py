"""Which documents are late or lost now, and what they are worth: each document once, never mixing currencies."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Select, select, text

from .definitions import Model
from .filters import Filters
from .past import Past, past_of, rows, unsettled
from .sight import View
from .tables import Crosswalk, FlowInstance, RecordRow, StreamRow, table


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


_STUCK = ("lost", "late")
_INSTANCE, _STREAM, _CROSSWALK, _RECORD = (table(m) for m in (FlowInstance, StreamRow, Crosswalk, RecordRow))


def _overdue(flow: str, past: Past | None, where: str) -> Select[Any]:
    then = rows(past, [_INSTANCE.c.flow == flow, *unsettled(past, flow)])
    names = (
        "flow",
        "anchor_id",
        "revision",
        "entity",
        "started_us",
        "stream_id",
        "customer_id",
        "risk_minor",
        "currency",
    )
    stuck = (then.instance["state"].in_(_STUCK), then.step["state"].in_(_STUCK), *then.both_where)
    inner = select(
        *(then.instance[n].label(n) for n in names), *(then.step[n].label(n) for n in ("step", "reason", "due_us", "state"))
    )  # fmt: skip
    i = inner.select_from(then.both).where(*stuck).subquery("i")
    r, cw, cu, p = _RECORD.alias("r"), _CROSSWALK.alias("cw"), _RECORD.alias("cu"), _STREAM.alias("p")
    source = i.join(r, r.c.id == i.c.anchor_id).join(p, p.c.id == i.c.stream_id)
    source = source.outerjoin(cw, cw.c.record_id == i.c.customer_id).outerjoin(cu, cu.c.id == cw.c.customer_id)
    kept = (i.c[n] for n in (*names, "step", "reason", "due_us", "state") if n not in ("stream_id", "customer_id"))
    shown = (p.c.platform, r.c.kind, r.c.external_id, r.c.number, cw.c.customer_id, cu.c.name.label("customer_name"))
    found = select(*kept, *shown).select_from(source).where(text(f"1 = 1{where}"))
    return found.order_by(i.c.due_us, i.c.anchor_id, i.c.revision, i.c.entity, i.c.step)


def late(conn: Connection, model: Model, now_us: int, filters: Filters = Filters()) -> list[LateDocument]:
    """Return the steps that are overdue and open now, or were at `as_of_us`, longest overdue first.

    Superseded revisions are left out.
    """
    view, past = View(conn, model), past_of(conn, model, filters.as_of_us)
    where, given = filters.events_where(view, "i")
    found: list[LateDocument] = []
    for flow in model.flows.values():
        if filters.flow not in (None, flow.name):
            continue
        titles = {step.name: step.title for step in flow.steps}
        held = conn.execute(_overdue(flow.name, past, where), given)
        found.extend(_document(model, row, titles[row.step], flow.owner) for row in held)
    newest: dict[tuple[str, int, str, str], int] = {}
    for document in found:
        key = (document.flow, document.anchor_id, document.entity, document.step)
        newest[key] = max(newest.get(key, 0), document.revision)
    return [d for d in found if newest[d.flow, d.anchor_id, d.entity, d.step] == d.revision]


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
