"""Which failures are there? One table per domain, put together; whoever wants one more adds it to the table of its domain."""

from probes.sandbox.failures import (
    cases,
    events,
    identity,
    invoices,
    master,
    nights,
    orders,
    platforms,
    receivables,
    references,
    silent,
    steps,
    subscriptions,
)
from probes.sandbox.failures.spec import Fault

_DOMAINS = (
    identity,
    master,
    references,
    steps,
    orders,
    subscriptions,
    invoices,
    receivables,
    nights,
    cases,
    events,
    platforms,
    silent,
)


def _together() -> dict[str, Fault]:
    found: dict[str, Fault] = {}
    for domain in _DOMAINS:
        twice = found.keys() & domain.FAULTS.keys()
        if twice:
            raise ValueError(f"two tables describe {', '.join(sorted(twice))}: keep each fault in one")
        found |= domain.FAULTS
    return dict(sorted(found.items()))


REGISTRY: dict[str, Fault] = _together()
