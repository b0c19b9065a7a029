"""Does each fault write its truth, show through the APIs as it should, and go away when it is repaired?"""

from collections.abc import Callable
from typing import Any

import httpx
import pytest

from probes.sandbox import App, Company, inject, plan_demo, repair
from probes.sandbox.clock import HOUR_US, SECOND_US
from probes.sandbox.entities import BY_CODE
from probes.sandbox.faults import REGISTRY
from probes.sandbox.journal import Entry

from .conftest import START_AT
from .erp_client import Erp, sign_in

Soql = Callable[[str], list[dict[str, Any]]]


def of(company: Company, fault: str, kind: str | None = None) -> list[Entry]:
    """Return a fault's entries."""
    return [e for e in company.journal.entries if e.fault == fault and kind in (None, e.kind)]


def later(company: Company, app: App, hours: float) -> None:
    """Let time pass."""
    app.served.clock.step(hours * 3600)
    company.advance_to(app.served.clock.now_us())


def orders_of(web: httpx.Client, app: App, deal_id: str) -> list[dict[str, Any]]:
    """Return the ERP's orders of a deal, found as a careful reader would: by its purchase order number."""
    number = app.served.world.salesforce["Opportunity"][deal_id]["PO_Number__c"]
    columns = (
        "id, foreigntotal, custbody_sf_revision, TO_CHAR(createddate, 'YYYY-MM-DD\"T\"HH24:MI:SSTZH:TZM') AS created"
    )
    return sign_in(web, app).rows(
        f"SELECT {columns} FROM transaction WHERE type = 'SalesOrd' AND otherrefnum = '{number}'"
    )


def postings_of(web: httpx.Client, app: App, invoice_id: str) -> list[dict[str, Any]]:
    """Return the ERP's documents of an invoice, found by number."""
    number = app.served.world.stripe["invoice"][invoice_id]["number"]
    columns = "foreigntotal, netamount, taxtotal, BUILTIN.DF(currency) AS currency"
    where = f"UPPER(TRIM(otherrefnum)) LIKE '%{number}' OR tranid = '{number}'"
    return sign_in(web, app).rows(f"SELECT {columns} FROM transaction WHERE type = 'CustInvc' AND ({where})")


def test_a_lost_order_is_true_from_its_deadline_and_arrives_when_repaired(
    web: httpx.Client, app: App, company: Company
) -> None:
    (entry,) = inject(company.world, "O01", entity="NW-DE")
    assert entry.true_from_us == entry.due_us == company.start_us + 4 * HOUR_US
    deal = company.world.deals[entry.external_id]
    assert (entry.money_minor, entry.currency) == (deal.net_minor(), "EUR")
    later(company, app, 30)
    assert orders_of(web, app, entry.external_id) == []
    assert entry.external_id not in {line["key"] for line in company.world.log}
    (mended,) = repair(company.world, fault="O01")
    assert mended.repaired_us == company.world.now_us
    assert len(orders_of(web, app, entry.external_id)) == 1


@pytest.mark.parametrize("late_seconds", [1, 30, 5400])
def test_a_late_order_arrives_after_its_deadline_and_its_interval_ends_there(
    web: httpx.Client, app: App, company: Company, late_seconds: int
) -> None:
    (entry,) = inject(company.world, "O02", entity="NW-US", late_seconds=late_seconds)
    later(company, app, 8)
    (order,) = orders_of(web, app, entry.external_id)
    assert order["created"] > "2026-11-19T10:00:00-08:00"
    (after,) = of(company, "O02")
    assert (after.kind, after.repaired_us) == ("late", company.start_us + 4 * HOUR_US + late_seconds * SECOND_US)


def test_a_lost_amendment_leaves_the_former_revision_and_the_delta_is_the_money(
    web: httpx.Client, app: App, company: Company
) -> None:
    (entry,) = inject(company.world, "O10", entity="NW-DE")
    later(company, app, 6)
    deal = company.world.deals[entry.external_id]
    (order,) = orders_of(web, app, entry.external_id)
    assert int(order["custbody_sf_revision"]) == deal.row["Revision__c"] - 1
    assert round((float(deal.row["Amount"]) - float(order["foreigntotal"])) * 100) == entry.money_minor
    repair(company.world, entry_id=entry.id)
    assert float(orders_of(web, app, entry.external_id)[0]["foreigntotal"]) == float(deal.row["Amount"])


