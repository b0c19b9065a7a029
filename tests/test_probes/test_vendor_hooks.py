"""What each vendor's own code must not get wrong: zones, locators, dead cursors, seconds full of rows, queues that empty."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import httpx
import pytest
from werkzeug.wrappers import Request, Response

from probes.clock import DAY, HOUR, MINUTE, SECOND, from_us, iso, to_us
from probes.errors import Reason
from probes.platform import BoundPlatform
from probes.platforms import load_platforms
from probes.platforms.netsuite import _local
from probes.poll import PollReport, poll
from probes.probe import Cursor, Meter, Page
from probes.settings import parse_platforms

from .fakes import NOW_US, app, clock, reply

Answer = Callable[[Request], Response]


@pytest.fixture(autouse=True)
def _secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SECRET", "secret-canary")


def platform_of(answer: Answer, vendor: str, auth: dict[str, str], **settings: Any) -> BoundPlatform:
    section = {"p": {"vendor": vendor, "url": "http://platform.test", "auth": auth, "history": "30d", **settings}}
    loaded = load_platforms(parse_platforms(section), clock=clock, transport=httpx.WSGITransport(app=app(answer)))["p"]
    assert isinstance(loaded, BoundPlatform)
    return loaded


def run(platform: BoundPlatform, name: str, cursor: Cursor) -> tuple[list[Page], PollReport]:
    stream = next(one for one in platform.streams if one.spec.name == name)
    polling = poll(stream, cursor, clock=clock)
    pages = list(polling)
    return pages, polling.report


def ids(pages: list[Page]) -> list[str]:
    return [record.id for page in pages for record in page.records]


# -- Salesforce ---------------------------------------------------------------------------------------------------------


class Salesforce:
    """A thousand opportunities of one second, seven a batch; rows are put in while it is read."""

    def __init__(self) -> None:
        self.at = NOW_US - HOUR
        self.rows = {f"006{n:012d}": self.at for n in range(1000)}
        self.batches: dict[str, list[str]] = {}
        self.queries: list[str] = []
        self.cut_after: int | None = None

    def __call__(self, request: Request) -> Response:
        if request.path.endswith("/token"):
            return reply({"access_token": "t", "instance_url": "http://platform.test"})
        if "/query/" in request.path:
            locator = request.path.rpartition("/")[2]
            if self.cut_after is not None and len(self.batches) > self.cut_after:
                return reply([{"errorCode": "INVALID_QUERY_LOCATOR", "message": "invalid query locator"}], 400)
            self.rows.setdefault(f"006new{len(self.batches):09d}", self.at)
            return self.batch(self.batches[locator])
        statement = request.args["q"]
        if "FROM Opportunity " not in statement:
            return reply({"done": True, "records": []})
        self.queries.append(statement)
        low, high = (to_us(_time(t)) for t in re.findall(r"[<>]=? (\S+Z)", statement))
        return self.batch(sorted(i for i, at in self.rows.items() if low <= at < high))

    def batch(self, ids: list[str]) -> Response:
        records = [{"Id": i, "SystemModstamp": iso(self.rows[i]), "StageName": "x"} for i in ids[:7]]
        body: dict[str, Any] = {"done": len(ids) <= 7, "records": records}
        if len(ids) > 7:
            locator = f"01g{len(self.batches)}"
            self.batches[locator] = ids[7:]
            body["nextRecordsUrl"] = f"/services/data/v66.0/query/{locator}"
        return reply(body)


def _time(text: str) -> Any:
    from datetime import datetime

    return datetime.fromisoformat(text)


def salesforce(answer: Answer) -> BoundPlatform:
    return platform_of(answer, "salesforce", {"client_id": "id", "client_secret": "env:SECRET"})


def test_a_thousand_rows_of_one_second_in_pages_of_seven_are_all_read() -> None:
    server = Salesforce()
    platform = salesforce(server)
    pages, report = run(platform, "opportunity", {})
    assert report.status == "complete"
    assert set(ids(pages)) >= {f"006{n:012d}" for n in range(1000)}
    inserted = set(server.rows) - set(ids(pages))
    assert inserted
    later, _ = run(platform, "opportunity", {"until_us": server.at + MINUTE})
    assert inserted <= set(ids(later))


def test_a_locator_that_lapses_moves_no_watermark_and_the_next_poll_goes_on_at_the_last_stamp() -> None:
    server = Salesforce()
    server.rows = {f"006{n:012d}": NOW_US - DAY + n * MINUTE for n in range(100)}
    server.cut_after = 5
    pages, report = run(salesforce(server), "opportunity", {})
    assert (report.status, report.watermark_us) == ("partial", None)
    server.cut_after = None
    reached = max(record.changed_us or 0 for page in pages for record in page.records)
    rest, report = run(salesforce(server), "opportunity", pages[-1].cursor)
    assert report.status == "complete"
    assert f">= {iso(reached)} " in server.queries[-2]
    assert {f"006{n:012d}" for n in range(100)} <= set(ids(pages)) | set(ids(rest))


# -- NetSuite -----------------------------------------------------------------------------------------------------------


class NetSuite:
    """Orders by id, a thousand a page, in an account zone; keeps the statements."""

    def __init__(self, offset: str, rows: int = 0) -> None:
        self.offset = offset
        self.rows = [
            {"id": str(n), "status": "A", "foreigntotal": "1.00", "currency": "4", "links": []}
            for n in range(1, rows + 1)
        ]
        self.statements: list[str] = []

    def __call__(self, request: Request) -> Response:
        if request.path.endswith("/token"):
            return reply({"access_token": "t", "expires_in": "3600"})
        assert request.headers["Prefer"] == "transient"
        statement = request.get_json()["q"]
        if "SYSTIMESTAMP" in statement:
            return reply({"items": [{"n": f"2026-11-20T04:00:00{self.offset}"}], "hasMore": False})
        if "FROM currency" in statement:
            return reply({"items": [{"id": "4", "symbol": "EUR"}], "hasMore": False})
        if "FROM transaction" not in statement:
            return reply({"items": [], "hasMore": False})
        self.statements.append(statement)
        after = re.search(r"t\.id > (\d+)", statement)
        rest = [row for row in self.rows if int(row["id"]) > (int(after.group(1)) if after else 0)]
        return reply({"items": rest[:1000], "hasMore": len(rest) > 1000})


def netsuite(answer: Answer, zone: str, tmp_path: Any) -> BoundPlatform:
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

    key = ec.generate_private_key(ec.SECP256R1())
    (tmp_path / "key.pem").write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    auth = {"client_id": "c", "certificate_id": "k", "alg": "ES256", "private_key": f"file:{tmp_path}/key.pem"}
    return platform_of(answer, "netsuite", auth, time_zone=zone)


def test_bounds_are_written_in_the_zone_of_the_account(tmp_path: Any) -> None:
    server = NetSuite("-08:00")
    _, report = run(netsuite(server, "America/Los_Angeles", tmp_path), "order", {"until_us": NOW_US})
    assert report.status == "complete"
    assert "t.lastmodifieddate >= TO_TIMESTAMP('2026-11-20T03:50:00'" in server.statements[-1]
    assert "TO_CHAR(t.createddate, 'YYYY-MM-DD\"T\"HH24:MI:SS') AS createddate" in server.statements[-1]


def test_a_zone_that_is_not_the_accounts_is_refused(tmp_path: Any) -> None:
    _, report = run(netsuite(NetSuite("-08:00"), "Europe/Berlin", tmp_path), "order", {})
    assert (report.status, report.reason) == ("failed", Reason.CONFIG)
    assert "answers in UTC-08:00, `time_zone: Europe/Berlin` is UTC+01:00 now" in report.message


def test_around_a_clock_change_the_lower_bound_goes_back_an_hour(tmp_path: Any) -> None:
    session = netsuite(NetSuite("-08:00"), "America/Los_Angeles", tmp_path).session
    fall_back = to_us(_time("2026-11-01T09:30:00+00:00"))  # 01:30 PST, the second 01:30 of that night
    assert _local(session, fall_back) == "2026-11-01T01:30:00"  # one hour earlier: the first 01:30
    assert _local(session, fall_back + DAY) == "2026-11-02T01:30:00"


def test_pages_go_on_from_the_last_id_and_resume_there(tmp_path: Any) -> None:
    server = NetSuite("-08:00", rows=2500)
    platform = netsuite(server, "America/Los_Angeles", tmp_path)
    pages, report = run(platform, "order", {})
    assert (report.status, len(pages), len(ids(pages))) == ("complete", 3, 2500)
    resumed, _ = run(platform, "order", pages[1].cursor)
    assert "t.id > 2000" in server.statements[3]
    assert ids(resumed)[:500] == [str(n) for n in range(2001, 2501)]
    assert resumed[-1].last
    assert not resumed[0].last


def test_values_are_quoted_so_that_no_value_ends_the_literal(tmp_path: Any) -> None:
    server = NetSuite("-08:00")
    stream = next(s for s in netsuite(server, "America/Los_Angeles", tmp_path).streams if s.spec.name == "order")
    list(poll(stream, {}, clock=clock, kind="read", by="externalid", values=["O'Neill') OR 1=1 --", "b"]))
    assert "t.externalid IN ('O''Neill'') OR 1=1 --', 'b')" in server.statements[-1]
    refused = poll(stream, {}, clock=clock, kind="read", by="memo", values=["x"])
    assert list(refused) == []
    assert refused.report.reason is Reason.CONFIG


# -- Zendesk ------------------------------------------------------------------------------------------------------------


def zendesk(answer: Answer) -> BoundPlatform:
    return platform_of(answer, "zendesk", {"key": "env:SECRET"})


def test_a_second_that_fills_a_whole_page_does_not_repeat_for_ever() -> None:
    second = NOW_US // SECOND - 3600
    starts: list[int] = []

    def answer(request: Request) -> Response:
        start = int(request.args["start_time"])
        starts.append(start)
        row = {"id": start, "created_at": iso(second * SECOND), "updated_at": iso(second * SECOND)}
        body = {"organizations": [row], "end_time": max(start, second), "end_of_stream": start > second}
        return reply(body)

    pages, report = run(zendesk(answer), "organization", {})
    assert report.status == "complete"
    assert starts[1:] == [second, second + 1]
    assert pages[-1].last


def test_a_cursor_that_died_is_replaced_by_its_time() -> None:
    asked: list[dict[str, str]] = []

    def answer(request: Request) -> Response:
        asked.append(dict(request.args))
        if "cursor" in request.args:
            return reply({"error": "InvalidCursor", "description": "expired"}, 400)
        return reply({"tickets": [], "after_cursor": "fresh", "end_of_stream": True})

    pages, report = run(zendesk(answer), "ticket", {"until_us": NOW_US - DAY, "after": "dead"})
    assert report.status == "complete"
    assert asked[1]["start_time"] == str((NOW_US - DAY) // SECOND - 600)
    assert pages[-1].cursor == {"until_us": NOW_US, "after": "fresh"}


def test_an_anonymous_user_is_a_refused_login() -> None:
    from probes.errors import ProbeError

    with pytest.raises(ProbeError) as caught:
        zendesk(lambda _: reply({"user": {"id": None, "name": "Anonymous user"}})).check(Meter())
    assert caught.value.reason is Reason.AUTH


# -- RabbitMQ -----------------------------------------------------------------------------------------------------------


class RabbitMQ:
    """Two dead-letter queues, one of them a quorum queue that must not be peeked."""

    def __init__(self) -> None:
        self.letters: list[dict[str, Any]] = []
        self.peeked: list[str] = []

    def __call__(self, request: Request) -> Response:
        if request.method == "POST":
            self.peeked.append(request.environ["PATH_INFO"])
            return reply(self.letters)
        queues = [
            {"name": "orders.dlq", "vhost": "/", "type": "classic", "messages": len(self.letters), "messages_ready": 1},
            {"name": "invoices.dlq", "vhost": "/", "type": "quorum", "messages": 3, "message_stats": {"ack_details": {"rate": 0.5}}},
            {"name": "orders", "vhost": "/", "type": "classic", "messages": None, "message_stats": {}},
        ]  # fmt: skip
        return reply({"items": queues, "page_count": 1})

    def letter(self, message_id: str | None, payload: str) -> dict[str, Any]:
        death = {
            "queue": "orders",
            "reason": "rejected",
            "time": NOW_US // SECOND - 60,
            "count": 1,
            "routing-keys": ["orders"],
        }
        properties: Any = {"headers": {"x-death": [death]}, **({"message_id": message_id} if message_id else {})}
        return {"payload": payload, "properties": properties, "redelivered": False}


def rabbitmq(answer: Answer) -> BoundPlatform:
    references = [{"kind": "about", "path": "payload.opportunity_id", "to": "crm/opportunity/id"}]
    streams = {"dead_letter": {"references": references}}
    return platform_of(answer, "rabbitmq", {"user": "monitor", "password": "env:SECRET"}, streams=streams)


def test_a_dead_letter_is_a_record_until_it_leaves_the_queue() -> None:
    server = RabbitMQ()
    server.letters = [
        server.letter("m1", '{"opportunity_id": "006A"}'),
        server.letter(None, "no json"),
        server.letter("m1", "{}"),
    ]
    platform = rabbitmq(server)
    (page,), report = run(platform, "dead_letter", {})
    assert report.status == "complete"
    assert [record.state for record in page.records] == ["failed", "failed"]
    assert page.records[0].milestones["failed"][0] == NOW_US - MINUTE
    assert page.records[0].attributes["from_queue"] == "orders"
    server.letters = server.letters[1:2]
    (after,), _ = run(platform, "dead_letter", page.cursor)
    assert [(record.id, record.deleted) for record in after.records][-1] == ("m1", True)
    assert len(server.peeked) == 2
    assert all("invoices" not in path for path in server.peeked)


def test_depths_are_samples_and_missing_figures_are_left_out() -> None:
    (page,), report = run(rabbitmq(RabbitMQ()), "queue", {})
    found = {(sample.series, sample.labels["queue"]): sample.value for sample in page.samples}
    assert found[("queue.messages", "invoices.dlq")] == 3.0
    assert found[("queue.ack_rate", "invoices.dlq")] == 0.5
    assert ("queue.messages", "orders") not in found
    assert report.watermark_us == NOW_US - 5 * SECOND


def test_the_queue_of_the_root_host_keeps_its_encoded_slash() -> None:
    paths: list[bytes] = []

    def answer(request: Request) -> Response:
        paths.append(request.environ.get("RAW_URI", request.environ.get("REQUEST_URI", "")))
        return RabbitMQ()(request)

    from .fakes import on_socket

    with on_socket(answer) as url:
        section = {"p": {"vendor": "rabbitmq", "url": url, "auth": {"user": "u", "password": "env:SECRET"}}}
        platform = load_platforms(parse_platforms(section), clock=clock)["p"]
        assert isinstance(platform, BoundPlatform)
        run(platform, "dead_letter", {})
        platform.close()
    assert any("/api/queues/%2F/orders.dlq/get" in str(path) for path in paths)


def test_the_instants_of_these_tests_are_what_they_say() -> None:
    assert from_us(NOW_US).isoformat() == "2026-11-20T12:00:00+00:00"
