"""How well platforms are seen, where differences stand, what changed, and the funnel: over the same store."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from sqlalchemy import Connection, insert, update

from console.web.context import Console
from metrics.past import Past, PlannedStep, past_of
from metrics.queries.behind import behind
from metrics.queries.breaks import break_counts, breaks, exceptions
from metrics.queries.changes import changes, outages
from metrics.queries.choices import entities, platforms, segments
from metrics.queries.flows import funnel, hops, instances, states
from metrics.queries.narrow import Narrow
from metrics.queries.platforms import platforms as platforms_health
from metrics.queries.platforms import poll_runs, quarantined, quota, streams_health, unseen
from metrics.risk import LateDocument, late, risk
from metrics.sli import Filters, figures
from metrics.tables import PollRun, StreamRow, table
from probes.clock import DAY, HOUR, MINUTE, SECOND
from tests.test_console_web.company import NOW, build
from tests.test_console_web.conftest import built


@pytest.fixture(scope="module", params=["sqlite", "postgres"])
def made(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Console]:
    with built(request, tmp_path_factory) as console:
        yield console


@pytest.fixture
def conn(made: Console) -> Iterator[Connection]:
    with made.store.read() as connection:
        yield connection


def test_a_stream_says_how_far_it_is_known_and_why_its_poll_failed(conn: Connection) -> None:
    found = {(s.platform, s.stream): s for s in streams_health(conn, NOW)}
    fresh, dead = found["crm", "opportunity"], found["support", "case"]
    assert (fresh.state, fresh.lag_us, fresh.expected_us) == ("seen", 30 * SECOND, 90 * SECOND)
    assert (dead.state, dead.watermark_us, dead.failures) == ("failing", None, 2)
    assert dead.last is not None
    assert (dead.last.status, dead.last.reason) == ("failed", "server_error")
    assert list(unseen(list(found.values()))) == ["support"]


def test_green_expires_when_nothing_was_polled_for_long(conn: Connection) -> None:
    assert {s.state for s in streams_health(conn, NOW + HOUR)} == {"stale", "failing"}


def test_a_platform_is_as_well_as_its_worst_stream(conn: Connection) -> None:
    found = {p.name: p for p in platforms_health(conn, NOW)}
    assert {n: p.state for n, p in found.items()} == {
        "billing": "seen",
        "crm": "seen",
        "erp": "seen",
        "support": "failing",
    }
    assert found["support"].watermark_us is None
    assert found["crm"].watermark_us == NOW - 30 * SECOND
    assert found["crm"].skew_us == 400_000


@dataclass(frozen=True)
class Point:
    started_us: int
    quota_used: int
    quota_limit: int = 1000
    quota_reset_us: int | None = None


@pytest.mark.parametrize(
    ("points", "runs_out"),
    [
        ([Point(0, 100), Point(10 * MINUTE, 200)], 90 * MINUTE),
        ([Point(0, 100), Point(10 * MINUTE, 200, quota_reset_us=80 * MINUTE)], None),
        ([Point(0, 900), Point(MINUTE, 10), Point(11 * MINUTE, 20)], 11 * MINUTE + 980 * MINUTE),
        ([Point(0, 100), Point(10 * MINUTE, 100)], None),
        ([Point(0, 100)], None),
    ],
)
def test_a_quota_runs_out_at_the_pace_since_its_last_reset(points: list[Point], runs_out: int | None) -> None:
    found = quota(points, 20 * MINUTE)
    assert found is not None
    assert found.exhausted_us == runs_out


def test_a_platform_that_tells_no_quota_has_none() -> None:
    assert quota([], NOW) is None


def test_poll_runs_and_held_rows_are_listed_with_their_reason(conn: Connection) -> None:
    assert poll_runs(conn, status="failed").total == 2
    assert {r.platform for r in poll_runs(conn, platform="crm").items} == {"crm"}
    assert [(h.platform, h.external_id, h.reason, h.seen_count) for h in quarantined(conn)] == [
        ("billing", "in_9", "bad_amount", 2)
    ]
    assert quarantined(conn, platform="crm") == []


def test_counts_of_differences_equal_the_list(conn: Connection) -> None:
    counts = break_counts(conn)
    assert sum(c.count for c in counts) == breaks(conn).total
    for count in counts:
        assert breaks(conn, kind=count.kind, check=count.check_name).total == count.count
    differs = breaks(conn, kind="amount_differs").items
    assert [(b.subject.external_id if b.subject else None, b.expected, b.actual, b.money_minor) for b in differs] == [
        ("in_3", "238000", "238100", 100)
    ]


def test_differences_and_exceptions_can_be_narrowed(made: Console, conn: Connection) -> None:
    one = Narrow(customer_id=made.model.customer("crm", "A1"))
    assert {b.subject.external_id for b in breaks(conn, one).items if b.subject} == {"in_2", "D02"}
    assert breaks(conn, Narrow(entity="NW-US")).total == 1
    assert breaks(conn, Narrow(platform="support")).total == 0
    assert exceptions(conn, Narrow(platform="erp")).total == 1
    assert exceptions(conn, one, kind="dead_letter").total == 1
    assert exceptions(conn, Narrow(entity="NW-JP")).total == 0


def test_each_bar_of_the_funnel_has_as_many_documents_and_the_first_step_has_all(
    made: Console, conn: Connection
) -> None:
    flow = made.model.flows["quote_to_order"]
    steps = funnel(conn, flow.name, [s.name for s in flow.steps])
    assert steps[0].counts == {"done": 8}
    for step in steps:
        for state, count in step.counts.items():
            assert instances(conn, flow.name, step=step.step, step_state=state).total == count
    lost = steps[1].money["lost"]
    assert lost == {"EUR": 250_050 + 15_000, "USD": 99_999}


def test_the_most_urgent_documents_come_first_and_states_count_them(conn: Connection) -> None:
    found = instances(conn, "quote_to_order")
    assert [i.state for i in found.items][:3] == ["lost"] * 3
    counts = states(conn)["quote_to_order"]
    assert counts == {s: sum(i.state == s for i in found.items) for s in counts}
    assert found.total == sum(counts.values())


def test_latency_is_over_completed_documents_with_the_others_beside(conn: Connection) -> None:
    (hop,) = [h for h in hops(conn, "quote_to_order", ["won", "ordered"]) if h.step == "ordered"]
    assert (hop.done_count, hop.waiting_count) == (4, 4)
    assert hop.p50_us == 45 * MINUTE
    daily = hops(conn, "quote_to_order", ["ordered"], bucket_us=DAY)
    assert sum(h.done_count for h in daily) == 4
    assert len({h.bucket_us for h in daily}) == len(daily)


@pytest.mark.parametrize(
    "name",
    ["order_latency", "invoice_sync_success", "master_reconciliation", "platform_availability", "data_freshness"],
)
def test_every_kind_of_sli_opens_into_as_many_subjects_as_it_counts(made: Console, conn: Connection, name: str) -> None:
    (figure,) = figures(conn, made.model, NOW, Filters(), [name])
    for (outcome, reason), count in figure.reasons.items():
        rows = behind(conn, made.model, NOW, name, Filters(), outcome=outcome, reason=reason or None, limit=1000).items
        assert len(rows) == count, (outcome, reason)
        assert {r.outcome for r in rows} == {outcome}


def test_what_changed_counts_only_what_turned_since_then(conn: Connection) -> None:
    week = {(t.what, t.name): t for t in changes(conn, NOW - 7 * DAY, NOW)}
    hour = {(t.what, t.name): t for t in changes(conn, NOW - 2 * HOUR, NOW)}
    assert week["decided_bad", "order_latency"].count == 4
    assert week["decided_bad", "order_latency"].money == {"EUR": 265_050, "USD": 141_999}
    assert ("decided_bad", "order_latency") not in hour
    assert hour["exception_opened", "dead_letter"].count == 1


def test_an_outage_lasts_until_the_first_complete_poll(tmp_path_factory: pytest.TempPathFactory) -> None:
    own = build(tmp_path_factory.mktemp("outage"))
    runs, streams = table(PollRun), table(StreamRow)
    with own.store.read() as conn:
        (lasting,) = outages(conn, NOW - DAY)
        assert (lasting.platform, lasting.failures, lasting.reason, lasting.back_us) == (
            "support",
            2,
            "server_error",
            None,
        )
        stream = conn.execute(streams.select().where(streams.c.platform == "support")).one().id
    with own.store.write() as conn:
        values = {"stream_id": stream, "kind": "changes", "started_us": NOW + MINUTE, "finished_us": NOW + 2 * MINUTE}
        conn.execute(
            insert(runs).values(
                **values, status="complete", pages=1, records=0, versions=0, quarantined=0, requests=1, throttled=0
            )
        )
        conn.execute(update(streams).where(streams.c.id == stream).values(watermark_us=NOW))
    with own.store.read() as conn:
        assert [o.back_us for o in outages(conn, NOW - DAY)] == [NOW + 2 * MINUTE]
        assert outages(conn, NOW + MINUTE) == []
        assert next(s.state for s in streams_health(conn, NOW + MINUTE) if s.platform == "support") == "seen"
    own.store.close()


def test_a_filter_offers_what_was_ever_seen(conn: Connection) -> None:
    assert entities(conn) == ["NW-DE", "NW-JP", "NW-US"]
    assert platforms(conn) == ["billing", "crm", "erp", "support"]
    assert segments(conn) == ["enterprise", "mid"]


def test_what_is_stuck_is_counted_as_it_is_listed_page_by_page(made: Console, conn: Connection) -> None:
    whole = late(conn, made.model, NOW)
    told = risk(conn, made.model, NOW)
    assert (told.late_count, told.lost_count) == (sum(not d.lost for d in whole), sum(d.lost for d in whole))
    assert told.lost_count > 2
    paged: list[LateDocument] = []
    after = None
    while page := late(conn, made.model, NOW, limit=2, after=after):
        paged += page
        last = page[-1]
        after = (last.due_us, last.flow, last.anchor_id, last.revision, last.entity, last.step)
    assert paged == whole
    assert [d.due_us for d in whole] == sorted(d.due_us for d in whole)
    lost = late(conn, made.model, NOW, Filters(flow="quote_to_order"), lost=True, currency="USD")
    assert [d.external_id for d in lost] == ["D03"]


@pytest.mark.parametrize(
    "filters",
    [
        Filters(),
        Filters(entity="NW-DE"),
        Filters(segment="mid"),
        Filters(platform="crm"),
        Filters(flow="invoice_to_cash"),
    ],
)
def test_money_at_risk_is_that_of_the_documents_listed_each_once(
    made: Console, conn: Connection, filters: Filters
) -> None:
    told, expected = risk(conn, made.model, NOW, filters), defaultdict[str, list[int]](lambda: [0, 0, 0])
    documents: dict[tuple[int, str], LateDocument] = {}
    for d in sorted(late(conn, made.model, NOW, filters), key=lambda d: (d.lost, d.money_minor or 0)):
        documents[d.anchor_id, d.entity] = d
    for d in documents.values():
        if d.currency is not None and d.money_minor is not None:
            total = expected[d.currency]
            total[d.lost] += d.money_minor
            total[2] += 1
    assert {c: [m.late_minor, m.lost_minor, m.documents] for c, m in told.money.items()} == expected
    assert told.unpriced_count == len(documents) - sum(n for _, _, n in expected.values())


def test_a_statement_of_the_past_may_be_about_a_thousand_steps(made: Console, conn: Connection) -> None:
    at = NOW - DAY
    past = past_of(conn, made.model, at)
    assert past is not None
    many = Past(at, (*past.steps, *(PlannedStep("other", f"s{n}", n, "", at) for n in range(1000))))
    assert states(conn, Narrow(past=many)) == states(conn, Narrow(past=past)) != {}
