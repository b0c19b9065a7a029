"""Does the RabbitMQ connector see depths and dead letters of a real broker, and does looking leave them where they are?"""

from __future__ import annotations

import time
from collections.abc import Iterable

import pytest

from probes.errors import ProbeError, Reason
from probes.probe import Meter, Platform
from probes.record import Sample
from tests.servers.process import until
from tests.servers.rabbitmq import RabbitMQ

from . import broker
from .watching import Connect, Watch


@pytest.fixture
def platform(rabbitmq: RabbitMQ, connect: Connect, monkeypatch: pytest.MonkeyPatch) -> Platform:
    monkeypatch.setenv("LAB_RABBITMQ_PASSWORD", rabbitmq.password)
    return connect(
        "middleware",
        vendor="rabbitmq",
        url=rabbitmq.url,
        auth={"user": rabbitmq.user, "password": "env:LAB_RABBITMQ_PASSWORD"},
        streams={
            "dead_letter": {
                "references": [{"kind": "about", "path": "payload.opportunity_id", "to": "crm/opportunity/id"}]
            }
        },
    )


def depths(samples: Iterable[Sample], queue: str) -> dict[str, float]:
    """Return the newest value of each series of a queue."""
    mine = sorted((s for s in samples if s.labels["queue"] == queue), key=lambda s: s.at_us)
    return {sample.series: sample.value for sample in mine}


def test_the_broker_says_which_version_it_is(platform: Platform) -> None:
    assert (platform.check(Meter()).version or "").startswith("3.")


def test_a_wrong_password_is_refused_as_such(
    rabbitmq: RabbitMQ, connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LAB_RABBITMQ_PASSWORD", "wrong-password")
    auth = {"user": rabbitmq.user, "password": "env:LAB_RABBITMQ_PASSWORD"}
    with pytest.raises(ProbeError) as refused:
        connect("middleware", vendor="rabbitmq", url=rabbitmq.url, auth=auth).check(Meter())
    assert refused.value.reason is Reason.AUTH
    assert "wrong-password" not in str(refused.value)


def test_the_depth_of_every_queue_is_sampled(rabbitmq: RabbitMQ, platform: Platform) -> None:
    broker.declare(rabbitmq, "depths")
    broker.publish(rabbitmq, "depths", [(f"d{number}", {}) for number in range(5)])
    broker.reject(rabbitmq, "depths", 2)
    watch = Watch(platform, "queue")

    def settled() -> bool:  # the broker's own figures lag by up to a few seconds
        watch.complete()
        ready = "queue.messages_ready"
        found = [depths(watch.samples, queue).get(ready) for queue in ("depths", "depths.dlq")]
        return found == [3.0, 2.0]

    until(settled, 20, "depths of 3 and 2")
    assert depths(watch.samples, "depths")["queue.consumers"] == 0


def test_dead_letters_are_records_until_they_are_replayed(rabbitmq: RabbitMQ, platform: Platform) -> None:
    broker.declare(rabbitmq, "orders")
    broker.publish(
        rabbitmq,
        "orders",
        [(f"msg-{number}", {"opportunity_id": f"006-{number}", "legal_entity": "LAB-DE"}) for number in range(3)],
    )
    before = int(time.time())
    rejected = broker.reject(rabbitmq, "orders", 2)
    watch = Watch(platform, "dead_letter")
    letters = {record.id: record for record in watch.complete() if record.attributes.get("queue") == "orders.dlq"}
    assert sorted(letters) == sorted(rejected) == ["msg-0", "msg-1"]
    letter = letters["msg-0"]
    assert (letter.kind, letter.status, letter.state, letter.entity) == ("message", "rejected", "failed", "LAB-DE")
    assert letter.attributes["from_queue"] == "orders"
    assert [reference.to for reference in letter.references] == ["crm/opportunity/id=006-0"]
    died_us = letter.milestones["failed"][0]
    assert before * 1_000_000 <= died_us <= (time.time() + 1) * 1_000_000
    assert broker.depth(rabbitmq, "orders.dlq") == 2  # looking took nothing

    assert broker.replay(rabbitmq, "orders") == rejected
    gone = {record.id for record in watch.complete() if record.deleted}
    assert gone >= {"msg-0", "msg-1"}
    assert {record.id for record in watch.complete()} & {"msg-0", "msg-1"} == set()
