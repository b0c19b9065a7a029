"""How the demo's panel talks to the sandbox company: its state, its journal, and faults injected and repaired.

Only the demo has this. A real platform is never written to.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from probes.client import Client, ClientSpec
from probes.probe import Meter
from probes.request import Request

DEADLINE_SECONDS = 15.0


@contextmanager
def _client(url: str) -> Iterator[Client]:
    # One attempt: a fault asked for once is injected once.
    client = Client(ClientSpec(base_url=url, platform="sandbox", deadline_seconds=DEADLINE_SECONDS, attempts=1))
    try:
        yield client
    finally:
        client.close()


def state(url: str) -> dict[str, Any]:
    """Return the sandbox's instant, its counts and the faults it knows. Errors: ProbeError."""
    return _send(url, Request("state"))


def open_entries(url: str) -> list[dict[str, Any]]:
    """Return the injected faults that are not repaired, the newest first. Errors: ProbeError."""
    entries = _send(url, Request("journal", (("open", "1"),))).get("entries", [])
    return [e for e in reversed(entries) if isinstance(e, dict) and e.get("fault")]


def inject(url: str, fault: str, count: int) -> dict[str, Any]:
    """Ask for a fault. Errors: ProbeError with the sandbox's own words when it does not know it."""
    return _send(url, Request("inject", method="POST", json={"fault": fault, "count": count, "at": None}))


def repair(url: str, *, fault: str | None = None, entry: int | None = None) -> dict[str, Any]:
    """Mend one entry, or all of a fault. Errors: ProbeError."""
    body = {"id": entry} if entry is not None else {"fault": fault}
    return _send(url, Request("repair", method="POST", json=body))


def _send(url: str, request: Request) -> dict[str, Any]:
    with _client(url) as client:
        data = client.send(request, Meter()).data
    return data if isinstance(data, dict) else {}
