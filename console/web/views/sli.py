"""One SLI: its figure, how it went, where it is worst, and every subject behind the number with its proof."""

from __future__ import annotations

from typing import Any

import streamlit as st

from console.web import charts, figures, formats
from console.web.context import Console
from console.web.frame import DEFAULT_SPAN_US, View, choose, show
from console.web.long_list import long_list
from console.web.pages import Page, path
from console.web.rows import record_of
from console.web.widgets import count_of, empty, heading, number, state_badge, table
from metrics.queries.pages import Listing
from probes.clock import DAY

PAGE = Page("SLIs", "speed", 20)
OUTCOMES = {
    "": "Every outcome",
    "good": "good",
    "bad": "bad",
    "pending": "pending",
    "blind": "blind",
    "excluded": "excluded",
}
SLICES = {"entity": "legal entity", "platform": "platform", "segment": "segment", "currency": "currency"}


def render(console: Console, view: View) -> None:
    """Show the page."""
    found = {f.name: f for f in figures.figures(console, view.filters, view.shown_us)}
    if not found:
        empty("No SLI is configured for the platforms there are.")
        return
    titles = {f.name: formats.plain(f.title) for f in figures.headline_first(list(found.values()))}
    top, choice = st.columns([3, 1], vertical_alignment="bottom")
    with choice:
        figure = found[choose("SLI", "sli", titles, next(iter(titles)))]
    with top:
        heading(figure.title, _sentence(view, figure), view, figure.horizon_us)
    _numbers(view, figure)
    _over_time(console, view, figure)
    where, why = st.columns([3, 2], gap="large")
    with where:
        _slices(console, view, figure)
    with why:
        _reasons(view, figure)
    _records(console, view, figure)


def _sentence(view: View, figure: Any) -> str:
    since = f"From **{view.instant(figure.window_from_us)}** to **{view.instant(figure.window_to_us)}**"
    return since + (f" · owner **{formats.md(figure.owner)}**" if figure.owner else "")


def _numbers(view: View, figure: Any) -> None:
    share, objective, counts = st.columns([1, 1, 4])
    with share:
        st.metric("Good share", formats.percent(figure.ratio if figure.status != "no_data" else None))
        state_badge(figure.status)
    with objective:
        st.metric("Objective", formats.percent(figure.objective))
        if figure.status == "no_data" and figure.last_ratio is not None:
            st.caption(f"last known {formats.percent(figure.last_ratio)}")
    with counts:
        with st.container(horizontal=True, gap="medium"):
            for outcome in ("good", "bad", "pending", "blind", "excluded"):
                count_of(getattr(figure, outcome), outcome, path("sli"), view.link(sli=figure.name, outcome=outcome))
        if below := figures.notes(figure, view.shown_us):
            st.caption(formats.md(" · ".join(below)))
        _latency(figure)


def _latency(figure: Any) -> None:
    if figure.p50_us is not None:
        latency = " · ".join(f"{p} **{formats.duration(getattr(figure, f'{p}_us'))}**" for p in ("p50", "p95", "p99"))
        beside = f"{formats.plural(figure.incomplete_count, 'subject')} never completed and not among them"
        st.caption(f"Latency of what completed: {latency} · {beside}")
    if figure.corrected_count:
        st.caption(f"{formats.plural(figure.corrected_count, 'verdict')} corrected by records that were seen later")


def _over_time(console: Console, view: View, figure: Any) -> None:
    st.subheader("Over time", anchor=False)
    if figure.kind == "state":
        share = formats.percent(figure.window_ratio)
        empty(f"A state is good or bad over time: weighted by time over the window, {share} of the subjects were good.")
        return
    span = view.filters.window_us or DEFAULT_SPAN_US
    grain = "hour" if span <= 2 * DAY else "day"
    points = figures.series(console, figure.name, view.shown_us - span, view.shown_us, grain, view.filters)
    if not any(p.good or p.bad or p.blind for p in points):
        empty("Nothing was decided in this span.")
        return
    ground = charts.Ground(view.dark, view.zone)
    picture = charts.ratio_over_time(points, figure.objective, (view.shown_us - span, view.shown_us), ground)
    alt = f"Good share per {grain} against the objective, with counts of bad and blind"
    st.plotly_chart(picture, key="ratio", config={"displaylogo": False}, alt=alt)
    with st.expander("The numbers in this chart"):
        rows = [
            {
                "From": p.bucket_us,
                "Good": p.good,
                "Bad": p.bad,
                "Blind": p.blind,
                "Good share": formats.percent(p.ratio),
            }
            for p in points
        ]
        table(rows, key="series", view=view, times=("From",))
    if figure.flow:
        number(
            "Latency over time, step by step",
            path("flow"),
            view.link(flow=figure.flow, hop=console.model.slis[figure.name].stop),
        )


