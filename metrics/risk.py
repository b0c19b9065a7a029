"""Which documents are late or lost now, and what they are worth: each document once, never mixing currencies.

The sums are made where the rows are, a list is read by the page: neither costs more than what is stuck now.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Select, Subquery, and_, case, func, select, text

from .definitions import Model
from .filters import Filters
from .past import past_of, steps
from .queries.pages import beyond
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


@dataclass(frozen=True)
class Risk:
    """What is stuck: steps late and lost as `late` lists them, and the money of the documents.

    `unpriced_count`: documents without an amount or a currency, which no sum holds.
    """

    late_count: int
    lost_count: int
    unpriced_count: int
    money: Mapping[str, Money]


_STUCK = ("lost", "late")
_INSTANCE, _STREAM, _CROSSWALK, _RECORD = (table(m) for m in (FlowInstance, StreamRow, Crosswalk, RecordRow))
_ORDER = ("due_us", "flow", "anchor_id", "revision", "entity", "step")
_OF_INSTANCE = (
    "flow", "anchor_id", "revision", "entity", "started_us", "stream_id", "customer_id", "risk_minor", "currency",
)  # fmt: skip
_OF_STEP = ("step", "reason", "due_us", "state")


def _stuck(conn: Connection, model: Model, filters: Filters) -> tuple[Subquery, dict[str, Any]]:
    """Return the steps that are overdue and open, superseded revisions left out, and the parameters of that statement."""
    flows = [name for name in model.flows if filters.flow in (None, name)]
    past = past_of(conn, model, filters.as_of_us)
    then = steps(past, [_INSTANCE.c.flow.in_(flows)])
    columns = (*(then.instance[n].label(n) for n in _OF_INSTANCE), *(then.step[n].label(n) for n in _OF_STEP))
    stuck = (then.instance["state"].in_(_STUCK), then.step["state"].in_(_STUCK), *then.where)
    i = select(*columns).select_from(then.source).where(*stuck).subquery("i")
    where, given = filters.documents_where(View(conn, model), "i")
    cw, cu = _CROSSWALK.alias("cw"), _RECORD.alias("cu")
    source = i.outerjoin(cw, cw.c.record_id == i.c.customer_id)
    source = source if filters.segment is None else source.outerjoin(cu, cu.c.id == cw.c.customer_id)
    # The step first: in the order of their key SQLite would rather read all documents than sort the few that are stuck.
    newest = func.max(i.c.revision).over(partition_by=[i.c.step, i.c.flow, i.c.anchor_id, i.c.entity]).label("newest")
    who = cw.c.customer_id.label("who")
    held = select(*i.c, who, newest).select_from(source).where(text(f"1 = 1{where}")).subquery("held")
    return select(held).where(held.c.revision == held.c.newest).subquery("stuck"), given


def late(
    conn: Connection,
    model: Model,
    now_us: int,
    filters: Filters = Filters(),
    *,
    lost: bool | None = None,
    currency: str | None = None,
    limit: int | None = None,
    after: tuple[int, str, int, int, str, str] | None = None,
) -> list[LateDocument]:
    """Return the steps that are overdue and open now, or were at `as_of_us`, longest overdue first.

    Superseded revisions are left out. `currency` "" keeps what has none; `after`: (due_us, flow, anchor_id, revision, entity, step).
    """
    stuck, given = _stuck(conn, model, filters)
    c = stuck.c
    wanted = [] if lost is None else [(c.state == "lost") if lost else (c.state != "lost")]
    wanted += [] if currency is None else [func.coalesce(c.currency, "") == currency]
    wanted += [] if after is None else [beyond([c[n] for n in _ORDER], after, [False] * len(_ORDER))]
    chosen = select(stuck).where(*wanted).order_by(*(c[n] for n in _ORDER)).limit(limit).subquery("chosen")
    return [_document(model, row) for row in conn.execute(_shown(chosen), given)]


def _shown(chosen: Subquery) -> Select[Any]:
    c, r, cu, p = chosen.c, _RECORD.alias("r"), _RECORD.alias("cu"), _STREAM.alias("p")
    source = chosen.join(r, r.c.id == c.anchor_id).join(p, p.c.id == c.stream_id)
    source = source.outerjoin(cu, cu.c.id == c.who)
    kept = (c[n] for n in (*_OF_INSTANCE, *_OF_STEP) if n not in ("stream_id", "customer_id"))
    shown = (
        p.c.platform,
        r.c.kind,
        r.c.external_id,
        r.c.number,
        c.who.label("customer_id"),
        cu.c.name.label("customer_name"),
    )
    return select(*kept, *shown).select_from(source).order_by(*(c[n] for n in _ORDER))


def _document(model: Model, row: Any) -> LateDocument:
    values = dict(row._mapping)
    state, risk, flow = values.pop("state"), values.pop("risk_minor"), model.flows[values["flow"]]
    return LateDocument(
        **values,
        step_title=flow.step(row.step).title,
        lost=state == "lost",
        money_minor=risk,
        owner=flow.owner,
        link=model.link(row.platform, row.kind, row.external_id),
    )


def at_risk(conn: Connection, model: Model, now_us: int, filters: Filters = Filters()) -> Mapping[str, Money]:
    """Return money at risk by currency over distinct documents: one in two flows counts once, lost before late."""
    return risk(conn, model, now_us, filters).money


def risk(conn: Connection, model: Model, now_us: int, filters: Filters = Filters()) -> Risk:
    """Return what is stuck in numbers; a document in two flows counts once, lost before late, with its larger part."""
    stuck, given = _stuck(conn, model, filters)
    c = stuck.c
    lost = case((c.state == "lost", 1), else_=0)
    worst = [lost.desc(), func.coalesce(c.risk_minor, 0).desc(), c.flow, c.step]
    rank = func.row_number().over(partition_by=[c.anchor_id, c.entity], order_by=worst)
    each = (
        select(lost.label("lost"), c.risk_minor, c.currency, rank.label("rank")).select_from(stuck).subquery("each").c
    )
    priced = and_(each.currency.is_not(None), each.risk_minor.is_not(None)).label("priced")
    names = (each.currency, priced, each.lost, (each.rank == 1).label("first"))
    sums = select(*names, func.count().label("n"), func.sum(each.risk_minor).label("minor")).group_by(*names)
    found = conn.execute(sums, given).all()
    documents = [row for row in found if row.first]
    return Risk(
        late_count=sum(row.n for row in found if not row.lost),
        lost_count=sum(row.n for row in found if row.lost),
        unpriced_count=sum(row.n for row in documents if not row.priced),
        money={
            name: _money([r for r in documents if r.priced and r.currency == name]) for name in _currencies(documents)
        },
    )


def _currencies(documents: Sequence[Any]) -> list[str]:
    return sorted({row.currency for row in documents if row.priced})


def _money(held: Sequence[Any]) -> Money:
    late_minor, lost_minor = (sum(int(r.minor) for r in held if bool(r.lost) == lost) for lost in (False, True))
    return Money(late_minor, lost_minor, sum(r.n for r in held))
