"""Which tables exist: facts that are only ever added to, heads derived from them, and verdicts that can be rebuilt.

All instants are BIGINT microseconds since the epoch UTC (`_us`), money BIGINT minor units (`_minor`) beside its currency,
identities 63-bit hashes of keys (`record_id`), so the same facts give the same rows on every database and in any order.
Hot paths use `Model.__table__` with Core statements; nothing here holds behaviour.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import BigInteger, Column, Index, Integer, LargeBinary, MetaData, String, Table, Text, text
from sqlmodel import Field, SQLModel

# One byte order for keys everywhere: SQLite compares bytes already, PostgreSQL is told to.
KEY_TEXT = String().with_variant(String(collation="C"), "postgresql")


def _big(*, key: bool = False, null: bool = False, index: bool = False) -> Any:
    return Field(
        default=None,
        sa_column=Column(BigInteger, primary_key=key, nullable=null and not key, index=index, autoincrement=False),
    )


def _rowid() -> Any:
    """Return an integer key that on SQLite is the table's own order, so that a record is found in one step."""
    column: Column[int] = Column(
        BigInteger().with_variant(Integer, "sqlite"), primary_key=True, nullable=False, autoincrement=False
    )
    return Field(default=None, sa_column=column)


def _key(*, key: bool = True, null: bool = False) -> Any:
    return Field(default=None, sa_column=Column(KEY_TEXT, primary_key=key, nullable=null and not key))


_COMPACT = {"sqlite_with_rowid": False}
_ASKING = text("reason IN ('confirming', 'not_visible')")
"""Of millions of verdicts the few that wait for a direct read: an index of their own finds them."""

# --- facts -----------------------------------------------------------------------------------------------------------


class PlatformRow(SQLModel, table=True):
    """One external system instance and what it said of itself when last asked."""

    __tablename__ = "platform"
    name: str = _key()
    vendor: str
    roles: str
    account: str | None = None
    environment: str | None = None
    version: str | None = None
    warnings: str | None = None
    checked_us: int | None = _big(null=True)


class StreamRow(SQLModel, table=True):
    """Where a stream stands: its cursor, its watermark and what it declared. Moves only with a page's transaction."""

    __tablename__ = "stream"
    id: int = _big(key=True)
    platform: str = _key(key=False)
    name: str = _key(key=False)
    kind: str
    cursor: str = Field(sa_column=Column(Text, nullable=False, default="{}"))
    watermark_us: int | None = _big(null=True)
    deleted_watermark_us: int | None = _big(null=True)
    reread_us: int | None = _big(null=True)
    first_complete_us: int | None = _big(null=True)
    interval_us: int = _big()
    visibility_us: int = _big()
    finds: str = ""  # names under which a direct read finds counterparts; empty: absence rests on the watermark alone
    schema_digest: str | None = None
    api_version: str | None = None


class PollRun(SQLModel, table=True):
    """One execution of a probe. Times as measured here; `watermark_us` is the stream's after the run."""

    __tablename__ = "poll_run"
    __table_args__ = (
        Index("ix_poll_run_stream", "stream_id", "started_us"),
        Index("ix_poll_run_started", "started_us"),
    )
    id: int | None = Field(
        default=None, sa_column=Column(BigInteger().with_variant(Integer, "sqlite"), primary_key=True)
    )
    stream_id: int = _big()
    kind: str = "changes"  # changes | reread | sweep | read | check
    started_us: int = _big()
    finished_us: int | None = _big(null=True)
    status: str = "running"  # complete | partial | suspect | failed
    reason: str | None = None
    message: str | None = None
    watermark_us: int | None = _big(null=True)
    pages: int = 0
    records: int = 0
    versions: int = 0
    quarantined: int = 0
    requests: int = 0
    throttled: int = 0
    latency_us: int | None = _big(null=True)
    http_status: int | None = None
    quota_limit: int | None = _big(null=True)
    quota_used: int | None = _big(null=True)
    quota_reset_us: int | None = _big(null=True)
    skew_us: int | None = _big(null=True)
    api_version: str | None = None
    schema_digest: str | None = None
    drift: str | None = None


