"""How a scrape is answered: OpenMetrics 1.0 or the older text format, made beside the scrapes and never while one waits.

Each scrape gets what was made after the one before and has it made anew once it is answered; after a longer pause it waits for a
new one. `tieout_as_of_timestamp_seconds` says which instant the figures are of.
Source: https://prometheus.io/docs/instrumenting/writing_exporters/#scheduling (what is expensive to get may be kept).
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import Metric
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4
from prometheus_client.openmetrics.exposition import generate_latest as generate_openmetrics
from starlette.background import BackgroundTask
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from console.web.api.auth import allowed
from console.web.api.problems import answer
from console.web.context import Console, current
from probes.clock import MINUTE

from .families import families

OPENMETRICS_TYPE = "application/openmetrics-text; version=1.0.0; charset=utf-8"
OLDEST_US = 2 * MINUTE
"""Older than this nothing is served: Prometheus scrapes once a minute unless told otherwise."""


@dataclass(frozen=True, slots=True)
class Kept:
    """What a console exported at an instant, in both formats: whether it is OpenMetrics → text."""

    console: Console
    at_us: int
    formats: Mapping[bool, bytes]

    def serves(self, console: Console) -> bool:
        """Return whether a scrape of this console may be answered with it."""
        return self.console is console and 0 <= console.now_us() - self.at_us <= OLDEST_US


_kept: list[Kept] = []
_making = threading.Lock()


class _Families:
    """What a registry asks for metrics: it wants an object with `collect`."""

    def __init__(self, found: list[Metric]) -> None:
        self._found = found

    def collect(self) -> Iterable[Metric]:
        return self._found


def render(console: Console, openmetrics: bool) -> bytes:
    """Return the exposition of this very moment in the asked format."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Families(families(console)))
    write = generate_openmetrics if openmetrics else generate_latest
    return bytes(write(registry))


def exposition(console: Console, openmetrics: bool) -> bytes:
    """Return what was last made of this console, made now where there is none or it is too old."""
    found = _kept[0] if _kept else None
    if found is None or not found.serves(console):
        with _making:  # many scrapers at once must not have the same figures made many times
            found = _kept[0] if _kept and _kept[0].serves(console) else _make(console)
    return found.formats[openmetrics]


def renew(console: Console) -> None:
    """Make the exposition that the next scrape gets, unless that is being done."""
    if _making.acquire(blocking=False):
        try:
            _make(console)
        finally:
            _making.release()


def _make(console: Console) -> Kept:
    at_us = console.now_us()
    made = Kept(console, at_us, {form: render(console, form) for form in (True, False)})
    _kept[:] = [made]
    return made


def metrics(request: Request) -> Response:
    """Answer a scrape in the format it accepts: OpenMetrics 1.0 where asked for, else text 0.0.4."""
    console = current()
    if not allowed(request.headers.get("authorization"), console.token):
        headers = {"WWW-Authenticate": "Bearer"}
        return answer("/metrics", 401, "Send the token of console.api_token as `Authorization: Bearer …`.", headers)
    wanted = "application/openmetrics-text" in request.headers.get("accept", "")
    return Response(
        exposition(console, wanted),
        headers={"Content-Type": OPENMETRICS_TYPE if wanted else CONTENT_TYPE_PLAIN_0_0_4},
        background=BackgroundTask(renew, console),
    )


ROUTES = (Route("/metrics", metrics),)
