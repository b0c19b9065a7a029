"""Which messages an evaluation leaves behind: one per transition and channel, or one digest when there are too many."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from hashlib import blake2b

from sqlalchemy import Connection

from . import ledger
from .dedup import Decision, Why
from .findings import SEVERITIES, Alert, Facts, Member, Scope, Severity, first_of, money
from .ledger import Transition
from .lifecycle import Change
from .message import sentence
from .tables import OutboxRow

DIGEST_LINES = 10
NO_EPISODE = 0


@dataclass(frozen=True, slots=True)
class Item:
    """What became of one alert and who is told. `members`: the documents it has now."""

    alert: Alert
    kind: str
    decision: Decision
    members: tuple[Member, ...]
    facts: Facts


def dedup_key(alert_id: str, episode: int, channel: str, kind: str, count: int = 0) -> str:
    """Return the key that a receiver sees again when a message has to be sent again. Shape: 32 hex digits."""
    text = "|".join((alert_id, str(episode), channel, kind, str(count)))
    return blake2b(text.encode(), digest_size=16).hexdigest()


def item(change: Change, decision: Decision, new_documents: int, flips: int, window: str) -> Item | None:
    """Return what is to be put down about a change, None when nothing happened and nobody is told."""
    kind = decision.kind or change.move
    if kind is None:
        return None
    note = change.alert.facts.note
    if decision.why is Why.RELEASED:
        note = _held_back(change.alert, flips, window)
    facts = replace(change.alert.facts, new_documents=new_documents if kind == "updated" else 0, note=note)
    return Item(change.alert, kind, decision, change.members or (), facts)


def _held_back(alert: Alert, flips: int, window: str) -> str:
    if alert.untold == Why.FLAPPING:
        return f"it came and went before ({flips} messages within {window}) and now stays"
    reasons = {
        Why.SILENCED: "a silence ended",
        Why.FIRST_LOAD: "the first load of history is over",
        Why.EXPLAINED: "the platform that explained it is back",
    }
    return next((text for why, text in reasons.items() if why == alert.untold), "nobody was told here before")


def write(conn: Connection, items: Sequence[Item], *, limit: int, now_us: int) -> int:
    """Add the transitions of an evaluation and queue its messages, in the caller's transaction. Returns: messages queued."""
    ids = ledger.add_transitions(conn, [_transition(i, now_us) for i in items])
    lanes: dict[str, list[tuple[int, Item]]] = {}
    for key, i in zip(ids, items, strict=True):
        for channel in i.decision.channels:
            lanes.setdefault(channel, []).append((key, i))
    messages, told = [], []
    for channel, entries in sorted(lanes.items()):
        groups = [entries] if len(entries) > limit else [[e] for e in sorted(entries, key=_urgency)]
        for group in groups:
            messages.append(_message(conn, channel, group, now_us))
            told.append((channel, group))
    outbox_ids = ledger.add_messages(conn, messages)
    rows = [
        _told(channel, key, i, outbox_id, now_us)
        for outbox_id, (channel, group) in zip(outbox_ids, told, strict=True)
        for key, i in group
    ]
    ledger.add_told(conn, rows)
    return len(messages)


def _urgency(entry: tuple[int, Item]) -> tuple[bool, int, int, str]:
    i = entry[1]
    return (i.kind != "resolved", SEVERITIES.index(i.alert.severity), i.alert.since_us, i.alert.id)


def _transition(i: Item, now_us: int) -> Transition:
    untold = None if i.decision.channels else str(i.decision.why)
    return Transition(i.alert.id, i.alert.episode, i.kind, now_us, untold, i.facts)


def _message(conn: Connection, channel: str, group: list[tuple[int, Item]], now_us: int) -> dict[str, object]:
    transition_id, i = group[0]
    if len(group) == 1:
        count = now_us if i.kind == "updated" else 0
        return queued(
            transition_id, dedup_key(i.alert.id, i.alert.episode, channel, i.kind, count), channel, i.kind, now_us
        )
    facts = digest_facts([i for _, i in group], now_us)
    name = blake2b(
        "|".join(sorted(f"{i.alert.id}.{i.alert.episode}.{i.kind}" for _, i in group)).encode(), digest_size=8
    )
    transition = Transition(name.hexdigest(), NO_EPISODE, "digest", now_us, None, facts)
    (transition_id,) = ledger.add_transitions(conn, [transition])
    key = dedup_key(transition.alert_id, NO_EPISODE, channel, "digest", now_us)
    return queued(transition_id, key, channel, "digest", now_us)


def queued(transition_id: int, key: str, channel: str, kind: str, now_us: int) -> dict[str, object]:
    """Return a new outbox row."""
    row = OutboxRow(
        dedup_key=key, transition_id=transition_id, channel=channel, kind=kind, created_us=now_us, next_us=now_us
    )
    return {name: value for name, value in row.model_dump().items() if name != "id"}


def _told(channel: str, transition_id: int, i: Item, outbox_id: int, now_us: int) -> dict[str, object]:
    return {
        "alert_id": i.alert.id,
        "episode": i.alert.episode,
        "channel": channel,
        "kind": i.kind,
        "transition_id": transition_id,
        "outbox_id": outbox_id,
        "at_us": now_us,
    }


def digest_facts(items: Sequence[Item], now_us: int) -> Facts:
    """Put many transitions into one: counts, the gravest in words, and money over distinct documents, each once."""
    over = sum(i.kind == "resolved" for i in items)
    worst = sorted(items, key=lambda i: (i.kind == "resolved", SEVERITIES.index(i.alert.severity), i.alert.since_us))
    shares = {(m.key, m.entity): m for i in items for m in i.members}
    documents = list(shares.values())
    lines = [(f"{i.alert.severity} {n}", _line(i)) for n, i in enumerate(worst[:DIGEST_LINES], 1)]
    if len(items) > DIGEST_LINES:
        lines.append(("And", f"{len(items) - DIGEST_LINES:,} more in the list of alerts"))
    return Facts(
        title=f"{len(items):,} alerts at once" + (f", {over:,} of them resolved" if over else ""),
        severity=_severity(worst),
        rule="digest",
        scope=Scope(),
        since_us=min(i.alert.since_us for i in items),
        at_us=now_us,
        as_of_us=_horizon(items),
        documents=len({m.key for m in documents}),
        customers=len({m.customer_id for m in documents if m.customer_id is not None}),
        unpriced=len({m.key for m in documents if m.money_minor is None or m.currency is None}),
        late=money(documents, lost=False),
        lost=money(documents, lost=True),
        first=first_of(documents),
        details=tuple(lines),
    )


def _line(i: Item) -> str:
    owner = i.facts.scope.owner
    return sentence(i.kind, i.facts) + (f"; owner {owner}" if owner and i.kind != "resolved" else "")


def _severity(worst: Sequence[Item]) -> Severity:
    return worst[0].alert.severity if worst[0].kind != "resolved" else "info"


def _horizon(items: Sequence[Item]) -> int | None:
    return min((i.facts.as_of_us for i in items if i.facts.as_of_us is not None), default=None)
