"""Who is the one active scheduler of a database? A lease row with a fencing token.

The token grows with each change of holder. Every write transaction of the working store asks for it first, so a
scheduler that was paused and replaced can commit nothing more. This file decides; it starts and stops nothing.
"""

from __future__ import annotations

import os
import socket
import uuid
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Select, event, insert, select, update

from metrics.store import Store
from metrics.tables import table

from .tables import SchedulerLease

NAME = "scheduler"
_LEASE = table(SchedulerLease)


class LeaseLostError(Exception):
    """Another scheduler has taken over; what this one was about to write must not be written."""


@dataclass(frozen=True, slots=True)
class Lease:
    """The right to poll and judge until `expires_us`."""

    holder: str
    token: int
    expires_us: int


def new_holder() -> str:
    """Return a name for this process that no other process, now or later, has."""
    return f"{socket.gethostname()}:{os.getpid()}:{uuid.uuid4().hex[:8]}"


def acquire(store: Store, holder: str, now_us: int, ttl_us: int) -> Lease | None:
    """Take the lease if it is free, expired or already ours; None while another holds it."""
    with store.write() as conn:
        row = conn.execute(_locked(store.dialect)).one_or_none()
        if row is None:
            lease = Lease(holder, 1, now_us + ttl_us)
            conn.execute(insert(_LEASE).values(name=NAME, acquired_us=now_us, **_values(lease)))
            return lease
        # A lease that reaches further than any we grant was written by a clock that has since been set back.
        free = row.expires_us <= now_us or row.expires_us > now_us + 10 * ttl_us
        if row.holder != holder and not free:
            return None
        token = row.token if row.holder == holder else row.token + 1
        lease = Lease(holder, token, now_us + ttl_us)
        conn.execute(update(_LEASE).where(_LEASE.c.name == NAME).values(acquired_us=now_us, **_values(lease)))
        return lease


def renew(store: Store, lease: Lease, now_us: int, ttl_us: int) -> Lease:
    """Extend our lease. Errors: LeaseLostError when another holder has it."""
    renewed = Lease(lease.holder, lease.token, now_us + ttl_us)
    with store.write() as conn:
        mine = (_LEASE.c.name == NAME) & (_LEASE.c.token == lease.token) & (_LEASE.c.holder == lease.holder)
        if conn.execute(update(_LEASE).where(mine).values(expires_us=renewed.expires_us)).rowcount != 1:
            raise LeaseLostError(f"the lease {lease.token} of {lease.holder} was taken over")
    return renewed


def release(store: Store, lease: Lease, now_us: int) -> None:
    """Let the next scheduler start at once; does nothing when the lease is no longer ours."""
    with store.write() as conn:
        mine = (_LEASE.c.name == NAME) & (_LEASE.c.token == lease.token) & (_LEASE.c.holder == lease.holder)
        conn.execute(update(_LEASE).where(mine).values(expires_us=now_us))


def holder_now(conn: Connection, now_us: int) -> str | None:
    """Return who holds the lease, None when nobody does."""
    row = conn.execute(select(_LEASE.c.holder, _LEASE.c.expires_us).where(_LEASE.c.name == NAME)).one_or_none()
    return None if row is None or row.expires_us <= now_us else str(row.holder)


def fence(store: Store, token: int) -> None:
    """Make every write transaction of `store` fail with LeaseLostError once the lease has another token."""

    def guard(conn: Connection) -> None:
        if not conn.get_execution_options().get("tieout_write"):
            return
        query = select(_LEASE.c.token).where(_LEASE.c.name == NAME)
        # Held until commit, so that no takeover slips between this look and our commit. SQLite has one writer anyway.
        found = conn.execute(query.with_for_update(read=True) if store.dialect == "postgresql" else query).scalar()
        if found != token:
            raise LeaseLostError(f"the lease {token} was taken over by {found}")

    event.listen(store.engine, "begin", guard)


def _values(lease: Lease) -> dict[str, object]:
    return {"holder": lease.holder, "token": lease.token, "expires_us": lease.expires_us}


def _locked(dialect: str) -> Select[Any]:
    query = select(_LEASE.c.holder, _LEASE.c.token, _LEASE.c.expires_us).where(_LEASE.c.name == NAME)
    return query.with_for_update() if dialect == "postgresql" else query
