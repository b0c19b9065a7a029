"""What Prometheus is told: well formed in both formats, bounded in its labels, the same figures as the pages."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest
from prometheus_client.core import Metric
from prometheus_client.openmetrics.parser import text_string_to_metric_families as openmetrics_families
from prometheus_client.parser import text_string_to_metric_families as text_families
from sqlalchemy import Connection, delete, insert, select, update
from starlette.applications import Starlette
from starlette.testclient import TestClient

from console.web import context, data, figures
from console.web.context import Console
from console.web.exports import families, openmetrics
from metrics.filters import Filters
from metrics.queries.platforms import PlatformHealth, platforms
from metrics.tables import Counter, ExceptionRow, RecordRow, table
from probes.clock import HOUR, from_us

from .company import CUSTOMERS, NOW

ACCEPT = "application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,text/plain;version=0.0.4;q=0.5"


@pytest.fixture
def scrape_of() -> Iterator[Callable[[Console], TestClient]]:
    def client(console: Console) -> TestClient:
        context.use(console)
        return TestClient(Starlette(routes=list(openmetrics.ROUTES)))

    yield client
    context.use(None)


@pytest.fixture
def scrape(console: Console) -> TestClient:
    return TestClient(Starlette(routes=list(openmetrics.ROUTES)))


def test_a_scraper_that_asks_for_openmetrics_gets_it_whole(scrape: TestClient) -> None:
    answer = scrape.get("/metrics", headers={"Accept": ACCEPT})
    assert answer.headers["content-type"] == "application/openmetrics-text; version=1.0.0; charset=utf-8"
    assert answer.text.endswith("# EOF\n")
    found = {f.name for f in openmetrics_families(answer.text)}
    assert {"tieout_sli_ratio", "tieout_money_at_risk_minor_units", "tieout_platform_up", "tieout_poll_runs"} <= found
    assert all(name.startswith("tieout_") for name in found)


def test_a_scraper_that_asks_for_nothing_gets_text(scrape: TestClient) -> None:
    answer = scrape.get("/metrics")
    assert answer.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    assert "_created" not in answer.text
    assert len(list(text_families(answer.text))) > 15


def test_labels_are_few_and_name_no_customer(scrape: TestClient) -> None:
    text = scrape.get("/metrics").text
    labels = {k for f in text_families(text) for s in f.samples for k in s.labels}
    assert labels <= {*families.LABELS, "version"}
    assert not [n for n in CUSTOMERS.values() if n in text]


def test_what_is_scraped_is_what_the_pages_show(scrape: TestClient, console: Console) -> None:
    samples = {
        (s.name, s.labels.get("sli"), s.labels.get("outcome")): s.value
        for f in text_families(scrape.get("/metrics").text)
        for s in f.samples
    }
    for figure in figures.figures(console, Filters(), data.as_of(console)):
        for outcome in ("good", "bad", "pending", "blind", "excluded"):
            assert samples["tieout_sli_subjects", figure.name, outcome] == getattr(figure, outcome)
        assert ("tieout_sli_ratio", figure.name, None) in samples or figure.status == "no_data"


def test_an_sli_without_data_has_no_ratio_rather_than_zero_or_one(scrape: TestClient, console: Console) -> None:
    dark = {f.name for f in figures.figures(console, Filters(), data.as_of(console)) if f.status == "no_data"}
    assert dark
    shown = {
        s.labels["sli"]
        for f in text_families(scrape.get("/metrics").text)
        if f.name == "tieout_sli_ratio"
        for s in f.samples
    }
    assert not shown & dark


def test_ten_thousand_customers_add_no_series(own: Console) -> None:
    def series() -> int:
        data.forget()
        return sum(len(f.samples) for f in text_families(openmetrics.render(own, False).decode()))

    before = series()
    records = table(RecordRow)
    with own.store.write() as conn:
        row = dict(conn.execute(select(records).where(records.c.kind == "customer").limit(1)).mappings().one())
        many = [{**row, "id": i, "external_id": f"bulk-{i}", "name": f"Bulk {i}"} for i in range(1, 10_001)]
        conn.execute(insert(records), many)
    assert series() == before


def test_a_scrape_without_the_configured_token_is_refused(console: Console) -> None:
    context.use(replace(console, token="secret-token"))
    client = TestClient(Starlette(routes=list(openmetrics.ROUTES)))
    assert client.get("/metrics").status_code == 401
    assert client.get("/metrics", headers={"Authorization": "Bearer secret-token"}).status_code == 200


def test_figures_are_computed_once_for_many_scrapes(console: Console, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []

    def noted(conn: Connection, now_us: int) -> list[PlatformHealth]:
        asked.append(now_us)
        return platforms(conn, now_us)

    monkeypatch.setattr(families, "platforms", noted)
    for _ in range(5):
        openmetrics.render(console, True)
    assert asked == [NOW // data.BEAT_US * data.BEAT_US]


def exceptions_open(text: str) -> float:
    return next(s.value for f in text_families(text) for s in f.samples if s.name == "tieout_exceptions_open")


def test_no_scrape_waits_for_figures_and_the_next_one_has_what_changed(
    own: Console, scrape_of: Callable[[Console], TestClient], monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[Console] = []

    def noted(console: Console) -> list[Metric]:
        made.append(console)
        return families.families(console)

    monkeypatch.setattr(openmetrics, "families", noted)
    client = scrape_of(own)
    before = exceptions_open(client.get("/metrics").text)
    made.clear()
    with own.store.write() as conn:
        conn.execute(delete(table(ExceptionRow)))
        conn.execute(update(table(Counter)).values(value=table(Counter).c.value + 1))
    assert exceptions_open(openmetrics.exposition(own, False).decode()) == before > 0
    assert not made
    assert exceptions_open(client.get("/metrics").text) == before
    assert made  # after the answer
    assert exceptions_open(client.get("/metrics").text) == 0


def test_after_a_pause_a_scrape_waits_for_figures_of_now(
    own: Console, scrape_of: Callable[[Console], TestClient]
) -> None:
    at = [NOW]
    client = scrape_of(replace(own, clock=lambda: from_us(at[0])))

    def shown() -> float:
        text = client.get("/metrics").text
        return next(
            s.value for f in text_families(text) for s in f.samples if s.name == "tieout_as_of_timestamp_seconds"
        )

    assert shown() == NOW // data.BEAT_US * data.BEAT_US / 1e6
    at[0] += openmetrics.OLDEST_US + data.BEAT_US
    assert shown() == at[0] // data.BEAT_US * data.BEAT_US / 1e6
    at[0] -= 2 * HOUR  # a clock set back must not freeze what is served
    assert shown() == at[0] // data.BEAT_US * data.BEAT_US / 1e6
