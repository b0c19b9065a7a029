"""Which findings a planned maintenance window explains: while a platform is worked on, no alert about it begins; those open go on.

The windows are calendars of the company (`calendars:` with `windows:`), named per platform under `alerts.maintenance`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from metrics.calendar import open_until
from metrics.definitions import Model

from .findings import Finding


def worked_on(model: Model, maintenance: Mapping[str, str], now_us: int) -> dict[str, int]:
    """Return the platforms in a maintenance window and until when."""
    calendars = model.schedules.calendars
    ends = {platform: open_until(calendars[name], now_us) for platform, name in maintenance.items()}
    return {platform: end for platform, end in ends.items() if end is not None}


def platforms_of(finding: Finding, model: Model) -> frozenset[str]:
    """Return the platforms whose being worked on would explain a finding: its own, and those on which its step is reached."""
    found = {*finding.caused_by, *([finding.scope.platform] if finding.scope.platform else [])}
    sli = model.slis.get(finding.scope.sli or "")
    flow = model.flows.get(finding.scope.flow or (sli.flow if sli else None) or "")
    if flow is not None:
        named = finding.scope.step or (sli.stop if sli else None)
        steps = [step for step in flow.steps if step.path and named in (None, step.name)]
        found.update(platform for step in steps for platform in model.with_role(flow.role(step)))
    return frozenset(found)


def problems(model: Model, maintenance: Mapping[str, str]) -> Iterator[str]:
    """Return what is wrong with the windows, each as a sentence that says what to write instead."""
    calendars = model.schedules.calendars
    for platform, name in maintenance.items():
        if platform not in model.platforms:
            yield f"alerts.maintenance: there is no platform {platform!r}; there are {', '.join(model.platforms) or 'none'}"
        if name not in calendars:
            there = f"there are {', '.join(calendars)}" if calendars else "declare it under `calendars:`"
            yield f"alerts.maintenance.{platform}: there is no calendar {name!r}; {there}"
        elif not calendars[name].windows:
            yield f"alerts.maintenance.{platform}: the calendar {name} has no `windows:`; add for example {{at: 22:00, for: 6h, on: sat}}"
