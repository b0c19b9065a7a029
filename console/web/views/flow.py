"""One business process: how many documents reached each step, how long it took them, and which are late or stuck."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import streamlit as st

from console.web import charts, figures, formats
from console.web.context import Console
from console.web.data import ask
from console.web.frame import View, choose, param, show
from console.web.long_list import long_list
from console.web.pages import Page, path
from console.web.rows import record_of
from console.web.states import look
from console.web.widgets import empty, heading, number, table
from metrics.definitions import Flow
from metrics.queries import flows as query
from metrics.queries.pages import Listing
from probes.clock import DAY, HOUR

PAGE = Page("Flows", "account_tree", 30)
STATES = {
    "": "Every state",
    "open": "on its way",
    "late": "late",
    "lost": "lost",
    "done": "done",
    "blind": "blind",
    "excluded": "excluded",
    "opening": "opening balance",
}


def render(console: Console, view: View) -> None:
    """Show the page."""
    flows = console.model.flows
    if not flows:
        empty("No flow is possible with the platforms there are; `tieout check` says which roles are missing.")
        return
    titles = {n: formats.plain(flows[n].title) for n in figures.flows_in_order(console)}
    top, choice = st.columns([3, 1], vertical_alignment="bottom")
    with choice:
        name = choose("Flow", "flow", titles, next(iter(titles)))
    flow = flows[name]
    owner = f" · owner **{formats.md(flow.owner)}**" if flow.owner else ""
    with top:
        heading(
            flow.title,
            f"Documents started since {view.instant(view.from_us)}{owner}",
            view,
            figures.flow_horizon(console, flow, view.shown_us),
        )
    steps = [s.name for s in flow.steps]
    span = (view.narrow, view.from_us, view.shown_us)
    reached = ask(console, ("funnel", name, *span), lambda c: query.funnel(c, name, steps, *span))
    if not any(s.counts for s in reached):
        empty("No document of this flow started in this span; choose a longer period.")
        return
    _funnel(view, name, reached, {s.name: s.title for s in flow.steps})
    _hops(console, view, flow, steps)
    _latency(console, view, flow, steps)
    _documents(console, view, flow)


def _funnel(view: View, flow: str, steps: Sequence[query.FunnelStep], titles: dict[str, str]) -> None:
    st.subheader("How far they came", anchor=False)
    ground = charts.Ground(view.dark, view.zone)
    picture, numbers = st.columns(2, gap="large", vertical_alignment="center")
    with picture:
        st.plotly_chart(
            charts.funnel(steps, titles, ground),
            key="funnel",
            config={"displaylogo": False},
            alt="Documents per step, split by where they stand",
        )
    with numbers:
        _counts(view, flow, steps, titles)


def _counts(view: View, flow: str, steps: Sequence[query.FunnelStep], titles: dict[str, str]) -> None:
    for step in steps:
        with st.container(horizontal=True, gap="small", vertical_alignment="center"):
            st.markdown(f"**{formats.md(titles[step.step])}**", width="content")
            for state, n in sorted(step.counts.items(), key=lambda s: charts.order_of(s[0])):
                money = (
                    f" · {formats.md(formats.moneys(step.money[state]))}"
                    if state in query.STUCK and step.money[state]
                    else ""
                )
                label = f"**{formats.count(n)}** {look(state).word}{money}"
                target = view.link(flow=flow, step=step.step, step_state=state)
                number(label, path("flow"), target, colour=look(state).colour)


def _hops(console: Console, view: View, flow: Flow, steps: list[str]) -> None:
    st.subheader("How long it took", anchor=False)
    span = (view.narrow, view.from_us, view.shown_us)
    found = ask(console, ("hops", flow.name, *span), lambda c: query.hops(c, flow.name, steps, *span))
    rows = [
        {
            "Step": flow.step(h.step).title,
            "Deadline": str(flow.step(h.step).within or ""),
            "Median": formats.duration(h.p50_us),
            "95 of 100 within": formats.duration(h.p95_us),
            "99 of 100 within": formats.duration(h.p99_us),
            "Completed": h.done_count,
            "Not completed": h.waiting_count,
        }
        for h in found
        if flow.step(h.step).after
    ]
    table(rows, key="hops", view=view, numbers=("Completed", "Not completed"))
    empty(
        "Time from the step before, over completed documents; those not completed stand beside them, never in the percentiles."
    )


def _latency(console: Console, view: View, flow: Flow, steps: list[str]) -> None:
    timed = {s.name: formats.plain(s.title) for s in flow.steps if s.after}
    if not timed:
        return
    st.subheader("Latency over time", anchor=False)
    step = choose("Step", "hop", timed, next(iter(timed)))
    bucket = HOUR if view.shown_us - view.from_us <= 2 * DAY else DAY
    span = (view.narrow, view.from_us, view.shown_us, bucket)
    found = ask(console, ("hops", flow.name, *span), lambda c: query.hops(c, flow.name, steps, *span))
    points = [h for h in found if h.step == step and h.bucket_us is not None]
    if not any(p.p50_us is not None for p in points):
        empty("No document completed this step in this span.")
        return
    if all(p.p99_us is None or p.p99_us <= 0 for p in points):
        empty("Whatever completed it had done so before the step it is timed from: there is no delay to draw.")
        return
    ground = charts.Ground(view.dark, view.zone)
    within = flow.step(step).within
    st.plotly_chart(
        charts.latency_over_time(points, within.elapsed_us if within else None, ground),
        key="latency",
        config={"displaylogo": False},
        alt="Percentiles of the time to this step by start",
    )
    with st.expander("The numbers in this chart"):
        rows = [
            {
                "Started": p.bucket_us,
                "Completed": p.done_count,
                "Not completed": p.waiting_count,
                "p50": formats.duration(p.p50_us),
                "p95": formats.duration(p.p95_us),
                "p99": formats.duration(p.p99_us),
            }
            for p in points
        ]
        table(rows, key="latency-table", view=view, times=("Started",))


def _documents(console: Console, view: View, flow: Flow) -> None:
    st.subheader("The documents", anchor=False)
    step, step_state = param("step") or None, param("step_state") or None
    if step and step in {s.name for s in flow.steps}:
        with st.container(horizontal=True, vertical_alignment="center"):
            st.markdown(
                f"Those **{formats.md(formats.words(step_state or 'anywhere'))}** at **{formats.md(flow.step(step).title)}**",
                width="content",
            )
            number("show all", path("flow"), view.link(flow=flow.name))
        state = ""
    else:
        step = step_state = None
        state = choose("State", "state", STATES)

    def listing(limit: int, after: str | None) -> Listing[query.Instance]:
        def question(conn: Any) -> Listing[query.Instance]:
            return query.instances(
                conn,
                flow.name,
                state=[state] if state else [],
                step=step,
                step_state=step_state,
                where=view.narrow,
                from_us=view.from_us,
                to_us=view.shown_us,
                limit=limit,
                after=after,
            )

        return ask(
            console,
            ("instances", flow.name, state, step, step_state, view.narrow, view.from_us, view.shown_us, limit, after),
            question,
        )

    long_list(
        listing,
        lambda i: _row(view, flow, i),
        "No document is in this state.",
        key="documents",
        view=view,
        states=("State",),
        times=("Started", "Due"),
        hidden=("platform", "kind", "id"),
        opens=lambda r: record_of(view, r),
    )


def _row(view: View, flow: Flow, instance: query.Instance) -> dict[str, Any]:
    anchor = instance.anchor
    stuck = instance.state in query.STUCK
    overdue = view.shown_us - instance.due_us if instance.due_us is not None and stuck else None
    titles = {s.name: s.title for s in flow.steps}
    return {
        "State": instance.state,
        "Document": anchor.label if anchor else None,
        "Customer": anchor.customer_name if anchor else None,
        "At risk": formats.money(instance.risk_minor if stuck else None, instance.currency),
        "Value": formats.money(instance.money_minor, instance.currency),
        "Came as far as": titles.get(instance.step, instance.step),
        "Due": instance.due_us,
        "Overdue": formats.duration(overdue),
        "Started": instance.started_us,
        "Entity": instance.entity,
        "Reason": formats.words(instance.reason or ""),
        "Revision": instance.revision if instance.revision > 1 else None,
        "Owner": flow.owner,
        "platform": anchor.platform if anchor else None,
        "kind": anchor.kind if anchor else None,
        "id": anchor.external_id if anchor else None,
    }


if __name__ == "__main__":
    show("flow", render)
