"""Does a company in which nothing fails stay silent? Ten days of normal life, dirt and all, and not one finding."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from .world import World, watched

pytestmark = pytest.mark.slow
SEEDS = [int(seed) for seed in os.environ.get("TIEOUT_CALM_SEEDS", "7").split(",")]
"""The demo's own company; others on request, each takes minutes."""


@pytest.mark.parametrize("seed", SEEDS)
def test_ten_calm_days_raise_nothing_and_every_figure_is_whole(seed: int, tmp_path: Path, signing_key: bytes) -> None:
    with watched(tmp_path / "w", signing_key, seed=seed, scale=0.2) as world:
        world.cycle()
        world.run(10 * 24, step_minutes=120)
        assert world.ever_alerted() == []
        assert world.headlines() == []
        assert world.breaks(open_only=False) == []
        assert world.exceptions(open_only=False) == []
        assert world.overdue() == []
        _figures_are_whole(world)
        checks = world.verify()
        assert [c for c in checks if c.differing] == []
        assert sum(c.rows for c in checks) > 5_000


def _figures_are_whole(world: World) -> None:
    for name, sli in world.workspace.model.slis.items():
        figure = world.figure(name)
        assert (figure.bad, figure.blind) == (0, 0), name
        assert figure.good > 0, name
        assert figure.ratio == 1, name
        assert figure.coverage == 1, name
        if sli.kind == "event":
            assert all(
                e.due_us is not None and e.due_us > world.now_us - 2 * 3600 * 1_000_000
                for e in world.events(name, "pending")
            )
