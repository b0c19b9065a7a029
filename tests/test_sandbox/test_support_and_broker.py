"""Do Zendesk's and RabbitMQ's own shapes come back, and can Zendesk's client read it over a real socket?"""

import base64
import json
from collections.abc import Callable
from datetime import UTC, datetime

import httpx
import pytest
import requests
from zenpy import Zenpy

from probes.sandbox import App, Company, Running, inject

BEARER = {"Authorization": "Bearer sandbox-zendesk-token"}
MONITOR = ("monitor", "sandbox-rabbitmq")


@pytest.fixture
def client(running: Running, rerouted: Callable[[str], requests.Session]) -> Zenpy:
    """Give zenpy against the loopback server."""
    session = rerouted(f"{running.base_url}/zendesk")
    session.headers.update(BEARER)
    return Zenpy(subdomain="sandbox", oauth_token="sandbox-zendesk-token", session=session)


def test_zenpy_reads_the_exports_and_who_it_is(client: Zenpy, running: Running) -> None:
    world = running.app.served.world
    assert client.users.me().id == 9000
    start = datetime.fromtimestamp(world.history_from_us / 1e6 - 900 * 86_400, UTC).replace(tzinfo=None)
    organizations = {o.id for o in client.organizations.incremental(start_time=start)}
    assert organizations == set(world.zendesk["organization"])
    tickets = {t.id for t in client.tickets.incremental(start_time=start, paginate_by_time=False)}
    newest = world.now_us - 60_000_000
    assert tickets == {t["id"] for t in world.zendesk["ticket"].values() if t["generated_timestamp"] <= newest}


def test_a_bad_credential_is_nobody_with_two_hundred(web: httpx.Client) -> None:
    answered = web.get("/zendesk/api/v2/users/me.json", headers={"Authorization": "Bearer wrong"})
    assert (answered.status_code, answered.json()["user"]["id"]) == (200, None)
    assert web.get("/zendesk/api/v2/tickets.json").status_code == 401


def test_the_cursor_export_resumes_where_it_ended_and_leaves_out_the_last_minute(
    web: httpx.Client, app: App, company: Company
) -> None:
    path = "/zendesk/api/v2/incremental/tickets/cursor.json"
    start = company.world.history_from_us // 1_000_000
    first = web.get(path, params={"start_time": start, "per_page": 3}, headers=BEARER).json()
    assert (len(first["tickets"]), first["end_of_stream"]) == (3, False)
    rest = web.get(path, params={"cursor": first["after_cursor"]}, headers=BEARER).json()
    assert rest["end_of_stream"] is True
    assert not {t["id"] for t in first["tickets"]} & {t["id"] for t in rest["tickets"]}
    ticket = next(iter(company.world.zendesk["ticket"].values()))
    ticket.update(updated_at=company.world.now_us, generated_timestamp=company.world.now_us)
    assert web.get(path, params={"cursor": rest["after_cursor"]}, headers=BEARER).json()["tickets"] == []
    app.served.clock.step(61)
    later = web.get(path, params={"cursor": rest["after_cursor"]}, headers=BEARER).json()
    assert ticket["id"] in {t["id"] for t in later["tickets"]}


def test_the_time_export_makes_progress_with_any_page_size(web: httpx.Client, app: App, company: Company) -> None:
    start, seen = company.world.history_from_us // 1_000_000, set()
    for _ in range(500):
        parameters = {"start_time": start, "per_page": 2}
        body = web.get(
            "/zendesk/api/v2/incremental/ticket_metric_events.json", params=parameters, headers=BEARER
        ).json()
        seen |= {event["id"] for event in body["ticket_metric_events"]}
        if body["end_of_stream"]:
            break
        start = body["end_time"]
        app.served.clock.step(7)  # ten exports a minute
    known = company.world.zendesk["metric_event"].values()
    assert {e["id"] for e in known if e["generated_timestamp"] < company.start_us - 60_000_000} <= seen


