"""How are failures injected into the company, and how are they mended? The failing is done by the steps themselves."""

from typing import Any

from probes.sandbox.clock import DAY_US, HOUR_US, SECOND_US
from probes.sandbox.failures import REGISTRY
from probes.sandbox.failures.spec import NotYetError
from probes.sandbox.journal import Entry
from probes.sandbox.truth import ORDER_DEADLINE_US
from probes.sandbox.world import World

_RETRY_SECONDS = 6 * 3600
__all__ = ["REGISTRY", "inject", "plan_demo", "repair"]


def inject(world: World, fault: str, count: int = 1, at_us: int | None = None, **parameters: Any) -> list[Entry]:
    """Make a fault happen `count` times, now or at a later instant.

    Every failure with a deadline takes `mend_seconds`: how long after it, or before it when negative, it is mended; mended
    before, it never becomes true. `customer` is the id of an account, or `afflicted`: any that suffers from another fault.

    Returns: the journal entries written at once; none for what is planned or becomes true only later.
    Errors: ValueError for an unknown fault or parameter, or an instant in the past.
    """
    if fault not in REGISTRY:
        raise ValueError(f"unknown fault {fault!r}: use one of {', '.join(REGISTRY)}")
    spec = REGISTRY[fault]
    mend_seconds = parameters.pop("mend_seconds", None) if not spec.silent else None
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
            if mend_seconds is not None:
                _mend_later(world, fault, float(mend_seconds))
            spec.inject(world, key, parameters)
        else:
            world.at(at_us, lambda k=key: _inject_planned(world, fault, k, parameters, mend_seconds))  # type: ignore[misc]
    return [entry for entry in world.journal.entries[before:] if entry.fault == fault]


def _inject_planned(
    world: World, fault: str, key: str, parameters: dict[str, Any], mend_seconds: float | None, tries: int = 8
) -> None:
    """Inject what was planned; what is not possible yet is tried again, what never is, is written down: nobody waits."""
    try:
        if mend_seconds is not None:
            _mend_later(world, fault, float(mend_seconds))
        REGISTRY[fault].inject(world, key, parameters)
    except NotYetError as failure:
        if tries > 1:
            world.after(_RETRY_SECONDS, lambda: _inject_planned(world, fault, key, parameters, None, tries - 1))
        else:
            world.silent(fault, "not_injected", ("control", "fault", key), str(failure))
    except ValueError as failure:
        world.silent(fault, "not_injected", ("control", "fault", key), str(failure))


def _mend_later(world: World, fault: str, seconds: float) -> None:
    """Mend the next failure of a fault that has a deadline so long after it, or before it."""

    def mend(number: int) -> None:
        if number in world.repairs:
            repair(world, entry_id=number)

    def heard(entry: Entry) -> bool:
        if entry.fault != fault or entry.cause is not None or entry.due_us is None:
            return False
        world.at(entry.due_us + int(seconds * SECOND_US), lambda: mend(entry.id))
        return True

    world.journal.listeners.append(heard)


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
