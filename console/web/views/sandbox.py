"""The demo's workshop: break something in the sandbox company, watch it being found, mend it and watch it close."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import streamlit as st

from console.web import control, figures, formats
from console.web.context import Console
from console.web.data import ask
from console.web.frame import View, show
from console.web.pages import Page, path
from console.web.widgets import empty, heading, table
from metrics.filters import Filters
from metrics.keys import record_id
from metrics.queries import breaks, platforms
from metrics.queries.narrow import Narrow
from metrics.queries.pages import MOST
from probes.clock import to_us
from probes.errors import ProbeError

PAGE = Page("Sandbox", "science", 90, demo=True)


def render(console: Console, view: View) -> None:
    """Show the page."""
    heading("Sandbox", "Break something in the simulated company and watch Tieout find it", view)
    if console.control_url is None:
        empty("This console is not connected to a sandbox.")
        return
    try:
        state = control.state(console.control_url)
        entries = control.open_entries(console.control_url)
    except ProbeError as error:
        st.error(f"The sandbox does not answer: {formats.md(error.message)}")
        return
    st.caption(
        f"The company's clock says {formats.md(str(state.get('now')))}; seed {formats.md(str(state.get('seed')))}."
    )
    left, right = st.columns(2, gap="large")
    with left:
        _inject(console.control_url, {str(k): str(v) for k, v in dict(state.get("faults", {})).items()})
    with right:
        _repair(console.control_url, entries)
    _open(console, view, entries)
    _counts(view, state)


def _inject(url: str, faults: dict[str, str]) -> None:
    st.subheader("Break something", anchor=False)
    if not faults:
        empty("The sandbox names no fault.")
        return
    fault = st.selectbox("Fault", list(faults), format_func=lambda f: f"{f}: {faults[f]}", key="fault")
    count = st.number_input("How many", 1, 50, 1, key="fault_count")
    if st.button("Inject", type="primary", key="inject"):
        _do(
            lambda: control.inject(url, str(fault), int(count)),
            f"Injected {fault}. It shows once the probes have looked again.",
        )


def _open(console: Console, view: View, entries: list[dict[str, Any]]) -> None:
    """Show what truly is broken, by the company's own journal, and whether it was found; Tieout itself never reads this."""
    st.subheader(f"{formats.plural(len(entries), 'thing')} broken on purpose", anchor=False)
    if not entries:
        empty("Nothing is broken on purpose.")
        return
    seen = _seen(console, view)
    rows = [
        {
            "Found": _found(console, seen, e, view.shown_us),
            "Fault": e.get("fault"),
            "Kind": formats.words(str(e.get("kind"))),
            "Note": e.get("note"),
            "Money": formats.money(e.get("money_minor"), e.get("currency")),
            "True from": to_us(datetime.fromisoformat(str(e.get("true_from")))),
            "Where": _where(e.get("subject")),
            "Entry": e.get("id"),
            "id": e.get("external_id"),
        }
        for e in entries
    ]
    table(
        rows,
        key="journal",
        view=view,
        states=("Found",),
        times=("True from",),
        hidden=("id",),
        opens=lambda r: (path("search"), view.link(key=r["id"])),
    )


def _seen(console: Console, view: View) -> set[str]:
    """Return what Tieout says is wrong: ids of documents, our keys of messages, vendors of platforms that cannot be read."""
    now = Narrow()
    late = {d.external_id for d in figures.late(console, Filters(), view.shown_us)}
    found = ask(console, ("all_breaks",), lambda c: breaks.breaks(c, now, limit=MOST)).items
    troubles = ask(console, ("all_exceptions",), lambda c: breaks.exceptions(c, now, limit=MOST)).items
    health = ask(console, ("platforms", view.shown_us, True), lambda c: platforms.platforms(c, view.shown_us))
    different = {h.external_id for b in found for h in (b.subject, b.counterpart) if h}
    down = {p.vendor for p in health if p.state != "seen"}
    return late | different | {str(t.subject_id) for t in troubles} | down


def _found(console: Console, seen: set[str], entry: dict[str, Any], now_us: int) -> str:
    known = str(entry.get("external_id"))
    messages = {str(record_id(platform, "message", known)) for platform in console.model.platforms}
    if known in seen or messages & seen:
        return "found"
    return "not_found" if to_us(datetime.fromisoformat(str(entry.get("true_from")))) <= now_us else "not_due"


def _repair(url: str, entries: list[dict[str, Any]]) -> None:
    st.subheader("Mend something", anchor=False)
    if not entries:
        empty("There is nothing to mend.")
        return
    options: dict[str, dict[str, Any]] = {
        f"All of {f}": {"fault": f} for f in dict.fromkeys(str(e["fault"]) for e in entries)
    }
    options |= {
        f"Entry {e['id']}: {e['fault']} {_where(e.get('subject'))}": {"entry": int(e["id"])}
        for e in entries
        if "id" in e
    }
    chosen = st.selectbox("Repair", list(options), key="repair_choice", format_func=formats.plain)
    if st.button("Repair", key="repair"):
        _do(lambda: control.repair(url, **options[chosen]), "Repaired. It closes once the probes have seen that.")


def _where(subject: object) -> str:
    if isinstance(subject, dict):
        return " ".join(str(subject[k]) for k in ("platform", "object", "external_id") if subject.get(k))
    return str(subject or "")


def _counts(view: View, state: dict[str, Any]) -> None:
    counts = state.get("counts")
    if isinstance(counts, dict) and counts:
        with st.expander("What the company has"):
            table([{"What": formats.words(str(k)), "Count": v} for k, v in counts.items()], key="counts", view=view)


def _do(action: Any, done: str) -> None:
    try:
        action()
    except ProbeError as error:
        st.error(formats.md(error.message))
        return
    st.toast(formats.md(done))
    st.rerun()


if __name__ == "__main__":
    show("sandbox", render)
