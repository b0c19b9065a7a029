"""`tieout flows`: where do documents stand on their way, and which are stuck?"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

import typer

from metrics.queries.flows import Instance, funnel, hops, instances

from ..output import Answer, Column, Item, amount, amounts, instant, lasting
from ..question import AfterOption, LimitOption, Question, WrongInput, known

STEPS = (
    Column("flow", "flow"),
    Column("step", "step"),
    Column("reached", "done", True),
    Column("waiting", "waiting", True),
    Column("late", "late", True),
    Column("lost", "lost", True),
    Column("blind", "blind", True),
    Column("p50", "p50", True),
    Column("p95", "p95", True),
    Column("late or lost", "at_risk", True),
)
DOCUMENTS = (
    Column("document", "number"),
    Column("platform", "platform"),
    Column("entity", "entity"),
    Column("customer", "customer"),
    Column("state", "state"),
    Column("step", "step"),
    Column("reason", "reason"),
    Column("due", "due"),
    Column("at risk", "at_risk", True),
)
STATES = ("open", "done", "late", "lost", "excluded", "opening", "blind")


def flows(
    question: Question,
    name: Annotated[str | None, typer.Argument(help="One flow; without it, all of them.")] = None,
    state: Annotated[
        list[str] | None, typer.Option(help=f"List the documents in this state; several times. {', '.join(STATES)}.")
    ] = None,
    limit: LimitOption = 100,
    after: AfterOption = None,
) -> Answer:
    """Show each step of each flow, or with --state the documents behind the counts."""
    model = question.workspace.model
    chosen = name or question.filters.flow
    if chosen is not None and chosen not in model.flows:
        raise WrongInput(f"{chosen}: there is no such flow. There are: {', '.join(model.flows)}.")
    for word in state or ():
        known("state", word, STATES)
    if state:
        return _documents(question, chosen, state, limit, after)
    items = [item for flow in ([chosen] if chosen else model.flows) for item in _steps(question, flow)]
    return Answer(items, STEPS, question.head(), notes=model.notes, empty="no flow is judged yet")


def _steps(question: Question, flow: str) -> list[Item]:
    names = [step.name for step in question.workspace.model.flows[flow].steps]
    span = (question.from_us, question.until_us if question.from_us else None)
    with question.workspace.store.read() as conn:
        narrow = question.narrow(conn)
        counted = funnel(conn, flow, names, narrow, *span)
        timed = {hop.step: hop for hop in hops(conn, flow, names, narrow, *span)}
    items = []
    for step in counted:
        hop = timed.get(step.step)
        states = {
            s: step.counts.get(s, 0) for s in ("done", "waiting", "late", "lost", "blind", "duplicate", "not_needed")
        }
        risk: dict[str, int] = {}
        for sums in (step.money.get("late", {}), step.money.get("lost", {})):
            for currency, minor in sums.items():
                risk[currency] = risk.get(currency, 0) + minor
        percentiles = {p: lasting(getattr(hop, f"{p}_us") if hop else None) for p in ("p50", "p95", "p99")}
        items.append({"flow": flow, "step": step.step, **states, **percentiles, "at_risk": amounts(risk)})
    return items


def _documents(question: Question, flow: str | None, state: Sequence[str], limit: int, after: str | None) -> Answer:
    with question.workspace.store.read() as conn:
        listing = instances(
            conn,
            flow,
            state=state,
            where=question.narrow(conn),
            from_us=question.from_us,
            to_us=question.until_us if question.from_us else None,
            limit=limit,
            after=after,
        )
    return question.listed(listing, instance_item, DOCUMENTS)


def instance_item(row: Instance) -> Item:
    """Return one document on its way."""
    anchor = row.anchor
    return {
        "flow": row.flow,
        "platform": anchor.platform if anchor else None,
        "kind": anchor.kind if anchor else None,
        "external_id": anchor.external_id if anchor else None,
        "number": anchor.label if anchor else None,
        "revision": row.revision,
        "entity": row.entity,
        "customer": anchor.customer_name if anchor else None,
        "state": row.state,
        "reason": row.reason,
        "step": row.step,
        "started": instant(row.started_us),
        "due": instant(row.due_us),
        "completed": instant(row.completed_us),
        "money": amount(row.money_minor, row.currency),
        "at_risk": amount(row.risk_minor, row.currency),
    }
