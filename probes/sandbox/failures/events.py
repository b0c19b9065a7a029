"""How do messages, events and runs fail? Dead letters, poison, backlogs, lost events; each fault writes its truth."""

from collections.abc import Callable
from dataclasses import dataclass

from probes.sandbox import executions, ledger, runtime, sales, truth
from probes.sandbox.clock import HOUR_US, MINUTE_US, SECOND_US
from probes.sandbox.failures.orders import deliver, run_without_effect
from probes.sandbox.failures.spec import Fault, Given, fault, variant_of
from probes.sandbox.failures.victims import fresh_deal, fresh_invoice
from probes.sandbox.journal import Entry
from probes.sandbox.randoms import stripe_id
from probes.sandbox.world import Action, Deal, Invoice, Row, World

FLOWS = ("orders", "invoices")
STUCK_US, BACKLOG_US = HOUR_US, 30 * MINUTE_US


def _flow(world: World, key: str, given: Given) -> str:
    flow = given.get("flow") or world.rng("flow", key).choice(FLOWS)
    if flow not in FLOWS:
        raise ValueError(f"flow {flow!r} of {key.split('/')[1]} is unknown: use orders or invoices")
    return str(flow)


@dataclass(frozen=True)
class Travelling:
    """A document on its way: what it is worth, how it is said to be missing, and how it arrives after all."""

    id: str
    entity: str
    money: tuple[int, str]
    missing: Callable[[Entry], Entry]
    arrive: Action


Failing = Callable[[World, Row, Travelling], None]


def _victim(world: World, key: str, given: Given, fails: Failing) -> None:
    """Send a document whose message fails in the given way, minutes later."""
    delay_us = world.rng("dead", key).randint(2 * MINUTE_US, 14 * MINUTE_US)
    if _flow(world, key, given) == "orders":
        deal = fresh_deal(world, key, given)
        deal.plan |= {"order_delay_us": delay_us, "instead": lambda message: fails(world, message, _order(world, deal))}
        sales.win(world, deal, later=False)
        return
    invoice = fresh_invoice(world, key, given, {"delay_us": delay_us})
    invoice.plan["instead"] = lambda message: fails(world, message, _bill(world, invoice))


def _order(world: World, deal: Deal) -> Travelling:
    code = deal.entities[0]

    def arrive() -> None:
        deal.plan.pop("instead", None)
        deliver(world, deal)

    return Travelling(
        deal.id, code, truth.net(deal), lambda cause: truth.order_missing(world, deal, code, cause=cause), arrive
    )


def _bill(world: World, invoice: Invoice) -> Travelling:
    def arrive() -> None:
        invoice.plan.pop("instead", None)
        ledger.post(world, invoice)

    def missing(cause: Entry) -> Entry:
        return truth.invoice_missing(world, invoice, cause=cause)

    return Travelling(invoice.id, invoice.entity.code, truth.gross(invoice), missing, arrive)


def message_dead(world: World, key: str, given: Given) -> None:
    """E01: the truth is written when the message dies, minutes after it was sent."""
    _victim(world, key, given, _dies)


def _dies(world: World, message: Row, what: Travelling) -> None:
    reason = "item not found in target" if message["flow"] == "orders" else "tax code unknown in target"
    runtime.dead_letter(world, message, f"422 unprocessable: {reason}")

    def mend() -> None:
        runtime.replay(world, message)
        what.arrive()

    entry = truth.wrong(
        world, "E01", "exception", ("rabbitmq", "message", message["message_id"]),
        f"dead letter in {message['flow']}.dlq about {what.id}", money=what.money, entity=what.entity, document=what.id,
        mend=mend,
    )  # fmt: skip
    what.missing(entry)


def backlog(world: World, key: str, given: Given) -> None:
    """E02: nobody consumes the telemetry queue for hours while a message comes every minute, or its letters keep dying."""
    variant = variant_of(world, key, given, "backlog", "dlq")
    seconds = float(given.get("seconds", 6 * 3600))
    queue = "telemetry" if variant == "backlog" else "telemetry.dlq"
    open_entries: list[Entry] = []
    running = {"on": True}
    entry = truth.wrong(
        world, "E02", "backlog", ("rabbitmq", "queue", queue), "grows, its head gets old",
        due_us=world.now_us + BACKLOG_US, at_once=False,
    )  # fmt: skip

    def come(number: int) -> None:
        if not running["on"]:
            return
        message = runtime.publish(
            world, "telemetry", (key, number), {"meter_id": f"meter-{number:04d}", "value": number}
        )
        if variant == "dlq":
            runtime.dead_letter(world, message, "400 meter unknown")
            letter = ("rabbitmq", "message", message["message_id"])
            open_entries.append(truth.wrong(world, "E02", "exception", letter, "dead letter", cause=entry))
        world.after(60 if variant == "backlog" else 900, lambda: come(number + 1))

    def end() -> None:
        running["on"] = False
        world.stalled.discard(queue)
        runtime.drain(world, queue)
        for one in open_entries:
            world.journal.repaired(one.id, world.now_us)

    def end_by_itself() -> None:
        if world.repairs.pop(entry.id, None) is not None:
            end()
            world.journal.repaired(entry.id, world.now_us)

    world.repairs[entry.id] = end
    if variant == "backlog":
        world.stalled.add(queue)
    come(1)
    world.after(seconds, end_by_itself)


