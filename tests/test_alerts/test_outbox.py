"""Does every message arrive or end dead with a reason, in order, under one key, whatever the channel does?"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from werkzeug.serving import make_server
from werkzeug.wrappers import Request, Response

from alerts import outbox, queries
from alerts.findings import alert_id
from alerts.outbox import LEASE_US, deliver, lag_us, requeue, wait_us
from alerts.settings import AlertSettings
from metrics.store import Store
from probes.clock import DAY, HOUR, MINUTE, SECOND, monotonic
from tests.servers.slack import SlackSink
from tests.servers.smtp import SmtpSink

from .build import NOW, Hands, finding, member, settings, step

KEY = alert_id(finding().fingerprint)


@pytest.fixture
def ops(slack_sink: SlackSink, monkeypatch: pytest.MonkeyPatch) -> SlackSink:
    """Return a Slack stand-in that the channel `ops` posts to."""
    monkeypatch.setenv("TIEOUT_TEST_SLACK", slack_sink.url)
    return slack_sink


def both(smtp_port: int) -> AlertSettings:
    """Return settings with a Slack and an e-mail channel."""
    return settings(
        channels={
            "ops": {"kind": "slack", "webhook": "env:TIEOUT_TEST_SLACK"},
            "mail": {
                "kind": "email",
                "host": "127.0.0.1",
                "port": smtp_port,
                "tls": "none",
                "from": "tieout@example.org",
                "to": ["finance@example.org"],
            },
        }
    )


def post(store: Store, at_us: int, using: AlertSettings | None = None, **more: Any) -> outbox.DeliverySummary:
    """Deliver at an instant."""
    return deliver(store, using or settings(), at_us, clock=Hands(at_us), **more)


def statuses(store: Store) -> list[tuple[str, str]]:
    """Return channel and status of every message, oldest first."""
    with store.read() as conn:
        return [(m.channel, m.status) for m in reversed(queries.messages(conn))]


def keys(sink: SlackSink) -> list[str]:
    """Return the keys of the messages a sink accepted."""
    return [m["metadata"]["event_payload"]["key"] for m in sink.messages]


def test_a_message_arrives_once_on_each_channel(any_store: Store, ops: SlackSink, smtp_sink: SmtpSink) -> None:
    using = both(smtp_sink.port)
    step(any_store, NOW, finding(), using=using)
    summary = post(any_store, NOW, using)
    assert (summary.sent, summary.waiting, summary.unfinished) == (2, 0, ())
    assert post(any_store, NOW + MINUTE, using).sent == 0
    assert (len(ops.messages), len(smtp_sink.mails)) == (1, 1)


def test_beginning_and_end_both_arrive_in_order_when_the_channel_was_down_around_the_end(
    store: Store, ops: SlackSink
) -> None:
    ops.fail(503, "service_unavailable", times=1000)
    step(store, NOW, finding())
    for minute in range(31):
        now = NOW + minute * MINUTE
        step(store, now, *([finding()] if minute < 15 else []))
        post(store, now)
    assert ops.messages == []
    ops.refuse.clear()
    for minute in range(31, 40):
        post(store, NOW + minute * MINUTE)
    assert [m["blocks"][0]["text"]["text"].split(":")[0] for m in ops.messages] == ["New", "Resolved"]


def test_one_bad_channel_never_delays_another(store: Store, ops: SlackSink, smtp_sink: SmtpSink) -> None:
    ops.fail(500, times=1000)
    using = both(smtp_sink.port)
    step(store, NOW, finding(), using=using)
    step(store, NOW + MINUTE, using=using)
    summary = post(store, NOW + MINUTE, using)
    assert (summary.sent, summary.retried) == (2, 1)
    assert len(smtp_sink.mails) == 2


def test_a_channel_that_never_answers_holds_nobody_up(
    store: Store, smtp_sink: SmtpSink, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        monkeypatch.setenv("TIEOUT_TEST_SLACK", f"http://127.0.0.1:{silent.getsockname()[1]}/services/T/B/x")
        monkeypatch.setattr("alerts.channels.slack.TIMEOUT_SECONDS", 3)
        using = both(smtp_sink.port)
        step(store, NOW, finding(), using=using)
        begun = monotonic()
        summary = post(store, NOW, using, deadline_seconds=0.7)
        assert monotonic() - begun < 2.5
        assert (summary.sent, summary.unfinished) == (1, ("ops",))
        assert post(store, NOW + SECOND, using).sent == 0, "the lease keeps a second sender away"
        _wait_for_lane("channel-ops")


def _wait_for_lane(name: str) -> None:
    for thread in threading.enumerate():
        if thread.name == name:
            thread.join(10)


def test_retry_after_is_honoured(store: Store, ops: SlackSink) -> None:
    ops.throttle(times=1, retry_after_seconds=90)
    step(store, NOW, finding())
    assert post(store, NOW).retried == 1
    assert post(store, NOW + 89 * SECOND).sent == 0
    assert post(store, NOW + 90 * SECOND).sent == 1


def test_failures_wait_twice_as_long_each_time_up_to_a_limit() -> None:
    waits = [wait_us(n, None) // SECOND for n in range(1, 9)]
    assert waits == [5, 10, 20, 40, 80, 160, 300, 300]
    assert wait_us(1, 10**9) == HOUR
    assert wait_us(1, 0) == SECOND


def test_a_webhook_that_is_gone_makes_the_message_dead_with_the_reason(store: Store, ops: SlackSink) -> None:
    ops.fail(404, "no_service")
    step(store, NOW, finding())
    assert post(store, NOW).dead == 1
    with store.read() as conn:
        (message,) = queries.messages(conn)
        assert lag_us(conn, NOW + HOUR) is None
    assert message.status == "dead"
    assert "no_service" in (message.reason or "")
    assert ops.url not in (message.reason or "")


def test_messages_of_a_mended_channel_can_be_sent_again(store: Store, ops: SlackSink) -> None:
    ops.fail(404, "no_service")
    step(store, NOW, finding())
    post(store, NOW)
    assert requeue(store, "ops", NOW + MINUTE) == 1
    assert post(store, NOW + MINUTE).sent == 1
    assert statuses(store) == [("ops", "sent")]


def test_a_message_that_is_refused_for_itself_does_not_stop_the_next(store: Store, ops: SlackSink) -> None:
    step(store, NOW, finding())
    step(store, NOW + MINUTE)
    ops.fail(400, "invalid_blocks")
    summary = post(store, NOW + MINUTE)
    assert (summary.dead, summary.sent) == (1, 1)


def test_a_message_is_given_up_after_the_configured_time(store: Store, ops: SlackSink) -> None:
    ops.fail(503, times=100)
    step(store, NOW, finding())
    post(store, NOW)
    assert post(store, NOW + DAY).dead == 1
    with store.read() as conn:
        assert (queries.messages(conn)[0].reason or "").startswith("given up")


def test_messages_for_a_channel_that_is_not_configured_any_more_die_with_that_reason(
    store: Store, ops: SlackSink
) -> None:
    step(store, NOW, finding())
    assert post(store, NOW, settings(channels={})).dead == 1
    with store.read() as conn:
        assert "not configured" in (queries.messages(conn)[0].reason or "")


def test_a_missing_secret_makes_the_message_dead_and_says_what_to_set(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("TIEOUT_TEST_SLACK", raising=False)
    step(store, NOW, finding())
    assert post(store, NOW).dead == 1
    with store.read() as conn:
        assert "set the environment variable TIEOUT_TEST_SLACK" in (queries.messages(conn)[0].reason or "")


def test_a_late_message_says_what_was_true_when_it_was_queued(store: Store, ops: SlackSink) -> None:
    ops.fail(503)
    step(store, NOW, finding("NW-DE", member("1")))
    post(store, NOW)
    step(store, NOW + HOUR, finding("NW-DE", member("1"), member("2"), member("3")))
    post(store, NOW + HOUR)
    (message,) = ops.messages
    shown = [f["text"] for block in message["blocks"][1:-1] for f in block["fields"]]
    assert "Affected\n1 document of 1 customer" in shown
    assert any(text.startswith("As of\n2026-11-20 09:00 UTC") for text in shown)


CHILD = """
import sys
from alerts.outbox import deliver
import alerts.tables
from metrics.store import Store
from probes.clock import from_us
from tests.test_alerts.build import NOW, settings
deliver(Store.open(sys.argv[1]), settings(), NOW, clock=lambda: from_us(NOW))
"""


@contextmanager
def murderous_slack() -> Iterator[tuple[str, list[str], list[int]]]:
    """Accept a message, then kill the sender before it hears of it. Yields url, keys accepted, process ids to kill."""
    accepted: list[str] = []
    victims: list[int] = []

    @Request.application
    def app(request: Request) -> Response:
        accepted.append(request.get_json()["metadata"]["event_payload"]["key"])
        if victims:
            os.kill(victims.pop(), signal.SIGKILL)
        return Response("ok")

    server = make_server("127.0.0.1", 0, app, threaded=True)
    thread = threading.Thread(target=server.serve_forever, args=[0.02])
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/services/T/B/x", accepted, victims
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def test_a_sender_killed_between_send_and_mark_sends_the_same_key_again_and_loses_nothing(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    step(store, NOW, finding())
    with murderous_slack() as (url, accepted, victims):
        monkeypatch.setenv("TIEOUT_TEST_SLACK", url)
        root = Path(__file__).parents[2]
        victims_ready = subprocess.Popen(  # the child learns its fate only after it has sent
            [sys.executable, "-c", CHILD, str(store.engine.url)],
            cwd=root,
            env={**os.environ, "PYTHONPATH": _path(root)},
        )
        victims.append(victims_ready.pid)
        assert victims_ready.wait(60) == -signal.SIGKILL
        assert statuses(store) == [("ops", "queued")]
        assert post(store, NOW + MINUTE).sent == 0, "the dead sender's lease still holds"
        assert post(store, NOW + LEASE_US).sent == 1
    assert len(accepted) == 2
    assert len(set(accepted)) == 1


def _path(root: Path) -> str:
    return os.pathsep.join([str(root), os.environ.get("PYTHONPATH", "")]).rstrip(os.pathsep)


def test_two_senders_at_once_send_one_copy(any_store: Store, ops: SlackSink) -> None:
    for n in range(20):
        step(any_store, NOW + n * MINUTE, finding("NW-DE", member(f"{n}")) if n % 2 == 0 else finding("NW-US"))
    threads = [threading.Thread(target=post, args=(any_store, NOW + HOUR)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    post(any_store, NOW + HOUR)
    assert len(keys(ops)) == len(set(keys(ops)))
    assert {status for _, status in statuses(any_store)} == {"sent"}


def test_a_sender_whose_lease_passed_to_another_does_not_mark_the_message(store: Store, ops: SlackSink) -> None:
    step(store, NOW, finding())
    slow = outbox._claim(store, settings(), "ops", NOW)
    assert slow is not None
    later = outbox._claim(store, settings(), "ops", NOW + LEASE_US)
    assert later is not None
    assert later.message.key == slow.message.key
    outbox._mark(store, slow, outbox.Outcome("dead", "too late"), NOW + LEASE_US)
    assert statuses(store) == [("ops", "queued")]


def test_a_broken_sender_program_keeps_the_message(
    store: Store, ops: SlackSink, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise ZeroDivisionError

    step(store, NOW, finding())
    monkeypatch.setattr("alerts.channels.slack.send", broken)
    assert post(store, NOW).waiting == 1
    monkeypatch.undo()
    monkeypatch.setenv("TIEOUT_TEST_SLACK", ops.url)
    assert post(store, NOW + LEASE_US).sent == 1


def test_the_age_of_the_oldest_waiting_message_is_known(store: Store, ops: SlackSink) -> None:
    with store.read() as conn:
        assert lag_us(conn, NOW) is None
    step(store, NOW, finding())
    with store.read() as conn:
        assert lag_us(conn, NOW + MINUTE) == MINUTE
