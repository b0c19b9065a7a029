"""Which differences between two platforms are new: one alert per check and kind, with the money and the first record.

What a step never showed at all is told by overdue_document. Opening balance is reconciled but tells nobody.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any, Literal

from sqlalchemy import Connection, select

from alerts import sight
from alerts.findings import Alert, Finding, Member, Scope, Timing, distinct, fingerprint
from alerts.spec import Common, Words, unknown
from metrics.definitions import Model
from metrics.sight import View
from metrics.tables import BreakRow, Crosswalk, RecordRow, StreamRow, table

TIMING = Timing()
ADVICE = (
    "Compare the two records, correct the side that does not own the value, and leave the rest: it closes when "
    "both are seen to agree."
)
TOLD_AS_OVERDUE = ("missing_in_target", "stale_revision")
"""Kinds of an absent counterpart, which overdue_document tells at the deadline."""

_BREAK, _RECORD = table(BreakRow), table(RecordRow)
_STREAM, _CROSSWALK = table(StreamRow), table(Crosswalk)


class Spec(Common):
    """Without `kind` every kind that overdue_document does not tell; without `flow` every flow."""

    rule: Literal["breaks"] = "breaks"
    flow: Words = ()
    kind: Words = ()


@dataclass(frozen=True, slots=True)
class OpenBreak:
    """One open break: which check found it, and the document with the money of the difference."""

    check: str
    kind: str
    field: str
    since_us: int
    expected: str | None
    actual: str | None
    member: Member


@dataclass(frozen=True, slots=True)
class Facts:
    """What does not agree now, how each check is called and owned, and the streams it is judged from."""

    open: tuple[OpenBreak, ...]
    titles: Mapping[str, str]
    owners: Mapping[str, str | None]
    streams: Mapping[str, tuple[sight.StreamSight, ...]]


def defaults(model: Model) -> Sequence[Spec]:
    """Propose to tell of every flow's differences."""
    return (Spec(severity="warning"),) if model.flows else ()


def problems(spec: Spec, model: Model) -> Sequence[str]:
    """Return what is wrong with a spec for this company."""
    return unknown("flow", spec.flow, model.flows)


def read(conn: Connection, model: Model, spec: Spec, now_us: int) -> Facts:
    """Read the open breaks of a spec that began under watch."""
    flows = [f for name, f in model.flows.items() if not spec.flow or name in spec.flow]
    view, streams = View(conn, model), sight.read(conn)
    starts = {f.name: view.watch_starts(f) for f in flows}
    rows = [dict(r) for r in conn.execute(_open(spec)).mappings()]
    wanted = [r for r in rows if _watched(r, starts)]
    steps = [(f"{f.name}.{s.name}", f, s) for f in flows for s in f.steps]
    return Facts(
        open=tuple(_break(r, model) for r in wanted),
        titles={check: f"{f.title}: {s.title}" for check, f, s in steps},
        owners={check: f.owner for check, f, _ in steps},
        streams={check: tuple(sight.behind(model, f, s.name, streams)) for check, f, s in steps},
    )


def _open(spec: Spec) -> Any:
    b, r = _BREAK.c, _RECORD.c
    customer = _RECORD.alias("customer")
    query = (
        select(
            b.check_name, b.kind, b.field, b.entity, b.since_us, b.expected, b.actual, b.money_minor, b.currency,
            b.counterpart_id, _STREAM.c.platform, r.kind.label("document_kind"), r.external_id, r.number,
            _CROSSWALK.c.customer_id, customer.c.name.label("customer"),
        )
        .join_from(_BREAK, _RECORD, r.id == b.subject_id)
        .join(_STREAM, _STREAM.c.id == r.stream_id)
        .outerjoin(_CROSSWALK, _CROSSWALK.c.record_id == b.customer_id)
        .outerjoin(customer, customer.c.id == _CROSSWALK.c.customer_id)
        .where(b.closed_us.is_(None))
        .order_by(b.check_name, b.kind, b.since_us, r.id, b.field)
    )  # fmt: skip
    return query.where(b.kind.in_(spec.kind) if spec.kind else b.kind.not_in(TOLD_AS_OVERDUE))


def _watched(row: Mapping[str, Any], starts: Mapping[str, tuple[Mapping[str, int], int]]) -> bool:
    """Return whether a break belongs to a flow asked for and came after its watch began."""
    flow = row["check_name"].partition(".")[0]
    if flow not in starts:
        return False
    since, default = starts[flow]
    return bool(row["since_us"] >= since.get(row["entity"], default))


def _break(row: Mapping[str, Any], model: Model) -> OpenBreak:
    """Without a counterpart its money counts as lost, else as late: it is there, though not as it should be."""
    member = Member(
        platform=row["platform"],
        kind=row["document_kind"],
        external_id=row["external_id"],
        number=row["number"],
        entity=row["entity"] or None,
        customer_id=row["customer_id"],
        customer=row["customer"],
        lost=row["counterpart_id"] is None,
        money_minor=None if row["money_minor"] is None else abs(row["money_minor"]),
        currency=row["currency"],
        link=model.link(row["platform"], row["document_kind"], row["external_id"]),
    )
    return OpenBreak(
        row["check_name"], row["kind"], row["field"], row["since_us"], row["expected"], row["actual"], member
    )


def find(facts: Facts, spec: Spec, now_us: int) -> list[Finding]:
    """Group what does not agree by check and kind."""

    def group(b: OpenBreak) -> tuple[str, str]:
        return (b.check, b.kind)

    return [
        _finding(facts, spec, *key, found=list(found)) for key, found in groupby(sorted(facts.open, key=group), group)
    ]


def _finding(facts: Facts, spec: Spec, check: str, kind: str, *, found: list[OpenBreak]) -> Finding:
    first = min(found, key=lambda b: (b.since_us, b.member.key, b.field))
    flow, _, step = check.partition(".")
    fields = ", ".join(sorted({b.field.replace("_", " ") for b in found if b.field}))
    details = [("Differs in", fields)] if fields else []
    if first.expected is not None or first.actual is not None:
        details.append(("First difference", f"{first.expected or 'nothing'} here, {first.actual or 'nothing'} there"))
    return Finding(
        fingerprint=fingerprint(spec.key, check, kind),
        rule=spec.rule,
        spec=spec.key,
        severity=spec.severity or "warning",
        title=f"{kind.replace('_', ' ').capitalize()}: {facts.titles.get(check, check)}",
        since_us=first.since_us,
        as_of_us=sight.horizon_us(facts.streams.get(check, ())),
        scope=Scope(flow=flow, step=step, owner=spec.owner or facts.owners.get(check)),
        members=distinct(b.member for b in found),
        details=tuple(details),
    )


def blind(facts: Facts, spec: Spec, alert: Alert, now_us: int) -> str | None:
    """Return why the two sides cannot be seen to agree again, or None."""
    scope = alert.facts.scope
    return sight.first_blind(facts.streams.get(f"{scope.flow}.{scope.step}", ()), now_us)
