"""How verdicts stood at an instant T: documents, steps, differences and exceptions as if what came after had not.

Milestones after T have not happened, what began after T does not exist, watermarks are min(W, T). Amounts, names and statuses
are the latest known, and so is what direct reads and later polls have told of the time before T. Nothing is judged here: the
verdicts of now are cut at T, by the instants they carry.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
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
    """Documents and their steps: columns by name, where to read both or documents alone, and the conditions still to state."""

    instance: Mapping[str, ColumnElement[Any]]
    step: Mapping[str, ColumnElement[Any]]
    both: FromClause
    both_where: tuple[ColumnElement[bool], ...]
    documents: FromClause
    documents_where: tuple[ColumnElement[bool], ...]


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
        given = tuple(conditions)
        return Rows(dict(INSTANCE.c), dict(STEP.c), STEP.join(INSTANCE, _same(STEP, INSTANCE)), given, INSTANCE, given)
    # One row a step that carries its document: joining them again would be a search through an unindexed result.
    then = _weighed(past, _cut(past, conditions))
    instance = {c.name: then.c[f"i_{c.name}"].label(c.name) for c in INSTANCE.c}
    step = {n: then.c[f"s_{n}"].label(n) for n in _STEP_COLUMNS}
    return Rows(instance, step, then, (), then, (then.c.position == 0,))


def unsettled(past: Past | None, late_in: str | None = None) -> list[ColumnElement[bool]]:
    """Return the conditions that leave documents with a step not reached by T, or late; `late_in`: due by T, of one flow.

    Most documents are through by then: what stands open is looked for among the rest only.
    """
    if past is None:
        return []
    at = literal(past.at_us, BigInteger)
    ahead = or_(STEP.c.latest_us.is_(None), STEP.c.latest_us > at)
    wanted = [or_(ahead, STEP.c.state == "late")]
    if late_in is not None:
        wanted = [STEP.c.flow == late_in, or_(and_(STEP.c.due_us <= at, ahead), STEP.c.state == "late")]
    return [INSTANCE.c.anchor_id.in_(select(STEP.c.anchor_id).where(*wanted))]


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


_STEP_COLUMNS = (
    *KEY, "step", "state", "reason", "earliest_us", "latest_us", "due_us", "elapsed_us", "record_id", "count", "amount_minor",
)  # fmt: skip


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
    steps = (c.label(f"s_{n}") for n, c in columns.items())
    documents = (c.label(f"i_{c.name}") for c in INSTANCE.c)
    found = select(plan.c.position, *steps, *documents).select_from(source)
    return found.where(INSTANCE.c.started_us <= at, *conditions).subquery("cut")


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
    documents = (columns.get(c.name, w[f"i_{c.name}"]).label(f"i_{c.name}") for c in INSTANCE.c)
    return select(w.position, *(w[f"s_{n}"] for n in _STEP_COLUMNS), *documents).subquery("then_")


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
