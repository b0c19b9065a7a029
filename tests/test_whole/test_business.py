"""Is every business failure found: the right kind, the right subject, the right money, nothing else, and its end?

All of them are injected into one company, so that each is found among the others. Every assertion compares Tieout with the
company's own journal.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest

from alerts.queries import AlertView
from probes.clock import HOUR
from probes.sandbox.journal import Entry

from .world import Found, Subject, World, subject, truth, watched

pytestmark = pytest.mark.xdist_group("whole_business")  # its world is built once

INJECTED = (
    ("O01", {"entity": "NW-US"}),
    ("O02", {"entity": "NW-JP", "late_seconds": 5400}),
    ("O10", {"entity": "NW-US"}),
    ("I01", {"entity": "NW-DE"}),
    ("I02", {"entity": "NW-DE", "variant": "tax"}),
    ("I02", {"entity": "NW-US", "variant": "total"}),
    ("I02", {"entity": "NW-DE", "variant": "currency"}),
    ("M03", {"entity": "NW-DE"}),
    ("M05", {"entity": "NW-DE", "variant": "terms"}),
    ("M05", {"entity": "NW-US", "variant": "address"}),
    ("E01", {"entity": "NW-US", "flow": "orders"}),
    ("E01", {"entity": "NW-DE", "flow": "invoices"}),
)
FAULTS = tuple(dict.fromkeys(fault for fault, _ in INJECTED))
RULE = {
    "missing_in_target": "overdue_document",
    "stale_revision": "overdue_document",
    "late": "overdue_document",
    "amount_differs": "breaks",
    "currency_differs": "breaks",
    "attribute_differs": "breaks",
    "exception": "exceptions",
}


@dataclass
class Story:
    """What was true and what was said, before the repairs and after them."""

    world: World
    entries: list[Entry]
    open_truths: list[Entry]
    found: dict[Found, int | None]
    members: dict[str, set[Subject]]
    alerts: list[AlertView]
    told: list[str]
    after: dict[Found, int | None] = field(default_factory=dict)
    alerts_after: list[AlertView] = field(default_factory=list)


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory, signing_key: bytes) -> Iterator[Story]:
    """Watch a company in which everything fails at once, for a day and a quarter; then mend all and watch on."""
    with watched(tmp_path_factory.mktemp("business") / "w", signing_key) as world:
        world.cycle()
        for fault, parameters in INJECTED:
            world.inject(fault, **parameters)
        members: dict[str, set[Subject]] = {}
        for _ in range(30):
            world.run(1, step_minutes=60)
            for alert in world.alerts():
                held = members.setdefault(alert.rule, set())
                held |= {(m.member.platform, m.member.kind, m.member.external_id) for m in world.members(alert)}
        entries = [e for fault in FAULTS for e in world.entries(fault)]
        told = Story(world, entries, world.truths(), world.found(), members, world.alerts(), world.headlines())
        for fault in FAULTS:
            if any(e.repaired_us is None for e in world.entries(fault)):
                world.repair(fault)
        world.run(3, step_minutes=60)
        told.after, told.alerts_after = world.found(), world.alerts()
        yield told


@pytest.mark.parametrize("fault", FAULTS)
def test_a_failure_is_found_with_its_kind_and_subject(story: Story, fault: str) -> None:
    truths = [e for e in story.open_truths if e.fault == fault]
    assert truths or fault == "O02", "the company did not fail as asked"
    assert [e for e in truths if truth(e) not in story.found] == []


def test_nothing_is_found_that_the_journal_does_not_know(story: Story) -> None:
    assert story.found.keys() - {truth(e) for e in story.open_truths} == set()


@pytest.mark.parametrize("fault", FAULTS)
def test_the_money_of_a_failure_is_right_to_the_minor_unit(story: Story, fault: str) -> None:
    priced = [e for e in story.open_truths if e.fault == fault and e.kind != "exception" and e.object != "Account"]
    assert [
        (truth(e), story.found[truth(e)], e.money_minor) for e in priced if story.found[truth(e)] != e.money_minor
    ] == []


@pytest.mark.parametrize("fault", FAULTS)
def test_an_alert_names_the_subject_of_a_failure(story: Story, fault: str) -> None:
    for entry in story.entries:
        if entry.fault == fault and entry.true_from_us <= story.world.now_us - 5 * HOUR:
            named = story.members.get(RULE[entry.kind], set())
            wanted = subject(entry) if entry.kind != "exception" else _document(story, entry)
            assert wanted in named, entry


def _document(story: Story, letter: Entry) -> Subject:
    """Return the document that a dead letter is about: the consequence that the journal hangs on it."""
    return next(subject(e) for e in story.entries if e.cause == letter.id)


def test_a_missing_customer_is_told_with_the_money_it_blocks(story: Story) -> None:
    entry = next(e for e in story.entries if e.fault == "M03" and e.object == "Account")
    alert = next(a for a in story.alerts if a.flow == "customer_master" and a.rule == "overdue_document")
    assert entry.money_minor is not None
    assert f"€{entry.money_minor // 100:,}.{entry.money_minor % 100:02}" in dict(alert.details)["Blocks"]


def test_an_order_that_arrived_late_is_bad_with_its_latency_though_nobody_has_to_look_for_it(story: Story) -> None:
    (entry,) = (e for e in story.entries if e.fault == "O02")
    assert entry.repaired_us is not None
    (event,) = (e for e in story.world.events("order_latency", "bad") if e.external_id == entry.external_id)
    assert (event.reason, event.value_us) == ("late", entry.repaired_us - entry.started_us)
    assert event.money_minor == entry.money_minor
    assert ("missing_in_target", *subject(entry)) not in story.found


def test_when_all_is_mended_nothing_stays_open_and_everybody_who_was_told_hears_of_it(story: Story) -> None:
    assert story.after == {}
    assert story.alerts_after == []
    told = [(t.kind, t.alert_id, t.episode) for t in story.world.transitions() if t.told]
    begun = {(alert, episode) for kind, alert, episode in told if kind in ("firing", "released")}
    assert {(alert, episode) for kind, alert, episode in told if kind == "resolved"} == begun
    assert len(begun) >= len(FAULTS)


def test_what_came_late_stays_bad_though_it_is_mended(story: Story) -> None:
    late = {(e.external_id, e.reason) for e in story.world.events("order_latency", "bad")}
    late |= {(e.external_id, e.reason) for e in story.world.events("invoice_sync_success", "bad")}
    missed = [e for e in story.entries if e.kind in ("missing_in_target", "stale_revision") and e.object != "Account"]
    assert {e.external_id for e in missed if (e.external_id, "late") not in late} == set()


def test_a_document_posted_wrong_is_bad_for_the_field_that_differs(story: Story) -> None:
    reasons = {e.external_id: e.reason for e in story.world.events("invoice_sync_success", "bad")}
    wrong = [e for e in story.entries if e.fault == "I02"]
    told = {e.note.removeprefix("posted with another "): reasons.get(e.external_id) for e in wrong}
    assert told == {"tax": "net", "total": "net", "currency": "currency"}


def test_a_rebuild_from_facts_finds_the_same(story: Story) -> None:
    assert [c for c in story.world.verify() if c.differing] == []
