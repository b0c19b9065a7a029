"""`tieout sli`: how good is each flow, by which records, since when?"""

from __future__ import annotations

from typing import Annotated, Literal

import typer

from metrics.listing import EventRow, events
from metrics.sli import Figure, figures, slices
from probes.clock import MINUTE

from ..output import Answer, Column, Item, amount, amounts, instant, lasting, ratio
from ..question import LimitOption, Question, WrongInput

FIGURES = (
    Column("SLI", "sli"),
    Column("status", "status"),
    Column("good share", "ratio", True),
    Column("objective", "objective", True),
    Column("good", "good", True),
    Column("bad", "bad", True),
    Column("pending", "pending", True),
    Column("blind", "blind", True),
    Column("p95", "p95", True),
    Column("coverage", "coverage", True),
    Column("up to", "horizon"),
    Column("note", "note"),
)
EVENTS = (
    Column("document", "number"),
    Column("platform", "platform"),
    Column("entity", "entity"),
    Column("customer", "customer"),
    Column("outcome", "outcome"),
    Column("reason", "reason"),
    Column("due", "due"),
    Column("took", "took", True),
    Column("money", "money", True),
)
Outcome = Literal["good", "bad", "pending", "blind", "excluded"]
By = Literal["entity", "platform", "segment", "customer", "currency"]


def sli(
    question: Question,
    name: Annotated[str | None, typer.Argument(help="One SLI; without it, all of them.")] = None,
    by: Annotated[By | None, typer.Option(help="Cut the SLI NAME into slices.")] = None,
    outcome: Annotated[Outcome | None, typer.Option(help="List the documents of NAME.")] = None,
    limit: LimitOption = 100,
) -> tuple[Answer, int]:
    """Show the SLIs, the slices of one, or the documents behind it. Exit code 1 when an objective is missed."""
    model, now = question.workspace.model, question.now_us
    if name is not None and name not in model.slis:
        raise WrongInput(f"{name}: there is no such SLI. There are: {', '.join(model.slis)}.")
    if name is None and (by or outcome):
        raise WrongInput("--by and --outcome need the NAME of one SLI.")
    with question.workspace.store.read() as conn:
        if name and outcome:
            return _events(
                question, name, events(conn, model, now, name, question.filters, outcome=outcome, limit=limit)
            ), 0
        if name and by:
            cut = slices(conn, model, now, name, by, question.filters)
            rows = [{"slice": label, **figure_item(figure)} for label, figure in cut]
            return Answer(rows, (Column(by, "slice"), *FIGURES), {**question.head(), "by": by}), 0
        found = figures(conn, model, now, question.filters, None if name is None else [name])
    missed = any(f.status == "missed" and not f.provisional for f in found)
    items = [figure_item(f) for f in found]
    return Answer(items, FIGURES, question.head(), notes=model.notes, empty="no SLI is judged yet"), int(missed)


def figure_item(f: Figure) -> Item:
    """Return one SLI's figures."""
    return {
        "sli": f.name,
        "title": f.title,
        "kind": f.kind,
        "flow": f.flow,
        "owner": f.owner,
        "status": f.status.replace("_", " "),
        "ratio": ratio(f.ratio),
        "last_ratio": ratio(f.last_ratio),
        "window_ratio": ratio(f.window_ratio),
        "objective": ratio(f.objective),
        "good": f.good,
        "bad": f.bad,
        "pending": f.pending,
        "blind": f.blind,
        "excluded": f.excluded,
        "incomplete": f.incomplete_count,
        "corrected": f.corrected_count,
        "coverage": ratio(f.coverage),
        "budget_remaining": ratio(f.budget_remaining),
        "window_from": instant(f.window_from_us),
        "window_to": instant(f.window_to_us),
        "horizon": instant(_whole_minute(f.horizon_us)),
        "watched_since": instant(f.watched_since_us),
        "p50": lasting(f.p50_us),
        "p95": lasting(f.p95_us),
        "p99": lasting(f.p99_us),
        "reasons": [{"outcome": o, "reason": r, "count": n} for (o, r), n in sorted(f.reasons.items(), key=str)],
        "money": {outcome: amounts(sums) for outcome, sums in f.money.items()},
        "provisional": f.provisional,
        "note": "provisional: tells nobody" if f.provisional else None,
    }


def _whole_minute(us: int | None) -> int | None:
    return None if us is None else us - us % MINUTE


def _events(question: Question, name: str, rows: list[EventRow]) -> Answer:
    return Answer([event_item(r) for r in rows], EVENTS, {**question.head(), "sli": name})


def event_item(r: EventRow) -> Item:
    """Return one document's verdict with the record that proves it."""
    return {
        "sli": r.sli,
        "platform": r.platform,
        "kind": r.kind,
        "external_id": r.external_id,
        "number": r.number or r.external_id,
        "revision": r.revision,
        "entity": r.entity,
        "customer": r.customer_name,
        "outcome": r.outcome,
        "reason": r.reason,
        "start": instant(r.start_us),
        "due": instant(r.due_us),
        "at": instant(r.at_us),
        "took": lasting(r.value_us),
        "money": amount(r.money_minor, r.currency),
        "proof": r.proof_number,
        "link": r.link,
        "digest": r.digest,
    }
