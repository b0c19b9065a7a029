"""What a typed key means: the records known under it on every platform, exact spelling first."""

from __future__ import annotations

import streamlit as st

from console.web import formats
from console.web.context import Console
from console.web.data import ask
from console.web.frame import View, param, show
from console.web.pages import Page, path
from console.web.rows import document_row, target
from console.web.widgets import empty, heading, table
from metrics.queries.find import Hit, find

PAGE = Page("Search", "search", 82, listed=False)


def render(console: Console, view: View) -> None:
    """Show the page."""
    text = param("key")
    heading("Search", f"Records known as **{formats.md(text)}**" if text else "Type a key in the sidebar", view)
    key = ("find", text, view.past_us)
    hits = ask(console, key, lambda conn: find(conn, text, 200, view.past)) if text else []
    if not hits:
        empty(
            "Nothing is known under this key. Any id, number, PO number or business key works, or the beginning of a name."
        )
        return
    rows = [
        {
            "Found by": _how(h),
            **document_row(view, h.head),
            "hit": h,
        }
        for h in hits
    ]
    table(
        rows,
        key="hits",
        view=view,
        times=("Created", "Observed"),
        hidden=("head", "hit"),
        opens=lambda r: _open(view, r["hit"]),
    )
    if len(hits) == 1:
        st.caption("One record fits.")


def _how(hit: Hit) -> str:
    if hit.exact:
        return formats.words(hit.by)
    return "beginning of the name" if hit.by == "name" else f"{formats.words(hit.by)}, other spelling"


def _open(view: View, hit: Hit) -> tuple[str, dict[str, str]] | None:
    if hit.head.kind == "customer" and hit.head.customer_id is not None:
        return path("customer"), view.link(customer=hit.head.customer_id)
    return target(view, hit.head)


if __name__ == "__main__":
    show("search", render)
