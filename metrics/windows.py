"""Over which span of time is an SLI figured: up to its horizon, and from no earlier than its watch began. Nothing is counted here."""

from __future__ import annotations

from datetime import datetime
from itertools import pairwise
from typing import NamedTuple
from zoneinfo import ZoneInfo

from probes.clock import MINUTE, from_us, to_us

from .arrays import NONE
from .definitions import Model, Sli
from .filters import Filters
from .sight import View


class Later(NamedTuple):
    """Legal entities, or all but these, whose own month begins later than the window: their midnight comes later."""

    entities: tuple[str, ...]
    others: bool
    from_us: int


class Window(NamedTuple):
    """[from_us, to_us]; `until_us` is now or the as-of instant, `slack_us` the lag that is normal. `later`: see there."""

    from_us: int
    to_us: int
    until_us: int
    horizon_us: int | None
    since_us: int | None = None
    slack_us: int = 0
    later: tuple[Later, ...] = ()

    def spans(self) -> list[tuple[int, int]]:
        """Return the window cut where the month of an entity begins. Shape: half open."""
        cuts = sorted({self.from_us, *(later.from_us for later in self.later), self.to_us + 1})
        return list(pairwise(cuts))

    def own_month(self, column: str = "e.at_us") -> tuple[str, dict[str, object]]:
        """Return the SQL condition (with its parameters) that an event lies in the month of its own entity."""
        sql, given = "", dict[str, object]()
        for n, later in enumerate(self.later):
            names = {f"late_{n}_{i}": entity for i, entity in enumerate(later.entities)}
            among = f"e.entity {'NOT ' if later.others else ''}IN ({', '.join(f':{name}' for name in names)})"
            sql += f" AND NOT ({among} AND {column} < :late_{n})"
            given |= {**names, f"late_{n}": later.from_us}
        return sql, given


def window_of(view: View, sli: Sli, now_us: int, filters: Filters) -> Window:
    """Return the window of a figure: it ends at the horizon, and begins no earlier than the watch does."""
    streams = streams_of(view, sli, filters)
    watermark = view.watermark(streams) if streams else NONE
    until = min(now_us, filters.as_of_us) if filters.as_of_us is not None else now_us
    horizon = None if watermark == NONE else min(watermark, until)
    if sli.kind == "sample":
        horizon = until  # polls are our own: what happened until now is known, whatever the platform answered
    end = until if sli.kind == "sample" else (horizon if horizon is not None else until)
    months = _months(view.model, end, filters) if sli.calendar_month and not filters.window_us else []
    start = min(m.from_us for m in months) if months else end - (filters.window_us or sli.window)
    since = _watched_since(view, sli, filters)
    slack = max((view.rows[s].interval_us * 2 + view.rows[s].visibility_us for s in streams), default=0) + MINUTE
    begin = max(start, since) if since is not None else start
    later = tuple(m for m in months if begin < m.from_us <= end)
    return Window(begin, end, until, horizon, since, slack, later)


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


def _months(model: Model, end_us: int, filters: Filters) -> list[Later]:
    """Return when the month of each legal entity began, by the clock of its books; UTC where none is declared."""
    if filters.entity is not None:
        return [Later((), True, _month_start(model.zone(filters.entity), end_us))]
    begins: dict[int, list[str]] = {}
    for entity in sorted(model.entities):
        begins.setdefault(_month_start(model.zone(entity), end_us), []).append(entity)
    undeclared = Later(tuple(sorted(model.entities)), True, _month_start("UTC", end_us))
    return [undeclared, *(Later(tuple(entities), False, at) for at, entities in sorted(begins.items()))]


def _month_start(zone: str, end_us: int) -> int:
    tz = ZoneInfo(zone)
    local = from_us(end_us).astimezone(tz)
    return to_us(datetime(local.year, local.month, 1, tzinfo=tz))