def test_a_lost_invoice_is_never_posted_until_repaired(web: httpx.Client, app: App, company: Company) -> None:
    (entry,) = inject(company.world, "I01", entity="NW-US")
    later(company, app, 40)
    assert postings_of(web, app, entry.external_id) == []
    assert entry.money_minor == company.world.stripe["invoice"][entry.external_id]["total"]
    repair(company.world, fault="I01")
    assert len(postings_of(web, app, entry.external_id)) == 1


def test_a_payment_of_a_lost_invoice_is_a_consequence_in_the_journal(app: App, company: Company) -> None:
    (entry,) = inject(company.world, "I01", entity="NW-DE")
    later(company, app, 24 * 45)
    consequences = [e for e in company.journal.entries if e.cause == entry.id]
    assert consequences
    assert all(e.object == "payment_intent" for e in consequences)
    assert sum(e.money_minor or 0 for e in consequences) == entry.money_minor
    repair(company.world, entry_id=entry.id)
    assert all(e.repaired_us is not None for e in company.journal.entries if e.cause == entry.id)


@pytest.mark.parametrize("variant", ["total", "tax", "currency"])
def test_an_altered_invoice_differs_by_exactly_the_journals_money(
    web: httpx.Client, app: App, company: Company, variant: str
) -> None:
    inject(company.world, "I02", entity="NW-DE", variant=variant)
    later(company, app, 1)
    (entry,) = of(company, "I02")
    (posted,) = postings_of(web, app, entry.external_id)
    billed = company.world.stripe["invoice"][entry.external_id]
    tax = billed["total_taxes"][0]["amount"]
    differences = {
        "total": round(float(posted["foreigntotal"]) * 100) - billed["total"],
        "tax": round(float(posted["taxtotal"]) * 100) - tax,
    }
    if variant == "currency":
        assert (entry.kind, posted["currency"]) == ("currency_differs", "USD")
        assert entry.money_minor == billed["total"]
    else:
        assert (entry.kind, differences[variant]) == ("amount_differs", entry.money_minor)
    repair(company.world, fault="I02")
    (mended,) = postings_of(web, app, entry.external_id)
    assert (round(float(mended["foreigntotal"]) * 100), mended["currency"]) == (
        billed["total"],
        billed["currency"].upper(),
    )


def test_a_lost_customer_blocks_its_documents_and_they_follow_when_it_comes(
    web: httpx.Client, app: App, company: Company
) -> None:
    (entry,) = inject(company.world, "M03", entity="NW-DE")
    later(company, app, 30)
    first, *consequences = of(company, "M03")
    assert {(e.platform, e.object) for e in consequences} == {("salesforce", "Opportunity"), ("stripe", "invoice")}
    assert all(e.cause == entry.id for e in consequences)
    assert first.money_minor == sum(e.money_minor or 0 for e in consequences)
    billed = [
        c
        for c in company.world.stripe["customer"].values()
        if entry.external_id[:15] in c["metadata"]["salesforce_account_id"]
    ]
    assert len(billed) == 1
    account = company.world.salesforce["Account"][entry.external_id]
    count = f"SELECT COUNT(*) AS n FROM customer WHERE companyname = '{account['Name']}'"
    assert sign_in(web, app).rows(count)[0]["n"] == "0"
    repair(company.world, entry_id=entry.id)
    assert sign_in(web, app).rows(count)[0]["n"] == "1"
    assert all(e.repaired_us is not None for e in of(company, "M03"))


@pytest.mark.parametrize(("variant", "column"), [("vat", "vatregnumber"), ("terms", "terms"), ("address", "billaddr1")])
def test_a_stale_attribute_differs_until_repaired(
    web: httpx.Client, app: App, company: Company, variant: str, column: str
) -> None:
    (entry,) = inject(company.world, "M05", entity="NW-DE", variant=variant)
    later(company, app, 30)
    customer = next(c for c in company.world.customers["NW-DE"] if c.id == entry.external_id)
    row_id = customer.netsuite["NW-DE"]["id"]
    before = sign_in(web, app).rows(f"SELECT {column} AS v FROM customer WHERE id = {row_id}")
    repair(company.world, fault="M05")
    after = sign_in(web, app).rows(f"SELECT {column} AS v FROM customer WHERE id = {row_id}")
    assert before != after
    assert next(iter(customer.stripe.values()))["metadata"]["vat_id"] == customer.account["VAT_Id__c"]


