"""Does Tieout, configured as a company would, tell the truth about what truly happened on real platforms?

What is asserted comes from what the drivers did and from what the platforms then said of it, never from Tieout's own tables.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from zoneinfo import ZoneInfo

import pytest
import stripe

from console.run.workspace import Workspace
from metrics.queries.breaks import Trouble, breaks, exceptions
from metrics.queries.documents import Document, document
from metrics.sli import Figure, Filters, figures
from probes.clock import to_us

from . import billing as shop
from . import broker
from . import erp as ledger
from .company import DE, JP, Company, cycle, settled, summary_name

HOUR = dt.timedelta(hours=1)


@pytest.fixture
def workspace(company: Company) -> Iterator[Workspace]:
    at = dt.datetime.now(dt.UTC) - 30 * HOUR
    company.crm.account("001-ACME", "Acme GmbH", DE, at)
    company.crm.deal("006-LOST", "001-ACME", DE, "10.00", "EUR", "Lost", at)
    with company.watched() as opened:
        yield opened


def figure(workspace: Workspace, name: str, entity: str = DE) -> Figure:
    with workspace.store.read() as conn:
        (found,) = figures(conn, workspace.model, workspace.now_us(), Filters(entity=entity), [name])
    return found


def shown(workspace: Workspace, platform: str, kind: str, external_id: str) -> Document:
    with workspace.store.read() as conn:
        found = document(conn, platform, kind, external_id, workspace.now_us())
    assert found is not None
    return found


def counts(found: Figure) -> dict[str, int]:
    return {"good": found.good, "bad": found.bad, "pending": found.pending, "blind": found.blind}


def test_orders_on_time_late_missing_and_still_due_are_told_apart(company: Company, workspace: Workspace) -> None:
    now = dt.datetime.now(dt.UTC)
    party = ledger.customer(company.erp, "Acme GmbH", code="001-ACME")
    for id, amount, won in (
        ("TIMELY", "98.00", 1),
        ("LATE", "147.00", 6),
        ("MISSING", "196.00", 6),
        ("DUE", "49.00", 2),
    ):
        company.crm.deal(f"006-{id}", "001-ACME", DE, amount, "EUR", "Won", now - won * HOUR)
    timely = ledger.order(company.erp, party, "006-TIMELY", quantity=2)
    late = ledger.order(company.erp, party, "006-LATE", quantity=3)
    settled(company, workspace)

    latency = figure(workspace, "order_latency")
    assert counts(latency) == {"good": 1, "bad": 2, "pending": 1, "blind": 0}
    assert latency.money["bad"] == {"EUR": 14_700 + 19_600}
    assert latency.status == "missed"
    for order, deal, won_at in ((timely, "006-TIMELY", now - HOUR), (late, "006-LATE", now - 6 * HOUR)):
        moments = shown(workspace, "crm", "opportunity", deal).timeline
        story = [(m.platform, m.what, m.at_us) for m in moments if m.how == "stamp"]
        won_us = to_us(won_at.replace(microsecond=0))
        assert ("crm", "won", won_us) in story
        assert ("erp", "created", to_us(order.created_at)) in story
        assert story == sorted(story, key=lambda moment: moment[2])


def test_an_overdue_order_reaches_both_sinks_once_and_is_called_off_when_it_arrives(
    company: Company, workspace: Workspace
) -> None:
    now = dt.datetime.now(dt.UTC)
    party = ledger.customer(company.erp, "Acme GmbH", code="001-ACME-2")
    company.crm.account("001-ACME-2", "Acme GmbH", DE, now - 30 * HOUR)
    ledger.order(company.erp, party, "006-OTHER")
    company.crm.deal("006-OTHER", "001-ACME-2", DE, "49.00", "EUR", "Won", now - HOUR)
    company.crm.deal("006-OVERDUE", "001-ACME-2", DE, "1960.00", "EUR", "Won", now - 6 * HOUR)
    settled(company, workspace)
    told = [str(message) for message in company.slack.messages if "006-OVERDUE" in str(message)]
    mailed = [mail for mail in company.mail.mails if "006-OVERDUE" in mail.text]
    assert (len(told), len(mailed)) == (1, 1), (company.slack.messages, [m.text for m in company.mail.mails])
    assert company.slack.refused == []
    for text in (told[0], mailed[0].text):
        assert "1,960.00" in text
        assert "Acme GmbH" in text
        assert f"http://127.0.0.1:{company.port}/" in text
    assert mailed[0].recipients == ("finance@lab.example",)

    cycle(workspace)
    assert len([m for m in company.slack.messages if "006-OVERDUE" in str(m)]) == 1  # nothing new, nothing said

    order = ledger.order(company.erp, party, "006-OVERDUE", quantity=40)
    assert order.net_minor == 196_000
    settled(company, workspace)
    assert counts(figure(workspace, "order_latency"))["bad"] == 1  # late is late
    assert "resolved" in str(company.slack.messages[-1]).lower()
    assert "resolved" in str(company.mail.mails[-1].message["Subject"]).lower() + company.mail.mails[-1].text.lower()


def test_invoices_tie_out_or_the_difference_is_named(company: Company, workspace: Workspace) -> None:
    at = dt.datetime.now(dt.UTC) - 30 * HOUR
    company.crm.account("001-BILLED", "Billed GmbH", DE, at)
    party = ledger.customer(company.erp, "Billed GmbH", code="001-BILLED")
    customer = shop.customer(company.billing, "Billed GmbH", "001-BILLED")
    plan = shop.plan(company.billing, "seat-e2e", 4_900, "eur")
    tax = shop.tax_rate(company.billing, 19)
    billed = {}
    for name, quantity, in_erp in (("SAME", 3, 3), ("LESS", 4, 2), ("NONE", 5, 0)):
        shop.subscribe(company.billing, customer, plan, quantity, DE, f"006-{name}", tax)
        billed[name] = shop.assign(company.billing, shop.invoices(company.billing, customer)[0].id, DE)
        if in_erp:
            (drafted,) = ledger.order(company.erp, party, f"006-{name}", quantity=in_erp).invoices
            posted = ledger.post_invoice(company.erp, drafted, reference=billed[name].id)
            assert (posted.gross_minor == billed[name].total) == (name == "SAME")
    settled(company, workspace)

    sync = figure(workspace, "invoice_sync_success")
    assert (sync.good, sync.good + sync.bad + sync.pending) == (1, 3)
    same = shown(workspace, "billing", "invoice", billed["SAME"].id)
    assert same.breaks == []
    assert ("erp", "posted") in {(moment.platform, moment.what) for moment in same.timeline}
    less = shown(workspace, "billing", "invoice", billed["LESS"].id)
    gross = {b.field: (b.kind, b.expected, b.actual) for b in less.breaks}["gross"]
    assert gross[0] == "amount_differs"
    assert billed["LESS"].total == 23_324
    with workspace.store.read() as conn:
        open_breaks = breaks(conn)
    assert {b.subject.external_id for b in open_breaks.items if b.subject and b.field == "gross"} == {billed["LESS"].id}


def test_dead_letters_are_an_exception_until_their_replay_shows_in_the_erp(
    company: Company, workspace: Workspace
) -> None:
    company.crm.deal("006-DEAD", "001-ACME", DE, "49.00", "EUR", "Won", dt.datetime.now(dt.UTC) - HOUR)
    broker.declare(company.broker, "e2e.orders")
    broker.publish(
        company.broker, "e2e.orders", [(f"dead-{number}", {"opportunity_id": "006-DEAD"}) for number in range(2)]
    )
    broker.reject(company.broker, "e2e.orders", 2)
    cycle(workspace)
    (dead,) = about_dead(workspace)
    assert (dead.platform, dead.attempts, dead.money_minor, dead.currency) == ("middleware", 2, 49_00, "EUR")
    broker.replay(company.broker, "e2e.orders")
    cycle(workspace)
    (replayed,) = about_dead(workspace)
    assert replayed.closed_us is None  # that it was sent again proves nothing
    party = ledger.customer(company.erp, "Dead Letter GmbH", code="001-DEAD")
    ledger.order(company.erp, party, "006-DEAD", quantity=1)
    settled(company, workspace)
    (handled,) = about_dead(workspace)
    assert handled.closed_us is not None
    assert handled.message == dead.message


def about_dead(workspace: Workspace) -> list[Trouble]:
    """Return every exception, open and closed, about the deal whose messages died."""
    with workspace.store.read() as conn:
        listed = exceptions(conn, open_only=False).items
    return [each for each in listed if each.document is not None and each.document.external_id == "006-DEAD"]


def billed_in_japan(company: Company, quantities: tuple[int, ...]) -> tuple[list[stripe.Invoice], dt.date]:
    """Bill one customer of the second entity several times. Returns: the invoices and the day there."""
    customer = shop.customer(company.billing, "Nippon KK", "001-NIPPON")
    company.crm.account("001-NIPPON", "Nippon KK", JP, dt.datetime.now(dt.UTC) - 30 * HOUR)
    plan = shop.plan(company.billing, "seat-jpy", 5_000, "jpy")
    made = []
    for quantity in quantities:
        shop.subscribe(company.billing, customer, plan, quantity, JP, f"006-JP-{quantity}")
        newest = shop.invoices(company.billing, customer)[0]
        made.append(shop.assign(company.billing, newest.id, JP))
    assert made[0].status_transitions.finalized_at is not None
    return made, dt.datetime.fromtimestamp(made[0].status_transitions.finalized_at, ZoneInfo("Asia/Tokyo")).date()


def post_day(company: Company, on: dt.date, total: int) -> str:
    """Post the day in the ERP as one journal entry. Returns: its id."""
    party = ledger.customer(company.erp_jp, "Receivables of the day")
    name = summary_name(company.port, entity=JP, currency="JPY", date=on.isoformat())
    return str(ledger.post_daily_summary(company.erp_jp, on, party, total, name)["id"])


def test_a_day_posted_in_one_journal_entry_proves_its_invoices_when_it_ties(
    company: Company, workspace: Workspace
) -> None:
    invoices, on = billed_in_japan(company, (1, 2))
    entry = post_day(company, on, sum(invoice.total for invoice in invoices))
    settled(company, workspace)

    head = shown(workspace, "erp", "journal_entry", entry).head
    assert (head.entity, head.currency, head.gross_minor, head.state) == (JP, "JPY", 15_000, "posted")
    assert counts(figure(workspace, "invoice_sync_success", JP)) == {"good": 2, "bad": 0, "pending": 0, "blind": 0}


def test_a_day_that_does_not_tie_names_the_one_invoice_that_explains_it(company: Company, workspace: Workspace) -> None:
    invoices, on = billed_in_japan(company, (1, 2, 4))
    post_day(company, on, sum(invoice.total for invoice in invoices) - 10_000)
    settled(company, workspace)
    company.clock.passed += 25 * HOUR
    cycle(workspace)

    sync = figure(workspace, "invoice_sync_success", JP)
    assert counts(sync) == {"good": 2, "bad": 1, "pending": 0, "blind": 0}, sync.reasons
    assert sync.money["bad"] == {"JPY": 10_000}
