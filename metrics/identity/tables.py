"""Which rows identity keeps: stewards' decisions and trained models are facts; keys, refusals and suggestions are derived."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Index, Integer, Text
from sqlmodel import Field, SQLModel

from metrics.columns import COMPACT, big, index_where, key


class IdentityDecision(SQLModel, table=True):
    """What a named person settled about two customer records, `a_id` < `b_id`: confirm | reject | split. The last one counts.

    `model`, `weight`: the suggestion the person saw, where there was one.
    """

    __tablename__ = "identity_decision"
    __table_args__ = (Index("ix_identity_decision_a", "a_id"), Index("ix_identity_decision_b", "b_id"))
    id: int | None = Field(
        default=None, sa_column=Column(BigInteger().with_variant(Integer, "sqlite"), primary_key=True)
    )
    kind: str
    a_id: int = big()
    b_id: int = big()
    author: str
    reason: str = Field(sa_column=Column(Text, nullable=False))
    at_us: int = big()
    model: str | None = None
    weight: float | None = None


class IdentityModel(SQLModel, table=True):
    """The parameters of suggestions as trained by an explicit command; `digest` is that of `body`. The last one is in force."""

    __tablename__ = "identity_model"
    id: int | None = Field(
        default=None, sa_column=Column(BigInteger().with_variant(Integer, "sqlite"), primary_key=True)
    )
    digest: str = key(key=False)
    trained_us: int = big()
    author: str
    records: int = 0
    body: str = Field(sa_column=Column(Text, nullable=False))


class IdentityKey(SQLModel, table=True):
    """A value under which a customer record may be one with others: attributes that the company declared to be a key.

    Words for nothing (UNKNOWN, 000000) are kept to be listed; they are not usable.
    """

    __tablename__ = "identity_key"
    __table_args__ = (
        Index("ix_identity_key_record", "record_id"),
        index_where("ix_identity_key_null", "name", "value", where="NOT usable"),
        COMPACT,
    )
    key_id: int = big(key=True)
    record_id: int = big(key=True)
    platform: str = key(key=False)
    name: str = key(key=False)
    value: str = Field(sa_column=Column(Text, nullable=False))
    usable: bool = True


class IdentityRefused(SQLModel, table=True):
    """A value that joins nobody: shared (by more than declared), disputed (by a steward), hierarchy (parent and child)."""

    __tablename__ = "identity_refused"
    __table_args__ = (COMPACT,)
    key_id: int = big(key=True)
    reason: str


class IdentityDue(SQLModel, table=True):
    """A customer record whose suggestions must be looked for again."""

    __tablename__ = "identity_due"
    __table_args__ = (COMPACT,)
    record_id: int = big(key=True)


class IdentityBlock(SQLModel, table=True):
    """What a record must share with another for the two to be compared at all."""

    __tablename__ = "identity_block"
    __table_args__ = (Index("ix_identity_block_record", "record_id"), COMPACT)
    block_id: int = big(key=True)
    record_id: int = big(key=True)


class Suggestion(SQLModel, table=True):
    """Two records, `a_id` < `b_id`, of different customers that may be one, with the score explained part by part.

    `weight`: bits for (or against) the match, the sum of `parts`, a JSON list of [comparison, level, bits].
    """

    __tablename__ = "identity_suggestion"
    __table_args__ = (
        Index("ix_identity_suggestion_b", "b_id"),
        Index("ix_identity_suggestion_weight", "weight"),
        COMPACT,
    )
    a_id: int = big(key=True)
    b_id: int = big(key=True)
    weight: float
    probability: float
    parts: str = Field(sa_column=Column(Text, nullable=False))
    model: str
