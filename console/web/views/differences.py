"""Where two platforms disagree, and what waits for a person: open differences and exceptions, with their money."""

from __future__ import annotations

import streamlit as st

from console.web import formats
from console.web.context import Console
from console.web.data import ask
from console.web.frame import View, choose, param, show
from console.web.long_list import FIRST, long_list
from console.web.pages import Page, path
from console.web.rows import break_row, exception_row, target
from console.web.widgets import heading, number, table
from metrics.queries import breaks as query
from metrics.queries.pages import Listing

PAGE = Page("Differences", "difference", 50)
CLOSED = {"": "open now", "yes": "open and mended"}


def render(console: Console, view: View) -> None:
    """Show the page."""
    heading(
        "Where the platforms disagree", "A difference closes only when a later observation of both sides agrees", view
    )
    counts = ask(console, ("break_counts", view.narrow), lambda c: query.break_counts(c, view.narrow))
    _counts(console, view, counts)
    kinds = {"": "Every kind", **{c.kind: formats.words(c.kind) for c in counts}}
    if (asked := param("kind")) and asked not in kinds:
        kinds[asked] = formats.words(asked)
    a, b = st.columns(2)
    with a:
        kind = choose("Kind", "kind", kinds) or None
    with b:
        closed = choose("Which", "closed", CLOSED) == "yes"
    _breaks(console, view, kind, closed)
    _exceptions(console, view, closed)


def _check(console: Console, name: str) -> str:
    """Return a check by its flow and step as people call them."""
    flow_name, _, step = name.partition(".")
    flow = console.model.flows.get(flow_name)
    titles = {s.name: s.title for s in flow.steps} if flow else {}
    return f"{flow.title}: {titles[step]}" if flow and step in titles else formats.words(name)


def _counts(console: Console, view: View, counts: list[query.BreakCount]) -> None:
    if counts:
        st.subheader(formats.plural(sum(c.count for c in counts), "open difference"), anchor=False)
        rows = [
            {
                "Kind": formats.words(c.kind),
                "Check": _check(console, c.check_name),
                "Open": c.count,
                "Money": formats.moneys(c.money),
                "k": c.kind,
            }
            for c in counts
        ]
        table(
            rows,
            key="break-counts",
            view=view,
            numbers=("Open",),
            hidden=("k",),
            opens=lambda r: (path("differences"), view.link(kind=r["k"])),
        )


def _breaks(console: Console, view: View, kind: str | None, closed: bool) -> None:
    since = int(text) if (text := param("since")).isdigit() else None
    if since is not None:
        with st.container(horizontal=True, vertical_alignment="center"):
            st.markdown(f"Found since **{view.instant(since)}**", width="content")
            number("show all", path("differences"), view.link(kind=kind))

    def listing(limit: int, after: str | None) -> Listing[query.Break]:
        key = ("breaks", view.narrow, kind, closed, since, limit, after)
        return ask(
            console,
            key,
            lambda c: query.breaks(
                c, view.narrow, open_only=not closed, kind=kind, since_us=since, limit=limit, after=after
            ),
        )

    long_list(
        listing,
        lambda b: break_row(view, b),
        "No difference with these filters.",
        key="breaks",
        view=view,
        states=("State",),
        times=("Since", "Closed"),
        hidden=("head", "other"),
        opens=lambda r: target(view, r["head"]),
    )


def _exceptions(console: Console, view: View, closed: bool) -> None:
    def listing(limit: int, after: str | None) -> Listing[query.Trouble]:
        key = ("exceptions", view.narrow, closed, limit, after)
        return ask(
            console, key, lambda c: query.exceptions(c, view.narrow, open_only=not closed, limit=limit, after=after)
        )

    st.subheader(
        f"{formats.plural(listing(FIRST, None).total, 'exception')} {'in all' if closed else 'to handle'}", anchor=False
    )
    long_list(
        listing,
        lambda t: exception_row(view, t),
        "Nothing waits for a person.",
        key="exceptions",
        view=view,
        states=("State",),
        times=("Since", "Closed"),
        hidden=("head",),
        opens=lambda r: target(view, r["head"]),
    )


if __name__ == "__main__":
    show("differences", render)