def _slices(console: Console, view: View, figure: Any) -> None:
    st.subheader("Where", anchor=False)
    # What a platform answers belongs to no entity, segment or currency.
    kinds = {"platform": SLICES["platform"]} if figure.kind == "sample" else SLICES
    by = choose("By", "by", kinds, next(iter(kinds)))
    found = figures.slices(console, figure.name, by, view.filters, view.shown_us)
    rows = [
        {
            by.capitalize(): label or "none",
            "Good share": formats.percent(f.ratio),
            "State": f.status,
            "Bad": f.bad,
            "Good": f.good,
            "Pending": f.pending,
            "Blind": f.blind,
            "label": label,
        }
        for label, f in found
    ]
    opens = None if by == "currency" else (lambda r: (path("sli"), view.link(sli=figure.name, **{by: r["label"]})))
    table(rows, key="slices", view=view, states=("State",), hidden=("label",), opens=opens)


def _reasons(view: View, figure: Any) -> None:
    reasons = sorted(((o, r or "", n) for (o, r), n in figure.reasons.items()), key=lambda x: (x[0], -x[2]))
    st.subheader("Why", anchor=False)
    table(
        [{"Outcome": o, "Reason": formats.words(r) or "in time", "Count": n, "o": o, "r": r} for o, r, n in reasons],
        key="reasons",
        view=view,
        states=("Outcome",),
        hidden=("o", "r"),
        opens=lambda r: (path("sli"), view.link(sli=figure.name, outcome=r["o"], reason=r["r"])) if r["r"] else None,
    )


def _records(console: Console, view: View, figure: Any) -> None:
    st.subheader("The records behind the number", anchor=False)
    left, right = st.columns(2)
    with left:
        outcome = choose("Outcome", "outcome", OUTCOMES) or None
    reasons = {r or "": formats.words(r or "in time") for o, r in figure.reasons if o == outcome and r}
    with right:
        reason = (choose("Reason", "reason", {"": "Every reason", **reasons}) or None) if reasons else None

    def listing(limit: int, after: str | None) -> Listing[Any]:
        return figures.behind(console, figure, view.filters, view.shown_us, outcome, reason, limit, after)

    long_list(
        listing,
        lambda e: _event(console, figure, e),
        "No subject has this outcome in the window.",
        key="events",
        view=view,
        states=("Outcome",),
        times=("Start", "Due", "Decided"),
        links={"link": "open there"},
        hidden=("platform", "kind", "id"),
        opens=lambda r: _open(view, figure, r),
    )


def _open(view: View, figure: Any, row: Any) -> tuple[str, dict[str, str]] | None:
    if figure.kind == "sample":
        return path("platforms"), view.link(of=row["platform"])
    return record_of(view, row)


def _event(console: Console, figure: Any, event: Any) -> dict[str, Any]:
    return {
        "Outcome": event.outcome,
        "Reason": formats.words(event.reason or "in time") if event.outcome != "pending" else "",
        "Stream" if figure.kind == "sample" else "Document": event.number or event.external_id,
        "Customer": event.customer_name,
        "Money": formats.money(event.money_minor, event.currency),
        "Due": event.due_us,
        "Decided": event.at_us,
        "Took": formats.duration(event.value_us),
        "Proven by": _proof(console, event),
        "Start": event.start_us,
        "Entity": event.entity,
        "Revision": event.revision if event.revision > 1 else None,
        "Digest": event.digest[:16],
        "link": event.link,
        "platform": event.platform,
        "kind": event.kind,
        "id": event.external_id,
    }


def _proof(console: Console, event: Any) -> str | None:
    """Return the record that proves a verdict; of a missing one, the step at which it should have been."""
    name = event.proof_number or event.proof_external_id
    if name is None and event.proof_platform:
        titles = {s.name: s.title for f in console.model.flows.values() for s in f.steps}
        return f"{titles.get(event.proof_platform, event.proof_platform)}: none"
    return f"{event.proof_platform} {name}" if event.proof_platform else name


if __name__ == "__main__":
    show("sli", render)
