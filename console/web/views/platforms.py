"""What can be seen: each platform's freshness, last polls, quota, clock and drift, and how every poll ended."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import streamlit as st

from console.run.pulse import faults
from console.web import formats
from console.web.context import Console
from console.web.data import ask
from console.web.frame import View, choose, show
from console.web.long_list import long_list
from console.web.pages import Page, path
from console.web.widgets import empty, heading, state_badge, table
from metrics.queries import platforms as query
from metrics.queries.pages import Listing

PAGE = Page("Platforms", "dns", 70)
STATUSES = {
    "": "However it ended",
    "failed": "failed",
    "partial": "partial",
    "suspect": "suspect",
    "complete": "complete",
}


def render(console: Console, view: View) -> None:
    """Show the page."""
    key = ("platforms", view.shown_us, view.live)
    found = ask(console, key, lambda c: query.platforms(c, view.shown_us, past=not view.live))
    marks = [p.watermark_us for p in found if p.watermark_us is not None]
    never = sum(p.watermark_us is None for p in found)
    blind = f" · **{formats.plural(never, 'platform')} never polled whole**" if never else ""
    heading(
        "What can be seen",
        f"A platform that cannot be polled makes figures blind, never good and never bad{blind}",
        view,
        min(marks, default=None),
    )
    if not found:
        empty("No platform is configured.")
        return
    for start in range(0, len(found), 3):
        for column, platform in zip(st.columns(3), found[start : start + 3], strict=False):
            with column, st.container(border=True, height="stretch"):
                _card(view, platform)
    names = {"": "All platforms", **{p.name: formats.plain(p.name) for p in found}}
    one = choose("Platform in the lists below", "of", names, view.filters.platform or "")
    shown = [p for p in found if not one or p.name == one]
    _streams(view, [s for p in shown for s in p.streams])
    _runs(console, view, one or None)
    _held(console, view, one or None)
    _monitor(console, view)


def _card(view: View, platform: query.PlatformHealth) -> None:
    with st.container(horizontal=True, vertical_alignment="center", horizontal_alignment="distribute"):
        st.markdown(f"**{formats.md(platform.name)}**", width="content")
        state_badge(platform.state)
    about = [
        platform.vendor,
        platform.environment or "does not tell its environment",
        platform.roles.replace(",", ", "),
        platform.version,
    ]
    st.caption(" · ".join(formats.md(a) for a in about if a))
    known = (
        "never polled whole"
        if platform.watermark_us is None
        else f"{formats.duration(view.shown_us - platform.watermark_us)} behind"
        + (f", by {formats.md(furthest)}" if (furthest := _furthest(platform)) else "")
    )
    st.markdown(f"known up to **{view.instant(platform.watermark_us, seconds=True)}** · {known}")
    if platform.quota:
        _quota(view, platform.quota)
    if platform.skew_us is not None:
        ours = (
            "with ours"
            if abs(platform.skew_us) < 2_000_000
            else f"{formats.duration(abs(platform.skew_us))} {'ahead' if platform.skew_us > 0 else 'behind'}"
        )
        st.caption(
            f"its clock agrees {ours}" if ours == "with ours" else f"its clock is {ours}; latencies are corrected"
        )
    if platform.warnings:
        st.warning(formats.md(platform.warnings), icon=":material/warning:")


def _furthest(platform: query.PlatformHealth) -> str | None:
    """Return the stream that keeps a platform's instant back, where others are further."""
    marks = {s.stream: s.watermark_us for s in platform.streams if s.watermark_us is not None}
    return min(marks, key=lambda s: marks[s]) if len(set(marks.values())) > 1 else None


def _quota(view: View, quota: query.Quota) -> None:
    used = min(quota.used / quota.limit, 1.0) if quota.limit else 0.0
    runs_out = f" · at this pace used up {view.instant(quota.exhausted_us)}" if quota.exhausted_us is not None else ""
    st.progress(used, f"{formats.count(quota.used)} of {formats.count(quota.limit)} calls used{runs_out}")


