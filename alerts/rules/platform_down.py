"""Which platforms cannot be read: an alert of their own, so that a dead probe is never mistaken for a business failure."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from typing import Literal

from pydantic import Field
from sqlalchemy import Connection

from alerts import sight
from alerts.findings import Alert, Finding, Scope, Timing, fingerprint
from alerts.sight import StreamSight
from alerts.spec import Common, Words, unknown
from metrics.definitions import Model
from probes.clock import MINUTE, iso
from probes.errors import PERMANENT

TIMING = Timing(keep_firing_us=2 * MINUTE)
ADVICE = (
    "See whether the platform is up and our credentials still hold (`tieout check`). Until it is read, its "
    "figures are blind, not bad."
)


class Spec(Common):
    """A stream is down after `failures` polls in a row without success, at once where only a person can mend it or where
    it no longer shows what is known to exist."""

    rule: Literal["platform_down"] = "platform_down"
    platform: Words = ()
    failures: int = Field(default=2, ge=1, le=sight.RUNS_READ)


def defaults(model: Model) -> Sequence[Spec]:
    """Propose to watch every platform."""
    return (Spec(severity="critical"),) if model.platforms else ()


def problems(spec: Spec, model: Model) -> Sequence[str]:
    """Return what is wrong with a spec for this company."""
    return unknown("platform", spec.platform, model.platforms)


def read(conn: Connection, model: Model, spec: Spec, now_us: int) -> tuple[StreamSight, ...]:
    """Read how every stream of the platforms of a spec is seen."""
    wanted = spec.platform or tuple(model.platforms)
    return tuple(s for s in sight.read(conn) if s.platform in wanted)


def find(facts: tuple[StreamSight, ...], spec: Spec, now_us: int) -> list[Finding]:
    """Return one finding per platform with a stream that is down."""
    down = sorted((s for s in facts if _down(s, spec)), key=lambda s: (s.platform, s.name))
    return [_finding(name, list(streams), facts, spec) for name, streams in groupby(down, key=lambda s: s.platform)]


def _down(s: StreamSight, spec: Spec) -> bool:
    return s.hidden is not None or s.failures >= spec.failures or (s.failures > 0 and s.reason in PERMANENT)


def _finding(name: str, down: list[StreamSight], every: tuple[StreamSight, ...], spec: Spec) -> Finding:
    total = sum(s.platform == name for s in every)
    since = [at for s in down for at in (s.failing_us, s.hidden_us) if at is not None]
    return Finding(
        fingerprint=fingerprint(spec.key, name),
        rule=spec.rule,
        spec=spec.key,
        severity=spec.severity or "critical",
        title=f"Platform {name} cannot be read",
        since_us=min(since),
        as_of_us=sight.horizon_us([s for s in every if s.platform == name]),
        scope=Scope(platform=name, owner=spec.owner),
        details=(
            ("Streams", f"{len(down)} of {total}: {', '.join(s.name for s in down)}"),
            ("Reason", down[0].hidden or down[0].message or down[0].reason or "not given"),
            ("Read up to", iso(sight.horizon_us(down)) or "never"),
        ),
    )


def blind(facts: tuple[StreamSight, ...], spec: Spec, alert: Alert, now_us: int) -> str | None:
    """Return why a platform is not seen to be back: a stream that still fails, or was not polled since."""
    return sight.first_blind([s for s in facts if s.platform == alert.facts.scope.platform], now_us)
