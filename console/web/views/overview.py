"""Is business flowing? The headline SLIs, what is at risk in money, what changed, what could not be seen, what is firing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import streamlit as st

from alerts.queries import AlertView, open_alerts
from console.web import figures, formats
from console.web.context import Console
from console.web.data import ask
from console.web.frame import View, show
from console.web.pages import Page, path
from console.web.widgets import count_of, empty, heading, number, state_badge, table
from metrics.queries.changes import Outage, Turned, changes, outages
from metrics.queries.platforms import StreamHealth, streams_health, unseen
from metrics.risk import Money, Risk
from probes.clock import DAY, HOUR

PAGE = Page("Overview", "monitoring", 10)
SINCE = {"visit": "your last visit", "1h": "the last hour", "24h": "the last 24 hours", "7d": "the last 7 days"}
CARD_WIDTH = 236
"""Four stand in a row on a common screen, fewer on a narrow one."""
_SPANS = {"1h": HOUR, "24h": DAY, "7d": 7 * DAY}


def render(console: Console, view: View) -> None:
    """Show the page."""
    found = figures.headline_first(figures.figures(console, view.filters, view.shown_us, percentiles=False))
    horizons = [f.horizon_us for f in found if f.horizon_us is not None]
    heading("Is business flowing?", _summary(found), view, min(horizons, default=None))
    alerts = _firing(console, view)
    stuck = figures.stuck(console, view.filters, view.shown_us)
    key = ("streams", view.shown_us, view.live)
    streams = ask(console, key, lambda conn: streams_health(conn, view.shown_us, past=not view.live))
    dark = unseen(streams)
    _headline(view, found, alerts, stuck.money, dark)
    _cards(console, view, found)
    _alerts(view, alerts)
    left, right = st.columns(2, gap="large")
    with left:
        _at_risk(view, stuck)
    with right:
        _unseen(view, found, dark, any(s.last for s in streams))
    _changed(console, view)


def _summary(found: Sequence[Any]) -> str:
    missed = sum(f.status == "missed" for f in found)
    unknown = sum(f.status == "no_data" for f in found)
    met = len(found) - missed - unknown
    parts = [f"{met} of {formats.plural(len(found), 'objective')} met"]
    parts += [f"{missed} missed"] if missed else []
    parts += [f"{unknown} cannot be judged"] if unknown else []
    return ", ".join(parts) + "."


def _headline(
    view: View,
    found: Sequence[Any],
    alerts: Sequence[Any],
    sums: Mapping[str, Money],
    dark: Mapping[str, Sequence[StreamHealth]],
) -> None:
    """Say in one line what an on-call person asks first: what fires, what is at risk, what is not seen."""
    severe = sum(a.severity == "critical" for a in alerts)
    late = formats.moneys({c: m.late_minor for c, m in sums.items() if m.late_minor})
    lost = formats.moneys({c: m.lost_minor for c, m in sums.items() if m.lost_minor})
    blind = [f for f in found if f.blind]
    with st.container(horizontal=True, gap="medium"):
        told = f"**{formats.plural(len(alerts), 'open alert')}**" + (f", {severe} critical" if severe else "")
        number(told, path("alerts"), view.link(), colour="red" if alerts else "gray")
        for money, word, chosen in ((lost, "lost", "yes"), (late, "late", "no")):
            if money != formats.NONE:
                number(f"**{formats.md(money)}** {word}", path("late"), view.link(lost=chosen), colour="red")
        if not sums:
            number("**nothing** at risk", path("late"), view.link(), colour="gray")
        for figure in blind:
            label = f"**{formats.count(figure.blind)}** blind in {formats.md(figure.title)}"
            number(label, path("sli"), view.link(sli=figure.name, outcome="blind"), colour="orange")
        for platform, streams in dark.items():
            label = f"**{formats.md(platform)}**: {formats.plural(len(streams), 'stream')} not seen"
            number(label, path("platforms"), view.link(of=platform), colour="orange")
        if not blind and not dark:
            number("everything seen", path("platforms"), view.link(), colour="gray")


def _cards(console: Console, view: View, found: Sequence[Any]) -> None:
    if not found:
        empty("No SLI is configured for the platforms there are; `tieout check` says which roles are missing.")
    with st.container(horizontal=True, gap="small"):
        for figure in found:
            with st.container(border=True, width=CARD_WIDTH, height="stretch"):
                _card(console, view, figure)


def _card(console: Console, view: View, figure: Any) -> None:
    number(f"**{formats.md(figure.title)}**", path("sli"), view.link(sli=figure.name))
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        state_badge(figure.status, _why(figure))
        objective = f"objective {formats.percent(figure.objective)}"
        st.caption(objective + (" · provisional" if figure.provisional else ""), width="content")
    share = figure.ratio if figure.status != "no_data" else None
    st.metric(
        "Good share",
        formats.percent(share),
        label_visibility="collapsed",
        chart_data=figures.sparkline(console, figure, view.filters, view.shown_us),
        chart_type="line",
    )
    if figure.status == "no_data" and figure.last_ratio is not None:
        st.caption(f"last known {formats.percent(figure.last_ratio)}")
    with st.container(horizontal=True, gap=None):
        for outcome in ("good", "bad", "pending", "blind"):
            target = view.link(sli=figure.name, outcome=outcome)
            count_of(getattr(figure, outcome), outcome, path("sli"), target, _OUTCOME_HELP[outcome])
    if below := figures.notes(figure, view.shown_us):
        st.caption(formats.md(" · ".join(below)))


_OUTCOME_HELP = {
    "good": "Decided: in time and right.",
    "bad": "Decided: too late, wrong, or proven absent.",
    "pending": "Not due yet.",
    "blind": "Due, but we could not look: neither good nor bad.",
}


def _why(figure: Any) -> str:
    if figure.status == "no_data":
        return "Too little was seen, or nothing was decided in the window. This is not success."
    return f"Good share {formats.percent(figure.ratio, 4)} against {formats.percent(figure.objective, 4)}."


def _at_risk(view: View, stuck: Risk) -> None:
    st.subheader("Money at risk", anchor=False)
    if not stuck.late_count + stuck.lost_count:
        empty("No document is late or lost.")
        return
    rows = [
        {
            "Currency": currency,
            "Late": formats.money(m.late_minor, currency),
            "Lost": formats.money(m.lost_minor, currency),
            "Documents": m.documents,
            "currency": currency,
        }
        for currency, m in sorted(stuck.money.items())
    ]
    if stuck.unpriced_count:
        nothing = {"Late": formats.NONE, "Lost": formats.NONE, "currency": "none"}
        rows.append({"Currency": "no amount", "Documents": stuck.unpriced_count, **nothing})
    table(
        rows,
        key="at-risk",
        view=view,
        hidden=("currency",),
        numbers=("Documents",),
        opens=lambda r: (path("late"), view.link(currency=r["currency"])),
    )
    with st.container(horizontal=True, gap="small"):
        count_of(
            stuck.late_count,
            "late",
            path("late"),
            view.link(lost="no"),
            "Overdue, and may still arrive or has come too late.",
        )
        count_of(
            stuck.lost_count,
            "lost",
            path("late"),
            view.link(lost="yes"),
            "Overdue, and proven absent from where it should be.",
        )


def _unseen(view: View, found: Sequence[Any], dark: Mapping[str, Sequence[StreamHealth]], polled: bool) -> None:
    st.subheader("What we could not see", anchor=False)
    blind = [(f, reason, n) for f in found for (outcome, reason), n in sorted(f.reasons.items()) if outcome == "blind"]
    for figure, reason, n in blind:
        label = f"{formats.count(n)} blind in {formats.md(figure.title)}: {formats.md(formats.words(reason or 'no reason'))}"
        number(label, path("sli"), view.link(sli=figure.name, outcome="blind", reason=reason))
    for platform, streams in dark.items():
        names = ", ".join(f"{s.stream} {s.state}" for s in streams[:4]) + (" …" if len(streams) > 4 else "")
        with st.container(horizontal=True, vertical_alignment="center"):
            state_badge(min((s.state for s in streams), key=("failing", "never", "stale").index))
            number(f"{formats.md(platform)}: {formats.md(names)}", path("platforms"), view.link(of=platform))
    if not polled:
        empty("No poll had been made by then: what is shown is what the platforms told of that time later.")
    elif not blind and not dark:
        empty("Every stream is fresh and no subject is blind.")


def _firing(console: Console, view: View) -> list[AlertView]:
    key = ("open_alerts", view.past_us)
    return [a for a in ask(console, key, lambda conn: open_alerts(conn, view.past_us)) if a.state != "pending"]


def _alerts(view: View, alerts: Sequence[AlertView]) -> None:
    st.subheader("Alerts", anchor=False)
    if not alerts:
        empty("No alert is firing.")
        return
    rows = [
        {
            "Severity": a.severity,
            "At risk": formats.moneys(_both(a)),
            "Alert": a.title + (f" (taken on by {a.acknowledged_by})" if a.state == "acknowledged" else ""),
            "Since": a.since_us,
            "Owner": a.owner,
            "Documents": a.document_count,
            "Customers": a.customer_count,
            "id": a.id,
        }
        for a in alerts
    ]
    table(
        rows,
        key="alerts",
        view=view,
        states=("Severity",),
        times=("Since",),
        hidden=("id",),
        opens=lambda r: (path("alerts"), view.link(alert=r["id"])),
    )


def _both(alert: Any) -> dict[str, int]:
    return {c: alert.late.get(c, 0) + alert.lost.get(c, 0) for c in {*alert.late, *alert.lost}}


def _changed(console: Console, view: View) -> None:
    visit = figures.last_visit_us(view.shown_us)
    options = [k for k in SINCE if k != "visit" or visit is not None]
    st.subheader("What changed", anchor=False)
    span = st.segmented_control(
        "Since",
        options,
        default=options[0] if visit else "24h",
        format_func=lambda o: SINCE[o],
        required=True,
        key="since",
    )
    since = visit if span == "visit" and visit is not None else view.shown_us - _SPANS.get(str(span), DAY)
    turned = ask(
        console, ("changes", since, view.shown_us, view.narrow), lambda c: changes(c, since, view.shown_us, view.narrow)
    )
    lost = ask(console, ("outages", since, view.past_us), lambda conn: outages(conn, since, view.past_us))
    for line in turned:
        if line.what != "decided_good":
            _line(console, view, line, since)
    for outage in lost:
        _outage(view, outage)
    if not turned and not lost:
        empty(f"Nothing since {view.instant(since)}.")


def _line(console: Console, view: View, line: Turned, since_us: int) -> None:
    sli = console.model.slis.get(line.name)
    flow = console.model.flows.get(line.name)
    name = formats.md(sli.title if sli else flow.title if flow else formats.words(line.name))
    money = f" · {formats.md(formats.moneys(line.money))}" if line.money else ""
    number(f"{_WORDS[line.what].format(n=formats.count(line.count))} {name}{money}", *_target(view, line, since_us))


_WORDS = {
    "decided_bad": "{n} went bad:",
    "corrected": "{n} corrected:",
    "break_opened": "{n} new and open:",
    "break_closed": "{n} mended:",
    "exception_opened": "{n} to handle:",
    "exception_closed": "{n} handled:",
    "completed": "{n} completed:",
}


def _target(view: View, line: Turned, since_us: int) -> tuple[str, dict[str, str]]:
    since = str(since_us)
    if line.what in ("decided_bad", "corrected"):
        return path("sli"), view.link(sli=line.name, outcome="bad" if line.what == "decided_bad" else None, since=since)
    if line.what == "completed":
        return path("flow"), view.link(flow=line.name, state="done")
    if line.what.startswith("exception"):
        return path("differences"), view.link(show="exceptions")
    return path("differences"), view.link(
        kind=line.name, closed="yes" if line.what == "break_closed" else None, since=since
    )


def _outage(view: View, outage: Outage) -> None:
    state = "failing" if outage.back_us is None else "resolved"
    since = f"since {view.instant(outage.first_us)}" if outage.back_us is None else f"back {view.ago(outage.back_us)}"
    with st.container(horizontal=True, vertical_alignment="center"):
        state_badge(state)
        failed = formats.plural(outage.failures, "poll")
        label = f"{formats.md(outage.platform)} {formats.md(outage.stream)}: {failed} failed, {since}"
        number(label, path("platforms"), view.link(of=outage.platform))


if __name__ == "__main__":
    show("overview", render)