@pytest.mark.parametrize("flow", ["orders", "invoices"])
def test_a_dead_letter_is_an_exception_with_its_consequence(app: App, company: Company, flow: str) -> None:
    inject(company.world, "E01", flow=flow)
    later(company, app, 26)
    exception, consequence = of(company, "E01")
    assert (exception.kind, exception.object) == ("exception", "message")
    assert (consequence.kind, consequence.cause) == ("missing_in_target", exception.id)
    assert exception.money_minor == consequence.money_minor
    assert list(company.world.queues[f"{flow}.dlq"]) == [exception.external_id]
    steps = {line["step"] for line in company.world.log if line["message_id"] == exception.external_id}
    assert {"received", "dead_lettered"} <= steps
    repair(company.world, fault="E01")
    assert company.world.queues[f"{flow}.dlq"] == {}
    assert all(e.repaired_us is not None for e in of(company, "E01"))


@pytest.mark.parametrize("variant", ["503", "500", "502"])
def test_a_platform_that_is_down_answers_in_its_own_error_shape(
    web: httpx.Client, company: Company, variant: str
) -> None:
    inject(company.world, "P01", platform="salesforce", variant=variant)
    answered = web.get("/salesforce/services/data")
    assert answered.status_code == int(variant)
    assert answered.json()[0]["errorCode"] == "SERVER_UNAVAILABLE"
    assert web.get("/stripe/v1/balance", auth=("rk_live_sandbox_stripe", "")).status_code == 200
    repair(company.world, fault="P01")
    assert web.get("/salesforce/services/data").status_code == 200


def test_a_platform_comes_back_by_itself_after_its_seconds(web: httpx.Client, app: App, company: Company) -> None:
    (entry,) = inject(company.world, "P01", platform="stripe", variant="503", seconds=90)
    later(company, app, 0.05)
    assert web.get("/stripe/v1/balance", auth=("rk_live_sandbox_stripe", "")).status_code == 200
    assert company.journal.entries[entry.id - 1].repaired_us == company.start_us + 90 * SECOND_US


@pytest.mark.parametrize(
    ("platform", "path", "status"),
    [("zendesk", "/zendesk/api/v2/tickets.json", 429), ("stripe", "/stripe/v1/balance", 429)],
)
def test_a_limited_platform_refuses_with_its_own_status(
    web: httpx.Client, company: Company, platform: str, path: str, status: int
) -> None:
    inject(company.world, "P03", platform=platform)
    keys = {"zendesk": "sandbox-zendesk-token", "stripe": "rk_live_sandbox_stripe"}
    assert web.get(path, headers={"Authorization": f"Bearer {keys[platform]}"}).status_code == status


def test_a_limited_erp_refuses_for_concurrency(erp: Erp, company: Company) -> None:
    inject(company.world, "P03", platform="netsuite", calls=1)
    refused = erp.post("SELECT id FROM subsidiary")
    assert refused.json()["o:errorDetails"][0]["o:errorCode"] == "CONCURRENCY_LIMIT_EXCEEDED"
    assert erp.post("SELECT id FROM subsidiary").status_code == 200


def test_a_field_out_of_sight_fails_the_query_and_is_not_described(
    web: httpx.Client, crm: dict[str, str], company: Company
) -> None:
    inject(company.world, "P11", platform="salesforce", field="Opportunity.Amount")
    data = "/salesforce/services/data/v66.0"
    answered = web.get(f"{data}/query", params={"q": "SELECT Amount FROM Opportunity"}, headers=crm)
    assert answered.json()[0]["errorCode"] == "INVALID_FIELD"
    described = web.get(f"{data}/sobjects/Opportunity/describe", headers=crm).json()
    assert "Amount" not in {field["name"] for field in described["fields"]}


def test_rounding_is_one_minor_unit_and_silent(web: httpx.Client, app: App, company: Company) -> None:
    inject(company.world, "N01", entity="NW-DE")
    later(company, app, 1)
    (entry,) = of(company, "N01")
    (posted,) = postings_of(web, app, entry.external_id)
    billed = company.world.stripe["invoice"][entry.external_id]
    assert abs(round(float(posted["taxtotal"]) * 100) - billed["total_taxes"][0]["amount"]) == 1
    assert round(float(posted["netamount"]) * 100) == billed["total_excluding_tax"]


