"""How verdicts stood at an instant T: documents, steps, differences and exceptions as if what came after had not.

Milestones after T have not happened, what began after T does not exist, watermarks are min(W, T). Amounts, names and statuses
are the latest known, and so is what direct reads and later polls have told of the time before T. Nothing is judged here: the
verdicts of now are cut at T, by the instants they carry.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Connection,
    FromClause,
    String,
    Subquery,
    and_,
    case,
    cast,
    false,
    func,
    literal,
    or_,
    select,
    union_all,
)  # fmt: skip

from probes.clock import iso

from .arrays import NONE
from .definitions import Model
from .sight import View
from .tables import BreakRow, ExceptionRow, FlowInstance, FlowStep, RecordRow, table
from .verdicts import OPEN_STATES

INSTANCE, STEP, BREAK, EXCEPTION = table(FlowInstance), table(FlowStep), table(BreakRow), table(ExceptionRow)
RECORD = table(RecordRow)
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


@dataclass(frozen=True, slots=True)
class Rows:
    """Where to read documents and their steps, and the conditions that still have to be stated."""

    instance: FromClause
    step: FromClause
    left: tuple[ColumnElement[bool], ...]


def past_of(conn: Connection, model: Model, at_us: int | None) -> Past | None:
    """Return what cuts verdicts at an instant; None for now."""
    if at_us is None:
        return None
    view = View(conn, model)
    steps = []
    for flow in model.flows.values():
        for position, step in enumerate(flow.steps):
            mark = view.step_watermark(flow, step) if step.path else NONE
            steps.append(PlannedStep(flow.name, step.name, position, step.after or "", min(mark, at_us)))
    return Past(at_us, tuple(steps))


def remark(at_us: int) -> str:
    """Return the sentence that stands beside every answer of a past instant."""
    return f"As of {iso(at_us)}: what happened later is left out; names, amounts and statuses are the latest known."


def rows(past: Past | None, conditions: Sequence[ColumnElement[bool]] = ()) -> Rows:
    """Return documents and steps as they stood. `conditions` are on the table of instances; in the past they are met inside."""
    if past is None:
        return Rows(INSTANCE, STEP, tuple(conditions))
    step = _steps(past, conditions)
    return Rows(_instances(past, step, conditions), step, ())


# --- steps and documents -------------------------------------------------------------------------------------------------


def _plan(past: Past) -> Subquery:
    values = (
        select(
            cast(literal(s.flow), String).label("flow"),
            cast(literal(s.step), String).label("step"),
            cast(literal(s.position), BigInteger).label("position"),
            cast(literal(s.after), String).label("after"),
            cast(literal(s.watermark_us), BigInteger).label("watermark_us"),
        )
        for s in past.steps
    )
    return union_all(*values).subquery("plan")


def _same(left: FromClause, right: FromClause) -> ColumnElement[bool]:
    return and_(*(left.c[name] == right.c[name] for name in KEY))


def _steps(past: Past, conditions: Sequence[ColumnElement[bool]]) -> Any:
    """Return the steps of the documents begun by T, each cut at T, with its position in the flow."""
    own, before, plan = STEP.alias("own"), STEP.alias("before"), _plan(past)
    at = literal(past.at_us, BigInteger)
    reached = own.c.latest_us <= at
    # A deadline runs from the step before: as long as that has not happened there is none.
    due = case((before.c.latest_us <= at, own.c.due_us))
    overdue = due <= plan.c.watermark_us
    state, reason = _verdict(own, reached, due, overdue, at)
    shown = {
        n: case((reached, own.c[n])) for n in ("earliest_us", "latest_us", "elapsed_us", "record_id", "amount_minor")
    }
    columns = {
        "state": state, "reason": reason, "due_us": due, "count": case((reached, own.c["count"]), else_=0), **shown,
    }  # fmt: skip
    source = (
        own.join(INSTANCE, _same(own, INSTANCE))
        .join(plan, and_(plan.c.flow == own.c.flow, plan.c.step == own.c.step))
        .outerjoin(before, and_(_same(before, own), before.c.step == plan.c.after))
    )
    cut = select(*(own.c[n] for n in (*KEY, "step")), plan.c.position, *(c.label(n) for n, c in columns.items()))
    return cut.select_from(source).where(INSTANCE.c.started_us <= at, *conditions).cte("step_then")


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


def _instances(past: Past, step: FromClause, conditions: Sequence[ColumnElement[bool]]) -> Subquery:
    """Return the documents begun by T; the worst of their steps decides their state, the last one reached where they stand."""
    at = literal(past.at_us, BigInteger)

    def any_of(word: str) -> ColumnElement[int]:
        return func.max(case((step.c.state == word, 1), else_=0)).label(word)

    shown = select(
        *(step.c[n] for n in KEY),
        *(any_of(word) for word in ("excluded", "lost", "blind", "late")),
        func.max(case((step.c.reason == "stale_revision", 1), else_=0)).label("stale"),
        func.max(case((step.c.latest_us.is_not(None), step.c.position), else_=0)).label("position"),
        func.min(case((step.c.state.in_(OPEN_STATES), step.c.due_us))).label("due_us"),
    )  # fmt: skip
    worst = shown.group_by(*(step.c[n] for n in KEY)).subquery("worst")
    names = _plan(past)
    i = INSTANCE
    outside = and_(i.c.state.in_(("opening", "excluded")), i.c.reason != "withdrawn")
    done = i.c.completed_us <= at
    gone = or_(outside, worst.c.excluded == 1)
    state = case(
        (outside, i.c.state), (worst.c.excluded == 1, "excluded"), (worst.c.lost == 1, "lost"), (worst.c.blind == 1, "blind"),
        (and_(worst.c.late == 1, ~func.coalesce(done, false())), "late"), (done, "done"), else_="open",
    )  # fmt: skip
    columns = {
        "state": state,
        "reason": case((outside, i.c.reason), (worst.c.excluded == 1, "withdrawn")),
        "step": names.c.step,
        "due_us": worst.c.due_us,
        "completed_us": case((done, i.c.completed_us)),
        "risk_minor": case(
            (i.c.money_minor.is_(None), None),
            (or_(gone, done), 0),
            (worst.c.stale == 1, i.c.risk_minor),
            else_=i.c.money_minor,
        ),
        "withdrawn_us": case((i.c.withdrawn_us <= at, i.c.withdrawn_us)),
    }
    source = i.join(worst, _same(i, worst)).join(
        names, and_(names.c.flow == i.c.flow, names.c.position == worst.c.position)
    )
    cut = select(*(columns[c.name].label(c.name) if c.name in columns else c for c in i.c))
    return cut.select_from(source).where(i.c.started_us <= at, *conditions).subquery("instance_then")


# --- differences and exceptions ------------------------------------------------------------------------------------------


def break_rows(past: Past | None, conditions: Sequence[ColumnElement[bool]] = ()) -> FromClause:
    """Return the differences known to stand or to have been closed by T; a counterpart made after T is none."""
    if past is None:
        return select(BREAK).where(*conditions).subquery("breaks_then")
    at, other = literal(past.at_us, BigInteger), RECORD.alias("other")
    columns = {
        "closed_us": case((BREAK.c.closed_us <= at, BREAK.c.closed_us)),
        "counterpart_id": case(
            (func.coalesce(other.c.created_us, other.c.first_observed_us) <= at, BREAK.c.counterpart_id)
        ),
    }
    cut = select(*(columns[c.name].label(c.name) if c.name in columns else c for c in BREAK.c))
    source = BREAK.outerjoin(other, other.c.id == BREAK.c.counterpart_id)
    return cut.select_from(source).where(BREAK.c.since_us <= at, *conditions).subquery("breaks_then")


def exception_rows(past: Past | None, conditions: Sequence[ColumnElement[bool]] = ()) -> FromClause:
    """Return the exceptions that stood, or had been closed, by T."""
    if past is None:
        return select(EXCEPTION).where(*conditions).subquery("exceptions_then")
    at = literal(past.at_us, BigInteger)
    closed = case((EXCEPTION.c.closed_us <= at, EXCEPTION.c.closed_us)).label("closed_us")
    cut = select(*(closed if c.name == "closed_us" else c for c in EXCEPTION.c))
    return cut.where(EXCEPTION.c.since_us <= at, *conditions).subquery("exceptions_then")


def existed(past: Past | None, record: FromClause) -> list[ColumnElement[bool]]:
    """Return the conditions under which a record existed at T: it was made by then, or at least seen."""
    return [] if past is None else [func.coalesce(record.c.created_us, record.c.first_observed_us) <= past.at_us]
