"""How Tryton is asked: domains over `write_date` or `create_date`, keyset on id, values as tagged objects.

`write_date` is null until the first change, so both stamps are asked for. Stamps are set when written and become visible at
commit: windows overlap. Source: trytond 8 protocols/rest.py and jsonrpc.py.
"""

from __future__ import annotations

import json
from base64 import urlsafe_b64encode
from collections.abc import Iterator, Sequence
from decimal import Decimal
from typing import Any
from urllib.parse import urlsplit

from ..clock import from_us
from ..errors import ProbeError, Reason
from ..listing import chunks, windows_of
from ..paging import rows_of
from ..probe import Cursor, Environment, Meter, Page
from ..request import Answer, Request
from ..source import Session, Source
from ..values import decimal
from ..window import begun, done, note, watermark

PAGE = 500
Domain = list[Any]


def changes(source: Source, cursor: Cursor, now_us: int, meter: Meter) -> Iterator[Page]:
    """Yield what changed since the cursor."""
    windows = windows_of(source, cursor, now_us, meter)
    for window in windows:
        note(window, meter)
        since = _tagged(window.from_us)
        domain = ["OR", ["write_date", ">=", since], ["create_date", ">=", since]]
        final = window is windows[-1]
        for answer, rows, last in _keyset(source, [domain], window.after, meter):
            page = _page(source, rows, answer, meter)
            page.cursor = done(window) if last else begun(window, rows[-1]["id"])
            page.last = last and final
            page.watermark_us = watermark(window, source.description.visibility_delay, meter) if page.last else None
            yield page


def read(source: Source, by: str, values: Sequence[str], meter: Meter) -> Iterator[Page]:
    """Yield the records known under these values."""
    name = source.params["key_paths"].get(by, by)
    wanted: list[Any] = list(dict.fromkeys(values))
    if name == "id":
        wanted = [int(value) for value in wanted if value.isdigit()]
    for group in chunks(wanted, PAGE):
        for answer, rows, _ in _keyset(source, [[name, "in", list(group)]], None, meter):
            yield _page(source, rows, answer, meter)


def ids(source: Source, meter: Meter) -> Iterator[list[str]]:
    """Yield all ids."""
    for _, rows, _ in _keyset(source, [], None, meter, fields=["id"]):
        yield [str(row["id"]) for row in rows]


def reread(source: Source, meter: Meter) -> Iterator[Page]:
    """Yield what is still open."""
    for answer, rows, _ in _keyset(source, list(source.description.source.get("open") or []), None, meter):
        yield _page(source, rows, answer, meter)


def check(session: Session, meter: Meter) -> Environment:
    """Ask for the companies we see and the server's series."""
    path = "/rest/model/company.company?f=rec_name&s=5"
    names = [str(row.get("rec_name")) for row in rows_of(session.client.get(path, meter).data, None, session.name)]
    if not names:
        raise session.error(Reason.NOT_VISIBLE, "the user sees no company; set one in its preferences")
    return Environment(", ".join(names), None, _version(session, meter), _writable(session, meter))


def _writable(session: Session, meter: Meter) -> tuple[str, ...]:
    """Return a warning when this key may change what it is there to watch."""
    streams = session.manifest.streams.items()
    watched = [s for name, s in streams if s.enabled and session.settings.stream(name).enabled]
    body = {"models": sorted({str(s.source["model"]) for s in watched})}
    try:
        answer = session.client.send(Request("/rest/model/ir.model.access/get_access", method="POST", json=body), meter)
    except ProbeError:
        return ()  # a stream whose module is not installed fails by itself, with its own message
    rights = answer.data if isinstance(answer.data, dict) else {}
    names = sorted(m for m, right in rights.items() if any(right.get(way) for way in ("write", "create", "delete")))
    if not names:
        return ()
    return (f"the key can write {', '.join(names)}; give the probe a user whose groups may only read",)


def _version(session: Session, meter: Meter) -> str | None:
    parts = urlsplit(session.client.base_url)
    body = {"id": 0, "method": "common.server.version", "params": []}
    try:
        answer = session.client.send(Request(f"{parts.scheme}://{parts.netloc}/rpc/", method="POST", json=body), meter)
    except ProbeError:
        return None  # the series is only shown; reading works without it
    result = answer.data.get("result") if isinstance(answer.data, dict) else answer.data
    return str(result) if result else None


def _keyset(
    source: Source, domain: Domain, after: Any, meter: Meter, *, fields: list[str] | None = None
) -> Iterator[tuple[Answer, list[Any], bool]]:
    given = source.description.source
    last = int(after) if after is not None else 0
    while True:
        every = [*(given.get("domain") or []), *domain, ["id", ">", last]]
        answer = _search(source, str(given["model"]), every, fields or _fields(source), meter)
        rows = rows_of(answer.data, None, source.session.name)
        full = len(rows) >= PAGE
        yield answer, rows, not full
        if not full:
            return
        reached = max(int(row["id"]) for row in rows)
        if reached <= last:
            raise source.error(Reason.LOOP, "the platform returned a page that was already read")
        last = reached


def _search(source: Source, model: str, domain: Domain, fields: Sequence[str], meter: Meter) -> Answer:
    context: dict[str, Any] = {}
    company = source.session.option("company")
    if company is not None:
        context["company"] = company
    if source.description.source.get("inactive"):
        context["active_test"] = False
    params = [("d", _encoded(domain)), ("o", _encoded([["id", "ASC"]])), ("s", str(PAGE)), ("p", "0")]
    params += [("f", field) for field in fields]
    headers = {"X-Tryton-Context": _encoded(context)} if context else {}
    return source.client.send(Request(f"/rest/model/{model}", tuple(params), headers=headers), meter)


def _fields(source: Source) -> list[str]:
    """Return the fields to ask for: mapped paths without list positions and without what is added here."""
    paths = (".".join(step for step in path.split(".") if not step.isdigit()) for path in source.mapper.fields)
    return list(dict.fromkeys(path for path in paths if not path.startswith("_")))


def _page(source: Source, rows: list[Any], answer: Answer, meter: Meter) -> Page:
    if rows and source.description.source.get("lines"):
        _sum_lines(source, rows, meter)
    return source.page(rows, answer.at_us, meter, {})


def _sum_lines(source: Source, rows: list[Any], meter: Meter) -> None:
    """Put the sum of its debits beside each move."""
    sums: dict[int, Decimal] = {}
    for group in chunks([int(row["id"]) for row in rows], 100):
        last = 0
        while True:
            domain = [["move", "in", list(group)], ["id", ">", last]]
            answer = _search(source, "account.move.line", domain, ["move", "debit"], meter)
            lines = rows_of(answer.data, None, source.session.name)
            for line in lines:
                move = line["move"]["id"] if isinstance(line["move"], dict) else line["move"]
                sums[move] = sums.get(move, Decimal(0)) + (decimal(line.get("debit")) or Decimal(0))
            if len(lines) < PAGE:
                break
            last = int(lines[-1]["id"])
    for row in rows:
        row["_debit"] = str(sums.get(int(row["id"]), Decimal(0)))


def _tagged(us: int) -> dict[str, Any]:
    at = from_us(us)
    return {
        "__class__": "datetime",
        "year": at.year,
        "month": at.month,
        "day": at.day,
        "hour": at.hour,
        "minute": at.minute,
        "second": at.second,
        "microsecond": at.microsecond,
    }


def _encoded(value: Any) -> str:
    return urlsafe_b64encode(json.dumps(value).encode()).decode()
