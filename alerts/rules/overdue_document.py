"""Which documents are past their deadline at a step and proven absent: one alert per flow, step and legal entity.

A document that arrives late leaves the alert, though it stays bad in its SLI: nobody has to look for it any more.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from typing import Literal

from sqlalchemy import Connection

from alerts import sight
from alerts.evidence import member_of
from alerts.findings import Alert, Finding, Scope, Severity, Timing, distinct, fingerprint
from alerts.message import sums
from alerts.spec import Common, Words, unknown
from metrics.blocked import blocked
from metrics.definitions import Model, Sli
from metrics.filters import Filters
from metrics.risk import LateDocument, late

TIMING = Timing()
ADVICE = (
    "Look for the record in the target under its other numbers; if it is not there, find where it stopped and "
    "send it again. It closes when it is seen there."
)


class Spec(Common):
    """Without `flow` every flow is watched."""

    rule: Literal["overdue_document"] = "overdue_document"
    flow: Words = ()


@dataclass(frozen=True, slots=True)
class Facts:
    """What is overdue now; by flow and step how it is called, which SLIs it decides, and the streams it is judged from.

    `blocked`: per overdue customer what waits for it, as money and count of documents per currency.
    """

    late: tuple[LateDocument, ...]
    titles: Mapping[tuple[str, str], str]
    slis: Mapping[tuple[str, str], tuple[Sli, ...]]
    streams: Mapping[tuple[str, str], tuple[sight.StreamSight, ...]]
    blocked: Mapping[int, Mapping[str, tuple[int, int]]] = field(default_factory=dict)


def defaults(model: Model) -> Sequence[Spec]:
    """Propose to watch every flow there is."""
    return (Spec(severity="critical"),) if model.flows else ()


def problems(spec: Spec, model: Model) -> Sequence[str]:
    """Return what is wrong with a spec for this company."""
    return unknown("flow", spec.flow, model.flows)


def read(conn: Connection, model: Model, spec: Spec, now_us: int) -> Facts:
    """Read what is overdue now in the flows of a spec."""
    flows = [f for name, f in model.flows.items() if not spec.flow or name in spec.flow]
    streams = sight.read(conn)
    names = {f.name for f in flows}
    steps = [(f, s) for f in flows for s in f.steps]
    overdue = tuple(d for d in late(conn, model, now_us, Filters()) if d.flow in names)
    return Facts(
        late=overdue,
        blocked=blocked(conn, {d.anchor_id for d in overdue if d.kind == "customer"}),
        titles={(f.name, s.name): f"{f.title}: {s.title}" for f, s in steps},
        slis={(f.name, s.name): _decided(model, f.name, s.name) for f, s in steps},
        streams={(f.name, s.name): tuple(sight.behind(model, f, s.name, streams)) for f, s in steps},
    )


def _decided(model: Model, flow: str, step: str) -> tuple[Sli, ...]:
    return tuple(sli for sli in model.slis.values() if sli.flow == flow and sli.stop == step)


def find(facts: Facts, spec: Spec, now_us: int) -> list[Finding]:
    """Group what is overdue by flow, step and entity."""

    def group(d: LateDocument) -> tuple[str, str, str]:
        return (d.flow, d.step, d.entity)

    overdue = [d for d in facts.late if d.lost and d.due_us <= now_us]
    return [
        _finding(facts, spec, *key, documents=list(documents), now_us=now_us)
        for key, documents in groupby(sorted(overdue, key=group), key=group)
    ]


def _finding(
    facts: Facts, spec: Spec, flow: str, step: str, entity: str, *, documents: list[LateDocument], now_us: int
) -> Finding:
    severity: Severity = spec.severity or "critical"
    slis = facts.slis.get((flow, step), ())
    where = facts.titles.get((flow, step), f"{flow}: {step}")
    return Finding(
        fingerprint=fingerprint(spec.key, flow, step, entity),
        rule=spec.rule,
        spec=spec.key,
        severity=severity,
        title=f"Overdue: {where}" + (f" ({entity})" if entity else ""),
        since_us=min(d.due_us for d in documents),
        as_of_us=sight.horizon_us(facts.streams.get((flow, step), ())),
        scope=Scope(
            flow=flow,
            step=step,
            sli=next((s.name for s in slis), None),
            entity=entity or None,
            owner=spec.owner or next((d.owner for d in documents if d.owner), None),
        ),
        members=distinct(member_of(d, lost=d.lost) for d in documents),
        details=_blocks(facts, documents),
        provisional=bool(slis) and all(s.provisional for s in slis),
    )


def _blocks(facts: Facts, documents: list[LateDocument]) -> tuple[tuple[str, str], ...]:
    """Say what waits for customers that are overdue; those documents have alerts of their own, so it is not added up."""
    money: dict[str, int] = {}
    count = 0
    for customer in {d.anchor_id for d in documents}:
        for currency, (minor, documents_waiting) in facts.blocked.get(customer, {}).items():
            money[currency] = money.get(currency, 0) + minor
            count += documents_waiting
    return (("Blocks", f"{count:,} open document{'' if count == 1 else 's'}, {sums(money)}"),) if count else ()


def blind(facts: Facts, spec: Spec, alert: Alert, now_us: int) -> str | None:
    """Return why a step's documents cannot be seen to have arrived, or None."""
    scope = alert.facts.scope
    return sight.first_blind(facts.streams.get((scope.flow or "", scope.step or ""), ()), now_us)
