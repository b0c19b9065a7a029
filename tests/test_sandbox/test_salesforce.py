"""Does Salesforce's own shape come back, and can the community's client read it over a real socket?"""

from collections.abc import Callable
from typing import Any

import httpx
import pytest
import requests
from simple_salesforce.api import Salesforce
from simple_salesforce.exceptions import SalesforceMalformedRequest

from probes.sandbox import App, Company, Running, inject
from probes.sandbox.clock import iso_seconds

from .conftest import SALESFORCE

DATA = "/salesforce/services/data/v66.0"
Soql = Callable[[str], list[dict[str, Any]]]


@pytest.fixture
def client(running: Running, rerouted: Callable[[str], requests.Session]) -> Salesforce:
    """Give simple_salesforce against the loopback server."""
    url = f"{running.base_url}/salesforce"
    form = {"grant_type": "client_credentials"}
    token = httpx.post(f"{url}/services/oauth2/token", data=form, auth=SALESFORCE).json()["access_token"]
    return Salesforce(
        instance_url="https://sandbox.my.salesforce.com", session_id=token, version="66.0", session=rerouted(url)
    )


def test_simple_salesforce_reads_every_page(client: Salesforce, running: Running) -> None:
    records = client.query_all("SELECT Id, StageName, CreatedDate FROM OpportunityHistory ORDER BY Id")["records"]
    assert len(records) > 2000
    assert {r["Id"] for r in records} == set(running.app.served.world.salesforce["OpportunityHistory"])


def test_simple_salesforce_describes_and_gets_by_key(client: Salesforce, running: Running) -> None:
    fields = {field["name"]: field for field in client.Opportunity.describe()["fields"]}
    assert fields["PO_Number__c"]["externalId"] is True
    account = next(iter(running.app.served.world.salesforce["Account"].values()))
    assert client.Account.get_by_custom_id("AccountNumber", account["AccountNumber"])["Id"] == account["Id"]
    assert client.limits()["DailyApiRequests"]["Max"] == 100_000


def test_simple_salesforce_gets_the_vendors_error(client: Salesforce) -> None:
    with pytest.raises(SalesforceMalformedRequest, match="No such column 'Nope'"):
        client.query("SELECT Nope FROM Account")


def test_stamps_have_whole_seconds_and_an_offset_without_colon(soql: Soql) -> None:
    stamp = soql("SELECT SystemModstamp FROM Opportunity LIMIT 1")[0]["SystemModstamp"]
    assert stamp.endswith(".000+0000")


def test_a_window_of_stamps_returns_what_changed_in_it_in_order(soql: Soql, company: Company) -> None:
    edge = company.start_us - 2 * 86_400_000_000
    found = soql(
        f"SELECT Id, SystemModstamp FROM Opportunity WHERE SystemModstamp >= {iso_seconds(edge)} "
        f"AND SystemModstamp < {iso_seconds(company.start_us)} ORDER BY SystemModstamp ASC, Id ASC"
    )
    rows = company.world.salesforce["Opportunity"].values()
    want = sorted((r["SystemModstamp"], r["Id"]) for r in rows if edge <= r["SystemModstamp"] < company.start_us)
    assert [r["Id"] for r in found] == [row_id for _, row_id in want]
    assert found


def test_conditions_relationships_and_aggregates_are_understood(soql: Soql, company: Company) -> None:
    named = soql(
        "SELECT Id, Account.Name, Owner.Name, Account.Parent.Name FROM Opportunity WHERE (IsWon = true OR StageName LIKE 'Nego%') "
        "AND Account.Legal_Entity__c IN ('NW-DE', 'NW-US') AND NOT Bill_To__c != null AND CloseDate >= 2025-01-01 LIMIT 5"
    )
    assert len(named) == 5
    account = company.world.salesforce["Account"][company.world.salesforce["Opportunity"][named[0]["Id"]]["AccountId"]]
    assert named[0]["Account"]["Name"] == account["Name"]
    counts = soql("SELECT Legal_Entity__c, COUNT(Id) n FROM Opportunity GROUP BY Legal_Entity__c")
    assert sum(row["n"] for row in counts) == len(company.world.salesforce["Opportunity"])


def test_the_short_form_of_an_id_names_the_same_record(soql: Soql, company: Company) -> None:
    known = list(company.world.salesforce["Account"])[:2]
    short = ", ".join(f"'{row_id[:15]}'" for row_id in known)
    assert {r["Id"] for r in soql(f"SELECT Id FROM Account WHERE Id IN ({short})")} == set(known)
    assert len(soql(f"SELECT Id FROM Account a WHERE (a.Id = '{known[0][:15]}' OR Name = 'x')")) == 1


