"""Is every verdict right whatever happened and however it arrived? Random histories against the naive judge."""

from __future__ import annotations

import random
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from metrics.rebuild import verify
from metrics.store import Store
from probes.clock import DAY

from .compare import differences
from .histories import History, Landing, histories
from .world import T0, World, model_of, wipe

MODEL = model_of({"DE": {}, "US": {"posting": {"credit_note": "document"}}}, ("crm", "billing", "erp", "legacy"))


@pytest.fixture(scope="module")
def stores(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Store, Store]]:
    folder = tmp_path_factory.mktemp("histories")
    opened = tuple(Store.open(f"sqlite:///{folder / name}.sqlite") for name in "ab")
    yield opened  # type: ignore[misc] # two stores
    for store in opened:
        store.close()


def replay(store: Store, history: History, landings: list[Landing], rng: random.Random) -> World:
    """Land the pages in an order, polls and direct reads in between, judging at random moments; judged at the end."""
    wipe(store)
    world = World(store, MODEL)
    polled = {(w.platform, w.kind) for w in history.watermarks}
    for platform, kind in polled:
        world.see(platform, kind, watermark_us=None)
    if history.readable:
        world.see("erp", "order", readable=True)
    polls = list(history.watermarks)
    places = sorted(rng.randrange(len(landings) + 1) for _ in polls)
    pauses = {rng.randrange(len(landings) + 1) for _ in range(rng.randrange(3))}
    for number in range(len(landings) + 1):
        while places and places[0] == number:
            places.pop(0)
            w = polls.pop(0)
            world.run(w.platform, w.kind, w.at_us, w.watermark_us, w.status)
        if number in pauses:
            world.judge(chunk=2 if rng.random() < 0.1 else 10_000)
        if number < len(landings):
            page = landings[number]
            world.land(page.platform, page.records, page.observed_us)
    for deal, at, control in history.lookups:
        world.ask("erp", "order", ("crm", "opportunity", deal), "quote_to_order", at, control=control)
    world.judge()
    return world


@given(history=histories(), seed=st.integers(0, 2**16))
def test_stored_verdicts_equal_the_reference_judges_and_a_rebuild_finds_no_difference(
    stores: tuple[Store, Store], history: History, seed: int
) -> None:
    world = replay(stores[0], history, history.landings, random.Random(seed))
    assert not differences(world)
    assert not [check for check in verify(world.store, world.model, T0 + 40 * DAY) if check.differing]