def test_the_eleventh_export_in_a_minute_is_told_to_wait(web: httpx.Client, company: Company) -> None:
    parameters = {"start_time": company.world.history_from_us // 1_000_000}
    answers = [
        web.get("/zendesk/api/v2/incremental/organizations.json", params=parameters, headers=BEARER) for _ in range(11)
    ]
    assert [a.status_code for a in answers] == [200] * 10 + [429]
    assert 0 < int(answers[-1].headers["Retry-After"]) <= 60
    assert int(answers[0].headers["ratelimit-remaining"]) == 699


def test_lists_page_and_find_by_external_id(web: httpx.Client, company: Company) -> None:
    first = web.get("/zendesk/api/v2/organizations.json", params={"page[size]": 10}, headers=BEARER).json()
    assert first["meta"]["has_more"] is True
    known = next(iter(company.world.zendesk["organization"].values()))
    path = "/zendesk/api/v2/organizations/search.json"
    found = web.get(path, params={"external_id": known["external_id"]}, headers=BEARER).json()
    assert [row["id"] for row in found["organizations"]] == [known["id"]]
    assert web.get("/zendesk/api/v2/tickets/1.json", headers=BEARER).json()["error"] == "RecordNotFound"


def test_queues_are_listed_bare_and_paged(web: httpx.Client) -> None:
    bare = web.get("/rabbitmq/api/queues", auth=MONITOR).json()
    flows = ("orders", "invoices", "customers", "contracts", "telemetry")
    names = {*flows, *(f"{flow}.dlq" for flow in flows)}
    assert {queue["name"] for queue in bare} == names
    paged = web.get(
        "/rabbitmq/api/queues", params={"page": 1, "page_size": 4, "columns": "name,messages"}, auth=MONITOR
    ).json()
    assert (paged["item_count"], paged["page_count"], paged["total_count"]) == (4, 3, 10)
    assert set(paged["items"][0]) == {"name", "messages"}
    assert web.get("/rabbitmq/api/queues/%2F/none", auth=MONITOR).json() == {
        "error": "Object Not Found",
        "reason": "Not Found",
    }
    assert web.get("/rabbitmq/api/overview").status_code == 401


def test_a_dead_letter_is_seen_with_its_key_over_a_real_socket(running: Running) -> None:
    with httpx.Client(base_url=f"{running.base_url}/rabbitmq", auth=MONITOR) as client:
        assert client.get("/api/queues/%2F/orders.dlq").json()["name"] == "orders.dlq"
        body = {"count": 1, "ackmode": "ack_requeue_true", "encoding": "auto"}
        assert client.post("/api/queues/%2F/orders.dlq/get", json=body).json() == []
        consuming = body | {"ackmode": "ack_requeue_false"}
        assert client.post("/api/queues/%2F/orders.dlq/get", json=consuming).status_code == 400


def test_a_dead_letter_carries_its_business_key(web: httpx.Client, app: App, company: Company) -> None:
    inject(company.world, "E01", flow="orders")
    app.served.clock.step(1200)
    body = {"count": 5, "ackmode": "ack_requeue_true", "encoding": "auto", "truncate": 5000}
    message = web.post("/rabbitmq/api/queues/%2F/orders.dlq/get", json=body, auth=MONITOR).json()[0]
    entry = next(e for e in company.journal.entries if e.kind == "exception")
    assert message["properties"]["message_id"] == entry.external_id
    assert json.loads(message["payload"])["opportunity_id"] in company.world.salesforce["Opportunity"]
    assert message["properties"]["headers"]["x-death"][0]["reason"] == "rejected"


def test_basic_with_the_legacy_token_works(web: httpx.Client) -> None:
    basic = base64.b64encode(b"probe@example.com/token:sandbox-zendesk-token").decode()
    assert web.get("/zendesk/api/v2/users/me", headers={"Authorization": f"Basic {basic}"}).json()["user"]["id"] == 9000
