"""How do messages travel through the integration runtime? Queues, dead letters and its log; no business decisions."""

from typing import Any

from probes.sandbox import executions
from probes.sandbox.clock import SECOND_US, iso_seconds
from probes.sandbox.randoms import flush_us, heavy_us, slowed_us
from probes.sandbox.world import Action, Row, World

QUEUES = ("orders", "invoices", "customers", "contracts", "telemetry")
_RETRY_CAP_SECONDS = 2400
_BUSINESS_KEYS = ("opportunity_id", "invoice_id", "account_id", "contract_number", "meter_id")


def open_queues(world: World) -> None:
    """Declare the queues and their dead-letter queues."""
    for name in QUEUES:
        for queue in (name, f"{name}.dlq"):
            world.queues[queue] = {}
            world.queue_counts[queue] = {"publish": 0, "deliver_get": 0, "ack": 0, "redeliver": 0}


def publish(world: World, queue: str, key: tuple[object, ...], payload: dict[str, Any]) -> Row:
    """Put a message into a queue."""
    number = world.rng("message", queue, *key, world.now_us).getrandbits(64)
    message: Row = {"message_id": f"msg-{number:016x}", "flow": queue, "payload": payload, "published_us": world.now_us}
    message["key"] = next((payload[name] for name in _BUSINESS_KEYS if name in payload), None)
    if world.in_history():
        world.queues[queue][message["message_id"]] = message
        world.queue_counts[queue]["publish"] += 1
        log(world, message, "received", "ok")
    return message


def consume(world: World, message: Row, error: str | None = None) -> None:
    """Take a message out of its queue because it was handled, or was given up with an error."""
    counts = world.queue_counts[message["flow"]]
    if world.queues[message["flow"]].pop(message["message_id"], None) is not None:
        counts["deliver_get"] += 1
        counts["ack"] += 1
        log(world, message, "delivered" if error is None else "skipped", "ok" if error is None else "skipped", error)
        waiting = message.pop("waiting_run", None)
        if waiting is not None:
            executions.end(world, waiting)
        else:
            executions.ran(world, message["flow"], message["payload"], retry_of=message.get("failed_run"))


def maybe_again(world: World, message: Row, subject: tuple[str, str, str], deliver: Action) -> None:
    """Let one delivery in twenty-five come a second time; whoever receives it knows it already."""
    rng = world.rng("again", message["message_id"])
    if rng.random() < 0.04:
        world.after(rng.uniform(60, 3000), lambda: again(world, message, subject, deliver))


def again(world: World, message: Row, subject: tuple[str, str, str], deliver: Action) -> None:
    """Deliver a message once more, without effect."""
    if world.in_history():
        deliver()
        log(world, message, "delivered", "ok")
        executions.ran(world, message["flow"], message["payload"])
        world.silent("N05", "delivered_twice", subject, f"message {message['message_id']} came again")


def dead_letter(world: World, message: Row, reason: str) -> None:
    """Move a message to the dead-letter queue of its flow."""
    world.queues[message["flow"]].pop(message["message_id"], None)
    queue = f"{message['flow']}.dlq"
    world.queues[queue][message["message_id"]] = message | {"died_us": world.now_us, "reason": reason}
    world.queue_counts[queue]["publish"] += 1
    log(world, message, "dead_lettered", "failed", reason)
    message["failed_run"] = executions.ran(
        world, message["flow"], message["payload"], reason, message.get("failed_run")
    )


def drain(world: World, queue: str) -> int:
    """Work off everything in a queue at once.

    Returns: how many messages there were.
    """
    count = len(world.queues[queue])
    world.queues[queue].clear()
    world.queue_counts[queue]["deliver_get"] += count
    world.queue_counts[queue]["ack"] += count
    return count


def reject(world: World, message: Row, error: str) -> Row:
    """Give a message up because the target refused its document.

    Returns: the failed execution.
    """
    world.queues[message["flow"]].pop(message["message_id"], None)
    log(world, message, "rejected", "failed", error)
    return executions.ran(world, message["flow"], message["payload"], error, message.get("failed_run"))


def replay(world: World, message: Row) -> None:
    """Take a message out of the dead-letter queue because someone sent it again."""
    world.queues[f"{message['flow']}.dlq"].pop(message["message_id"], None)
    log(world, message, "replayed", "ok")


def carry(world: World, message: Row, median_seconds: float, cap_seconds: float, zone: str, deliver: Action) -> int:
    """Schedule the delivery of a message at a flush within its cap; some fail once and are retried in time.

    Returns: the instant of delivery, at most 16 minutes after the cap.
    """
    rng = world.rng("carry", message["message_id"])
    delay = slowed_us(world.now_us, heavy_us(rng, median_seconds, cap_seconds), cap_seconds, zone)
    when = flush_us(world.now_us + delay, rng)
    if rng.random() < 0.08 and delay < cap_seconds * SECOND_US // 3:
        failed_us, when = when, flush_us(when + heavy_us(rng, 900, min(cap_seconds / 3, _RETRY_CAP_SECONDS)), rng)
        again_us = when
        world.at(failed_us, lambda: _wait_for_retry(world, message, again_us))
    world.at(when, deliver)
    return when


def _wait_for_retry(world: World, message: Row, again_us: int) -> None:
    """Write down a delivery that timed out: its run waits for the next attempt, as long as it says."""
    if world.in_history():
        log(world, message, "deliver", "retry", "timeout while writing, next try at a later flush")
        world.queue_counts[message["flow"]]["redeliver"] += 1
        run = message["waiting_run"] = executions.begin(world, message["flow"], message["payload"], node="Retry")
        run.update(status="waiting", wait_till_us=again_us)


def fail(world: World, message: Row, error: str) -> Row:
    """Write down an attempt whose run failed; the message stays where it is.

    Returns: the first failed run of the message.
    """
    log(world, message, "deliver", "retry", error)
    world.queue_counts[message["flow"]]["redeliver"] += 1
    message["attempts"] = message.get("attempts", 0) + 1
    run = executions.ran(world, message["flow"], message["payload"], error, message.get("failed_run"))
    first: Row = message.setdefault("failed_run", run)
    return first


def log(world: World, message: Row, step: str, status: str, error: str | None = None) -> None:
    """Append a line to the integration log."""
    if not world.in_history():
        return
    line = {"at": iso_seconds(world.now_us), "message_id": message["message_id"], "flow": message["flow"]}
    line |= {"key": message["key"], "step": step, "status": status}
    world.log.append(line | ({"error": error} if error else {}))
