"""How well each platform can be seen: when its streams were last polled, how far they are known, and what stands in the way.

Quota, clock skew, latency and drift are those that the poll runs measured. It polls nothing itself.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from sqlalchemy import Connection, Row, func, select

from metrics.tables import PlatformRow, PollRun, Quarantine, StreamRow, table

from .heads import STREAM
from .pages import Listing, beyond, decode, page

RUN, QUARANTINE, PLATFORM = table(PollRun), table(Quarantine), table(PlatformRow)
LATENCY_RUNS = 100
HOUR_US = 3_600_000_000
_STREAM_COLUMNS = tuple(c.name for c in table(StreamRow).columns)


@dataclass(frozen=True, slots=True)
class Run:
    """One poll run of a stream. `watermark_us` is the stream's after the run."""

    id: int
    platform: str
    stream: str
    kind: str
    started_us: int
    finished_us: int | None
    status: str
    reason: str | None
    message: str | None
    watermark_us: int | None
    pages: int
    records: int
    versions: int
    quarantined: int
    requests: int
    throttled: int
    latency_us: int | None
    http_status: int | None
    quota_limit: int | None
    quota_used: int | None
    quota_reset_us: int | None
    skew_us: int | None
    api_version: str | None
    drift: str | None


@dataclass(frozen=True, slots=True)
class StreamHealth:
    """One stream: how fresh it is, how its last poll went. `state`: seen | stale | failing | never.

    `lag_us` is now minus the watermark: what happened within it is not known yet. `expected_us`: the lag when all is well.
    """

    stream_id: int
    platform: str
    stream: str
    kind: str
    state: str
    watermark_us: int | None
    lag_us: int | None
    expected_us: int
    interval_us: int
    last: Run | None
    last_good_us: int | None
    failures: int
    latency_p50_us: int | None
    latency_p95_us: int | None
    quarantined: int
    api_version: str | None
    drift: str | None


@dataclass(frozen=True, slots=True)
class Quota:
    """What is left of a platform's call allowance, and when it runs out at the pace of the last hour; None: not before reset."""

    limit: int
    used: int
    reset_us: int | None
    exhausted_us: int | None


@dataclass(frozen=True, slots=True)
class PlatformHealth:
    """One platform: what it says of itself, its quota and clock, and its streams. `state` is the worst of its streams."""

    name: str
    vendor: str
    roles: str
    account: str | None
    environment: str | None
    version: str | None
    warnings: str | None
    state: str
    watermark_us: int | None
    skew_us: int | None
    quota: Quota | None
    streams: tuple[StreamHealth, ...]


_WORST = ("failing", "never", "stale", "seen")


def platforms(conn: Connection, now_us: int, *, past: bool = False) -> list[PlatformHealth]:
    """Return every platform with its streams, by name; with `past` as well as they were seen at `now_us`."""
    streams = streams_health(conn, now_us, past=past)
    rows = conn.execute(select(PLATFORM).order_by(PLATFORM.c.name)).all()
    return [_platform(conn, row, [s for s in streams if s.platform == row.name], now_us) for row in rows]


def streams_health(conn: Connection, now_us: int, *, past: bool = False) -> list[StreamHealth]:
    """Return every stream's health, by platform and name; with `past` as at `now_us`: from the polls over by then."""
    waiting = select(QUARANTINE.c.stream_id, func.count().label("n")).where(
        *([QUARANTINE.c.first_us <= now_us] if past else [])
    )
    held = {r.stream_id: r.n for r in conn.execute(waiting.group_by(QUARANTINE.c.stream_id))}
    rows = conn.execute(select(STREAM).order_by(STREAM.c.platform, STREAM.c.name)).all()
    until = now_us if past else None
    return [_stream(row, _recent(conn, row, until), held.get(row.id, 0), now_us) for row in rows]


def _recent(conn: Connection, stream: Row[Any], until_us: int | None) -> list[Run]:
    wanted = [RUN.c.stream_id == stream.id, *([] if until_us is None else [RUN.c.finished_us <= until_us])]
    rows = conn.execute(select(RUN).where(*wanted).order_by(RUN.c.started_us.desc()).limit(LATENCY_RUNS))
    return [_run(r, stream.platform, stream.name) for r in rows]


def _run(row: Row[Any], platform: str, stream: str) -> Run:
    own = {n: getattr(row, n) for n in Run.__slots__ if n not in ("platform", "stream")}
    return Run(platform=platform, stream=stream, **own)


def _stream(row: Row[Any], runs: Sequence[Run], quarantined: int, now_us: int) -> StreamHealth:
    over = [r for r in runs if r.status != "running"]
    polls = [r for r in over if r.kind == "changes"]
    failures = next((i for i, r in enumerate(polls) if r.status == "complete"), len(polls))
    mark = None if row.watermark_us is None else min(row.watermark_us, now_us)
    lag = None if mark is None else now_us - mark
    expected = row.interval_us + row.visibility_us
    took = [r.latency_us for r in over if r.latency_us is not None]
    return StreamHealth(
        stream_id=row.id,
        platform=row.platform,
        stream=row.name,
        kind=row.kind,
        state=_state(lag, expected, failures),
        watermark_us=mark,
        lag_us=lag,
        expected_us=expected,
        interval_us=row.interval_us,
        last=next(iter(polls or over or runs), None),
        last_good_us=next((r.finished_us for r in polls if r.status == "complete"), None),
        failures=failures,
        latency_p50_us=round(np.percentile(took, 50)) if took else None,
        latency_p95_us=round(np.percentile(took, 95)) if took else None,
        quarantined=quarantined,
        api_version=row.api_version,
        drift=next((r.drift for r in over if r.drift), None),
    )