class VersionRow(SQLModel, table=True):
    """What a record looked like when observed: its canonical body. Ordered by (order_us, observed_us, digest).

    `order_us` is the change stamp where there is one, else `observed_us`. `after_us`: the stream's watermark before this
    poll, so what changed did so in (after_us, observed_us].
    """

    __tablename__ = "version"
    __table_args__ = (_COMPACT,)
    record_id: int = _big(key=True)
    order_us: int = _big(key=True)
    observed_us: int = _big(key=True)
    digest: bytes = Field(sa_column=Column(LargeBinary, primary_key=True))
    after_us: int | None = _big(null=True)
    stream_id: int = _big()
    poll_run_id: int | None = _big(null=True)
    body: str = Field(sa_column=Column(Text, nullable=False))


class SampleRow(SQLModel, table=True):
    """The value of a series at an instant."""

    __tablename__ = "sample"
    __table_args__ = (_COMPACT,)
    stream_id: int = _big(key=True)
    series: str = _key()
    labels: str = _key()
    at_us: int = _big(key=True)
    value: float


class Quarantine(SQLModel, table=True):
    """A row that could not be mapped: the reason and the row itself, for mending and replay."""

    __tablename__ = "quarantine"
    __table_args__ = (_COMPACT,)
    stream_id: int = _big(key=True)
    digest: bytes = Field(sa_column=Column(LargeBinary, primary_key=True))
    first_us: int = _big()
    last_us: int = _big()
    seen_count: int = 1
    external_id: str | None = None
    reason: str
    message: str
    raw: str = Field(sa_column=Column(Text, nullable=False))


class Lookup(SQLModel, table=True):
    """A direct read by a known key that found nothing: the evidence behind "absent"."""

    __tablename__ = "lookup"
    __table_args__ = (_COMPACT,)
    stream_id: int = _big(key=True)
    subject_id: int = _big(key=True)
    asked_us: int = _big()
    keys: str
    control_seen: bool = True  # a record known to exist in the same legal entity was found by the same read


class ConfigVersion(SQLModel, table=True):
    """A configuration as it was from an instant on; the digest of what judging reads."""

    __tablename__ = "config_version"
    digest: str = _key()
    effective_us: int = _big()
    body: str = Field(sa_column=Column(Text, nullable=False))


# --- heads: derived from versions ------------------------------------------------------------------------------------


class RecordRow(SQLModel, table=True):
    """The newest version of a record, in columns that judging and search read."""

    __tablename__ = "record"
    __table_args__ = (
        Index("ix_record_customer", "customer_id", "kind", "state", "created_us"),
        Index("ix_record_number", "number"),
        Index("ix_record_external", "external_id"),
        Index("ix_record_kind", "stream_id", "kind", "created_us"),
    )
    id: int = _rowid()
    stream_id: int = _big()
    kind: str = _key(key=False)
    external_id: str = _key(key=False)
    number: str | None = _key(key=False, null=True)
    name: str | None = None
    segment: str | None = None
    entity: str | None = _key(key=False, null=True)
    customer_id: int | None = _big(null=True)
    bill_to_id: int | None = _big(null=True)
    status: str | None = None
    state: str | None = None
    currency: str | None = None
    net_minor: int | None = _big(null=True)
    tax_minor: int | None = _big(null=True)
    gross_minor: int | None = _big(null=True)
    open_minor: int | None = _big(null=True)
    revision: int | None = None
    exempt: str | None = None
    test: bool = False
    actor_id: str | None = _key(key=False, null=True)  # who made it, where the platform's own history says so
    document_on: str | None = None
    posting_on: str | None = None
    created_us: int | None = _big(null=True)
    changed_us: int | None = _big(null=True)
    first_observed_us: int = _big()
    observed_us: int = _big()
    deleted_us: int | None = _big(null=True)
    version_count: int = 1
    digest: bytes = Field(sa_column=Column(LargeBinary, nullable=False))


class Milestone(SQLModel, table=True):
    """Something that happened to a record, as the interval [earliest, latest]; `ordinal` counts its occurrences from 1.

    Names are those the platform stamped (created, finalised, …), `state:<state>` for a state as observed, and
    `revision` whose ordinal is the revision shown.
    """

    __tablename__ = "milestone"
    __table_args__ = (_COMPACT,)
    record_id: int = _big(key=True)
    name: str = _key()
    ordinal: int = _big(key=True)
    earliest_us: int = _big()
    latest_us: int = _big()


