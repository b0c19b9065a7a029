"""Is every customer drawn right, whatever was declared, decided and typed, in whatever order it came? Against the naive judge."""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from metrics.keys import record_id
from metrics.rebuild import verify
from metrics.store import Store
from metrics.tables import Crosswalk, IdentityKey, IdentityRefused, table
from probes.clock import DAY, HOUR
from probes.record import Record, Reference, key
from tests.reference.customers import Customers
from tests.reference.facts import Ident

from .world import T0, World, model_of, wipe

FEWER = settings(max_examples=max(1, settings.default.max_examples // 4))  # type: ignore[union-attr] # set by conftest
DERIVED = [table(model).name for model in (Crosswalk, IdentityKey, IdentityRefused)]
PEOPLE = (
    [("crm", f"a{n}") for n in range(4)]
    + [("billing", f"b{n}") for n in range(3)]
    + [("erp", f"x{n}") for n in range(8)]
)
VALUES = ["DE 1", "de-1", "FR2", "FR2", "IT3", None, "", "n/a", "UNKNOWN", "000000"]
Said = tuple[str, Any]


@pytest.fixture(scope="module")
def two(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Store, Store]]:
    folder = tmp_path_factory.mktemp("identity")
    stores = Store.open(f"sqlite:///{folder}/a.sqlite"), Store.open(f"sqlite:///{folder}/b.sqlite")
    yield stores
    for store in stores:
        store.close()


@st.composite
def told(draw: st.DrawFn) -> list[Said]:
    """Draw what was seen of customer records, each once or twice, and what stewards settled about them."""
    found: list[Said] = []
    shown = draw(st.lists(st.sampled_from(PEOPLE), min_size=1, unique=True))
    for platform, ident in shown:
        at = T0
        for _ in range(draw(st.sampled_from([1, 1, 2]))):
            at += HOUR
            found.append((platform, draw(_customers(platform, ident, at))))
    for number in range(draw(st.integers(0, 4))):
        kind = draw(st.sampled_from(["confirm", "reject", "split"]))
        one, other = draw(st.lists(st.sampled_from(PEOPLE), min_size=2, max_size=2, unique=True))
        found.append(("steward", (kind, (one[0], "customer", one[1]), (other[0], "customer", other[1]), T0 + number)))
    return found


@st.composite
def _customers(draw: st.DrawFn, platform: str, ident: str, at: int) -> Record:
    refs = []
    if platform != "crm" and draw(st.booleans()):
        refs.append(Reference("about", key("crm", "customer", "id", f"a{draw(st.integers(0, 3))}")))
    if platform == "crm" and draw(st.integers(0, 3)) == 0:
        kind = draw(st.sampled_from(["merged_into", "part_of"]))
        refs.append(Reference(kind, key("crm", "customer", "id", f"a{draw(st.integers(0, 3))}")))
    return Record(
        kind="customer", id=ident, entity="DE", created_us=T0, changed_us=at, references=tuple(refs),
        attributes={"tax_id": draw(st.sampled_from(VALUES)), "name": "Acme"}, deleted=draw(st.integers(0, 9)) == 0,
    )  # fmt: skip


def land(store: Store, told_: list[Said]) -> World:
    wipe(store)
    world = World(store, model_of())
    for who, what in told_:
        if who == "steward":
            world.settle(*what)
        else:
            world.land(who, [what], what.changed_us)
    return world


def held(world: World) -> dict[int, int]:
    return {row["record_id"]: row["customer_id"] for row in world.rows("crosswalk")}


def expected(world: World) -> dict[int, int]:
    judge = Customers(world.facts())

    def identity(ident: Ident) -> int:
        return record_id(*ident)

    return {identity(ident): identity(head) for ident, head in judge.head.items()}


@FEWER
@given(told_=told())
def test_customers_are_what_the_naive_judge_draws_and_a_rebuild_finds_no_difference(
    two: tuple[Store, Store], told_: list[Said]
) -> None:
    world = land(two[0], told_)
    assert held(world) == expected(world)
    checks = {c.table: c for c in verify(world.store, world.model, T0 + 40 * DAY)}
    assert [c for name, c in checks.items() if name in DERIVED and c.differing] == []


@FEWER
@given(told_=told(), seed=st.integers(0, 2**16))
def test_matching_is_independent_of_order_and_a_decision_survives_any_order_of_arrival(
    two: tuple[Store, Store], told_: list[Said], seed: int
) -> None:
    other = list(told_)
    random.Random(seed).shuffle(other)
    # Of two decisions on one pair the later counts by its own instant, so they may arrive in any order too.
    one, two_ = land(two[0], told_), land(two[1], other)
    for name in DERIVED:
        assert sorted(map(repr, one.rows(name))) == sorted(map(repr, two_.rows(name))), name


@FEWER
@given(told_=told())
def test_no_record_is_in_two_customers_and_each_customer_is_one_of_its_records(
    two: tuple[Store, Store], told_: list[Said]
) -> None:
    world = land(two[0], told_)
    drawn = world.rows("crosswalk")
    records = {row["id"] for row in world.rows("record")}
    assert sorted(row["record_id"] for row in drawn) == sorted(records)
    heads = {row["record_id"]: row["customer_id"] for row in drawn}
    assert all(heads[head] == head for head in heads.values())
    apart = {
        (r["a_id"], r["b_id"]): r["kind"] for r in sorted(world.rows("identity_decision"), key=lambda r: r["at_us"])
    }
    for (a, b), kind in apart.items():
        if kind != "confirm" and a in heads and b in heads:
            assert heads[a] != heads[b], "a steward's word stands above keys and references"
