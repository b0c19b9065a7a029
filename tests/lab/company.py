"""Which company do the end-to-end tests watch? CRM export, billing, ERP and broker of the lab, in one tieout.yaml.

The configuration is written the way a company writes it; nothing is reached behind its back.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import yaml

from console.run.cycle import CycleSummary, run_cycle
from console.run.settings import load_settings
from console.run.workspace import Workspace, open_workspace
from probes.clock import system_clock
from tests.servers.lab import free_ports
from tests.servers.localstripe import LocalStripe
from tests.servers.rabbitmq import RabbitMQ
from tests.servers.slack import SlackSink
from tests.servers.smtp import SmtpSink
from tests.servers.tryton import Tryton

from .billing import Billing
from .crm import Crm
from .erp import Erp

DE, JP = "E2E-DE", "E2E-JP"


@dataclass
class Later:
    """The clock that Tieout goes by: the real one, or that plus what the test says has gone by meanwhile."""

    passed: dt.timedelta = dt.timedelta(0)

    def __call__(self) -> dt.datetime:
        """Return the present instant."""
        return system_clock() + self.passed


@dataclass(frozen=True)
class Company:
    """The company's platforms as the drivers reach them, its configuration, and where its people are told."""

    crm: Crm
    billing: Billing
    erp: Erp
    erp_jp: Erp
    broker: RabbitMQ
    slack: SlackSink
    mail: SmtpSink
    config: Path
    port: int
    clock: Later = field(default_factory=Later)

    @contextmanager
    def watched(self) -> Iterator[Workspace]:
        """Open the configuration as Tieout does."""
        workspace = open_workspace(load_settings(self.config), clock=self.clock)
        try:
            yield workspace
        finally:
            workspace.close()


def settled(company: Company, workspace: Workspace) -> None:
    """Poll now and once more five minutes on, when every platform's visibility delay is past."""
    cycle(workspace)
    company.clock.passed += dt.timedelta(minutes=5)
    cycle(workspace)


def cycle(workspace: Workspace) -> CycleSummary:
    """Run one whole cycle over every stream and insist that every poll was complete and nothing of ours failed."""
    summary = run_cycle(workspace, probes="all")
    assert summary.degraded == ()
    assert [(p.platform, p.stream, p.message) for p in summary.polls if p.status != "complete"] == []
    return summary


def summary_name(port: int, **day: str) -> str:
    """Return what the ERP writes on the journal entry of a day; the port tells the companies of this session apart."""
    name = f"SUM-{port}-{{entity}}-{{currency}}-{{date}}"
    return name.format(**day) if day else name


