"""Is a deadline that cannot be kept, or finds no calendar, refused at start with file, line and what to write?"""

from __future__ import annotations

from pathlib import Path

import pytest

from console.run.settings import settings_from_text
from console.run.workspace import open_model, open_platforms
from console.run.yaml_source import ConfigError
from metrics.definitions import Model

HERE = Path("/company/tieout.yaml")
PLATFORMS = """platforms:
  crm: {vendor: salesforce, url: https://northwind.my.salesforce.com, auth: {client_id: a, client_secret: env:SECRET}}
  erp:
    vendor: netsuite
    url: https://1.suitetalk.api.netsuite.com
    time_zone: America/Los_Angeles
    auth: {client_id: a, certificate_id: b, private_key: env:SECRET}
    streams: {order: {interval: 10m}}
"""
NIGHTLY = """calendars:
  nightly: {time_zone: Europe/Berlin, windows: [{at: 01:00, for: 2h}]}
  office: {time_zone: Europe/Berlin, hours: {mon-fri: 09:00-17:00}}
"""


@pytest.fixture(autouse=True)
def _secret(monkeypatch: pytest.MonkeyPatch) -> None:
    key = "-----BEGIN PRIVATE KEY-----\nx\n-----END PRIVATE KEY-----\n"
    monkeypatch.setenv("SECRET", key)


def opened(text: str) -> Model:
    settings = settings_from_text(PLATFORMS + text, HERE)
    return open_model(settings, open_platforms(settings))


def refusal(text: str) -> str:
    with pytest.raises(ConfigError) as caught:
        opened(text)
    return str(caught.value)


def test_the_shipped_deadlines_can_be_kept_with_and_without_batches() -> None:
    assert opened("").flows["quote_to_order"].steps
    assert opened(NIGHTLY + "batches: {erp: nightly}\n").flows["quote_to_order"].steps


def test_a_deadline_shorter_than_poll_interval_and_visibility_is_refused() -> None:
    told = refusal("slis:\n  order_latency:\n    within: 10m\n")
    assert told.startswith("/company/tieout.yaml:11: slis.order_latency.within: ")
    assert "due within 10m, but that can take 10m until erp/order is polled + 1m until it is visible there" in told
    assert "Write at least `11m`, or poll more often: `platforms.erp.streams.order.interval`." in told
    assert opened("slis:\n  order_latency:\n    within: 11m\n").slis["order_latency"].within


def test_a_deadline_shorter_than_the_wait_for_a_batch_is_refused() -> None:
    told = refusal(NIGHTLY + "batches: {erp: nightly}\nflows:\n  quote_to_order:\n    deadlines: {ordered: 8h}\n")
    assert told.startswith("/company/tieout.yaml:15: flows.quote_to_order.deadlines.ordered: ")
    assert "1d 3h until the end of a batch" in told  # the night on which the clocks go back is an hour longer
    assert "or `later of 8h and window + 1h`" in told


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ("calendar: office\n", 9, "there is no calendar 'office'; none is declared"),
        (NIGHTLY + "calendar: nightly\n", 12, "the calendar nightly has no `hours:`"),
        (NIGHTLY + "batches: {erp: office}\n", 12, "no `windows:`"),
        (NIGHTLY + "batches: {sap: nightly}\n", 12, "there is no platform 'sap'; there are crm, erp"),
        (NIGHTLY + "batches:\n  erp:\n    NW-DE: nightly\n", 14, "there is no entity 'NW-DE'"),
        (NIGHTLY + "entities:\n  NW-DE:\n    calendar: offize\n", 14, "there are nightly, office"),
        ("slis:\n  order_latency:\n    within: 15 business minutes\n", 11, "declare one under `calendars:`"),
        ("slis:\n  order_latency:\n    within: 15 business minutes on office\n", 11, "there is no calendar 'office'"),
        ("slis:\n  order_latency:\n    within: window + 1h\n", 11, "batches: {PLATFORM: CALENDAR}"),
        ("slis:\n  order_latency:\n    within: soon\n", 11, "is no deadline; write `4h`"),
        ("slis:\n  order_latency:\n    within: 4\n", 11, "'4' is no deadline"),
        ("slis:\n  order_latency:\n    windowe: 4d\n", 11, "Extra inputs"),
        ("flows:\n  quote_to_order:\n    deadlines:\n      orderd: 4h\n", 12, "no step 'orderd'; it has won, ordered"),
        ("slis:\n  data_freshness:\n    within: 4h\n", 10, "only an event SLI has a deadline"),
    ],
)
def test_a_deadline_that_finds_no_calendar_is_told_with_its_line(text: str, line: int, words: str) -> None:
    told = refusal(text)
    assert told.startswith(f"/company/tieout.yaml:{line}: "), told
    assert words in told


def test_a_deadline_of_one_step_leaves_the_rest_of_the_flow_as_shipped() -> None:
    model = opened(
        NIGHTLY + "calendar: office\nflows:\n  quote_to_order:\n    deadlines: {ordered: 3 business hours}\n"
    )
    assert str(model.flows["quote_to_order"].step("ordered").within) == "3 business hours"
    assert model.flows["quote_to_order"].step("ordered").path


def test_the_example_of_the_documentation_is_understood() -> None:
    text = (Path(__file__).parents[2] / "docs" / "deadlines.md").read_text("utf-8")
    example = text.split("```yaml\n")[1].split("```")[0]
    settings = settings_from_text(PLATFORMS + example, HERE)
    assert settings.alerts.maintenance == {"erp": "works"}
    with pytest.raises(ConfigError, match=r"flows\.quote_to_order\.deadlines\.ordered"):
        opened(example.replace("3 business hours}", "3h}"))
    assert str(opened(example).slis["order_latency"].within) == "later of 3 business hours and window + 1h"
