"""What is firing, what anybody was told about it, who has taken it on, and what is silenced."""

from __future__ import annotations

from typing import Any

import streamlit as st

from alerts import queries
from alerts.actions import ActionError, acknowledge, silence
from console.web import formats
from console.web.context import Console
from console.web.data import ask, forget
from console.web.frame import View, param, show
from console.web.pages import Page, path
from console.web.rows import record_of
from console.web.widgets import empty, heading, number, state_badge, table
from probes.clock import HOUR

PAGE = Page("Alerts", "notifications", 45)
LENGTHS = {"1h": HOUR, "4h": 4 * HOUR, "1d": 24 * HOUR, "7d": 168 * HOUR}


def render(console: Console, view: View) -> None:
    """Show the page."""
    heading("Alerts", "An alert resolves only when what it says is seen to be over", view)
    if asked := param("alert"):
        _one(console, view, asked)
    found = _open(console, view)
    firing = [a for a in found if a.state != "pending"]
    st.subheader(f"{formats.plural(len(firing), 'open alert')}, {len(found) - len(firing)} pending", anchor=False)
    if not found:
        empty("No alert is open.")
    table(
        [_row(a) for a in found],
        key="open",
        view=view,
        states=("Severity", "State"),
        times=("Since", "Fired"),
        hidden=("id",),
        opens=lambda r: (path("alerts"), view.link(alert=r["id"])),
    )
    _history(console, view)
    _channels(console, view)
    _silences(console, view)


def _open(console: Console, view: View) -> list[queries.AlertView]:
    return ask(console, ("open_alerts", view.past_us), lambda c: queries.open_alerts(c, view.past_us))


def _row(a: Any) -> dict[str, Any]:
    return {
        "Severity": a.severity,
        "At risk": _at_risk(a),
        "Alert": a.title,
        "Since": a.since_us,
        "Owner": a.owner,
        "Documents": a.document_count,
        "Customers": a.customer_count,
        "State": a.state,
        "Fired": a.fired_us,
        "Acknowledged by": a.acknowledged_by,
        "Not told because": formats.words(a.untold or ""),
        "Cannot close because": formats.words(a.held or ""),
        "id": a.id,
    }


def _at_risk(alert: Any) -> str:
    parts = ((alert.lost, "lost"), (alert.late, "late"))
    return ", ".join(f"{formats.moneys(sums)} {word}" for sums, word in parts if sums) or formats.NONE


def _one(console: Console, view: View, alert_id: str) -> None:
    found = ask(console, ("alert", alert_id), lambda c: queries.alert(c, alert_id))
    if view.past_us is not None and found is not None:
        found = next((a for a in _open(console, view) if a.id == alert_id), None)
        if found is None:
            st.warning("This alert was not open at that instant.")
            return
    if found is None:
        st.warning("This alert is not known here; it may belong to another store.")
        return
    with st.container(border=True):
        with st.container(horizontal=True, vertical_alignment="center"):
            state_badge(found.severity)
            state_badge(found.state)
            st.markdown(f"**{formats.md(found.title)}**", width="content")
        told = [
            f"true since {view.instant(found.since_us)} ({view.ago(found.since_us)})",
            f"late {formats.md(formats.moneys(found.late))}" if found.late else "",
            f"lost {formats.md(formats.moneys(found.lost))}" if found.lost else "",
            formats.plural(found.customer_count, "customer") if found.customer_count else "",
            f"owner {formats.md(found.owner)}" if found.owner else "",
            f"known up to {view.instant(found.as_of_us, seconds=True)}" if found.as_of_us else "",
        ]
        st.caption(" · ".join(t for t in told if t))
        for label, text in found.details:
            st.markdown(f"{formats.md(label)}: **{formats.md(text)}**")
        if found.advice and found.state != "resolved":
            st.markdown(f"What to do: {formats.md(found.advice)}")
        if found.held:
            st.caption(f"It cannot be seen to be over: {formats.md(formats.words(found.held))}")
        _links(view, found)
        if view.live:
            _actions(console, found)
        _members(console, view, found)
        _transitions(console, view, found)


def _links(view: View, found: Any) -> None:
    with st.container(horizontal=True):
        if found.sli:
            number("The SLI behind it", path("sli"), view.link(sli=found.sli, outcome="bad"))
        if found.flow:
            number("The flow", path("flow"), view.link(flow=found.flow))
        if found.platform:
            number("The platform", path("platforms"), view.link(of=found.platform))


