"""How do people and scorers drive the sandbox? Journal, state, faults, time; the only API that writes."""

from collections.abc import Callable
from datetime import datetime
from typing import Any

from werkzeug.wrappers import Request, Response

from probes.sandbox import faults
from probes.sandbox.apis.web import Handler, Served, answer, mount
from probes.sandbox.clock import iso_seconds, to_us

_NAMES = {"fault", "count", "at", "id", "seconds"}


def refuse(status: int, code: str, message: str) -> Response:
    """Make an error."""
    return answer({"error": code, "message": message}, status)


def app(served: Served) -> Callable[..., Any]:
    """Build the WSGI app."""
    rules: list[tuple[str, str, Handler]] = [
        ("/journal", "GET", _journal),
        ("/state", "GET", _state),
        ("/inject", "POST", _inject),
        ("/repair", "POST", _repair),
        ("/advance", "POST", _advance),
    ]
    return mount(served, "control", rules, refuse)


def _journal(served: Served, request: Request) -> Response:
    fault, only_open = request.args.get("fault"), request.args.get("open") in ("1", "true")
    entries = [
        entry.as_json()
        for entry in served.company.journal.entries
        if (fault is None or entry.fault == fault) and not (only_open and entry.repaired_us is not None)
    ]
    body: dict[str, Any] = {"now": iso_seconds(served.now_us()), "entries": entries}
    if request.args.get("milestones") in ("1", "true"):
        body["milestones"] = [
            {"kind": m.kind, "platform": m.platform, "object": m.object, "external_id": m.external_id, "entity": m.entity,
             "at": iso_seconds(m.at_us)}
            for m in served.company.journal.milestones
        ]  # fmt: skip
    return answer(body)


def _state(served: Served, request: Request) -> Response:
    world = served.world
    queues = {name: len(messages) for name, messages in world.queues.items()}
    ailing = {platform: found for platform, found in world.conditions.items() if found}
    body = {
        "now": iso_seconds(world.now_us),
        "seed": world.seed,
        "speed": served.clock.speed,
        "counts": served.company.counts(),
    }
    body |= {"history_from": iso_seconds(world.history_from_us), "queues": queues, "conditions": ailing}
    return answer(body | {"faults": {fault: spec.does for fault, spec in faults.REGISTRY.items()}})


def _inject(served: Served, request: Request) -> Response:
    body = request.get_json(silent=True)
    if not isinstance(body, dict) or "fault" not in body:
        return refuse(400, "bad_request", 'send {"fault": "O01", "count": 1, "at": null}')
    parameters = {name: value for name, value in body.items() if name not in _NAMES}
    try:
        at_us = to_us(datetime.fromisoformat(body["at"])) if body.get("at") else None
        made = faults.inject(served.world, str(body["fault"]), int(body.get("count", 1)), at_us, **parameters)
    except (ValueError, TypeError) as failure:
        return refuse(400, "bad_request", str(failure))
    return answer({"entries": [entry.as_json() for entry in made], "planned": len(made) == 0})


def _repair(served: Served, request: Request) -> Response:
    body = request.get_json(silent=True)
    if not isinstance(body, dict) or ("fault" in body) == ("id" in body):
        return refuse(400, "bad_request", 'send {"fault": "O01"} or {"id": 3}')
    try:
        mended = faults.repair(served.world, fault=body.get("fault"), entry_id=body.get("id"))
    except ValueError as failure:
        return refuse(404, "not_found", str(failure))
    return answer({"repaired": [entry.as_json() for entry in mended]})


def _advance(served: Served, request: Request) -> Response:
    body = request.get_json(silent=True)
    if not isinstance(body, dict) or not isinstance(body.get("seconds"), int | float) or body["seconds"] < 0:
        return refuse(400, "bad_request", 'send {"seconds": 900}, a number >= 0')
    served.clock.step(float(body["seconds"]))
    served.company.advance_to(served.clock.now_us())
    return answer({"now": iso_seconds(served.now_us())})
