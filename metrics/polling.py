"""How one probe runs: pages are stored as they come, a few at a time, and the watermark moves only with the last page of a complete poll.

A poll that fails, is cut or looks wrong leaves a poll run that says so, keeps what landed and moves no watermark. It never
raises for trouble of the platform, and it never turns that trouble into a verdict.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, and_, func, insert, select, update

from probes.clock import SECOND, Clock, monotonic, to_us
from probes.errors import ProbeError
from probes.poll import Kind, Polling, PollReport, poll, sweep
from probes.probe import Meter, Page, Platform, Stream

from .collecting import seldom
from .environment import refusal
from .intake import Landed, Source, land_pages
from .keys import stream_id
from .store import Store
from .sweeping import lost_sight, mark_deleted
from .tables import PlatformRow, PollRun, RecordRow, Scope, StreamRow, table
from .touching import Toucher

PLATFORM, STREAM, RUN = table(PlatformRow), table(StreamRow), table(PollRun)
RECORD, SCOPE = table(RecordRow), table(Scope)
_BATCH_ROWS = 5_000
_BATCH_SECONDS = 10.0
_MIN_HELD = 2
"""Fewer records held in the overlap than this prove nothing when they do not come back: one may have been deleted."""


@dataclass(frozen=True, slots=True)
class PollSummary:
    """What one poll did. Time: microseconds UTC; `watermark_us` is the stream's afterwards; `shown` the ids a read found."""

    platform: str
    stream: str
    kind: str
    status: str
    reason: str | None
    message: str | None
    records: int
    versions: int
    quarantined: int
    watermark_us: int | None
    shown: frozenset[str] = frozenset()


def register(store: Store, platforms: Mapping[str, Platform]) -> None:
    """Write the platforms and streams there are; cursors and watermarks of known ones stay."""
    with store.write() as conn:
        known = set(conn.execute(select(STREAM.c.id)).scalars())
        for platform in platforms.values():
            _register_platform(conn, platform)
            for stream in platform.streams:
                spec, sid = stream.spec, stream_id(platform.name, stream.spec.name)
                values = {
                    "kind": spec.kind,
                    "interval_us": spec.interval_seconds * SECOND,
                    "visibility_us": spec.visibility_delay_seconds * SECOND,
                    "finds": ",".join(sorted({by for by, _ in spec.finds})),
                }
                if sid in known:
                    conn.execute(update(STREAM).where(STREAM.c.id == sid).values(**values))
                else:
                    conn.execute(
                        insert(STREAM).values(id=sid, platform=platform.name, name=spec.name, cursor="{}", **values)
                    )


def _register_platform(conn: Connection, platform: Platform) -> None:
    values = {"vendor": platform.vendor, "roles": ",".join(platform.roles)}
    found = conn.execute(update(PLATFORM).where(PLATFORM.c.name == platform.name).values(**values))
    if not found.rowcount:
        conn.execute(insert(PLATFORM).values(name=platform.name, **values))


def run_poll(
    store: Store,
    toucher: Toucher,
    platform: Platform,
    stream: Stream,
    clock: Clock,
    *,
    kind: Kind = "changes",
    by: str = "id",
    values: Sequence[str] = (),
) -> PollSummary:
    """Run one poll of a stream. `kind`: changes, reread (open records), sweep (ids), read (`values` known under `by`)."""
    sid = stream_id(platform.name, stream.spec.name)
    source, cursor, run_id = _begin(store, platform.name, sid, kind, to_us(clock()))
    landed = Landed()
    refused = refusal(store, platform, clock)
    if refused is not None:
        report = _refused(refused, platform, stream, clock, kind)
    elif kind == "sweep":
        report = _sweep(store, toucher, platform, stream, clock, source)
    else:
        polling = poll(stream, cursor, clock=clock, platform=platform.name, kind=kind, by=by, values=values)
        report = _drain(store, toucher, polling, source, landed, kind)
    return _finish(store, stream, source, run_id, report, landed, kind)


def _refused(error: ProbeError, platform: Platform, stream: Stream, clock: Clock, kind: Kind) -> PollReport:
    """Return the report of a poll that was not made because the platform is not the one that is configured."""

    def start(_meter: Meter) -> Iterator[Page]:
        raise error

    polling: Polling[Page] = Polling(
        start,
        platform=platform.name,
        stream=stream.spec.name,
        kind=kind,
        clock=clock,
        deadline_seconds=1,
        page_cap=1,
        row_cap=1,
    )
    for _page in polling:
        raise AssertionError("a refused poll brings nothing")
    return polling.report


