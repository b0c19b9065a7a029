"""Which customers have documents that are stuck, what that is worth, and where the platforms disagree about them."""

from __future__ import annotations

from typing import Any

import streamlit as st

from console.web import formats
from console.web.context import Console
from console.web.data import ask
from console.web.frame import View, choose, show, typed
from console.web.long_list import long_list
from console.web.pages import Page, path
from console.web.widgets import heading
from metrics.queries import customers as query
from metrics.queries.pages import Listing

PAGE = Page("Customers", "groups", 60)
TROUBLE = {"": "Every customer", "yes": "Only those with something stuck or different"}


def render(console: Console, view: View) -> None:
    """Show the page."""
    heading("Customers", "One row per customer, however many ids the platforms have for it", view)
    a, b = st.columns(2)
    with a:
        text = typed("Name contains", "name") or None
    with b:
        trouble = choose("Which", "trouble", TROUBLE) == "yes"

    def listing(limit: int, after: str | None) -> Listing[query.CustomerRow]:
        key = ("customers", view.narrow, text, trouble, limit, after)
        return ask(
            console,
            key,
            lambda c: query.customers_list(c, view.narrow, text=text, trouble_only=trouble, limit=limit, after=after),
        )

    long_list(
        listing,
        _row,
        "No customer fits these filters.",
        key="customers",
        view=view,
        numbers=("Stuck", "On their way", "Differences", "Ids"),
        hidden=("id",),
        height=700,
        opens=lambda r: (path("customer"), view.link(customer=r["id"])),
    )


def _row(row: query.CustomerRow) -> dict[str, Any]:
    return {
        "Customer": row.name,
        "Segment": row.segment,
        "Stuck": row.stuck,
        "At risk": formats.moneys(row.at_risk),
        "On their way": row.on_the_way,
        "Differences": row.breaks,
        "Platforms": ", ".join(row.platforms),
        "Ids": row.ids_count,
        "id": row.id,
    }


if __name__ == "__main__":
    show("customers", render)