@pytest.fixture
def company(
    tryton: Tryton,
    localstripe: LocalStripe,
    rabbitmq: RabbitMQ,
    slack_sink: SlackSink,
    smtp_sink: SmtpSink,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Company:
    """Return a company nobody has watched yet, with its tieout.yaml."""
    monkeypatch.setenv("LAB_TRYTON_KEY", tryton.probe_key)
    monkeypatch.setenv("LAB_STRIPE_KEY", localstripe.api_key)
    monkeypatch.setenv("LAB_RABBITMQ_PASSWORD", rabbitmq.password)
    monkeypatch.setenv("LAB_SLACK_WEBHOOK", slack_sink.url)
    (tmp_path / "crm").mkdir()
    (port,) = free_ports(1)
    localstripe.empty()
    summary = {"mode": "summary_journal", "key": f"erp/journal_entry/summary={summary_name(port)}"}
    settings = {
        "company": "Lab",
        "watched_since": (dt.datetime.now(dt.UTC) - dt.timedelta(days=1)).isoformat(timespec="seconds"),
        "entities": {
            DE: {"time_zone": "Europe/Berlin", "currency": "EUR"},
            JP: {"time_zone": "Asia/Tokyo", "currency": "JPY", "posting": {"invoice": summary}},
        },
        "platforms": {
            "crm": _crm(tmp_path / "crm"),
            "billing": _billing(localstripe),
            "erp": _erp(tryton),
            "middleware": _broker(rabbitmq),
        },
        "alerts": _alerts(smtp_sink, port),
        "console": {"port": port},
        "store": "sqlite:///tieout.sqlite",
    }
    config = tmp_path / "tieout.yaml"
    config.write_text(yaml.safe_dump(settings, sort_keys=False), encoding="utf-8")
    drivers = Crm(tmp_path / "crm"), Billing(localstripe), Erp(tryton, "gmbh"), Erp(tryton, "kk"), rabbitmq
    return Company(*drivers, slack_sink, smtp_sink, config, port)


def _crm(folder: Path) -> dict[str, Any]:
    stamps = {"created": "created", "changed": "changed", "entity": "entity"}
    account = {"id": "id", **stamps, "attributes": {"name": "name"}, "milestones": {"created": "created"}}
    deal = {
        "id": "id", **stamps, "currency": "currency", "number": "id", "status": "stage",
        "states": {"Open": "open", "Won": "won", "Lost": "lost"},
        "parties": {"sold_to": "account", "bill_to": "account"},
        "amounts": {"net": "amount"},
        "milestones": {"created": "created", "won": {"path": "closed", "when": ["won"]}},
        "references": [{"kind": "about", "path": "account", "to": "self/customer/id"}],
    }  # fmt: skip
    streams = {
        "accounts": {"kind": "customer", "source": {"path": "accounts.jsonl"}, "map": account},
        "deals": {"kind": "opportunity", "source": {"path": "deals.jsonl"}, "map": deal},
    }
    return {"vendor": "files", "url": str(folder), "roles": ["crm"], "environment": "test", "streams": streams}


def _billing(server: LocalStripe) -> dict[str, Any]:
    to_account = {"kind": "about", "path": "metadata.salesforce_account_id", "to": "crm/customer/id"}
    to_deal = {"kind": "fulfils", "path": "metadata.salesforce_opportunity_id", "to": "crm/opportunity/id"}
    streams = {
        "customer": {"references": [to_account]},
        "subscription": {"references": [to_deal]},
        "credit_note": {"enabled": False},  # the emulator has neither
        "dispute": {"enabled": False},
    }
    auth = {"key": "env:LAB_STRIPE_KEY"}
    return {"vendor": "stripe", "url": server.url, "environment": "test", "auth": auth, "streams": streams}


def _erp(server: Tryton) -> dict[str, Any]:
    streams = {
        "party": {"references": [{"kind": "about", "path": "code", "to": "crm/customer/id"}]},
        "sale": {"references": [{"kind": "fulfils", "path": "reference", "to": "crm/opportunity/id"}]},
        "move": {"keys": [{"by": "summary", "path": "description"}]},
        "invoice": {"references": [{"kind": "posts", "path": "reference", "to": "billing/invoice/id"}]},
    }
    return {
        "vendor": "tryton", "url": f"{server.url}/{server.database}", "environment": "test",
        "auth": {"key": "env:LAB_TRYTON_KEY"}, "entities": {"1": DE, "2": JP}, "streams": streams,
    }  # fmt: skip


def _broker(server: RabbitMQ) -> dict[str, Any]:
    about = {"kind": "about", "path": "payload.opportunity_id", "to": "crm/opportunity/id"}
    auth = {"user": server.user, "password": "env:LAB_RABBITMQ_PASSWORD"}
    streams = {"dead_letter": {"source": {"queues": ["e2e.*.dlq"]}, "references": [about]}}
    return {"vendor": "rabbitmq", "url": server.url, "environment": "test", "auth": auth, "streams": streams}


def _alerts(mail: SmtpSink, port: int) -> dict[str, Any]:
    finance = {
        "kind": "email", "host": "127.0.0.1", "port": mail.port, "tls": "none",
        "from": "tieout@lab.example", "to": ["finance@lab.example"],
    }  # fmt: skip
    channels = {"on_call": {"kind": "slack", "webhook": "env:LAB_SLACK_WEBHOOK"}, "finance": finance}
    return {"public_url": f"http://127.0.0.1:{port}", "channels": channels}
