"""How Stripe is followed: first by creation, then by the events feed, re-reading every object an event names.

Lists have no modified filter; an event's payload is a snapshot in the account's version, so only the id in it is used. The feed
keeps 30 days and settles within about a minute. Source: docs.stripe.com/api/events, /api/pagination.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from ..clock import DAY, SECOND
from ..errors import ProbeError, Reason
from ..listing import chunks
from ..paging import Fetched, PageSpec, walk
from ..paths import getter
from ..probe import Cursor, Environment, Meter, Page
from ..record import Record
from ..request import Request
from ..source import Session, Source
from ..window import Window, begun, done, note, plan, watermark

PAGING = PageSpec(kind="keyset", token="id", param="starting_after", more="has_more", size_param="limit", size=100)
FEED_US = 29 * DAY
LINK_SECONDS = 86_400
Links = dict[str, list[Any]]


def changes(source: Source, cursor: Cursor, now_us: int, meter: Meter) -> Iterator[Page]:
    """Yield what changed: objects by creation on the first poll or after a gap the feed does not cover, else by events."""
    until = cursor.get("until_us")
    if isinstance(until, int) and now_us - until < FEED_US:
        return _followed(source, cursor, now_us, meter)
    return _loaded(source, cursor if "to_us" in cursor else {}, now_us, meter)


def read(source: Source, by: str, values: Sequence[str], meter: Meter) -> Iterator[Page]:
    """Yield the objects with these ids as they are now."""
    if by != "id":
        raise source.error(Reason.CONFIG, f"Stripe objects are read by id, not by {by!r}")
    for group in chunks(list(dict.fromkeys(values)), 100):
        yield _reread(source, group, meter, {})


def ids(source: Source, meter: Meter) -> Iterator[list[str]]:
    """Yield all ids."""
    for fetched in _list(source, _params(source), meter):
        yield [str(source.mapper.read_id(row)) for row in fetched.rows]


def reread(source: Source, meter: Meter) -> Iterator[Page]:
    """Yield what is open, however old."""
    for condition in source.description.source.get("open") or [{}]:
        for fetched in _list(source, {**_params(source), **condition}, meter):
            yield _page(source, fetched.rows, fetched.answer.at_us, meter, {})


def check(session: Session, meter: Meter) -> Environment:
    """Ask which account and mode the key belongs to."""
    live = session.client.get("/v1/balance", meter).data
    warnings: tuple[str, ...] = ()
    try:
        account = str(session.client.get("/v1/account", meter).data.get("id"))
    except ProbeError as error:
        if error.reason is not Reason.FORBIDDEN:
            raise
        account = "unknown"  # a restricted key need not see the account
    if any(secret.startswith("sk_") for secret in session.client.auth.secrets):
        warnings = ("the key can write; make a restricted key with read permissions",)
    environment = "production" if isinstance(live, dict) and live.get("livemode") else "test"
    return Environment(account, environment, meter.api_version, warnings)


def _params(source: Source) -> dict[str, str]:
    return {str(k): str(v) for k, v in (source.description.source.get("params") or {}).items()}


def _list(source: Source, params: dict[str, str], meter: Meter) -> Iterator[Fetched]:
    path = str(source.description.source["path"])
    return walk(source.client, PAGING, Request(path, tuple(params.items())), "data", meter)


# -- first load ---------------------------------------------------------------------------------------------------------


def _loaded(source: Source, cursor: Cursor, now_us: int, meter: Meter) -> Iterator[Page]:
    history_us = source.session.settings.history * SECOND
    window = plan(cursor, now_us, overlap_us=0, history_us=history_us, meter=meter)[0]
    bounds = {"created[gte]": str(window.from_us // SECOND), "created[lt]": str(window.to_us // SECOND + 1)}
    after = {"starting_after": str(window.after)} if window.after else {}
    note(window, meter)
    links = _window_links(source, window, meter)
    for fetched in _list(source, {**_params(source), **bounds, **after}, meter):
        page = _page(source, fetched.rows, fetched.answer.at_us, meter, {}, links)
        if fetched.last:
            page.cursor, page.last = done(window), True
            page.watermark_us = watermark(window, source.description.visibility_delay, meter)
        else:
            page.cursor = begun(window, fetched.rows[-1].get("id"))
        yield page


def _window_links(source: Source, window: Window, meter: Meter) -> Links | None:
    """Return all applications of a first load at once, None where they must be asked for payment by payment."""
    if not _links_path(source):
        return None
    try:
        return _links_since(source, window.from_us // SECOND - LINK_SECONDS, meter)
    except ProbeError as error:
        if error.reason is not Reason.BAD_REQUEST:
            raise
        return None


# -- the feed -----------------------------------------------------------------------------------------------------------


def _followed(source: Source, cursor: Cursor, now_us: int, meter: Meter) -> Iterator[Page]:
    overlap_us = source.description.overlap * SECOND
    window = plan({"until_us": cursor["until_us"]}, now_us, overlap_us=overlap_us, history_us=0, meter=meter)[0]
    note(window, meter)
    seen = cursor.get("seen") or {}
    touched, events = _touched(source, window, seen, meter)
    since = (now_us - overlap_us) // SECOND
    held = {event: at for event, at in {**seen, **events}.items() if at >= since}
    final = {**done(window), "seen": held}
    groups = list(chunks(touched, 100))
    for group in groups[:-1]:
        yield _reread(source, group, meter, cursor)
    page = _reread(source, groups[-1] if groups else [], meter, final)
    page.last, page.watermark_us = True, watermark(window, source.description.visibility_delay, meter)
    yield page


def _touched(source: Source, window: Window, seen: dict[str, int], meter: Meter) -> tuple[list[str], dict[str, int]]:
    """Return the ids that new events name, oldest event first, and those events with their second."""
    wanted = source.description.source["object"]
    found: dict[str, None] = {}
    events: dict[str, int] = {}
    params = [("created[gte]", str(window.from_us // SECOND)), ("created[lte]", str(window.to_us // SECOND))]
    for types in chunks(source.description.source["types"], 20):
        request = Request("/v1/events", (*params, *(("types[]", t) for t in types)))
        for fetched in walk(source.client, PAGING, request, "data", meter):
            for event in fetched.rows:
                named = getter("data.object")(event)
                if event.get("id") in seen or not isinstance(named, dict) or not named.get("id"):
                    continue
                events[str(event["id"])] = int(event.get("created") or 0)
                if named.get("object") == wanted:
                    found.setdefault(str(named["id"]), None)
    return list(reversed(found)), events


def _reread(source: Source, values: Sequence[str], meter: Meter, cursor: Cursor) -> Page:
    """Return these objects as they are now; one that is gone comes back as deleted."""
    rows, gone = [], []
    at_us = source.session.now_us()
    for value in values:
        try:
            answer = source.client.get(f"{source.description.source['path']}/{value}", meter)
        except ProbeError as error:
            if error.http_status != 404:
                raise
            gone.append(Record(source.description.kind, value, deleted=True))
            continue
        rows.append(answer.data)
        at_us = answer.at_us
    page = _page(source, rows, at_us, meter, cursor)
    page.records += gone
    return page


def _page(
    source: Source, rows: list[Any], at_us: int, meter: Meter, cursor: Cursor, links: Links | None = None
) -> Page:
    if rows and _links_path(source):
        found = _links(source, rows, meter) if links is None else links
        for row in rows:  # since 2025 only invoice payments know which invoice a payment was applied to
            if isinstance(row, dict):
                row["_links"] = found.get(str(row.get("id")), [])
    return source.page(rows, at_us, meter, cursor)


def _links_path(source: Source) -> str:
    return str(source.description.source.get("links") or "")


def _links(source: Source, rows: list[Any], meter: Meter) -> Links:
    """Return the applications of these payments."""
    stamps = [row["created"] for row in rows if isinstance(row, dict) and isinstance(row.get("created"), int)]
    try:
        return _links_since(source, min(stamps, default=0) - LINK_SECONDS, meter)
    except ProbeError as error:
        if error.reason is not Reason.BAD_REQUEST:
            raise
    found: Links = {}  # an API version without a filter on creation: ask for each payment
    for row in rows:
        only = {"payment[type]": "payment_intent", "payment[payment_intent]": str(row.get("id"))}
        _collect(source, only, meter, found)
    return found


def _links_since(source: Source, second: int, meter: Meter) -> Links:
    found: Links = {}
    _collect(source, {"created[gte]": str(second)}, meter, found)
    return found


def _collect(source: Source, params: dict[str, str], meter: Meter, found: Links) -> None:
    for fetched in walk(source.client, PAGING, Request(_links_path(source), tuple(params.items())), "data", meter):
        for item in fetched.rows:
            intent = getter("payment.payment_intent")(item)
            name = intent.get("id") if isinstance(intent, dict) else intent
            if name and item.get("status") != "canceled":
                found.setdefault(str(name), []).append(item)
