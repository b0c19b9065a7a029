"""Which failures can be injected into the company, and how are they mended? The registry; the failing is done by the steps."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from probes.sandbox import faults_business as business
from probes.sandbox import faults_platform as platform
from probes.sandbox import faults_silent as silent
from probes.sandbox.clock import DAY_US, HOUR_US, SECOND_US
from probes.sandbox.journal import Entry
from probes.sandbox.truth import ORDER_DEADLINE_US
from probes.sandbox.world import World

Inject = Callable[[World, str, dict[str, Any]], None]


@dataclass(frozen=True)
class Fault:
    """One kind of failure: what it does, how it is injected, and which parameters it takes."""

    does: str
    inject: Inject
    accepts: frozenset[str] = frozenset()


def _fault(does: str, inject: Inject, *accepts: str) -> Fault:
    return Fault(does, inject, frozenset(accepts))


REGISTRY: dict[str, Fault] = {
    "O01": _fault("a won order never reaches the ERP, no log anywhere", business.order_lost, "entity"),
    "O02": _fault("an order is late by `late_seconds`", business.order_late, "entity", "late_seconds"),
    "O10": _fault("a deal is amended, the ERP keeps the former revision", business.amendment_lost, "entity"),
    "I01": _fault("a finalised invoice is never posted", business.invoice_lost, "entity"),
    "I02": _fault(
        "an invoice is posted with another total, tax or currency", business.invoice_altered, "entity", "variant"
    ),
    "M03": _fault("a customer never reaches the ERP and blocks its documents", business.customer_lost, "entity"),
    "M05": _fault("a changed attribute never reaches the ERP", business.attribute_stale, "entity", "variant"),
    "E01": _fault("a message is dead-lettered, its document never arrives", business.message_dead, "entity", "flow"),
    "P01": _fault("a platform is down", platform.down, "platform", "variant", "seconds", "hang_seconds"),
    "P03": _fault("calls are refused or a quota runs out", platform.limited, "platform", "variant", "seconds", "calls"),
    "P11": _fault(
        "the probe loses sight of an entity or field", platform.blind, "platform", "entity", "field", "seconds"
    ),
    "N01": _fault("tax differs by one minor unit of rounding", silent.rounding, "entity"),
    "N02": _fault("a document is in flight until just before its deadline", silent.in_flight, "entity", "flow"),
    "N06": _fault("a deal is withdrawn everywhere, a test, or of zero value", silent.withdrawn, "entity", "variant"),
    "N07": _fault("documents of past years are there", silent.archive, "entity"),
    "N08": _fault("one actor loads `size` old deals, orders follow hours later", silent.bulk_load, "entity", "size"),
    "N13": _fault(
        "several ids, a reseller deal, a child billed by its parent", silent.several_ids, "entity", "variant"
    ),
}


def inject(world: World, fault: str, count: int = 1, at_us: int | None = None, **parameters: Any) -> list[Entry]:
    """Make a fault happen `count` times, now or at a later instant.

    Returns: the journal entries written at once; none for what is planned or becomes true only later.
    Errors: ValueError for an unknown fault or parameter, or an instant in the past.
    """
    if fault not in REGISTRY:
        raise ValueError(f"unknown fault {fault!r}: use one of {', '.join(REGISTRY)}")
    spec = REGISTRY[fault]
    unknown = set(parameters) - spec.accepts
    if unknown:
        raise ValueError(
            f"{fault} takes no {', '.join(sorted(unknown))}: use {', '.join(sorted(spec.accepts)) or 'no parameters'}"
        )
    if not 1 <= count <= 1000:
        raise ValueError("count must be 1..1000")
    if at_us is not None and at_us < world.now_us:
        raise ValueError("at lies in the past of the company: give a later instant or null for now")
    before = len(world.journal.entries)
    for _ in range(count):
        key = f"fault/{fault}/{world.next_number(f'fault.{fault}')}"
        if at_us is None or at_us == world.now_us:
            spec.inject(world, key, parameters)
        else:
            world.at(at_us, lambda k=key: _inject_planned(world, fault, k, parameters))  # type: ignore[misc]
    return [entry for entry in world.journal.entries[before:] if entry.fault == fault]


def _inject_planned(world: World, fault: str, key: str, parameters: dict[str, Any]) -> None:
    """Inject what was planned; what proves impossible then is written down, for nobody waits for an answer."""
    try:
        REGISTRY[fault].inject(world, key, parameters)
    except ValueError as failure:
        world.silent(fault, "not_injected", ("control", "fault", key), str(failure))


def repair(world: World, fault: str | None = None, entry_id: int | None = None) -> list[Entry]:
    """Mend everything open of a fault, or one journal entry (with what it caused).

    Errors: ValueError when there is nothing to mend under that id or fault.
    """
    if entry_id is not None:
        wanted = [entry_id] if entry_id in world.repairs else []
    else:
        wanted = [e.id for e in world.journal.open_entries(fault) if e.id in world.repairs]
    if not wanted:
        what = f"entry {entry_id}" if entry_id is not None else f"fault {fault}"
        raise ValueError(f"nothing open to repair for {what}: GET /control/journal?open=1 lists what is")
    for number in wanted:
        world.repairs.pop(number)()
        world.journal.repaired(number, world.now_us)
    return [world.journal.entries[number - 1] for number in wanted]


def plan_demo(world: World, start_us: int) -> None:
    """Plan the small scripted mix of a demonstration: some failures of the last days, one order about to become late.

    Errors: ValueError when the history is shorter than three days or already lived through.
    """
    if world.now_us >= start_us - 3 * DAY_US or start_us - 3 * DAY_US < world.history_from_us:
        raise ValueError("the demo needs at least three days of history that have not been run yet")
    plan: tuple[tuple[str, int, dict[str, Any]], ...] = (
        ("N08", 70 * HOUR_US, {"entity": "NW-US", "size": 60}),
        ("M03", 50 * HOUR_US, {"entity": "NW-DE"}),
        ("I01", 40 * HOUR_US, {"entity": "NW-US"}),
        ("I01", 33 * HOUR_US, {"entity": "NW-DE"}),
        ("O01", 30 * HOUR_US, {"entity": "NW-US"}),
        ("M05", 29 * HOUR_US, {"entity": "NW-DE", "variant": "terms"}),
        ("I02", 27 * HOUR_US, {"entity": "NW-DE", "variant": "tax"}),
        ("I02", 26 * HOUR_US, {"entity": "NW-US", "variant": "total"}),
        ("E01", 10 * HOUR_US, {"entity": "NW-DE", "flow": "orders"}),
        ("O01", 9 * HOUR_US, {"entity": "NW-US"}),
        # the only one of its entity, so that it is told at once and not as one more of something known
        ("O01", ORDER_DEADLINE_US - 60 * SECOND_US, {"entity": "NW-JP"}),
    )
    for fault, ago_us, parameters in plan:
        inject(world, fault, 1, start_us - ago_us, **parameters)
