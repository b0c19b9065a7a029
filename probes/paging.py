"""How the next page is found: cursor in the body, next URL, offset, page number, Link header, keyset, or none.

Every style ends at a page cap and at a page asked for twice. A platform that says "there is more" and shows no way on is an
error: nothing may then claim that everything was read.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

from pydantic import model_validator

from .client import Client
from .errors import ProbeError, Reason
from .mapspec import Path, Strict
from .paths import getter
from .probe import Meter
from .request import Answer, Request

PAGE_CAP = 100_000
_NEXT = re.compile(r'<([^<>]+)>\s*;[^,]*\brel="?next"?', re.IGNORECASE)


class PageSpec(Strict):
    """One style of paging. `token` is the path of what leads on, `param` where it is sent, `more` a flag that must be true.

    cursor: token from the body (`alone`: sent without the other parameters). next_url: token is a URL. offset and page:
    counted here, ended by `more`, `total` (rows or pages) or a short page. link: the Link header. keyset: token is read
    from the last row.
    """

    kind: Literal["none", "cursor", "next_url", "offset", "page", "link", "keyset"] = "none"
    token: Path | None = None
    param: str | None = None
    more: Path | None = None
    total: Path | None = None
    size_param: str | None = None
    size: int = 100
    alone: bool = False

    @model_validator(mode="after")
    def _complete(self) -> PageSpec:
        needs = {"cursor": ("token", "param"), "next_url": ("token",), "keyset": ("token", "param")}
        needs |= {"offset": ("param", "size_param"), "page": ("param",)}
        missing = [name for name in needs.get(self.kind, ()) if getattr(self, name) is None]
        if missing:
            raise ValueError(f"paging of kind {self.kind} needs {' and '.join(missing)}")
        return self


@dataclass(frozen=True, slots=True)
class Fetched:
    """One page as it came: the rows, the answer around them, and whether it was the last."""

    rows: list[Any]
    answer: Answer
    last: bool


def first(spec: PageSpec, request: Request) -> Request:
    """Return the request of the first page."""
    if spec.size_param:
        request = request.with_params((spec.size_param, str(spec.size)))
    return request.with_params((spec.param or "page", "1")) if spec.kind == "page" else request


def walk(
    client: Client, spec: PageSpec, request: Request, items: str | None, meter: Meter, *, cap: int = PAGE_CAP
) -> Iterator[Fetched]:
    """Yield the pages of a request. Errors: ProbeError, also CAP and LOOP."""
    following: Request | None = first(spec, request)
    seen: set[Any] = set()
    for number in range(1, cap + 1):
        assert following is not None
        mark = (following.path, following.params)
        if mark in seen:
            raise ProbeError(
                Reason.LOOP, "the platform names a page again that was already read", platform=client.spec.platform
            )
        seen.add(mark)
        answer = client.send(following, meter)
        rows = rows_of(answer.data, items, client.spec.platform)
        following = next_request(spec, following, answer, rows, number, client.spec.platform)
        yield Fetched(rows, answer, following is None)
        if following is None:
            return
    raise ProbeError(
        Reason.CAP, f"more than {cap} pages; narrow the stream or raise the cap", platform=client.spec.platform
    )


def rows_of(data: Any, items: str | None, platform: str) -> list[Any]:
    """Return the rows of an answer. Errors: ProbeError NOT_JSON when they are not where they belong."""
    rows = data if items is None else getter(items)(data)
    if rows is None and data is None:
        return []
    if not isinstance(rows, list):
        place = f"`{items}`" if items else "the answer"
        raise ProbeError(Reason.NOT_JSON, f"{place} holds no list of records", platform=platform)
    return rows


def next_request(
    spec: PageSpec, request: Request, answer: Answer, rows: list[Any], number: int, platform: str
) -> Request | None:
    """Return the request of the next page, None after the last. Errors: ProbeError LOOP when there is more but no way on."""
    if spec.kind == "none":
        return None
    if spec.kind == "link":
        found = _NEXT.search(answer.headers.get("link", ""))
        return Request(found.group(1), headers=request.headers) if found else None
    if spec.kind in ("offset", "page"):
        return _counted(spec, request, answer, rows, number)
    if spec.more and getter(spec.more)(answer.data) is not True:
        return None
    token = _token(spec, answer, rows)
    if token is None:
        if spec.more:
            raise ProbeError(Reason.LOOP, "the platform says there is more and shows no way on", platform=platform)
        return None
    if spec.kind == "next_url":
        return Request(token, method=request.method, json=request.json, headers=request.headers)
    if spec.alone:
        return Request(request.path, ((spec.param or "", token),), headers=request.headers)
    return request.with_params((spec.param or "", token))


def _token(spec: PageSpec, answer: Answer, rows: list[Any]) -> str | None:
    if spec.token is None or (spec.kind == "keyset" and not rows):
        return None
    value = getter(spec.token)(rows[-1] if spec.kind == "keyset" else answer.data)
    return str(value) if isinstance(value, str | int) and not isinstance(value, bool) and value != "" else None


def _counted(spec: PageSpec, request: Request, answer: Answer, rows: list[Any], number: int) -> Request | None:
    if not rows:
        return None
    total = getter(spec.total)(answer.data) if spec.total else None
    if spec.more:
        if getter(spec.more)(answer.data) is not True:
            return None
    elif isinstance(total, int) and not isinstance(total, bool):
        if number >= total if spec.kind == "page" else number * spec.size >= total:
            return None
    elif len(rows) < spec.size:
        return None
    step = number + 1 if spec.kind == "page" else number * spec.size
    return request.with_params((spec.param or "", str(step)))
