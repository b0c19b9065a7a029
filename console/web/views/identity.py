"""Which customers may be one, why, what hangs on each side – and where a named person settles it."""

from __future__ import annotations

from typing import Any

import streamlit as st

from console.web import charts, formats
from console.web.context import Console
from console.web.data import ask, forget
from console.web.frame import View, param, show
from console.web.identity_rows import WHY, compared_rows, decision_row, id_row, percent, spelled, suggestion_row
from console.web.long_list import long_list
from console.web.pages import Page, path
from console.web.widgets import empty, heading, table
from metrics.crosswalk import held_by
from metrics.identity.decisions import Kind
from metrics.identity.stewards import Decision, DecisionError, decide
from metrics.queries import identity as query
from metrics.queries.pages import Listing

PAGE = Page("Identity", "join", 65)


def render(console: Console, view: View) -> None:
    """Show the page."""
    heading("Identity", "Which customers may be one: suggested by likeness, joined only by keys and by you", view)
    if not view.live:
        st.info("Customers are shown as they are joined now; clear *As of* to settle anything.")
        return
    stand = ask(console, ("identity_status",), lambda c: query.status(c, console.model))
    if view.filters.customer_id is not None:
        _split(console, view, view.filters.customer_id)
    if asked := _pair(param("pair")):
        _one(console, view, *asked)
    _suggestions(console, view, stand)
    _decisions(console, view)
    _refused(console, view)


def _pair(text: str) -> tuple[int, int] | None:
    a, dash, b = text.partition("-")
    found = dash and a.isdigit() and b.isdigit() and max(int(a), int(b)) < 2**63
    return (int(a), int(b)) if found else None


def _suggestions(console: Console, view: View, stand: query.Status) -> None:
    st.subheader(f"{formats.plural(stand.suggestions, 'pair')} that may be one customer", anchor=False)
    st.caption(" · ".join(_standing(view, stand)))

    def listing(limit: int, after: str | None) -> Listing[Any]:
        key = ("suggestions", limit, after)
        return ask(console, key, lambda c: query.suggestions(c, console.model, limit=limit, after=after))

    long_list(
        listing,
        suggestion_row,
        "No two customers are likely to be one." if stand.model else "Nothing was compared yet.",
        key="suggestions",
        view=view,
        hidden=("pair",),
        opens=lambda r: (path("identity"), view.link(pair=r["pair"])),
    )


def _standing(view: View, stand: query.Status) -> list[str]:
    if stand.model is None:
        return ["Nothing was learned yet. Run `tieout identity train --by YOUR NAME`, then `tieout identity suggest`"]
    told = [
        f"learned from {formats.count(stand.records)} customers by {formats.md(stand.author)}, {view.instant(stand.trained_us)}"
    ]
    if not stand.fits:
        told.append("**the configuration compares other fields since: run `tieout identity train`**")
    if stand.due:
        told.append(f"{formats.plural(stand.due, 'record')} changed since: `tieout identity suggest` looks again")
    return told


def _one(console: Console, view: View, a: int, b: int) -> None:
    found = ask(console, ("suggestion", a, b), lambda c: query.suggestion(c, console.model, a, b))
    if found is None:
        st.info("This suggestion is settled, or the records do not look alike any more.")
        return
    one, other = found.sides
    with st.container(border=True):
        st.markdown(
            f"**{formats.md(one.name)}** and **{formats.md(other.name)}** are {percent(found.probability)} likely to be one customer"
        )
        left, right = st.columns([3, 4])
        with left:
            ground = charts.Ground(view.dark, view.zone)
            st.plotly_chart(
                charts.score_parts(found.parts, ground), width="stretch", key="parts", config={"displayModeBar": False}
            )
        with right:
            table(compared_rows(console, found), key="compared", view=view)
        st.markdown("**What hangs on each**")
        ids = [(side, i) for side in found.sides for i in side.ids]
        table([id_row(console, side.name, i) for side, i in ids], key="ids", view=view, times=("From", "To"), links={"link": "open there"},
              numbers=("Open orders", "Open cases"))  # fmt: skip
        _settle(console, found)


