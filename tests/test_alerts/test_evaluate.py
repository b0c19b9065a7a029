"""Do transitions and messages land together, and does nobody hear the same thing twice?"""

from __future__ import annotations

import json
from collections.abc import Callable
from itertools import pairwise
from time import process_time

import pytest
from sqlalchemy import func, select

from alerts import actions, queries
from alerts.findings import Scope, Timing, alert_id
from alerts.tables import OutboxRow, TransitionRow, table
from metrics.store import Store
from probes.clock import DAY, HOUR, MINUTE, SECOND

from .build import NOW, finding, member, outlook, settings, step

OUTBOX, TRANSITION = table(OutboxRow), table(TransitionRow)
KEY = alert_id(finding().fingerprint)
TWO = settings(
    channels={
        "ops": {"kind": "slack", "webhook": "env:TIEOUT_TEST_SLACK"},
        "finance": {"kind": "slack", "webhook": "env:TIEOUT_TEST_SLACK"},
    }
)


def kinds(store: Store, channel: str = "ops") -> list[str]:
    """Return the kinds of message queued for a channel, oldest first."""
    c = OUTBOX.c
    with store.read() as conn:
        return list(conn.execute(select(c.kind).where(c.channel == channel).order_by(c.id)).scalars())


def test_a_new_overdue_document_is_stored_and_queued_for_every_channel(any_store: Store) -> None:
    summary = step(any_store, NOW, finding(), using=TWO)
    assert (summary.findings, summary.fired, summary.messages) == (1, 1, 2)
    with any_store.read() as conn:
        (view,) = queries.open_alerts(conn)
        (moved,) = queries.history(conn, NOW)
        listed = queries.members(conn, view.id)
    assert (view.state, view.document_count, view.lost, view.untold) == ("firing", 1, {"EUR": 120_000}, None)
    assert view.first is not None
    assert view.first.link == "https://crm.example/r/006A"
    assert (moved.kind, moved.told, moved.untold) == ("firing", ("finance", "ops"), None)
    assert len(listed) == view.document_count


def test_a_restart_with_unchanged_conditions_sends_nothing(any_store: Store) -> None:
    step(any_store, NOW, finding(), finding("NW-US"))
    sent = kinds(any_store)
    reopened = Store.open(any_store.engine.url.render_as_string(hide_password=False))
    for minute in range(1, 30):
        assert step(reopened, NOW + minute * MINUTE, finding(), finding("NW-US")).messages == 0
    assert kinds(reopened) == sent
    reopened.close()


def test_a_condition_that_became_true_while_we_were_down_is_told(store: Store) -> None:
    step(store, NOW, finding())
    summary = step(store, NOW + 3 * DAY, finding(), finding("NW-US"))
    assert summary.messages == 1
    assert kinds(store) == ["firing", "firing"]


def test_an_alert_of_a_condition_that_went_while_we_were_down_is_resolved_on_return(store: Store) -> None:
    step(store, NOW, finding())
    step(store, NOW + 3 * DAY)
    assert kinds(store) == ["firing", "resolved"]


