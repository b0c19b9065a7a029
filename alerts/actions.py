"""What people do to alerts: take one on, silence what is known, end a silence. Each is a fact with author and instant."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import msgspec
from sqlalchemy import insert, select, update

from metrics.store import Store

from . import ledger, telling
from .dedup import Why
from .ledger import Transition
from .routing import FIELDS
from .tables import AcknowledgementRow, AlertRow, SilenceRow, ToldRow, table

_ALERT, _TOLD, _SILENCE, _ACK = table(AlertRow), table(ToldRow), table(SilenceRow), table(AcknowledgementRow)


class ActionError(ValueError):
    """Something that cannot be done; the text says why and what to do instead."""


def acknowledge(store: Store, alert_id: str, who: str, comment: str, now_us: int) -> None:
    """Take the running episode of an alert on and tell the channels that know of it. Errors: ActionError."""
    author = _named(who)
    with store.write() as conn:
        row = conn.execute(select(_ALERT).where(_ALERT.c.id == alert_id)).mappings().first()
        if row is None:
            raise ActionError(f"there is no alert {alert_id!r}; `tieout alerts` lists them")
        alert = ledger.alert_of(row)
        if alert.state != "firing":
            by = f" by {alert.acknowledged_by}" if alert.acknowledged_by and alert.state == "acknowledged" else ""
            raise ActionError(f"alert {alert_id} is {alert.state}{by}; only a firing alert can be taken on")
        taken = replace(alert, state="acknowledged", acknowledged_us=now_us, acknowledged_by=author)
        ledger.save_alerts(conn, [taken])
        values = {"alert_id": alert_id, "episode": alert.episode, "author": author, "comment": comment, "at_us": now_us}
        conn.execute(insert(_ACK).values(**values))
        facts = replace(alert.facts, at_us=now_us, who=author, comment=comment or None)
        told = select(_TOLD.c.channel).where(_TOLD.c.alert_id == alert_id, _TOLD.c.episode == alert.episode).distinct()
        channels = tuple(sorted(conn.execute(told).scalars()))
        untold = None if channels else str(Why.NEVER_TOLD)
        (key,) = ledger.add_transitions(
            conn, [Transition(alert_id, alert.episode, "acknowledged", now_us, untold, facts)]
        )
        ledger.add_messages(conn, [_message(key, alert_id, alert.episode, c, now_us) for c in channels])


def _message(transition_id: int, alert_id: str, episode: int, channel: str, now_us: int) -> dict[str, object]:
    key = telling.dedup_key(alert_id, episode, channel, "acknowledged")
    return telling.queued(transition_id, key, channel, "acknowledged", now_us)


def silence(
    store: Store,
    *,
    matchers: Mapping[str, str | Sequence[str]],
    from_us: int,
    to_us: int,
    author: str,
    comment: str,
    now_us: int,
) -> int:
    """Stop messages about what matches, from an instant to another. Returns: the silence's id. Errors: ActionError."""
    wanted = {name: (value,) if isinstance(value, str) else tuple(value) for name, value in matchers.items()}
    unknown = sorted(set(wanted) - set(FIELDS))
    if unknown:
        raise ActionError(f"a silence cannot match on {unknown[0]!r}; it can on {', '.join(FIELDS)}")
    if not any(wanted.values()):
        raise ActionError("a silence without matchers would silence everything; name at least one, for example flow")
    if to_us <= max(from_us, now_us):
        raise ActionError("a silence ends after it begins and after now; give a later end")
    values = {
        "matchers": msgspec.json.encode({k: v for k, v in sorted(wanted.items()) if v}).decode(),
        "from_us": from_us,
        "to_us": to_us,
        "author": _named(author),
        "comment": comment,
        "created_us": now_us,
    }
    with store.write() as conn:
        return int(conn.execute(insert(_SILENCE).values(**values).returning(_SILENCE.c.id)).scalar_one())


def expire_silence(store: Store, silence_id: int, who: str, now_us: int) -> None:
    """End a silence before its time. Errors: ActionError."""
    c = _SILENCE.c
    values = {"expired_us": now_us, "expired_by": _named(who)}
    running = (c.id == silence_id, c.expired_us.is_(None), c.to_us > now_us)
    with store.write() as conn:
        if conn.execute(update(_SILENCE).where(*running).values(**values)).rowcount != 1:
            raise ActionError(f"silence {silence_id} is not running; it has ended or never was")


def _named(who: str) -> str:
    name = who.strip()
    if not name:
        raise ActionError("say who you are: this is kept with the alert")
    return name
