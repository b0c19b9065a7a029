"""How alerts, their documents and what was told are read from and written to the store. Decides nothing."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from itertools import islice
from typing import Any

import msgspec
from sqlalchemy import Connection, and_, insert, or_, select

from metrics.store import bulk_insert, upsert_clause
from probes.clock import DAY

from .dedup import Why
from .findings import OPEN_STATES, Alert, Facts, Member
from .silences import Silence
from .tables import AlertRow, MemberRow, OutboxRow, SilenceRow, ToldRow, TransitionRow, table

CHUNK = 500
RETURN_US = DAY
"""A document that comes back to an alert within a day is not a new one."""
FLIPS = ("firing", "released", "resolved")

_ALERT, _MEMBER, _TOLD = table(AlertRow), table(MemberRow), table(ToldRow)
_TRANSITION, _OUTBOX, _SILENCE = table(TransitionRow), table(OutboxRow), table(SilenceRow)
_ALERT_COLUMNS = tuple(f.name for f in fields(Alert))
_MEMBER_COLUMNS = tuple(c.name for c in _MEMBER.columns)
_MEMBER_FIELDS = tuple(f.name for f in fields(Member))
_encode = msgspec.json.Encoder(order="deterministic").encode
_decode_facts = msgspec.json.Decoder(Facts).decode


@dataclass(frozen=True, slots=True)
class Held:
    """A document as it stands in an alert: since when, and until when if it is gone."""

    member: Member
    since_us: int
    gone_us: int | None


@dataclass(frozen=True, slots=True)
class Ledger:
    """Everything an evaluation needs to know of what was before it."""

    alerts: Mapping[str, Alert]
    members: Mapping[str, Mapping[str, Held]]
    told: Mapping[str, tuple[str, ...]]
    flips: Mapping[str, int]
    damped: frozenset[str]
    silences: tuple[Silence, ...]
    ever_told: bool


@dataclass(frozen=True, slots=True)
class Transition:
    """One row of the same table, before it has an id."""

    alert_id: str
    episode: int
    kind: str
    at_us: int
    untold: str | None
    facts: Facts


def encode_facts(facts: Facts) -> str:
    """Return facts as canonical JSON."""
    return _encode(facts).decode()


def decode_facts(text: str) -> Facts:
    """Return facts from their JSON."""
    return _decode_facts(text)


def load(conn: Connection, ids: Iterable[str], now_us: int, flap_window_us: int) -> Ledger:
    """Read every alert that is not over and those with these ids, with all that belongs to them."""
    return Ledger(
        alerts=_alerts(conn, ids),
        members=_members(conn, now_us),
        told=_told(conn),
        flips=_flips(conn, now_us - flap_window_us),
        damped=_damped(conn, now_us - flap_window_us),
        silences=silences(conn, now_us),
        ever_told=conn.execute(select(_TOLD.c.alert_id).limit(1)).first() is not None,
    )


def _alerts(conn: Connection, ids: Iterable[str]) -> dict[str, Alert]:
    found = {
        a.id: a for a in map(alert_of, conn.execute(select(_ALERT).where(_ALERT.c.state != "resolved")).mappings())
    }
    wanted = iter(sorted(i for i in set(ids) if i not in found))
    while chunk := list(islice(wanted, CHUNK)):
        rows = conn.execute(select(_ALERT).where(_ALERT.c.id.in_(chunk))).mappings()
        found.update((a.id, a) for a in map(alert_of, rows))
    return found


def alert_of(row: Any) -> Alert:
    """Return an alert from its row."""
    return Alert(**{**dict(row), "facts": decode_facts(row["facts"])})


def member_of(row: Any) -> Member:
    """Return a document of an alert from its row."""
    return Member(**{name: row[name] for name in _MEMBER_FIELDS})


def _members(conn: Connection, now_us: int) -> dict[str, dict[str, Held]]:
    c = _MEMBER.c
    found: dict[str, dict[str, Held]] = {}
    query = select(_MEMBER).where(or_(c.gone_us.is_(None), c.gone_us > now_us - RETURN_US))
    for row in conn.execute(query).mappings():
        held = Held(member_of(row), row["since_us"], row["gone_us"])
        found.setdefault(row["alert_id"], {})[row["member"]] = held
    return found


def _told(conn: Connection) -> dict[str, tuple[str, ...]]:
    """Return which channels were told of the running episode of each open alert, and of any that ends now."""
    same = and_(_ALERT.c.id == _TOLD.c.alert_id, _ALERT.c.episode == _TOLD.c.episode)
    query = (
        select(_TOLD.c.alert_id, _TOLD.c.channel)
        .join_from(_TOLD, _ALERT, same)
        .where(_ALERT.c.state.in_(sorted(OPEN_STATES)))
        .distinct()
        .order_by(_TOLD.c.alert_id, _TOLD.c.channel)
    )
    found: dict[str, tuple[str, ...]] = {}
    for key, channel in conn.execute(query):
        found[key] = (*found.get(key, ()), channel)
    return found


def _flips(conn: Connection, after_us: int) -> dict[str, int]:
    c = _TOLD.c
    query = select(c.alert_id, c.episode, c.kind).where(c.at_us > after_us, c.kind.in_(FLIPS)).distinct()
    found: dict[str, int] = {}
    for key, _, _ in conn.execute(query):
        found[key] = found.get(key, 0) + 1
    return found


def _damped(conn: Connection, after_us: int) -> frozenset[str]:
    c = _TRANSITION.c
    query = select(c.alert_id).where(c.at_us > after_us, c.untold == str(Why.FLAPPING)).distinct()
    return frozenset(conn.execute(query).scalars())


def silences(conn: Connection, now_us: int) -> tuple[Silence, ...]:
    """Return the silences that are not over."""
    rows = conn.execute(select(_SILENCE).where(_SILENCE.c.to_us > now_us).order_by(_SILENCE.c.id)).mappings()
    return tuple(
        Silence(
            id=r["id"],
            matchers=msgspec.json.decode(r["matchers"], type=dict[str, tuple[str, ...]]),
            from_us=r["from_us"],
            to_us=r["to_us"],
            author=r["author"],
            comment=r["comment"],
            expired_us=r["expired_us"],
        )
        for r in rows
    )


def save_alerts(conn: Connection, alerts: Iterable[Alert]) -> None:
    """Write where alerts stand now."""
    rows = [
        tuple(encode_facts(a.facts) if name == "facts" else getattr(a, name) for name in _ALERT_COLUMNS) for a in alerts
    ]
    bulk_insert(conn, _ALERT, rows, _ALERT_COLUMNS, upsert_clause(_ALERT, _ALERT_COLUMNS))


def save_members(conn: Connection, changed: Iterable[tuple[str, Held]]) -> None:
    """Write the documents of alerts that came, went or changed. Shape: (alert id, document)."""
    rows = []
    for alert, held in changed:
        values = {f: getattr(held.member, f) for f in _MEMBER_FIELDS}
        values |= {"alert_id": alert, "member": held.member.key, "since_us": held.since_us, "gone_us": held.gone_us}
        rows.append(tuple(values[c] for c in _MEMBER_COLUMNS))
    bulk_insert(conn, _MEMBER, rows, _MEMBER_COLUMNS, upsert_clause(_MEMBER, _MEMBER_COLUMNS))


def add_transitions(conn: Connection, transitions: Sequence[Transition]) -> list[int]:
    """Add facts about what became of alerts. Returns: their ids, in the same order."""
    rows = [
        {
            "alert_id": t.alert_id,
            "episode": t.episode,
            "kind": t.kind,
            "at_us": t.at_us,
            "severity": t.facts.severity,
            "untold": t.untold,
            "facts": encode_facts(t.facts),
        }
        for t in transitions
    ]
    return _insert(conn, _TRANSITION, rows)


def add_messages(conn: Connection, rows: Sequence[dict[str, Any]]) -> list[int]:
    """Queue messages. Returns: their ids, in the same order."""
    return _insert(conn, _OUTBOX, rows)


def add_told(conn: Connection, rows: Sequence[dict[str, Any]]) -> None:
    """Put down who is told what."""
    columns = tuple(c.name for c in _TOLD.columns)
    bulk_insert(conn, _TOLD, [tuple(r[c] for c in columns) for r in rows], columns, "ON CONFLICT DO NOTHING")


def _insert(conn: Connection, target: Any, rows: Sequence[dict[str, Any]]) -> list[int]:
    if not rows:
        return []
    query = insert(target).returning(target.c.id, sort_by_parameter_order=True)
    return [int(key) for key in conn.execute(query, list(rows)).scalars()]