def poison(world: World, key: str, given: Given) -> None:
    """E03: a message is tried again and again and never gets through; the first of its runs is the one exception."""
    _victim(world, key, given, _poisons)


def _poisons(world: World, message: Row, what: Travelling) -> None:
    state = {"on": True}

    def attempt() -> None:
        if state["on"]:
            runtime.fail(world, message, "409 conflict: record has been changed")
            world.after(900 if message["attempts"] < 12 else 3 * 3600, attempt)

    def mend() -> None:
        state["on"] = False
        what.arrive()
        runtime.consume(world, message)

    attempt()
    entry = truth.wrong(
        world, "E03", "exception", ("n8n", "execution", message["failed_run"]["id"]), f"tried for ever, about {what.id}",
        money=what.money, entity=what.entity, document=what.id, mend=mend,
    )  # fmt: skip
    what.missing(entry)


def event_lost(world: World, key: str, given: Given) -> None:
    """E04: the webhook of a win or a finalisation is never delivered; only both ends together show it."""
    if _flow(world, key, given) == "orders":
        deal = fresh_deal(world, key, given)
        deal.plan["unsent"] = set(deal.entities)
        sales.win(world, deal, later=False)
        entry = truth.order_missing(world, deal, deal.entities[0], fault="E04")
        world.repairs[entry.id] = lambda: deliver(world, deal)
        return
    invoice = fresh_invoice(world, key, given, {"unsent": True})
    entry = truth.invoice_missing(world, invoice, fault="E04")
    world.repairs[entry.id] = lambda: ledger.post(world, invoice)
    for event in reversed(world.stripe["event"].values()):
        if event["type"] == "invoice.finalized" and event["data"]["object"]["id"] == invoice.id:
            event["pending_webhooks"] = 1
            break


def events_shuffled(world: World, key: str, given: Given) -> None:
    """E05: events come again, under other ids, in another order and hours late; nothing may move."""
    events = list(world.stripe["event"].values())[-24:]
    rng = world.rng("shuffle", key)
    rng.shuffle(events)
    for number, event in enumerate(events[:12]):
        again = dict(event)
        again["id"] = stripe_id("evt", key, number)
        late_us = rng.randint(0, 3 * HOUR_US) if number % 2 else 0
        again["created"] = (world.now_us - late_us) // SECOND_US
        world.stripe["event"][again["id"]] = again
    subject = ("stripe", "event", events[0]["id"] if events else key)
    world.silent("E05", "events_again", subject, "twelve events again, out of order, some hours late")


def run_failed(world: World, key: str, given: Given) -> None:
    """E06: the run that carries a document fails, or hangs."""
    variant = variant_of(world, key, given, "failed", "hung")
    _victim(world, key, given, _run_fails if variant == "failed" else _run_hangs)


def _run_fails(world: World, message: Row, what: Travelling) -> None:
    run = runtime.reject(world, message, "500 internal error of the node NetSuite")

    def mend() -> None:
        executions.ran(world, message["flow"], message["payload"], retry_of=run)
        what.arrive()

    entry = truth.wrong(
        world, "E06", "exception", ("n8n", "execution", run["id"]), f"failed, about {what.id}", money=what.money,
        entity=what.entity, document=what.id, mend=mend,
    )  # fmt: skip
    what.missing(entry)


def _run_hangs(world: World, message: Row, what: Travelling) -> None:
    run = executions.begin(world, message["flow"], message["payload"], node="NetSuite")

    def mend() -> None:
        executions.end(world, run)
        what.arrive()
        runtime.consume(world, message)

    entry = truth.wrong(
        world, "E06", "stuck", ("n8n", "execution", run["id"]), f"runs and runs, about {what.id}", money=what.money,
        due_us=world.now_us + STUCK_US, at_once=False, entity=what.entity, document=what.id, mend=mend,
    )  # fmt: skip
    what.missing(entry)


FAULTS: dict[str, Fault] = {
    "E01": fault(
        "a message is dead-lettered, its document never arrives", "exception: message, and its document missing",
        message_dead, "entity", "customer", "flow",
    ),
    "E02": fault("a queue grows for `seconds`", "backlog: queue, and exceptions: message", backlog, "variant", "seconds"),
    "E03": fault(
        "a message is retried for ever", "exception: execution, and its document missing", poison, "entity", "customer", "flow",
    ),
    "E04": fault(
        "an event is never delivered", "missing_in_target: Opportunity or invoice", event_lost, "entity", "customer", "flow",
    ),
    "E05": fault("events come again, out of order and late", "silent", events_shuffled),
    "E06": fault(
        "a run fails or hangs", "exception or stuck: execution, and its document missing", run_failed,
        "entity", "customer", "flow", "variant",
    ),
    "E07": fault("a run says success, the ERP shows nothing", "missing_in_target: Opportunity", run_without_effect, "entity"),
}  # fmt: skip
