"""How figures look as pictures: ratios and latencies over time, a funnel, a timeline over platforms.

Pure: figures in, Plotly figures out. Every series differs in dash or shape as well as colour, foreign text is escaped, and a
gap stays a gap: what was not seen is never drawn as zero or as good.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any
from zoneinfo import ZoneInfo

import plotly.graph_objects as go

from probes.clock import duration_us, from_us

from . import formats
from .states import DARK, LIGHT, Colour, look

_SYMBOLS = {"stamp": "circle", "day": "diamond-wide", "between polls": "square", "deadline": "line-ns-open"}


@dataclass(frozen=True, slots=True)
class Ground:
    """On which ground a picture is drawn, and in whose zone."""

    dark: bool
    zone: ZoneInfo

    def colour(self, name: Colour) -> str:
        """Return a status colour for this ground."""
        return (DARK if self.dark else LIGHT)[name]

    @property
    def grid(self) -> str:
        """Return the colour of grid lines."""
        return "#3A3F4B" if self.dark else "#E3E6EA"

    @property
    def ink(self) -> str:
        """Return the colour of labels."""
        return "#C9CED6" if self.dark else "#3D4450"

    def at(self, us: int) -> Any:
        """Return an instant as the viewer's wall clock, which is what Plotly draws."""
        return from_us(us).astimezone(self.zone).replace(tzinfo=None)


def _base(ground: Ground, height: int, **layout: Any) -> go.Figure:
    figure = go.Figure()
    axis = {"gridcolor": ground.grid, "zerolinecolor": ground.grid, "tickfont": {"color": ground.ink, "size": 12}}
    figure.update_layout(
        height=height,
        margin={"l": 8, "r": 8, "t": 36, "b": 8},
        paper_bgcolor="rgba(0,0,0,0)",
        plot_bgcolor="rgba(0,0,0,0)",
        font={"color": ground.ink, "size": 12},
        legend={"orientation": "h", "y": 1.02, "yanchor": "bottom", "x": 0},
        hovermode="x unified",
        **layout,
    )
    figure.update_xaxes(**axis)
    figure.update_yaxes(**axis)
    return figure


def ratio_over_time(points: Sequence[Any], objective: Fraction, span: tuple[int, int], ground: Ground) -> go.Figure:
    """Return good shares per bucket against the objective, with bad and blind counts below. Gaps are buckets without data.

    `span` is drawn whole: a store that is an hour old shows how little of the window it knows.
    """
    figure = _base(ground, 280, barmode="stack")
    at = [ground.at(p.bucket_us) for p in points]
    share = [None if p.ratio is None else float(p.ratio) * 100 for p in points]
    figure.add_scatter(
        x=at, y=share, name="good share", mode="lines+markers", connectgaps=False, yaxis="y2",
        line={"color": ground.colour("blue"), "width": 2}, marker={"size": 5}, hovertemplate="%{y:.2f} %",
    )  # fmt: skip
    ends = [ground.at(us) for us in span]
    if at:
        figure.add_scatter(
            x=ends, y=[float(objective) * 100] * 2, name="objective", mode="lines", yaxis="y2",
            line={"color": ground.ink, "width": 1, "dash": "dash"}, hoverinfo="skip",
        )  # fmt: skip
    figure.add_bar(
        x=at, y=[p.bad for p in points], name="bad", marker_color=ground.colour("red"), marker_pattern_shape=""
    )
    figure.add_bar(
        x=at, y=[p.blind for p in points], name="blind", marker_color=ground.colour("gray"), marker_pattern_shape="/"
    )
    most = max([p.bad + p.blind for p in points], default=0)
    low = min([s for s in share if s is not None] + [float(objective) * 100])
    figure.update_layout(
        xaxis={"range": ends},
        yaxis={
            "title": "count",
            "domain": [0, 0.3],
            "range": [0, max(most * 1.1, 1)],
            "tickformat": ",d",
            "nticks": 3,
            "dtick": 1 if most <= 3 else None,
        },
        yaxis2={
            "title": "% good",
            "domain": [0.4, 1],
            "range": [max(0, low - (100 - low) * 0.2 - 0.5), 100.5],
            "gridcolor": ground.grid,
        },
    )
    return figure


_TICKS_US = tuple(duration_us(t) for t in ("1s", "10s", "1m", "5m", "15m", "1h", "4h", "12h", "1d", "3d", "7d", "28d"))


