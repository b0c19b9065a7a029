"""How n8n is followed: executions newest first down to the last one seen, and those that had not ended are asked for again.

An execution keeps its place when it ends, so what was running at the last poll is read by its id. Pruned ones (default 14 days)
are gone without a trace: absence proves nothing here, and no sweep is made. Source: n8n public API v1, "executions".
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any
from urllib.parse import quote, urlsplit

from ..errors import ProbeError, Reason
from ..listing import windows_of
from ..paging import PageSpec, walk
from ..probe import Cursor, Environment, Meter, Page
from ..request import Request
from ..source import Session, Source
from ..window import Window, done, watermark

_PAGES = PageSpec(kind="cursor", token="nextCursor", param="cursor", size_param="limit", size=250)
_FAILED = frozenset({"error", "crashed"})


def changes(source: Source, cursor: Cursor, now_us: int, meter: Meter) -> Iterator[Page]:
    """Yield the executions that began since the cursor, and those that had not ended then."""
    last, waiting = int(cursor.get("last") or 0), [str(one) for one in cursor.get("open") or ()]
    until = {k: v for k, v in cursor.items() if k == "until_us"}
    window = windows_of(source, until, now_us, meter)[-1]
    newest, budget = last, int(source.session.option("details"))
    going: set[str] = set()
    begun, ended = _since(source, last, meter), _again(source, waiting, meter)
    for rows, at_us in (*begun, *ended):
        newest = max([newest, *(int(row["id"]) for row in rows)])
        going |= {str(row["id"]) for row in rows if row.get("status") in source.description.source["unfinished"]}
        told, budget = _told(source, rows, budget, meter)
        yield source.page(told, at_us, meter, cursor)
    yield _end(source, window, {**done(window), "last": newest, "open": sorted(going)}, meter)


def read(source: Source, by: str, values: Sequence[str], meter: Meter) -> Iterator[Page]:
    """Yield the executions of these ids that are still kept."""
    for rows, at_us in _again(source, dict.fromkeys(values), meter):
        yield source.page(rows, at_us, meter, {})


def check(session: Session, meter: Meter) -> Environment:
    """Ask for one workflow: n8n does not say who a key belongs to, so the account is the host."""
    session.client.get(f"{session.manifest.base_path}/workflows", meter, (("limit", "1"),))
    return Environment(urlsplit(session.client.base_url).netloc + urlsplit(session.client.base_url).path, None, "v1")


def _since(source: Source, last: int, meter: Meter) -> Iterator[tuple[list[dict[str, Any]], int]]:
    """Yield the executions above the last one seen, page by page. Errors: ProbeError SUSPECT when ids run backwards."""
    request = Request(f"{source.session.manifest.base_path}/executions")
    for number, fetched in enumerate(walk(source.client, _PAGES, request, "data", meter)):
        top = max((int(row["id"]) for row in fetched.rows), default=last)
        if number == 0 and top < last:
            raise source.error(Reason.SUSPECT, f"execution {last} was shown before, and the newest is {top} now")
        rows = [row for row in fetched.rows if int(row["id"]) > last]
        yield rows, fetched.answer.at_us
        if len(rows) < len(fetched.rows):
            return


def _again(source: Source, ids: Iterable[str], meter: Meter) -> Iterator[tuple[list[dict[str, Any]], int]]:
    for one in ids:
        path = f"{source.session.manifest.base_path}/executions/{quote(one, safe='')}"
        try:
            answer = source.client.get(path, meter, (("includeData", "true"),))
        except ProbeError as error:
            if error.http_status != 404:  # pruned meanwhile
                raise
            continue
        yield [answer.data], answer.at_us


def _told(
    source: Source, rows: Sequence[dict[str, Any]], budget: int, meter: Meter
) -> tuple[list[dict[str, Any]], int]:
    """Return the rows with the names of their workflows, and the message of what failed as far as the budget goes."""
    names = source.session.remember("workflows", lambda: _workflows(source, meter))
    found = []
    for row in rows:
        if row.get("status") in _FAILED and "data" not in row and budget > 0:
            budget -= 1
            row = next((again for (again,), _ in _again(source, [str(row["id"])], meter)), row)
        found.append({**row, "workflow": {"name": names.get(row.get("workflowId"))}})
    return found, budget


def _workflows(source: Source, meter: Meter) -> dict[str, str]:
    request = Request(f"{source.session.manifest.base_path}/workflows")
    pages = walk(source.client, _PAGES, request, "data", meter)
    return {str(row["id"]): str(row["name"]) for fetched in pages for row in fetched.rows}


def _end(source: Source, window: Window, cursor: Cursor, meter: Meter) -> Page:
    at_us, delay = source.session.now_us(), source.description.visibility_delay
    return Page([], cursor, at_us, [], [], True, watermark(window, delay, meter))
