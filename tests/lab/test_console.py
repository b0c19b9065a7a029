"""Does the console, started as a company starts it, give a real Prometheus and a real browser the right figures?"""

from __future__ import annotations

import datetime as dt
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Locator, Page, expect
from prometheus_client.openmetrics.parser import text_string_to_metric_families

from tests.servers.chromium import settled as drawn
from tests.servers.process import answers, running, until
from tests.servers.prometheus import Prometheus, check_metrics

from . import erp as ledger
from .company import DE, Company, settled

HOUR = dt.timedelta(hours=1)


@pytest.fixture
def address(company: Company) -> Iterator[str]:
    """Serve the console after business was done and watched: one order in time, one that never came."""
    now = dt.datetime.now(dt.UTC)
    company.crm.account("001-ACME", "Acme GmbH", DE, now - 30 * HOUR)
    company.crm.deal("006-ARRIVED", "001-ACME", DE, "49.00", "EUR", "Won", now - HOUR)
    company.crm.deal("006-VANISHED", "001-ACME", DE, "1960.00", "EUR", "Won", now - 6 * HOUR)
    ledger.order(company.erp, ledger.customer(company.erp, "Acme GmbH"), "006-ARRIVED")
    with company.watched() as workspace:
        settled(company, workspace)
    address = f"127.0.0.1:{company.port}"
    command = [sys.executable, "-m", "console.web.serve", "--config", company.config]
    with running(command, company.config.with_name("console.log"), lambda: answers(f"http://{address}/healthz")):
        yield address


def test_prometheus_scrapes_the_figures_and_promtool_has_nothing_to_say(address: str, prometheus: Prometheus) -> None:
    prometheus.scrape(address)
    wanted = f'tieout_sli_ratio{{instance="{address}",sli="order_latency"}}'
    # figures are of the last quarter of a minute, and the order in time arrived only now
    until(lambda: [float(r["value"][1]) for r in prometheus.query(wanted)] == [0.5], 60, "one good order of two")
    plain = httpx.get(f"http://{address}/metrics", headers={"Accept": "text/plain"}, trust_env=False)
    assert check_metrics(plain.text) == ""
    accept = {"Accept": "application/openmetrics-text; version=1.0.0"}
    modern = httpx.get(f"http://{address}/metrics", headers=accept, trust_env=False)
    assert modern.headers["content-type"].startswith("application/openmetrics-text; version=1.0.0")
    families = text_string_to_metric_families(modern.text)  # type: ignore[no-untyped-call]
    assert "tieout_sli_ratio" in {family.name for family in families}


def visit(page: Page, url: str, log: Path) -> Locator:
    """Open a page of the console and wait until it is drawn. Errors: AssertionError with the console's own reason."""
    page.goto(url)
    drawn(page)
    body = page.locator("body")
    assert "could not be computed" not in body.inner_text(), log.read_text()[-2000:]
    return body


def test_the_browser_shows_the_order_that_never_came(company: Company, address: str, page: Page) -> None:
    log = company.config.with_name("console.log")
    expect(visit(page, f"http://{address}/", log)).to_contain_text("1,960.00", timeout=15_000)
    alerts = visit(page, f"http://{address}/alerts", log)
    expect(alerts).to_contain_text(re.compile(r"[1-9]\d* open alert"), timeout=15_000)
    document = visit(page, f"http://{address}/document?of=crm&kind=opportunity&id=006-VANISHED", log)
    for text in ("Opportunity 006-VANISHED", "1,960.00", "Acme GmbH"):
        expect(document).to_contain_text(text, timeout=15_000)
