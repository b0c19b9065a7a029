"""How hard may one platform be asked: calls at once, and retries before we only add to its trouble.

One `Throttle` per platform, shared by all its streams. It sleeps for nobody and decides nothing about a single answer.
Source: the retry quota of the AWS SDKs (500 tokens, 14 a retry, 5 a throttled one, 1 back per success).
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from .clock import monotonic
from .errors import ProbeError, Reason

CAPACITY = 500
RETRY_COST = 14
THROTTLED_COST = 5
TRIP_AFTER = 5
OPEN_SECONDS = 60.0


@dataclass(slots=True)
class RetryBudget:
    """Tokens that retries of one platform draw from; a success gives one back."""

    tokens: int = CAPACITY
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def spend(self, *, throttled: bool) -> bool:
        """Take the price of one retry. Returns: False when the budget is spent, and nothing is taken."""
        cost = THROTTLED_COST if throttled else RETRY_COST
        with self._lock:
            if self.tokens < cost:
                return False
            self.tokens -= cost
            return True

    def earn(self) -> None:
        """Give one token back after a success."""
        if self.tokens < CAPACITY:
            with self._lock:
                self.tokens = min(CAPACITY, self.tokens + 1)


@dataclass(slots=True)
class Breaker:
    """Stops asking an endpoint that failed more than five times running; after a minute one trial call goes through.

    Source: Temporal's destination breaker (5 consecutive failures, 60 s, 1 trial).
    """

    failures: int = 0
    opened: float | None = None
    trial: bool = False
    seconds: Callable[[], float] = monotonic
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def admit(self) -> float | None:
        """Return None when a call may go out, else the seconds to wait."""
        if self.opened is None:
            return None
        with self._lock:
            if self.opened is None:
                return None
            rest = OPEN_SECONDS - (self.seconds() - self.opened)
            if rest > 0 or self.trial:
                return max(rest, 1.0)
            self.trial = True
            return None

    def told(self, *, ok: bool) -> None:
        """Note how a call ended."""
        if ok and not self.failures and self.opened is None:
            return
        with self._lock:
            self.trial = False
            self.failures = 0 if ok else self.failures + 1
            if ok:
                self.opened = None
            elif self.failures > TRIP_AFTER:
                self.opened = self.seconds()


class Throttle:
    """The concurrency slots, the retry budget and the breaker of one platform. `seconds`: what the breaker's rest is timed by."""

    def __init__(self, concurrency: int = 4, seconds: Callable[[], float] = monotonic) -> None:
        self._slots = threading.BoundedSemaphore(concurrency)
        self.budget = RetryBudget()
        self.breaker = Breaker(seconds=seconds)

    @contextmanager
    def slot(self, wait_seconds: float) -> Iterator[None]:
        """Hold one of the platform's slots. Errors: ProbeError TIMEOUT when none came free in time."""
        if not self._slots.acquire(timeout=max(wait_seconds, 0.0)):
            raise ProbeError(Reason.TIMEOUT, "all connections to this platform were busy until the deadline")
        try:
            yield
        finally:
            self._slots.release()
