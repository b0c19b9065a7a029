"""How Zendesk is followed: cursor exports for tickets, time-based exports for the rest.

Exports are ordered by `generated_timestamp`, which also moves on system changes, and leave out the last minute. Time-based
ones repeat the rows of the border second. Source: developer.zendesk.com "Incremental Exports".
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from ..clock import MINUTE, SECOND
from ..errors import ProbeError, Reason
from ..listing import windows_of
from ..paging import PAGE_CAP, PageSpec, rows_of, walk
from ..probe import Cursor, Environment, Meter, Page
from ..request import Answer, Request
from ..source import Session, Source
from ..window import Window, done, note, watermark

PAGE = 1000
TOO_RECENT_US = 2 * MINUTE
_PAGES = PageSpec(kind="next_url", token="links.next", more="meta.has_more")


def changes(source: Source, cursor: Cursor, now_us: int, meter: Meter) -> Iterator[Page]:
    """Yield what changed since the cursor."""
    window = windows_of(source, {k: v for k, v in cursor.items() if k == "until_us"}, now_us, meter)[-1]
    if cursor.get("after") is None:
        note(window, meter)  # an export cursor reads nothing twice: there is no overlap to be held against it
    after = cursor.get("after")
    if source.description.source["export"] != "cursor":
        return _by_time(source, window, meter)
    return _by_cursor(source, window, str(after) if after else None, meter)


def read(source: Source, by: str, values: Sequence[str], meter: Meter) -> Iterator[Page]:
    """Yield the records known under these values."""
    given, base = source.description.source, source.session.manifest.base_path
    for value in dict.fromkeys(values):
        path, params = f"{base}/{given['plural']}/{value}.json", []
        if by != "id":
            search = f"{given['plural']}/search" if given["plural"] == "organizations" else given["plural"]
            path, params = f"{base}/{search}.json", [("external_id", value)]
        try:
            answer = source.client.get(path, meter, params)
        except ProbeError as error:
            if error.http_status != 404:
                raise
            continue
        rows = [answer.data.get(given["object"])] if by == "id" else rows_of(answer.data, given["plural"], source.name)
        yield source.page(rows, answer.at_us, meter, {})


def ids(source: Source, meter: Meter) -> Iterator[list[str]]:
    """Yield all ids."""
    plural = source.description.source["plural"]
    request = Request(f"{source.session.manifest.base_path}/{plural}.json", (("page[size]", "100"),))
    for fetched in walk(source.client, _PAGES, request, plural, meter):
        yield [str(row.get("id")) for row in fetched.rows]


def check(session: Session, meter: Meter) -> Environment:
    """Ask who we are: a wrong credential is answered with 200 and nobody."""
    user = session.client.get(f"{session.manifest.base_path}/users/me.json", meter).data.get("user") or {}
    if user.get("id") is None:
        raise session.error(Reason.AUTH, "the credential is not accepted (the platform answers as an anonymous user)")
    warnings = () if user.get("role") in ("admin", "agent") else (f"the user's role is {user.get('role')}",)
    return Environment(str(user.get("email") or user["id"]), None, "v2", warnings)


def _by_cursor(source: Source, window: Window, after: str | None, meter: Meter) -> Iterator[Page]:
    seen: set[str] = set()
    for _ in range(PAGE_CAP):
        answer = _export(source, window, after, meter)
        rows = rows_of(answer.data, source.description.source["plural"], source.session.name)
        ended = answer.data.get("end_of_stream") is True
        following = answer.data.get("after_cursor") or after
        if not ended and (following is None or following in seen):
            raise source.error(Reason.LOOP, "the export names a cursor again that was already used")
        seen.add(str(following))
        until = {"until_us": window.to_us} if ended else {"until_us": window.from_us}
        yield _page(source, rows, answer, meter, {**until, "after": following}, window, ended=ended)
        if ended:
            return
        after = following
    raise source.error(Reason.CAP, f"more than {PAGE_CAP} pages in one export")


def _export(source: Source, window: Window, after: str | None, meter: Meter) -> Answer:
    """Return one page of a cursor export; a cursor that died is replaced by the time it stood for."""
    given = source.description.source
    path = f"{source.session.manifest.base_path}/incremental/{given['plural']}/cursor.json"
    common = [("per_page", str(PAGE)), *((("include", given["include"]),) if given.get("include") else ())]
    start = ("start_time", str(_start_second(window)))
    if after is None:
        return source.client.get(path, meter, (*common, start))
    try:
        return source.client.get(path, meter, (*common, ("cursor", after)))
    except ProbeError as error:
        if error.reason is not Reason.BAD_REQUEST:
            raise
        return source.client.get(path, meter, (*common, start))


def _by_time(source: Source, window: Window, meter: Meter) -> Iterator[Page]:
    plural, second = source.description.source["plural"], _start_second(window)
    path = f"{source.session.manifest.base_path}/incremental/{plural}.json"
    for _ in range(PAGE_CAP):
        answer = source.client.get(path, meter, (("start_time", str(second)), ("per_page", str(PAGE))))
        rows = rows_of(answer.data, plural, source.session.name)
        end, ended = answer.data.get("end_time"), answer.data.get("end_of_stream") is not False
        cursor = done(window) if ended else {"until_us": second * SECOND + source.description.overlap * SECOND}
        yield _page(source, rows, answer, meter, cursor, window, ended=ended)
        if ended:
            return
        if not isinstance(end, int):
            raise source.error(Reason.LOOP, "the export says there is more and shows no way on")
        second = end if end > second else second + 1  # a page full of one second would repeat for ever
    raise source.error(Reason.CAP, f"more than {PAGE_CAP} pages in one export")


def _start_second(window: Window) -> int:
    return min(window.from_us, window.to_us - TOO_RECENT_US) // SECOND


def _page(
    source: Source, rows: list[Any], answer: Answer, meter: Meter, cursor: Cursor, window: Window, *, ended: bool
) -> Page:
    mark = watermark(window, source.description.visibility_delay, meter) if ended else None
    return source.page(rows, answer.at_us, meter, cursor, last=ended, watermark_us=mark)