def test_new_documents_are_told_at_most_once_per_repeat_interval(store: Store) -> None:
    timing = Timing(repeat_us=HOUR)
    for minute in range(0, 180, 5):
        documents = [member(f"006{n}") for n in range(1 + minute // 5)]
        step(store, NOW + minute * MINUTE, finding("NW-DE", *documents), timing=timing)
    assert kinds(store) == ["firing", "updated", "updated"]
    with store.read() as conn:
        last = queries.history(conn, NOW)[0]
    assert (last.facts.documents, last.facts.new_documents) == (25, 12)


def test_a_document_that_leaves_and_returns_within_a_day_is_not_new(store: Store) -> None:
    timing = Timing(repeat_us=0)
    step(store, NOW, finding("NW-DE", member("1"), member("2")), timing=timing)
    step(store, NOW + HOUR, finding("NW-DE", member("1")), timing=timing)
    step(store, NOW + 2 * HOUR, finding("NW-DE", member("1"), member("2")), timing=timing)
    assert kinds(store) == ["firing"]
    with store.read() as conn:
        assert [v.gone_us for v in queries.members(conn, KEY)] == [None, None]


def test_a_new_episode_is_told_although_the_repeat_interval_is_not_over(store: Store) -> None:
    step(store, NOW, finding("NW-DE", member("1")))
    step(store, NOW + MINUTE)
    step(store, NOW + 2 * MINUTE, finding("NW-DE", member("2")))
    assert kinds(store) == ["firing", "resolved", "firing"]


def test_documents_stay_in_an_alert_that_cannot_be_seen(store: Store) -> None:
    step(store, NOW, finding())
    summary = step(store, NOW + MINUTE, blind="erp/order was never read completely")
    assert (summary.held, summary.resolved) == (1, 0)
    with store.read() as conn:
        (view,) = queries.open_alerts(conn)
        assert len(queries.members(conn, KEY)) == 1
    assert view.held == "erp/order was never read completely"


def test_the_documents_of_a_resolved_alert_are_gone_but_kept(store: Store) -> None:
    step(store, NOW, finding())
    step(store, NOW + MINUTE)
    with store.read() as conn:
        assert queries.members(conn, KEY) == []
        assert [v.gone_us for v in queries.members(conn, KEY, gone=True)] == [NOW + MINUTE]


def test_a_storm_is_recorded_whole_and_told_in_one_message_per_channel(any_store: Store) -> None:
    step(any_store, NOW, finding("first"), using=TWO)
    storm = [finding(f"E{n:04}", member(f"D{n:04}", money_minor=100)) for n in range(5000)]
    begun = process_time()
    summary = step(any_store, NOW + MINUTE, finding("first"), *storm, using=TWO)
    took = process_time() - begun
    assert (summary.fired, summary.messages) == (5000, 2)
    assert took < 5, f"{took:.1f} s of our own time"
    assert kinds(any_store) == ["firing", "digest"]
    with any_store.read() as conn:
        assert len(queries.open_alerts(conn)) == 5001
        digest = next(t for t in queries.history(conn, NOW, limit=5010) if t.kind == "digest")
    assert (digest.facts.documents, digest.facts.lost) == (5000, {"EUR": 500_000})
    over = step(any_store, NOW + 2 * MINUTE, finding("first"), using=TWO)
    assert (over.resolved, over.messages) == (5000, 2)
    assert kinds(any_store, "finance") == ["firing", "digest", "digest"]


def test_everything_told_in_a_digest_gets_its_own_end(store: Store) -> None:
    found = [finding(f"E{n}", member(f"D{n}")) for n in range(12)]
    step(store, NOW, *found)
    step(store, NOW + MINUTE, *found[1:])
    assert kinds(store) == ["digest", "resolved"]


def test_the_first_evaluation_of_a_new_store_sends_at_most_one_message(store: Store) -> None:
    step(store, NOW, finding(), finding("NW-US"), finding("NW-JP"))
    assert kinds(store) == ["digest"]


def test_what_is_found_during_the_first_load_is_told_in_one_message_when_it_ends(store: Store) -> None:
    found = [finding(), finding("NW-US")]
    summary = step(store, NOW, *found, first_load=True)
    assert (summary.messages, summary.suppressed) == (0, {"first_load": 2})
    step(store, NOW + MINUTE, *found)
    assert kinds(store) == ["digest"]


def test_a_platform_that_is_down_is_told_during_the_first_load(store: Store) -> None:
    down = finding("erp", rule="platform_down", scope=Scope(platform="erp"))
    assert step(store, NOW, down, first_load=True).messages == 1


def test_what_a_platform_that_is_down_explains_is_told_only_if_it_lasts_longer(store: Store) -> None:
    down = finding("erp", rule="platform_down", scope=Scope(platform="erp"))
    empty = finding("no data", rule="threshold", members=(), caused_by=("erp",))
    summary = step(store, NOW, down, empty)
    assert (summary.messages, summary.suppressed) == (1, {"explained": 1})
    step(store, NOW + MINUTE, empty)
    assert kinds(store) == ["firing", "resolved", "released"]


@pytest.mark.parametrize("period", range(1, 21))
def test_a_square_wave_of_any_period_makes_at_most_two_messages_an_hour(store: Store, period: int) -> None:
    at: list[int] = []
    for tick in range(130):
        present = tick % period < max(1, period // 2) if period > 1 else tick % 2 == 0
        summary = step(store, NOW + tick * MINUTE, *([finding()] if present else []))
        at += [tick] * summary.messages
    assert at[0] == 0
    for first, third in pairwise(at[::2]):
        assert third - first >= 60, f"period {period}: {at}"
    assert all(sum(t <= u < t + 60 for u in at) <= 2 for t in range(130)), f"period {period}: {at}"


def test_a_flapping_condition_that_stays_is_told_and_says_that_it_flapped(store: Store) -> None:
    for tick in range(6):
        step(store, NOW + tick * MINUTE, *([finding()] if tick % 2 == 0 else []))
    assert kinds(store) == ["firing", "resolved"]
    for tick in range(6, 30):
        step(store, NOW + tick * MINUTE, finding())
    assert kinds(store) == ["firing", "resolved", "released"]
    with store.read() as conn:
        assert "came and went" in (queries.history(conn, NOW)[0].facts.note or "")


def test_a_silence_keeps_messages_back_while_the_alert_lives_on(store: Store) -> None:
    actions.silence(
        store,
        matchers={"flow": "quote_to_order"},
        from_us=NOW,
        to_us=NOW + HOUR,
        author="kim",
        comment="cut-over",
        now_us=NOW,
    )
    assert step(store, NOW, finding()).suppressed == {"silenced": 1}
    with store.read() as conn:
        (view,) = queries.open_alerts(conn)
    assert (view.state, view.untold) == ("firing", "silenced")
    step(store, NOW + HOUR - SECOND, finding())
    assert kinds(store) == []
    step(store, NOW + HOUR, finding())
    assert kinds(store) == ["released"]


def test_an_alert_that_comes_and_goes_within_a_silence_is_never_told(store: Store) -> None:
    actions.silence(
        store, matchers={"entity": ["NW-DE"]}, from_us=NOW, to_us=NOW + HOUR, author="kim", comment="", now_us=NOW
    )
    step(store, NOW, finding())
    step(store, NOW + MINUTE)
    step(store, NOW + 2 * HOUR)
    assert kinds(store) == []
    with store.read() as conn:
        assert [t.untold for t in queries.transitions_since(conn, NOW)] == ["silenced", "never_told"]


def test_a_silence_never_swallows_the_end_of_what_was_told(store: Store) -> None:
    step(store, NOW, finding())
    actions.silence(store, matchers={"alert": KEY}, from_us=NOW, to_us=NOW + DAY, author="kim", comment="", now_us=NOW)
    step(store, NOW + MINUTE)
    assert kinds(store) == ["firing", "resolved"]


def test_a_silence_that_is_ended_early_releases_what_is_still_open(store: Store) -> None:
    key = actions.silence(
        store,
        matchers={"owner": "order-desk@example.org"},
        from_us=NOW,
        to_us=NOW + DAY,
        author="kim",
        comment="",
        now_us=NOW,
    )
    step(store, NOW, finding())
    actions.expire_silence(store, key, "kim", NOW + MINUTE)
    step(store, NOW + MINUTE, finding())
    assert kinds(store) == ["released"]
    with store.read() as conn:
        assert queries.silences(conn, NOW + MINUTE) == []


def test_taking_an_alert_on_is_told_and_kept(store: Store) -> None:
    step(store, NOW, finding(), using=TWO)
    actions.acknowledge(store, KEY, "kim", "calling the integration team", NOW + MINUTE)
    assert kinds(store) == kinds(store, "finance") == ["firing", "acknowledged"]
    with store.read() as conn:
        (view,) = queries.open_alerts(conn)
        (kept,) = queries.acknowledgements(conn, KEY)
    assert (view.state, view.acknowledged_by) == ("acknowledged", "kim")
    assert (kept["author"], kept["comment"], kept["episode"]) == ("kim", "calling the integration team", 1)


def test_a_new_episode_has_to_be_taken_on_anew(store: Store) -> None:
    step(store, NOW, finding())
    actions.acknowledge(store, KEY, "kim", "", NOW)
    step(store, NOW + MINUTE)
    step(store, NOW + 2 * MINUTE, finding("NW-DE", member("new")))
    with store.read() as conn:
        assert [v.state for v in queries.open_alerts(conn)] == ["firing"]


REFUSED: dict[str, tuple[Callable[[Store], object], str]] = {
    "an unknown alert": (lambda s: actions.acknowledge(s, "ffff", "kim", "", NOW), "no alert"),
    "an alert that is taken on already": (lambda s: actions.acknowledge(s, KEY, "lee", "", NOW), "acknowledged by kim"),
    "nobody's name": (lambda s: actions.acknowledge(s, KEY, "  ", "", NOW), "who you are"),
    "a silence without matchers": (
        lambda s: actions.silence(s, matchers={}, from_us=NOW, to_us=NOW + 1, author="k", comment="", now_us=NOW),
        "everything",
    ),
    "a silence on a field there is not": (
        lambda s: actions.silence(
            s, matchers={"colour": "red"}, from_us=NOW, to_us=NOW + 1, author="k", comment="", now_us=NOW
        ),
        "severity, rule",
    ),
    "a silence that is over": (
        lambda s: actions.silence(
            s, matchers={"flow": "x"}, from_us=NOW - 9, to_us=NOW - 5, author="k", comment="", now_us=NOW
        ),
        "after now",
    ),
    "ending a silence that does not run": (lambda s: actions.expire_silence(s, 99, "kim", NOW), "not running"),
}


@pytest.mark.parametrize("what", REFUSED)
def test_people_are_told_why_something_cannot_be_done(store: Store, what: str) -> None:
    step(store, NOW, finding())
    actions.acknowledge(store, KEY, "kim", "", NOW)
    act, told = REFUSED[what]
    with pytest.raises(actions.ActionError, match=told):
        act(store)


def test_routes_send_by_severity_and_owner(store: Store) -> None:
    routed = settings(
        channels=TWO.model_dump(mode="python", by_alias=True)["channels"],
        routes=[
            {"severity": ["critical"], "channels": ["ops"], "continue": True},
            {"owner": "finance@example.org", "channels": ["finance"]},
        ],
    )
    mine = finding("A", scope=Scope(owner="finance@example.org"))
    other = finding("B", member("B"), severity="warning", scope=Scope(owner="sales@example.org"))
    step(store, NOW, finding("warm up"), using=routed)
    step(store, NOW + MINUTE, finding("warm up"), mine, other, using=routed)
    assert (kinds(store, "ops"), kinds(store, "finance")) == (["firing", "firing"], ["firing"])
    with store.read() as conn:
        untold = {v.title: v.untold for v in queries.open_alerts(conn)}
    assert untold[other.title] == "no_channel"


def test_a_channel_that_was_removed_hears_nothing_more(store: Store) -> None:
    step(store, NOW, finding(), using=TWO)
    step(store, NOW + MINUTE)
    assert (kinds(store, "ops"), kinds(store, "finance")) == (["firing", "resolved"], ["firing"])


def test_a_channel_that_is_added_is_told_what_is_still_open(store: Store) -> None:
    step(store, NOW, finding())
    step(store, NOW + MINUTE, finding(), using=TWO)
    assert (kinds(store, "ops"), kinds(store, "finance")) == (["firing"], ["released"])


def test_a_failure_while_messages_are_queued_leaves_neither_transition_nor_message(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object, **__: object) -> None:
        raise RuntimeError("disk full")

    monkeypatch.setattr("alerts.ledger.add_told", broken)
    with pytest.raises(RuntimeError, match="disk full"):
        step(store, NOW, finding())
    monkeypatch.undo()
    with store.read() as conn:
        assert conn.execute(select(func.count()).select_from(TRANSITION)).scalar_one() == 0
        assert conn.execute(select(func.count()).select_from(OUTBOX)).scalar_one() == 0
        assert queries.open_alerts(conn) == []
    assert step(store, NOW + MINUTE, finding()).messages == 1


def test_stored_facts_are_canonical_json_that_reads_back_the_same(store: Store) -> None:
    step(store, NOW, finding())
    with store.read() as conn:
        text = conn.execute(select(TRANSITION.c.facts)).scalar_one()
        (view,) = queries.history(conn, 0)
    assert json.loads(text)["first"]["external_id"] == "006A"
    assert view.facts.first == member()
    assert outlook([finding()]).findings[0].members == (member(),)