@pytest.mark.parametrize("flow", ["orders", "invoices"])
def test_what_is_in_flight_arrives_before_its_deadline(app: App, company: Company, flow: str) -> None:
    (entry,) = inject(company.world, "N02", flow=flow, entity="NW-US")
    deadline_us = company.start_us + (4 if flow == "orders" else 24) * HOUR_US
    company.advance_to(deadline_us - 16 * 60 * SECOND_US)
    found = company.world.deals.get(entry.external_id) or company.world.invoices.get(entry.external_id)
    assert found is not None
    assert not getattr(found, "orders", None)
    assert getattr(found, "erp", None) is None
    company.advance_to(deadline_us)
    assert getattr(found, "orders", None) or getattr(found, "erp", None)


@pytest.mark.parametrize(
    ("variant", "kind"), [("withdrawn", "withdrawn_everywhere"), ("test", "test_record"), ("zero", "zero_value")]
)
def test_what_is_withdrawn_a_test_or_free_is_never_handed_over(
    web: httpx.Client, app: App, company: Company, variant: str, kind: str
) -> None:
    known = set(company.world.deals)
    inject(company.world, "N06", variant=variant, entity="NW-DE")
    (deal_id,) = set(company.world.deals) - known
    later(company, app, 5)
    assert kind in {e.kind for e in of(company, "N06") if e.external_id == deal_id}
    orders = orders_of(web, app, deal_id)
    statuses = [company.world.netsuite["transaction"][int(order["id"])]["status"] for order in orders]
    assert statuses in ([], ["C"])
    live = [
        s
        for s in company.world.stripe["subscription"].values()
        if s["metadata"]["salesforce_opportunity_id"] == deal_id
    ]
    assert variant == "zero" or not [s for s in live if s["status"] == "active"]


def test_archived_deals_are_stamped_long_ago_in_their_own_period(company: Company) -> None:
    entries = inject(company.world, "N07", 5)
    for entry in entries:
        deal = company.world.deals[entry.external_id]
        assert deal.row["SystemModstamp"] < company.world.history_from_us
        (order,) = deal.orders.values()
        period = company.world.netsuite["accountingperiod"][order["postingperiod"]]
        assert period["startdate"] <= order["trandate"] <= period["enddate"]
    assert company.world.now_us == company.start_us


def test_a_bulk_load_has_one_actor_old_dates_and_orders_hours_later(soql: Soql, app: App, company: Company) -> None:
    (entry,) = inject(company.world, "N08", size=20, entity="NW-DE")
    where = f"WHERE CreatedById = '{entry.external_id}' AND CloseDate < 2026-06-01"
    assert len(soql(f"SELECT Id FROM Opportunity {where}")) == 20
    later(company, app, 5.9)
    loaded = [d for d in company.world.deals.values() if d.row["CreatedById"] == entry.external_id]
    assert not any(deal.orders for deal in loaded)
    later(company, app, 0.2)
    assert all(deal.orders for deal in loaded)


@pytest.mark.parametrize(
    ("variant", "kind"),
    [("reseller", "reseller"), ("child", "child_billed_through_parent"), ("currency", "several_ids")],
)
def test_several_ids_and_other_payers_are_normal(app: App, company: Company, variant: str, kind: str) -> None:
    before = len(company.journal.entries)
    inject(company.world, "N13", variant=variant)
    later(company, app, 5)
    assert kind in {e.kind for e in company.journal.entries[before:] if e.fault == "N13"}


def test_everything_can_be_planned_for_a_later_instant_and_nothing_then_proves_impossible(company: Company) -> None:
    for fault in REGISTRY:
        assert inject(company.world, fault, 2, company.start_us + HOUR_US) == []
    company.advance_to(company.start_us + 6 * 24 * HOUR_US)
    assert [e.note for e in company.journal.entries if e.kind == "not_injected"] == []
    assert {fault for fault in REGISTRY if len(of(company, fault)) < 2} == set()


@pytest.mark.parametrize("fault", [name for name in sorted(REGISTRY) if name.startswith("P")])
def test_a_platform_gets_well_by_repair_or_by_itself(fault: str, company: Company) -> None:
    inject(company.world, fault, 2, seconds=600)
    company.advance_to(company.start_us + 1000 * SECOND_US)
    assert company.journal.open_entries(fault) == []
    assert {name for name, ailing in company.world.conditions.items() if ailing} <= {"salesforce"}
    company.advance_to(company.start_us + 3 * HOUR_US)
    assert not any(company.world.conditions.values())
    assert not any(company.world.skews_us.values())


