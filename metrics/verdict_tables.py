"""Which verdicts are kept: a pure function of facts and configuration, with natural keys, so that they can be rebuilt."""

from __future__ import annotations

from sqlalchemy import Index
from sqlmodel import SQLModel

from .columns import ASKING, COMPACT, big, index_where, key

UNFINISHED = "state IN ('late', 'lost', 'open')"
"""Documents on their way or stuck: few of all, so an index holds them alone. Spelt as here a condition finds them by it."""


class FlowInstance(SQLModel, table=True):
    """One revision of one anchor document, per legal entity, on its way.

    `state`: open | done | late | lost | excluded | opening (before watch start) | blind. `money_minor` is its value,
    `risk_minor` the part not yet proven in the target. `withdrawn_us`: since when nothing is owed any more.
    """

    __tablename__ = "flow_instance"
    __table_args__ = (
        Index("ix_flow_instance_state", "flow", "state", "started_us"),
        Index("ix_flow_instance_started", "flow", "started_us"),
        Index("ix_flow_instance_completed", "flow", "completed_us"),
        index_where("ix_flow_instance_unfinished", "customer_id", where=UNFINISHED),
        COMPACT,
    )
    flow: str = key()
    anchor_id: int = big(key=True)
    revision: int = big(key=True)
    entity: str = key()
    stream_id: int = big()
    customer_id: int | None = big(null=True)
    state: str
    reason: str | None = None
    step: str
    started_us: int | None = big(null=True)
    due_us: int | None = big(null=True)
    completed_us: int | None = big(null=True)
    money_minor: int | None = big(null=True)
    risk_minor: int | None = big(null=True)
    currency: str | None = None
    withdrawn_us: int | None = big(null=True)


class FlowStep(SQLModel, table=True):
    """What one step of a flow instance shows: `state` done | waiting | confirming | late | lost | blind | duplicate.

    `wait_us`: the next instant whose passing by the watermark of the step's streams can change a verdict.
    """

    __tablename__ = "flow_step"
    __table_args__ = (
        index_where("ix_flow_step_record", "record_id", where="record_id IS NOT NULL"),
        index_where("ix_flow_step_wait", "flow", "step", "wait_us", where="wait_us IS NOT NULL"),
        Index("ix_flow_step_asking", "flow", "step", sqlite_where=ASKING, postgresql_where=ASKING),
        COMPACT,
    )
    flow: str = key()
    anchor_id: int = big(key=True)
    revision: int = big(key=True)
    entity: str = key()
    step: str = key()
    state: str
    reason: str | None = None
    earliest_us: int | None = big(null=True)
    latest_us: int | None = big(null=True)
    due_us: int | None = big(null=True)
    elapsed_us: int | None = big(null=True)
    record_id: int | None = big(null=True)
    count: int = 0
    amount_minor: int | None = big(null=True)
    wait_us: int | None = big(null=True)


class SliEvent(SQLModel, table=True):
    """The verdict on one event subject: outcome good | bad | pending | blind | excluded, with reason, money and proof.

    `at_us` is when the outcome stands from: min(completed, due) once decided. `value_us` is the signed latency.
    `corrected_us`: when a bad verdict was corrected by a record seen later.
    """

    __tablename__ = "sli_event"
    __table_args__ = (
        # In the order of lists, with what percentiles are read from.
        Index("ix_sli_event_at", "sli", "at_us", "anchor_id", "revision", "entity", "value_us", "outcome"),
        Index("ix_sli_event_customer", "sli", "customer_id", "at_us"),
        Index("ix_sli_event_asking", "sli", sqlite_where=ASKING, postgresql_where=ASKING),
        index_where("ix_sli_event_corrected", "corrected_us", where="corrected_us IS NOT NULL"),
        COMPACT,
    )
    sli: str = key()
    anchor_id: int = big(key=True)
    revision: int = big(key=True)
    entity: str = key()
    stream_id: int = big()
    customer_id: int | None = big(null=True)
    outcome: str
    reason: str | None = None
    start_us: int | None = big(null=True)
    due_us: int | None = big(null=True)
    at_us: int | None = big(null=True)
    value_us: int | None = big(null=True)
    money_minor: int | None = big(null=True)
    currency: str | None = None
    proof_id: int | None = big(null=True)
    corrected_us: int | None = big(null=True)


class BreakRow(SQLModel, table=True):
    """A reconciliation difference between two records, or a record and its absent counterpart.

    `kind` as in the catalogue: missing_in_target, missing_in_source, amount_differs, attribute_differs, currency_differs,
    period_differs, duplicate, not_reversed, stale_revision. Open while `closed_us` is NULL; each time it opens anew is a row of its own.
    """

    __tablename__ = "breaks"
    __table_args__ = (
        Index("ix_breaks_open", "closed_us", "kind"),
        Index("ix_breaks_customer", "customer_id"),
        COMPACT,
    )
    check_name: str = key()
    subject_id: int = big(key=True)
    revision: int = big(key=True)
    entity: str = key()
    kind: str = key()
    field: str = key()
    since_us: int = big(key=True)
    counterpart_id: int | None = big(null=True)
    customer_id: int | None = big(null=True)
    expected: str | None = None
    actual: str | None = None
    money_minor: int | None = big(null=True)
    currency: str | None = None
    closed_us: int | None = big(null=True)


class StateInterval(SQLModel, table=True):
    """How long a state subject was good, bad, pending or blind: [from_us, to_us), open when `to_us` is NULL."""

    __tablename__ = "state_interval"
    __table_args__ = (Index("ix_state_interval_now", "sli", "to_us", "outcome"), COMPACT)
    sli: str = key()
    subject_id: int = big(key=True)
    target: str = key()
    from_us: int = big(key=True)
    to_us: int | None = big(null=True)
    outcome: str
    reason: str | None = None
    counterpart_id: int | None = big(null=True)


class ExceptionRow(SQLModel, table=True):
    """Something a person must handle: dead_letter, failed_run, stuck_run or quarantined_row. `fingerprint` names its cause.

    `subject_id`: the first try, `message` and `last_us` are of the last one; `closed_us`: since when it needs nobody any more.
    `money_minor`: what of its document has not come through, while it is open.
    """

    __tablename__ = "exceptions"
    __table_args__ = (COMPACT,)
    fingerprint: str = key()
    subject_id: int = big(key=True)
    kind: str
    category: str
    cause: str
    stream_id: int = big()
    document_id: int | None = big(null=True)
    message: str
    attempts: int = 1
    since_us: int = big()
    last_us: int = big()
    closed_us: int | None = big(null=True)
    money_minor: int | None = big(null=True)
    currency: str | None = None


class SliRollup(SQLModel, table=True):
    """How many events and how much money fell into an hour or a day, per outcome: sums of contributions."""

    __tablename__ = "sli_rollup"
    __table_args__ = (index_where("ix_sli_rollup_empty", "sli", where="event_count = 0"), COMPACT)
    sli: str = key()
    grain: str = key()  # hour | day
    bucket_us: int = big(key=True)
    stream_id: int = big(key=True)
    entity: str = key()
    outcome: str = key()
    reason: str = key()
    currency: str = key()
    event_count: int = big()
    money_minor: int = big()
    incomplete_count: int = big()  # bad without ever completing
    corrected_count: int = big()
