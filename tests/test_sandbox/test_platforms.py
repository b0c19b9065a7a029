"""Do the platforms ail as the table says, as a client sees it, and are they well afterwards?"""

import time
from collections.abc import Callable
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

import httpx
import pytest

from probes.sandbox import App, Company, inject, repair

from .erp_client import Erp, ask_token, assertion

STRIPE = {"Authorization": "Bearer rk_live_sandbox_stripe"}
ZENDESK = {"Authorization": "Bearer sandbox-zendesk-token"}
N8N = {"X-N8N-API-KEY": "sandbox-n8n-key"}
QUERY = "/salesforce/services/data/v66.0/query"

Billing = Callable[..., httpx.Response]


def accounts(web: httpx.Client, crm: dict[str, str]) -> httpx.Response:
    """Ask the CRM for a page of accounts."""
    return web.get(QUERY, params={"q": "SELECT Id, VAT_Id__c FROM Account ORDER BY Id"}, headers=crm)


def test_a_slow_platform_takes_its_time_on_the_clock_of_the_sandbox_alone(
    web: httpx.Client, app: App, company: Company
) -> None:
    inject(company.world, "P02", platform="stripe", wait_seconds=8)
    before, began = app.served.clock.now_us(), time.monotonic()
    assert web.get("/stripe/v1/balance", headers=STRIPE).status_code == 200
    assert app.served.clock.now_us() - before == 8_000_000
    assert time.monotonic() - began < 5
    repair(company.world, fault="P02")
    before = app.served.clock.now_us()
    web.get("/stripe/v1/balance", headers=STRIPE)
    assert app.served.clock.now_us() == before


@pytest.mark.parametrize(
    ("platform", "path", "headers"),
    [
        ("stripe", "/stripe/v1/balance", STRIPE),
        ("zendesk", "/zendesk/api/v2/tickets.json", ZENDESK),
        ("n8n", "/n8n/api/v1/executions", N8N),
    ],
)
def test_revoked_credentials_are_refused_until_they_are_renewed(
    web: httpx.Client, company: Company, platform: str, path: str, headers: dict[str, str]
) -> None:
    inject(company.world, "P04", platform=platform)
    assert web.get(path, headers=headers).status_code == 401
    repair(company.world, fault="P04")
    assert web.get(path, headers=headers).status_code == 200


def test_a_revoked_client_gets_no_token_and_its_session_ends(
    web: httpx.Client, app: App, crm: dict[str, str], company: Company
) -> None:
    inject(company.world, "P04", platform="salesforce")
    inject(company.world, "P04", platform="netsuite")
    assert accounts(web, crm).json()[0]["errorCode"] == "INVALID_SESSION_ID"
    assert ask_token(web, assertion(app)).status_code == 401


def test_a_dropped_field_is_unknown_to_queries(erp: Erp, company: Company) -> None:
    (entry,) = inject(company.world, "P05", platform="netsuite", variant="dropped", field="transaction.otherrefnum")
    assert (entry.kind, entry.object, entry.external_id) == ("schema_drift", "field", "transaction.otherrefnum")
    assert erp.post("SELECT otherrefnum FROM transaction").status_code == 400
    repair(company.world, fault="P05")
    assert erp.post("SELECT otherrefnum FROM transaction").status_code == 200


@pytest.mark.parametrize(
    ("variant", "field", "path"),
    [
        ("renamed", "invoice.amount_remaining", "invoices"),
        ("retyped", "invoice.total_excluding_tax", "invoices"),
        ("enum", "payment_intent.status", "payment_intents"),
    ],
)
def test_a_drifting_field_changes_shape_in_every_row(
    billing: Billing, company: Company, variant: str, field: str, path: str
) -> None:
    name = field.split(".")[1]
    right = billing(path, limit=50).json()["data"]
    inject(company.world, "P05", platform="stripe", variant=variant, field=field)
    shown = billing(path, limit=50).json()["data"]
    if variant == "renamed":
        assert all(name not in row and f"{name}_v2" in row for row in shown)
    elif variant == "retyped":
        assert all(isinstance(row[name], dict) for row in shown)
    else:
        assert {row[name] for row in shown} - {row[name] for row in right} == {"settled"}
    repair(company.world, fault="P05")
    assert billing(path, limit=50).json()["data"] == right


def test_a_deprecated_version_says_when_it_ends(web: httpx.Client, company: Company) -> None:
    inject(company.world, "P06", platform="zendesk")
    headers = web.get("/zendesk/api/v2/tickets.json", headers=ZENDESK).headers
    end = parsedate_to_datetime(headers["Sunset"])
    now = datetime.fromtimestamp(company.world.now_us / 1e6, UTC)
    assert 20 <= (end - now).days <= 200
    assert "deprecated" in headers["Warning"]
    repair(company.world, fault="P06")
    assert "Sunset" not in web.get("/zendesk/api/v2/tickets.json", headers=ZENDESK).headers


