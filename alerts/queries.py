"""What the console, the terminal and the API ask about alerts. Reads only; a number and its list have one predicate."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import Connection, and_, func, select

from . import ledger
from .findings import SEVERITIES, Alert, Facts, Member
from .message import sentence
from .silences import Silence
from .tables import AcknowledgementRow, AlertRow, MemberRow, OutboxRow, ToldRow, TransitionRow, table

_ALERT, _MEMBER, _TRANSITION = table(AlertRow), table(MemberRow), table(TransitionRow)
_TOLD, _OUTBOX = table(ToldRow), table(OutboxRow)


@dataclass(frozen=True, slots=True)
class AlertView:
    """One alert as people see it. `held`: why it cannot be verified to be over. `untold`: why nobody was told."""

    id: str
    fingerprint: str
    rule: str
    spec: str
    title: str
    severity: str
    state: str
    episode: int
    flow: str | None
    step: str | None
    sli: str | None
    entity: str | None
    platform: str | None
    owner: str | None
    since_us: int
    fired_us: int | None
    acknowledged_us: int | None
    acknowledged_by: str | None
    resolved_us: int | None
    seen_us: int
    told_us: int | None
    held: str | None
    untold: str | None
    document_count: int
    customer_count: int
    late: dict[str, int]
    lost: dict[str, int]
    first: Member | None
    details: tuple[tuple[str, str], ...]
    advice: str | None
    as_of_us: int | None


@dataclass(frozen=True, slots=True)
class TransitionView:
    """What became of an alert at an instant, and which channels were told."""

    id: int
    alert_id: str
    episode: int
    kind: str
    at_us: int
    severity: str
    title: str
    told: tuple[str, ...]
    untold: str | None
    facts: Facts
    text: str


@dataclass(frozen=True, slots=True)
class MemberView:
    """A document in an alert: since when it is part of it, and until when it was."""

    member: Member
    since_us: int
    gone_us: int | None


@dataclass(frozen=True, slots=True)
class MessageView:
    """One message and where it stands: queued, sent or dead with the reason."""

    id: int
    channel: str
    kind: str
    status: str
    attempts: int
    created_us: int
    sent_us: int | None
    next_us: int
    reason: str | None
    headline: str
    alert_id: str


def open_alerts(conn: Connection, at_us: int | None = None) -> list[AlertView]:
    """Return what is pending, firing or taken on: the gravest first, then the oldest.

    With `at_us` what fired then, as it was last told of by then: what was only pending left no trace.
    """
    if at_us is None:
        rows = conn.execute(select(_ALERT).where(_ALERT.c.state != "resolved")).mappings()
        found = [_alert(r) for r in rows]
    else:
        found = _open_then(conn, at_us)
    return sorted(found, key=lambda a: (SEVERITIES.index(a.severity), a.since_us, a.id))


def _open_then(conn: Connection, at_us: int) -> list[AlertView]:
    """Return the alerts whose newest episode by an instant was not over, from their transitions."""
    t = _TRANSITION.c
    newest = select(t.alert_id, func.max(t.episode).label("episode")).where(t.at_us <= at_us, t.kind != "digest")
    last = newest.group_by(t.alert_id).subquery("last")
    same = and_(last.c.alert_id == t.alert_id, last.c.episode == t.episode)
    query = select(_TRANSITION, *(_ALERT.c[n].label(f"alert_{n}") for n in ("fingerprint", "rule", "spec")))
    query = query.join_from(_TRANSITION, last, same).join(_ALERT, _ALERT.c.id == t.alert_id)
    episodes: dict[str, list[Any]] = {}
    for row in conn.execute(query.where(t.at_us <= at_us, t.kind != "digest").order_by(t.at_us, t.id)).mappings():
        episodes.setdefault(row["alert_id"], []).append(row)
    return [_then(rows) for rows in episodes.values() if rows[-1]["kind"] != "resolved"]


def _then(rows: list[Any]) -> AlertView:
    newest, facts = rows[-1], ledger.decode_facts(rows[-1]["facts"])
    taken = next((r for r in reversed(rows) if r["kind"] == "acknowledged"), None)
    alert = Alert(
        id=newest["alert_id"],
        fingerprint=newest["alert_fingerprint"],
        rule=newest["alert_rule"],
        spec=newest["alert_spec"],
        severity=newest["severity"],
        state="firing" if taken is None else "acknowledged",
        episode=newest["episode"],
        since_us=facts.since_us,
        pending_us=rows[0]["at_us"],
        seen_us=newest["at_us"],
        facts=facts,
        fired_us=rows[0]["at_us"],
        untold=newest["untold"],
    )
    if taken is not None:
        alert = replace(alert, acknowledged_us=taken["at_us"], acknowledged_by=ledger.decode_facts(taken["facts"]).who)
    return view_of(alert)


def alert(conn: Connection, alert_id: str) -> AlertView | None:
    """Return one alert, or None."""
    row = conn.execute(select(_ALERT).where(_ALERT.c.id == alert_id)).mappings().first()
    return None if row is None else _alert(row)


def _alert(row: Any) -> AlertView:
    return view_of(ledger.alert_of(row))


def view_of(a: Alert) -> AlertView:
    """Return an alert as people see it."""
    f, s = a.facts, a.facts.scope
    return AlertView(
        id=a.id,
        fingerprint=a.fingerprint,
        rule=a.rule,
        spec=a.spec,
        title=f.title,
        severity=a.severity,
        state=a.state,
        episode=a.episode,
        flow=s.flow,
        step=s.step,
        sli=s.sli,
        entity=s.entity,
        platform=s.platform,
        owner=s.owner,
        since_us=a.since_us,
        fired_us=a.fired_us,
        acknowledged_us=a.acknowledged_us,
        acknowledged_by=a.acknowledged_by,
        resolved_us=a.resolved_us,
        seen_us=a.seen_us,
        told_us=a.told_us,
        held=a.held,
        untold=a.untold,
        document_count=f.documents,
        customer_count=f.customers,
        late=dict(f.late),
        lost=dict(f.lost),
        first=f.first,
        details=f.details,
        advice=f.advice,
        as_of_us=f.as_of_us,
    )


def members(conn: Connection, alert_id: str, *, gone: bool = False, at_us: int | None = None) -> list[MemberView]:
    """Return the documents in an alert, now or then, longest overdue first; with `gone` also those that left it."""
    query = select(_MEMBER).where(_MEMBER.c.alert_id == alert_id)
    if at_us is not None:
        query = query.where(_MEMBER.c.since_us <= at_us, _MEMBER.c.gone_us.is_(None) | (_MEMBER.c.gone_us > at_us))
    elif not gone:
        query = query.where(_MEMBER.c.gone_us.is_(None))
    rows = conn.execute(query).mappings()
    views = [MemberView(ledger.member_of(r), r["since_us"], r["gone_us"]) for r in rows]
    return sorted(views, key=lambda v: (v.member.due_us is None, v.member.due_us or 0, v.member.key))


def history(conn: Connection, since_us: int, limit: int = 200, until_us: int | None = None) -> list[TransitionView]:
    """Return what became of alerts since an instant, and until one, newest first."""
    c = _TRANSITION.c
    query = select(_TRANSITION).where(c.at_us >= since_us)
    query = query if until_us is None else query.where(c.at_us <= until_us)
    return _transitions(conn, query.order_by(c.at_us.desc(), c.id.desc()).limit(limit))


def transitions_since(conn: Connection, us: int) -> list[TransitionView]:
    """Return everything that became of alerts since an instant, oldest first."""
    c = _TRANSITION.c
    return _transitions(conn, select(_TRANSITION).where(c.at_us >= us).order_by(c.at_us, c.id))


def transitions_of(conn: Connection, alert_id: str) -> list[TransitionView]:
    """Return the whole history of one alert, oldest first."""
    c = _TRANSITION.c
    return _transitions(conn, select(_TRANSITION).where(c.alert_id == alert_id).order_by(c.at_us, c.id))


def _transitions(conn: Connection, query: Any) -> list[TransitionView]:
    rows = conn.execute(query).mappings().all()
    told = _told_by(conn, [r["id"] for r in rows])
    views = []
    for r in rows:
        facts = ledger.decode_facts(r["facts"])
        views.append(
            TransitionView(
                id=r["id"],
                alert_id=r["alert_id"],
                episode=r["episode"],
                kind=r["kind"],
                at_us=r["at_us"],
                severity=r["severity"],
                title=facts.title,
                told=tuple(told.get(r["id"], ())),
                untold=r["untold"],
                facts=facts,
                text=sentence(r["kind"], facts),
            )
        )
    return views


def _told_by(conn: Connection, ids: list[int]) -> dict[int, list[str]]:
    """Return which channels each transition went to: as a message of its own, or within a digest."""
    found: dict[int, set[str]] = {}
    for chunk in _chunks(ids):
        for source in (_OUTBOX, _TOLD):
            query = select(source.c.transition_id, source.c.channel).where(source.c.transition_id.in_(chunk))
            for key, channel in conn.execute(query):
                found.setdefault(key, set()).add(channel)
    return {key: sorted(names) for key, names in found.items()}


def _chunks(ids: list[int]) -> Iterable[list[int]]:
    return (ids[i : i + ledger.CHUNK] for i in range(0, len(ids), ledger.CHUNK))


def messages(conn: Connection, limit: int = 200) -> list[MessageView]:
    """Return the newest messages of all channels and where each stands."""
    o, t = _OUTBOX.c, _TRANSITION.c
    query = (
        select(_OUTBOX, t.facts, t.alert_id)
        .join_from(_OUTBOX, _TRANSITION, t.id == o.transition_id)
        .order_by(o.id.desc())
        .limit(limit)
    )
    return [_message(row) for row in conn.execute(query).mappings()]


def _message(r: Any) -> MessageView:
    names = ("id", "channel", "kind", "status", "attempts", "created_us", "sent_us", "next_us", "reason", "alert_id")
    return MessageView(**{n: r[n] for n in names}, headline=sentence(r["kind"], ledger.decode_facts(r["facts"])))


def silences(conn: Connection, now_us: int) -> list[Silence]:
    """Return the silences that run or will run."""
    return [s for s in ledger.silences(conn, now_us) if s.expired_us is None]


def severities(conn: Connection) -> dict[str, int]:
    """Return how many alerts fire per severity; every severity is named."""
    firing = [a for a in open_alerts(conn) if a.state in ("firing", "acknowledged")]
    return {s: sum(a.severity == s for a in firing) for s in SEVERITIES}


def acknowledgements(conn: Connection, alert_id: str) -> list[dict[str, Any]]:
    """Return who took an alert on, when and with which words, oldest first."""
    ack = table(AcknowledgementRow)
    rows = conn.execute(select(ack).where(ack.c.alert_id == alert_id).order_by(ack.c.at_us)).mappings()
    return [dict(r) for r in rows]
