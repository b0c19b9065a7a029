"""How does business go wrong in the lab's message broker? A work queue, its dead-letter queue and a failing consumer."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import pika  # type: ignore[import-untyped]  # it ships no type information
from pika.adapters.blocking_connection import BlockingChannel  # type: ignore[import-untyped]

from tests.servers.rabbitmq import RabbitMQ

Json = dict[str, Any]


@contextmanager
def channel(server: RabbitMQ) -> Iterator[BlockingChannel]:
    """Open a channel over AMQP."""
    credentials = pika.PlainCredentials(server.user, server.password)
    connection = pika.BlockingConnection(pika.ConnectionParameters("127.0.0.1", server.port, credentials=credentials))
    try:
        opened = connection.channel()
        opened.confirm_delivery()  # publishing returns once the broker has the message
        yield opened
    finally:
        connection.close()


def declare(server: RabbitMQ, queue: str) -> None:
    """Make a work queue whose rejected messages go to `<queue>.dlq`."""
    with channel(server) as opened:
        opened.queue_declare(f"{queue}.dlq", durable=True)
        arguments = {"x-dead-letter-exchange": "", "x-dead-letter-routing-key": f"{queue}.dlq"}
        opened.queue_declare(queue, durable=True, arguments=arguments)


def publish(server: RabbitMQ, queue: str, messages: Sequence[tuple[str, Json]]) -> None:
    """Publish (message id, payload) pairs, persistent, stamped now."""
    with channel(server) as opened:
        for message_id, payload in messages:
            properties = pika.BasicProperties(
                delivery_mode=2, content_type="application/json", message_id=message_id, timestamp=int(time.time())
            )
            opened.basic_publish("", queue, json.dumps(payload).encode(), properties)


def reject(server: RabbitMQ, queue: str, count: int) -> list[str]:
    """Be the consumer that fails: take messages and reject them for good. Returns: their message ids."""
    rejected = []
    with channel(server) as opened:
        for _ in range(count):
            method, properties, _body = opened.basic_get(queue)
            assert method is not None, f"{queue} has fewer than {count} messages"
            opened.basic_nack(method.delivery_tag, requeue=False)
            rejected.append(str(properties.message_id))
    return rejected


def replay(server: RabbitMQ, queue: str) -> list[str]:
    """Put every dead letter back on the work queue, as an operator does. Returns: their message ids."""
    replayed: list[str] = []
    with channel(server) as opened:
        while True:
            method, properties, body = opened.basic_get(f"{queue}.dlq")
            if method is None:
                return replayed
            opened.basic_publish("", queue, body, properties)
            opened.basic_ack(method.delivery_tag)
            replayed.append(str(properties.message_id))


def depth(server: RabbitMQ, queue: str) -> int:
    """Return how many messages wait in a queue, as AMQP counts them at this moment."""
    with channel(server) as opened:
        return int(opened.queue_declare(queue, passive=True).method.message_count)
