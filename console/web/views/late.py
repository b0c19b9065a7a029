"""Which documents are late or lost right now, what they are worth and who owns them, over all flows."""

from __future__ import annotations

from typing import Any

import streamlit as st

from console.web import figures, formats
from console.web.context import Console
from console.web.frame import View, choose, show
from console.web.pages import Page, path
from console.web.widgets import empty, heading, table

PAGE = Page("Late", "alarm", 40)
LOST = {"": "Late and lost", "no": "late, may still arrive", "yes": "lost: past its grace"}


def render(console: Console, view: View) -> None:
    """Show the page."""
    heading(
        "What is late or lost", "Steps past their deadline whose absence is proven, and the money behind them", view
    )
    everything = figures.late(console, view.filters, view.shown_us)
    a, b, c = st.columns(3)
    with a:
        lost = choose("State", "lost", LOST)
    with b:
        flows = {
            d.flow: console.model.flows[d.flow].title if d.flow in console.model.flows else d.flow for d in everything
        }
        flow = choose("Flow", "flow", {"": "Every flow", **flows})
    with c:
        currency = choose(
            "Currency",
            "currency",
            {"": "Every currency", **{k: k for k in sorted({d.currency for d in everything if d.currency})}},
        )
    found = [d for d in everything if _fits(d, lost, flow, currency)]
    if not found:
        empty("No document is late or lost with these filters.")
        return
    table(
        [_row(console, view, d) for d in found],
        key="late",
        view=view,
        states=("State",),
        times=("Started", "Due"),
        links={"link": "open there"},
        hidden=("platform", "kind", "id"),
        opens=lambda r: (path("document"), view.link(of=r["platform"], kind=r["kind"], id=r["id"])),
    )


def _fits(document: Any, lost: str, flow: str, currency: str) -> bool:
    return (
        (not lost or document.lost == (lost == "yes"))
        and (not flow or document.flow == flow)
        and (not currency or document.currency == currency)
    )


def _row(console: Console, view: View, document: Any) -> dict[str, Any]:
    flow = console.model.flows.get(document.flow)
    step = next((s.title for s in flow.steps if s.name == document.step), document.step) if flow else document.step
    return {
        "State": "lost" if document.lost else "late",
        "Document": document.number or document.external_id,
        "Customer": document.customer_name,
        "Entity": document.entity,
        "Missing": step,
        "Due": document.due_us,
        "Overdue": formats.duration(view.shown_us - document.due_us),
        "At risk": formats.money(document.money_minor, document.currency),
        "Owner": document.owner,
        "Flow": flow.title if flow else document.flow,
        "Started": document.started_us,
        "link": document.link,
        "platform": document.platform,
        "kind": document.kind,
        "id": document.external_id,
    }


if __name__ == "__main__":
    show("late", render)
