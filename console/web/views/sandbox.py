"""The demo's workshop: break something in the sandbox company, watch it being found, mend it and watch it close."""

from __future__ import annotations

from typing import Any

import streamlit as st

from console.web import control, formats
from console.web.context import Console
from console.web.frame import View, show
from console.web.pages import Page
from console.web.widgets import empty, heading, table
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
    left, right = st.columns([2, 3], gap="large")
    with left:
        _inject(console.control_url, {str(k): str(v) for k, v in dict(state.get("faults", {})).items()})
        _counts(view, state)
    with right:
        _open(console.control_url, view, entries)


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


def _open(url: str, view: View, entries: list[dict[str, Any]]) -> None:
    st.subheader(f"{formats.plural(len(entries), 'fault')} not repaired", anchor=False)
    if not entries:
        empty("Nothing is broken on purpose.")
        return
    rows = [
        {
            "Fault": e.get("fault"),
            "Kind": formats.words(str(e.get("kind"))),
            "Where": _where(e.get("subject")),
            "Money": formats.money(e.get("money_minor"), e.get("currency")),
            "True from": e.get("true_from"),
            "Note": e.get("note"),
            "Entry": e.get("id"),
        }
        for e in entries
    ]
    table(rows, key="journal", view=view)
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
