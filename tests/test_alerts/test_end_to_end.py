"""From records on two platforms to messages in two channels, through the real store, polls, verdicts and rules."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from alerts import queries
from alerts.outbox import deliver, requeue
from alerts.settings import AlertSettings
from metrics.store import Store
from probes.clock import DAY, HOUR, MINUTE
from probes.errors import ProbeError, Reason
from probes.record import Record, Reference
from tests.servers.slack import SlackSink
from tests.servers.smtp import SmtpSink

from .build import NOW, Hands
from .company import DAY_BEFORE, Company

DUE = NOW + 4 * HOUR


@pytest.fixture
def wired(slack_sink: SlackSink, smtp_sink: SmtpSink, monkeypatch: pytest.MonkeyPatch) -> AlertSettings:
    """Return settings with default rules and both channels."""
    monkeypatch.setenv("TIEOUT_TEST_SLACK", slack_sink.url)
    return AlertSettings.model_validate(
        {
            "public_url": "https://tieout.example/",
            "channels": {
                "ops": {"kind": "slack", "webhook": "env:TIEOUT_TEST_SLACK"},
                "mail": {"kind": "email", "host": "127.0.0.1", "port": smtp_sink.port, "tls": "none",
                         "from": "tieout@example.org", "to": ["desk@example.org"]},
            },
        }
    )  # fmt: skip


def watched(store: Store, settings: AlertSettings) -> Company:
    """Return a company that has been watched since the day before NOW, quietly."""
    made = Company(store, settings)
    made.cycle(DAY_BEFORE)
    made.cycle(NOW - MINUTE)
    return made


@pytest.fixture
def company(store: Store, wired: AlertSettings) -> Company:
    """Return such a company on SQLite."""
    return watched(store, wired)


def send(company: Company, at_us: int) -> None:
    """Deliver what is queued."""
    deliver(company.store, company.settings, at_us, clock=Hands(at_us))


def headlines(sink: SlackSink) -> list[str]:
    """Return the headlines that arrived in Slack."""
    return [m["blocks"][0]["text"]["text"] for m in sink.messages]


def opened(company: Company) -> list[queries.AlertView]:
    """Return the open alerts."""
    with company.store.read() as conn:
        return queries.open_alerts(conn)


def test_a_won_order_that_never_reaches_the_erp_is_told_at_its_deadline_and_over_when_it_arrives(
    any_store: Store, wired: AlertSettings, slack_sink: SlackSink, smtp_sink: SmtpSink
) -> None:
    company = watched(any_store, wired)
    company.win("006A", NOW)
    before = company.run(NOW, DUE - MINUTE, HOUR)
    assert sum(s.messages for s in before) == 0
    company.cycle(DUE + MINUTE)
    send(company, DUE + MINUTE)
    (alert,) = opened(company)
    assert (alert.rule, alert.flow, alert.step, alert.entity) == (
        "overdue_document",
        "quote_to_order",
        "ordered",
        "NW-DE",
    )
    assert (alert.document_count, alert.lost, alert.late) == (1, {"EUR": 120_000}, {})
    assert alert.first is not None
    assert (alert.first.external_id, alert.first.link) == ("006A", "https://crm.example/opportunity/006A")
    text = smtp_sink.mails[0].text
    assert "€1,200.00 lost" in text
    assert "What to do:" in text
    assert f"https://tieout.example/alerts?alert={alert.id}" in text
    assert "https://crm.example/opportunity/006A" in text

    company.deliver("006A", DUE + HOUR)
    company.run(DUE + HOUR + MINUTE, DUE + 2 * HOUR)
    send(company, DUE + 2 * HOUR)
    title = "Overdue: Quote to order: Order in the ERP (NW-DE)"
    assert headlines(slack_sink) == [f"New: {title}, 1 document, €1,200.00 lost", f"Resolved: {title}"]
    assert opened(company) == []
    roots = {m.message["References"] for m in smtp_sink.mails}
    assert len(roots) == 1


def test_documents_from_before_the_watch_began_never_alert(store: Store, wired: AlertSettings) -> None:
    company = Company(store, wired)
    for n in range(30):
        company.win(f"H{n}", DAY_BEFORE - 10 * DAY + n * HOUR)
    summaries = [company.cycle(DAY_BEFORE + n * HOUR) for n in range(5)]
    assert sum(s.messages for s in summaries) == 0
    assert opened(company) == []


def test_an_erp_that_cannot_be_read_raises_its_own_alert_and_makes_no_order_overdue(
    company: Company, slack_sink: SlackSink
) -> None:
    company.win("006A", NOW)
    company.run(NOW, NOW + HOUR)
    company.streams["order"].broken = ProbeError(
        Reason.SERVER, "the server answered 503", platform="erp", stream="order"
    )
    company.run(NOW + HOUR + 10 * MINUTE, DUE + 2 * HOUR)
    assert [a.rule for a in opened(company)] == ["platform_down"]
    company.streams["order"].broken = None
    company.deliver("006A", NOW + 2 * HOUR)
    company.run(DUE + 2 * HOUR + 10 * MINUTE, DUE + 3 * HOUR)
    send(company, DUE + 3 * HOUR)
    assert headlines(slack_sink) == ["New: Platform erp cannot be read", "Resolved: Platform erp cannot be read"]


def test_an_overdue_alert_is_held_while_the_erp_cannot_be_read(company: Company) -> None:
    company.win("006A", NOW)
    company.run(NOW, DUE + 10 * MINUTE)
    assert [a.rule for a in opened(company)] == ["overdue_document"]
    company.deliver("006A", DUE + 20 * MINUTE)
    company.streams["order"].broken = ProbeError(Reason.CUT, "the connection was cut", platform="erp", stream="order")
    company.run(DUE + 20 * MINUTE, DUE + 3 * HOUR)
    assert {a.rule for a in opened(company)} == {"overdue_document", "platform_down"}
    company.streams["order"].broken = None
    company.run(DUE + 3 * HOUR + 10 * MINUTE, DUE + 4 * HOUR)
    assert opened(company) == []


def test_a_restart_between_cycles_tells_nothing_anew(company: Company) -> None:
    company.win("006A", NOW)
    company.run(NOW, DUE + 10 * MINUTE)
    again = Company.__new__(Company)
    again.__dict__ = {
        **company.__dict__,
        "store": Store.open(company.store.engine.url.render_as_string(hide_password=False)),
    }
    assert sum(s.messages for s in again.run(DUE + 20 * MINUTE, DUE + 2 * HOUR)) == 0
    again.store.close()


def test_the_number_in_an_alert_is_the_number_of_documents_listed(company: Company) -> None:
    for n in range(25):
        company.win(f"006{n:02}", NOW + n * MINUTE, net=1000 * (n + 1))
    company.run(NOW, DUE + HOUR, HOUR)
    overdue = next(a for a in opened(company) if a.rule == "overdue_document")
    with company.store.read() as conn:
        listed = queries.members(conn, overdue.id)
    assert len(listed) == overdue.document_count == 25
    assert overdue.lost == {"EUR": sum(m.member.money_minor or 0 for m in listed)} == {"EUR": 325_000}


def test_many_bad_orders_burn_the_budget_too_fast_and_name_their_documents(company: Company) -> None:
    for n in range(6):
        company.win(f"006{n}", NOW + n * MINUTE)
    company.run(NOW, DUE + 20 * MINUTE)
    burning = [a for a in opened(company) if a.rule == "burn_rate" and a.sli == "order_latency"]
    assert {a.severity for a in burning} == {"critical", "warning"}
    assert all(a.document_count == 6 for a in burning)


def test_a_dead_letter_is_told_with_the_document_it_stops_and_over_when_the_target_shows_it(company: Company) -> None:
    company.win("006A", NOW)
    letters = company.streams["message"].records
    letters["M1"] = Record(
        "message", "M1", created_us=NOW, changed_us=NOW, status="rejected", attributes={"name": "customer is on hold"},
        references=(Reference("about", "crm/opportunity/id=006A"),),
    )  # fmt: skip
    company.run(NOW + MINUTE, NOW + HOUR)
    (alert,) = opened(company)
    assert (alert.rule, alert.platform, alert.lost) == ("exceptions", "bus", {"EUR": 120_000})
    assert alert.first is not None
    assert (alert.first.external_id, alert.first.customer) == ("006A", "Müller & Söhne")
    assert alert.details == (("First message", "customer is on hold"),)
    letters["M1"] = replace(letters["M1"], deleted=True, changed_us=NOW + HOUR)
    company.run(NOW + HOUR + MINUTE, NOW + 2 * HOUR)
    assert [a.rule for a in opened(company)] == ["exceptions"], "that a message has gone proves nothing"
    company.deliver("006A", NOW + 2 * HOUR)
    company.run(NOW + 2 * HOUR + MINUTE, NOW + 3 * HOUR)
    assert opened(company) == []


def test_a_channel_that_is_broken_is_told_on_the_other_and_over_when_it_delivers_again(
    company: Company, slack_sink: SlackSink, smtp_sink: SmtpSink
) -> None:
    company.win("006A", NOW)
    company.run(NOW, DUE + MINUTE, HOUR)
    slack_sink.fail(404, "no_service")
    send(company, DUE + MINUTE)
    company.cycle(DUE + 2 * MINUTE)
    send(company, DUE + 2 * MINUTE)
    subjects = [m.message["Subject"] for m in smtp_sink.mails]
    assert subjects[1:] == ["[Tieout] Channel ops does not deliver"]
    assert slack_sink.messages == [], "a broken channel is not told about itself"
    assert requeue(company.store, "ops", DUE + 3 * MINUTE) == 1
    send(company, DUE + 3 * MINUTE)
    company.cycle(DUE + 4 * MINUTE)
    send(company, DUE + 4 * MINUTE)
    assert smtp_sink.mails[-1].text.startswith("Resolved: Channel ops does not deliver")
    assert len(slack_sink.messages) == 1


def test_one_bad_order_alone_burns_nothing(company: Company) -> None:
    company.win("006A", NOW)
    company.run(NOW, DUE + HOUR)
    assert [a.rule for a in opened(company)] == ["overdue_document"]
