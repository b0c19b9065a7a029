"""`/flows`: how many documents of each business process stand where, and which ones."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query
from starlette.responses import Response

from metrics.definitions import Flow
from metrics.queries import flows as query
from metrics.queries.pages import Listing

from .lists import PartOf, WholeOf, answer, whole
from .models import page
from .narrowing import AskedOf, ConsoleOf
from .problems import Problem


@dataclass(frozen=True, slots=True)
class FlowSummary:
    """How many documents of one flow stand where, and how long each hop takes."""

    name: str
    title: str
    owner: str | None
    states: Mapping[str, int]
    steps: list[query.FunnelStep]
    latency: list[query.Hop]


router = APIRouter(tags=["Flows"])
State = Literal["open", "done", "late", "lost", "excluded", "opening", "blind"]
StepState = Literal["done", "waiting", "confirming", "late", "lost", "blind", "duplicate", "not_needed"]


@router.get("/flows", response_model=page(FlowSummary))
def flows(console: ConsoleOf, asked: AskedOf, paging: WholeOf) -> Response:
    """List the flows with their steps: counts per state, money at risk, latency."""
    with console.store.read() as conn:
        states = query.states(conn, asked.narrow, asked.from_us, asked.now_us)
        rows = [_flow(conn, flow, states.get(flow.name, {}), asked) for flow in console.model.flows.values()]
    return answer(console, asked, "flows", whole(rows), paging)


def _flow(conn: Any, flow: Flow, states: dict[str, int], asked: AskedOf) -> FlowSummary:
    order = [s.name for s in flow.steps]
    span = (asked.narrow, asked.from_us, asked.now_us)
    steps, latency = query.funnel(conn, flow.name, order, *span), query.hops(conn, flow.name, order, *span)
    return FlowSummary(flow.name, flow.title, flow.owner, states, steps, latency)


@router.get("/flows/{name}/instances", response_model=page(query.Instance))
def instances(
    name: str,
    paging: PartOf,
    console: ConsoleOf,
    asked: AskedOf,
    state: Annotated[list[State], Query()] = [],  # noqa: B006 # FastAPI copies it
    step: Annotated[str | None, Query(max_length=200)] = None,
    step_state: StepState | None = None,
) -> Response:
    """List the documents of a flow that started in the period; with `step` and `step_state` those of one funnel bar."""
    if name not in console.model.flows:
        raise Problem(404, f"There is no flow {name!r}; there are {', '.join(console.model.flows)}.")

    def pager(conn: Any, limit: int, after: str | None) -> Listing[Any]:
        return query.instances(
            conn, name, state=state, step=step, step_state=step_state, where=asked.narrow,
            from_us=asked.from_us, to_us=asked.now_us, limit=limit, after=after,
        )  # fmt: skip

    return answer(console, asked, f"{name}-documents", pager, paging)
