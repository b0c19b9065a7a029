"""The client: what an answer means, what is retried, what is never said."""

from __future__ import annotations

import logging
from datetime import timedelta
from email.utils import format_datetime

import pytest
from werkzeug.wrappers import Request, Response

from probes.auth import FixedAuth, basic_auth, header_auth
from probes.client import Client, ClientSpec
from probes.errors import ProbeError, Reason
from probes.failures import ErrorRules, Rule
from probes.probe import Meter
from probes.quota import QuotaRules

from .fakes import NOW, NOW_US, clock, on_socket, reply
from .fakes import client as client_of


def failing(answer: object, status: int = 200, **spec: object) -> ProbeError:
    def respond(request: Request) -> Response:
        return answer if isinstance(answer, Response) else reply(answer, status)

    with pytest.raises(ProbeError) as caught:
        client_of(respond, **spec).get("/x", Meter())
    return caught.value


@pytest.mark.parametrize(
    ("status", "reason"),
    [
        (400, Reason.BAD_REQUEST),
        (401, Reason.AUTH),
        (403, Reason.FORBIDDEN),
        (404, Reason.BAD_REQUEST),
        (408, Reason.TIMEOUT),
        (410, Reason.BAD_REQUEST),
        (429, Reason.RATE_LIMIT),
        (500, Reason.SERVER),
        (503, Reason.SERVER),
    ],
)
def test_every_status_has_one_reason(status: int, reason: Reason) -> None:
    error = failing({"error": {"code": "some_code", "message": "some words"}}, status)
    assert error.reason is reason
    assert error.http_status == status
    assert str(error) == f"crm: HTTP {status}: some_code: some words"


def test_a_vendors_own_word_overrules_the_status() -> None:
    rules = ErrorRules(
        code=("0.errorCode",),
        message=("0.message",),
        rules=(Rule(Reason.RATE_LIMIT, status=403, code="REQUEST_LIMIT_EXCEEDED"),),
    )
    limited = failing([{"errorCode": "REQUEST_LIMIT_EXCEEDED", "message": "m"}], 403, errors=rules)
    denied = failing([{"errorCode": "INSUFFICIENT_ACCESS", "message": "m"}], 403, errors=rules)
    assert (limited.reason, denied.reason) == (Reason.RATE_LIMIT, Reason.FORBIDDEN)
    assert not limited.permanent
    assert denied.permanent


def test_a_success_that_carries_an_error_is_refused() -> None:
    error = failing({"error": ["UserError", "no"]}, 200, errors=ErrorRules(refused=("error",)))
    assert error.reason is Reason.REFUSED


def test_html_where_json_was_expected_is_named_without_its_markup() -> None:
    page = Response("<html><body><h1>Sign in</h1><script>x=1</script></body></html>", 200, content_type="text/html")
    error = failing(page)
    assert error.reason is Reason.NOT_JSON
    assert "text/html" in error.message
    assert "Sign in" in error.message
    assert "<" not in error.message
    assert "x=1" not in error.message


def test_a_body_that_breaks_off_is_a_cut_connection() -> None:
    assert failing(Response('{"data": [1, 2', content_type="application/json")).reason is Reason.CUT


def test_a_server_error_is_asked_again_and_may_mend_itself() -> None:
    answers = [reply({}, 503), reply({}, 503), reply({"ok": True})]
    meter = Meter()
    assert client_of(lambda _: answers.pop(0)).get("/x", meter).data == {"ok": True}
    assert meter.requests == 3


@pytest.mark.parametrize("status", [400, 401, 403, 404])
def test_what_only_a_person_can_mend_is_asked_once(status: int) -> None:
    meter = Meter()
    with pytest.raises(ProbeError):
        client_of(lambda _: reply({}, status)).get("/x", meter)
    assert meter.requests == 1


def test_no_more_than_three_attempts() -> None:
    meter = Meter()
    with pytest.raises(ProbeError):
        client_of(lambda _: reply({}, 500)).get("/x", meter)
    assert meter.requests == 3


def test_two_hundred_failing_calls_stop_retrying_when_the_budget_is_spent() -> None:
    meter, platform = Meter(), client_of(lambda _: reply({}, 429))
    for _ in range(200):
        with pytest.raises(ProbeError):
            platform.get("/x", meter)
    assert 200 < meter.requests <= 300 + 2  # 500 tokens at 5 a throttled retry: one hundred retries in all
    assert meter.throttled == 300


def test_the_breaker_stops_asking_a_platform_that_only_fails() -> None:
    meter, platform = Meter(), client_of(lambda _: reply({}, 500))
    for _ in range(20):
        with pytest.raises(ProbeError) as caught:
            platform.get("/x", meter)
    assert meter.requests == 6
    assert caught.value.reason is Reason.UNREACHABLE
    assert "not asked" in caught.value.message
    assert caught.value.retry_after_seconds is not None


@pytest.mark.parametrize("value", ["3600", format_datetime(NOW + timedelta(hours=1), usegmt=True)])
def test_retry_after_beyond_the_deadline_is_handed_on_not_waited_for(value: str) -> None:
    meter = Meter()
    with pytest.raises(ProbeError) as caught:
        client_of(lambda _: reply({}, 429, Retry_After=value)).get("/x", meter)
    assert caught.value.retry_after_seconds == pytest.approx(3600)
    assert meter.requests == 1


def test_an_unreadable_retry_after_is_ignored() -> None:
    assert failing(reply({}, 429, Retry_After="soon")).retry_after_seconds is None


