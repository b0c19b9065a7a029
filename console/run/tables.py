"""What does the monitor remember about itself: who is the scheduler, when it last ticked, what went wrong inside it?

Nothing about any platform is kept here; these rows never decide a verdict.
"""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Index, Integer, Text
from sqlmodel import Field, SQLModel

_BIG = BigInteger()


class SchedulerLease(SQLModel, table=True):
    """Who may poll and judge on this database. `token` grows with each new holder: writes under an older one fail."""

    __tablename__ = "scheduler_lease"
    name: str = Field(primary_key=True)
    holder: str
    token: int = Field(sa_type=BigInteger)
    acquired_us: int = Field(sa_type=BigInteger)
    expires_us: int = Field(sa_type=BigInteger)


class Heartbeat(SQLModel, table=True):
    """When a part of the monitor last did its work and how often it should: scheduler, judge, alerts, deliver."""

    __tablename__ = "heartbeat"
    name: str = Field(primary_key=True)
    at_us: int = Field(sa_type=BigInteger)
    interval_us: int = Field(sa_type=BigInteger)
    holder: str


class MonitorEvent(SQLModel, table=True):
    """Something that went wrong inside the monitor: a fault of ours, never of a platform.

    `kind`: degraded | missed | overrun | clock_jump | lease. Repeats within an hour are counted in one row.
    """

    __tablename__ = "monitor_event"
    __table_args__ = (Index("ix_monitor_event_last", "last_us"),)
    id: int | None = Field(
        default=None, sa_column=Column(_BIG.with_variant(Integer, "sqlite"), primary_key=True, autoincrement=True)
    )
    kind: str
    part: str
    message: str = Field(sa_column=Column(Text, nullable=False))
    first_us: int = Field(sa_type=BigInteger)
    last_us: int = Field(sa_type=BigInteger)
    seen_count: int = 1
