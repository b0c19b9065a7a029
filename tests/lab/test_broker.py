"""Does the driver of the real broker do what it says, so that Tieout can be measured against it?"""

from __future__ import annotations

import httpx

from tests.servers.process import until
from tests.servers.rabbitmq import RabbitMQ

from . import broker


def test_rejected_messages_become_dead_letters_and_go_back_when_replayed(rabbitmq: RabbitMQ) -> None:
    broker.declare(rabbitmq, "driver")
    broker.publish(rabbitmq, "driver", [(f"m{number}", {"order": number}) for number in range(3)])
    assert broker.reject(rabbitmq, "driver", 2) == ["m0", "m1"]
    until(lambda: broker.depth(rabbitmq, "driver.dlq") == 2, 10, "two dead letters")
    assert broker.depth(rabbitmq, "driver") == 1
    peeked = httpx.post(
        f"{rabbitmq.url}/api/queues/%2F/driver.dlq/get",
        json={"count": 5, "ackmode": "ack_requeue_true", "encoding": "auto"},
        auth=(rabbitmq.user, rabbitmq.password),
    ).json()
    assert [letter["properties"]["headers"]["x-death"][0]["reason"] for letter in peeked] == ["rejected", "rejected"]
    assert broker.replay(rabbitmq, "driver") == ["m0", "m1"]
    assert (broker.depth(rabbitmq, "driver.dlq"), broker.depth(rabbitmq, "driver")) == (0, 3)
