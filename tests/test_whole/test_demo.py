"""Does the demonstration show what it promises: every failure of its mix found, none invented, the first alert at once?"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from probes.clock import MINUTE

from .world import World, demonstrated, subject, truth, watched

pytestmark = pytest.mark.xdist_group("whole_demo")  # its world is built once


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory, signing_key: bytes) -> Iterator[World]:
    """Open the demonstration after its first load."""
    with watched(
        tmp_path_factory.mktemp("demo") / "w",
        signing_key,
        history_days=6,
        watched_days=5,
        scale=0.5,
        lives=demonstrated,
    ) as world:
        world.cycle()
        yield world


def test_the_demonstration_finds_all_that_is_true_and_nothing_else(demo: World) -> None:
    truths, found = {truth(e): e for e in demo.truths()}, demo.found()
    assert len(truths) >= 9
    assert truths.keys() - found.keys() == set()
    assert found.keys() - truths.keys() == set()


def test_a_new_failure_is_told_within_half_a_minute_of_its_deadline_and_that_soon_after_the_start(demo: World) -> None:
    """The half minute leaves a loaded machine more than another half of the two that a newcomer is promised."""
    before = {m for a in demo.alerts() for m in demo.members(a)}
    demo.run(1.5 / 60, step_minutes=0.25)
    new = {m.member.external_id for a in demo.alerts() for m in demo.members(a) if m not in before}
    fresh = {subject(e)[2] for e in demo.truths("O01") if e.true_from_us > demo.started_us}
    assert fresh
    assert fresh <= new
    assert all(e.true_from_us <= demo.started_us + MINUTE for e in demo.truths("O01"))
    assert any("Order in the ERP (NW-JP)" in h for h in demo.headlines()[1:])


def test_every_table_of_the_demonstration_has_rows_and_a_rebuild_agrees(demo: World) -> None:
    checks = demo.verify()
    assert [c.table for c in checks if not c.rows] == []
    assert [(c.table, c.first_difference) for c in checks if c.differing] == []