def _actions(console: Console, found: Any) -> None:
    if found.state == "resolved":
        return
    with st.expander("Take it on, or silence it", icon=":material/edit:"):
        who = st.text_input("Your name", key="who", max_chars=200)
        comment = st.text_input(
            "Comment", key="comment", max_chars=2000, placeholder="What is being done, or the ticket"
        )
        length = st.selectbox("Silence for", list(LENGTHS), key="length")
        with st.container(horizontal=True):
            take = st.button("Acknowledge", type="primary", key="acknowledge", disabled=found.state != "firing")
            quiet = st.button("Silence", key="silence")
        if take or quiet:
            _act(console, found, who.strip(), comment.strip(), LENGTHS[length] if quiet else None)


def _act(console: Console, found: Any, who: str, comment: str, length_us: int | None) -> None:
    if not who:
        st.error("Write your name: it is kept with the decision.")
        return
    now_us = console.now_us()
    try:
        if length_us is None:
            acknowledge(console.store, found.id, who, comment, now_us)
        else:
            silence(
                console.store,
                matchers={"alert": found.id},
                from_us=now_us,
                to_us=now_us + length_us,
                author=who,
                comment=comment,
                now_us=now_us,
            )
    except ActionError as error:
        st.error(formats.md(str(error)))
        return
    forget()
    st.rerun()


def _members(console: Console, view: View, found: Any) -> None:
    then = view.past_us
    members = ask(console, ("members", found.id, then), lambda c: queries.members(c, found.id, at_us=then))
    if not members:
        return
    st.markdown(f"**{formats.plural(len(members), 'document')} behind it**")
    rows = [
        {
            "State": "lost" if m.lost else "late",
            "Document": m.number or m.external_id,
            "Customer": m.customer,
            "Money": formats.money(m.money_minor, m.currency),
            "Due": m.due_us,
            "In this alert since": v.since_us,
            "Entity": m.entity,
            "link": m.link,
            "platform": m.platform,
            "kind": m.kind,
            "id": m.external_id,
        }
        for v in members
        for m in [v.member]
    ]
    table(
        rows,
        key="members",
        view=view,
        states=("State",),
        times=("Due", "In this alert since"),
        links={"link": "open there"},
        hidden=("platform", "kind", "id"),
        opens=lambda r: record_of(view, r),
    )


def _transitions(console: Console, view: View, found: Any) -> None:
    rows = [
        _transition(t)
        for t in ask(console, ("transitions", found.id), lambda c: list(queries.transitions_of(c, found.id)))
        if t.at_us <= view.shown_us or view.live
    ]
    if rows:
        st.markdown("**What became of it**")
        shape: dict[str, Any] = {"states": ("What",), "times": ("At",), "hidden": ("id", "Alert", "Severity")}
        table(rows, key="transitions", view=view, seconds=True, **shape)


def _transition(t: Any) -> dict[str, Any]:
    return {
        "At": t.at_us,
        "What": t.kind,
        "Severity": t.severity,
        "Alert": t.title,
        "Said": t.text,
        "Told": ", ".join(t.told) or f"nobody: {formats.words(t.untold or 'no channel')}",
        "Episode": t.episode,
        "id": t.alert_id,
    }


def _history(console: Console, view: View) -> None:
    st.subheader("What happened", anchor=False)
    told = ask(
        console,
        ("history", view.from_us, view.past_us),
        lambda c: list(queries.history(c, view.from_us, until_us=view.past_us)),
    )
    rows = [_transition(t) for t in told]
    if not rows:
        empty("No alert fired or resolved in this span.")
    table(
        rows,
        key="history",
        view=view,
        states=("What", "Severity"),
        times=("At",),
        hidden=("id", "Alert"),
        seconds=True,
        opens=lambda r: None if r["What"] == "digest" else (path("alerts"), view.link(alert=r["id"])),
    )


def _channels(console: Console, view: View) -> None:
    found = ask(console, ("messages",), lambda c: list(queries.messages(c)))
    if found and view.live:
        st.subheader("Messages", anchor=False)
        rows = [
            {
                "State": m.status,
                "Channel": m.channel,
                "Message": m.headline,
                "Kind": m.kind,
                "Written": m.created_us,
                "Sent": m.sent_us,
                "Attempts": m.attempts,
                "Because": m.reason,
            }
            for m in found
        ]
        table(rows, key="messages", view=view, states=("State",), times=("Written", "Sent"))


def _silences(console: Console, view: View) -> None:
    found = ask(console, ("silences", view.shown_us), lambda c: list(queries.silences(c, view.shown_us)))
    if found and view.live:
        st.subheader("Silences", anchor=False)
        rows = [
            {
                "What": ", ".join(f"{k} {' or '.join(v)}" for k, v in s.matchers.items()),
                "From": s.from_us,
                "To": s.to_us,
                "By": s.author,
                "Why": s.comment,
            }
            for s in found
        ]
        table(rows, key="silences", view=view, times=("From", "To"))


if __name__ == "__main__":
    show("alerts", render)