def _begin(store: Store, platform: str, sid: int, kind: str, now_us: int) -> tuple[Source, dict[str, object], int]:
    with store.write() as conn:
        row = conn.execute(select(STREAM.c.watermark_us, STREAM.c.cursor).where(STREAM.c.id == sid)).one()
        scopes = set(conn.execute(select(SCOPE.c.entity).where(SCOPE.c.stream_id == sid)).scalars())
        made = conn.execute(insert(RUN).values(stream_id=sid, kind=kind, started_us=now_us, status="running"))
        run_id = int(made.inserted_primary_key[0])  # type: ignore[index] # the table has a generated key
    return Source(sid, platform, row.watermark_us, run_id, scopes), json.loads(row.cursor), run_id


@seldom()
def _drain(
    store: Store, toucher: Toucher, polling: Polling[Page], source: Source, landed: Landed, kind: str
) -> PollReport:
    doubt: str | None = None
    for pages in _batches(polling):
        page = pages[-1]
        with store.write() as conn:
            land_pages(conn, pages, source, toucher, landed)
            if page.last:
                doubt = _doubt(conn, source, landed, polling) if kind == "changes" else None
            if doubt is None and kind == "changes":
                _advance(conn, source.stream_id, page)
            elif page.last and kind == "reread":
                conn.execute(update(STREAM).where(STREAM.c.id == source.stream_id).values(reread_us=page.observed_us))
    return polling.report.as_suspect(doubt) if doubt else polling.report


def _batches(polling: Iterable[Page]) -> Iterator[list[Page]]:
    """Put small pages together until there is enough to be worth a transaction, or what came has waited long enough."""
    held: list[Page] = []
    rows, since = 0, monotonic()
    for page in polling:
        held.append(page)
        rows += len(page.records) + len(page.samples)
        if page.last or rows >= _BATCH_ROWS or monotonic() - since >= _BATCH_SECONDS:
            yield held
            held, rows, since = [], 0, monotonic()
    if held:
        yield held


def _advance(conn: Connection, sid: int, page: Page) -> None:
    """Store where to go on; with the last page also the watermark, which never goes back and never into the future."""
    values: dict[str, object] = {"cursor": json.dumps(page.cursor, default=str)}
    if page.last and page.watermark_us is not None:
        held = conn.execute(select(STREAM.c.watermark_us, STREAM.c.first_complete_us).where(STREAM.c.id == sid)).one()
        watermark = min(page.watermark_us, page.observed_us)
        values["watermark_us"] = watermark if held.watermark_us is None else max(watermark, held.watermark_us)
        if held.first_complete_us is None:
            values["first_complete_us"] = page.observed_us
    conn.execute(update(STREAM).where(STREAM.c.id == sid).values(**values))


def _doubt(conn: Connection, source: Source, landed: Landed, polling: Polling[Page]) -> str | None:
    """Return why a finished poll cannot be trusted: of the records held in its overlap, a legal entity's all stayed away."""
    window_from = polling.meter.window_from_us
    if window_from is None or source.watermark_us is None:
        return None
    held = conn.execute(
        select(RECORD.c.id, RECORD.c.entity).where(
            and_(
                RECORD.c.stream_id == source.stream_id,
                RECORD.c.changed_us >= window_from,
                RECORD.c.changed_us <= source.watermark_us,
                RECORD.c.deleted_us.is_(None),
            )
        )
    ).all()
    groups: dict[str | None, list[int]] = {}
    for rid, entity in held:
        groups.setdefault(entity, []).append(rid)
    gone = [
        entity or "every entity"
        for entity, ids in groups.items()
        if len(ids) >= _MIN_HELD and not landed.seen.intersection(ids)
    ]
    if not gone:
        return None
    return f"records held from the overlap did not come back for {', '.join(sorted(gone))}: the probe may have lost sight of them"


