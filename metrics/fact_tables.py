"""Which facts are kept: append-only, never judged, never rebuilt.

All instants are BIGINT microseconds since the epoch UTC (`_us`), money BIGINT minor units (`_minor`) beside its currency,
identities 63-bit hashes of keys (`record_id`), so the same facts give the same rows on every database and in any order.
"""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Index, Integer, LargeBinary, Text
from sqlmodel import Field, SQLModel

from .columns import COMPACT, big, key


class PlatformRow(SQLModel, table=True):
    """One external system instance and what it said of itself when last asked."""

    __tablename__ = "platform"
    name: str = key()
    vendor: str
    roles: str
    account: str | None = None
    environment: str | None = None
    version: str | None = None
    warnings: str | None = None
    checked_us: int | None = big(null=True)


class StreamRow(SQLModel, table=True):
    """Where a stream stands: its cursor, its watermark and what it declared. Moves only with a page's transaction."""

    __tablename__ = "stream"
    id: int = big(key=True)
    platform: str = key(key=False)
    name: str = key(key=False)
    kind: str
    cursor: str = Field(sa_column=Column(Text, nullable=False, default="{}"))
    watermark_us: int | None = big(null=True)
    deleted_watermark_us: int | None = big(null=True)
    reread_us: int | None = big(null=True)
    first_complete_us: int | None = big(null=True)
    interval_us: int = big()
    visibility_us: int = big()
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
    stream_id: int = big()
    kind: str = "changes"  # changes | reread | sweep | read | check
    started_us: int = big()
    finished_us: int | None = big(null=True)
    status: str = "running"  # complete | partial | suspect | failed
    reason: str | None = None
    message: str | None = None
    watermark_us: int | None = big(null=True)
    pages: int = 0
    records: int = 0
    versions: int = 0
    quarantined: int = 0
    requests: int = 0
    throttled: int = 0
    latency_us: int | None = big(null=True)
    http_status: int | None = None
    quota_limit: int | None = big(null=True)
    quota_used: int | None = big(null=True)
    quota_reset_us: int | None = big(null=True)
    skew_us: int | None = big(null=True)
    api_version: str | None = None
    schema_digest: str | None = None
    drift: str | None = None


class VersionRow(SQLModel, table=True):
    """What a record looked like when observed: its canonical body. Ordered by (order_us, observed_us, digest).

    `order_us` is the change stamp where there is one, else `observed_us`. `after_us`: the stream's watermark before this
    poll, so what changed did so in (after_us, observed_us].
    """

    __tablename__ = "version"
    __table_args__ = (COMPACT,)
    record_id: int = big(key=True)
    order_us: int = big(key=True)
    observed_us: int = big(key=True)
    digest: bytes = Field(sa_column=Column(LargeBinary, primary_key=True))
    after_us: int | None = big(null=True)
    stream_id: int = big()
    poll_run_id: int | None = big(null=True)
    body: str = Field(sa_column=Column(Text, nullable=False))


class SampleRow(SQLModel, table=True):
    """The value of a series at an instant."""

    __tablename__ = "sample"
    __table_args__ = (COMPACT,)
    stream_id: int = big(key=True)
    series: str = key()
    labels: str = key()
    at_us: int = big(key=True)
    value: float


class Quarantine(SQLModel, table=True):
    """A row that could not be mapped: the reason and the row itself, for mending and replay."""

    __tablename__ = "quarantine"
    __table_args__ = (COMPACT,)
    stream_id: int = big(key=True)
    digest: bytes = Field(sa_column=Column(LargeBinary, primary_key=True))
    first_us: int = big()
    last_us: int = big()
    seen_count: int = 1
    external_id: str | None = None
    reason: str
    message: str
    raw: str = Field(sa_column=Column(Text, nullable=False))


class Lookup(SQLModel, table=True):
    """A direct read by a known key that found nothing: the evidence behind "absent"."""

    __tablename__ = "lookup"
    __table_args__ = (COMPACT,)
    stream_id: int = big(key=True)
    subject_id: int = big(key=True)
    asked_us: int = big()
    keys: str
    control_seen: bool = True  # a record known to exist in the same legal entity was found by the same read


class ConfigVersion(SQLModel, table=True):
    """A configuration as it was from an instant on; the digest of what judging reads."""

    __tablename__ = "config_version"
    digest: str = key()
    effective_us: int = big()
    body: str = Field(sa_column=Column(Text, nullable=False))
