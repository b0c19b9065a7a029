"""Which calendar does each legal entity and each batch have, do the deadlines find theirs, and can they be kept at all?

A deadline that nobody could see kept is refused: what arrives in the last batch, is polled and becomes visible only after it was due.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

from probes.clock import SECOND, duration_text
from probes.probe import Platform

from .calendar import Calendar, longest_wait_us
from .deadline import Deadline, Schedules, Term
from .definitions import DefinitionError, Flow, MetricsSettings, Model, PlatformLike, Sli, Step

Place = tuple[str | int, ...]


def schedules_of(settings: MetricsSettings, platforms: Mapping[str, PlatformLike]) -> Schedules:
    """Return the calendars of a company. Errors: DefinitionError for a name that leads nowhere."""
    calendars = {name: written.calendar() for name, written in settings.calendars.items()}
    batches: dict[str, list[Mapping[str, str]]] = defaultdict(list)
    if settings.calendar is not None:
        _working(calendars, settings.calendar, ("calendar",))
    for name, entity in settings.entities.items():
        if entity.calendar is not None:
            _working(calendars, entity.calendar, ("entities", name, "calendar"))
    for platform, written in settings.batches.items():
        place: Place = ("batches", platform)
        if platform not in platforms:
            raise DefinitionError(f"batches: there is no platform {platform!r}; {_there_are(platforms)}", place)
        own = {"": written} if isinstance(written, str) else written
        for entity_name, calendar in own.items():
            if entity_name and entity_name not in settings.entities:
                text = f"batches.{platform}: there is no entity {entity_name!r}; {_there_are(settings.entities)}"
                raise DefinitionError(text, (*place, entity_name))
            _batching(calendars, calendar, (*place, entity_name) if entity_name else place)
        for role in platforms[platform].roles:
            batches[role].append(own)
    entities = {name: e.calendar for name, e in settings.entities.items() if e.calendar is not None}
    zones = {name: e.time_zone for name, e in settings.entities.items()}
    return Schedules(calendars, entities, zones, settings.calendar, {r: tuple(b) for r, b in batches.items()})


def check_deadlines(flows: Iterable[Flow], slis: Iterable[Sli], schedules: Schedules) -> None:
    """Check that every deadline finds its calendar. Errors: DefinitionError saying what to write."""
    by_name = {flow.name: flow for flow in flows}
    for due in _deadlines(by_name, slis):
        for term in due.deadline.terms:
            _check_term(term, due, schedules)


class Due(NamedTuple):
    """One deadline, the flow and step it is of, what it is called and where it can be written."""

    deadline: Deadline
    flow: Flow
    step: Step
    title: str
    place: Place


def too_short(model: Model, platforms: Mapping[str, Platform]) -> list[tuple[Place, str]]:
    """Return the deadlines that end before what keeps them can be seen, each with its place and what to write."""
    found = []
    for due in _deadlines(model.flows, model.slis.values()):
        if not due.step.path:
            continue
        poll, visible, slowest = _seen_after(due, platforms)
        for entity in ["", *model.entities]:
            batch = _longest_batch(due, model.schedules, entity)
            allowed = due.deadline.elapsed_us
            if allowed is not None and allowed < batch + poll + visible:
                found.append((due.place, _refusal(due, entity, (batch, poll, visible), slowest)))
                break
    return found


def _deadlines(flows: Mapping[str, Flow], slis: Iterable[Sli]) -> Iterator[Due]:
    for flow in flows.values():
        for step in flow.steps:
            if step.within is not None:
                place = ("flows", flow.name, "deadlines", step.name)
                yield Due(step.within, flow, step, f"flow {flow.name}: step {step.name}", place)
    for sli in slis:
        if sli.within is not None and sli.flow is not None and sli.stop is not None:
            flow = flows[sli.flow]
            yield Due(sli.within, flow, flow.step(sli.stop), f"slis.{sli.name}", ("slis", sli.name, "within"))


def _check_term(term: Term, due: Due, schedules: Schedules) -> None:
    if term.kind == "elapsed":
        return
    windows = term.kind == "window"
    if term.calendar is not None:
        (_batching if windows else _working)(schedules.calendars, term.calendar, due.place)
    elif term.kind == "business_time" and schedules.default is None:
        text = f"{due.title}: `{term}` needs a calendar; declare one under `calendars:` and write `calendar: NAME`"
        raise DefinitionError(f"{text}, or `{term} on NAME`", due.place)
    elif windows and due.deadline.second is None and not schedules.windows(due.flow.role(due.step), ""):
        role = due.flow.role(due.step)
        text = f"{due.title}: no platform with the role {role} is reached in batches; write `batches: {{PLATFORM: CALENDAR}}`"
        raise DefinitionError(f"{text}, or `{str(term).replace('window', 'window of NAME', 1)}`", due.place)


def _working(calendars: Mapping[str, Calendar], name: str, place: Place) -> None:
    if not _known(calendars, name, place).works:
        raise DefinitionError(f"{_dotted(place)}: the calendar {name} has no `hours:`", place)


def _batching(calendars: Mapping[str, Calendar], name: str, place: Place) -> None:
    if not any(window.recurs for window in _known(calendars, name, place).windows):
        raise DefinitionError(
            f"{_dotted(place)}: the calendar {name} has no `windows:` that open again and again", place
        )


def _known(calendars: Mapping[str, Calendar], name: str, place: Place) -> Calendar:
    if name not in calendars:
        raise DefinitionError(f"{_dotted(place)}: there is no calendar {name!r}; {_there_are(calendars)}", place)
    return calendars[name]


def _dotted(place: Place) -> str:
    return ".".join(map(str, place))


def _there_are(names: Iterable[str]) -> str:
    return f"there are {', '.join(names)}" if names else "none is declared"


def _seen_after(due: Due, platforms: Mapping[str, Platform]) -> tuple[int, int, str]:
    """Return poll interval and visibility delay of the stream that shows a step last, and which it is. Units: microseconds."""
    role = due.flow.role(due.step)
    streams = [
        (stream.spec.interval_seconds, stream.spec.visibility_delay_seconds, f"{platform.name}/{stream.spec.name}")
        for platform in platforms.values()
        if role in platform.roles
        for stream in platform.streams
        if stream.spec.kind in due.step.kinds
    ]
    interval, delay, name = max(streams, key=lambda s: s[0] + s[1], default=(0, 0, ""))
    return interval * SECOND, delay * SECOND, name


def _longest_batch(due: Due, schedules: Schedules, entity: str) -> int:
    batches = schedules.windows(due.flow.role(due.step), entity)
    return max((longest_wait_us(calendar) for calendar in batches), default=0)


def _refusal(due: Due, entity: str, waits: tuple[int, int, int], stream: str) -> str:
    batch, poll, visible = waits
    of = f" of {entity}" if entity else ""
    parts = [f"{duration_text(batch)} until the end of a batch{of}"] if batch else []
    parts += [f"{duration_text(poll)} until {stream} is polled", f"{duration_text(visible)} until it is visible there"]
    needed = -(-sum(waits) // (60 * SECOND)) * 60 * SECOND
    write = f"at least `{_minutes(needed)}`"
    if batch:
        write += f", or `later of {due.deadline} and window + 1h`"
    more = f", or poll more often: `platforms.{stream.replace('/', '.streams.')}.interval`"
    return f"{due.title}: due within {due.deadline}, but that can take {' + '.join(parts)}. Write {write}{more}"


def _minutes(us: int) -> str:
    days, rest = divmod(us // (60 * SECOND), 1440)
    hours, minutes = divmod(rest, 60)
    return " ".join(f"{n}{unit}" for n, unit in ((days, "d"), (hours, "h"), (minutes, "m")) if n)
