"""Does the integration runtime answer in n8n's own shapes, and does it remember what it carried?"""

import httpx
import pytest

from probes.sandbox import App, Company, inject
from probes.sandbox.executions import RETENTION_US

KEY = {"X-N8N-API-KEY": "sandbox-n8n-key"}
PATH = "/n8n/api/v1/executions"


def read(web: httpx.Client, **parameters: str | int) -> list[dict[str, object]]:
    """Read all pages."""
    body = web.get(PATH, params=parameters, headers=KEY).json()
    found = list(body["data"])
    while body["nextCursor"]:
        body = web.get(PATH, params=parameters | {"cursor": body["nextCursor"]}, headers=KEY).json()
        found += body["data"]
    return found


def test_a_key_is_asked_for_and_checked(web: httpx.Client) -> None:
    assert web.get(PATH).json() == {"message": "'X-N8N-API-KEY' header required"}
    assert web.get(PATH, headers={"X-N8N-API-KEY": "wrong"}).status_code == 401
    assert web.get("/n8n/healthz").json() == {"status": "ok"}


def test_pages_of_any_size_show_every_run_once_newest_first(web: httpx.Client) -> None:
    whole = read(web, limit=250)
    ids = [int(str(run["id"])) for run in whole]
    assert ids == sorted(ids, reverse=True)
    assert len(ids) == len(set(ids)) > 100
    assert [run["id"] for run in read(web, limit=7)] == [run["id"] for run in whole]


@pytest.mark.parametrize("parameters", [{"limit": 251}, {"cursor": "nonsense"}, {"status": "odd"}])
def test_a_wrong_parameter_is_refused(web: httpx.Client, parameters: dict[str, str | int]) -> None:
    assert web.get(PATH, params=parameters, headers=KEY).status_code == 400


def test_a_failed_run_names_its_document_its_node_and_the_run_that_mended_it(
    web: httpx.Client, app: App, company: Company
) -> None:
    inject(company.world, "O03", entity="NW-DE")
    app.served.clock.step(1800)
    known = {str(run["id"]): run for run in read(web, status="error", includeData="true")}
    (refused,) = (e for e in company.journal.entries if e.fault == "O03" and e.kind == "exception")
    run = known[refused.external_id]
    assert run["customData"] == {
        "opportunity_id": refused.document, "legal_entity": "NW-DE", "revision": "1",
        "po_number": company.world.salesforce["Opportunity"][str(refused.document)]["PO_Number__c"],
    }  # fmt: skip
    data = run["data"]
    assert isinstance(data, dict)
    assert "422 validation" in data["resultData"]["error"]["message"]
    mended = [r for r in known.values() if r["retrySuccessId"]]
    assert all(web.get(f"{PATH}/{r['retrySuccessId']}", headers=KEY).json()["retryOf"] == r["id"] for r in mended)


def test_a_run_that_is_under_way_is_shown_as_running_and_old_ones_are_pruned(
    web: httpx.Client, app: App, company: Company
) -> None:
    inject(company.world, "E06", variant="hung", entity="NW-US")
    app.served.clock.step(3600)
    running = read(web, status="running")
    assert any(run["stoppedAt"] is None and "legal_entity" in dict(run["customData"]) for run in running)  # type: ignore[call-overload]
    oldest = read(web)[-1]["id"]
    app.served.clock.step(RETENTION_US / 1e6)
    assert web.get(f"{PATH}/{oldest}", headers=KEY).status_code == 404


def test_every_night_of_every_entity_has_one_run_whose_totals_agree(web: httpx.Client) -> None:
    runs = [dict(run["customData"]) for run in read(web, limit=250)]  # type: ignore[call-overload]
    nights = [data for data in runs if "business_date" in data]
    assert len(nights) >= 3 * 6
    assert len({(d["legal_entity"], d["business_date"]) for d in nights}) == len(nights)
    for data in nights:
        sources = {name: value for name, value in data.items() if ":source_" in name}
        assert {name.replace("source", "target"): value for name, value in sources.items()}.items() <= data.items()


def test_the_audits_of_a_ticket_say_who_changed_what(web: httpx.Client, company: Company) -> None:
    headers = {"Authorization": "Bearer sandbox-zendesk-token"}
    event = next(iter(company.world.zendesk["audit"].values()))
    shown = web.get(f"/zendesk/api/v2/tickets/{event['ticket_id']}/audits.json", headers=headers).json()["audits"]
    assert event["id"] in {audit["id"] for audit in shown}
    assert {audit["ticket_id"] for audit in shown} == {event["ticket_id"]}
    everything = web.get("/zendesk/api/v2/ticket_audits.json", params={"page[size]": 100}, headers=headers).json()
    assert len(everything["audits"]) == min(100, len(company.world.zendesk["audit"]))
