"""Which figures crossed their objective or a configured bound. Having no data is a state of its own with its own policy."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Literal

from pydantic import model_validator
from sqlalchemy import Connection

from alerts import sight
from alerts.evidence import bad_members
from alerts.findings import Alert, Finding, Member, Scope, Timing, distinct, fingerprint
from alerts.spec import Common, Share, Words, unknown
from metrics.definitions import Model, Sli
from metrics.filters import Filters
from metrics.sli import Figure, figures
from probes.clock import MINUTE

TIMING = Timing(keep_firing_us=15 * MINUTE)
ADVICE = (
    "Open the SLI and see where it is worst, by entity, platform and reason; the records behind it are listed there."
)
_NO_DATA = "no_data"


class Spec(Common):
    """Without `sli` every state SLI is watched against its objective. `p95` is bounded in seconds, ratios by shares.

    `no_data`: `alert` tells of it, `keep` leaves an alert as it is, `ok` takes it for fine.
    """

    rule: Literal["threshold"] = "threshold"
    sli: Words = ()
    measure: Literal["ratio", "bad", "blind_ratio", "p95"] = "ratio"
    below: Share | None = None
    above: Share | None = None
    no_data: Literal["alert", "keep", "ok"] = "keep"

    @model_validator(mode="after")
    def _bounded(self) -> Spec:
        if self.measure != "ratio" and self.below is None and self.above is None:
            raise ValueError(f"measure: {self.measure} needs a bound; write for example `above: 10`")
        if self.below is not None and self.above is not None and self.above <= self.below:
            raise ValueError("`above` must be greater than `below`, or every value would alert")
        return self


@dataclass(frozen=True, slots=True)
class Reading:
    """One figure, why it cannot be seen whole, the platforms that were not read and, when it crossed, the bad subjects."""

    sli: Sli
    figure: Figure
    blind: str | None = None
    unread: tuple[str, ...] = ()
    bad: tuple[Member, ...] = ()


def watched(spec: Spec, model: Model) -> list[Sli]:
    """Return the SLIs a spec watches."""
    return [s for name, s in model.slis.items() if (name in spec.sli if spec.sli else s.kind == "state")]


def defaults(model: Model) -> Sequence[Spec]:
    """Propose to hold every state SLI to its objective."""
    return (Spec(),) if any(s.kind == "state" for s in model.slis.values()) else ()


def problems(spec: Spec, model: Model) -> Sequence[str]:
    """Return what is wrong with a spec for this company."""
    return unknown("SLI", spec.sli, model.slis)


def read(conn: Connection, model: Model, spec: Spec, now_us: int) -> tuple[Reading, ...]:
    """Read the figures a spec watches, and the bad subjects of those that crossed."""
    slis = {s.name: s for s in watched(spec, model)}
    if not slis:
        return ()
    streams = sight.read(conn)
    found = figures(conn, model, now_us, Filters(), list(slis))
    return tuple(_reading(conn, model, spec, slis[f.name], f, streams, now_us) for f in found)


def _reading(
    conn: Connection,
    model: Model,
    spec: Spec,
    sli: Sli,
    figure: Figure,
    streams: Sequence[sight.StreamSight],
    now_us: int,
) -> Reading:
    flow = model.flows.get(sli.flow or "")
    mine = sight.behind(model, flow, None, streams) if flow else []
    unread = tuple(sorted({s.platform for s in mine if s.blind(now_us)}))
    bad = bad_members(conn, model, sli, now_us) if crossed(figure, spec) else ()
    return Reading(sli, figure, sight.first_blind(mine, now_us), unread, bad)


def value(figure: Figure, spec: Spec) -> Fraction | None:
    """Return what a spec measures of a figure, unrounded; None when there is no data."""
    if figure.status == _NO_DATA:
        return None
    if spec.measure == "ratio":
        return figure.ratio
    if spec.measure == "bad":
        return Fraction(figure.bad)
    if spec.measure == "p95":
        return None if figure.p95_us is None else Fraction(figure.p95_us, 1_000_000)
    whole = figure.good + figure.bad + figure.blind
    return Fraction(figure.blind, whole) if whole else None


def crossed(figure: Figure, spec: Spec) -> bool:
    """Return whether a figure is beyond its bound; exactly on it is within."""
    found = value(figure, spec)
    if found is None:
        return False
    below = spec.below
    if below is None and spec.above is None:
        below = figure.objective
    return (below is not None and found < below) or (spec.above is not None and found > spec.above)


def find(facts: tuple[Reading, ...], spec: Spec, now_us: int) -> list[Finding]:
    """Return the figures that crossed, and under `no_data: alert` those without data."""
    found = [_finding(r, spec, now_us) for r in facts if crossed(r.figure, spec)]
    if spec.no_data == "alert":
        found += [_no_data(r, spec, now_us) for r in facts if value(r.figure, spec) is None]
    return found


def _finding(r: Reading, spec: Spec, now_us: int) -> Finding:
    return Finding(
        fingerprint=fingerprint(spec.key, r.sli.name, spec.measure),
        rule=spec.rule,
        spec=spec.key,
        severity=spec.severity or "warning",
        title=f"{r.sli.title} is out of bounds",
        since_us=now_us,
        as_of_us=r.figure.horizon_us,
        scope=Scope(flow=r.sli.flow, sli=r.sli.name, owner=spec.owner or r.sli.owner),
        members=distinct(r.bad),
        details=(
            ("Measured", _text(value(r.figure, spec), spec)),
            ("Bound", _bound(r.figure, spec)),
            ("Subjects", f"{r.figure.good} good, {r.figure.bad} bad, {r.figure.blind} not seen"),
        ),
        provisional=r.sli.provisional,
    )


def _no_data(r: Reading, spec: Spec, now_us: int) -> Finding:
    return Finding(
        fingerprint=fingerprint(spec.key, r.sli.name, spec.measure, _NO_DATA),
        rule=spec.rule,
        spec=spec.key,
        severity=spec.severity or "warning",
        title=f"{r.sli.title} has no data",
        since_us=now_us,
        as_of_us=r.figure.horizon_us,
        scope=Scope(flow=r.sli.flow, sli=r.sli.name, owner=spec.owner or r.sli.owner),
        details=(("Why", r.blind or "too little of the window was read"),),
        provisional=r.sli.provisional,
        caused_by=r.unread,
    )


def _bound(figure: Figure, spec: Spec) -> str:
    if spec.below is None and spec.above is None:
        return f"objective {_text(figure.objective, spec)}"
    parts = [("not below", spec.below), ("not above", spec.above)]
    return ", ".join(f"{word} {_text(bound, spec)}" for word, bound in parts if bound is not None)


def _text(found: Fraction | None, spec: Spec) -> str:
    if found is None:
        return "no data"
    if spec.measure in ("ratio", "blind_ratio"):
        return f"{float(found * 100):.2f} %"
    return f"{float(found):g}" + (" s" if spec.measure == "p95" else "")


def blind(facts: tuple[Reading, ...], spec: Spec, alert: Alert, now_us: int) -> str | None:
    """Return why a figure is not seen to be back within its bound. `no_data: ok` asks for nothing."""
    if spec.no_data == "ok" or alert.fingerprint.endswith(f"/{_NO_DATA}"):
        return None
    mine = next((r for r in facts if r.sli.name == alert.facts.scope.sli), None)
    if mine is None:
        return None
    return mine.blind or (f"{mine.sli.name} has no data" if value(mine.figure, spec) is None else None)
