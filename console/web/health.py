"""Is the console alive, and is Tieout as a whole fit to be believed right now?

`/healthz` says the process answers. `/readyz` says the store takes writes, the scheduler ticks and messages get out.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from sqlalchemy import Connection, text
from sqlalchemy.exc import SQLAlchemyError
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from alerts.outbox import lag_us
from console.run.pulse import beats
from probes.clock import MINUTE

from . import formats
from .context import Console, current

OUTBOX_MOST_US = 15 * MINUTE
LOCK_MILLISECONDS = 2000


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that must be so; `detail` says what was found."""

    name: str
    passed: bool
    detail: str


def checks(console: Console) -> list[Check]:
    """Return every check of readiness, each tried whatever the others found."""
    return [_writes(console), _scheduler(console), _outbox(console)]


def _writes(console: Console) -> Check:
    try:
        # A write lock taken and given back proves what a read cannot: space, permissions and no other writer stuck.
        with _impatient(console) as conn, conn.begin() as transaction:
            conn.execute(text("UPDATE alembic_version SET version_num = version_num"))
            transaction.rollback()
    except SQLAlchemyError as error:
        return Check("store", False, f"the store refuses writes ({type(error).__name__})")
    return Check("store", True, "takes writes")


@contextmanager
def _impatient(console: Console) -> Iterator[Connection]:
    """Yield a writing connection that waits no longer for a lock than a prober waits for an answer."""
    with console.store.engine.connect().execution_options(tieout_write=True) as conn:
        if console.store.dialect == "sqlite":
            conn.connection.cursor().execute(f"PRAGMA busy_timeout={LOCK_MILLISECONDS}")
        try:
            yield conn
        finally:
            conn.invalidate()  # its patience is not what others expect of a pooled connection


def _scheduler(console: Console) -> Check:
    now_us = console.now_us()
    try:
        with console.store.read() as conn:
            found = beats(conn, now_us)
    except SQLAlchemyError as error:
        return Check("scheduler", False, f"its heartbeat cannot be read ({type(error).__name__})")
    stale = [b for b in found if not b.fresh]
    if not any(b.name == "scheduler" for b in found):
        return Check("scheduler", False, "it has never run on this store; start `tieout up`")
    if stale:
        told = ", ".join(f"{b.name} {formats.ago(b.at_us, now_us)}" for b in stale)
        return Check("scheduler", False, f"last heard of: {told}")
    return Check("scheduler", True, f"{formats.plural(len(found), 'part')} ticking")


def _outbox(console: Console) -> Check:
    try:
        with console.store.read() as conn:
            lag = lag_us(conn, console.now_us())
    except SQLAlchemyError as error:
        return Check("outbox", False, f"it cannot be read ({type(error).__name__})")
    if lag is not None and lag > OUTBOX_MOST_US:
        return Check("outbox", False, f"a message has waited {formats.duration(lag)}; see the channels on /alerts")
    return Check(
        "outbox", True, "nothing waits" if lag is None else f"the oldest message waits {formats.duration(lag)}"
    )


def healthz(_request: Request) -> JSONResponse:
    """Answer that the process is alive."""
    return JSONResponse({"status": "ok"}, headers={"Cache-Control": "no-store"})


def readyz(_request: Request) -> JSONResponse:
    """Answer 200 when all checks pass, else 503, with each check."""
    found = checks(current())
    ready = all(c.passed for c in found)
    body = {
        "status": "ready" if ready else "not ready",
        "checks": {c.name: {"passed": c.passed, "detail": c.detail} for c in found},
    }
    return JSONResponse(body, 200 if ready else 503, headers={"Cache-Control": "no-store"})


ROUTES = (Route("/healthz", healthz), Route("/readyz", readyz))
