"""Which documents are late or lost right now, what they are worth and who owns them, over all flows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import streamlit as st

from console.web import figures, formats
from console.web.context import Console
from console.web.frame import View, choose, show
from console.web.pages import Page
from console.web.rows import record_of
from console.web.widgets import empty, heading, table
from metrics.risk import LateDocument, Money

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
            {
                "": "Every currency",
                **{k: k for k in sorted({d.currency for d in everything if d.currency})},
                "none": "No amount",
            },
        )
    found = sorted((d for d in everything if _fits(d, lost, flow, currency)), key=lambda d: d.due_us)
    if not found:
        empty("No document is late or lost with these filters.")
        return
    sums = {} if flow else figures.at_risk(console, view.filters, view.shown_us)
    st.markdown(f"**{_told(found, sums, lost, currency)}**")
    table(
        [_row(console, view, d) for d in found],
        key="late",
        view=view,
        states=("State",),
        times=("Started", "Due"),
        links={"link": "open there"},
        hidden=("platform", "kind", "id"),
        opens=lambda r: record_of(view, r),
    )


def _fits(document: Any, lost: str, flow: str, currency: str) -> bool:
    return (
        (not lost or document.lost == (lost == "yes"))
        and (not flow or document.flow == flow)
        and (not currency or (document.currency or "none") == currency)
    )


def _told(found: Sequence[LateDocument], sums: Mapping[str, Money], lost: str, currency: str) -> str:
    """Return a list in one line: how many steps of how many customers, and the money, each document once."""
    customers = len({d.customer_id for d in found if d.customer_id is not None})
    parts = [f"{formats.plural(len(found), 'step')} of {formats.plural(customers, 'customer')}"]
    here = {c: m for c, m in sums.items() if currency in ("", c)}
    if gone := {c: m.lost_minor for c, m in here.items() if m.lost_minor and lost != "no"}:
        parts.append(f"{formats.moneys(gone)} lost")
    if behind := {c: m.late_minor for c, m in here.items() if m.late_minor and lost != "yes"}:
        parts.append(f"{formats.moneys(behind)} late")
    return formats.md(" · ".join(parts))


def _row(console: Console, view: View, document: Any) -> dict[str, Any]:
    flow = console.model.flows.get(document.flow)
    return {
        "State": "lost" if document.lost else "late",
        "Document": document.number or document.external_id,
        "Customer": document.customer_name,
        "At risk": formats.money(document.money_minor, document.currency),
        "Missing": document.step_title,
        "Due": document.due_us,
        "Overdue": formats.duration(view.shown_us - document.due_us),
        "Entity": document.entity,
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
