"""Which event SLIs burn their error budget too fast: several window pairs, each with its factor.

Windows scale with the SLO's period and factors stay, so a week's objective does not alert inside its budget and a quarter's
does not need a total outage. Source: https://sre.google/workbook/alerting-on-slos/ (table 5-8 and its ticket tier).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import groupby
from typing import Literal

from pydantic import Field
from sqlalchemy import Connection

from alerts import sight
from alerts.evidence import bad_members
from alerts.findings import SEVERITIES, Alert, Finding, Member, Scope, Severity, Timing, distinct, fingerprint
from alerts.spec import Common, Duration, Section, Share, Words, unknown
from metrics.definitions import Model, Sli
from metrics.filters import Filters
from metrics.sli import BurnRates, burn
from probes.clock import DAY, MINUTE, duration_text

TIMING = Timing(keep_firing_us=15 * MINUTE)
ADVICE = (
    "Work through the documents behind it, the longest overdue first; if they have one cause, mend that before "
    "sending any again."
)
PERIOD_US = 30 * DAY
SHORTEST_US = 5 * MINUTE


class Tier(Section):
    """Fires while both windows burn faster than `factor`. Windows are those of a 30-day objective."""

    factor: Share = Field(gt=0)
    long: Duration
    short: Duration
    severity: Severity


TIERS = tuple(
    Tier.model_validate({"factor": factor, "long": long, "short": short, "severity": severity})
    for factor, long, short, severity in (
        ("14.4", "1h", "5m", "critical"),
        ("6", "6h", "30m", "critical"),
        ("3", "1d", "2h", "warning"),
        ("1", "3d", "6h", "warning"),
    )
)


class Spec(Common):
    """Without `sli` every event SLI is watched. `min_bad` and `min_valid` keep one unlucky event from paging anybody."""

    rule: Literal["burn_rate"] = "burn_rate"
    sli: Words = ()
    min_bad: int = Field(default=2, ge=1)
    min_valid: int = Field(default=1, ge=1)
    tiers: tuple[Tier, ...] = TIERS


@dataclass(frozen=True, slots=True)
class Burning:
    """How fast one SLI burns in one tier's windows, and the bad events behind it when that is too fast."""

    sli: Sli
    tier: Tier
    long_us: int
    short_us: int
    rates: BurnRates
    bad: tuple[Member, ...] = ()


@dataclass(frozen=True, slots=True)
class Facts:
    """Every SLI and tier read, and why an SLI cannot be seen, where it cannot."""

    burning: tuple[Burning, ...]
    blind: dict[str, str]
    horizon: dict[str, int | None]


