"""What is told when Tieout is connected to a company that has lived, and failed, for five years? Of those at most one message."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest
from sqlalchemy import func, select

from metrics.tables import FlowInstance, RecordRow, table
from probes.clock import DAY, to_us
from probes.sandbox import Company, inject
from probes.sandbox.orders import lay_out_periods

from .world import START_AT, World, watched

pytestmark = pytest.mark.slow
YEARS = 5
FAULTS = ("O01", "O02", "O10", "I01", "I02", "M03", "M05", "E01")
"""Orders lost, late and stale, invoices lost and altered, customers lost and stale, dead letters: none of it ever mended."""


def failing(company: Company) -> None:
    """Live through the years with every failure twice a year, in turn at two entities, the last of them yesterday."""
    world, ends_us = company.world, to_us(START_AT)
    for year in range(START_AT.year - 1, START_AT.year + 3):
        lay_out_periods(world, year)  # the company plans four years ahead, and lives for five
    moments = [ends_us - n * 182 * DAY - DAY for n in reversed(range(2 * YEARS - 1))]
    for number, at_us in enumerate(moments):
        company.advance_to(at_us)
        for fault in FAULTS:
            inject(world, fault, entity=("NW-DE", "NW-US")[number % 2])
    company.run_history()


def test_five_years_of_failures_are_shown_and_tell_at_most_once(tmp_path: Path, signing_key: bytes) -> None:
    with watched(
        tmp_path / "w",
        signing_key,
        history_days=YEARS * 365,
        watched_days=None,
        scale=0.008,
        lives=failing,
        edit=lambda text: text.replace(
            "    environment: production\n", "    environment: production\n    history: 2200d\n"
        ),
    ) as world:
        for _ in range(3):  # the first load takes several cycles where a quota or a look-up ends one
            world.cycle()
        assert len(world.sink.messages) <= 1, world.headlines()
        _everything_is_shown(world)
        told = {alert.id for alert in world.alerts()}
        world.run(26, step_minutes=6 * 60)
        later = [alert for alert in world.alerts() if alert.id not in told]
        # What the company never mended fails again each day, and that is told; of the past nothing more is.
        assert [
            m for alert in later for m in world.members(alert) if not _began_under_watch(world, m.member.external_id)
        ] == []
        assert len(world.sink.messages) <= 1 + len(later), world.headlines()


def _began_under_watch(world: World, external_id: str) -> bool:
    """Return whether a document began after Tieout first looked."""
    i, r = table(FlowInstance).c, table(RecordRow).c
    query = select(func.min(i.started_us)).where(i.anchor_id == r.id, r.external_id == external_id)
    with world.workspace.store.read() as conn:
        started_us = conn.execute(query).scalar()
    return started_us is not None and started_us >= world.started_us


def _everything_is_shown(world: World) -> None:
    """Every document of the old failures is known and stands as opening balance."""
    old = [e for e in world.truths() if e.object in ("Opportunity", "invoice") and e.kind == "missing_in_target"]
    states = Counter(state for e in old for state in world.flow_states(e.external_id).values())
    assert len(old) > 100
    assert states["opening"] > 100
    assert not states.keys() & {"late", "lost"}, states
    assert [e for e in old if not world.flow_states(e.external_id)] == []
    assert len(world.exceptions()) >= len(world.truths("E01")) // 2