def _sweep(
    store: Store, toucher: Toucher, platform: Platform, stream: Stream, clock: Clock, source: Source
) -> PollReport:
    """Compare the ids that exist with those held; what is gone gets a deleted version once the sweep is complete."""
    started_us = to_us(clock())
    sweeping = sweep(stream, clock=clock, platform=platform.name)
    present: set[str] = set()
    for ids in sweeping:
        present.update(ids)
    if sweeping.report.status == "complete":
        with store.write() as conn:
            doubt = lost_sight(conn, source, stream.spec.kind, present, started_us)
            if doubt is not None:
                return sweeping.report.as_suspect(doubt)
            mark_deleted(conn, source, stream.spec.kind, present, started_us, to_us(clock()), toucher)
            conn.execute(update(STREAM).where(STREAM.c.id == source.stream_id).values(deleted_watermark_us=started_us))
    return sweeping.report


def _finish(
    store: Store, stream: Stream, source: Source, run_id: int, report: PollReport, landed: Landed, kind: str
) -> PollSummary:
    meter = report.meter
    drift = {"unknown": meter.unknown_fields, "missing": meter.missing_fields, "statuses": meter.unknown_statuses}
    with store.write() as conn:
        watermark = conn.execute(select(STREAM.c.watermark_us).where(STREAM.c.id == source.stream_id)).scalar()
        conn.execute(
            update(RUN)
            .where(RUN.c.id == run_id)
            .values(
                finished_us=report.finished_us,
                status=report.status,
                reason=report.reason.value if report.reason else None,
                message=report.message or None,
                watermark_us=watermark,
                pages=report.pages,
                records=landed.records,
                versions=landed.versions,
                quarantined=landed.quarantined,
                requests=meter.requests,
                throttled=meter.throttled,
                latency_us=int(meter.latency_seconds * SECOND),
                http_status=meter.http_status,
                quota_limit=meter.quota_limit,
                quota_used=meter.quota_used,
                quota_reset_us=meter.quota_reset_us,
                skew_us=None if meter.skew_seconds is None else int(meter.skew_seconds * SECOND),
                api_version=meter.api_version,
                schema_digest=meter.schema_digest,
                drift=json.dumps(drift) if any(drift.values()) else None,
            )
        )
        told = {"schema_digest": meter.schema_digest, "api_version": meter.api_version}
        stored = {name: value for name, value in told.items() if value is not None}
        if stored and report.status == "complete" and kind == "changes":
            conn.execute(update(STREAM).where(STREAM.c.id == source.stream_id).values(**stored))
    return PollSummary(
        source.platform, stream.spec.name, kind, report.status, report.reason.value if report.reason else None,
        report.message or None, landed.records, landed.versions, landed.quarantined, watermark,
        frozenset(landed.shown),
    )  # fmt: skip


SWEEP_INTERVAL_US = 24 * 3600 * SECOND
SWEEP_RETRY_US = 900 * SECOND


def due(conn: Connection, platforms: Mapping[str, Platform], now_us: int) -> list[tuple[Platform, Stream, str]]:
    """Return the polls that are due: changes by the stream's interval, re-reads by its own, sweeps daily.

    A sweep that did not come to its end, or was not believed, is due again soon.
    """
    again = _unfinished_sweeps(conn, now_us - 2 * SWEEP_INTERVAL_US)
    last = {
        (row.stream_id, row.kind): row.started_us
        for row in conn.execute(
            select(RUN.c.stream_id, RUN.c.kind, func.max(RUN.c.started_us).label("started_us")).group_by(
                RUN.c.stream_id, RUN.c.kind
            )
        )
    }
    return [
        (platform, stream, kind)
        for platform in platforms.values()
        for stream in platform.streams
        for kind, every_us in _rhythm(stream, stream_id(platform.name, stream.spec.name) in again)
        if now_us - last.get((stream_id(platform.name, stream.spec.name), kind), -every_us) >= every_us
    ]


def _unfinished_sweeps(conn: Connection, since_us: int) -> set[int]:
    newest = (
        select(func.max(RUN.c.id)).where(RUN.c.started_us >= since_us, RUN.c.kind == "sweep").group_by(RUN.c.stream_id)
    )
    query = select(RUN.c.stream_id).where(RUN.c.id.in_(newest), RUN.c.status != "complete")
    return set(conn.execute(query).scalars())


def _rhythm(stream: Stream, sweep_again: bool) -> Iterator[tuple[str, int]]:
    spec = stream.spec
    yield "changes", spec.interval_seconds * SECOND
    if spec.reread_seconds:
        yield "reread", spec.reread_seconds * SECOND
    if spec.sweeps:
        yield "sweep", SWEEP_RETRY_US if sweep_again else SWEEP_INTERVAL_US
