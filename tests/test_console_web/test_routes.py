"""The HTTP side of the console: interface, exports, health, headers, and what is turned away."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import jsonschema
import pytest
from jsonschema import Draft202012Validator
from openapi_spec_validator import validate
from sqlalchemy import delete, update
from starlette.testclient import TestClient

from console.run.tables import Heartbeat
from console.web import context, data, health
from console.web.api.build import build
from console.web.context import Console
from console.web.security import hosts, security_headers
from metrics.past import remark
from metrics.tables import table
from probes.clock import HOUR

from .company import DEALS, HOSTILE, NOW, clock_at
from .conftest import built

LISTS = {
    "/slis": "sli figures",
    "/slis/order_latency/events": "events",
    "/slis/order_latency/series": "series",
    "/slis/master_reconciliation/events": "states",
    "/slis/platform_availability/events": "polls",
    "/flows": "flows",
    "/flows/quote_to_order/instances": "instances",
    "/customers": "customers",
    "/platforms": "platforms",
    "/poll-runs": "poll runs",
    "/breaks": "breaks",
    "/exceptions": "exceptions",
    "/alerts": "alerts",
    "/alerts?past=true": "transitions",
    "/changes?period=7d": "changes",
    "/find?key=PO-D02": "hits",
}


SINGLES = {
    "/slis/order_latency": "/slis/{name}",
    "/documents/crm/opportunity/D02": "/documents/{on}/{kind}/{external_id}",
    "/documents/erp/invoice/CI-in_3": "/documents/{on}/{kind}/{external_id}",
    "/customers/{customer}": "/customers/{customer_id}",
}


@pytest.fixture(scope="module", params=["sqlite", "postgres"])
def stored(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Console]:
    """Give the company on each kind of database in turn."""
    with built(request, tmp_path_factory) as made:
        yield made


@pytest.fixture
def console(stored: Console) -> Iterator[Console]:
    context.use(stored)
    data.forget()
    yield stored
    context.use(None)


@pytest.fixture
def api(console: Console) -> TestClient:
    return TestClient(build(lambda: console), base_url="http://127.0.0.1", raise_server_exceptions=False)


@pytest.fixture(scope="module")
def served(company: Console) -> Iterator[TestClient]:
    """Give the whole application: pages, routes and middleware."""
    from console.web.app import make_app

    context.use(company)
    with TestClient(make_app(company), base_url="http://127.0.0.1", raise_server_exceptions=False) as client:  # type: ignore[arg-type] # an ASGI application
        yield client
    context.use(None)


@pytest.fixture(autouse=True)
def _shown(company: Console) -> Iterator[None]:
    context.use(company)
    data.forget()
    yield
    context.use(None)


def get(api: TestClient, path: str) -> Any:
    answer = api.get(path)
    assert answer.status_code == 200, answer.text
    return answer.json()


@pytest.mark.parametrize("path", LISTS)
def test_every_list_has_items_and_the_cursor_of_the_next_page(api: TestClient, path: str) -> None:
    found = get(api, path)
    assert set(found) == {"items", "next", "total", "notes"}
    assert found["notes"] == []
    assert found["items"], path
    assert all(isinstance(i, dict) for i in found["items"])


@pytest.mark.parametrize("path", LISTS)
def test_every_list_can_be_had_whole_as_csv_without_formulas(api: TestClient, path: str) -> None:
    total = get(api, path)["total"]
    answer = api.get(path, headers={"Accept": "text/csv"})
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    assert answer.headers["content-disposition"].startswith("attachment; filename=")
    head, *rows = list(csv.reader(io.StringIO(answer.text, newline="")))
    assert len(rows) == total
    assert len(head) == len(set(head))
    cells = [c for row in rows for c in row]
    assert not [c for c in cells if c[:1] in "=+@\t\r" and c and not re.fullmatch(r"[+-]?\d+(\.\d+)?", c)]


@pytest.mark.parametrize(
    "path", ["/slis/order_latency/events", "/flows/quote_to_order/instances", "/customers", "/poll-runs"]
)
def test_pages_of_one_row_give_the_same_rows_as_one_page(api: TestClient, path: str) -> None:
    whole = get(api, f"{path}?limit=1000")["items"]
    rows: list[Any] = []
    after = ""
    while True:
        page = get(api, f"{path}?limit=1{after}")
        assert len(page["items"]) == 1
        rows += page["items"]
        if page["next"] is None:
            break
        after = f"&after={page['next']}"
    assert rows == whole


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/nothing", 404),
        ("/slis/nothing", 404),
        ("/slis/nothing/events", 404),
        ("/flows/nothing/instances", 404),
        ("/documents/crm/opportunity/nothing", 404),
        ("/customers/1", 404),
        ("/customers/x", 404),
        ("/customers/99999999999999999999999999", 404),
        ("/slis?period=soon", 422),
        ("/slis?period=-1d", 422),
        ("/slis?as_of=yesterday", 422),
        ("/slis?as_of=2026-11-20T12:00:00", 422),
        ("/slis?as_of=2999-01-01T00:00:00Z", 422),
        ("/breaks?entity=%00", 422),
        ("/find?key=a%00b", 422),
        ("/documents/crm/%00/x", 422),
        ("/slis?customer=abc", 422),
        ("/customers?limit=0", 422),
        ("/customers?limit=100000", 422),
        ("/customers?after=bm90aGluZw", 422),
        ("/customers?after=%00", 422),
        ("/slis/order_latency/events?outcome=perfect", 422),
        ("/slis/order_latency/series?grain=week", 422),
        ("/slis/order_latency/series?grain=hour&period=3000d", 422),
        ("/find?key=", 422),
        ("/find", 422),
        ("/slis?format=xml", 422),
    ],
)
def test_every_error_is_a_problem_document_that_says_what_to_do(api: TestClient, path: str, status: int) -> None:
    answer = api.get(path)
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    body = answer.json()
    assert {"type", "title", "status", "detail", "instance"} <= set(body)
    assert body["status"] == status
    assert len(body["detail"]) > 10
    assert "Traceback" not in answer.text


def test_a_method_that_would_write_is_refused(api: TestClient) -> None:
    answer = api.post("/slis", json={})
    assert answer.status_code == 405
    assert answer.headers["content-type"] == "application/problem+json"


def test_our_own_fault_is_a_problem_document_that_tells_nothing_of_it(console: Console) -> None:
    broken = replace(console, store=None)  # type: ignore[arg-type] # broken on purpose
    answer = TestClient(build(lambda: broken), raise_server_exceptions=False).get("/slis")
    assert answer.status_code == 500
    assert answer.headers["content-type"] == "application/problem+json"
    assert "NoneType" not in answer.text


def test_the_description_of_the_interface_is_valid_openapi(api: TestClient) -> None:
    document = get(api, "/openapi.json")
    validate(document)
    assert "/slis/{name}/events" in document["paths"]
    assert all(
        "Asked" not in p["name"] for path in document["paths"].values() for p in path["get"].get("parameters", [])
    )


@pytest.mark.parametrize("query", ["", "as_of=2026-11-18T00:00:00Z"])
@pytest.mark.parametrize("path", [*LISTS, *SINGLES])
def test_every_answer_is_of_the_type_that_its_description_says(api: TestClient, path: str, query: str) -> None:
    document = get(api, "/openapi.json")
    pattern = SINGLES.get(path) or re.sub(r"^/(slis|flows)/[^/]+/", r"/\1/{name}/", path.partition("?")[0])
    schema = document["paths"][pattern]["get"]["responses"]["200"]["content"]["application/json"]["schema"]
    asked = path.format(customer=context.current().model.customer("crm", "A1"))
    found = get(api, f"{asked}{'&' if '?' in asked else '?'}{query}")
    jsonschema.validate(found, {**schema, "components": document["components"]}, Draft202012Validator)
    assert found["notes"] == ([remark(NOW - 60 * HOUR)] if query else [])
    listed = schema.get("anyOf", [schema])[0]["$ref"].rpartition("/")[2]
    typed = document["components"]["schemas"][listed]
    assert typed["additionalProperties"] is False
    if path in LISTS:
        assert "$ref" in typed["properties"]["items"]["items"], "a list says what its items are"


def test_every_error_is_described_as_a_problem_document(api: TestClient) -> None:
    document = get(api, "/openapi.json")
    for path in document["paths"].values():
        responses = path["get"]["responses"]
        assert {"200", "401", "404", "422", "500"} == set(responses)
        assert all(set(r["content"]) == {"application/problem+json"} for code, r in responses.items() if code >= "400")
    refused = api.get("/slis?period=soon").json()
    schema = {"$ref": "#/components/schemas/ProblemDetails", "components": document["components"]}
    jsonschema.validate(refused, schema, Draft202012Validator)


def test_every_list_narrows_to_a_past_instant(api: TestClient) -> None:
    then = "as_of=2026-11-17T00:00:00Z"
    for path in (
        "/breaks",
        "/exceptions",
        "/alerts",
        "/alerts?past=true",
        "/poll-runs",
        "/find?key=PO-D02",
    ):
        joined = f"{path}{'&' if '?' in path else '?'}"
        assert get(api, f"{joined}{then}")["total"] < get(api, path)["total"], path
    stuck = [sum(c["stuck"] for c in get(api, f"/customers?{q}")["items"]) for q in (then, "")]
    assert stuck[0] < stuck[1]
    states = {f["name"]: f["states"] for f in get(api, f"/flows?{then}")["items"]}
    assert states["quote_to_order"] == {"done": 4}, "four of the deals were won by then, and all had their orders"
    assert api.get(f"/documents/crm/opportunity/D02?{then}").status_code == 404
    late = get(api, "/documents/erp/order/SO-D04?as_of=2026-11-16T19:00:00Z")
    assert [m["what"] for m in late["timeline"]][-1] == "created"


def test_ids_are_text_money_has_its_currency_and_instants_are_utc(api: TestClient) -> None:
    event = next(e for e in get(api, "/slis/order_latency/events?outcome=bad")["items"] if e["external_id"] == "D02")
    assert isinstance(event["anchor_id"], str)
    assert event["money"] == {"minor": "250050", "currency": "EUR", "text": "€2,500.50"}
    assert event["due_at"] == "2026-11-18T16:00:00Z"
    assert event["href"] == "/api/v1/documents/crm/opportunity/D02"
    assert event["link"] == "https://crm.example/opportunity/D02"


def test_a_document_has_its_timeline_over_all_platforms_with_proof(api: TestClient) -> None:
    found = get(api, "/documents/crm/opportunity/D04")
    assert [(m["platform"], m["what"]) for m in found["timeline"] if m["what"] in ("won", "created")] == [
        ("crm", "created"), ("crm", "won"), ("erp", "created"),
    ]  # fmt: skip
    late = next(m for m in found["timeline"] if m["platform"] == "erp")
    assert late["late_seconds"] == 2 * 3600
    assert len(late["record"]["digest"]) == 32
    assert {f[0]["flow"] for f in found["flows"]} >= {"quote_to_order"}


def test_a_hostile_name_is_plain_text_in_json(api: TestClient) -> None:
    names = {c["name"] for c in get(api, "/customers")["items"]}
    assert HOSTILE in names


def test_filters_narrow_the_figure_and_its_list_alike(api: TestClient) -> None:
    for query in ("entity=NW-DE", "entity=NW-US", "platform=crm", "segment=mid", "period=3d"):
        figure = get(api, f"/slis/order_latency?{query}")
        for outcome in ("good", "bad", "pending", "blind", "excluded"):
            assert get(api, f"/slis/order_latency/events?{query}&outcome={outcome}")["total"] == figure[outcome], query


def test_figures_can_be_asked_for_a_past_instant(api: TestClient) -> None:
    now = get(api, "/slis/order_latency")
    before = get(api, "/slis/order_latency?as_of=2026-11-17T00:00:00Z")
    assert now["bad"] > before["bad"]


def test_without_a_token_configured_everybody_on_this_machine_may_ask(api: TestClient) -> None:
    assert api.get("/slis").status_code == 200


@pytest.mark.parametrize(
    ("header", "status"),
    [
        (None, 401),
        ("Bearer wrong", 401),
        ("Basic secret-token", 401),
        ("secret-token", 401),
        ("Bearer ", 401),
        ("Bearer secret-token", 200),
    ],
)
def test_a_configured_token_is_needed_everywhere(console: Console, header: str | None, status: int) -> None:
    guarded = replace(console, token="secret-token")
    api = TestClient(build(lambda: guarded), raise_server_exceptions=False)
    headers = {"Authorization": header} if header else {}
    for path in ("/slis", "/customers", "/platforms", "/documents/crm/opportunity/D02"):
        answer = api.get(path, headers=headers)
        assert answer.status_code == status, path
        if status == 401:
            assert answer.headers["www-authenticate"] == "Bearer"
            assert answer.headers["content-type"] == "application/problem+json"


# --- the whole application -------------------------------------------------------------------------------------------

PATHS = ["/", "/flow", "/metrics", "/healthz", "/readyz", "/api/v1/slis", "/api/v1/nope", "/nope", "/_stcore/health"]


@pytest.mark.parametrize("path", PATHS)
def test_every_answer_carries_the_security_headers_errors_included(served: TestClient, path: str) -> None:
    headers = served.get(path).headers
    assert headers["content-security-policy"].startswith("frame-ancestors 'self';")
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "no-referrer"


@pytest.mark.parametrize(
    "path", ["/nope", "/overview/../../etc/passwd", "/healthz2", "/readyz/x", "/sandbox", "/wp-login.php", "/sli/x"]
)
def test_a_path_that_is_no_page_is_not_found(served: TestClient, path: str) -> None:
    answer = served.get(path)
    assert answer.status_code in (400, 404), answer.text[:200]
    assert "<html" not in answer.text.lower()


@pytest.mark.parametrize("path", ["/", "/overview", "/flow", "/document", "/customers"])
def test_a_page_is_served(served: TestClient, path: str) -> None:
    answer = served.get(path)
    assert answer.status_code == 200
    assert "text/html" in answer.headers["content-type"]
    assert answer.headers["set-cookie"].startswith("tieout_visit=")
    assert "HttpOnly" in answer.headers["set-cookie"]


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example", ""])
def test_a_foreign_host_name_is_refused(served: TestClient, host: str) -> None:
    assert served.get("/api/v1/slis", headers={"Host": host}).status_code == 421


def test_hosts_are_those_configured_and_this_machines_own() -> None:
    assert hosts("127.0.0.1", "https://tieout.example.com/x", ("a.example",)) >= {
        "tieout.example.com",
        "a.example",
        "localhost",
    }
    assert hosts("0.0.0.0", None, ("*",)) == frozenset()


def test_who_may_frame_the_console_is_configured() -> None:
    policy = security_headers(("'self'", "https://crm.example.com"))["Content-Security-Policy"]
    assert policy.startswith("frame-ancestors 'self' https://crm.example.com;")


def test_alive_says_ok_and_ready_names_each_check(served: TestClient) -> None:
    assert served.get("/healthz").json() == {"status": "ok"}
    answer = served.get("/readyz")
    assert answer.status_code == 200, answer.text
    assert {n: c["passed"] for n, c in answer.json()["checks"].items()} == {
        "store": True,
        "scheduler": True,
        "outbox": True,
    }


def test_a_scheduler_that_stopped_or_never_ran_is_not_ready(own: Console) -> None:
    stale = replace(own, clock=clock_at(NOW + HOUR))
    found = {c.name: c for c in health.checks(stale)}
    assert not found["scheduler"].passed
    assert "1h ago" in found["scheduler"].detail
    with own.store.write() as conn:
        conn.execute(delete(table(Heartbeat)))
    assert "tieout up" in next(c.detail for c in health.checks(own) if c.name == "scheduler")


def test_a_store_that_refuses_writes_is_not_ready(own: Console, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(health, "LOCK_MILLISECONDS", 50)
    with own.store.write() as conn:
        conn.execute(update(table(Heartbeat)).values(holder="stuck"))
        assert [c.name for c in health.checks(own) if not c.passed] == ["store"]
    assert [c.name for c in health.checks(own) if not c.passed] == []


def test_the_count_of_subjects_over_all_outcomes_is_the_number_of_deals(api: TestClient) -> None:
    figure = get(api, "/slis/order_latency")
    assert sum(figure[o] for o in ("good", "bad", "pending", "blind", "excluded")) == len(DEALS)