def _streams(view: View, streams: Sequence[query.StreamHealth]) -> None:
    st.subheader("Streams", anchor=False)
    rows = [
        {
            "State": s.state,
            "Platform": s.platform,
            "Stream": s.stream,
            "Behind": formats.duration(s.lag_us),
            "Normally up to": formats.duration(s.expected_us),
            "Last poll": s.last.started_us if s.last else None,
            "Ended": s.last.status if s.last else None,
            "Because": _because(s),
            "Known up to": s.watermark_us,
            "Median latency": formats.duration(s.latency_p50_us),
            "95 of 100 under": formats.duration(s.latency_p95_us),
            "Held rows": s.quarantined,
            "API": s.api_version,
            "Drift": drift(s.drift),
        }
        for s in streams
    ]
    table(
        rows,
        key="streams",
        view=view,
        seconds=True,
        states=("State", "Ended"),
        times=("Last poll", "Known up to"),
        opens=lambda r: (path("platforms"), view.link(of=r["Platform"])),
    )


def _because(stream: query.StreamHealth) -> str:
    last = stream.last
    if last is None or last.status == "complete":
        return ""
    times = f" ({formats.plural(stream.failures, 'time')})" if stream.failures > 1 else ""
    return f"{formats.words(last.reason or last.status)}{times}"


def drift(text: str | None) -> str:
    """Return schema drift as words: fields that came or went, statuses the mapping does not know."""
    if not text:
        return ""
    try:
        found = json.loads(text)
    except ValueError:
        return text
    if not isinstance(found, dict):
        return text
    parts = [f"{name}: {', '.join(map(str, values))}" for name, values in found.items() if values]
    return "; ".join(parts)


def _runs(console: Console, view: View, platform: str | None) -> None:
    st.subheader("Poll runs", anchor=False)
    status = choose("Ended", "status", STATUSES) or None

    def listing(limit: int, after: str | None) -> Listing[query.Run]:
        key = ("runs", platform, status, view.from_us, view.past_us, limit, after)
        span: dict[str, Any] = {"from_us": view.from_us, "until_us": view.past_us}
        return ask(
            console,
            key,
            lambda c: query.poll_runs(c, platform=platform, status=status, limit=limit, after=after, **span),
        )

    long_list(
        listing,
        _run,
        "No poll ended like this in this span.",
        key="runs",
        view=view,
        seconds=True,
        states=("Ended",),
        times=("Started",),
    )


def _run(run: query.Run) -> dict[str, Any]:
    took = None if run.finished_us is None else run.finished_us - run.started_us
    return {
        "Started": run.started_us,
        "Platform": run.platform,
        "Stream": run.stream,
        "Kind": run.kind,
        "Ended": run.status,
        "Because": formats.words(run.reason or ""),
        "Message": run.message,
        "Took": formats.duration(took) if took is None or took >= 1_000_000 else f"{took // 1000} ms",
        "Requests": run.requests,
        "Throttled": run.throttled,
        "Records": run.records,
        "New versions": run.versions,
        "Held": run.quarantined,
        "HTTP": run.http_status,
    }


def _held(console: Console, view: View, platform: str | None) -> None:
    key = ("held", platform, view.past_us)
    found = ask(console, key, lambda c: query.quarantined(c, platform=platform, until_us=view.past_us))
    if found:
        st.subheader("Rows held back", anchor=False)
        rows = [
            {
                "Platform": h.platform,
                "Stream": h.stream,
                "Id": h.external_id,
                "Reason": formats.words(h.reason),
                "Message": h.message,
                "First seen": h.first_us,
                "Last seen": h.last_us,
                "Times": h.seen_count,
            }
            for h in found
        ]
        table(rows, key="held", view=view, times=("First seen", "Last seen"))


def _monitor(console: Console, view: View) -> None:
    key = ("faults", view.from_us, view.past_us)
    found = ask(console, key, lambda c: list(faults(c, view.from_us, until_us=view.past_us)))
    if found:
        st.subheader("Faults of the monitor itself", anchor=False)
        empty("These are ours, not the platforms'; no verdict was made from them.")
        rows = [
            {"At": f.at_us, "Kind": formats.words(f.kind), "Part": f.part, "Message": f.message, "Times": f.seen_count}
            for f in found
        ]
        table(rows, key="faults", view=view, times=("At",))


if __name__ == "__main__":
    show("platforms", render)
