"""`/platforms`, `/poll-runs`, `/breaks`, `/exceptions`, `/alerts`, `/changes`: what can be seen and what is wrong."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from alerts.queries import history, open_alerts
from metrics.queries import breaks as query
from metrics.queries.changes import changes
from metrics.queries.pages import Listing
from metrics.queries.platforms import platforms, poll_runs

from .lists import After, Format, Limit, Page, answer, whole
from .narrowing import AskedOf, ConsoleOf

router = APIRouter(tags=["Platforms, differences and alerts"])
Name = Annotated[str | None, Query(max_length=200)]


@router.get("/platforms", response_model=Page)
def list_platforms(request: Request, console: ConsoleOf, asked: AskedOf, format: Format = "json") -> Response:
    """List the platforms with each stream's freshness, last poll, quota and clock skew."""
    with console.store.read() as conn:
        rows = platforms(conn, asked.now_us)
    return answer(console, request, "platforms", whole(rows), 1, None, format)


@router.get("/poll-runs", response_model=Page)
def list_poll_runs(
    request: Request,
    console: ConsoleOf,
    platform: Name = None,
    stream: Name = None,
    status: Literal["complete", "partial", "suspect", "failed", "running"] | None = None,
    limit: Limit = 100,
    after: After = None,
    format: Format = "json",
) -> Response:
    """List poll runs, the newest first."""

    def pager(conn: Any, limit: int, after: str | None) -> Listing[Any]:
        return poll_runs(conn, platform=platform, stream=stream, status=status, limit=limit, after=after)

    return answer(console, request, "poll-runs", pager, limit, after, format)


@router.get("/breaks", response_model=Page)
def list_breaks(
    request: Request,
    console: ConsoleOf,
    asked: AskedOf,
    kind: Name = None,
    check: Name = None,
    closed: bool = False,
    limit: Limit = 100,
    after: After = None,
    format: Format = "json",
) -> Response:
    """List open differences between platforms, the oldest first; `closed` adds those that were mended."""

    def pager(conn: Any, limit: int, after: str | None) -> Listing[Any]:
        return query.breaks(conn, asked.narrow, open_only=not closed, kind=kind, check=check, limit=limit, after=after)

    return answer(console, request, "breaks", pager, limit, after, format)


@router.get("/exceptions", response_model=Page)
def list_exceptions(
    request: Request,
    console: ConsoleOf,
    asked: AskedOf,
    kind: Name = None,
    closed: bool = False,
    limit: Limit = 100,
    after: After = None,
    format: Format = "json",
) -> Response:
    """List what a person must handle: dead letters, rejected documents, quarantined rows, failed runs."""

    def pager(conn: Any, limit: int, after: str | None) -> Listing[Any]:
        return query.exceptions(conn, asked.narrow, open_only=not closed, kind=kind, limit=limit, after=after)

    return answer(console, request, "exceptions", pager, limit, after, format)


@router.get("/alerts", response_model=Page)
def list_alerts(
    request: Request, console: ConsoleOf, asked: AskedOf, past: bool = False, format: Format = "json"
) -> Response:
    """List open alerts, the most severe first; with `past` what became of alerts in the period, the newest first."""
    with console.store.read() as conn:
        rows: list[Any] = list(history(conn, asked.from_us) if past else open_alerts(conn))
    return answer(console, request, "alerts", whole(rows), 1, None, format)


@router.get("/changes", response_model=Page)
def list_changes(request: Request, console: ConsoleOf, asked: AskedOf, format: Format = "json") -> Response:
    """List what turned within the period: verdicts, differences, exceptions, completed documents."""
    with console.store.read() as conn:
        rows = changes(conn, asked.from_us, asked.now_us, asked.narrow)
    return answer(console, request, "changes", whole(rows), 1, None, format)
