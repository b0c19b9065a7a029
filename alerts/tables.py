"""Which tables the alerts room keeps: where each alert stands, what was told, and what people decided.

`transition`, `told`, `silence` and `acknowledgement` are facts and only ever added to; `alert` and `alert_member` are where
those facts have led; `outbox` is work on its way. Conventions are those of the metrics tables.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import BigInteger, Column, Index, Integer, Table, Text
from sqlmodel import Field, SQLModel

from metrics.columns import KEY_TEXT, big, key


def _serial() -> Any:
    return Field(default=None, sa_column=Column(BigInteger().with_variant(Integer, "sqlite"), primary_key=True))


def _text(*, null: bool = False) -> Any:
    return Field(default=None, sa_column=Column(Text, nullable=null))


class AlertRow(SQLModel, table=True):
    """One condition that is or was true: its identity never changes, its episodes count from 1.

    `state`: pending | firing | acknowledged | resolved. `since_us`: the condition is true from then on. `clear_us`: since
    when it is seen to be over. `told_us`: when anybody was last told. `held`: why it cannot be verified to be over.
    """

    __tablename__ = "alert"
    __table_args__ = (Index("ix_alert_state", "state"), {"sqlite_with_rowid": False})
    id: str = key()
    fingerprint: str = _text()
    rule: str = key(key=False)
    spec: str = key(key=False)
    severity: str
    state: str
    episode: int = big()
    since_us: int = big()
    pending_us: int = big()
    fired_us: int | None = big(null=True)
    clear_us: int | None = big(null=True)
    resolved_us: int | None = big(null=True)
    seen_us: int = big()
    told_us: int | None = big(null=True)
    acknowledged_us: int | None = big(null=True)
    acknowledged_by: str | None = _text(null=True)
    held: str | None = _text(null=True)
    untold: str | None = _text(null=True)
    facts: str = _text()


class MemberRow(SQLModel, table=True):
    """A document in an alert: the proof behind its count. `gone_us` is NULL while the document is part of it."""

    __tablename__ = "alert_member"
    __table_args__ = (Index("ix_alert_member_gone", "gone_us"), {"sqlite_with_rowid": False})
    alert_id: str = key()
    member: str = key()
    since_us: int = big()
    gone_us: int | None = big(null=True)
    platform: str
    kind: str
    external_id: str
    number: str | None = None
    entity: str | None = None
    customer_id: int | None = big(null=True)
    customer: str | None = _text(null=True)
    lost: bool = False
    due_us: int | None = big(null=True)
    money_minor: int | None = big(null=True)
    currency: str | None = None
    link: str | None = _text(null=True)


class TransitionRow(SQLModel, table=True):
    """What became of an alert at an instant, with everything a message about it says. `untold`: why nobody was told."""

    __tablename__ = "transition"
    __table_args__ = (Index("ix_transition_at", "at_us"), Index("ix_transition_alert", "alert_id", "at_us"))
    id: int | None = _serial()
    alert_id: str = key(key=False)  # a digest tells of many alerts and has an id of its own
    episode: int = big()
    kind: str  # firing | updated | released | acknowledged | resolved | digest
    at_us: int = big()
    severity: str
    untold: str | None = _text(null=True)
    facts: str = _text()


class ToldRow(SQLModel, table=True):
    """Which message told which channel what about an episode; a resolve goes exactly where its episode was told."""

    __tablename__ = "told"
    __table_args__ = (Index("ix_told_at", "at_us"), {"sqlite_with_rowid": False})
    alert_id: str = key()
    episode: int = big(key=True)
    channel: str = key()
    kind: str = key()
    transition_id: int = big(key=True)
    outbox_id: int = big()
    at_us: int = big()


class OutboxRow(SQLModel, table=True):
    """A message on its way to one channel. It ends `sent`, or `dead` with the reason; delivery is by id within a channel."""

    __tablename__ = "outbox"
    __table_args__ = (Index("ix_outbox_lane", "status", "channel", "id"), Index("ix_outbox_channel", "channel", "id"))
    id: int | None = _serial()
    dedup_key: str = Field(sa_column=Column(KEY_TEXT, nullable=False, unique=True))
    transition_id: int = big()
    channel: str = key(key=False)
    kind: str
    status: str = "queued"  # queued | sent | dead
    attempts: int = 0
    created_us: int = big()
    next_us: int = big()
    lease_us: int | None = big(null=True)
    lease_token: str | None = None
    sent_us: int | None = big(null=True)
    failed_us: int | None = big(null=True)
    reason: str | None = _text(null=True)


class SilenceRow(SQLModel, table=True):
    """From when to when nobody wants to be told of what matches; who said so and why. Ended early by `expired_us`."""

    __tablename__ = "silence"
    id: int | None = _serial()
    matchers: str = _text()
    from_us: int = big()
    to_us: int = big()
    author: str = _text()
    comment: str = _text()
    created_us: int = big()
    expired_us: int | None = big(null=True)
    expired_by: str | None = _text(null=True)


class AcknowledgementRow(SQLModel, table=True):
    """Somebody took an episode on: who, when and what they said."""

    __tablename__ = "acknowledgement"
    id: int | None = _serial()
    alert_id: str = key(key=False)
    episode: int = big()
    author: str = _text()
    comment: str = _text()
    at_us: int = big()


TABLES = (AlertRow, MemberRow, TransitionRow, ToldRow, OutboxRow, SilenceRow, AcknowledgementRow)


def table(model: type[SQLModel]) -> Table:
    """Return the Core table of a model."""
    return model.__table__  # type: ignore[attr-defined,no-any-return] # SQLModel adds it at class creation
