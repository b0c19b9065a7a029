"""Stripe's feed: events name objects, objects are re-read, nothing is read twice for the same event."""

from __future__ import annotations

from collections import Counter
from typing import Any

import httpx
import pytest
from werkzeug.wrappers import Request, Response

from probes.clock import DAY, SECOND, to_us
from probes.platforms import load_platforms
from probes.poll import poll
from probes.probe import Cursor, Page, Stream
from probes.settings import parse_platforms

from .fakes import NOW, NOW_US, app, clock, reply

NOW_S = NOW_US // SECOND


class Stripe:
    """A small Stripe: lists newest first by creation, an events feed, objects by id."""

    def __init__(self) -> None:
        self.objects: dict[str, dict[str, Any]] = {}
        self.events: list[dict[str, Any]] = []
        self.asked: Counter[str] = Counter()
        self.links_by_creation = True

    def __call__(self, request: Request) -> Response:
        self.asked[request.path] += 1
        kind, _, identifier = request.path.removeprefix("/v1/").partition("/")
        if identifier:
            found = self.objects.get(identifier)
            return (
                reply(found)
                if found
                else reply({"error": {"type": "invalid_request_error", "code": "resource_missing"}}, 404)
            )
        if kind == "invoice_payments" and not self.links_by_creation and "created[gte]" in request.args:
            return reply({"error": {"type": "invalid_request_error", "code": "parameter_unknown"}}, 400)
        return self.listed(request, kind)

    def listed(self, request: Request, kind: str) -> Response:
        names = {"invoices": "invoice", "payment_intents": "payment_intent", "invoice_payments": "invoice_payment"}
        rows = self.events if kind == "events" else [o for o in self.objects.values() if o["object"] == names[kind]]
        low, high = int(request.args.get("created[gte]", 0)), int(request.args.get("created[lte]", 2**60))
        below = int(request.args.get("created[lt]", 2**60))
        wanted = request.args.get("payment[payment_intent]")
        types = request.args.getlist("types[]")
        rows = [
            row for row in rows
            if low <= row["created"] <= high and row["created"] < below and (not types or row["type"] in types)
            and (wanted is None or row["payment"]["payment_intent"] == wanted)
            and (request.args.get("status") in (None, row.get("status")))
        ]  # fmt: skip
        rows.sort(key=lambda row: (row["created"], row["id"]), reverse=True)
        after, size = request.args.get("starting_after"), int(request.args["limit"])
        start = next((n + 1 for n, row in enumerate(rows) if row["id"] == after), 0)
        return reply({"object": "list", "data": rows[start : start + size], "has_more": len(rows) > start + size})

    def invoice(self, identifier: str, created: int, status: str = "open") -> None:
        self.objects[identifier] = {
            "id": identifier, "object": "invoice", "created": created, "status": status, "currency": "eur", "total": 119,
            "total_excluding_tax": 100, "customer": "cus_1",
        }  # fmt: skip

    def event(self, identifier: str, created: int, about: str, kind: str = "invoice.updated") -> None:
        named = {"id": about, "object": self.objects.get(about, {"object": "invoice"})["object"]}
        self.events.append(
            {"id": identifier, "object": "event", "created": created, "type": kind, "data": {"object": named}}
        )


@pytest.fixture
def stripe() -> Stripe:
    return Stripe()


def stream_of(stripe: Stripe, monkeypatch: pytest.MonkeyPatch, name: str = "invoice") -> Stream:
    monkeypatch.setenv("STRIPE_KEY", "rk_test")
    section = {
        "billing": {
            "vendor": "stripe",
            "url": "http://stripe.test",
            "auth": {"key": "env:STRIPE_KEY"},
            "history": "90d",
        }
    }
    platform = load_platforms(parse_platforms(section), clock=clock, transport=httpx.WSGITransport(app=app(stripe)))[
        "billing"
    ]
    return next(stream for stream in platform.streams if stream.spec.name == name)


def pages(stream: Stream, cursor: Cursor) -> list[Page]:
    polling = poll(stream, cursor, clock=clock)
    found = list(polling)
    assert polling.report.status == "complete", polling.report
    return found


def ids(found: list[Page]) -> list[str]:
    return [record.id for page in found for record in page.records]


