"""Hand-made findings and a store to record them in: what the tests of this room are written with."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import alerts.tables  # noqa: F401 # its tables must be declared before a store is created
from alerts.evaluate import EvaluationSummary, Outlook, record
from alerts.findings import Finding, Member, Scope, Severity, Timing, fingerprint
from alerts.settings import AlertSettings
from metrics.store import Store
from probes.clock import MINUTE, from_us, to_us

NOW = to_us(datetime.fromisoformat("2026-11-20T09:00:00Z"))
QUICK = Timing()


def member(name: str = "006A", **changes: Any) -> Member:
    """Return an order of EUR 1,200.00 that was due an hour before NOW."""
    values: dict[str, Any] = {
        "platform": "crm",
        "kind": "opportunity",
        "external_id": name,
        "number": f"PO-{name}",
        "entity": "NW-DE",
        "customer_id": 7,
        "customer": "Müller & Söhne GmbH",
        "lost": True,
        "due_us": NOW - 60 * MINUTE,
        "money_minor": 120_000,
        "currency": "EUR",
        "link": f"https://crm.example/r/{name}",
    }
    return Member(**{**values, **changes})


def finding(name: str = "NW-DE", *members: Member, severity: Severity = "critical", **changes: Any) -> Finding:
    """Return a finding about overdue orders of one legal entity."""
    values: dict[str, Any] = {
        "fingerprint": fingerprint("overdue_document", "quote_to_order", "erp_order", name),
        "rule": "overdue_document",
        "spec": "overdue_document",
        "severity": severity,
        "title": f"Overdue: order in the ERP ({name})",
        "since_us": NOW - 60 * MINUTE,
        "as_of_us": NOW - MINUTE,
        "scope": Scope(
            flow="quote_to_order", step="erp_order", sli="order_latency", entity=name, owner="order-desk@example.org"
        ),
        "members": members or (member(),),
    }
    return Finding(**{**values, **changes})


def outlook(
    findings: Sequence[Finding] = (),
    *,
    blind: Mapping[str, str] | str | None = None,
    timing: Timing | None = QUICK,
    first_load: bool = False,
) -> Outlook:
    """Return what rules would have found; `blind` is one reason for all alerts, or one per spec."""

    def why(alert: Any) -> str | None:
        return blind.get(alert.spec) if isinstance(blind, Mapping) else blind

    return Outlook(tuple(findings), why, lambda spec: timing, first_load)


def settings(**changes: Any) -> AlertSettings:
    """Return settings with one Slack channel called ops."""
    values: dict[str, Any] = {"channels": {"ops": {"kind": "slack", "webhook": "env:TIEOUT_TEST_SLACK"}}}
    return AlertSettings.model_validate({**values, **changes})


def step(
    store: Store, at_us: int, *findings: Finding, using: AlertSettings | None = None, **view: Any
) -> EvaluationSummary:
    """Record one evaluation at an instant."""
    return record(store, using or settings(), outlook(findings, **view), at_us)


class Hands:
    """A clock that stands where it is put."""

    def __init__(self, us: int) -> None:
        self.us = us

    def __call__(self) -> datetime:
        return from_us(self.us)