def windows(tier: Tier, sli: Sli) -> tuple[int, int]:
    """Return a tier's windows for an SLO's period, none shorter than an evaluation can see. Units: microseconds."""
    return (
        max(SHORTEST_US, tier.long * sli.window // PERIOD_US),
        max(SHORTEST_US, tier.short * sli.window // PERIOD_US),
    )


def threshold(tier: Tier, sli: Sli) -> Fraction:
    """Return the share of bad events above which a tier fires."""
    return tier.factor * (1 - sli.objective)


def watched(spec: Spec, model: Model) -> list[Sli]:
    """Return the event SLIs a spec watches."""
    return [s for n, s in model.slis.items() if s.kind == "event" and (n in spec.sli if spec.sli else True)]


def defaults(model: Model) -> Sequence[Spec]:
    """Propose to watch every event SLI; tiers that an objective makes impossible are left out for it."""
    return (Spec(),) if any(s.kind == "event" for s in model.slis.values()) else ()


def problems(spec: Spec, model: Model) -> Sequence[str]:
    """Return tiers that can never fire and settings under which one event pages somebody."""
    names = unknown("event SLI", spec.sli, (s.name for s in watched(Spec(), model)))
    own = spec.tiers is not TIERS and spec.tiers != TIERS
    return [*names, *(text for sli in watched(spec, model) for text in _tier_problems(spec, sli, own))]


def _tier_problems(spec: Spec, sli: Sli, own: bool) -> Iterator[str]:
    for tier in spec.tiers:
        limit = threshold(tier, sli)
        if limit >= 1:
            if own:
                most = 1 / (1 - sli.objective)
                yield (
                    f"factor {float(tier.factor):g} can never fire for {sli.name}: at an objective of "
                    f"{float(sli.objective):.6g} even a total failure burns {float(most):.4g} times; write a smaller factor"
                )
            continue
        alone = int(1 / limit)
        if spec.min_bad < 2 and spec.min_valid <= alone:
            yield (
                f"one bad event of {sli.name} would fire factor {float(tier.factor):g} whenever its window holds at most "
                f"{alone} events; write min_bad: 2, or min_valid: {alone + 1}"
            )


def read(conn: Connection, model: Model, spec: Spec, now_us: int) -> Facts:
    """Read the burn of every watched SLI, and the bad events of what burns too fast."""
    streams = sight.read(conn)
    burning, blind, horizon = [], {}, {}
    for sli in watched(spec, model):
        mine = sight.behind(model, model.flows[sli.flow or ""], None, streams)
        horizon[sli.name] = sight.horizon_us(mine)
        why = sight.first_blind(mine, now_us)
        if why:
            blind[sli.name] = why
        burning += [_burning(conn, model, spec, sli, tier, now_us) for tier in spec.tiers if threshold(tier, sli) < 1]
    return Facts(tuple(burning), blind, horizon)


def _burning(conn: Connection, model: Model, spec: Spec, sli: Sli, tier: Tier, now_us: int) -> Burning:
    long_us, short_us = windows(tier, sli)
    rates = burn(conn, model, now_us, sli.name, long_us, short_us, Filters())
    item = Burning(sli, tier, long_us, short_us, rates)
    if not fires(item, spec):
        return item
    bad = bad_members(conn, model, sli, now_us, long_us)
    return Burning(sli, tier, long_us, short_us, rates, bad)


def fires(item: Burning, spec: Spec) -> bool:
    """Return whether both windows burn faster than the factor, on enough events to mean it. Unrounded."""
    r = item.rates
    if r.long is None or r.short is None:
        return False
    enough = r.long_bad >= spec.min_bad and r.long_valid >= spec.min_valid
    return enough and r.long > item.tier.factor and r.short > item.tier.factor


def find(facts: Facts, spec: Spec, now_us: int) -> list[Finding]:
    """Return one finding per SLI and severity; its fastest tier speaks."""

    def group(item: Burning) -> tuple[str, int]:
        return (item.sli.name, SEVERITIES.index(spec.severity or item.tier.severity))

    fast = sorted((b for b in facts.burning if fires(b, spec)), key=lambda b: (*group(b), -b.tier.factor))
    return [
        _finding(facts, spec, SEVERITIES[severity], list(items), now_us)
        for (_, severity), items in groupby(fast, key=group)
    ]


def _finding(facts: Facts, spec: Spec, severity: Severity, items: list[Burning], now_us: int) -> Finding:
    sli, r, longest = items[0].sli, items[0].rates, max(items, key=lambda i: i.long_us)
    return Finding(
        fingerprint=fingerprint(spec.key, sli.name, severity),
        rule=spec.rule,
        spec=spec.key,
        severity=severity,
        title=f"{sli.title}: error budget burns too fast",
        since_us=min((m.due_us for m in longest.bad if m.due_us is not None), default=now_us),
        as_of_us=facts.horizon.get(sli.name),
        scope=Scope(flow=sli.flow, sli=sli.name, owner=spec.owner or sli.owner),
        members=distinct(longest.bad),
        details=(
            ("Burn rate", f"{float(r.long or 0):.1f} times the budget over {duration_text(items[0].long_us)}, "
                          f"{float(r.short or 0):.1f} over {duration_text(items[0].short_us)}; "
                          f"fires above {float(items[0].tier.factor):g}"),
            ("Events", f"{r.long_bad} bad of {r.long_valid} in {duration_text(items[0].long_us)}"),
            ("Objective", f"{float(sli.objective * 100):.6g} % over {duration_text(sli.window)}"),
        ),
        provisional=sli.provisional,
    )  # fmt: skip


def blind(facts: Facts, spec: Spec, alert: Alert, now_us: int) -> str | None:
    """Return why an SLI cannot be seen to burn slower: a stream is not read, or the windows hold no data."""
    name = alert.facts.scope.sli or ""
    if name in facts.blind:
        return facts.blind[name]
    mine = [b for b in facts.burning if b.sli.name == name]
    return f"{name} has no data in its windows" if mine and all(b.rates.long is None for b in mine) else None
