"""`/platforms`, `/poll-runs`, `/breaks`, `/exceptions`, `/alerts`, `/changes`: what can be seen and what is wrong."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query
from starlette.responses import Response

from alerts.queries import AlertView, TransitionView, history, open_alerts
from metrics.queries import breaks as query
from metrics.queries.changes import Turned, changes
from metrics.queries.pages import Listing
from metrics.queries.platforms import PlatformHealth, Run, platforms, poll_runs

from .lists import PartOf, WholeOf, answer, whole
from .models import page
from .narrowing import AskedOf, ConsoleOf

router = APIRouter(tags=["Platforms, differences and alerts"])
Name = Annotated[str | None, Query(max_length=200)]


@router.get("/platforms", response_model=page(PlatformHealth))
def list_platforms(console: ConsoleOf, asked: AskedOf, paging: WholeOf) -> Response:
    """List the platforms with each stream's freshness, last poll, quota and clock skew."""
    with console.store.read() as conn:
        rows = platforms(conn, asked.now_us, past=asked.past is not None)
    return answer(console, asked, "platforms", whole(rows), paging)


@router.get("/poll-runs", response_model=page(Run))
def list_poll_runs(
    paging: PartOf,
    console: ConsoleOf,
    asked: AskedOf,
    stream: Name = None,
    status: Literal["complete", "partial", "suspect", "failed", "running"] | None = None,
) -> Response:
    """List poll runs, the newest first."""

    def pager(conn: Any, limit: int, after: str | None) -> Listing[Any]:
        chosen: dict[str, Any] = {"platform": asked.filters.platform, "stream": stream, "status": status}
        return poll_runs(conn, until_us=asked.until_us, limit=limit, after=after, **chosen)

    return answer(console, asked, "poll-runs", pager, paging)


@router.get("/breaks", response_model=page(query.Break))
def list_breaks(
    paging: PartOf,
    console: ConsoleOf,
    asked: AskedOf,
    kind: Name = None,
    check: Name = None,
    closed: bool = False,
) -> Response:
    """List open differences between platforms, the oldest first; `closed` adds those that were mended."""

    def pager(conn: Any, limit: int, after: str | None) -> Listing[Any]:
        return query.breaks(conn, asked.narrow, open_only=not closed, kind=kind, check=check, limit=limit, after=after)

    return answer(console, asked, "breaks", pager, paging)


@router.get("/exceptions", response_model=page(query.Trouble))
def list_exceptions(
    paging: PartOf,
    console: ConsoleOf,
    asked: AskedOf,
    kind: Name = None,
    closed: bool = False,
) -> Response:
    """List what a person must handle: dead letters, rejected documents, quarantined rows, failed runs."""

    def pager(conn: Any, limit: int, after: str | None) -> Listing[Any]:
        return query.exceptions(conn, asked.narrow, open_only=not closed, kind=kind, limit=limit, after=after)

    return answer(console, asked, "exceptions", pager, paging)


@router.get("/alerts", response_model=page(AlertView) | page(TransitionView))
def list_alerts(console: ConsoleOf, asked: AskedOf, paging: WholeOf, past: bool = False) -> Response:
    """List open alerts, the most severe first; with `past` what became of alerts in the period, the newest first."""
    with console.store.read() as conn:
        rows: list[Any] = (
            list(history(conn, asked.from_us, until_us=asked.until_us)) if past else open_alerts(conn, asked.until_us)
        )
    return answer(console, asked, "alerts", whole(rows), paging)


@router.get("/changes", response_model=page(Turned))
def list_changes(console: ConsoleOf, asked: AskedOf, paging: WholeOf) -> Response:
    """List what turned within the period: verdicts, differences, exceptions, completed documents."""
    with console.store.read() as conn:
        rows = changes(conn, asked.from_us, asked.now_us, asked.narrow)
    return answer(console, asked, "changes", whole(rows), paging)
