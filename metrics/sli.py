"""What an SLI amounts to: the one computation behind every figure on screen, in alerts, in the API and in exports.

Good / (good + bad), with pending and blind beside it, over a window that ends at the horizon: the least watermark of every
stream the SLI reads. Ratios are exact fractions; rounding is for showing. Nothing is written here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from fractions import Fraction

from sqlalchemy import Connection, text

from probes.clock import DAY, HOUR

from .counting import Count, count_events, count_polls, count_states
from .definitions import Model, Sli
from .filters import Filters
from .latency import latencies
from .sight import View
from .windows import Window, window_of

__all__ = ["BurnRates", "Figure", "Filters", "Point", "burn", "figures", "generation", "series", "slices"]


@dataclass(frozen=True)
class Figure:
    """One SLI over one window.

    Units: counts of subjects (event: subjects decided in the window; state: subjects now; sample: polls); `*_us`
    microseconds; money in minor units per outcome and currency. `ratio` is None when there is no data, `last_ratio` is then the
    value as far as it was seen. `window_ratio` of a state SLI weighs subjects by time.
    """

    name: str
    title: str
    kind: str
    flow: str | None
    owner: str | None
    objective: Fraction
    provisional: bool
    good: int
    bad: int
    pending: int
    blind: int
    excluded: int
    reasons: dict[tuple[str, str], int]
    money: dict[str, dict[str, int]]
    ratio: Fraction | None
    last_ratio: Fraction | None
    window_ratio: Fraction | None
    status: str
    window_from_us: int
    window_to_us: int
    horizon_us: int | None
    coverage: Fraction
    watched_since_us: int | None
    p50_us: int | None = None
    p95_us: int | None = None
    p99_us: int | None = None
    incomplete_count: int = 0
    corrected_count: int = 0
    budget_remaining: Fraction | None = None


@dataclass(frozen=True)
class Point:
    """One bucket of a series. Time: `bucket_us` is its start."""

    bucket_us: int
    good: int
    bad: int
    blind: int
    ratio: Fraction | None


@dataclass(frozen=True)
class BurnRates:
    """How fast the error budget burns over a long and a short window: 1 spends it exactly over the SLO's window."""

    long: Fraction | None
    short: Fraction | None
    long_valid: int
    short_valid: int
    long_bad: int


def figures(
    conn: Connection,
    model: Model,
    now_us: int,
    filters: Filters = Filters(),
    names: Sequence[str] | None = None,
    *,
    percentiles: bool = True,
) -> list[Figure]:
    """Return the figure of each SLI that the filters leave. Errors: KeyError for a name that is no SLI."""
    view = View(conn, model)
    chosen = [model.slis[n] for n in names] if names is not None else list(model.slis.values())
    return [
        _figure(conn, view, sli, now_us, filters, percentiles)
        for sli in chosen
        if filters.flow is None or sli.flow in (None, filters.flow)
    ]


def slices(
    conn: Connection, model: Model, now_us: int, name: str, by: str, filters: Filters = Filters()
) -> list[tuple[str, Figure]]:
    """Return one figure per entity, platform, segment, customer or currency, in the order of their labels."""
    view, sli = View(conn, model), model.slis[name]
    window = window_of(view, sli, now_us, filters)
    counts = _counts(conn, view, sli, window, filters, by)

    def own(label: str) -> Window:
        months = by == "entity" and label and window.later
        return window_of(view, sli, now_us, replace(filters, entity=label)) if months else window

    return [(label, _build(view, sli, own(label), count)) for label, count in sorted(counts.items())]


def series(
    conn: Connection,
    model: Model,
    name: str,
    from_us: int,
    to_us_: int,
    grain: str = "day",
    filters: Filters = Filters(),
) -> list[Point]:
    """Return the buckets of an event SLI between two instants. `grain`: hour or day."""
    view, sli = View(conn, model), model.slis[name]
    window = Window(from_us - from_us % (DAY if grain == "day" else HOUR), to_us_, to_us_, to_us_)
    counts = _counts(conn, view, sli, window, filters, grain)
    return [
        Point(int(label), c.of("good"), c.of("bad"), c.of("blind"), _ratio(c.of("good"), c.of("bad")))
        for label, c in sorted(counts.items(), key=lambda item: int(item[0]))
    ]