def test_a_redirect_within_the_origin_is_followed() -> None:
    def answer(request: Request) -> Response:
        return reply({"ok": 1}) if request.path == "/b" else reply({}, 302, Location="/b")

    assert client_of(answer).get("/a", Meter()).data == {"ok": 1}


def test_a_redirect_to_another_origin_takes_no_credential_along() -> None:
    seen: list[dict[str, str]] = []

    def stranger(request: Request) -> Response:
        seen.append(dict(request.headers))
        return reply({})

    auth = FixedAuth((("X-Api-Key", "canary-key"), ("Authorization", "Bearer canary")), ("canary-key", "canary"))
    with on_socket(stranger) as other:
        with pytest.raises(ProbeError) as caught:
            client_of(lambda _: reply({}, 302, Location=f"{other}/steal?key=1"), auth=auth).get("/a", Meter())
        assert caught.value.reason is Reason.CONFIG
        assert "redirects to http://127.0.0.1" in caught.value.message
        assert "steal" not in caught.value.message
    assert seen == []


def test_a_circle_of_redirects_ends() -> None:
    assert failing(reply({}, 302, Location="/x")).reason is Reason.LOOP


def test_a_link_to_another_host_is_not_followed() -> None:
    platform = client_of(lambda _: reply({}))
    with pytest.raises(ProbeError) as caught:
        platform.url("https://elsewhere.test/next?token=abc")
    assert caught.value.reason is Reason.REFUSED
    assert "abc" not in caught.value.message


def test_a_relative_link_keeps_the_prefix_of_the_base_url() -> None:
    platform = client_of(lambda _: reply({}), base_url="http://platform.test/salesforce/")
    assert platform.url("/services/query") == "http://platform.test/salesforce/services/query"
    assert platform.url("/salesforce/services/query") == "http://platform.test/salesforce/services/query"


SECRETS = ["sk_canary_1234567890", "p@ssw0rd-canary", "bearer-canary-token"]


@pytest.mark.parametrize("secret", SECRETS)
@pytest.mark.parametrize("status", [200, 400, 401, 403, 500])
def test_no_secret_comes_back_in_an_error(secret: str, status: int, caplog: pytest.LogCaptureFixture) -> None:
    body = f"key {secret} was refused, see https://h.test/path?api_key={secret}&x=1 Authorization: Bearer {secret}"
    with caplog.at_level(logging.DEBUG):
        auth = header_auth("X-Key", secret)
        error = failing(Response(body, status, content_type="text/plain"), auth=auth)
    assert secret not in str(error) + repr(error) + repr(error.args)
    assert "api_key" not in error.message
    assert secret not in caplog.text


def test_the_password_of_basic_auth_is_known_to_the_scrubber() -> None:
    auth = basic_auth("probe", "p@ssw0rd-canary")
    assert auth.headers(client_of(lambda _: reply({})), Meter()) == {
        "Authorization": "Basic cHJvYmU6cEBzc3cwcmQtY2FuYXJ5"
    }
    assert "p@ssw0rd-canary" in auth.secrets


def test_quota_version_and_notices_are_read_from_headers() -> None:
    rules = QuotaRules(
        header="Sforce-Limit-Info", pattern=r"api-usage=(?P<used>\d+)/(?P<limit>\d+)", version="X-Version"
    )
    headers = {"Sforce_Limit_Info": "api-usage=18/5000; per-app-api-usage=1/250(appName=x)", "X_Version": "66.0"}
    meter = Meter()
    platform = client_of(lambda _: reply({}, 200, Sunset="Sat, 31 Oct 2026 00:00:00 GMT", **headers), quota=rules)
    platform.get("/x", meter)
    assert (meter.quota_used, meter.quota_limit, meter.api_version) == (18, 5000, "66.0")
    assert meter.warnings == ("sunset: Sat, 31 Oct 2026 00:00:00 GMT",)


@pytest.mark.parametrize(("unit", "value", "expected"), [
    ("seconds", "30", NOW_US + 30_000_000),
    ("epoch", str(NOW_US // 1_000_000 + 60), NOW_US + 60_000_000),
    ("iso", "2026-11-20T12:01:00Z", NOW_US + 60_000_000),
    ("seconds", "soon", None),
])  # fmt: skip
def test_the_reset_of_a_quota_is_read_in_three_ways(unit: str, value: str, expected: int | None) -> None:
    meter = Meter()
    rules = QuotaRules(limit="L", remaining="R", reset="X", reset_unit=unit)
    client_of(lambda _: reply({}, 200, L="100", R="40", X=value), quota=rules).get("/x", meter)
    assert (meter.quota_limit, meter.quota_used, meter.quota_reset_us) == (100, 60, expected)


@pytest.mark.parametrize("days", [-1, 0, 1])
def test_the_platforms_clock_is_compared_with_ours(days: int) -> None:
    meter = Meter()
    date = format_datetime(NOW + timedelta(days=days), usegmt=True)
    client_of(lambda _: reply({}, 200, Date=date)).get("/x", meter)
    assert meter.skew_seconds == pytest.approx(days * 86_400, abs=1)


def test_a_query_reaches_the_server_and_the_meter_counts_it() -> None:
    seen = []

    def answer(request: Request) -> Response:
        seen.append((request.args["q"], request.headers["User-Agent"]))
        return reply([1, 2])

    meter = Meter()
    with on_socket(answer) as url:
        platform = Client(ClientSpec(base_url=url), clock=clock)
        assert platform.get("/x", meter, (("q", "a b&c"),)).data == [1, 2]
        platform.close()
    assert seen == [("a b&c", "tieout-probe (read-only)")]
    assert meter.bytes == 6
    assert meter.latency_seconds > 0
    assert meter.http_status == 200