class ReferenceRow(SQLModel, table=True):
    """One record naming another by key; `to_id` is the key's hash, which for a key by id is the target's record id."""

    __tablename__ = "reference"
    __table_args__ = (Index("ix_reference_to", "to_id", "kind", "record_id"), _COMPACT)
    record_id: int = _big(key=True)
    kind: str = _key()
    to_id: int = _big(key=True)
    line: str = _key()
    to_key: str
    amount_minor: int | None = _big(null=True)
    currency: str | None = None
    quantity: str | None = None


class RecordKey(SQLModel, table=True):
    """A business key a record is known under, beyond its own id."""

    __tablename__ = "record_key"
    __table_args__ = (Index("ix_record_key_record", "record_id"), _COMPACT)
    key_id: int = _big(key=True)
    record_id: int = _big(key=True)
    key: str


class Scope(SQLModel, table=True):
    """A legal entity that a stream has ever shown: without a row, absence there proves nothing."""

    __tablename__ = "scope"
    __table_args__ = (_COMPACT,)
    stream_id: int = _big(key=True)
    entity: str = _key()
    first_us: int = _big()


class Burst(SQLModel, table=True):
    """Many records of a kind that one actor made within ten minutes: a load, not business happening."""

    __tablename__ = "burst"
    __table_args__ = (_COMPACT,)
    stream_id: int = _big(key=True)
    kind: str = _key()
    actor_id: str = _key()
    bucket_us: int = _big(key=True)


class Crosswalk(SQLModel, table=True):
    """Which customer a platform's customer record belongs to; `customer_id` is the record that stands for the customer."""

    __tablename__ = "crosswalk"
    __table_args__ = (Index("ix_crosswalk_customer", "customer_id"), _COMPACT)
    record_id: int = _big(key=True)
    customer_id: int = _big()
    evidence: str


# --- work to do ------------------------------------------------------------------------------------------------------


class Touch(SQLModel, table=True):
    """A subject that must be judged again; deleted in the transaction that writes its verdicts."""

    __tablename__ = "touch"
    __table_args__ = (_COMPACT,)
    flow: str = _key()
    subject_id: int = _big(key=True)


class Counter(SQLModel, table=True):
    """A number that only grows: `generation` counts the times verdicts were written; what is cached hangs on it."""

    __tablename__ = "counter"
    name: str = _key()
    value: int = _big()
    at_us: int = _big()


# --- verdicts --------------------------------------------------------------------------------------------------------


class FlowInstance(SQLModel, table=True):
    """One revision of one anchor document, per legal entity, on its way.

    `state`: open | done | late | lost | excluded | opening (before watch start) | blind. `money_minor` is its value,
    `risk_minor` the part not yet proven in the target.
    """

    __tablename__ = "flow_instance"
    __table_args__ = (
        Index("ix_flow_instance_state", "flow", "state", "started_us"),
        Index("ix_flow_instance_started", "flow", "started_us"),
        _COMPACT,
    )
    flow: str = _key()
    anchor_id: int = _big(key=True)
    revision: int = _big(key=True)
    entity: str = _key()
    stream_id: int = _big()
    customer_id: int | None = _big(null=True)
    state: str
    reason: str | None = None
    step: str
    started_us: int | None = _big(null=True)
    due_us: int | None = _big(null=True)
    completed_us: int | None = _big(null=True)
    money_minor: int | None = _big(null=True)
    risk_minor: int | None = _big(null=True)
    currency: str | None = None


class FlowStep(SQLModel, table=True):
    """What one step of a flow instance shows: `state` done | waiting | confirming | late | lost | blind | duplicate.

    `wait_us`: the next instant whose passing by the watermark of the step's streams can change a verdict.
    """

    __tablename__ = "flow_step"
    __table_args__ = (
        Index("ix_flow_step_record", "record_id"),
        Index("ix_flow_step_wait", "flow", "step", "wait_us"),
        Index("ix_flow_step_asking", "flow", "step", sqlite_where=_ASKING, postgresql_where=_ASKING),
        _COMPACT,
    )
    flow: str = _key()
    anchor_id: int = _big(key=True)
    revision: int = _big(key=True)
    entity: str = _key()
    step: str = _key()
    state: str
    reason: str | None = None
    earliest_us: int | None = _big(null=True)
    latest_us: int | None = _big(null=True)
    due_us: int | None = _big(null=True)
    elapsed_us: int | None = _big(null=True)
    record_id: int | None = _big(null=True)
    count: int = 0
    amount_minor: int | None = _big(null=True)
    wait_us: int | None = _big(null=True)


