"""When a platform fails, do its figures turn blind instead of bad, do the others go on, and is nothing lost afterwards?"""

from __future__ import annotations

from pathlib import Path

import pytest

from probes.clock import MINUTE

from .world import World, watched

EVENTS = ("order_latency", "order_completion", "invoice_sync_success", "subscription_activation")


def bad(world: World) -> list[tuple[str, str | None]]:
    """Return every bad event."""
    return [(e.external_id, e.reason) for name in EVENTS for e in world.events(name, "bad")]


def subjects(world: World) -> list[tuple[str, str, int, str]]:
    """Return every event subject with its SLI, revision and entity."""
    return [(n, e.external_id, e.revision, e.entity) for n in EVENTS for e in world.events(n)]


@pytest.mark.parametrize("variant", ["503", "cut"])
def test_a_dead_erp_makes_its_figures_blind_raises_its_own_alert_and_closes_without_a_gap(
    tmp_path: Path, signing_key: bytes, variant: str
) -> None:
    with watched(tmp_path / "w", signing_key, scale=0.5) as world:
        world.cycle()
        (flying,) = world.inject("N02", entity="NW-DE", flow="orders")
        world.run(1)
        before = {s.name: s.watermark_us for s in world.streams() if s.platform == "erp"}
        world.inject("P01", platform="netsuite", variant=variant)
        world.run(1)
        assert [a.title for a in world.alerts()] == ["Platform erp cannot be read"]
        world.run(7)
        assert [a.rule for a in world.alerts()] == ["platform_down"], "no business alert speaks for a dead platform"
        assert bad(world) == []
        blind = [(e.external_id, e.reason) for e in world.events("order_latency", "blind")]
        assert blind == [(flying.external_id, "not_observed")]
        assert world.figure("order_latency").blind == 1
        assert world.figure("order_latency").coverage < 1
        assert all((s.watermark_us or 0) > world.now_us - 30 * MINUTE for s in world.streams() if s.platform != "erp")
        assert {s.name: s.watermark_us for s in world.streams() if s.platform == "erp"} == before
        world.repair("P01")
        world.run(2)
        assert world.alerts() == []
        assert world.headlines() == ["New: Platform erp cannot be read", "Resolved: Platform erp cannot be read"]
        assert bad(world) == []
        assert world.figure("order_latency").blind == 0
        assert flying.external_id in {e.external_id for e in world.events("order_latency", "good")}
        listed = subjects(world)
        assert len(listed) == len(set(listed))
        won = {
            m.external_id
            for m in world.company.journal.milestones
            if m.kind == "deal_won" and m.at_us > world.started_us
        }
        assert won - {external_id for name, external_id, _, _ in listed if name == "order_latency"} == set()
        assert [c for c in world.verify() if c.differing] == []


def test_a_platform_that_refuses_calls_over_its_limit_is_told_as_such_and_recovers(
    tmp_path: Path, signing_key: bytes
) -> None:
    with watched(tmp_path / "w", signing_key) as world:
        world.cycle()
        world.inject("P03", platform="stripe")
        world.run(1.5, step_minutes=15)
        (alert,) = world.alerts()
        assert (alert.title, alert.platform) == ("Platform billing cannot be read", "billing")
        assert "429" in dict(alert.details)["Reason"]
        assert bad(world) == []
        world.repair("P03")
        world.run(1, step_minutes=15)
        assert world.alerts() == []
        assert bad(world) == []


def test_an_entity_the_probe_cannot_see_any_more_is_told_and_makes_nothing_bad(
    tmp_path: Path, signing_key: bytes
) -> None:
    with watched(tmp_path / "w", signing_key) as world:
        world.cycle()
        world.inject("P11", platform="netsuite", entity="NW-US")
        world.inject("N02", entity="NW-US", flow="orders")
        world.run(28, step_minutes=60)  # past the daily comparison of ids
        assert bad(world) == []
        assert world.found() == {}
        assert "erp" in {a.platform for a in world.alerts("platform_down")}
        reasons = {e.reason for e in world.events("order_latency", "blind")}
        assert reasons <= {"not_visible", "not_observed"}
        assert reasons
        world.repair("P11")
        world.run(3, step_minutes=60)
        assert world.alerts() == []
        assert bad(world) == []
        assert world.events("order_latency", "blind") == []