def latency_over_time(points: Sequence[Any], due_us: int | None, ground: Ground) -> go.Figure:
    """Return percentiles of latency per bucket; `points` have bucket_us, p50_us, p95_us, p99_us.

    The scale is logarithmic, because a step that is usually minutes and once took days would hide all else. What came
    before its start is drawn at one second and told exactly on hovering.
    """
    figure = _base(ground, 280)
    at = [ground.at(p.bucket_us) for p in points if p.bucket_us is not None]
    series: tuple[tuple[str, str, Colour], ...] = (
        ("p50", "solid", "blue"),
        ("p95", "dash", "orange"),
        ("p99", "dot", "red"),
    )
    for name, dash, colour in series:
        values = [getattr(p, f"{name}_us", None) for p in points if p.bucket_us is not None]
        if any(v is not None for v in values):
            figure.add_scatter(
                x=at,
                y=[None if v is None else max(v, _TICKS_US[0]) for v in values],
                name=name,
                mode="lines+markers",
                connectgaps=False,
                text=[formats.duration(v) for v in values],
                hovertemplate="%{text}",
                line={"dash": dash, "color": ground.colour(colour), "width": 2},
                marker={"size": 5},
            )
    if due_us is not None:
        line = {"color": ground.ink, "width": 1, "dash": "longdash"}
        figure.add_hline(y=due_us, line=line, annotation_text=f"deadline {formats.duration(due_us)}")
    figure.update_yaxes(type="log", tickvals=list(_TICKS_US), ticktext=[formats.duration(t) for t in _TICKS_US])
    return figure


FUNNEL_STATES = ("done", "waiting", "confirming", "late", "lost", "blind", "duplicate", "not_needed")


def order_of(state: str) -> int:
    """Return where a step's state stands in the order of a funnel."""
    return FUNNEL_STATES.index(state) if state in FUNNEL_STATES else len(FUNNEL_STATES)


def funnel(steps: Sequence[Any], titles: Mapping[str, str], ground: Ground) -> go.Figure:
    """Return one bar per step, split by what documents show there; `steps` have step and counts."""
    names = [formats.chart_text(titles.get(s.step, s.step)) for s in steps]
    figure = _base(ground, 70 + 44 * len(steps), barmode="stack")
    patterns = {"waiting": ".", "confirming": ".", "blind": "/", "lost": "x", "late": "", "duplicate": "+"}
    for state in FUNNEL_STATES:
        values = [s.counts.get(state, 0) for s in steps]
        if any(values):
            shown = look(state)
            figure.add_bar(
                y=names, x=values, name=shown.word, orientation="h", marker_color=ground.colour(shown.colour),
                marker_pattern_shape=patterns.get(state, ""), text=[f"{v:,}" if v else "" for v in values],
                textposition="inside", insidetextanchor="middle", hovertemplate="%{x:,} " + shown.word,
            )  # fmt: skip
    figure.update_layout(
        hovermode="closest", uniformtext={"minsize": 10, "mode": "hide"}, legend={"traceorder": "normal"}
    )
    figure.update_yaxes(autorange="reversed")
    return figure


def timeline(
    moments: Sequence[Any], shown_us: int, ground: Ground, titles: Mapping[str, str], awaited: Sequence[str] = ()
) -> go.Figure:
    """Return one lane per platform with what happened there, deadlines as bars across, and now.

    `titles` are those of steps; `awaited` are platforms that keep a lane although nothing happened there yet.
    """
    lanes = list(dict.fromkeys([*(m.platform for m in moments if m.platform is not None), *awaited]))
    figure = _base(ground, 150 + 56 * max(len(lanes), 1))
    labels = _labels(moments)
    starts = [m.latest_us for m in moments] or [shown_us]
    for state in dict.fromkeys(m.state for m in moments if m.how != "deadline"):
        _lane_points(figure, [m for m in moments if m.state == state and m.how != "deadline"], state, ground, labels)
    for moment in moments:
        if moment.how == "deadline":
            colour = ground.colour(look(moment.state).colour)
            figure.add_vline(x=ground.at(moment.due_us), line={"color": colour, "width": 2, "dash": "dash"})
            figure.add_annotation(
                x=ground.at(moment.due_us), y=1, yref="paper", yanchor="bottom", showarrow=False, font={"color": colour},
                text=f"{formats.chart_text(titles.get(moment.what, formats.words(moment.what)))} due, {look(moment.state).word}",
                xanchor="right" if moment.due_us * 2 > min(starts) + max(*starts, shown_us) else "left",
            )  # fmt: skip
    figure.add_vline(x=ground.at(shown_us), line={"color": ground.ink, "width": 1, "dash": "dot"})
    figure.update_layout(
        hovermode="closest",
        margin={"l": 8, "r": 8, "t": 40, "b": 70},
        legend={"orientation": "h", "yref": "container", "y": 0, "yanchor": "bottom", "x": 0},
    )
    order = [formats.chart_text(lane) for lane in reversed(lanes)]
    if awaited:
        # An axis of names knows only those that some point names.
        figure.add_scatter(
            x=[ground.at(shown_us)] * len(order), y=order, mode="markers", opacity=0, showlegend=False, hoverinfo="skip"
        )
    figure.update_yaxes(categoryorder="array", categoryarray=order, range=[-0.7, len(order) - 0.3])
    return figure