class SliEvent(SQLModel, table=True):
    """The verdict on one event subject: outcome good | bad | pending | blind | excluded, with reason, money and proof.

    `at_us` is when the outcome stands from: min(completed, due) once decided. `value_us` is the signed latency.
    `corrected_us`: when a bad verdict was corrected by a record seen later.
    """

    __tablename__ = "sli_event"
    __table_args__ = (
        Index("ix_sli_event_at", "sli", "at_us"),
        Index("ix_sli_event_customer", "customer_id", "sli"),
        Index("ix_sli_event_asking", "sli", sqlite_where=_ASKING, postgresql_where=_ASKING),
        _COMPACT,
    )
    sli: str = _key()
    anchor_id: int = _big(key=True)
    revision: int = _big(key=True)
    entity: str = _key()
    stream_id: int = _big()
    customer_id: int | None = _big(null=True)
    outcome: str
    reason: str | None = None
    start_us: int | None = _big(null=True)
    due_us: int | None = _big(null=True)
    at_us: int | None = _big(null=True)
    value_us: int | None = _big(null=True)
    money_minor: int | None = _big(null=True)
    currency: str | None = None
    proof_id: int | None = _big(null=True)
    corrected_us: int | None = _big(null=True)


class BreakRow(SQLModel, table=True):
    """A reconciliation difference between two records, or a record and its absent counterpart.

    `kind` as in the catalogue: missing_in_target, missing_in_source, amount_differs, attribute_differs, currency_differs,
    period_differs, duplicate, not_reversed, stale_revision. Open while `closed_us` is NULL.
    """

    __tablename__ = "breaks"
    __table_args__ = (
        Index("ix_breaks_open", "closed_us", "kind"),
        Index("ix_breaks_customer", "customer_id"),
        _COMPACT,
    )
    check_name: str = _key()
    subject_id: int = _big(key=True)
    revision: int = _big(key=True)
    entity: str = _key()
    kind: str = _key()
    field: str = _key()
    counterpart_id: int | None = _big(null=True)
    customer_id: int | None = _big(null=True)
    expected: str | None = None
    actual: str | None = None
    money_minor: int | None = _big(null=True)
    currency: str | None = None
    since_us: int = _big()
    closed_us: int | None = _big(null=True)


class StateInterval(SQLModel, table=True):
    """How long a state subject was good, bad, pending or blind: [from_us, to_us), open when `to_us` is NULL."""

    __tablename__ = "state_interval"
    __table_args__ = (Index("ix_state_interval_now", "sli", "to_us", "outcome"), _COMPACT)
    sli: str = _key()
    subject_id: int = _big(key=True)
    target: str = _key()
    from_us: int = _big(key=True)
    to_us: int | None = _big(null=True)
    outcome: str
    reason: str | None = None
    counterpart_id: int | None = _big(null=True)


class ExceptionRow(SQLModel, table=True):
    """Something a person must handle: a dead letter, a rejected document, a quarantined row, a failed run."""

    __tablename__ = "exceptions"
    __table_args__ = (_COMPACT,)
    fingerprint: str = _key()
    subject_id: int = _big(key=True)
    kind: str
    cause: str
    stream_id: int = _big()
    document_id: int | None = _big(null=True)
    message: str
    since_us: int = _big()
    closed_us: int | None = _big(null=True)


class SliRollup(SQLModel, table=True):
    """How many events and how much money fell into an hour or a day, per outcome: sums of contributions."""

    __tablename__ = "sli_rollup"
    __table_args__ = (_COMPACT,)
    sli: str = _key()
    grain: str = _key()  # hour | day
    bucket_us: int = _big(key=True)
    stream_id: int = _big(key=True)
    entity: str = _key()
    outcome: str = _key()
    reason: str = _key()
    currency: str = _key()
    event_count: int = _big()
    money_minor: int = _big()


FACTS = (PlatformRow, StreamRow, PollRun, VersionRow, SampleRow, Quarantine, Lookup, ConfigVersion)
HEADS = (RecordRow, Milestone, ReferenceRow, RecordKey, Scope, Burst, Crosswalk)
VERDICTS = (FlowInstance, FlowStep, SliEvent, BreakRow, StateInterval, ExceptionRow, SliRollup)

metadata: MetaData = SQLModel.metadata


def table(model: type[SQLModel]) -> Table:
    """Return the Core table of a model, for hot paths."""
    return model.__table__  # type: ignore[attr-defined,no-any-return] # SQLModel adds it at class creation
