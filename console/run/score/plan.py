"""What is to go wrong in the company, when, and when is it mended? Drawn from a seed before the company lives.

Each fault happens at least `TIMES` times, spread over the watched time but for its first hours and its last days; platforms fail
one after another, so that two outages never hide each other. Some deadlines are missed, or kept, by less than a poll interval.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Any

from probes.clock import DAY, HOUR, MINUTE
from probes.sandbox import inject, repair
from probes.sandbox.faults import REGISTRY
from probes.sandbox.journal import Entry
from probes.sandbox.world import World

TIMES = 5
OCCURRENCES = 20
"""A silent entry counts only from so many occurrences on."""
FIRST_US, LAST_US = 6 * HOUR, 2 * DAY
OUTAGE_US = 90 * MINUTE
MENDED = 0.6
"""The share of failures that somebody mends while the company is watched."""
NEAR = {"O02": "late_seconds"}
"""Faults whose first occurrences miss their deadline by less than a poll interval, and the parameter that says so."""


class UnknownFaultError(ValueError):
    """A fault that the sandbox cannot inject."""


@dataclass(frozen=True, slots=True)
class Injection:
    """One failure to come."""

    fault: str
    at_us: int
    parameters: Mapping[str, Any]


def possible() -> tuple[str, ...]:
    """Return the ids of the faults that the sandbox can inject."""
    return tuple(REGISTRY)


def plan(faults: Sequence[str], seed: int, start_us: int, end_us: int, interval_us: int) -> list[Injection]:
    """Draw when each fault happens between two instants. Errors: UnknownFaultError, ValueError when the time is too short."""
    unknown = sorted(set(faults) - set(REGISTRY))
    if unknown:
        raise UnknownFaultError(f"the sandbox cannot inject {', '.join(unknown)}; it can: {', '.join(REGISTRY)}")
    first_us, last_us = start_us + FIRST_US, end_us - LAST_US
    if last_us <= first_us:
        raise ValueError(
            "the watched time is too short: failures of its last two days could not be judged; give more days"
        )
    outages = [f for f in faults if f.startswith("P")]
    found = [
        one for fault in faults if fault not in outages for one in _spread(fault, seed, first_us, last_us, interval_us)
    ]
    found += _in_turn(outages, seed, first_us, last_us)
    return sorted(found, key=lambda i: (i.at_us, i.fault))


def lay_out(world: World, injections: Iterable[Injection]) -> None:
    """Tell the company what will go wrong; it happens when its time comes."""
    for one in injections:
        inject(world, one.fault, 1, one.at_us, **one.parameters)


def _spread(fault: str, seed: int, first_us: int, last_us: int, interval_us: int) -> Iterator[Injection]:
    rng = Random(f"{seed}/{fault}")
    times = OCCURRENCES if fault.startswith("N") and fault != "N08" else TIMES
    share = (last_us - first_us) // times
    for number in range(times):
        given: dict[str, Any] = {}
        if fault in NEAR and number < 2:
            given[NEAR[fault]] = rng.uniform(1, interval_us / 1e6)
        yield Injection(fault, first_us + number * share + rng.randrange(share), given)


def _in_turn(faults: Sequence[str], seed: int, first_us: int, last_us: int) -> Iterator[Injection]:
    rng = Random(f"{seed}/outages")
    turns = [fault for fault in faults for _ in range(TIMES)]
    rng.shuffle(turns)
    if not turns:
        return
    share = (last_us - first_us) // len(turns)
    for number, fault in enumerate(turns):
        length_us = min(OUTAGE_US, share // 2)
        at_us = first_us + number * share + rng.randrange(share - length_us)
        yield Injection(fault, at_us, {"seconds": length_us / 1e6})


@dataclass
class Mender:
    """Who mends what has gone wrong, some time after it has become true. `work` is called at each step of the clock."""

    seed: int
    _due: dict[int, int] = field(default_factory=dict)
    _seen: int = 0

    def work(self, world: World, entries: Sequence[Entry], now_us: int) -> None:
        """Mend what is due, and decide about what is new."""
        for entry in entries[self._seen :]:
            rng = Random(f"{self.seed}/mend/{entry.id}")
            if entry.id in world.repairs and entry.object != "platform" and rng.random() < MENDED:
                self._due[entry.id] = entry.true_from_us + rng.randrange(30 * MINUTE, 20 * HOUR)
        self._seen = len(entries)
        for number in [n for n, at_us in self._due.items() if at_us <= now_us]:
            del self._due[number]
            if number in world.repairs:
                repair(world, entry_id=number)
