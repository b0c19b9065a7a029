"""Is each trouble one exception with its tries, named by its cause, linked to its document, and closed only when it is over?"""

from __future__ import annotations

from typing import Any

import pytest

from metrics.head_tables import STUCK_AFTER_US
from metrics.keys import record_id
from metrics.queries.breaks import Trouble, exceptions
from metrics.rebuild import verify
from metrics.store import Store
from probes.clock import DAY, HOUR, MINUTE
from probes.record import BadRow, Record, Reference, key

from .world import T0, World, model_of

DEAL = key("crm", "opportunity", "id", "d1")


@pytest.fixture
def world(any_store: Store) -> World:
    return World(any_store, model_of({"DE": {}}))


def about(*more: Reference) -> tuple[Reference, ...]:
    return (Reference("about", DEAL), *more)


def run(
    ident: str, state: str, begun: int, ended: int | None = None, told: str | None = None, *refs: Reference
) -> Record:
    return Record(
        kind="workflow_run", id=ident, state=state, status={"failed": "error"}.get(state, state), created_us=begun,
        changed_us=ended if ended is not None else begun, attributes={"name": told} if told else {}, references=refs,
    )  # fmt: skip


def letter(ident: str, at: int, told: str = "customer C-1 not found", *, deleted: bool = False) -> Record:
    return Record(
        kind="message", id=ident, state="failed", status="rejected", created_us=at, changed_us=at, deleted=deleted,
        attributes={"name": told}, references=about(),
    )  # fmt: skip


def won(world: World, at: int) -> None:
    deal = Record(
        kind="opportunity", id="d1", state="won", created_us=at, changed_us=at, entity="DE", currency="EUR",
        amounts={"net": 1000}, milestones={"won": (at, at)},
    )  # fmt: skip
    world.land("crm", [deal], at)


def delivered(world: World, at: int) -> None:
    """Let everything that the deal owes arrive: its order, and its subscription."""
    order = Record(
        kind="order", id="o1", state="open", created_us=at, changed_us=at, entity="DE", currency="EUR", amounts={"net": 1000},
        milestones={"created": (at, at)}, references=(Reference("fulfils", DEAL),),
    )  # fmt: skip
    world.land("erp", [order], at)
    live = Record(
        kind="subscription", id="s1", state="active", created_us=at, changed_us=at, entity="DE", currency="EUR",
        milestones={"created": (at, at), "activated": (at, at), "active": (at, at)}, references=(Reference("fulfils", DEAL),),
    )  # fmt: skip
    world.land("billing", [live], at)


def queue(world: World, **more: Any) -> list[Trouble]:
    world.judge()
    with world.store.read() as conn:
        return list(exceptions(conn, open_only=False, limit=100, **more).items)


def clean(world: World) -> bool:
    return [c for c in verify(world.store, world.model, T0) if c.differing] == []


def test_a_failed_run_names_its_cause_and_its_document(world: World) -> None:
    won(world, T0)
    world.land("erp", [run("1", "failed", T0, T0 + MINUTE, "422 missing field vatregnumber", *about())], T0 + HOUR)
    (one,) = queue(world)
    assert (one.kind, one.category, one.cause, one.attempts) == ("failed_run", "missing", "error", 1)
    assert one.document is not None
    assert (one.document.external_id, one.since_us, one.closed_us) == ("d1", T0 + MINUTE, None)
    assert (one.money_minor, one.currency) == (1000, "EUR")
    assert clean(world)


def test_the_same_trouble_of_many_documents_has_one_fingerprint(world: World) -> None:
    told = [f"customer C-{n} not found" for n in range(3)]
    world.land("erp", [run(str(n), "failed", T0 + n, T0 + n, told[n]) for n in range(3)], T0 + HOUR)
    found = queue(world)
    assert (len(found), len({e.fingerprint for e in found}), {e.category for e in found}) == (3, 1, {"identity"})


def test_tries_of_the_same_work_are_one_exception_with_its_attempts(world: World) -> None:
    tries = [run("1", "failed", T0, T0, "503")]
    tries += [
        run(str(n), "failed", T0 + n * HOUR, T0 + n * HOUR, "503", Reference("replaces", key("erp", "workflow_run", "id", str(n - 1))))
        for n in range(2, 200)
    ]  # fmt: skip
    world.land("erp", tries, T0 + 10 * DAY)
    (one,) = queue(world)
    assert (one.attempts, one.since_us, one.last_us) == (199, T0, T0 + 199 * HOUR)
    assert one.subject_id == record_id("erp", "workflow_run", "1")
    assert clean(world)


def test_a_retry_that_went_well_ends_what_is_about_no_document(world: World) -> None:
    first = run("1", "failed", T0, T0, "503")
    again = run(
        "2", "succeeded", T0 + HOUR, T0 + HOUR, None, Reference("replaces", key("erp", "workflow_run", "id", "1"))
    )
    world.land("erp", [first, again], T0 + 2 * HOUR)
    assert [e.closed_us for e in queue(world)] == [T0 + HOUR]


def test_a_retry_that_says_it_went_well_ends_nothing_while_the_target_shows_nothing(world: World) -> None:
    won(world, T0)
    first = run("1", "failed", T0, T0, "503", *about())
    again = run(
        "2", "succeeded", T0 + HOUR, T0 + HOUR, None, Reference("replaces", key("erp", "workflow_run", "id", "1"))
    )
    world.land("erp", [first, again], T0 + 2 * HOUR)
    assert [e.closed_us for e in queue(world)] == [None]
    delivered(world, T0 + 3 * HOUR)
    assert [e.closed_us for e in queue(world)] == [T0 + 3 * HOUR]
    assert clean(world)