def _labels(moments: Sequence[Any]) -> dict[int, str]:
    """Return what is written at each moment: those that stand too close on a lane share one label, so none overlaps."""
    happened = sorted((m for m in moments if m.how != "deadline"), key=lambda m: m.latest_us)
    ends = [m.latest_us for m in moments] or [0]
    near = (max(ends) - min(ends)) // 12
    texts: dict[int, list[str]] = {}
    last: dict[str, tuple[int, int]] = {}
    for m in happened:
        first, at = last.get(m.platform, (id(m), None))
        if at is None or m.latest_us - at > near:
            first = id(m)
            last[m.platform] = (first, m.latest_us)
        words = texts.setdefault(first, [])
        if (word := formats.chart_text(formats.words(m.what))) not in words:
            words.append(word)
    return {key: ", ".join(words) for key, words in texts.items()}


def _lane_points(
    figure: go.Figure, moments: Sequence[Any], state: str, ground: Ground, labels: Mapping[int, str]
) -> None:
    shown = look(state)
    for m in moments:
        if m.latest_us > m.at_us:
            lane = formats.chart_text(m.platform)
            figure.add_scatter(
                x=[ground.at(m.at_us), ground.at(m.latest_us)], y=[lane, lane], mode="lines", showlegend=False, hoverinfo="skip",
                line={"color": ground.colour(shown.colour), "width": 6}, opacity=0.35,
            )  # fmt: skip
    figure.add_scatter(
        x=[ground.at(m.latest_us) for m in moments],
        y=[formats.chart_text(m.platform) for m in moments],
        mode="markers+text",
        name=shown.word,
        text=[labels.get(id(m), "") for m in moments],
        textposition="top right",
        textfont={"size": 11},
        customdata=[[_hover(m)] for m in moments],
        hovertemplate="%{customdata[0]}<extra></extra>",
        marker={
            "size": 12,
            "color": ground.colour(shown.colour),
            "symbol": [_SYMBOLS.get(m.how, "circle") for m in moments],
            "line": {"width": 1, "color": ground.ink},
        },
    )


def _hover(moment: Any) -> str:
    side = "after" if (moment.late_us or 0) > 0 else "before"
    late = "" if moment.late_us is None else f"<br>{formats.duration(abs(moment.late_us))} {side} its deadline"
    kind, what = (formats.chart_text(formats.words(w)) for w in (moment.kind, moment.what))
    record = f"{kind} {formats.chart_text(moment.label)}"
    return f"{record}: {what}<br>{formats.utc(moment.latest_us)}, {moment.how}{late}"


def score_parts(parts: Sequence[Any], ground: Ground) -> go.Figure:
    """Return how the parts of a score add up to its weight in bits: for the match to the right, against it to the left."""
    told = [p for p in parts if p.weight]  # what is missing on a side says nothing
    total = sum(p.weight for p in told)
    reached = [sum(p.weight for p in told[:n]) for n in range(len(told) + 1)]
    low, high = min(reached), max(reached)
    room = max(high - low, 1) * 0.18  # for the figures beside the bars
    figure = _base(ground, 60 + 34 * (len(told) + 1), showlegend=False)
    figure.add_waterfall(
        orientation="h", y=[*(_part_name(p) for p in told), "sum"], x=[*(p.weight for p in told), None],
        measure=["relative"] * len(told) + ["total"], text=[*(f"{p.weight:+.1f}" for p in told), f"{total:+.1f}"],
        textposition="outside", connector={"line": {"color": ground.grid}}, hoverinfo="skip",
        increasing={"marker": {"color": ground.colour("green")}},
        decreasing={"marker": {"color": ground.colour("red")}},
        totals={"marker": {"color": ground.colour("blue")}},
    )  # fmt: skip
    figure.update_yaxes(autorange="reversed", showgrid=False)
    figure.update_xaxes(title="bits of evidence", zeroline=True, range=[low - room, high + room])
    figure.update_layout(hovermode=False)
    return figure


def _part_name(part: Any) -> str:
    """Return what a part of a score is called beside its bar."""
    told = f"{formats.words(part.comparison)}: {part.level}" if part.level else formats.words(part.comparison)
    return formats.chart_text(told)
