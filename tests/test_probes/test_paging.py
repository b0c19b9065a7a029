"""Paging: each style reads everything once, and a platform that goes in circles is caught."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from pydantic import ValidationError
from werkzeug.wrappers import Request as Asked
from werkzeug.wrappers import Response

from probes.errors import ProbeError, Reason
from probes.paging import PageSpec, walk
from probes.probe import Meter
from probes.request import Request

from .fakes import client as client_of
from .fakes import reply

ROWS = [{"id": str(number)} for number in range(25)]


def cursor_body(request: Asked) -> Response:
    at = int(request.args.get("after", "0"))
    following = at + 10 if at + 10 < len(ROWS) else None
    return reply({"rows": ROWS[at : at + 10], "next": following})


def next_url(request: Asked) -> Response:
    at = int(request.args.get("at", "0"))
    return reply({"rows": ROWS[at : at + 10], "next": f"/x?at={at + 10}" if at + 10 < len(ROWS) else None})


def offset(request: Asked) -> Response:
    at, size = int(request.args.get("offset", "0")), int(request.args["limit"])
    return reply({"rows": ROWS[at : at + size]})


def numbered(request: Asked) -> Response:
    page, size = int(request.args["page"]), int(request.args["size"])
    return reply({"rows": ROWS[(page - 1) * size : page * size], "pages": -(-len(ROWS) // size)})


def link(request: Asked) -> Response:
    at = int(request.args.get("at", "0"))
    here = f'<http://platform.test/x?at={at + 10}>; rel="next", <http://platform.test/x>; rel="first"'
    return reply({"rows": ROWS[at : at + 10]}, 200, **({"Link": here} if at + 10 < len(ROWS) else {}))


def keyset(request: Asked) -> Response:
    after, size = int(request.args.get("starting_after", "-1")), int(request.args["limit"])
    rest = [row for row in ROWS if int(row["id"]) > after]
    return reply({"rows": rest[:size], "more": len(rest) > size})


STYLES: list[tuple[Callable[[Asked], Response], dict[str, Any]]] = [
    (cursor_body, {"kind": "cursor", "token": "next", "param": "after"}),
    (cursor_body, {"kind": "cursor", "token": "next", "param": "after", "alone": True}),
    (next_url, {"kind": "next_url", "token": "next"}),
    (offset, {"kind": "offset", "param": "offset", "size_param": "limit", "size": 10}),
    (numbered, {"kind": "page", "param": "page", "size_param": "size", "size": 10}),
    (numbered, {"kind": "page", "param": "page", "size_param": "size", "size": 10, "total": "pages"}),
    (link, {"kind": "link"}),
    (
        keyset,
        {"kind": "keyset", "token": "id", "param": "starting_after", "more": "more", "size_param": "limit", "size": 10},
    ),
]


def pages(answer: Callable[[Asked], Response], **spec: Any) -> list[Any]:
    paging = PageSpec.model_validate(spec)
    return list(walk(client_of(answer), paging, Request("/x"), "rows", Meter(), cap=50))


@pytest.mark.parametrize(("answer", "spec"), STYLES, ids=[spec["kind"] for _, spec in STYLES])
def test_every_style_reads_every_row_once_and_marks_the_last_page(
    answer: Callable[[Asked], Response], spec: dict[str, Any]
) -> None:
    found = pages(answer, **spec)
    assert [row["id"] for page in found for row in page.rows] == [row["id"] for row in ROWS]
    assert [page.last for page in found] == [False, False, True]


def test_an_empty_platform_is_one_last_page() -> None:
    assert [(page.rows, page.last) for page in pages(lambda _: reply({"rows": []}), kind="none")] == [([], True)]


def test_the_same_token_for_ever_is_a_loop_after_one_repetition() -> None:
    asked = []

    def same(request: Asked) -> Response:
        asked.append(request.url)
        return reply({"rows": ROWS[:10], "next": "abc"})

    with pytest.raises(ProbeError) as caught:
        pages(same, kind="cursor", token="next", param="after")
    assert caught.value.reason is Reason.LOOP
    assert len(asked) == 2


@pytest.mark.parametrize("rows", [[], ROWS[:10]], ids=["nothing", "the same rows"])
def test_a_lying_has_more_is_a_loop_and_never_a_complete_reading(rows: list[Any]) -> None:
    with pytest.raises(ProbeError) as caught:
        pages(
            lambda _: reply({"rows": rows, "more": True}),
            kind="keyset",
            token="id",
            param="starting_after",
            more="more",
        )
    assert caught.value.reason is Reason.LOOP


def test_new_tokens_for_ever_end_at_the_page_cap() -> None:
    count = iter(range(10_000))
    with pytest.raises(ProbeError) as caught:
        pages(lambda _: reply({"rows": [], "next": f"t{next(count)}"}), kind="cursor", token="next", param="after")
    assert caught.value.reason is Reason.CAP


def test_a_next_link_to_another_host_is_refused() -> None:
    with pytest.raises(ProbeError) as caught:
        pages(lambda _: reply({"rows": [], "next": "https://evil.test/x"}), kind="next_url", token="next")
    assert caught.value.reason is Reason.REFUSED


@pytest.mark.parametrize("body", [{"rows": {"0": 1}}, {"other": []}, "text"])
def test_rows_that_are_not_where_they_belong_are_an_error(body: Any) -> None:
    with pytest.raises(ProbeError) as caught:
        pages(lambda _: reply(body), kind="none")
    assert caught.value.reason is Reason.NOT_JSON


@pytest.mark.parametrize("kind", ["cursor", "next_url", "keyset", "offset", "page"])
def test_a_style_that_lacks_what_it_needs_is_refused_when_it_is_written(kind: str) -> None:
    with pytest.raises(ValidationError, match=f"paging of kind {kind} needs"):
        PageSpec.model_validate({"kind": kind})


STRANGERS = [
    "http://elsewhere.test/x", "https://platform.test/x", "http://platform.test:8080/x", "http://platform.test@elsewhere.test/x",
    "http://platform.test.elsewhere.test/x", "http://169.254.169.254/latest/meta-data", "http://127.0.0.1/x", "http://[::1]/x",
    "HTTP://ELSEWHERE.TEST/x", "http://platform.test\\@elsewhere.test/x", "http://elsewhere.test#@platform.test/x",
    "file:///etc/passwd", "gopher://platform.test/x",
]  # fmt: skip
RELATIVE = [
    "//elsewhere.test/x",
    "\\\\elsewhere.test/x",
    "http:elsewhere.test",
    "@elsewhere.test/x",
    "/../../x",
    "HTTP://PLATFORM.test/x",
]


def hosts_asked(first: Callable[[str], Response], leads_to: str, **spec: Any) -> tuple[set[str], ProbeError | None]:
    """Return which hosts were asked when an answer leads on to a place, and how that ended."""
    hosts: list[str] = []

    def answer(request: Asked) -> Response:
        hosts.append(request.host)
        return first(leads_to) if len(hosts) == 1 else reply({"rows": []})

    told: ProbeError | None = None
    try:
        list(walk(client_of(answer), PageSpec(**spec), Request("/x"), "rows", Meter()))
    except ProbeError as error:
        told = error
    return set(hosts), told


WAYS: list[tuple[Callable[[str], Response], dict[str, Any]]] = [
    (lambda to: reply({"rows": [], "next": to}), {"kind": "next_url", "token": "next"}),
    (lambda to: reply({"rows": []}, Link=f'<{to}>; rel="next"'), {"kind": "link"}),
    (lambda to: reply({}, 302, Location=to), {"kind": "none"}),
]


@pytest.mark.parametrize("way", WAYS, ids=["body", "link header", "redirect"])
@pytest.mark.parametrize("leads_to", STRANGERS)
def test_nothing_a_platform_says_leads_to_another_origin(
    way: tuple[Callable[[str], Response], dict[str, Any]], leads_to: str
) -> None:
    hosts, told = hosts_asked(way[0], leads_to, **way[1])
    assert hosts == {"platform.test"}
    assert told is not None
    assert told.reason in (Reason.REFUSED, Reason.CONFIG)


@pytest.mark.parametrize("way", WAYS[:2], ids=["body", "link header"])
@pytest.mark.parametrize("leads_to", RELATIVE)
def test_a_way_on_without_a_host_stays_with_the_platform(
    way: tuple[Callable[[str], Response], dict[str, Any]], leads_to: str
) -> None:
    hosts, _ = hosts_asked(way[0], leads_to, **way[1])
    assert hosts == {"platform.test"}
