"""How does the verdict on a document read when it is cut at an instant T? Statements over its steps, put together here, run elsewhere.

Most documents stand at T as they stand now, and are not cut: nothing of them came later or hung on a deadline.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import astuple, dataclass
from typing import Any

from sqlalchemy import (
    CTE,
    BigInteger,
    ColumnElement,
    FromClause,
    String,
    Subquery,
    and_,
    case,
    column,
    exists,
    false,
    func,
    literal,
    or_,
    select,
    values,
)  # fmt: skip

from .tables import FlowInstance, FlowStep, table
from .verdicts import OPEN_STATES

INSTANCE, STEP = table(FlowInstance), table(FlowStep)
KEY = ("flow", "anchor_id", "revision", "entity")
_ALWAYS_BLIND = ("unmapped_status", "group_unresolved")
"""What cannot be read now could not be read then: statuses are the latest known."""


@dataclass(frozen=True, slots=True)
class PlannedStep:
    """Where a step stands in its flow, which step starts its clock, and up to when it could be seen: min(W, T)."""

    flow: str
    step: str
    position: int
    after: str
    watermark_us: int


@dataclass(frozen=True, slots=True)
class Past:
    """An instant that answers stand for, with what cutting verdicts at it needs to know."""

    at_us: int
    steps: tuple[PlannedStep, ...]


def begun(past: Past) -> list[ColumnElement[bool]]:
    return [INSTANCE.c.started_us <= literal(past.at_us, BigInteger)]


def moved(past: Past) -> ColumnElement[bool]:
    """Return the condition that a document may have stood otherwise: something of it came after T, or hung on a deadline.

    Most documents are through, or wait for what has no deadline: their verdicts of then are those of now, and are not cut.
    """
    at, own = literal(past.at_us, BigInteger), STEP.alias("moved")
    awaited = or_(
        own.c.due_us.is_not(None), own.c.state != "waiting", own.c["count"] != 0, INSTANCE.c.withdrawn_us.is_not(None)
    )
    later = or_(own.c.latest_us > at, and_(own.c.latest_us.is_(None), awaited))
    gone_later = func.coalesce(INSTANCE.c.withdrawn_us > at, false())
    return or_(gone_later, exists().where(_same(own, INSTANCE), later).correlate(INSTANCE))


def _plan(past: Past) -> CTE:
    shape = (
        column("flow", String), column("step", String), column("position", BigInteger), column("after", String),
        column("watermark_us", BigInteger),
    )  # fmt: skip
    return values(*shape, name="plan").data([astuple(s) for s in past.steps]).cte("plan")


def _same(left: FromClause, right: FromClause) -> ColumnElement[bool]:
    return and_(*(left.c[name] == right.c[name] for name in KEY))


STEP_COLUMNS = (
    *KEY, "step", "state", "reason", "earliest_us", "latest_us", "due_us", "elapsed_us", "record_id", "count", "amount_minor",
)  # fmt: skip


def cut_rows(past: Past, conditions: Sequence[ColumnElement[bool]]) -> Subquery:
    """Return one row a step that carries its document, both as they stood: of the documents that met the conditions and moved.

    Joining steps and documents again would be a search through an unindexed result.
    """
    return _weighed(past, _cut(past, [*conditions, moved(past)]))


def _cut(past: Past, conditions: Sequence[ColumnElement[bool]]) -> Subquery:
    """Return the steps of the documents begun by T, each cut at T, with its position in the flow and its document as of now."""
    own, before, plan = STEP.alias("own"), STEP.alias("before"), _plan(past)
    at = literal(past.at_us, BigInteger)
    reached = own.c.latest_us <= at
    # A deadline runs from the step before: as long as that has not happened there is none.
    due = case((before.c.latest_us <= at, own.c.due_us))
    state, reason = _verdict(own, reached, due, due <= plan.c.watermark_us, at)
    shown = {
        n: case((reached, own.c[n])) for n in ("earliest_us", "latest_us", "elapsed_us", "record_id", "amount_minor")
    }
    columns = {
        **{n: own.c[n] for n in (*KEY, "step")}, "state": state, "reason": reason, "due_us": due,
        "count": case((reached, own.c["count"]), else_=0), **shown,
    }  # fmt: skip
    source = (
        own.join(INSTANCE, _same(own, INSTANCE))
        .join(plan, and_(plan.c.flow == own.c.flow, plan.c.step == own.c.step))
        .outerjoin(before, and_(_same(before, own), before.c.step == plan.c.after))
    )
    cut = (c.label(f"s_{n}") for n, c in columns.items())
    whole = (c.label(f"i_{c.name}") for c in INSTANCE.c)
    found = select(plan.c.position, *cut, *whole).select_from(source)
    return found.where(*begun(past), *conditions).subquery("cut")


def _verdict(
    own: FromClause, reached: ColumnElement[bool], due: ColumnElement[Any], overdue: ColumnElement[bool], at: ColumnElement[int]
) -> tuple[ColumnElement[Any], ColumnElement[Any]]:  # fmt: skip
    """Return state and reason of a step at T, in the order in which judging decides."""
    state, reason = own.c.state, own.c.reason
    unclear = own.c.earliest_us <= at  # it happened before T or after: nothing is proven about T
    gone = INSTANCE.c.withdrawn_us <= at
    table = [
        (reached, state, reason),
        (and_(gone, state == "excluded"), state, reason),  # missing, and owed no more
        (and_(gone, state != "blind"), literal("excluded"), literal("withdrawn")),
        (and_(state == "blind", reason.in_(_ALWAYS_BLIND)), state, reason),
        (due.is_(None), literal("waiting"), literal("no_deadline")),
        (or_(overdue.is_(None), ~overdue), literal("waiting"), literal("not_due")),
        (state.in_(("blind", "confirming", "waiting")), state, reason),
        (unclear, literal("blind"), literal("imprecise")),
        (reason == "stale_revision", literal("lost"), reason),
    ]
    return case(*((c, s) for c, s, _ in table), else_="lost"), case(*((c, r) for c, _, r in table), else_="missing")


def _weighed(past: Past, cut: Subquery) -> Subquery:
    """Return each step beside its document: the worst of the steps decides its state, the last one reached where it stands."""
    at, c = literal(past.at_us, BigInteger), cut.c
    of = [c[f"s_{n}"] for n in KEY]

    def any_of(condition: ColumnElement[bool]) -> ColumnElement[int]:
        return func.max(case((condition, 1), else_=0)).over(partition_by=of)

    order = [case((c.s_latest_us.is_not(None), c.position), else_=-1).desc(), c.position]
    words = {word: any_of(c.s_state == word).label(f"any_{word}") for word in ("excluded", "lost", "blind", "late")}
    worst = select(
        *c,
        *words.values(),
        any_of(c.s_reason == "stale_revision").label("any_stale"),
        func.first_value(c.s_step).over(partition_by=of, order_by=order).label("last"),
        func.min(case((c.s_state.in_(OPEN_STATES), c.s_due_us))).over(partition_by=of).label("next_due_us"),
    ).subquery("worst")
    return _decided(worst, at)


def _decided(worst: Subquery, at: ColumnElement[int]) -> Subquery:
    """Return the rows with their documents as they stood."""
    w = worst.c
    outside = and_(w.i_state.in_(("opening", "excluded")), w.i_reason != "withdrawn")
    done = w.i_completed_us <= at
    gone = or_(outside, w.any_excluded == 1)
    state = case(
        (outside, w.i_state), (w.any_excluded == 1, "excluded"), (w.any_lost == 1, "lost"), (w.any_blind == 1, "blind"),
        (and_(w.any_late == 1, ~func.coalesce(done, false())), "late"), (done, "done"), else_="open",
    )  # fmt: skip
    risk = case(
        (w.i_money_minor.is_(None), None),
        (or_(gone, done), 0),
        (w.any_stale == 1, w.i_risk_minor),
        else_=w.i_money_minor,
    )
    columns = {
        "state": state,
        "reason": case((outside, w.i_reason), (w.any_excluded == 1, "withdrawn")),
        "step": w.last,
        "due_us": w.next_due_us,
        "completed_us": case((done, w.i_completed_us)),
        "risk_minor": risk,
        "withdrawn_us": case((w.i_withdrawn_us <= at, w.i_withdrawn_us)),
    }
    own = (columns.get(c.name, w[f"i_{c.name}"]).label(f"i_{c.name}") for c in INSTANCE.c)
    return select(w.position, *(w[f"s_{n}"] for n in STEP_COLUMNS), *own).subquery("changed")
