"""Over which span of time is an SLI figured: up to its horizon, and from no earlier than its watch began. Nothing is counted here."""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple
from zoneinfo import ZoneInfo

from probes.clock import MINUTE, from_us, to_us

from .arrays import NONE
from .definitions import Model, Sli
from .filters import Filters
from .sight import View


class Window(NamedTuple):
    """[from_us, to_us]; `until_us` is now or the as-of instant, `slack_us` the lag that is normal."""

    from_us: int
    to_us: int
    until_us: int
    horizon_us: int | None
    since_us: int | None = None
    slack_us: int = 0


def window_of(view: View, sli: Sli, now_us: int, filters: Filters) -> Window:
    """Return the window of a figure: it ends at the horizon, and begins no earlier than the watch does."""
    streams = streams_of(view, sli, filters)
    watermark = view.watermark(streams) if streams else NONE
    until = min(now_us, filters.as_of_us) if filters.as_of_us is not None else now_us
    horizon = None if watermark == NONE else min(watermark, until)
    if sli.kind == "sample":
        horizon = until  # polls are our own: what happened until now is known, whatever the platform answered
    end = until if sli.kind == "sample" else (horizon if horizon is not None else until)
    start = _month_start(view.model, end, filters) if sli.calendar_month and not filters.window_us else None
    if start is None:
        start = end - (filters.window_us or sli.window)
    since = _watched_since(view, sli, filters)
    slack = max((view.rows[s].interval_us * 2 + view.rows[s].visibility_us for s in streams), default=0) + MINUTE
    return Window(max(start, since) if since is not None else start, end, until, horizon, since, slack)


def streams_of(view: View, sli: Sli, filters: Filters) -> list[int]:
    """Return the streams an SLI reads, or of a sample SLI those it measures."""
    if sli.flow is not None:
        return view.flow_streams(view.model.flows[sli.flow])
    return [
        s
        for s, row in view.rows.items()
        if filters.platform in (None, row.platform) and row.platform in view.model.platforms
    ]


def _watched_since(view: View, sli: Sli, filters: Filters) -> int | None:
    if sli.flow is None or sli.kind == "state":
        return None
    starts, default = view.watch_starts(view.model.flows[sli.flow])
    if filters.entity is not None:
        return starts.get(filters.entity, default)
    return min([default, *starts.values()])


def _month_start(model: Model, end_us: int, filters: Filters) -> int:
    zone = ZoneInfo(model.zone(filters.entity) if filters.entity else "UTC")
    local = from_us(end_us).astimezone(zone)
    return to_us(datetime(local.year, local.month, 1, tzinfo=zone))
