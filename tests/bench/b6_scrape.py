"""B6: what does a scrape cost, and does it grow with what is stored?

Ours renders `/metrics` anew each time, nothing kept from the scrape before. The limit is prometheus-client rendering as many
series that stand ready in memory.
"""

from __future__ import annotations

import tempfile
from functools import partial
from pathlib import Path

from prometheus_client import CollectorRegistry, Gauge, generate_latest

from console.web import data
from console.web.context import Console
from console.web.exports.openmetrics import render
from metrics.rebuild import rebuild
from metrics.store import Store
from probes.clock import from_us

from .bulk import PER_ORDER, Filling, company_store
from .measure import Taken, alternate, in_child, taking, walls
from .report import Result, slower
from .stage import NOW_US, company

SIZES = (1_000, 1_000_000)
SCRAPES = 5


def run(scale: float, rounds: int) -> list[Result]:
    """Measure a scrape beside little and much stored."""
    small, large = SIZES[0], max(SIZES[0], int(SIZES[1] * scale))
    with tempfile.TemporaryDirectory() as folder:
        paths = {size: str(Path(folder, f"{size}.sqlite")) for size in (small, large)}
        for size, path in paths.items():
            in_child(prepare, path=path, records=size)
        series = in_child(scrape, path=paths[large]).value["series"]
        works = {str(size): partial(in_child, scrape, path=path) for size, path in paths.items()}
        taken = alternate(rounds, {**works, "limit": partial(in_child, limit, series=series)})
    little, much, bare = (walls(taken[name]) for name in (str(small), str(large), "limit"))
    figure = f"scrape, {large:,} records"
    return [
        slower("B6", figure, "s", much, f"prometheus-client, {series} series", bare, 1.5),
        slower("B6", figure, "s", much, f"with {small:,}", little, 1.2),
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
    """Render a few times; the seconds are those of one."""
    store = Store.open(f"sqlite:///{path}")
    console = Console(store, company(), clock=lambda: from_us(NOW_US))
    told = render(console, openmetrics=True)
    with taking() as taken:
        for _ in range(SCRAPES):
            data.forget()
            render(console, openmetrics=True)
    store.close()
    taken.wall, taken.cpu = taken.wall / SCRAPES, taken.cpu / SCRAPES
    taken.value = {"series": sum(not line.startswith(b"#") for line in told.splitlines())}
    return taken


def limit(series: int) -> Taken:
    """Render as many series that hold a number."""
    registry = CollectorRegistry()
    gauge = Gauge("bench", "A number.", ["sli", "flow", "outcome"], registry=registry)
    for n in range(series):
        gauge.labels(f"sli_{n % 7}", f"flow_{n % 5}", str(n)).set(n)
    generate_latest(registry)
    with taking() as taken:
        for _ in range(SCRAPES):
            generate_latest(registry)
    taken.wall, taken.cpu = taken.wall / SCRAPES, taken.cpu / SCRAPES
    return taken
