"""Do the servers of the lab start, answer, refuse what they must and keep to themselves?"""

from __future__ import annotations

import smtplib
import threading
from email.message import EmailMessage
from wsgiref.simple_server import WSGIRequestHandler, make_server

import httpx
import pytest
import sqlalchemy as sa
from playwright.sync_api import Page
from prometheus_client import CollectorRegistry, Gauge, make_wsgi_app

from tests.servers.postgres import Postgres
from tests.servers.prometheus import Prometheus, check_metrics
from tests.servers.slack import SlackSink
from tests.servers.smtp import SmtpSink


def test_two_schemas_do_not_see_each_other(postgres_server: Postgres) -> None:
    with postgres_server.schema() as one, postgres_server.schema() as other:
        here, there = sa.create_engine(one), sa.create_engine(other)
        with here.begin() as connection:
            connection.execute(sa.text("create table seen (id int)"))
        assert sa.inspect(here).has_table("seen")
        assert not sa.inspect(there).has_table("seen")
        here.dispose()
        there.dispose()


def test_a_schema_is_dropped_though_a_pool_still_holds_it(postgres_server: Postgres) -> None:
    with postgres_server.schema() as url:
        engine = sa.create_engine(url)
        connection = engine.connect()
        connection.execute(sa.text("create table held (id int)"))  # an open transaction with a lock on the table
    with pytest.raises(sa.exc.OperationalError):
        connection.execute(sa.text("select 1"))
    connection.invalidate()
    engine.dispose()


def test_mail_is_kept_with_its_envelope_and_refused_when_asked(smtp_sink: SmtpSink) -> None:
    message = EmailMessage()
    message["Subject"] = "Bestellung überfällig"
    message.set_content("4711 – 80 €\n")
    smtp_sink.refuse.append("451 4.3.0 try again later")
    with smtplib.SMTP("127.0.0.1", smtp_sink.port) as client:
        with pytest.raises(smtplib.SMTPDataError) as refused:
            client.send_message(message, "tieout@lab.example", ["oncall@lab.example"])
        assert refused.value.smtp_code == 451
        client.send_message(message, "tieout@lab.example", ["oncall@lab.example"])
    (mail,) = smtp_sink.mails
    assert mail.recipients == ("oncall@lab.example",)
    assert mail.message["Subject"] == "Bestellung überfällig"
    assert mail.text == "4711 – 80 €\n"


SECTION = {"type": "section", "text": {"type": "mrkdwn", "text": "*Overdue*"}}


@pytest.mark.parametrize(
    ("payload", "said"),
    [
        pytest.param({"text": "fallback", "blocks": [SECTION]}, "ok", id="a section with a fallback text is taken"),
        pytest.param({}, "no_text", id="nothing to show is refused"),
        pytest.param({"text": "x", "blocks": [SECTION] * 51}, "invalid_blocks", id="51 blocks are refused"),
        pytest.param(
            {"text": "x", "blocks": [{"type": "section", "text": {"type": "mrkdwn", "text": "y" * 3001}}]},
            "invalid_blocks",
            id="a section of 3001 characters is refused",
        ),
        pytest.param(
            {"text": "x", "blocks": [{"type": "section", "text": {"type": "mrkdwn", "text": "y" * 2900}}] * 5},
            "msg_blocks_too_long",
            id="blocks of 14,500 characters in all are refused",
        ),
        pytest.param(
            {"text": "x", "blocks": [{"type": "header", "text": {"type": "mrkdwn", "text": "h"}}]},
            "invalid_blocks",
            id="a header in mrkdwn is refused",
        ),
        pytest.param(
            {"text": "x", "blocks": [{"type": "context", "elements": [{"type": "mrkdwn", "text": "x"}] * 11}]},
            "invalid_blocks",
            id="a context of 11 elements is refused",
        ),
        pytest.param(
            {
                "text": "x",
                "blocks": [
                    {
                        "type": "actions",
                        "elements": [{"type": "button", "text": {"type": "plain_text", "text": "b" * 76}}],
                    }
                ],
            },
            "invalid_blocks",
            id="a button text of 76 characters is refused",
        ),
        pytest.param({"text": "x", "blocks": [{"type": "nope"}]}, "invalid_blocks", id="an unknown block is refused"),
    ],
)
def test_the_slack_stand_in_judges_as_slack_does(slack_sink: SlackSink, payload: dict[str, object], said: str) -> None:
    answer = httpx.post(slack_sink.url, json=payload)
    assert (answer.text, answer.status_code) == (said, 200 if said == "ok" else 400)
    assert len(slack_sink.messages) == (said == "ok")


def test_the_slack_stand_in_throttles_then_takes_the_message(slack_sink: SlackSink) -> None:
    slack_sink.throttle(retry_after_seconds=7)
    slack_sink.fail(500)
    throttled, failed, taken = (httpx.post(slack_sink.url, json={"text": "hello"}) for _ in range(3))
    assert (throttled.status_code, throttled.headers["Retry-After"]) == (429, "7")
    assert (failed.status_code, taken.status_code) == (500, 200)
    assert httpx.post(slack_sink.url.replace("/services/", "/nowhere/"), json={"text": "x"}).status_code == 404
    assert slack_sink.messages == [{"text": "hello"}]


class _Silent(WSGIRequestHandler):
    def log_message(self, format: str, *args: object) -> None:
        """Keep the test's output clean."""


def test_prometheus_scrapes_what_it_is_given(prometheus: Prometheus) -> None:
    registry = CollectorRegistry()
    Gauge("lab_depth", "How deep it is", registry=registry).set(4711)
    with make_server("127.0.0.1", 0, make_wsgi_app(registry), handler_class=_Silent) as server:
        thread = threading.Thread(target=server.serve_forever, args=[0.02])
        thread.start()
        target = f"127.0.0.1:{server.server_port}"
        prometheus.scrape(target)
        (sample,) = prometheus.query(f'lab_depth{{instance="{target}"}}')
        server.shutdown()
        thread.join()
    assert sample["value"][1] == "4711"


def test_promtool_approves_good_metrics_and_names_the_bad_one() -> None:
    assert check_metrics("# HELP lab_depth How deep it is.\n# TYPE lab_depth gauge\nlab_depth 1\n") == ""
    assert "lab_total" in check_metrics("# TYPE lab_total gauge\nlab_total 1\n")


def test_the_browser_renders_a_page_without_a_network(page: Page) -> None:
    page.set_content("<h1>Tie out</h1><script>document.title = 1 + 1</script>")
    assert page.title() == "2"
    assert page.get_by_role("heading").inner_text() == "Tie out"
