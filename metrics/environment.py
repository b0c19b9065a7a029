"""Whether a platform is still the one that is configured: its own word on account and environment, asked once an hour.

A platform that says it is a test environment, or answers as another account than before, is not polled: its records would be
compared with somebody else's. Trouble while asking decides nothing; the poll that follows will meet it too.
"""

from __future__ import annotations

from sqlalchemy import select, update

from probes.clock import HOUR, Clock, to_us
from probes.errors import ProbeError, Reason
from probes.probe import Environment, Meter, Platform

from .store import Store
from .tables import PlatformRow, table

PLATFORM = table(PlatformRow)
AGAIN_US = HOUR


def refusal(store: Store, platform: Platform, clock: Clock) -> ProbeError | None:
    """Return why a platform must not be polled, or None. Remembers what the platform said of itself."""
    now_us = to_us(clock())
    with store.read() as conn:
        known = conn.execute(select(PLATFORM).where(PLATFORM.c.name == platform.name)).one()
    if known.checked_us is not None and now_us - known.checked_us < AGAIN_US:
        return None
    try:
        found = platform.check(Meter())
    except ProbeError as error:
        return error if error.reason is Reason.ENVIRONMENT else None
    if known.account is not None and found.account != known.account:
        text = f"answers as account {found.account}, but its records so far are those of {known.account}"
        return ProbeError(
            Reason.ENVIRONMENT, f"{text}; if it was replaced on purpose, give it another name", platform=platform.name
        )
    _remember(store, platform.name, found, now_us)
    return None


def _remember(store: Store, name: str, found: Environment, now_us: int) -> None:
    values = {
        "account": found.account,
        "environment": found.environment,
        "version": found.version,
        "warnings": "\n".join(found.warnings) or None,
        "checked_us": now_us,
    }
    with store.write() as conn:
        conn.execute(update(PLATFORM).where(PLATFORM.c.name == name).values(**values))
