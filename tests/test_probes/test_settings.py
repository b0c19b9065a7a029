"""Settings: what a company may write about its platforms, and what it is told when it wrote something else."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from probes.errors import ProbeError, Reason
from probes.platforms import load_platforms
from probes.settings import PlatformSettings, parse_platforms, secret

from .fakes import clock

STRIPE = {"vendor": "stripe", "auth": {"key": "env:STRIPE_KEY"}}


@pytest.fixture(autouse=True)
def _key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STRIPE_KEY", "rk_canary")


def load(section: dict[str, Any]) -> Any:
    return load_platforms(parse_platforms(section), clock=clock)


def refused(section: dict[str, Any]) -> str:
    with pytest.raises((ProbeError, ValidationError)) as caught:
        load(section)
    if isinstance(caught.value, ProbeError):
        assert caught.value.reason is Reason.CONFIG
    return str(caught.value)


@pytest.mark.parametrize(("platform", "words"), [
    ({**STRIPE, "vendor": "strype"}, "unknown vendor 'strype'; there are"),
    ({**STRIPE, "auth": {"key": "rk_live_written_down"}}, "must not stand here; write env:NAME or file:PATH"),
    ({**STRIPE, "auth": {"key": "env:NOT_SET_ANYWHERE"}}, "the environment variable NOT_SET_ANYWHERE is not set"),
    ({**STRIPE, "auth": {"key": "file:/does/not/exist"}}, "cannot read /does/not/exist"),
    ({**STRIPE, "auth": {}}, "auth.key is missing"),
    ({**STRIPE, "auth": {"key": "env:STRIPE_KEY", "user": "me"}}, "auth.user is unknown; stripe takes key"),
    ({**STRIPE, "streams": {"invoices": {}}}, "unknown stream 'invoices'; stripe has"),
    ({**STRIPE, "streams": {"invoice": {"interval": "often"}}}, "is not a duration"),
    ({**STRIPE, "streams": {"invoice": {"intervall": "30s"}}}, "Extra inputs are not permitted"),
    ({**STRIPE, "streams": {"invoice": {"fields": {"colour": "x"}}}}, "'colour' is no slot"),
    ({**STRIPE, "streams": {"invoice": {"states": {"x": "opened"}}}}, "'opened' is unknown"),
    ({**STRIPE, "streams": {"invoice": {"interval": 30}}}, "30 has no unit; write for example 30s"),
    ({**STRIPE, "deadline": 5}, "5 has no unit"),
    ({**STRIPE, "options": {"details": 5}}, "options.details is unknown; stripe takes link_url"),
    ({"vendor": "files", "url": "/data", "deadline": "5s"}, "files makes none; remove it"),
    ({**STRIPE, "time_zone": "Berlin"}, "is no time zone; write an IANA name"),
    ({**STRIPE, "roles": ["erb"]}, "Input should be 'crm'"),
    ({"vendor": "netsuite", "url": "https://1.suitetalk.api.netsuite.com"}, "`time_zone` is missing"),
    ({"vendor": "salesforce"}, "`url` is missing"),
    ({"vendor": "files", "url": "/data", "streams": {"log": {}}}, "needs `kind:`"),
    ({"vendor": "files", "url": "/data", "streams": {"log": {"kind": "message"}}}, "needs `map:`"),
    ({"vendor": "files", "url": "/data"}, "has no stream"),
])  # fmt: skip
def test_what_is_wrong_is_said_with_what_to_write(platform: dict[str, Any], words: str) -> None:
    text = refused({"billing": platform})
    assert words in text
    assert "rk_canary" not in text


def test_a_secret_written_down_is_not_repeated_in_the_error() -> None:
    with pytest.raises(ValidationError) as caught:
        parse_platforms({"billing": {**STRIPE, "auth": {"key": "rk_live_written_down"}}})
    assert "rk_live_written_down" not in str(caught.value)


def test_production_and_test_are_never_mixed() -> None:
    text = refused({"a": {**STRIPE, "environment": "test"}, "b": STRIPE})
    assert "production and test platforms are mixed (a: test, b: production)" in text


def test_a_secret_comes_from_the_environment_or_a_file(tmp_path: Path) -> None:
    (tmp_path / "key").write_text("from-file\n")
    assert secret("env:STRIPE_KEY", "key", "billing") == "rk_canary"
    assert secret(f"file:{tmp_path}/key", "key", "billing") == "from-file"


def test_defaults_come_from_the_vendor_and_streams_can_be_changed_or_left_out() -> None:
    settings = {**STRIPE, "streams": {"refund": {"enabled": False}, "invoice": {"interval": "10s"}, "customer": None}}
    platform = load({"billing": settings})["billing"]
    specs = {stream.spec.name: stream.spec for stream in platform.streams}
    assert set(specs) == {"customer", "subscription", "invoice", "credit_note", "payment", "dispute"}
    assert specs["invoice"].interval_seconds == 10
    assert platform.roles == ("billing", "payments")
    assert platform.link("invoice", "in_1/../x") == "https://dashboard.stripe.com/invoices/in_1%2F..%2Fx"
    assert platform.link("unknown", "1") is None
    assert "rk_canary" not in repr(platform.streams[0].spec)


def test_how_late_rows_become_readable_is_the_vendors_unless_the_company_knows_better() -> None:
    as_shipped = load({"billing": STRIPE})["billing"].streams
    known = load({"billing": {**STRIPE, "visibility_delay": "5s"}})["billing"].streams
    assert {s.spec.visibility_delay_seconds for s in as_shipped} == {60}
    assert {s.spec.visibility_delay_seconds for s in known} == {5}


def test_a_request_takes_no_longer_than_the_company_allows_a_platform() -> None:
    as_shipped = load({"billing": STRIPE})["billing"].session.client.spec
    shorter = load({"billing": {**STRIPE, "deadline": "5s"}})["billing"].session.client.spec
    assert (as_shipped.deadline_seconds, shorter.deadline_seconds) == (60.0, 5)


def test_overrides_keep_how_the_vendor_writes_a_slot() -> None:
    streams = {
        "invoice": {
            "fields": {
                "created": "metadata.made_at",
                "amounts.net": "metadata.net",
                "milestones.paid": "metadata.paid_at",
            },
            "states": {"frozen": "paused"},
            "attributes": {"po": "custom_fields.0.value"},
            "keys": [{"by": "erp", "path": "metadata.erp"}],
        }
    }
    platform = load({"billing": {**STRIPE, "streams": streams}})["billing"]
    stream = next(s for s in platform.streams if s.spec.name == "invoice")
    made = {"made_at": 1795176000, "net": 500, "paid_at": 1795176001, "erp": "E1"}
    row = {"id": "in_1", "currency": "eur", "status": "frozen", "metadata": made, "custom_fields": [{"value": "PO-1"}]}
    record = stream.source.mapper.record(row)
    assert (record.created_us, record.amounts["net"], record.state) == (1795176000_000_000, 500, "paused")
    assert record.milestones["paid"] == (1795176001_000_000,) * 2
    assert record.attributes["po"] == "PO-1"
    assert record.keys == ("billing/invoice/erp=E1",)


def test_the_model_stays_as_it_was_read() -> None:
    settings = PlatformSettings.model_validate(STRIPE)
    with pytest.raises(ValidationError):
        settings.vendor = "other"
