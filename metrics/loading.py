"""Which definitions hold for a company: the shipped flows and SLIs with its own over them, checked against each other.

Flows and SLIs are YAML files in `metrics/flows` and `metrics/slis`; the same grammar in `tieout.yaml` adds or replaces by name, and
`deadlines: {STEP: 6h}` under a flow replaces the deadlines of single steps.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from probes.clock import to_us
from probes.yamlfile import read_yaml

from .definitions import HUBS, DefinitionError, Flow, MetricsSettings, Model, PlatformLike, Sli
from .scheduling import check_deadlines, schedules_of

SHIPPED = Path(__file__).parent
T = TypeVar("T", bound=BaseModel)


def load_model(settings: MetricsSettings, platforms: Mapping[str, PlatformLike]) -> Model:
    """Compile what is configured. Errors: DefinitionError naming the flow or SLI and what to write instead."""
    flows = _load("flows", settings.flows, settings.disabled, Flow)
    slis = _load("slis", settings.slis, settings.disabled, Sli)
    schedules = schedules_of(settings, platforms)
    roles = {role for p in platforms.values() for role in p.roles}
    notes: list[str] = []
    for flow in flows.values():
        _check_flow(flow)
    kept = {name: f for name, f in flows.items() if _possible(f, roles, notes)}
    usable = {}
    for name, sli in slis.items():
        _check_sli(sli, flows)
        if sli.flow is None or sli.flow in kept:
            usable[name] = sli.model_copy(update={"owner": settings.owners.get(name, sli.owner)})
    check_deadlines(kept.values(), usable.values(), schedules)
    owned = {n: f.model_copy(update={"owner": settings.owners.get(n, f.owner)}) for n, f in kept.items()}
    since = to_us(settings.watched_since) if settings.watched_since else None
    return Model(
        settings.company,
        owned,
        usable,
        dict(settings.entities),
        dict(platforms),
        since,
        tuple(notes),
        schedules,
        settings.identity,
    )


def _load(folder: str, own: Mapping[str, dict[str, Any]], disabled: Iterable[str], build: type[T]) -> dict[str, T]:
    raw: dict[str, dict[str, Any]] = {p.stem: read_yaml(p) for p in sorted((SHIPPED / folder).glob("*.yaml"))}
    for name, value in own.items():
        raw[name] = _overlaid(name, raw.get(name, {}), value) if folder == "flows" else {**raw.get(name, {}), **value}
    found: dict[str, T] = {}
    for name, value in raw.items():
        if name in set(disabled):
            continue
        try:
            found[name] = build.model_validate({"name": name, **value})
        except ValidationError as error:
            first = error.errors(include_url=False)[0]
            inside = ".".join(str(part) for part in first["loc"])
            text = first["msg"].removeprefix("Value error, ")
            raise DefinitionError(
                f"{folder}.{name}: {inside + ': ' if inside else ''}{text}", (folder, name, *first["loc"])
            ) from None
    return found


def _overlaid(name: str, shipped: Mapping[str, Any], own: Mapping[str, Any]) -> dict[str, Any]:
    """Return a flow with the company's keys over the shipped ones, and its deadlines in their steps."""
    merged = {**shipped, **{key: value for key, value in own.items() if key != "deadlines"}}
    deadlines = dict(own.get("deadlines") or {})
    steps = merged.get("steps") or []
    names = [step.get("name") for step in steps if isinstance(step, Mapping)]
    for step in deadlines:
        if step not in names:
            text = f"flow {name} has no step {step!r}; it has {', '.join(map(str, names))}"
            raise DefinitionError(text, ("flows", name, "deadlines", step))
    if deadlines:
        merged["steps"] = [{**s, "within": deadlines.get(s["name"], s.get("within"))} for s in steps]
    return merged


def _check_flow(flow: Flow) -> None:
    place = ("flows", flow.name)
    names = [s.name for s in flow.steps]
    if len(set(names)) != len(names):
        raise DefinitionError(f"flow {flow.name} names a step twice: {', '.join(names)}", place)
    for path in flow.paths:
        if len(path) > 4:
            raise DefinitionError(
                f"flow {flow.name}: a path has {len(path)} references; at most four keep a cycle cheap", place
            )
        for hop in path[:-1]:
            if HUBS & set(hop.kind):
                raise DefinitionError(
                    f"flow {flow.name}: no path may lead through a {hop.kind[0]}; read it as an attribute instead",
                    place,
                )
    seen: set[str] = set()
    for step in flow.steps:
        if step.after and step.after not in seen:
            raise DefinitionError(
                f"flow {flow.name}: step {step.name} comes after {step.after!r}, which is not an earlier step", place
            )
        if step.within is not None and not step.after:
            raise DefinitionError(
                f"flow {flow.name}: step {step.name} has a deadline but no `after: STEP` it runs from", place
            )
        seen.add(step.name)


def _check_sli(sli: Sli, flows: Mapping[str, Flow]) -> None:
    if sli.flow is None:
        return
    place = ("slis", sli.name)
    if sli.flow not in flows:
        raise DefinitionError(
            f"slis.{sli.name}: there is no flow {sli.flow!r}; there are {', '.join(flows)}", (*place, "flow")
        )
    for step in (sli.start, sli.stop):
        if step is not None:
            flows[sli.flow].step(step)
    if sli.stop is not None and sli.within is None and flows[sli.flow].step(sli.stop).within is None:
        text = f"slis.{sli.name} has no deadline and neither has its step {sli.stop}; write for example `within: 4h`"
        raise DefinitionError(text, place)


def _possible(flow: Flow, roles: set[str], notes: list[str]) -> bool:
    needed = {flow.anchor.role} | {hop.role for step in flow.steps for hop in step.path if not step.optional}
    absent = sorted(needed - roles)
    if absent:
        notes.append(f"flow {flow.name} is off: no platform has the role {', '.join(absent)}")
    return not absent
