"""What a rule found and what an alert is: the plain values that lifecycle, telling and messages pass on.

No decision is taken here and nothing is stored.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import Literal

Severity = Literal["critical", "warning", "info"]
SEVERITIES: tuple[Severity, ...] = ("critical", "warning", "info")
State = Literal["pending", "firing", "acknowledged", "resolved"]
OPEN_STATES = frozenset({"firing", "acknowledged"})


@dataclass(frozen=True, slots=True)
class Member:
    """One document a finding is about. `lost`: not merely late. Money is the part not yet proven in the target."""

    platform: str
    kind: str
    external_id: str
    number: str | None = None
    entity: str | None = None
    customer_id: int | None = None
    customer: str | None = None
    lost: bool = False
    due_us: int | None = None
    money_minor: int | None = None
    currency: str | None = None
    link: str | None = None

    @property
    def key(self) -> str:
        """Return what makes two members the same document, whatever its revision."""
        return fingerprint(self.platform, self.kind, self.external_id)


@dataclass(frozen=True, slots=True)
class Scope:
    """What an alert is about, and so what routes and silences match on."""

    flow: str | None = None
    step: str | None = None
    sli: str | None = None
    entity: str | None = None
    platform: str | None = None
    channel: str | None = None
    owner: str | None = None


@dataclass(frozen=True, slots=True)
class Finding:
    """A condition that is true now. `as_of_us`: how far the facts behind it reach. `provisional` ones notify nobody.

    `caused_by`: platforms whose being down would explain it; while one of them has an alert of its own, that one speaks.
    `advice`: what whoever is told can do about it.
    """

    fingerprint: str
    rule: str
    spec: str
    severity: Severity
    title: str
    since_us: int
    as_of_us: int | None
    scope: Scope
    members: tuple[Member, ...] = ()
    details: tuple[tuple[str, str], ...] = ()
    provisional: bool = False
    caused_by: tuple[str, ...] = ()
    advice: str | None = None


@dataclass(frozen=True, slots=True)
class Timing:
    """How patient an alert is. Units: microseconds."""

    for_us: int = 0
    keep_firing_us: int = 0
    repeat_us: int = 4 * 3_600_000_000


@dataclass(frozen=True, slots=True)
class Facts:
    """Everything a message says of an alert, as it was when the transition happened."""

    title: str
    severity: Severity
    rule: str
    scope: Scope
    since_us: int
    at_us: int
    as_of_us: int | None
    documents: int = 0
    customers: int = 0
    unpriced: int = 0
    new_documents: int = 0
    late: Mapping[str, int] = field(default_factory=dict)
    lost: Mapping[str, int] = field(default_factory=dict)
    first: Member | None = None
    details: tuple[tuple[str, str], ...] = ()
    who: str | None = None
    comment: str | None = None
    note: str | None = None
    advice: str | None = None


@dataclass(frozen=True, slots=True)
class Alert:
    """Where one alert stands. See the table of the same name."""

    id: str
    fingerprint: str
    rule: str
    spec: str
    severity: Severity
    state: State
    episode: int
    since_us: int
    pending_us: int
    seen_us: int
    facts: Facts
    fired_us: int | None = None
    clear_us: int | None = None
    resolved_us: int | None = None
    told_us: int | None = None
    acknowledged_us: int | None = None
    acknowledged_by: str | None = None
    held: str | None = None
    untold: str | None = None


def alert_id(fingerprint: str) -> str:
    """Return the 16 hex digits that stand for a fingerprint in links and keys."""
    return blake2b(fingerprint.encode(), digest_size=8).hexdigest()


def fingerprint(*parts: str | None) -> str:
    """Join the parts that make a condition itself; an absent part stays visible, so no two collide."""
    return "/".join("~" if p is None else p.replace("~", "~0").replace("/", "~1") for p in parts)


def distinct(members: Iterable[Member]) -> tuple[Member, ...]:
    """Keep each document once, the lost or longest overdue view of it, in the order of their keys."""
    best: dict[str, Member] = {}
    for m in members:
        held = best.get(m.key)
        if held is None or _worse(m) < _worse(held):
            best[m.key] = m
    return tuple(best[key] for key in sorted(best))


def _worse(m: Member) -> tuple[bool, bool, int]:
    return (not m.lost, m.due_us is None, m.due_us or 0)


def money(members: Iterable[Member], *, lost: bool) -> dict[str, int]:
    """Sum the late or the lost money per currency. Shape: members are distinct. Units: minor."""
    sums: dict[str, int] = {}
    for m in members:
        if m.lost == lost and m.currency is not None and m.money_minor is not None:
            sums[m.currency] = sums.get(m.currency, 0) + m.money_minor
    return dict(sorted(sums.items()))


def facts_of(finding: Finding, now_us: int) -> Facts:
    """Put down what is true of a finding now, for the messages that will be read later."""
    members = finding.members
    return Facts(
        title=finding.title,
        severity=finding.severity,
        rule=finding.rule,
        scope=finding.scope,
        since_us=finding.since_us,
        at_us=now_us,
        as_of_us=finding.as_of_us,
        documents=len(members),
        customers=len({m.customer_id for m in members if m.customer_id is not None}),
        unpriced=sum(m.money_minor is None or m.currency is None for m in members),
        late=money(members, lost=False),
        lost=money(members, lost=True),
        first=first_of(members),
        details=finding.details,
        advice=finding.advice,
    )


def first_of(members: Iterable[Member]) -> Member | None:
    """Return the member that has waited longest; ties by key, so every reader sees the same one."""
    return min(members, key=lambda m: (m.due_us is None, m.due_us or 0, m.key), default=None)
