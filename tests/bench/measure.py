"""How is one run measured? In a process of its own: seconds on the wall and on the CPU, and the largest memory it held."""

from __future__ import annotations

import gc
import importlib
import json
import resource
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from probes.clock import monotonic


@dataclass
class Taken:
    """What a piece of work took. Units: seconds; `peak` is the process's largest resident size in bytes so far."""

    wall: float = 0.0
    cpu: float = 0.0
    peak: int = 0
    value: dict[str, Any] = field(default_factory=dict)


@contextmanager
def taking() -> Iterator[Taken]:
    """Measure the block; what it yields is filled in at the end."""
    taken = Taken()
    gc.collect()
    used, started = _cpu(), monotonic()
    yield taken
    taken.wall, taken.cpu = monotonic() - started, _cpu() - used
    taken.peak = _peak()


def _peak() -> int:
    """Return the largest resident size in bytes. The kernel's own count of a child starts at what its parent held."""
    status = Path("/proc/self/status")
    told = status.read_text("utf-8").partition("VmHWM:")[2].split() if status.exists() else []
    return int(told[0]) * 1024 if told else resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def _cpu() -> float:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


def in_child(work: Callable[..., Taken], **given: Any) -> Taken:
    """Run a function of a module in a fresh interpreter and return what it took. Errors: RuntimeError with its output."""
    name = f"{work.__module__}:{work.__qualname__}"
    ran = subprocess.run(
        [sys.executable, "-m", "tests.bench.measure", name, json.dumps(given)],
        capture_output=True,
        text=True,
        check=False,
    )
    if ran.returncode:
        raise RuntimeError(f"{name} failed:\n{ran.stdout[-2000:]}{ran.stderr[-4000:]}")
    return Taken(**json.loads(ran.stdout.splitlines()[-1]))


def alternate(times: int, works: Mapping[str, Callable[[], Taken]]) -> dict[str, list[Taken]]:
    """Run each work once per round, so that what slows the machine slows them all."""
    found: dict[str, list[Taken]] = {name: [] for name in works}
    for _ in range(times):
        for name, work in works.items():
            found[name].append(work())
    return found


def walls(taken: list[Taken]) -> list[float]:
    """Return the wall seconds of some runs."""
    return [t.wall for t in taken]


def main() -> None:
    """Run what the command line names and print what it took as the last line."""
    module, _, name = sys.argv[1].partition(":")
    work = getattr(importlib.import_module(module), name)
    print(json.dumps(asdict(work(**json.loads(sys.argv[2])))))


if __name__ == "__main__":
    main()