@pytest.mark.parametrize("fault", [name for name, spec in REGISTRY.items() if spec.silent])
def test_what_must_stay_silent_is_counted_and_never_open(fault: str, company: Company) -> None:
    before = len(of(company, fault))
    inject(company.world, fault, 2)
    company.advance_to(company.start_us + 40 * HOUR_US)
    assert len(of(company, fault)) >= before + 2
    assert company.journal.open_entries(fault) == []
    assert {e.kind for e in company.journal.open_entries() if e.fault is None} <= {"suspected_duplicate"}


@pytest.mark.parametrize(
    ("fault", "parameters", "message"),
    [
        ("X99", {}, "unknown fault"),
        ("O01", {"variant": "x"}, "takes no variant"),
        ("O01", {"entity": "NW-XX"}, "use one of NW-DE"),
        ("I02", {"variant": "colour"}, "use total, tax or currency"),
        ("I01", {"entity": "NW-JP"}, "is not possible here"),
        ("P01", {"platform": "sap"}, "use one of salesforce"),
    ],
)
def test_a_wrong_injection_says_what_to_write(
    company: Company, fault: str, parameters: dict[str, Any], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        inject(company.world, fault, **parameters)


@pytest.mark.parametrize("seconds", [-150, 150])
def test_a_failure_may_be_mended_just_before_or_just_after_its_deadline(seconds: int, company: Company) -> None:
    faults = ("O01", "O09", "I01", "I05", "I09", "M07", "S01", "S02", "C01", "O08", "L01")
    for fault in faults:
        inject(company.world, fault, mend_seconds=seconds)
        inject(company.world, fault, 1, company.start_us + HOUR_US, mend_seconds=seconds)
    company.advance_to(company.start_us + 100 * HOUR_US)
    for fault in faults:
        entries = [e for e in of(company, fault) if e.cause is None]
        assert [((e.repaired_us or 0) - (e.due_us or 0)) / SECOND_US for e in entries] == [seconds, seconds]


def test_a_fault_may_hit_whom_another_has_hit_already(company: Company) -> None:
    with pytest.raises(ValueError, match="inject one of them first"):
        inject(company.world, "O01", entity="NW-DE", customer="afflicted")
    (stale,) = inject(company.world, "M05", entity="NW-DE")
    (order,) = inject(company.world, "O01", entity="NW-DE", customer="afflicted")
    assert company.world.deals[order.external_id].customer.id == stale.external_id


def test_what_is_not_possible_yet_is_tried_again_later(company: Company) -> None:
    inject(company.world, "O01", 1, company.start_us + HOUR_US, entity="NW-DE", customer="afflicted")
    company.advance_to(company.start_us + 2 * HOUR_US)
    inject(company.world, "M05", entity="NW-DE")
    company.advance_to(company.start_us + 8 * HOUR_US)
    assert [entry.kind for entry in of(company, "O01")] == ["missing_in_target"]


def test_an_injection_into_the_past_is_refused(company: Company) -> None:
    with pytest.raises(ValueError, match="in the past"):
        inject(company.world, "O01", 1, company.start_us - HOUR_US)


def test_a_planned_injection_that_proves_impossible_is_written_down(company: Company) -> None:
    inject(company.world, "I02", 1, company.start_us + HOUR_US, variant="colour")
    company.advance_to(company.start_us + 2 * HOUR_US)
    assert [entry.kind for entry in of(company, "I02")] == ["not_injected"]
    assert "use total, tax or currency" in of(company, "I02")[0].note


def test_the_demo_has_old_failures_and_one_order_about_to_become_late() -> None:
    company = Company(7, START_AT, 10, 0.5)
    plan_demo(company.world, company.start_us)
    company.run_history()
    open_faults = {entry.fault for entry in company.journal.open_entries()}
    assert {"O01", "I01", "M03", "I02", "E01"} <= open_faults
    soon = [e for e in of(company, "O01") if e.due_us and e.due_us > company.start_us]
    assert len(soon) == 1
    assert 30 * SECOND_US <= (soon[0].due_us or 0) - company.start_us <= 90 * SECOND_US
    assert {e.entity for e in company.journal.open_entries()} <= set(BY_CODE)
