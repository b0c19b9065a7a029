"""What do pages leave behind that come twice, late, torn or contradicting one another?"""

from __future__ import annotations

import pytest

from metrics import intake
from metrics.store import Store
from probes.clock import DAY, HOUR
from probes.record import BadRow, Record

from .world import T0, World, model_of

DEAL = {"kind": "opportunity", "id": "o1", "created_us": T0, "currency": "EUR"}


@pytest.fixture
def world(any_store: Store) -> World:
    return World(any_store, model_of({"DE": {}}))


def deal(state: str, at_us: int | None, **more: object) -> Record:
    return Record(**DEAL, state=state, status=state, changed_us=at_us, **more)  # type: ignore[arg-type] # fields of a record


def states(world: World) -> list[tuple[str, int]]:
    return sorted((m["name"], m["ordinal"]) for m in world.rows("milestone"))


def test_the_same_page_twice_leaves_the_same_rows(world: World) -> None:
    page = [deal("won", T0), deal("lost", T0 + HOUR)]
    world.land("crm", page, T0 + DAY)
    before = {name: world.rows(name) for name in ("version", "record", "milestone", "reference")}
    landed = world.land("crm", page, T0 + DAY)
    assert {name: world.rows(name) for name in before} == before
    assert landed.new == 0


def test_a_change_and_its_undoing_in_one_page_touch_the_subject(world: World) -> None:
    world.land("crm", [deal("won", T0, amounts={"net": 100})], T0)
    world.judge()
    there_and_back = [deal("lost", T0 + HOUR, amounts={"net": 100}), deal("won", T0 + 2 * HOUR, amounts={"net": 100})]
    world.land("crm", there_and_back, T0 + DAY)
    assert ("state:won", 2) in states(world)
    assert world.rows("touch")


def test_an_older_version_that_comes_late_changes_history_but_not_the_head(world: World) -> None:
    world.land("crm", [deal("won", T0 + HOUR)], T0 + HOUR)
    world.land("crm", [deal("open", T0)], T0 + DAY)
    assert [r["state"] for r in world.rows("record")] == ["won"]
    assert states(world) == [("state:open", 1), ("state:won", 1)]


def test_what_a_sweep_found_gone_lives_again_when_the_platform_shows_it_again(world: World) -> None:
    world.land("crm", [deal("won", T0)], T0)
    world.land("crm", [deal("won", T0, deleted=True)], T0 + DAY)
    assert [r["deleted_us"] for r in world.rows("record")] == [T0 + DAY]
    world.land("crm", [deal("won", T0)], T0 + 2 * DAY)
    assert [r["deleted_us"] for r in world.rows("record")] == [None]


def test_an_unchanged_reread_adds_no_version(world: World) -> None:
    for hours in range(3):
        world.land("crm", [deal("won", None)], T0 + hours * HOUR)
    assert len(world.rows("version")) == 1


def test_a_legal_entity_is_known_since_its_first_observation_however_late_that_landed(world: World) -> None:
    world.land("crm", [deal("won", T0 + HOUR, entity="DE")], T0 + DAY)
    world.land("crm", [deal("open", T0, entity="DE")], T0 + HOUR)
    assert [(s["entity"], s["first_us"]) for s in world.rows("scope")] == [("DE", T0 + HOUR)]


def test_an_identity_clash_is_refused_and_nothing_of_the_page_is_stored(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.land("crm", [deal("won", T0)], T0)
    monkeypatch.setattr(intake, "record_id", lambda *_: world.rows("record")[0]["id"])
    with pytest.raises(intake.IdentityClashError, match="hash to the same identity"):
        world.land("crm", [Record(kind="opportunity", id="other", changed_us=T0)], T0 + HOUR)
    assert [r["external_id"] for r in world.rows("record")] == ["o1"]
    assert len(world.rows("version")) == 1


def test_two_documents_of_one_page_that_would_share_an_identity_are_refused(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(intake, "record_id", lambda *_: 7)
    with pytest.raises(intake.IdentityClashError):
        world.land("crm", [deal("won", T0), Record(kind="opportunity", id="other", changed_us=T0)], T0)
    assert not world.rows("record")


def test_a_refused_row_is_kept_once_with_how_often_it_came(world: World) -> None:
    row = BadRow("missing", "no id", '{"x": "\x00"}', None)
    for hours in range(2):
        world.land("crm", [deal("won", T0)], T0 + hours * HOUR, bad=[row])
    kept = world.rows("quarantine")
    assert [(q["seen_count"], q["first_us"], q["last_us"]) for q in kept] == [(2, T0, T0 + HOUR)]
    assert "\x00" not in kept[0]["raw"]


def test_text_with_a_nul_lands_on_every_database(world: World) -> None:
    world.land("crm", [deal("won", T0, number="A\x00B", attributes={"name": "Nul\x00l"})], T0)
    world.judge()
    assert [r["external_id"] for r in world.rows("record")] == ["o1"]


def test_extreme_money_comes_back_to_the_last_unit(world: World) -> None:
    extremes = [2**63 - 1, -(2**63) + 1, 0, -1, 10**18 + 1, 90071992547409931]
    page = [
        Record(kind="opportunity", id=str(n), changed_us=T0, amounts={"net": value}) for n, value in enumerate(extremes)
    ]
    world.land("crm", page, T0)
    held = {r["external_id"]: r["net_minor"] for r in world.rows("record")}
    assert held == {str(n): value for n, value in enumerate(extremes)}
