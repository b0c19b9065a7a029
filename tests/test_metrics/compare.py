"""Do the stored verdicts equal the reference judge's? Both are brought into one shape, keyed by documents, and compared."""

from __future__ import annotations

from typing import Any

from probes.clock import FOREVER
from tests.reference.facts import Facts, Ident
from tests.reference.judge import judge as reference_judge
from tests.reference.verdict import Verdicts

from .world import World

STEPS = {
    ("quote_to_order", "ordered"), ("subscription_activation", "activated"), ("invoice_to_cash", "posted"),
}  # fmt: skip
EVENT_SLIS = ("invoice_sync_success", "order_completion", "order_latency", "subscription_activation")


def held(world: World) -> dict[str, dict[Any, Any]]:
    """Return the verdicts in the store."""
    names = _names(world)

    def subject(row: dict[str, Any]) -> tuple[Ident, int, str]:
        return names[row["anchor_id"]], row["revision"], row["entity"]

    steps = {
        (row["flow"], subject(row), row["step"]): (
            row["state"], row["reason"], None if row["latest_us"] is None else (row["earliest_us"], row["latest_us"]),
            FOREVER if row["due_us"] is None else row["due_us"], row["count"],
        )
        for row in world.rows("flow_step")
        if (row["flow"], row["step"]) in STEPS
    }  # fmt: skip
    events = {
        (row["sli"], subject(row)): (
            row["outcome"], row["reason"], row["start_us"], row["due_us"], row["at_us"], row["value_us"], row["corrected_us"],
        )
        for row in world.rows("sli_event")
    }  # fmt: skip
    breaks = {
        (row["check_name"], (names[row["subject_id"]], row["revision"], row["entity"]), row["kind"], row["field"], row["since_us"]): (
            row["expected"], row["actual"], row["money_minor"], row["closed_us"],
        )
        for row in world.rows("breaks")
        if not row["check_name"].startswith("customer_master")
    }  # fmt: skip
    return {
        "steps": steps, "events": events, "breaks": breaks, "states": _states(world, names), "sums": _sums(world)
    }  # fmt: skip


def told(facts: Facts, verdicts: Verdicts | None = None) -> dict[str, dict[Any, Any]]:
    """Return what the reference judge says, in the same shape."""
    verdicts = verdicts or reference_judge(facts)
    breaks = {
        (check, subject, kind, field, since): (expected, actual, money, closed)
        for check, subject, kind, field, expected, actual, money, since, closed in verdicts.breaks
    }
    return {
        "steps": verdicts.steps, "events": verdicts.events, "breaks": breaks, "states": verdicts.states,
        "sums": verdicts.sums(),
    }  # fmt: skip


def differences(world: World) -> list[str]:
    """Return every verdict on which the store and the reference judge are not of one mind, of the flows that are watched."""
    mine, theirs = held(world), _watched(world, told(world.facts()))
    found = []
    for part in mine:
        for key in sorted({*mine[part], *theirs[part]}, key=repr):
            a, b = mine[part].get(key), theirs[part].get(key)
            if a != b:
                found.append(f"{part} {key}: held {a}, expected {b}")
    return found


def _watched(world: World, verdicts: dict[str, dict[Any, Any]]) -> dict[str, dict[Any, Any]]:
    names = {*world.model.flows, *world.model.slis}
    return {part: {k: v for k, v in rows.items() if k[0].split(".")[0] in names} for part, rows in verdicts.items()}


def _names(world: World) -> dict[int, Ident]:
    platforms = {row["id"]: row["platform"] for row in world.rows("stream")}
    return {row["id"]: (platforms[row["stream_id"]], row["kind"], row["external_id"]) for row in world.rows("record")}


def _states(world: World, names: dict[int, Ident]) -> dict[Any, Any]:
    found: dict[Any, list[Any]] = {}
    for row in sorted(world.rows("state_interval"), key=lambda r: r["from_us"]):
        where = (row["sli"], names[row["subject_id"]], row["target"])
        found.setdefault(where, []).append((row["from_us"], row["to_us"], row["outcome"], row["reason"]))
    return found


def _sums(world: World) -> dict[Any, Any]:
    platforms = {row["id"]: row["platform"] for row in world.rows("stream")}
    return {
        (
            row["sli"], row["grain"], row["bucket_us"], platforms[row["stream_id"]], row["entity"], row["outcome"],
            row["reason"], row["currency"],
        ): (row["event_count"], row["money_minor"], row["incomplete_count"], row["corrected_count"])
        for row in world.rows("sli_rollup")
    }  # fmt: skip
