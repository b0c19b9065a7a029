"""How a plain REST listing is polled: windows of change stamps, pages, reads by key, sweeps. What most vendors need.

A vendor whose feed works differently brings its own functions of the same names.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any, TypeVar
from urllib.parse import quote

from .clock import SECOND, iso
from .errors import Reason
from .manifest import CallSpec, ListSpec
from .paging import walk
from .probe import Cursor, Environment, Meter, Page
from .request import Request
from .source import Session, Source
from .window import Window, begun, done, note, plan, watermark

T = TypeVar("T")


def chunks(values: Sequence[T], size: int) -> Iterator[Sequence[T]]:
    """Yield slices of at most `size`."""
    for start in range(0, len(values), size):
        yield values[start : start + size]


def prepare(session: Session, meter: Meter) -> None:
    """Do nothing: plain listings need no look-ups."""


def changes(source: Source, cursor: Cursor, now_us: int, meter: Meter) -> Iterator[Page]:
    """Yield what changed since the cursor, window by window. Errors: ProbeError."""
    windows = windows_of(source, cursor, now_us, meter)
    for window in windows:
        yield from _window(source, window, meter, final=window is windows[-1])


def windows_of(source: Source, cursor: Cursor, now_us: int, meter: Meter) -> list[Window]:
    """Return the windows to read now for this stream."""
    overlap_us = source.description.overlap * SECOND
    history_us = source.session.settings.history * SECOND
    return plan(cursor, now_us, overlap_us=overlap_us, history_us=history_us, meter=meter)


def _window(source: Source, window: Window, meter: Meter, *, final: bool) -> Iterator[Page]:
    spec = listing_of(source)
    if window.after is not None:  # rows come in the order of their stamps: go on at the last one seen, inclusive
        window = replace(window, from_us=max(window.from_us, int(window.after)))
    note(window, meter)
    bounds = {"from": stamp(spec, window.from_us), "to": stamp(spec, window.to_us)}
    request = _request(source, CallSpec(get=spec.get, params=spec.params), bounds)
    for fetched in walk(source.client, spec.page, request, spec.items, meter):
        page = source.page(fetched.rows, fetched.answer.at_us, meter, {})
        reached = max((r.changed_us for r in page.records if r.changed_us is not None), default=None)
        if fetched.last:
            page.cursor = done(window)
            page.last = final
            page.watermark_us = watermark(window, source.description.visibility_delay, meter) if final else None
        else:
            page.cursor = begun(window, _held(reached, window) if spec.resume else None)
        yield page


def _held(reached_us: int | None, window: Window) -> int | None:
    """Return the stamp to go on at; one outside the window is not believed."""
    return reached_us if reached_us is not None and window.from_us <= reached_us < window.to_us else None


def read(source: Source, by: str, values: Sequence[str], meter: Meter) -> Iterator[Page]:
    """Yield the records known under these values. Errors: ProbeError."""
    spec = listing_of(source)
    if spec.read is None or by not in source.spec.reads_by:
        raise source.error(Reason.CONFIG, f"this stream cannot be read by {by!r}")
    one_by_one = "{value}" in (spec.read.get or "") + "".join(spec.read.params.values())
    for group in chunks(values, 1 if one_by_one else spec.read_size):
        words = {"by": _key_path(source, by), "values": ",".join(_quoted(v) for v in group), "value": group[0]}
        for fetched in _called(source, spec.read, words, meter):
            yield source.page(fetched.rows, fetched.answer.at_us, meter, {}, last=fetched.last)


def ids(source: Source, meter: Meter) -> Iterator[list[str]]:
    """Yield all ids that exist. Errors: ProbeError."""
    spec = listing_of(source)
    if spec.ids is None:
        raise source.error(Reason.CONFIG, "this stream has no listing of all ids")
    for fetched in _called(source, spec.ids, {}, meter):
        yield [str(source.mapper.read_id(row)) for row in fetched.rows]


def reread(source: Source, meter: Meter) -> Iterator[Page]:
    """Yield the open records. Errors: ProbeError."""
    spec = listing_of(source)
    if spec.reread is None:
        raise source.error(Reason.CONFIG, "this stream has nothing to re-read")
    for fetched in _called(source, spec.reread, {}, meter):
        yield source.page(fetched.rows, fetched.answer.at_us, meter, {}, last=fetched.last)


def check(session: Session, meter: Meter) -> Environment:
    """Return what can be said without asking: the address."""
    return Environment(account=session.client.base_url, environment=None)


def listing_of(source: Source) -> ListSpec:
    """Return the listing of a stream. Errors: ProbeError CONFIG when it has none."""
    if source.description.listing is None:
        raise source.error(Reason.CONFIG, "the manifest says neither `listing:` nor brings a hook for this stream")
    return source.description.listing


def stamp(spec: ListSpec, us: int) -> str:
    """Return a bound as the platform wants it written; whole seconds, never later than asked."""
    if spec.stamp == "iso":
        return str(iso(us - us % SECOND))
    return str(us // (SECOND if spec.stamp == "unix_s" else 1000))


def _called(source: Source, call: CallSpec, words: dict[str, str], meter: Meter) -> Iterator[Any]:
    spec = listing_of(source)
    return walk(source.client, spec.page, _request(source, call, words), spec.items, meter)


def _request(source: Source, call: CallSpec, words: dict[str, str]) -> Request:
    spec = listing_of(source)
    words = {**words, "fields": ",".join(source.mapper.fields)}
    path = call.get or spec.get
    for name, value in words.items():
        path = path.replace(f"{{{name}}}", quote(value, safe=""))
    params = []
    for name, template in call.params.items():
        for word, value in words.items():
            template = template.replace(f"{{{word}}}", value)
        params.append((name, template))
    return Request(source.session.manifest.base_path + path, tuple(params))


def _key_path(source: Source, by: str) -> str:
    if by == "id":
        return source.params["id_path"]  # type: ignore[no-any-return]
    path = source.params["key_paths"].get(by)
    if path is None:
        raise source.error(Reason.CONFIG, f"no key {by!r} is mapped; add it under `keys:`")
    return str(path)


def _quoted(value: str) -> str:
    return "'" + value.replace("\\", "\\\\").replace("'", "\\'") + "'"
