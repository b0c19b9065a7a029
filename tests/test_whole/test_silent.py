"""Does what looks like a failure and is none stay silent: rounding, flight, withdrawal, archives, loads, several ids?"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from probes.sandbox.journal import Entry

from .world import World, subject, watched

pytestmark = pytest.mark.xdist_group("whole_silent")  # its world is built once

SIZE = 60
INJECTED = (
    ("N01", {"entity": "NW-DE"}),
    ("N01", {"entity": "NW-US"}),
    ("N02", {"entity": "NW-DE", "flow": "orders"}),
    ("N02", {"entity": "NW-US", "flow": "invoices"}),
    ("N06", {"entity": "NW-DE", "variant": "withdrawn"}),
    ("N06", {"entity": "NW-US", "variant": "test"}),
    ("N06", {"entity": "NW-DE", "variant": "zero"}),
    ("N13", {"variant": "reseller", "entity": "NW-DE"}),
    ("N13", {"variant": "child", "entity": "NW-US"}),
    ("N13", {"variant": "currency"}),
    ("N08", {"entity": "NW-US", "size": SIZE}),
)


@dataclass(frozen=True)
class Quiet:
    """The world after a day and a quarter, and what the journal says of it."""

    world: World
    entries: dict[str, list[Entry]]


@pytest.fixture(scope="module")
def quiet(tmp_path_factory: pytest.TempPathFactory, signing_key: bytes) -> Iterator[Quiet]:
    """Watch a company in which everything only looks wrong."""
    with watched(tmp_path_factory.mktemp("silent") / "w", signing_key) as world:
        began_us = world.now_us
        world.inject("N07", entity="NW-US")
        world.cycle()
        for fault, parameters in INJECTED:
            world.inject(fault, **parameters)
        world.run(29, step_minutes=60)
        faults = {"N07", *(f for f, _ in INJECTED)}
        yield Quiet(world, {f: [e for e in world.entries(f) if e.started_us >= began_us] for f in faults})


def test_the_company_did_what_was_asked(quiet: Quiet) -> None:
    asked = {fault: sum(f == fault for f, _ in INJECTED) for fault, _ in INJECTED}
    assert {fault: len(found) for fault, found in quiet.entries.items() if len(found) < asked.get(fault, 1)} == {}


def test_nothing_is_found_and_nobody_is_told_of_a_failure(quiet: Quiet) -> None:
    assert quiet.world.found() == {}
    assert quiet.world.breaks(open_only=False) == []
    assert quiet.world.ever_alerted() == ["Bulk load on crm"]


@pytest.mark.parametrize(
    "name", ["order_latency", "order_completion", "subscription_activation", "invoice_sync_success"]
)
def test_no_event_is_bad_or_blind(quiet: Quiet, name: str) -> None:
    assert [(e.external_id, e.reason) for o in ("bad", "blind") for e in quiet.world.events(name, o)] == []


def test_a_load_is_one_notice_and_its_documents_are_outside_the_figures(quiet: Quiet) -> None:
    assert quiet.world.headlines() == ["New: Bulk load on crm"]
    loaded = [e for e in quiet.world.events("order_latency", "excluded") if e.reason == "bulk_load"]
    assert len({e.external_id for e in loaded}) == SIZE


def test_documents_of_past_years_are_opening_balance(quiet: Quiet) -> None:
    (entry,) = quiet.entries["N07"]
    assert quiet.world.flow_states(entry.external_id) == {
        "quote_to_order": "opening",
        "subscription_activation": "opening",
    }


def test_what_is_in_flight_is_good_in_the_end(quiet: Quiet) -> None:
    known = {e.external_id: e.outcome for n in ("order_latency", "invoice_sync_success") for e in quiet.world.events(n)}
    assert {known.get(subject(e)[2]) for e in quiet.entries["N02"]} == {"good"}


def test_what_is_withdrawn_a_test_or_free_is_excluded_with_its_reason(quiet: Quiet) -> None:
    known = {e.external_id: (e.outcome, e.reason) for e in quiet.world.events("order_latency")}
    asked = {
        e.kind: known.get(e.external_id)
        for e in quiet.entries["N06"]
        if e.platform == "salesforce" and e.kind != "trial"
    }
    assert asked["withdrawn_everywhere"] == ("excluded", "withdrawn")
    assert asked["test_record"] == ("excluded", "test")
    assert asked["zero_value"] == ("excluded", "policy")


def test_connecting_to_years_of_history_with_failures_in_it_sends_at_most_one_message(
    tmp_path: Path, signing_key: bytes
) -> None:
    with watched(tmp_path / "w", signing_key, history_days=20, watched_days=0) as world:
        world.run(6, step_minutes=60)
        assert len(world.headlines()) <= 1
        assert world.figure("order_latency").bad == 0
