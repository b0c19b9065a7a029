"""Creates every table there is. Written by `make baseline`; never edited by hand."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "a8a424d4d9ec"
down_revision = None


def upgrade() -> None:
    """Create the tables in an empty database."""
    op.create_table(
        "acknowledgement",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("alert_id", sa.String().with_variant(sa.String(collation="C"), "postgresql"), nullable=False),
        sa.Column("episode", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("author", sa.Text(), nullable=False),
        sa.Column("comment", sa.Text(), nullable=False),
        sa.Column("at_us", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_table(
        "alert",
        sa.Column("id", sa.String().with_variant(sa.String(collation="C"), "postgresql"), nullable=False),
        sa.Column("fingerprint", sa.Text(), nullable=False),
        sa.Column("rule", sa.String().with_variant(sa.String(collation="C"), "postgresql"), nullable=False),
        sa.Column("spec", sa.String().with_variant(sa.String(collation="C"), "postgresql"), nullable=False),
        sa.Column("severity", sa.String(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("episode", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("since_us", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("pending_us", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("fired_us", sa.BigInteger(), autoincrement=False, nullable=True),
        sa.Column("clear_us", sa.BigInteger(), autoincrement=False, nullable=True),
        sa.Column("resolved_us", sa.BigInteger(), autoincrement=False, nullable=True),
        sa.Column("seen_us", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("told_us", sa.BigInteger(), autoincrement=False, nullable=True),
        sa.Column("acknowledged_us", sa.BigInteger(), autoincrement=False, nullable=True),
        sa.Column("acknowledged_by", sa.Text(), nullable=True),
        sa.Column("held", sa.Text(), nullable=True),
        sa.Column("untold", sa.Text(), nullable=True),
        sa.Column("facts", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_alert_state", "alert", ["state"], unique=False)
    op.create_table(
        "alert_member",
        sa.Column("alert_id", sa.String().with_variant(sa.String(collation="C"), "postgresql"), nullable=False),
        sa.Column("member", sa.String().with_variant(sa.String(collation="C"), "postgresql"), nullable=False),
        sa.Column("since_us", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("gone_us", sa.BigInteger(), autoincrement=False, nullable=True),
        sa.Column("platform", sa.String(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("external_id", sa.String(), nullable=False),
        sa.Column("number", sa.String(), nullable=True),
        sa.Column("entity", sa.String(), nullable=True),
        sa.Column("customer_id", sa.BigInteger(), autoincrement=False, nullable=True),
        sa.Column("customer", sa.Text(), nullable=True),
        sa.Column("lost", sa.Boolean(), nullable=False),
        sa.Column("due_us", sa.BigInteger(), autoincrement=False, nullable=True),
        sa.Column("money_minor", sa.BigInteger(), autoincrement=False, nullable=True),
        sa.Column("currency", sa.String(), nullable=True),
        sa.Column("link", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("alert_id", "member"),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_alert_member_gone", "alert_member", ["gone_us"], unique=False)
    op.create_table(
        "breaks",
        sa.Column("check_name", sa.String().with_variant(sa.String(collation="C"), "postgresql"), nullable=False),
        sa.Column("subject_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("revision", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("entity", sa.String().with_variant(sa.String(collation="C"), "postgresql"), nullable=False),
        sa.Column("kind", sa.String().with_variant(sa.String(collation="C"), "postgresql"), nullable=False),
        sa.Column("field", sa.String().with_variant(sa.String(collation="C"), "postgresql"), nullable=False),
        sa.Column("since_us", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("counterpart_id", sa.BigInteger(), autoincrement=False, nullable=True),
        sa.Column("customer_id", sa.BigInteger(), autoincrement=False, nullable=True),
        sa.Column("expected", sa.String(), nullable=True),
        sa.Column("actual", sa.String(), nullable=True),
        sa.Column("money_minor", sa.BigInteger(), autoincrement=False, nullable=True),
        sa.Column("currency", sa.String(), nullable=True),
        sa.Column("closed_us", sa.BigInteger(), autoincrement=False, nullable=True),
        sa.PrimaryKeyConstraint("check_name", "subject_id", "revision", "entity", "kind", "field", "since_us"),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_breaks_customer", "breaks", ["customer_id"], unique=False)
    op.create_index("ix_breaks_open", "breaks", ["closed_us", "kind"], unique=False)
    op.create_table(
        "burst",
        sa.Column("stream_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("kind", sa.String().with_variant(sa.String(collation="C"), "postgresql"), nullable=False),
        sa.Column("actor_id", sa.String().with_variant(sa.String(collation="C"), "postgresql"), nullable=False),
        sa.Column("bucket_us", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.PrimaryKeyConstraint("stream_id", "kind", "actor_id", "bucket_us"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "config_version",
        sa.Column("digest", sa.String().with_variant(sa.String(collation="C"), "postgresql"), nullable=False),
        sa.Column("effective_us", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("digest"),
    )
    op.create_table(
        "counter",
        sa.Column("name", sa.String().with_variant(sa.String(collation="C"), "postgresql"), nullable=False),
        sa.Column("value", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("at_us", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.PrimaryKeyConstraint("name"),
    )
    op.create_table(
        "crosswalk",
        sa.Column("record_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("customer_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("evidence", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("record_id"),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_crosswalk_customer", "crosswalk", ["customer_id"], unique=False)
    op.create_table(
        "exceptions",
        sa.Column("fingerprint", sa.String().with_variant(sa.String(collation="C"), "postgresql"), nullable=False),
        sa.Column("subject_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("category", sa.String(), nullable=False),
        sa.Column("cause", sa.String(), nullable=False),
        sa.Column("stream_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("document_id", sa.BigInteger(), autoincrement=False, nullable=True),
        sa.Column("message", sa.String(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("since_us", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("last_us", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("closed_us", sa.BigInteger(), autoincrement=False, nullable=True),
        sa.Column("money_minor", sa.BigInteger(), autoincrement=False, nullable=True),
        sa.Column("currency", sa.String(), nullable=True),
        sa.PrimaryKeyConstraint("fingerprint", "subject_id"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "flow_instance",
        sa.Column("flow", sa.String().with_variant(sa.String(collation="C"), "postgresql"), nullable=False),
        sa.Column("anchor_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("revision", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("entity", sa.String().with_variant(sa.String(collation="C"), "postgresql"), nullable=False),
        sa.Column("stream_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("customer_id", sa.BigInteger(), autoincrement=False, nullable=True),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("reason", sa.String(), nullable=True),
        sa.Column("step", sa.String(), nullable=False),
        sa.Column("started_us", sa.BigInteger(), autoincrement=False, nullable=True),
        sa.Column("due_us", sa.BigInteger(), autoincrement=False, nullable=True),
        sa.Column("completed_us", sa.BigInteger(), autoincrement=False, nullable=True),
        sa.Column("money_minor", sa.BigInteger(), autoincrement=False, nullable=True),
        sa.Column("risk_minor", sa.BigInteger(), autoincrement=False, nullable=True),
        sa.Column("currency", sa.String(), nullable=True),
        sa.Column("withdrawn_us", sa.BigInteger(), autoincrement=False, nullable=True),
        sa.PrimaryKeyConstraint("flow", "anchor_id", "revision", "entity"),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_flow_instance_completed", "flow_instance", ["flow", "completed_us"], unique=False)
    op.create_index("ix_flow_instance_started", "flow_instance", ["flow", "started_us"], unique=False)
    op.create_index("ix_flow_instance_state", "flow_instance", ["flow", "state", "started_us"], unique=False)
    op.create_index(
        "ix_flow_instance_unfinished",
        "flow_instance",
        ["customer_id"],
        unique=False,
        sqlite_where=sa.text("state IN ('late', 'lost', 'open')"),
        postgresql_where=sa.text("state IN ('late', 'lost', 'open')"),
    )
    op.create_table(
        "flow_step",
        sa.Column("flow", sa.String().with_variant(sa.String(collation="C"), "postgresql"), nullable=False),
        sa.Column("anchor_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("revision", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("entity", sa.String().with_variant(sa.String(collation="C"), "postgresql"), nullable=False),
        sa.Column("step", sa.String().with_variant(sa.String(collation="C"), "postgresql"), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("reason", sa.String(), nullable=True),
        sa.Column("earliest_us", sa.BigInteger(), autoincrement=False, nullable=True),
        sa.Column("latest_us", sa.BigInteger(), autoincrement=False, nullable=True),
        sa.Column("due_us", sa.BigInteger(), autoincrement=False, nullable=True),
        sa.Column("elapsed_us", sa.BigInteger(), autoincrement=False, nullable=True),
        sa.Column("record_id", sa.BigInteger(), autoincrement=False, nullable=True),
        sa.Column("count", sa.Integer(), nullable=False),
        sa.Column("amount_minor", sa.BigInteger(), autoincrement=False, nullable=True),
        sa.Column("wait_us", sa.BigInteger(), autoincrement=False, nullable=True),
        sa.PrimaryKeyConstraint("flow", "anchor_id", "revision", "entity", "step"),
        sqlite_with_rowid=False,
    )
    op.create_index(
        "ix_flow_step_asking",
        "flow_step",
        ["flow", "step"],
        unique=False,
        sqlite_where=sa.text("reason IN ('confirming', 'not_visible')"),
        postgresql_where=sa.text("reason IN ('confirming', 'not_visible')"),
    )
    op.create_index(
        "ix_flow_step_record",
        "flow_step",
        ["record_id"],
        unique=False,
        sqlite_where=sa.text("record_id IS NOT NULL"),
        postgresql_where=sa.text("record_id IS NOT NULL"),
    )
    op.create_index(
        "ix_flow_step_wait",
        "flow_step",
        ["flow", "step", "wait_us"],
        unique=False,
        sqlite_where=sa.text("wait_us IS NOT NULL"),
        postgresql_where=sa.text("wait_us IS NOT NULL"),
    )
    op.create_table(
        "heartbeat",
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("at_us", sa.BigInteger(), nullable=False),
        sa.Column("interval_us", sa.BigInteger(), nullable=False),
        sa.Column("holder", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("name"),
    )
    op.create_table(
        "identity_block",
        sa.Column("block_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("record_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.PrimaryKeyConstraint("block_id", "record_id"),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_identity_block_record", "identity_block", ["record_id"], unique=False)
    op.create_table(
        "identity_decision",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("a_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("b_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("author", sa.String(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("at_us", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("model", sa.String(), nullable=True),
        sa.Column("weight", sa.Float(), nullable=True),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("ix_identity_decision_a", "identity_decision", ["a_id"], unique=False)
    op.create_index("ix_identity_decision_b", "identity_decision", ["b_id"], unique=False)
    op.create_table(
        "identity_due",
        sa.Column("record_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.PrimaryKeyConstraint("record_id"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "identity_key",
        sa.Column("key_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("record_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("platform", sa.String().with_variant(sa.String(collation="C"), "postgresql"), nullable=False),
        sa.Column("name", sa.String().with_variant(sa.String(collation="C"), "postgresql"), nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        sa.Column("usable", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("key_id", "record_id"),
        sqlite_with_rowid=False,
    )
    op.create_index(
        "ix_identity_key_null",
        "identity_key",
        ["name", "value"],
        unique=False,
        sqlite_where=sa.text("NOT usable"),
        postgresql_where=sa.text("NOT usable"),
    )
    op.create_index("ix_identity_key_record", "identity_key", ["record_id"], unique=False)
    op.create_table(
        "identity_model",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("digest", sa.String().with_variant(sa.String(collation="C"), "postgresql"), nullable=False),
        sa.Column("trained_us", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("author", sa.String(), nullable=False),
        sa.Column("records", sa.Integer(), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_table(
        "identity_refused",
        sa.Column("key_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("reason", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("key_id"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "identity_suggestion",
        sa.Column("a_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("b_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("weight", sa.Float(), nullable=False),
        sa.Column("probability", sa.Float(), nullable=False),
        sa.Column("parts", sa.Text(), nullable=False),
        sa.Column("model", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("a_id", "b_id"),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_identity_suggestion_b", "identity_suggestion", ["b_id"], unique=False)
    op.create_index("ix_identity_suggestion_weight", "identity_suggestion", ["weight"], unique=False)
    op.create_table(
        "lookup",
        sa.Column("stream_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("subject_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("asked_us", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("keys", sa.String(), nullable=False),
        sa.Column("control_seen", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("stream_id", "subject_id"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "milestone",
        sa.Column("record_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("name", sa.String().with_variant(sa.String(collation="C"), "postgresql"), nullable=False),
        sa.Column("ordinal", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("earliest_us", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("latest_us", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.PrimaryKeyConstraint("record_id", "name", "ordinal"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "monitor_event",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("part", sa.String(), nullable=False),
        sa.Column("message", sa.Text(), nullable=False),
        sa.Column("first_us", sa.BigInteger(), nullable=False),
        sa.Column("last_us", sa.BigInteger(), nullable=False),
        sa.Column("seen_count", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("ix_monitor_event_last", "monitor_event", ["last_us"], unique=False)
    op.create_table(
        "outbox",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("dedup_key", sa.String().with_variant(sa.String(collation="C"), "postgresql"), nullable=False),
        sa.Column("transition_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("channel", sa.String().with_variant(sa.String(collation="C"), "postgresql"), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("status", sa.String(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("created_us", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("next_us", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("lease_us", sa.BigInteger(), autoincrement=False, nullable=True),
        sa.Column("lease_token", sa.String(), nullable=True),
        sa.Column("sent_us", sa.BigInteger(), autoincrement=False, nullable=True),
        sa.Column("failed_us", sa.BigInteger(), autoincrement=False, nullable=True),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("dedup_key"),
    )
    op.create_index("ix_outbox_channel", "outbox", ["channel", "id"], unique=False)
    op.create_index("ix_outbox_lane", "outbox", ["status", "channel", "id"], unique=False)
    op.create_table(
        "platform",
        sa.Column("name", sa.String().with_variant(sa.String(collation="C"), "postgresql"), nullable=False),
        sa.Column("vendor", sa.String(), nullable=False),
        sa.Column("roles", sa.String(), nullable=False),
        sa.Column("account", sa.String(), nullable=True),
        sa.Column("environment", sa.String(), nullable=True),
        sa.Column("version", sa.String(), nullable=True),
        sa.Column("warnings", sa.String(), nullable=True),
        sa.Column("checked_us", sa.BigInteger(), autoincrement=False, nullable=True),
        sa.PrimaryKeyConstraint("name"),
    )
    op.create_table(
        "poll_run",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("stream_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("started_us", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("finished_us", sa.BigInteger(), autoincrement=False, nullable=True),
        sa.Column("status", sa.String(), nullable=False),
        sa.Column("reason", sa.String(), nullable=True),
        sa.Column("message", sa.String(), nullable=True),
        sa.Column("watermark_us", sa.BigInteger(), autoincrement=False, nullable=True),
        sa.Column("pages", sa.Integer(), nullable=False),
        sa.Column("records", sa.Integer(), nullable=False),
        sa.Column("versions", sa.Integer(), nullable=False),
        sa.Column("quarantined", sa.Integer(), nullable=False),
        sa.Column("requests", sa.Integer(), nullable=False),
        sa.Column("throttled", sa.Integer(), nullable=False),
        sa.Column("latency_us", sa.BigInteger(), autoincrement=False, nullable=True),
        sa.Column("http_status", sa.Integer(), nullable=True),
        sa.Column("quota_limit", sa.BigInteger(), autoincrement=False, nullable=True),
        sa.Column("quota_used", sa.BigInteger(), autoincrement=False, nullable=True),
        sa.Column("quota_reset_us", sa.BigInteger(), autoincrement=False, nullable=True),
        sa.Column("skew_us", sa.BigInteger(), autoincrement=False, nullable=True),
        sa.Column("api_version", sa.String(), nullable=True),
        sa.Column("schema_digest", sa.String(), nullable=True),
        sa.Column("drift", sa.String(), nullable=True),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("ix_poll_run_started", "poll_run", ["started_us"], unique=False)
    op.create_index("ix_poll_run_stream", "poll_run", ["stream_id", "started_us"], unique=False)
    op.create_table(
        "quarantine",
        sa.Column("stream_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column("first_us", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("last_us", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("seen_count", sa.Integer(), nullable=False),
        sa.Column("external_id", sa.String(), nullable=True),
        sa.Column("reason", sa.String(), nullable=False),
        sa.Column("message", sa.String(), nullable=False),
        sa.Column("raw", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("stream_id", "digest"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "record",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=False, nullable=False),
        sa.Column("stream_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("kind", sa.String().with_variant(sa.String(collation="C"), "postgresql"), nullable=False),
        sa.Column("external_id", sa.String().with_variant(sa.String(collation="C"), "postgresql"), nullable=False),
        sa.Column("number", sa.String().with_variant(sa.String(collation="C"), "postgresql"), nullable=True),
        sa.Column("name", sa.String(), nullable=True),
        sa.Column("segment", sa.String(), nullable=True),
        sa.Column("entity", sa.String().with_variant(sa.String(collation="C"), "postgresql"), nullable=True),
        sa.Column("customer_id", sa.BigInteger(), autoincrement=False, nullable=True),
        sa.Column("bill_to_id", sa.BigInteger(), autoincrement=False, nullable=True),
        sa.Column("status", sa.String(), nullable=True),
        sa.Column("state", sa.String(), nullable=True),
        sa.Column("currency", sa.String(), nullable=True),
        sa.Column("net_minor", sa.BigInteger(), autoincrement=False, nullable=True),
        sa.Column("tax_minor", sa.BigInteger(), autoincrement=False, nullable=True),
        sa.Column("gross_minor", sa.BigInteger(), autoincrement=False, nullable=True),
        sa.Column("open_minor", sa.BigInteger(), autoincrement=False, nullable=True),
        sa.Column("revision", sa.Integer(), nullable=True),
        sa.Column("exempt", sa.String(), nullable=True),
        sa.Column("test", sa.Boolean(), nullable=False),
        sa.Column("actor_id", sa.String().with_variant(sa.String(collation="C"), "postgresql"), nullable=True),
        sa.Column("document_on", sa.String(), nullable=True),
        sa.Column("posting_on", sa.String(), nullable=True),
        sa.Column("created_us", sa.BigInteger(), autoincrement=False, nullable=True),
        sa.Column("changed_us", sa.BigInteger(), autoincrement=False, nullable=True),
        sa.Column("first_observed_us", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("observed_us", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("deleted_us", sa.BigInteger(), autoincrement=False, nullable=True),
        sa.Column("version_count", sa.Integer(), nullable=False),
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index(
        "ix_record_bill_to",
        "record",
        ["bill_to_id"],
        unique=False,
        sqlite_where=sa.text("bill_to_id IS NOT NULL"),
        postgresql_where=sa.text("bill_to_id IS NOT NULL"),
    )
    op.create_index("ix_record_customer", "record", ["customer_id", "kind", "state", "created_us"], unique=False)
    op.create_index(
        "ix_record_customers",
        "record",
        ["segment"],
        unique=False,
        sqlite_where=sa.text("kind = 'customer'"),
        postgresql_where=sa.text("kind = 'customer'"),
    )
    op.create_index("ix_record_external", "record", ["external_id"], unique=False)
    op.create_index("ix_record_kind", "record", ["stream_id", "kind", "created_us"], unique=False)
    op.create_index("ix_record_number", "record", ["number"], unique=False)
    op.create_index(
        "ix_record_troubled",
        "record",
        ["stream_id"],
        unique=False,
        sqlite_where=sa.text(
            "(kind = 'message' OR (kind = 'workflow_run' AND (state = 'failed' OR state = 'open' OR changed_us - created_us > 3600000000)))"
        ),
        postgresql_where=sa.text(
            "(kind = 'message' OR (kind = 'workflow_run' AND (state = 'failed' OR state = 'open' OR changed_us - created_us > 3600000000)))"
        ),
    )
    op.create_table(
        "record_key",
        sa.Column("key_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("record_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("key", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("key_id", "record_id"),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_record_key_record", "record_key", ["record_id"], unique=False)
    op.create_table(
        "reference",
        sa.Column("record_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("kind", sa.String().with_variant(sa.String(collation="C"), "postgresql"), nullable=False),
        sa.Column("to_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("line", sa.String().with_variant(sa.String(collation="C"), "postgresql"), nullable=False),
        sa.Column("to_key", sa.String(), nullable=False),
        sa.Column("amount_minor", sa.BigInteger(), autoincrement=False, nullable=True),
        sa.Column("currency", sa.String(), nullable=True),
        sa.Column("quantity", sa.String(), nullable=True),
        sa.PrimaryKeyConstraint("record_id", "kind", "to_id", "line"),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_reference_to", "reference", ["to_id", "kind", "record_id"], unique=False)
    op.create_table(
        "sample",
        sa.Column("stream_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("series", sa.String().with_variant(sa.String(collation="C"), "postgresql"), nullable=False),
        sa.Column("labels", sa.String().with_variant(sa.String(collation="C"), "postgresql"), nullable=False),
        sa.Column("at_us", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("value", sa.Float(), nullable=False),
        sa.PrimaryKeyConstraint("stream_id", "series", "labels", "at_us"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "scheduler_lease",
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("holder", sa.String(), nullable=False),
        sa.Column("token", sa.BigInteger(), nullable=False),
        sa.Column("acquired_us", sa.BigInteger(), nullable=False),
        sa.Column("expires_us", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("name"),
    )
    op.create_table(
        "scope",
        sa.Column("stream_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("entity", sa.String().with_variant(sa.String(collation="C"), "postgresql"), nullable=False),
        sa.Column("first_us", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.PrimaryKeyConstraint("stream_id", "entity"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "silence",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("matchers", sa.Text(), nullable=False),
        sa.Column("from_us", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("to_us", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("author", sa.Text(), nullable=False),
        sa.Column("comment", sa.Text(), nullable=False),
        sa.Column("created_us", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("expired_us", sa.BigInteger(), autoincrement=False, nullable=True),
        sa.Column("expired_by", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_table(
        "sli_event",
        sa.Column("sli", sa.String().with_variant(sa.String(collation="C"), "postgresql"), nullable=False),
        sa.Column("anchor_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("revision", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("entity", sa.String().with_variant(sa.String(collation="C"), "postgresql"), nullable=False),
        sa.Column("stream_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("customer_id", sa.BigInteger(), autoincrement=False, nullable=True),
        sa.Column("outcome", sa.String(), nullable=False),
        sa.Column("reason", sa.String(), nullable=True),
        sa.Column("start_us", sa.BigInteger(), autoincrement=False, nullable=True),
        sa.Column("due_us", sa.BigInteger(), autoincrement=False, nullable=True),
        sa.Column("at_us", sa.BigInteger(), autoincrement=False, nullable=True),
        sa.Column("value_us", sa.BigInteger(), autoincrement=False, nullable=True),
        sa.Column("money_minor", sa.BigInteger(), autoincrement=False, nullable=True),
        sa.Column("currency", sa.String(), nullable=True),
        sa.Column("proof_id", sa.BigInteger(), autoincrement=False, nullable=True),
        sa.Column("corrected_us", sa.BigInteger(), autoincrement=False, nullable=True),
        sa.PrimaryKeyConstraint("sli", "anchor_id", "revision", "entity"),
        sqlite_with_rowid=False,
    )
    op.create_index(
        "ix_sli_event_asking",
        "sli_event",
        ["sli"],
        unique=False,
        sqlite_where=sa.text("reason IN ('confirming', 'not_visible')"),
        postgresql_where=sa.text("reason IN ('confirming', 'not_visible')"),
    )
    op.create_index(
        "ix_sli_event_at",
        "sli_event",
        ["sli", "at_us", "anchor_id", "revision", "entity", "value_us", "outcome"],
        unique=False,
    )
    op.create_index(
        "ix_sli_event_corrected",
        "sli_event",
        ["corrected_us"],
        unique=False,
        sqlite_where=sa.text("corrected_us IS NOT NULL"),
        postgresql_where=sa.text("corrected_us IS NOT NULL"),
    )
    op.create_index("ix_sli_event_customer", "sli_event", ["sli", "customer_id", "at_us"], unique=False)
    op.create_table(
        "sli_rollup",
        sa.Column("sli", sa.String().with_variant(sa.String(collation="C"), "postgresql"), nullable=False),
        sa.Column("grain", sa.String().with_variant(sa.String(collation="C"), "postgresql"), nullable=False),
        sa.Column("bucket_us", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("stream_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("entity", sa.String().with_variant(sa.String(collation="C"), "postgresql"), nullable=False),
        sa.Column("outcome", sa.String().with_variant(sa.String(collation="C"), "postgresql"), nullable=False),
        sa.Column("reason", sa.String().with_variant(sa.String(collation="C"), "postgresql"), nullable=False),
        sa.Column("currency", sa.String().with_variant(sa.String(collation="C"), "postgresql"), nullable=False),
        sa.Column("event_count", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("money_minor", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("incomplete_count", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("corrected_count", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.PrimaryKeyConstraint("sli", "grain", "bucket_us", "stream_id", "entity", "outcome", "reason", "currency"),
        sqlite_with_rowid=False,
    )
    op.create_index(
        "ix_sli_rollup_empty",
        "sli_rollup",
        ["sli"],
        unique=False,
        sqlite_where=sa.text("event_count = 0"),
        postgresql_where=sa.text("event_count = 0"),
    )
    op.create_table(
        "state_interval",
        sa.Column("sli", sa.String().with_variant(sa.String(collation="C"), "postgresql"), nullable=False),
        sa.Column("subject_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("target", sa.String().with_variant(sa.String(collation="C"), "postgresql"), nullable=False),
        sa.Column("from_us", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("to_us", sa.BigInteger(), autoincrement=False, nullable=True),
        sa.Column("outcome", sa.String(), nullable=False),
        sa.Column("reason", sa.String(), nullable=True),
        sa.Column("counterpart_id", sa.BigInteger(), autoincrement=False, nullable=True),
        sa.PrimaryKeyConstraint("sli", "subject_id", "target", "from_us"),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_state_interval_now", "state_interval", ["sli", "to_us", "outcome"], unique=False)
    op.create_table(
        "stream",
        sa.Column("id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("platform", sa.String().with_variant(sa.String(collation="C"), "postgresql"), nullable=False),
        sa.Column("name", sa.String().with_variant(sa.String(collation="C"), "postgresql"), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("cursor", sa.Text(), nullable=False),
        sa.Column("watermark_us", sa.BigInteger(), autoincrement=False, nullable=True),
        sa.Column("deleted_watermark_us", sa.BigInteger(), autoincrement=False, nullable=True),
        sa.Column("reread_us", sa.BigInteger(), autoincrement=False, nullable=True),
        sa.Column("first_complete_us", sa.BigInteger(), autoincrement=False, nullable=True),
        sa.Column("interval_us", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("visibility_us", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("finds", sa.String(), nullable=False),
        sa.Column("schema_digest", sa.String(), nullable=True),
        sa.Column("api_version", sa.String(), nullable=True),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_table(
        "told",
        sa.Column("alert_id", sa.String().with_variant(sa.String(collation="C"), "postgresql"), nullable=False),
        sa.Column("episode", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("channel", sa.String().with_variant(sa.String(collation="C"), "postgresql"), nullable=False),
        sa.Column("kind", sa.String().with_variant(sa.String(collation="C"), "postgresql"), nullable=False),
        sa.Column("transition_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("outbox_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("at_us", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.PrimaryKeyConstraint("alert_id", "episode", "channel", "kind", "transition_id"),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_told_at", "told", ["at_us"], unique=False)
    op.create_table(
        "touch",
        sa.Column("flow", sa.String().with_variant(sa.String(collation="C"), "postgresql"), nullable=False),
        sa.Column("subject_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.PrimaryKeyConstraint("flow", "subject_id"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "transition",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("alert_id", sa.String().with_variant(sa.String(collation="C"), "postgresql"), nullable=False),
        sa.Column("episode", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("at_us", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("severity", sa.String(), nullable=False),
        sa.Column("untold", sa.Text(), nullable=True),
        sa.Column("facts", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("ix_transition_alert", "transition", ["alert_id", "at_us"], unique=False)
    op.create_index("ix_transition_at", "transition", ["at_us"], unique=False)
    op.create_table(
        "version",
        sa.Column("record_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("order_us", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("observed_us", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column("after_us", sa.BigInteger(), autoincrement=False, nullable=True),
        sa.Column("stream_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("poll_run_id", sa.BigInteger(), autoincrement=False, nullable=True),
        sa.Column("body", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("record_id", "order_us", "observed_us", "digest"),
        sqlite_with_rowid=False,
    )