def test_query_hides_deleted_rows_and_query_all_and_the_deleted_list_show_them(
    web: httpx.Client, crm: dict[str, str], company: Company, soql: Soql
) -> None:
    row = next(r for r in company.world.salesforce["Opportunity"].values() if not r["IsDeleted"])
    row.update(IsDeleted=True, SystemModstamp=company.world.now_us - 3600 * 1_000_000)
    text = f"SELECT Id, IsDeleted FROM Opportunity WHERE Id = '{row['Id']}'"
    assert web.get(f"{DATA}/query", params={"q": text}, headers=crm).json()["totalSize"] == 0
    assert soql(text)[0]["IsDeleted"] is True
    window = {"start": iso_seconds(company.world.now_us - 86_400_000_000), "end": iso_seconds(company.world.now_us)}
    gone = web.get(f"{DATA}/sobjects/Opportunity/deleted/", params=window, headers=crm).json()
    assert row["Id"] in {record["id"] for record in gone["deletedRecords"]}


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("SELECT Id, Wrong__c FROM Account", "INVALID_FIELD"),
        ("SELECT Id, Wrong__c FROM Account WHERE Name = 'nobody has this name'", "INVALID_FIELD"),
        ("SELECT Id FROM Invoice", "INVALID_TYPE"),
        ("SELECT Id FROM Account WHERE", "MALFORMED_QUERY"),
        ("SELECT Id FROM Account WHERE SystemModstamp > '2026-11-01T00:00:00Z'", "INVALID_FIELD"),
        ("SELECT Id FROM Account ORDER Id", "MALFORMED_QUERY"),
        ("SELECT Id FROM Account WHERE Name = 'x' 'y'", "MALFORMED_QUERY"),
    ],
)
def test_a_wrong_statement_gets_the_vendors_code(web: httpx.Client, crm: dict[str, str], text: str, code: str) -> None:
    answered = web.get(f"{DATA}/query", params={"q": text}, headers=crm)
    assert (answered.status_code, answered.json()[0]["errorCode"]) == (400, code)


def test_an_unknown_locator_is_refused(web: httpx.Client, crm: dict[str, str]) -> None:
    answered = web.get(f"{DATA}/query/01gunknown-2000", headers=crm)
    assert answered.json()[0]["errorCode"] == "INVALID_QUERY_LOCATOR"


def test_a_wrong_secret_and_an_expired_session_are_refused(web: httpx.Client, crm: dict[str, str], app: App) -> None:
    wrong = web.post("/salesforce/services/oauth2/token", data={"grant_type": "client_credentials"}, auth=("x", "y"))
    assert (wrong.status_code, wrong.json()["error"]) == (400, "invalid_client")
    app.served.clock.step(3 * 3600)
    answered = web.get(f"{DATA}/limits", headers=crm)
    assert (answered.status_code, answered.json()[0]["errorCode"]) == (401, "INVALID_SESSION_ID")


def test_old_versions_warn_and_retired_ones_are_gone(web: httpx.Client, crm: dict[str, str]) -> None:
    assert web.get("/salesforce/services/data").json()[-1]["version"] == "66.0"
    assert "Warning" in web.get("/salesforce/services/data/v35.0/limits", headers=crm).headers
    assert web.get("/salesforce/services/data/v30.0/limits", headers=crm).status_code == 410


def test_the_allowance_is_told_and_refuses_when_used_up(
    web: httpx.Client, crm: dict[str, str], company: Company
) -> None:
    first = web.get(f"{DATA}/limits", headers=crm)
    assert first.headers["Sforce-Limit-Info"] == "api-usage=1/100000"
    inject(company.world, "P03", variant="quota")
    answers = [web.get(f"{DATA}/limits", headers=crm) for _ in range(250)]
    assert answers[0].json()["DailyApiRequests"]["Remaining"] < 10_000
    assert answers[-1].status_code == 403
    assert answers[-1].json()[0]["errorCode"] == "REQUEST_LIMIT_EXCEEDED"


def test_the_date_header_is_the_companys_own_time(web: httpx.Client, app: App) -> None:
    app.served.clock.step(3600)
    assert web.get("/salesforce/services/data").headers["Date"] == "Thu, 19 Nov 2026 15:00:00 GMT"