def test_a_failure_that_announces_a_next_try_is_none_until_that_was_due(world: World) -> None:
    told = "timeout while writing, next try at a later flush"
    world.see("erp", "workflow_run", watermark_us=T0 + STUCK_AFTER_US - 1)
    again = run(
        "4",
        "succeeded",
        T0 + HOUR // 2,
        T0 + HOUR // 2,
        None,
        Reference("replaces", key("erp", "workflow_run", "id", "3")),
    )
    world.land("erp", [run("1", "failed", T0, T0, told), run("3", "failed", T0, T0, told), again], T0 + HOUR)
    assert queue(world) == []
    world.see("erp", "workflow_run", watermark_us=T0 + STUCK_AFTER_US)
    (one,) = queue(world)
    assert (one.subject_id, one.since_us) == (record_id("erp", "workflow_run", "1"), T0 + STUCK_AFTER_US)
    assert clean(world)


def test_a_failure_ends_when_the_target_shows_the_effect_whoever_brought_it_about(world: World) -> None:
    won(world, T0)
    world.land("erp", [run("1", "failed", T0, T0 + MINUTE, "503", *about())], T0 + HOUR)
    delivered(world, T0 + 2 * HOUR)
    assert [(e.closed_us, e.money_minor) for e in queue(world)] == [(T0 + 2 * HOUR, None)]


def test_a_dead_letter_stays_until_it_has_gone_and_its_document_has_come_through(world: World) -> None:
    won(world, T0)
    world.land("erp", [letter("m1", T0 + MINUTE)], T0 + HOUR)
    delivered(world, T0 + 2 * HOUR)
    assert [e.closed_us for e in queue(world)] == [None]
    world.land("erp", [letter("m1", T0 + MINUTE, deleted=True)], T0 + 5 * HOUR)
    assert [e.closed_us for e in queue(world)] == [T0 + 5 * HOUR]
    assert clean(world)


def test_a_dead_letter_that_was_only_taken_away_is_not_over(world: World) -> None:
    won(world, T0)
    world.land("erp", [letter("m1", T0 + MINUTE)], T0 + HOUR)
    world.land("erp", [letter("m1", T0 + MINUTE, deleted=True)], T0 + 5 * HOUR)
    assert [e.closed_us for e in queue(world)] == [None]


def test_a_letter_and_the_runs_that_failed_on_it_are_one_trouble(world: World) -> None:
    won(world, T0)
    world.land(
        "erp",
        [run("1", "failed", T0, T0 + MINUTE, "503", *about()), run("2", "failed", T0, T0 + HOUR, "503", *about())],
        T0 + HOUR,
    )
    world.land("erp", [letter("m1", T0 + HOUR)], T0 + HOUR)
    (one,) = queue(world)
    assert (one.kind, one.subject_id, one.attempts) == ("dead_letter", record_id("erp", "message", "m1"), 1)
    assert clean(world)


def test_a_letter_that_was_sent_again_is_over_once_a_counterpart_came_though_another_is_still_awaited(
    world: World,
) -> None:
    won(world, T0)
    world.land("erp", [letter("m1", T0 + MINUTE)], T0 + HOUR)
    world.land("erp", [letter("m1", T0 + MINUTE, deleted=True)], T0 + 2 * HOUR)
    order = Record(
        kind="order", id="o1", state="open", created_us=T0 + 3 * HOUR, changed_us=T0 + 3 * HOUR, entity="DE", currency="EUR",
        amounts={"net": 1000}, milestones={"created": (T0 + 3 * HOUR,) * 2}, references=(Reference("fulfils", DEAL),),
    )  # fmt: skip
    world.land("erp", [order], T0 + 3 * HOUR)
    assert [e.closed_us for e in queue(world)] == [T0 + 3 * HOUR]


def test_a_poison_message_is_one_exception_however_often_it_dies(world: World) -> None:
    for n in range(1, 40):
        world.land("erp", [letter("m1", T0 + n * MINUTE)], T0 + n * MINUTE)
    (one,) = queue(world)
    assert (one.attempts, one.last_us) == (39, T0 + 39 * MINUTE)


def test_a_run_hangs_once_it_was_seen_going_on_for_too_long(world: World) -> None:
    world.see("erp", "workflow_run", watermark_us=T0 + STUCK_AFTER_US - 1)
    world.land("erp", [run("1", "open", T0, T0)], T0)
    assert queue(world) == []
    world.see("erp", "workflow_run", watermark_us=T0 + STUCK_AFTER_US)
    (one,) = queue(world)
    assert (one.kind, one.since_us, one.closed_us) == ("stuck_run", T0 + STUCK_AFTER_US, None)
    world.land("erp", [run("1", "succeeded", T0, T0 + 3 * HOUR)], T0 + 3 * HOUR)
    assert [(e.kind, e.closed_us) for e in queue(world)] == [("stuck_run", T0 + 3 * HOUR)]
    assert clean(world)


def test_a_run_that_ended_in_time_or_waits_by_design_is_none(world: World) -> None:
    runs = [
        run("1", "succeeded", T0, T0 + STUCK_AFTER_US),
        run("2", "pending", T0, T0),
        run("3", "cancelled", T0, T0 + MINUTE),
    ]
    world.land("erp", runs, T0 + DAY)
    assert queue(world) == []


def test_a_row_that_could_not_be_read_is_one_exception_however_often_it_comes(world: World) -> None:
    bad = BadRow("bad_amount", "amount 'x' is no number", "{}", "i1")
    for n in range(3):
        world.land("erp", [], T0 + n * HOUR, bad=[bad])
        queue(world)
    (one,) = queue(world)
    assert (one.kind, one.attempts, one.since_us, one.last_us) == ("quarantined_row", 3, T0, T0 + 2 * HOUR)
    assert clean(world)
