"""Where each vendor's contract is tried: the sandbox company for those it plays, small worlds of our own for the rest."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import sqlalchemy as sa
from werkzeug.wrappers import Request

from probes.clock import from_us, iso
from probes.platform import BoundPlatform
from probes.platforms import load_platforms
from probes.sandbox import Clock, Company, served_app
from probes.settings import parse_platforms

from . import tryton

START = datetime(2026, 11, 20, 12, tzinfo=UTC)
SECRETS = {
    "SALESFORCE": "sandbox-salesforce-secret", "STRIPE": "rk_live_sandbox_stripe", "ZENDESK": "sandbox-zendesk-token",
    "RABBITMQ": "sandbox-rabbitmq", "N8N": "sandbox-n8n-key", "TRYTON": tryton.KEY,
}  # fmt: skip


class World:
    """One platform of every vendor, all on one stepped clock."""

    def __init__(self, folder: Path) -> None:
        self.company = Company(seed=7, start_at=START, history_days=8, scale=1.0, data_dir=None)
        self.company.run_history()
        self.clock = Clock(self.company.start_us)
        sandbox = served_app(self.company, self.clock, base_url="http://sandbox")
        (folder / "key.pem").write_bytes(sandbox.private_key_pem)
        self.tryton = tryton.Tryton(tryton.world(START - timedelta(hours=1)))
        small = Request.application(self.tryton)

        def route(environ: dict[str, Any], start: Any) -> Any:
            return small(environ, start) if environ["PATH_INFO"].startswith("/erp") else sandbox(environ, start)

        _write_log(folder)
        _write_table(folder)
        settings = parse_platforms(section(folder))
        loaded = load_platforms(settings, clock=self.now, transport=httpx.WSGITransport(app=route))
        self.platforms: Mapping[str, BoundPlatform] = {
            p.vendor: p for p in loaded.values() if isinstance(p, BoundPlatform)
        }

    def now(self) -> datetime:
        """Return the present instant of this world."""
        return from_us(self.clock.now_us())


def section(folder: Path) -> dict[str, Any]:
    """Return a `platforms:` section that names every vendor."""
    rows = {"id": "id", "changed": "at", "status": "status", "states": {"ok": "succeeded", "failed": "failed"}}
    return {
        "crm": {
            "vendor": "salesforce", "url": "http://sandbox/salesforce",
            "auth": {"client_id": "sandbox-salesforce-client", "client_secret": "env:SALESFORCE"},
        },
        "billing": {"vendor": "stripe", "url": "http://sandbox/stripe", "auth": {"key": "env:STRIPE"}},
        "erp": {
            "vendor": "netsuite", "url": "http://sandbox/netsuite", "time_zone": "America/Los_Angeles",
            "auth": {
                "client_id": "sandbox-netsuite-client", "certificate_id": "sandbox-netsuite-certificate",
                "private_key": f"file:{folder}/key.pem",
            },
        },
        "support": {"vendor": "zendesk", "url": "http://sandbox/zendesk", "auth": {"key": "env:ZENDESK"}},
        "queues": {
            "vendor": "rabbitmq", "url": "http://sandbox/rabbitmq", "auth": {"user": "monitor", "password": "env:RABBITMQ"},
        },
        "runtime": {"vendor": "n8n", "url": "http://sandbox/n8n", "auth": {"key": "env:N8N"}},
        "books": {
            "vendor": "tryton", "url": "http://tryton/erp", "auth": {"key": "env:TRYTON"}, "streams": {"payment": {"enabled": True}},
        },
        "log": {
            "vendor": "files", "url": str(folder),
            "streams": {"run": {"kind": "workflow_run", "source": {"path": "log.jsonl"}, "map": rows}},
        },
        "table": {
            "vendor": "sql", "url": f"sqlite:///{folder}/log.db",
            "streams": {"run": {"kind": "workflow_run", "source": {"table": "log", "cursor": "at", "stamp": "iso"}, "map": rows}},
        },
    }  # fmt: skip


def _lines() -> list[dict[str, str | None]]:
    at = iso(int((START - timedelta(minutes=5)).timestamp()) * 1_000_000)
    return [{"id": f"r{number}", "at": at, "status": "ok" if number % 2 else "failed"} for number in range(5)]


def _write_log(folder: Path) -> None:
    (folder / "log.jsonl").write_text("".join(json.dumps(line) + "\n" for line in _lines()))


def _write_table(folder: Path) -> None:
    engine = sa.create_engine(f"sqlite:///{folder}/log.db")
    names = [sa.Column(name, sa.String) for name in ("id", "at", "status")]
    table = sa.Table("log", sa.MetaData(), *names)
    table.metadata.create_all(engine)
    with engine.begin() as connection:
        connection.execute(sa.insert(table), _lines())
    engine.dispose()
