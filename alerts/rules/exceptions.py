"""Which exceptions wait for a person: dead letters, failed and hung runs, refused rows. One alert per kind, cause and stream."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any, Literal

from sqlalchemy import Connection, select

from alerts import sight
from alerts.findings import Alert, Finding, Member, Scope, Timing, distinct, fingerprint
from alerts.spec import Common, Words
from metrics.definitions import Model
from metrics.tables import Crosswalk, ExceptionRow, RecordRow, StreamRow, table

TIMING = Timing()
ADVICE = (
    "Read the message, mend its cause where the record came from, then send it again: it closes when its document shows "
    "in the target."
)

_EXCEPTION, _RECORD = table(ExceptionRow), table(RecordRow)
_STREAM, _CROSSWALK = table(StreamRow), table(Crosswalk)


class Spec(Common):
    """Without `kind` every kind of exception is told."""

    rule: Literal["exceptions"] = "exceptions"
    kind: Words = ()


@dataclass(frozen=True, slots=True)
class OpenException:
    """One open exception with the document it stops, where that is known."""

    kind: str
    cause: str
    stream_id: int
    message: str
    since_us: int
    member: Member


@dataclass(frozen=True, slots=True)
class Facts:
    """What waits now, and how each stream is seen."""

    open: tuple[OpenException, ...]
    streams: Mapping[int, sight.StreamSight]


def defaults(model: Model) -> Sequence[Spec]:
    """Propose to tell of every kind."""
    return (Spec(severity="warning"),)


def problems(spec: Spec, model: Model) -> Sequence[str]:
    """Return nothing: kinds are open words."""
    return []


def read(conn: Connection, model: Model, spec: Spec, now_us: int) -> Facts:
    """Read the open exceptions of a spec's kinds."""
    e = _EXCEPTION.c
    document, about = _RECORD.alias("document"), _STREAM.alias("about")
    joined, customer = _CROSSWALK.alias("joined"), _RECORD.alias("customer")
    d = document.c
    query = (
        select(
            e.kind, e.cause, e.stream_id, e.message, e.since_us, e.fingerprint, e.subject_id,
            _STREAM.c.platform.label("at"), d.kind.label("document_kind"), d.external_id, d.number, d.entity,
            joined.c.customer_id, customer.c.name.label("customer"), e.money_minor, e.currency,
            about.c.platform.label("document_at"),
        )
        .join_from(_EXCEPTION, _STREAM, _STREAM.c.id == e.stream_id)
        .outerjoin(document, d.id == e.document_id)
        .outerjoin(about, about.c.id == d.stream_id)
        .outerjoin(joined, joined.c.record_id == d.customer_id)
        .outerjoin(customer, customer.c.id == joined.c.customer_id)
        .where(e.closed_us.is_(None))
        .order_by(e.fingerprint, e.subject_id)
    )  # fmt: skip
    if spec.kind:
        query = query.where(e.kind.in_(spec.kind))
    rows = conn.execute(query).mappings()
    return Facts(tuple(_open(dict(r), model) for r in rows), {s.id: s for s in sight.read(conn)})


def _open(row: dict[str, Any], model: Model) -> OpenException:
    return OpenException(
        row["kind"], row["cause"], row["stream_id"], row["message"], row["since_us"], _member(row, model)
    )


def _member(row: dict[str, Any], model: Model) -> Member:
    if row["external_id"] is None:
        return Member(platform=row["at"], kind=row["kind"], external_id=f"{row['fingerprint']}#{row['subject_id']}")
    return Member(
        platform=row["document_at"],
        kind=row["document_kind"],
        external_id=row["external_id"],
        number=row["number"],
        entity=row["entity"],
        customer_id=row["customer_id"],
        customer=row["customer"],
        lost=True,
        money_minor=row["money_minor"],
        currency=row["currency"],
        link=model.link(row["document_at"], row["document_kind"], row["external_id"]),
    )


def find(facts: Facts, spec: Spec, now_us: int) -> list[Finding]:
    """Group what waits by kind, cause and stream."""

    def group(e: OpenException) -> tuple[str, str, int]:
        return (e.kind, e.cause, e.stream_id)

    return [
        _finding(facts, spec, *key, waiting=list(waiting))
        for key, waiting in groupby(sorted(facts.open, key=group), key=group)
    ]


def _finding(
    facts: Facts, spec: Spec, kind: str, cause: str, stream_id: int, *, waiting: list[OpenException]
) -> Finding:
    stream = facts.streams.get(stream_id)
    platform = stream.platform if stream else waiting[0].member.platform
    first = min(waiting, key=lambda e: (e.since_us, e.member.key))
    return Finding(
        fingerprint=fingerprint(spec.key, kind, cause, platform, stream.name if stream else None),
        rule=spec.rule,
        spec=spec.key,
        severity=spec.severity or "warning",
        title=f"Waiting for a person on {platform}: {kind.replace('_', ' ')}, {cause}",
        since_us=first.since_us,
        as_of_us=stream.watermark_us if stream else None,
        scope=Scope(platform=platform, owner=spec.owner),
        members=distinct(e.member for e in waiting),
        details=(("First message", first.message),),
    )


def blind(facts: Facts, spec: Spec, alert: Alert, now_us: int) -> str | None:
    """Return why a platform's exceptions cannot be seen to be gone, or None."""
    mine = [s for s in facts.streams.values() if s.platform == alert.facts.scope.platform]
    return sight.first_blind(mine, now_us)
