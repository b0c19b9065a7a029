"""Does a verification notice when one row of a derived table is not what the facts say, and name that table and no other?"""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import BigInteger, Boolean, LargeBinary, not_, select, update

from metrics.rebuild import rebuild, verify
from metrics.store import Store
from metrics.tables import HEADS, VERDICTS, table
from probes.clock import DAY, HOUR
from probes.record import Actor, BadRow, Record, Reference, key

from .world import T0, World, model_of

DERIVED = [table(model).name for model in (*HEADS, *VERDICTS)]


def company(store: Store) -> World:
    """Return a judged company with a row in every derived table."""
    world = World(store, model_of({"DE": {}}))
    base: dict[str, Any] = {"created_us": T0, "changed_us": T0, "entity": "DE", "currency": "EUR"}
    deal = {**base, "kind": "opportunity", "state": "won", "status": "won", "amounts": {"net": 100}}
    world.land(
        "crm",
        [
            Record(id="o1", parties={"sold_to": "a1"}, keys=("crm/opportunity/number=1",), **deal),
            *(Record(id=f"load{n}", actor=Actor("mover", "person", "field"), **deal) for n in range(60)),
        ],
        T0,
    )
    people = [Record(kind="customer", id=f"a{n}", attributes={"tax_id": "DE1"}, **base) for n in range(1, 8)]
    world.land("crm", people, T0)  # so many share it that it is no key
    order = {
        **base,
        "kind": "order",
        "state": "open",
        "status": "open",
        "amounts": {"net": 90},
        "created_us": T0 + HOUR,
    }
    fulfils = (Reference("fulfils", key("crm", "opportunity", "id", "o1")),)
    world.land("erp", [Record(id="s1", references=fulfils, **order)], T0 + HOUR)
    world.land(
        "erp", [Record(kind="message", id="m1", status="rejected", **base)], T0, bad=[BadRow("type", "no", "{}")]
    )
    world.judge()
    return world


def test_a_sound_store_verifies_on_every_database(any_store: Store) -> None:
    world = company(any_store)
    checks = verify(any_store, world.model, T0 + 40 * DAY)
    assert {c.table for c in checks} == set(DERIVED)
    assert not [c for c in checks if c.differing or not c.rows], "every derived table holds a row and none differs"


@pytest.mark.parametrize("name", DERIVED)
def test_one_altered_row_is_found_in_exactly_its_table(any_store: Store, name: str) -> None:
    world = company(any_store)
    _alter(any_store, name)
    found = [
        (c.table, c.differing, c.first_difference) for c in verify(any_store, world.model, T0 + 40 * DAY) if c.differing
    ]
    assert [(place, count) for place, count, _ in found] == [(name, 2)], "once as held and once as computed"
    assert found[0][2] is not None


@pytest.mark.parametrize("name", DERIVED)
def test_one_missing_row_is_found_in_exactly_its_table(store: Store, name: str) -> None:
    world = company(store)
    _remove(store, name)
    found = [(c.table, c.differing) for c in verify(store, world.model, T0 + 40 * DAY) if c.differing]
    assert found == [(name, 1)]


def test_a_rebuild_mends_every_table(any_store: Store) -> None:
    world = company(any_store)
    for name in DERIVED:
        _remove(any_store, name)
    rows = rebuild(any_store, world.model, T0 + 40 * DAY)
    assert set(rows) == set(DERIVED)
    assert not [c for c in verify(any_store, world.model, T0 + 40 * DAY) if c.differing]


def test_a_verification_leaves_no_trace(store: Store) -> None:
    world = company(store)
    before = {name: world.rows(name) for name in DERIVED}
    verify(store, world.model, T0 + 40 * DAY)
    assert {name: world.rows(name) for name in DERIVED} == before


def _where(store: Store, name: str) -> tuple[Any, Any]:
    found = next(table(m) for m in (*HEADS, *VERDICTS) if table(m).name == name)
    keys = list(found.primary_key.columns)
    with store.read() as conn:
        row = conn.execute(select(*keys).order_by(*keys).limit(1)).one()
    return found, [column == value for column, value in zip(keys, row, strict=True)]


def _remove(store: Store, name: str) -> None:
    found, where = _where(store, name)
    with store.write() as conn:
        assert conn.execute(found.delete().where(*where)).rowcount == 1


def _alter(store: Store, name: str) -> None:
    """Change the last column that is not part of the key, or where all are, one of the key."""
    found, where = _where(store, name)
    plain = [c for c in found.columns if not c.primary_key and not isinstance(c.type, LargeBinary)]
    column = (plain or [c for c in found.primary_key.columns if isinstance(c.type, BigInteger)])[-1]
    value: Any = 4711 if isinstance(column.type, BigInteger) or "int" in str(column.type).lower() else "altered"
    if isinstance(column.type, Boolean):
        value = not_(column)
    with store.write() as conn:
        assert conn.execute(update(found).where(*where).values({column.name: value})).rowcount == 1