def test_the_first_load_pages_by_creation_and_can_be_resumed(stripe: Stripe, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(250):
        stripe.invoice(f"in_{number:03d}", NOW_S - 1000 - number // 60)
    stream = stream_of(stripe, monkeypatch)
    found = pages(stream, {})
    assert sorted(ids(found)) == sorted(stripe.objects)
    assert [page.last for page in found] == [False, False, True]
    assert found[-1].watermark_us == NOW_US - 60 * SECOND
    resumed = pages(stream, found[0].cursor)
    assert sorted(ids(resumed)) == sorted(set(stripe.objects) - set(ids(found[:1])))
    assert resumed[-1].cursor == found[-1].cursor


def test_events_name_what_is_re_read_once_and_oldest_first(stripe: Stripe, monkeypatch: pytest.MonkeyPatch) -> None:
    stripe.invoice("in_a", NOW_S - 40 * 86_400)
    stripe.invoice("in_b", NOW_S - 50)
    stripe.event("evt_1", NOW_S - 50, "in_b", "invoice.created")
    stripe.event("evt_2", NOW_S - 40, "in_a")
    stripe.event("evt_3", NOW_S - 30, "in_b")
    stripe.objects["pi_1"] = {"id": "pi_1", "object": "payment_intent", "created": NOW_S}
    stripe.event("evt_4", NOW_S - 20, "pi_1", "invoice.updated")
    stream = stream_of(stripe, monkeypatch)
    found = pages(stream, {"until_us": NOW_US - 60 * SECOND})
    assert ids(found) == ["in_a", "in_b"]
    assert stripe.asked["/v1/invoices/in_b"] == 1
    assert found[-1].cursor["until_us"] == NOW_US
    assert found[-1].cursor["seen"] == {
        "evt_1": NOW_S - 50,
        "evt_2": NOW_S - 40,
        "evt_3": NOW_S - 30,
        "evt_4": NOW_S - 20,
    }


def test_an_event_that_shows_up_late_is_found_in_the_overlap_and_known_ones_cost_nothing(
    stripe: Stripe, monkeypatch: pytest.MonkeyPatch
) -> None:
    stripe.invoice("in_a", NOW_S - 500)
    stripe.event("evt_1", NOW_S - 300, "in_a")
    stream = stream_of(stripe, monkeypatch)
    first = pages(stream, {"until_us": NOW_US - 200 * SECOND})
    stripe.invoice("in_late", NOW_S - 400)
    stripe.event("evt_late", NOW_S - 400, "in_late", "invoice.created")
    second = pages(stream, first[-1].cursor)
    assert (ids(first), ids(second)) == (["in_a"], ["in_late"])
    assert stripe.asked["/v1/invoices/in_a"] == 1


def test_what_an_event_names_and_is_gone_comes_back_as_deleted(stripe: Stripe, monkeypatch: pytest.MonkeyPatch) -> None:
    stripe.event("evt_1", NOW_S - 30, "in_gone", "invoice.deleted")
    (page,) = pages(stream_of(stripe, monkeypatch), {"until_us": NOW_US - 60 * SECOND})
    assert [(record.id, record.deleted) for record in page.records] == [("in_gone", True)]


def test_a_gap_longer_than_the_feed_keeps_is_loaded_by_creation(
    stripe: Stripe, monkeypatch: pytest.MonkeyPatch
) -> None:
    stripe.invoice("in_old", NOW_S - 60 * 86_400)
    found = pages(stream_of(stripe, monkeypatch), {"until_us": NOW_US - 30 * DAY})
    assert ids(found) == ["in_old"]
    assert stripe.asked["/v1/events"] == 0


def test_open_invoices_are_read_again_however_old(stripe: Stripe, monkeypatch: pytest.MonkeyPatch) -> None:
    stripe.invoice("in_open", 1)
    stripe.invoice("in_paid", 2, "paid")
    polling = poll(stream_of(stripe, monkeypatch), {}, clock=clock, kind="reread")
    assert ids(list(polling)) == ["in_open"]


@pytest.mark.parametrize("by_creation", [True, False])
def test_a_payment_knows_the_invoices_it_was_applied_to(
    stripe: Stripe, monkeypatch: pytest.MonkeyPatch, by_creation: bool
) -> None:
    stripe.links_by_creation = by_creation
    created = NOW_S - 50
    stripe.objects["pi_1"] = {
        "id": "pi_1", "object": "payment_intent", "created": created, "status": "succeeded", "currency": "eur",
        "amount": 119, "amount_received": 119,
    }  # fmt: skip
    for name, status in (("inpay_1", "paid"), ("inpay_2", "canceled")):
        stripe.objects[name] = {
            "id": name, "object": "invoice_payment", "created": created, "status": status, "invoice": f"in_{status}",
            "amount_paid": 119, "payment": {"type": "payment_intent", "payment_intent": "pi_1"},
        }  # fmt: skip
    stripe.event("evt_1", NOW_S - 40, "pi_1", "payment_intent.succeeded")
    stream = stream_of(stripe, monkeypatch, "payment")
    for cursor in ({}, {"until_us": NOW_US - 60 * SECOND}):
        (record,) = pages(stream, cursor)[-1].records
        (applied,) = record.references
        assert (applied.kind, applied.to) == ("applies", "billing/invoice/id=in_paid")
        assert (applied.amount_minor, applied.currency) == (119, "EUR")


def test_stamps_are_seconds_since_1970(stripe: Stripe, monkeypatch: pytest.MonkeyPatch) -> None:
    stripe.invoice("in_a", NOW_S - 30)
    record = pages(stream_of(stripe, monkeypatch), {})[0].records[0]
    assert record.created_us == to_us(NOW) - 30 * SECOND
    assert record.amounts == {"net": 100, "gross": 119, "tax": 19}
    assert record.changed_us is None
