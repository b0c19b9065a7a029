"""How hard a platform may be asked: slots, retry tokens, a breaker. One platform never uses up another's."""

from __future__ import annotations

import threading

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule
from werkzeug.wrappers import Request, Response

from probes.client import Client, ClientSpec
from probes.clock import monotonic
from probes.errors import ProbeError, Reason
from probes.probe import Meter
from probes.throttle import CAPACITY, OPEN_SECONDS, Breaker, RetryBudget, Throttle

from .fakes import clock, on_socket, reply


def test_a_spent_budget_gives_nothing_and_successes_fill_it_again() -> None:
    budget = RetryBudget()
    assert [budget.spend(throttled=False) for _ in range(36)] == [True] * 35 + [False]
    assert budget.tokens == CAPACITY - 35 * 14
    for _ in range(CAPACITY * 2):
        budget.earn()
    assert budget.tokens == CAPACITY


def test_nobody_waits_for_a_slot_beyond_the_deadline() -> None:
    slots = Throttle(concurrency=1)
    with slots.slot(1.0), pytest.raises(ProbeError) as caught, slots.slot(0.05):
        pass
    assert caught.value.reason is Reason.TIMEOUT


def test_a_platform_that_hangs_keeps_its_own_slots_only() -> None:
    release = threading.Event()

    def hanging(request: Request) -> Response:
        release.wait(10)
        return reply({})

    with on_socket(hanging) as slow, on_socket(lambda _: reply({"ok": True})) as quick:
        stuck = Client(ClientSpec(base_url=slow, concurrency=2, attempts=1, deadline_seconds=2.0), clock=clock)
        healthy = Client(ClientSpec(base_url=quick), clock=clock)
        threads = [threading.Thread(target=_quietly, args=(stuck,)) for _ in range(5)]
        for thread in threads:
            thread.start()
        before = monotonic()
        assert all(healthy.get("/x", Meter()).data == {"ok": True} for _ in range(20))
        assert monotonic() - before < 1.5
        for thread in threads:
            thread.join()
        release.set()
        stuck.close()
        healthy.close()


def _quietly(client: Client) -> None:
    with pytest.raises(ProbeError) as caught:
        client.get("/x", Meter())
    assert caught.value.reason is Reason.TIMEOUT


class BreakerMachine(RuleBasedStateMachine):
    """The breaker against a plain model of it: open after six failures running, one trial a minute later."""

    def __init__(self) -> None:
        super().__init__()
        self.now, self.running, self.opened = 0.0, 0, None
        self.breaker = Breaker(seconds=lambda: self.now)
        self.trial = False

    @rule(seconds=st.floats(0, 90))
    def wait(self, seconds: float) -> None:
        self.now += seconds

    @rule(ok=st.booleans())
    def call(self, ok: bool) -> None:
        admitted = self.breaker.admit() is None
        expected = self.opened is None or (self.now - self.opened >= OPEN_SECONDS and not self.trial)
        assert admitted is expected
        if not admitted:
            return
        self.breaker.told(ok=ok)
        self.running = 0 if ok else self.running + 1
        self.opened = None if ok else self.now if self.running > 5 else self.opened

    @invariant()
    def closed_after_success(self) -> None:
        assert (self.breaker.opened is None) is (self.opened is None)


BreakerMachine.TestCase.settings = settings(max_examples=100, stateful_step_count=30, deadline=None)
TestBreaker = BreakerMachine.TestCase


def test_only_one_trial_goes_through_when_the_minute_is_over() -> None:
    now = [0.0]
    breaker = Breaker(seconds=lambda: now[0])
    for _ in range(6):
        breaker.told(ok=False)
    assert breaker.admit() == OPEN_SECONDS
    now[0] = OPEN_SECONDS
    assert breaker.admit() is None
    assert breaker.admit() is not None
    breaker.told(ok=True)
    assert breaker.admit() is None