def test_a_skewed_clock_shows_in_the_date_and_in_what_it_stamps(
    web: httpx.Client, crm: dict[str, str], company: Company
) -> None:
    inject(company.world, "P07", platform="salesforce", skew_seconds=120)
    now = datetime.fromtimestamp(company.world.now_us / 1e6, UTC).replace(microsecond=0)
    answered = accounts(web, crm)
    assert (parsedate_to_datetime(answered.headers["Date"]) - now).total_seconds() == 120
    (entry,) = inject(company.world, "O01", entity="NW-DE")
    row = company.world.salesforce["Opportunity"][entry.external_id]
    assert row["CreatedDate"] - company.world.now_us // 1_000_000 * 1_000_000 == 120_000_000
    repair(company.world, fault="P07")
    assert parsedate_to_datetime(accounts(web, crm).headers["Date"]) == now


def test_rows_that_show_up_late_are_all_there_within_a_minute(
    app: App, soql: Callable[[str], list[dict[str, Any]]], company: Company
) -> None:
    inject(company.world, "P08", variant="late")
    known = {row["Id"] for row in soql("SELECT Id FROM Opportunity")}
    made = {entry.external_id for entry in inject(company.world, "O01", 12, entity="NW-DE")}
    at_once = {row["Id"] for row in soql("SELECT Id FROM Opportunity")}
    assert made - at_once
    assert made & at_once
    app.served.clock.step(45)
    assert {row["Id"] for row in soql("SELECT Id FROM Opportunity")} >= known | made


def test_a_mass_update_gives_hundreds_of_rows_one_stamp(
    soql: Callable[[str], list[dict[str, Any]]], company: Company
) -> None:
    inject(company.world, "P08", variant="stamp")
    stamps = [row["SystemModstamp"] for row in soql("SELECT Id, SystemModstamp FROM Opportunity")]
    assert max(stamps.count(stamp) for stamp in set(stamps)) > 200


def test_a_page_may_lie_about_being_the_last(web: httpx.Client, crm: dict[str, str], company: Company) -> None:
    whole = accounts(web, crm).json()
    inject(company.world, "P09", platform="salesforce", variant="lying")
    lying = accounts(web, crm).json()
    assert lying["done"] is True
    assert len(lying["records"]) < len(whole["records"]) == lying["totalSize"]


@pytest.mark.parametrize("variant", ["cut", "truncated"])
def test_a_page_may_end_in_the_middle(web: httpx.Client, company: Company, variant: str) -> None:
    inject(company.world, "P09", platform="stripe", variant=variant)
    answered = web.get("/stripe/v1/invoices", headers=STRIPE)
    with pytest.raises(ValueError, match=r"JSON|Expecting|Unterminated"):
        answered.json()
    if variant == "cut":
        assert int(answered.headers["Content-Length"]) > len(answered.content)


def test_an_empty_platform_answers_success_and_nothing(
    web: httpx.Client, crm: dict[str, str], erp: Erp, company: Company
) -> None:
    for platform in ("salesforce", "netsuite", "stripe"):
        inject(company.world, "P10", platform=platform)
    assert accounts(web, crm).json() == {"totalSize": 0, "done": True, "records": []}
    assert erp.rows("SELECT id FROM customer") == []
    assert web.get("/stripe/v1/invoices", headers=STRIPE).json()["data"] == []
    repair(company.world, fault="P10")
    assert accounts(web, crm).json()["totalSize"] > 0


def test_a_swapped_platform_says_that_it_is_a_sandbox_with_another_id(
    web: httpx.Client, soql: Callable[[str], list[dict[str, Any]]], company: Company
) -> None:
    (before,) = soql("SELECT Id, IsSandbox FROM Organization")
    inject(company.world, "P12", platform="salesforce")
    inject(company.world, "P12", platform="stripe")
    (swapped,) = soql("SELECT Id, IsSandbox FROM Organization")
    assert swapped["IsSandbox"] is True
    assert swapped["Id"] != before["Id"]
    assert web.get("/stripe/v1/balance", headers=STRIPE).json()["livemode"] is False
    repair(company.world, fault="P12")
    assert soql("SELECT Id, IsSandbox FROM Organization") == [before]


def test_a_maintenance_window_is_at_the_same_hour_every_day(web: httpx.Client, app: App, company: Company) -> None:
    inject(company.world, "N04", platform="zendesk")
    app.served.clock.step(12 * 3600 + 60)  # one minute past two
    assert web.get("/zendesk/api/v2/tickets.json", headers=ZENDESK).status_code == 503
    app.served.clock.step(1800)
    assert web.get("/zendesk/api/v2/tickets.json", headers=ZENDESK).status_code == 200
    (entry,) = (e for e in company.journal.entries if e.fault == "N04")
    assert datetime.fromtimestamp(entry.started_us / 1e6, UTC).strftime("%H:%M:%S") == "02:00:00"
