"""Does the Tryton connector see what was done in a real Tryton, when it was done, and nothing else?"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from typing import Any

import pytest

from probes.clock import to_us
from probes.errors import ProbeError, Reason
from probes.probe import Meter, Platform
from probes.record import Record
from tests.servers.tryton import Tryton

from . import erp as business
from .erp import Erp
from .watching import Connect, Watch

ENTITIES = {"1": "LAB-DE", "2": "LAB-JP"}


@pytest.fixture
def gmbh(tryton: Tryton) -> Erp:
    return Erp(tryton, "gmbh")


def settings(tryton: Tryton, **more: Any) -> dict[str, Any]:
    url = f"{tryton.url}/{tryton.database}"
    return {"vendor": "tryton", "url": url, "auth": {"key": "env:LAB_TRYTON_KEY"}, "entities": ENTITIES, **more}


@pytest.fixture
def platform(tryton: Tryton, connect: Connect, monkeypatch: pytest.MonkeyPatch) -> Platform:
    monkeypatch.setenv("LAB_TRYTON_KEY", tryton.probe_key)
    return connect("erp", **settings(tryton))


def by_id(records: Iterable[Record]) -> dict[str, Record]:
    return {record.id: record for record in records}


def test_the_server_says_who_it_is(platform: Platform) -> None:
    environment = platform.check(Meter())
    assert (environment.account, environment.version) == ("Lab GmbH, Lab KK", "8.2")
    assert environment.warnings == ()


def test_a_key_that_can_write_is_warned_of(tryton: Tryton, connect: Connect, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LAB_TRYTON_KEY", tryton.integration_key)
    (warning,) = connect("erp", **settings(tryton)).check(Meter()).warnings
    assert "can write account.invoice, account.move, party.party, sale.sale" in warning


def test_a_wrong_key_is_refused_as_such_though_the_answer_is_html(
    tryton: Tryton, connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LAB_TRYTON_KEY", "not-a-key-of-the-lab")
    with pytest.raises(ProbeError) as refused:
        connect("erp", **settings(tryton)).check(Meter())
    assert refused.value.reason is Reason.AUTH
    assert "not-a-key-of-the-lab" not in str(refused.value)


def test_an_order_is_seen_with_its_money_customer_entity_and_instant(gmbh: Erp, platform: Platform) -> None:
    party = business.customer(gmbh, "Seen GmbH", vat_id="DE123456788")
    order = business.order(gmbh, party, "006-SEEN", quantity=2)
    seen = by_id(Watch(platform, "sale").complete())[str(order.id)]
    assert (seen.kind, seen.number, seen.entity, seen.currency) == ("order", order.number, "LAB-DE", "EUR")
    assert (seen.status, seen.state) == ("processing", "open")
    assert seen.amounts == {"net": order.net_minor, "tax": order.tax_minor, "gross": order.gross_minor}
    assert seen.milestones["created"] == (to_us(order.created_at), to_us(order.created_at))
    assert seen.parties["sold_to"] == str(party)
    assert seen.attributes["reference"] == "006-SEEN"
    customer = by_id(Watch(platform, "party").complete())[str(party)]
    assert {name: customer.attributes[name] for name in ("name", "tax_id", "city", "postal_code")} == {
        "name": "Seen GmbH", "tax_id": "DE123456788", "city": "Berlin", "postal_code": "10115",
    }  # fmt: skip


def test_an_invoice_is_followed_from_draft_to_paid(gmbh: Erp, platform: Platform) -> None:
    invoices = Watch(platform, "invoice")
    order = business.order(gmbh, business.customer(gmbh, "Invoiced GmbH"), "006-INVOICED", quantity=3)
    (id,) = order.invoices
    draft = by_id(invoices.complete())[str(id)]
    assert (draft.state, draft.number, "posted" in draft.milestones) == ("draft", None, False)

    before = dt.datetime.now(dt.UTC)
    made = business.post_invoice(gmbh, id, "in_followed")
    posted = by_id(invoices.complete())[str(id)]
    assert (posted.state, posted.number) == ("open", made.number)
    assert posted.amounts == {
        "net": made.net_minor, "tax": made.tax_minor, "gross": made.gross_minor, "open": made.open_minor,
    }  # fmt: skip
    earliest, latest = posted.milestones["posted"]
    assert to_us(before) - 1_000_000 <= earliest == latest <= to_us(dt.datetime.now(dt.UTC))

    business.pay(gmbh, id, "pi_followed")
    paid = by_id(invoices.complete())[str(id)]
    assert (paid.state, paid.amounts["open"], paid.milestones["posted"]) == ("paid", 0, (earliest, latest))


def test_a_change_is_seen_by_its_own_stamp(gmbh: Erp, platform: Platform) -> None:
    party = business.customer(gmbh, "Before GmbH")
    parties = Watch(platform, "party")
    first = by_id(parties.complete())[str(party)]
    gmbh.write("party.party", party, name="After GmbH")
    second = by_id(parties.complete())[str(party)]
    assert (first.attributes["name"], second.attributes["name"]) == ("Before GmbH", "After GmbH")
    assert first.created_us == second.created_us
    assert first.changed_us is not None
    assert second.changed_us is not None
    assert second.changed_us > first.changed_us


def test_orders_are_found_by_reference_and_number_whatever_their_age(gmbh: Erp, platform: Platform) -> None:
    order = business.order(gmbh, business.customer(gmbh, "Found GmbH"), "006-FOUND")
    sales = Watch(platform, "sale")
    for by, value in (("reference", "006-FOUND"), ("number", order.number), ("id", str(order.id))):
        assert set(by_id(sales.complete(kind="read", by=by, values=[value]))) == {str(order.id)}
    assert sales.complete(kind="read", by="reference", values=["006-NOBODY"]) == []


def test_a_deleted_customer_is_missing_from_the_ids(gmbh: Erp, platform: Platform) -> None:
    kept, doomed = business.customer(gmbh, "Kept GmbH"), business.customer(gmbh, "Doomed GmbH")
    gmbh.call("DELETE", f"party.party/{doomed}")
    ids = {id for some in Watch(platform, "party").stream.ids(Meter()) for id in some}
    assert str(kept) in ids
    assert str(doomed) not in ids


def test_the_second_entitys_day_is_one_journal_entry(tryton: Tryton, platform: Platform) -> None:
    kk = Erp(tryton, "kk")
    on = kk.today()
    move = business.post_daily_summary(kk, on, business.customer(kk, "Receivables"), 250_000, f"SUM-LAB-JP-{on}")
    seen = by_id(Watch(platform, "move").complete())[str(move["id"])]
    assert (seen.kind, seen.entity, seen.currency, seen.state) == ("journal_entry", "LAB-JP", "JPY", "posted")
    assert seen.amounts["gross"] == 250_000
    assert seen.on["document"] == on.isoformat()
    assert seen.attributes["description"] == f"SUM-LAB-JP-{on}"


def test_cancelled_orders_are_cancelled(gmbh: Erp, platform: Platform) -> None:
    id = business.cancel_draft(gmbh, business.customer(gmbh, "Cancelled GmbH"), "006-CANCELLED")
    seen = by_id(Watch(platform, "sale").complete())[str(id)]
    assert seen.state == "cancelled"
    assert "cancelled" in seen.milestones
