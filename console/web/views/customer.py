"""One customer, all platforms, now: its ids, its SLIs, what is late or different, and all its documents."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import streamlit as st

from console.web import figures, formats
from console.web.context import Console
from console.web.data import ask
from console.web.frame import View, choose, param, show
from console.web.long_list import long_list
from console.web.pages import Page, path
from console.web.rows import break_row, document_row, record_of, target
from console.web.widgets import empty, heading, number, table
from metrics.queries import customers as query
from metrics.queries.breaks import breaks
from metrics.queries.narrow import Narrow
from metrics.queries.pages import Listing

PAGE = Page("Customer", "person", 81, listed=False)


def render(console: Console, view: View) -> None:
    """Show the page."""
    identity = int(text) if (text := param("customer")).isdigit() and int(text) < 2**63 else None
    found = (
        None
        if identity is None
        else ask(console, ("customer", identity, view.past_us), lambda c: query.customer_page(c, identity, view.past))
    )
    if found is None or identity is None:
        heading("No such customer", "No platform has shown it. The list of customers has all that were seen.", view)
        number("All customers", path("customers"), view.link())
        return
    segment = f"segment **{formats.md(found.segment)}**" if found.segment else "no segment told"
    heading(formats.plain(found.name), segment, view)
    filters = replace(view.filters, customer_id=identity)
    _figures(console, view, filters, identity)
    _late(console, view, filters)
    _differences(console, view, identity)
    _documents(console, view, found)
    _ids(view, found)


def _figures(console: Console, view: View, filters: Any, identity: int) -> None:
    rows = [
        {
            "SLI": f.title,
            "State": f.status,
            "Good share": formats.percent(f.ratio),
            "Good": f.good,
            "Bad": f.bad,
            "Pending": f.pending,
            "Blind": f.blind,
            "Median": formats.duration(f.p50_us),
            "Bad money": formats.moneys(f.money.get("bad", {})),
            "sli": f.name,
        }
        for f in figures.figures(console, filters, view.shown_us)
        if f.kind != "sample" and (f.good or f.bad or f.pending or f.blind)
    ]
    st.subheader("How well it is served", anchor=False)
    if not rows:
        empty("Nothing of this customer was judged in the window.")
        return
    table(
        rows,
        key="slis",
        view=view,
        states=("State",),
        hidden=("sli",),
        opens=lambda r: (path("sli"), view.link(sli=r["sli"], customer=identity)),
    )


def _late(console: Console, view: View, filters: Any) -> None:
    st.subheader("Late or lost", anchor=False)
    found = figures.late(console, filters, view.shown_us)
    if not found:
        empty("Nothing of this customer is late or lost.")
    rows = [
        {
            "State": "lost" if d.lost else "late",
            "Document": d.number or d.external_id,
            "At risk": formats.money(d.money_minor, d.currency),
            "Missing": d.step_title,
            "Due": d.due_us,
            "Overdue": formats.duration(view.shown_us - d.due_us),
            "Owner": d.owner,
            "platform": d.platform,
            "kind": d.kind,
            "id": d.external_id,
        }
        for d in found
    ]
    table(
        rows,
        key="late",
        view=view,
        states=("State",),
        times=("Due",),
        hidden=("platform", "kind", "id"),
        opens=lambda r: record_of(view, r),
    )


def _differences(console: Console, view: View, identity: int) -> None:
    st.subheader("Differences", anchor=False)
    where = Narrow(customer_id=identity, past=view.past)
    found = ask(console, ("breaks_of_customer", identity, view.past_us), lambda c: breaks(c, where, limit=500))
    if not found.items:
        empty("The platforms agree about this customer.")
    table(
        [break_row(view, b) for b in found.items],
        key="breaks",
        view=view,
        states=("State",),
        times=("Since", "Closed"),
        hidden=("head", "other", "Customer", "Closed"),
        total=found.total,
        opens=lambda r: target(view, r["head"]),
    )


def _documents(console: Console, view: View, found: query.CustomerPage) -> None:
    st.subheader(formats.plural(sum(found.documents.values()), "document"), anchor=False)
    if not found.documents:
        empty("No document names this customer.")
        return
    kinds = sorted({kind for kind, _ in found.documents})
    kind = (
        choose("Kind", "kind", {"": "Every kind", **{k: f"{formats.words(k)} ({_count(found, k)})" for k in kinds}})
        or None
    )

    def listing(limit: int, after: str | None) -> Listing[Any]:
        key = ("documents_of", found.id, kind, limit, after, view.past_us)
        of: dict[str, Any] = {"kind": kind, "past": view.past, "limit": limit, "after": after}
        return ask(console, key, lambda c: query.documents_of(c, found.id, **of))

    long_list(
        listing,
        lambda h: document_row(view, h),
        "No document is of this kind.",
        key="documents",
        view=view,
        times=("Created", "Observed"),
        hidden=("head", "Customer"),
        opens=lambda r: target(view, r["head"]),
    )


def _count(found: query.CustomerPage, kind: str) -> str:
    return formats.count(sum(n for (k, _), n in found.documents.items() if k == kind))


def _ids(view: View, found: query.CustomerPage) -> None:
    st.subheader("Known as", anchor=False)
    if view.live and len(found.known_as) > 1:
        number("An id of these is another customer's", path("identity"), view.link(customer=found.id))
    shown = sorted({a for k in found.known_as for a, v in k.attributes.items() if v is not None and a != "name"})
    rows = [
        {
            "Platform": k.record.platform,
            "Id": k.record.external_id,
            "Name there": k.attributes.get("name"),
            "Entity": k.record.entity,
            "Currency": k.record.currency,
            "How known": formats.words(k.evidence),
            "First seen": k.record.first_observed_us,
            **{formats.words(a): k.attributes.get(a) for a in shown},
            "head": k.record,
        }
        for k in found.known_as
    ]
    table(rows, key="ids", view=view, times=("First seen",), hidden=("head",), opens=lambda r: target(view, r["head"]))


if __name__ == "__main__":
    show("customer", render)