def _settle(console: Console, found: query.Suggested) -> None:
    who, why = _named("pair")
    with st.container(horizontal=True):
        if st.button(
            "They are one customer", type="primary", key="confirm", help="Joins the two; undone by splitting."
        ):
            _act(console, "confirm", found.a_id, found.b_id, who, why)
        if st.button("They are two", key="reject", help="Never suggested again, whatever keys say."):
            _act(console, "reject", found.a_id, found.b_id, who, why)


def _named(key: str) -> tuple[str, str]:
    left, right = st.columns(2)
    with left:
        who = st.text_input("Your name", key=f"who_{key}", max_chars=200)
    with right:
        why = st.text_input("Reason", key=f"why_{key}", max_chars=2000, placeholder="What you looked at, or the ticket")
    return who, why


def _act(console: Console, kind: Kind, a: int, b: int, who: str, why: str) -> None:
    try:
        decide(console.store, console.model, Decision(kind, a, b, who, why), console.now_us())
    except DecisionError as error:
        st.error(formats.md(f"{str(error)[:1].upper()}{str(error)[1:]}."))
        return
    forget()
    for name in ("pair", "customer"):
        st.query_params.pop(name, None)
    st.rerun()


def _split(console: Console, view: View, record: int) -> None:
    customer = ask(console, ("held_by", record), lambda c: held_by(c, [record])).get(record, record)
    found = ask(console, ("scoped_ids", customer), lambda c: query.scoped_ids(c, console.model, [customer]))
    ids = found.get(customer, [])
    if not ids:
        st.info("No customer is known by this id any more; its records may have been joined to another.")
        return
    head = next((i for i in ids if i.record.id == customer), ids[0])
    with st.container(border=True):
        st.markdown(f"**{formats.md(head.record.label)}** has {formats.plural(len(ids), 'id')}")
        table([id_row(console, head.record.label, i) for i in ids], key="own-ids", view=view, times=("From", "To"),
              hidden=("Customer",), links={"link": "open there"}, numbers=("Open orders", "Open cases"))  # fmt: skip
        others = {i.record.id: f"{spelled(i)} – {i.record.label}" for i in ids if i is not head}
        if not others:
            return
        chosen = st.selectbox(
            "This id belongs to another customer",
            list(others),
            format_func=lambda r: formats.plain(others[r]),
            key="split_id",
        )
        who, why = _named("split")
        if st.button(f"Split it off from {formats.md(spelled(head))}", key="split"):
            _act(console, "split", head.record.id, chosen, who, why)


def _decisions(console: Console, view: View) -> None:
    def listing(limit: int, after: str | None) -> Listing[Any]:
        return ask(
            console, ("identity_decisions", limit, after), lambda c: query.decisions(c, limit=limit, after=after)
        )

    st.subheader("What was settled", anchor=False)
    long_list(
        listing, decision_row, "Nothing was settled yet.", key="decisions", view=view, times=("At",), hidden=("customer",),
        opens=lambda r: (path("identity"), view.link(customer=r["customer"])) if r["customer"] else None,
    )  # fmt: skip


def _refused(console: Console, view: View) -> None:
    found = ask(console, ("identity_refused",), query.refused_values)
    st.subheader("Values that join nobody", anchor=False)
    if not found:
        empty("Every key names one customer.")
    rows = [
        {
            "Key": formats.words(v.key),
            "Value": v.value,
            "Because": WHY[v.reason],
            "Records": v.records,
            "Platforms": ", ".join(v.platforms),
        }
        for v in found
    ]
    table(rows, key="refused", view=view, numbers=("Records",))


if __name__ == "__main__":
    show("identity", render)
