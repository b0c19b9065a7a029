"""Which rows are derived from the versions of records: the heads that judging and search read, and what is to be judged."""

from __future__ import annotations

from sqlalchemy import Column, Index, LargeBinary
from sqlmodel import Field, SQLModel

from probes.clock import HOUR

from .columns import BILLED, COMPACT, big, index_where, key, rowid

STUCK_AFTER_US = HOUR
"""A run that goes on for longer than this hangs."""


def troubled(of: str = "") -> str:
    """Return the condition of records that a person may have to handle: dead letters, and runs that failed or hung."""
    hung = f"{of}state = 'open' OR {of}changed_us - {of}created_us > {STUCK_AFTER_US}"
    return f"({of}kind = 'message' OR ({of}kind = 'workflow_run' AND ({of}state = 'failed' OR {hung})))"


class RecordRow(SQLModel, table=True):
    """The newest version of a record, in columns that judging and search read."""

    __tablename__ = "record"
    __table_args__ = (
        Index("ix_record_customer", "customer_id", "kind", "state", "created_us"),
        Index("ix_record_bill_to", "bill_to_id", sqlite_where=BILLED, postgresql_where=BILLED),
        Index("ix_record_number", "number"),
        Index("ix_record_external", "external_id"),
        Index("ix_record_kind", "stream_id", "kind", "created_us"),
        index_where("ix_record_customers", "segment", where="kind = 'customer'"),
        index_where("ix_record_troubled", "stream_id", where=troubled()),
    )
    id: int = rowid()
    stream_id: int = big()
    kind: str = key(key=False)
    external_id: str = key(key=False)
    number: str | None = key(key=False, null=True)
    name: str | None = None
    segment: str | None = None
    entity: str | None = key(key=False, null=True)
    customer_id: int | None = big(null=True)
    bill_to_id: int | None = big(null=True)
    status: str | None = None
    state: str | None = None
    currency: str | None = None
    net_minor: int | None = big(null=True)
    tax_minor: int | None = big(null=True)
    gross_minor: int | None = big(null=True)
    open_minor: int | None = big(null=True)
    revision: int | None = None
    exempt: str | None = None
    test: bool = False
    actor_id: str | None = key(key=False, null=True)  # who made it, where the platform's own history says so
    document_on: str | None = None
    posting_on: str | None = None
    created_us: int | None = big(null=True)
    changed_us: int | None = big(null=True)
    first_observed_us: int = big()
    observed_us: int = big()
    deleted_us: int | None = big(null=True)
    version_count: int = 1
    digest: bytes = Field(sa_column=Column(LargeBinary, nullable=False))


class Milestone(SQLModel, table=True):
    """Something that happened to a record, as the interval [earliest, latest]; `ordinal` counts its occurrences from 1.

    Names are those the platform stamped (created, finalised, …), `state:<state>` for a state as observed, and
    `revision` whose ordinal is the revision shown.
    """

    __tablename__ = "milestone"
    __table_args__ = (COMPACT,)
    record_id: int = big(key=True)
    name: str = key()
    ordinal: int = big(key=True)
    earliest_us: int = big()
    latest_us: int = big()


class ReferenceRow(SQLModel, table=True):
    """One record naming another by key; `to_id` is the key's hash, which for a key by id is the target's record id."""

    __tablename__ = "reference"
    __table_args__ = (Index("ix_reference_to", "to_id", "kind", "record_id"), COMPACT)
    record_id: int = big(key=True)
    kind: str = key()
    to_id: int = big(key=True)
    line: str = key()
    to_key: str
    amount_minor: int | None = big(null=True)
    currency: str | None = None
    quantity: str | None = None


class RecordKey(SQLModel, table=True):
    """A business key a record is known under, beyond its own id."""

    __tablename__ = "record_key"
    __table_args__ = (Index("ix_record_key_record", "record_id"), COMPACT)
    key_id: int = big(key=True)
    record_id: int = big(key=True)
    key: str


class Scope(SQLModel, table=True):
    """A legal entity that a stream has ever shown: without a row, absence there proves nothing."""

    __tablename__ = "scope"
    __table_args__ = (COMPACT,)
    stream_id: int = big(key=True)
    entity: str = key()
    first_us: int = big()


class Burst(SQLModel, table=True):
    """Many records of a kind that one actor made within ten minutes: a load, not business happening."""

    __tablename__ = "burst"
    __table_args__ = (COMPACT,)
    stream_id: int = big(key=True)
    kind: str = key()
    actor_id: str = key()
    bucket_us: int = big(key=True)


class Crosswalk(SQLModel, table=True):
    """Which customer a platform's customer record belongs to; `customer_id` is the record that stands for the customer."""

    __tablename__ = "crosswalk"
    __table_args__ = (Index("ix_crosswalk_customer", "customer_id"), COMPACT)
    record_id: int = big(key=True)
    customer_id: int = big()
    evidence: str


class Touch(SQLModel, table=True):
    """A subject that must be judged again; deleted in the transaction that writes its verdicts."""

    __tablename__ = "touch"
    __table_args__ = (COMPACT,)
    flow: str = key()
    subject_id: int = big(key=True)


class Counter(SQLModel, table=True):
    """A number that only grows: `generation` counts the times verdicts were written; what is cached hangs on it."""

    __tablename__ = "counter"
    name: str = key()
    value: int = big()
    at_us: int = big()
