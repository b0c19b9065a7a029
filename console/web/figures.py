"""SLI figures and the records behind them as pages and routes ask for them: the one computation, its answers kept.

Nothing is computed here; `metrics.sli` and `metrics.risk` are the only sources of figures.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

import streamlit as st

from metrics import risk, sli
from metrics.arrays import NONE
from metrics.definitions import Flow
from metrics.listing import EventRow
from metrics.queries.behind import behind as query
from metrics.queries.pages import Listing
from metrics.sight import View as Sight
from probes.clock import DAY, SECOND

from . import formats
from .context import Console
from .data import ask
from .visits import last_visit_us as read_visit

T = TypeVar("T")
SPARK_DAYS = 14


def figures(console: Console, filters: sli.Filters, now_us: int, *, percentiles: bool = True) -> list[sli.Figure]:
    """Return the figure of every SLI; without percentiles where nobody looks at them."""
    key = ("figures", filters, now_us, percentiles)
    return ask(console, key, lambda conn: sli.figures(conn, console.model, now_us, filters, percentiles=percentiles))


HEADLINE = ("order_latency", "invoice_sync_success", "master_reconciliation")
_KINDS = ("event", "state", "sample")


def headline_first(found: Sequence[sli.Figure]) -> list[sli.Figure]:
    """Return figures in the order people read them: the headline ones, then events, states and samples."""
    rank = {name: i for i, name in enumerate(HEADLINE)}
    return sorted(found, key=lambda f: (rank.get(f.name, len(rank)), _KINDS.index(f.kind), f.title))


def flows_in_order(console: Console) -> list[str]:
    """Return the flows in the order people read them: those of the headline SLIs first."""
    slis = console.model.slis
    heads = [slis[name].flow for name in HEADLINE if name in slis]
    return sorted(console.model.flows, key=lambda f: (heads.index(f) if f in heads else len(heads), f))


def notes(figure: sli.Figure, shown_us: int) -> list[str]:
    """Return what stands below a figure: budget in subjects, money that went bad, how much was seen and up to when."""
    found = [budget(figure)] if figure.kind == "event" and figure.good + figure.bad else []
    if figure.money.get("bad"):
        found.append(f"{formats.moneys(figure.money['bad'])} bad")
    if figure.coverage < 1:
        found.append(f"seen {formats.percent(figure.coverage, 1)} of the window")
    if figure.kind != "sample":
        found.append(_known(figure.horizon_us, shown_us))
    return found


def _known(horizon_us: int | None, shown_us: int) -> str:
    if horizon_us is None:
        return "never seen whole"
    if shown_us - horizon_us < SECOND:
        return "known up to this instant"
    return f"known up to {formats.duration(shown_us - horizon_us)} before"


def budget(figure: sli.Figure) -> str:
    """Return the error budget in subjects: how many more may fail in this window, or by how many it is overspent."""
    allowed = int((1 - figure.objective) * (figure.good + figure.bad))
    left = allowed - figure.bad
    if left < 0:
        return f"{formats.count(figure.bad)} failed where {formats.count(allowed)} may"
    return f"{formats.count(left)} more may fail" if left else "none more may fail"


def slices(console: Console, name: str, by: str, filters: sli.Filters, now_us: int) -> list[tuple[str, sli.Figure]]:
    """Return one SLI's figure per legal entity, platform, segment or currency."""
    key = ("slices", name, by, filters, now_us)
    return ask(console, key, lambda conn: sli.slices(conn, console.model, now_us, name, by, filters))


def series(console: Console, name: str, from_us: int, to_us: int, grain: str, filters: sli.Filters) -> list[sli.Point]:
    """Return one SLI's counts per hour or day; empty for an SLI that is a state, which has no buckets."""
    key = ("series", name, from_us, to_us, grain, filters)
    return ask(console, key, lambda conn: sli.series(conn, console.model, name, from_us, to_us, grain, filters))


def sparkline(console: Console, figure: sli.Figure, filters: sli.Filters, now_us: int) -> list[float] | None:
    """Return the good share of each of the last days that had data, for a small picture; None when there are too few."""
    if figure.kind != "event":
        return None
    points = series(console, figure.name, now_us - SPARK_DAYS * DAY, now_us, "day", filters)
    shares = [float(p.ratio) * 100 for p in points if p.ratio is not None]
    return shares if len(shares) > 1 else None


def behind(
    console: Console,
    figure: sli.Figure,
    filters: sli.Filters,
    now_us: int,
    outcome: str | None = None,
    reason: str | None = None,
    limit: int = 200,
    after: str | None = None,
) -> Listing[EventRow]:
    """Return the subjects behind a figure; `total` is the figure's own count."""
    total = sum(n for (o, r), n in figure.reasons.items() if outcome in (None, o) and reason in (None, r))
    key = ("behind", figure.name, filters, now_us, outcome, reason, limit, after)

    def question(conn: Any) -> Listing[EventRow]:
        narrowed: dict[str, Any] = {
            "outcome": outcome,
            "reason": reason,
            "total": total,
            "limit": limit,
            "after": after,
        }
        return query(conn, console.model, now_us, figure.name, filters, **narrowed)

    return ask(console, key, question)


def late(console: Console, filters: sli.Filters, now_us: int) -> list[risk.LateDocument]:
    """Return the late and lost steps."""
    return ask(console, ("late", filters, now_us), lambda conn: risk.late(conn, console.model, now_us, filters))


def stuck(console: Console, filters: sli.Filters, now_us: int) -> risk.Risk:
    """Return how many steps are late and lost, and the money behind them, each document once."""
    return ask(console, ("stuck", filters, now_us), lambda conn: risk.risk(conn, console.model, now_us, filters))


def at_risk(console: Console, filters: sli.Filters, now_us: int) -> Mapping[str, risk.Money]:
    """Return money at risk per currency, each document once."""
    return stuck(console, filters, now_us).money


def flow_horizon(console: Console, flow: Flow, shown_us: int) -> int | None:
    """Return up to when every stream that a flow reads is known; None when one never was."""

    def question(conn: Any) -> int | None:
        sight = Sight(conn, console.model)
        mark = sight.watermark(sight.flow_streams(flow))
        return None if mark == NONE else min(mark, shown_us)

    return ask(console, ("flow_horizon", flow.name, shown_us), question)


def last_visit_us(shown_us: int) -> int | None:
    """Return when this viewer was last here before this visit, from a cookie of ours; None at the first visit."""
    found = read_visit(st.context.cookies)
    return found if found is not None and found < shown_us else None
