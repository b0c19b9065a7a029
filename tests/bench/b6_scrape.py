"""B6: what does a scrape cost, and does it grow with what is stored?

A scrape is what `/metrics` does until its answer is written: it gets the exposition made after the scrape before. The limit is
prometheus-client rendering as many series that stand ready in memory. What is made beside the scrapes is measured too, from the
store, nothing kept: it grows with the events of the windows and with what is stuck, and is told beside the fifteen seconds within
which no figure is made twice.
"""

from __future__ import annotations

import tempfile
from functools import partial
from pathlib import Path

from prometheus_client import CollectorRegistry, Gauge, generate_latest

from console.web import data
from console.web.context import Console
from console.web.exports.openmetrics import exposition, renew
from metrics.rebuild import rebuild
from metrics.store import Store
from probes.clock import SECOND, from_us

from .bulk import PER_ORDER, Filling, company_store
from .measure import Taken, alternate, in_child, taking, walls
from .report import Result, slower
from .stage import NOW_US, company

SIZES = (1_000, 1_000_000)
SCRAPES, RENEWALS = 1_000, 5
SHARE = 0.05
"""Of the time between two scrapes, how much making the next exposition may take."""


def run(scale: float, rounds: int) -> list[Result]:
    """Measure a scrape beside little and much stored."""
    small, large = SIZES[0], max(SIZES[0], int(SIZES[1] * scale))
    with tempfile.TemporaryDirectory() as folder:
        paths = {size: str(Path(folder, f"{size}.sqlite")) for size in (small, large)}
        for size, path in paths.items():
            in_child(prepare, path=path, records=size)
        series = in_child(scrape, path=paths[large]).value["series"]
        works = {
            f"{what.__name__} {size}": partial(in_child, what, path=paths[size])
            for what in (scrape, make)
            for size in paths
        }
        taken = alternate(rounds, {**works, "limit": partial(in_child, limit, series=series)})
    told = f"{large:,} records"
    little, much = (walls(taken[f"scrape {size}"]) for size in (small, large))
    made_little, made_much = (walls(taken[f"make {size}"]) for size in (small, large))
    beat = [data.BEAT_US / SECOND] * rounds
    return [
        slower("B6", f"scrape, {told}", "s", much, f"prometheus-client, {series} series", walls(taken["limit"]), 1.5),
        slower("B6", f"scrape, {told}", "s", much, f"with {small:,}", little, 1.2),
        slower(
            "B6", f"made beside it, {told}", "s", made_much, "time between figures", beat, SHARE, little=made_little
        ),
    ]


def prepare(path: str, records: int) -> Taken:
    """Make a judged store of so many records."""
    with taking() as taken:
        company_store(Path(path), Filling(records // PER_ORDER))
        store = Store.open(f"sqlite:///{path}")
        rebuild(store, company(), NOW_US, heads=False)
        store.close()
    return taken


def scrape(path: str) -> Taken:
    """Scrape many times what was made once; the seconds are those of one."""
    console = _console(path)
    told = exposition(console, True)
    with taking() as taken:
        for _ in range(SCRAPES):
            exposition(console, True)
    console.store.close()
    _each(taken, SCRAPES)
    taken.value = {"series": sum(not line.startswith(b"#") for line in told.splitlines())}
    return taken


def make(path: str) -> Taken:
    """Make the exposition a few times from the store; the seconds are those of one."""
    console = _console(path)
    renew(console)
    with taking() as taken:
        for _ in range(RENEWALS):
            data.forget()
            renew(console)
    console.store.close()
    _each(taken, RENEWALS)
    return taken


def limit(series: int) -> Taken:
    """Render as many series that hold a number; the seconds are those of once."""
    registry = CollectorRegistry()
    gauge = Gauge("bench", "A number.", ["sli", "flow", "outcome"], registry=registry)
    for n in range(series):
        gauge.labels(f"sli_{n % 7}", f"flow_{n % 5}", str(n)).set(n)
    generate_latest(registry)
    with taking() as taken:
        for _ in range(SCRAPES):
            generate_latest(registry)
    _each(taken, SCRAPES)
    return taken


def _console(path: str) -> Console:
    store = Store.open(f"sqlite:///{path}")
    return Console(store, company(), clock=lambda: from_us(NOW_US))


def _each(taken: Taken, times: int) -> None:
    taken.wall, taken.cpu = taken.wall / times, taken.cpu / times
