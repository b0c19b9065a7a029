"""Dead letters: seen by peeking, gone when they are no longer there, and then still known for what they were."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import httpx
import pytest
from werkzeug.wrappers import Request, Response

from probes.clock import SECOND
from probes.platforms import load_platforms
from probes.poll import poll
from probes.probe import Cursor, Page, Stream
from probes.settings import parse_platforms

from .fakes import NOW_US, app, clock, reply

DIED_S = NOW_US // SECOND - 600


class Broker:
    """A small management API: dead-letter queues and what lies in them."""

    def __init__(self, **queues: list[dict[str, Any]]) -> None:
        self.queues = queues

    def __call__(self, request: Request) -> Response:
        if request.path == "/api/queues":
            items = [{"name": name, "vhost": "/", "type": "classic"} for name in self.queues]
            return reply({"items": items, "page": 1, "page_count": 1})
        name = request.path.split("/")[-2]
        return reply(self.queues[name][: request.get_json()["count"]])


def letter(number: int, died_s: int = DIED_S) -> dict[str, Any]:
    """Return a dead letter about one deal."""
    death = {"reason": "rejected", "queue": "orders", "time": died_s, "count": 1}
    properties = {"message_id": f"msg-{number}", "headers": {"x-death": [death]}}
    return {"properties": properties, "payload": f'{{"opportunity_id": "006-{number}", "legal_entity": "DE"}}'}


def stream_of(broker: Broker, monkeypatch: pytest.MonkeyPatch, **options: Any) -> Stream:
    monkeypatch.setenv("BROKER_PASSWORD", "secret")
    about = {"kind": "about", "path": "payload.opportunity_id", "to": "crm/opportunity/id"}
    section: Mapping[str, Any] = {
        "vendor": "rabbitmq",
        "url": "http://broker.test",
        "auth": {"user": "monitor", "password": "env:BROKER_PASSWORD"},
        "streams": {"dead_letter": {"references": [about]}},
        **options,
    }
    transport = httpx.WSGITransport(app=app(broker))
    platform = load_platforms(parse_platforms({"middleware": section}), clock=clock, transport=transport)["middleware"]
    return next(stream for stream in platform.streams if stream.spec.name == "dead_letter")


def polled(stream: Stream, cursor: Cursor) -> Page:
    polling = poll(stream, cursor, clock=clock)
    (page,) = polling
    assert polling.report.status == "complete", polling.report
    return page


def test_a_dead_letter_that_was_handled_is_deleted_and_keeps_what_it_was_about(monkeypatch: pytest.MonkeyPatch) -> None:
    broker = Broker(**{"orders.dlq": [letter(1), letter(2)]})
    stream = stream_of(broker, monkeypatch)
    before = polled(stream, {})
    broker.queues["orders.dlq"] = [letter(2)]
    after = polled(stream, before.cursor)
    gone = {record.id: record for record in after.records if record.deleted}
    assert set(gone) == {"msg-1"}
    seen = next(record for record in before.records if record.id == "msg-1")
    assert gone["msg-1"].references == seen.references != ()
    assert (gone["msg-1"].status, gone["msg-1"].entity) == ("rejected", "DE")
    assert [r.id for r in after.records if not r.deleted] == ["msg-2"]
    assert not [r for r in polled(stream, after.cursor).records if r.deleted]  # said once


def test_a_letter_moved_to_another_dead_letter_queue_is_not_gone(monkeypatch: pytest.MonkeyPatch) -> None:
    broker = Broker(**{"orders.dlq": [letter(1)], "parked.dlq": []})
    stream = stream_of(broker, monkeypatch)
    before = polled(stream, {})
    broker.queues = {"orders.dlq": [], "parked.dlq": [letter(1, DIED_S + 60)]}
    after = polled(stream, before.cursor)
    assert [(r.id, r.deleted) for r in after.records] == [("msg-1", False)]


def test_nothing_is_gone_from_a_queue_that_is_longer_than_what_is_peeked(monkeypatch: pytest.MonkeyPatch) -> None:
    broker = Broker(**{"orders.dlq": [letter(1), letter(2)]})
    stream = stream_of(broker, monkeypatch, options={"peek_limit": 3})
    before = polled(stream, {})
    broker.queues["orders.dlq"] = [letter(2), letter(3), letter(4)]
    after = polled(stream, before.cursor)
    assert not [r for r in after.records if r.deleted]
    broker.queues["orders.dlq"] = []
    gone = polled(stream, after.cursor)
    assert sorted(r.id for r in gone.records if r.deleted) == ["msg-1", "msg-2", "msg-3", "msg-4"]