def _state(lag_us: int | None, expected_us: int, failures: int) -> str:
    if lag_us is None:
        return "failing" if failures else "never"
    if failures:
        return "failing"
    # A poll may start late and take a while; beyond two rounds nobody should call it fresh.
    return "stale" if lag_us > 2 * expected_us + 60_000_000 else "seen"


def _platform(conn: Connection, row: Row[Any], streams: list[StreamHealth], now_us: int) -> PlatformHealth:
    marks = [s.watermark_us for s in streams]
    skews = sorted(s.last.skew_us for s in streams if s.last is not None and s.last.skew_us is not None)
    return PlatformHealth(
        **{n: getattr(row, n) for n in ("name", "vendor", "roles", "account", "environment", "version", "warnings")},
        state=next((w for w in _WORST if any(s.state == w for s in streams)), "never"),
        watermark_us=None if not marks or None in marks else min(m for m in marks if m is not None),
        skew_us=skews[len(skews) // 2] if skews else None,
        quota=quota(_quota_points(conn, [s.stream_id for s in streams], now_us), now_us),
        streams=tuple(streams),
    )


def _quota_points(conn: Connection, stream_ids: list[int], now_us: int) -> list[Row[Any]]:
    recent = select(RUN.c.started_us, RUN.c.quota_limit, RUN.c.quota_used, RUN.c.quota_reset_us).where(
        RUN.c.stream_id.in_(stream_ids),
        RUN.c.started_us > now_us - HOUR_US,
        RUN.c.quota_limit.is_not(None),
        RUN.c.quota_used.is_not(None),
    )
    return list(conn.execute(recent.order_by(RUN.c.started_us)))


def quota(points: Sequence[Any], now_us: int) -> Quota | None:
    """Return the quota as last told and when it runs out, from points of one hour in order; None when none was told."""
    if not points:
        return None
    last = points[-1]
    # A count that fell was reset: the pace is measured from there.
    start = max((i for i in range(1, len(points)) if points[i].quota_used < points[i - 1].quota_used), default=0)
    first = points[start]
    spent, span = last.quota_used - first.quota_used, last.started_us - first.started_us
    exhausted = None
    if spent > 0 and span > 0:
        exhausted = last.started_us + (last.quota_limit - last.quota_used) * span // spent
        if last.quota_reset_us is not None and exhausted >= last.quota_reset_us:
            exhausted = None
    return Quota(last.quota_limit, last.quota_used, last.quota_reset_us, exhausted)


def poll_runs(
    conn: Connection,
    *,
    platform: str | None = None,
    stream: str | None = None,
    status: str | None = None,
    from_us: int | None = None,
    until_us: int | None = None,
    limit: int = 100,
    after: str | None = None,
) -> Listing[Run]:
    """Return poll runs, the newest first; `until_us` keeps those over by then."""
    wanted = [] if platform is None else [STREAM.c.platform == platform]
    wanted += [] if stream is None else [STREAM.c.name == stream]
    wanted += [] if status is None else [RUN.c.status == status]
    wanted += [] if from_us is None else [RUN.c.started_us >= from_us]
    wanted += [] if until_us is None else [RUN.c.finished_us <= until_us]
    joined = select(RUN, STREAM.c.platform, STREAM.c.name.label("stream")).join(STREAM, STREAM.c.id == RUN.c.stream_id)
    total = conn.execute(select(func.count()).select_from(joined.where(*wanted).subquery())).scalar_one()
    if after is not None:
        wanted.append(beyond([RUN.c.started_us, RUN.c.id], decode(after, (int, int)), [True, True]))
    statement = joined.where(*wanted).order_by(RUN.c.started_us.desc(), RUN.c.id.desc()).limit(limit + 1)
    rows = [_run(r, r.platform, r.stream) for r in conn.execute(statement)]
    return page(rows, limit, total, lambda r: (r.started_us, r.id))


@dataclass(frozen=True, slots=True)
class HeldRow:
    """One row that could not be mapped. The row itself stays in the store: it may hold what must not be shown."""

    platform: str
    stream: str
    external_id: str | None
    reason: str
    message: str
    first_us: int
    last_us: int
    seen_count: int


def quarantined(
    conn: Connection, *, platform: str | None = None, until_us: int | None = None, limit: int = 200
) -> list[HeldRow]:
    """Return the rows held back, or those held back by `until_us`, the newest first."""
    joined = select(QUARANTINE, STREAM.c.platform, STREAM.c.name.label("stream")).join(
        STREAM, STREAM.c.id == QUARANTINE.c.stream_id
    )
    wanted = [] if platform is None else [STREAM.c.platform == platform]
    wanted += [] if until_us is None else [QUARANTINE.c.first_us <= until_us]
    rows = conn.execute(joined.where(*wanted).order_by(QUARANTINE.c.last_us.desc()).limit(limit))
    return [HeldRow(**{n: getattr(r, n) for n in HeldRow.__slots__}) for r in rows]


def unseen(streams: Sequence[StreamHealth]) -> Mapping[str, list[StreamHealth]]:
    """Return the streams that cannot vouch for the present, by platform."""
    found: dict[str, list[StreamHealth]] = {}
    for health in streams:
        if health.state != "seen":
            found.setdefault(health.platform, []).append(health)
    return found