def burn(
    conn: Connection, model: Model, now_us: int, name: str, long_us: int, short_us: int, filters: Filters = Filters()
) -> BurnRates:
    """Return the burn rates over two windows that end at the horizon. Source: SRE workbook, multi-window alerts."""
    pair = [
        _figure(conn, View(conn, model), model.slis[name], now_us, replace(filters, window_us=w), False)
        for w in (long_us, short_us)
    ]
    budget = 1 - model.slis[name].objective
    rates = [None if f.good + f.bad == 0 else Fraction(f.bad, f.good + f.bad) / budget for f in pair]
    return BurnRates(rates[0], rates[1], pair[0].good + pair[0].bad, pair[1].good + pair[1].bad, pair[0].bad)


def generation(conn: Connection) -> int:
    """Return how often verdicts have been written; what is cached hangs on it."""
    return int(conn.execute(text("SELECT value FROM counter WHERE name = 'generation'")).scalar() or 0)


# --- counting and building -----------------------------------------------------------------------------------------------


def _counts(
    conn: Connection, view: View, sli: Sli, window: Window, filters: Filters, by: str | None
) -> dict[str, Count]:
    if sli.kind == "state":
        return count_states(conn, sli, window, filters, by)
    if sli.kind == "sample":
        return count_polls(conn, view, sli, window, filters, by)
    return count_events(conn, view, sli, window, filters, by)


def _figure(conn: Connection, view: View, sli: Sli, now_us: int, filters: Filters, percentiles: bool) -> Figure:
    window = window_of(view, sli, now_us, filters)
    count = _counts(conn, view, sli, window, filters, None).get("", Count())
    figure = _build(view, sli, window, count)
    if sli.kind != "event" or not percentiles:
        return figure
    p50, p95, p99 = latencies(conn, view, sli, window, filters)
    return replace(figure, p50_us=p50, p95_us=p95, p99_us=p99)


def _build(view: View, sli: Sli, window: Window, count: Count) -> Figure:
    good, bad = count.of("good"), count.of("bad")
    coverage = _coverage(window)
    last = _ratio(good, bad)
    measured = count.window_ratio if count.window_ratio is not None else last
    enough = last is not None and coverage >= sli.min_coverage
    judged = measured if enough else None
    spent = None if not (good + bad) else 1 - Fraction(bad, good + bad) / (1 - sli.objective)
    return Figure(
        name=sli.name,
        title=sli.title,
        kind=sli.kind,
        flow=sli.flow,
        owner=sli.owner,
        objective=sli.objective,
        provisional=sli.provisional,
        good=good,
        bad=bad,
        pending=count.of("pending"),
        blind=count.of("blind"),
        excluded=count.of("excluded"),
        reasons=count.reasons(),
        money=count.money(),
        ratio=last if enough else None,
        last_ratio=last,
        window_ratio=count.window_ratio,
        status="no_data" if judged is None else ("met" if judged >= sli.objective else "missed"),
        window_from_us=window.from_us,
        window_to_us=window.to_us,
        horizon_us=window.horizon_us,
        coverage=coverage,
        watched_since_us=window.since_us,
        incomplete_count=count.incomplete,
        corrected_count=count.corrected,
        budget_remaining=spent if sli.kind == "event" else None,
    )


def _ratio(good: int, bad: int) -> Fraction | None:
    return Fraction(good, good + bad) if good + bad else None


def _coverage(window: Window) -> Fraction:
    """Return the share of the time watched, up to now, that every stream read has covered."""
    if window.horizon_us is None:
        return Fraction(0)
    whole = window.until_us - window.from_us
    if whole <= 0:
        return Fraction(0)
    seen = window.horizon_us - window.from_us
    if window.until_us - window.horizon_us <= window.slack_us:
        return Fraction(1)
    return max(Fraction(0), min(Fraction(1), Fraction(seen, whole)))
