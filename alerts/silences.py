"""When nobody wants to be told: matchers with a beginning and an end. Alert state goes on underneath."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from .findings import Alert
from .routing import labels, matches


@dataclass(frozen=True, slots=True)
class Silence:
    """One silence as stored; times are instants, so a change of the clocks moves nothing."""

    id: int
    matchers: Mapping[str, tuple[str, ...]]
    from_us: int
    to_us: int
    author: str
    comment: str
    expired_us: int | None = None


def active(silence: Silence, now_us: int) -> bool:
    """Return whether a silence holds at an instant: its start belongs to it, its end does not."""
    end = silence.to_us if silence.expired_us is None else min(silence.to_us, silence.expired_us)
    return silence.from_us <= now_us < end


def silenced_by(alert: Alert, silences: Iterable[Silence], now_us: int) -> Silence | None:
    """Return the first silence that holds for an alert, or None."""
    have = labels(alert)
    return next((s for s in silences if active(s, now_us) and matches(s.matchers, have)), None)
