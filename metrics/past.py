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
    and_,
    case,
    func,
    literal,
    select,
    union_all,
)  # fmt: skip

from probes.clock import iso

from .arrays import NONE
from .cutting import INSTANCE, KEY, STEP, STEP_COLUMNS, Past, PlannedStep, begun, cut_rows, moved
from .definitions import Model
from .sight import View
from .tables import BreakRow, ExceptionRow, RecordRow, table

__all__ = [
    "KEY", "Documents", "Past", "PlannedStep", "Steps", "break_rows", "documents", "exception_rows", "existed", "past_of", "remark",
    "steps",
]  # fmt: skip
BREAK, EXCEPTION, RECORD = table(BreakRow), table(ExceptionRow), table(RecordRow)


@dataclass(frozen=True, slots=True)
class Documents:
    """Columns of documents by name, where to read them, and the conditions still to state."""

    instance: Mapping[str, ColumnElement[Any]]
    source: FromClause
    where: tuple[ColumnElement[bool], ...]


@dataclass(frozen=True, slots=True)
class Steps:
    """The same of steps, each beside its document."""

    step: Mapping[str, ColumnElement[Any]]
    instance: Mapping[str, ColumnElement[Any]]
    source: FromClause
    where: tuple[ColumnElement[bool], ...]


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


# From the documents to their steps, never the other way: without "+ 0" SQLite reads the steps of all to find those of a few.
_OF_DOCUMENT = and_(
    STEP.c.flow == INSTANCE.c.flow,
    STEP.c.anchor_id == INSTANCE.c.anchor_id + 0,
    STEP.c.revision == INSTANCE.c.revision,
    STEP.c.entity == INSTANCE.c.entity,
)


def documents(past: Past | None, conditions: Sequence[ColumnElement[bool]] = ()) -> Documents:
    """Return the documents as they stood. `conditions` are on the table of instances; in the past they are met inside."""
    if past is None:
        return Documents(dict(INSTANCE.c), INSTANCE, tuple(conditions))
    names = [c.name for c in INSTANCE.c]
    cut = cut_rows(past, conditions)
    changed = select(*(cut.c[f"i_{n}"].label(n) for n in names)).where(cut.c.position == 0)
    kept = select(*INSTANCE.c).where(*conditions, *begun(past), ~moved(past))
    then = union_all(kept, changed).subquery("then_")
    return Documents(dict(then.c), then, ())


def steps(past: Past | None, conditions: Sequence[ColumnElement[bool]] = ()) -> Steps:
    """Return the steps of these documents as they stood, each beside its document."""
    source = STEP.join(INSTANCE, _OF_DOCUMENT)
    if past is None:
        return Steps(dict(STEP.c), dict(INSTANCE.c), source, tuple(conditions))
    cut = cut_rows(past, conditions)
    own = (*(STEP.c[n].label(f"s_{n}") for n in STEP_COLUMNS), *(c.label(f"i_{c.name}") for c in INSTANCE.c))
    kept = select(*own).select_from(source).where(*conditions, *begun(past), ~moved(past))
    then = union_all(kept, select(*(cut.c[c.name] for c in own))).subquery("then_")
    step = {n: then.c[f"s_{n}"].label(n) for n in STEP_COLUMNS}
    return Steps(step, {c.name: then.c[f"i_{c.name}"].label(c.name) for c in INSTANCE.c}, then, ())


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
    columns = {
        "closed_us": case((EXCEPTION.c.closed_us <= at, EXCEPTION.c.closed_us)),
        "last_us": case((EXCEPTION.c.last_us <= at, EXCEPTION.c.last_us), else_=EXCEPTION.c.since_us),
    }
    cut = select(*(columns[c.name].label(c.name) if c.name in columns else c for c in EXCEPTION.c))
    return cut.where(EXCEPTION.c.since_us <= at, *conditions).subquery("exceptions_then")


def existed(past: Past | None, record: FromClause) -> list[ColumnElement[bool]]:
    """Return the conditions under which a record existed at T: it was made by then, or at least seen."""
    return [] if past is None else [func.coalesce(record.c.created_us, record.c.first_observed_us) <= past.at_us]
