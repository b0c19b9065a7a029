"""Does the driver of the real ERP do what it says, so that Tieout can be measured against it?"""

from __future__ import annotations

import datetime as dt

import pytest

from tests.servers.tryton import Tryton

from . import erp as business
from .erp import Erp, RestError


@pytest.fixture
def gmbh(tryton: Tryton) -> Erp:
    return Erp(tryton, "gmbh")


@pytest.fixture
def kk(tryton: Tryton) -> Erp:
    return Erp(tryton, "kk")


def test_an_order_goes_all_the_way_to_a_paid_invoice(gmbh: Erp) -> None:
    before = dt.datetime.now(dt.UTC)
    order = business.order(gmbh, business.customer(gmbh, "Acme GmbH"), "OPP-1", quantity=3)
    assert (order.net_minor, order.tax_minor, order.gross_minor) == (14_700, 2_793, 17_493)
    assert order.reference == "OPP-1"
    assert before - dt.timedelta(seconds=1) <= order.created_at <= dt.datetime.now(dt.UTC)
    (drafted,) = order.invoices
    assert business.invoice(gmbh, drafted).number is None
    posted = business.post_invoice(gmbh, drafted, "in_1")
    assert (posted.state, posted.gross_minor, posted.open_minor) == ("posted", 17_493, 17_493)
    assert posted.number
    paid = business.pay(gmbh, drafted, "pi_1")
    assert (paid.state, paid.open_minor) == ("paid", 0)
    assert business.order_state(gmbh, order.id) == "done"


def test_an_order_can_be_cancelled_before_it_is_confirmed(gmbh: Erp) -> None:
    id = business.cancel_draft(gmbh, business.customer(gmbh, "Fickle GmbH"), "OPP-2")
    assert business.order_state(gmbh, id) == "cancelled"


def test_the_second_entity_posts_a_day_in_one_journal_entry(kk: Erp) -> None:
    on = kk.today()
    party = business.customer(kk, "Daily receivables")
    move = business.post_daily_summary(kk, on, party, 1_234_567, f"SUM-KK-JPY-{on}")
    assert move["state"] == "posted"
    assert move["number"]
    assert move["description"] == f"SUM-KK-JPY-{on}"
    assert move["company"] == kk.facts["company"]
    lines = kk.find("account.move.line", [["move", "=", move["id"]]], ["debit", "credit"])
    assert sum(line["debit"] for line in lines) == sum(line["credit"] for line in lines) == 1_234_567


def test_the_probe_sees_both_entities_and_may_write_nothing(tryton: Tryton, gmbh: Erp) -> None:
    probe = Erp(tryton, "gmbh", key=tryton.probe_key)
    party = business.customer(gmbh, "Seen by the probe")
    business.order(gmbh, party, "OPP-3")
    assert probe.find("sale.sale", [["reference", "=", "OPP-3"]], ["state"])[0]["state"] == "processing"
    companies = {row["company"] for row in probe.find("account.fiscalyear", [], ["company"])}
    assert companies == {tryton.facts["gmbh"]["company"], tryton.facts["kk"]["company"]}
    with pytest.raises(RestError, match=r"40[03]"):
        probe.write("party.party", party, name="Changed by the probe")
    with pytest.raises(RestError, match="401"):
        Erp(tryton, "gmbh", key="not-a-key").find("party.party", [], ["name"])
