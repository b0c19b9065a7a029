"""How good are suggestions on data whose truth is known? The Febrl sets, people with typing errors, without their national id.

The whole way of the product: customers land, a model is trained on Febrl 1 and on nothing else, suggestions are refreshed, and the
customers are those that would be, had a steward confirmed each suggestion. The figures reached stand in `REACHED`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import insert

from metrics.identity.grouping import Links, group
from metrics.identity.suggestions import refresh, train_and_keep
from metrics.keys import record_id
from metrics.store import Store
from metrics.tables import IdentityModel, table
from probes.clock import DAY
from probes.record import Record
from tests.servers import febrl

from .world import T0, World, model_of

PERSON: dict[str, Any] = {
    # Two people of one name born on one day are taken for one: the only thing these sets hold that comes near a key.
    "keys": [{"fields": ["given_name", "surname", "date_of_birth"], "form": "text"}],
    "suggest": {
        "fields": {
            "given_name": "text", "surname": "text", "date_of_birth": "code", "street_number": "code", "address_1": "text",
            "address_2": "text", "suburb": "text", "postcode": "code", "state": "text",
        },
        "compare": [
            {"field": "given_name", "swaps_with": "surname"},
            {"field": "surname", "swaps_with": "given_name"},
            {"field": "date_of_birth", "how": "digits"},
            {"field": "suburb"},
            {"field": "postcode", "how": "digits"},
            {"field": "address_1"},
            {"field": "address_2"},
            {"field": "street_number", "how": "digits"},
            {"field": "state", "how": "exact"},
        ],
        "blocks": [
            ["date_of_birth"], ["surname", "given_name:1"], ["given_name", "suburb"], ["postcode", "surname:3"],
            ["postcode", "given_name:3"], ["address_1", "street_number"], ["suburb", "surname:3"], ["address_2", "given_name:2"],
            ["address_1", "suburb:3"], ["postcode", "street_number"], ["given_name:3", "surname:3"],
        ],
        "probability": 0.9,
    },
}  # fmt: skip
SETS = {"2": {"crm": "2"}, "3": {"crm": "3"}, "4": {"crm": "4a", "erp": "4b"}}
# Pairwise F1 after clustering, measured 0.9990, 0.9989 and 0.9987; what is held leaves room for a library's next version.
REACHED = {"2": 0.995, "3": 0.995, "4": 0.995}
NOW = T0 + DAY
Pairs = set[tuple[int, int]]


@dataclass(frozen=True)
class Outcome:
    """What became of one set: the true pairs, those joined by keys alone, and those that all suggestions would make one."""

    truth: Pairs
    joined: Pairs
    proposed: Pairs

    @property
    def f1(self) -> float:
        return 2 * len(self.proposed & self.truth) / (len(self.proposed) + len(self.truth))


def land(store: Store, sets: dict[str, str]) -> tuple[World, dict[int, str]]:
    """Land data sets as customers of platforms. Returns the person behind each record."""
    world = World(store, model_of(identity=PERSON))
    people: dict[int, str] = {}
    for platform, name in sets.items():
        rows = febrl.rows(name)
        world.land(
            platform,
            [Record(kind="customer", id=i, created_us=T0, changed_us=T0, attributes=said) for i, said in rows.items()],
            T0,
        )
        people |= {record_id(platform, "customer", i): i.split("-")[1] for i in rows}
    return world, people


def pairs(groups: list[list[int]]) -> Pairs:
    return {(min(p), max(p)) for members in groups for p in combinations(members, 2)}


@pytest.fixture(scope="module")
def model_row(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Return the model that Febrl 1 teaches, as the fact it is stored as."""
    store = Store.open(f"sqlite:///{tmp_path_factory.mktemp('febrl1') / 'tieout.sqlite'}")
    world, _ = land(store, {"crm": "1"})
    train_and_keep(store, world.model, "Ada", NOW)
    (row,) = world.rows("identity_model")
    store.close()
    return row


@pytest.fixture(scope="module", params=sorted(SETS))
def outcome(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, model_row: dict[str, Any]
) -> Iterator[Any]:
    folder: Path = tmp_path_factory.mktemp("febrl")
    store = Store.open(f"sqlite:///{folder / 'tieout.sqlite'}")
    world, people = land(store, SETS[request.param])
    with store.write() as conn:
        conn.execute(insert(table(IdentityModel)).values(**model_row))
        conn.exec_driver_sql("INSERT INTO identity_due (record_id) SELECT id FROM record")
    refresh(store, world.model)
    suggested = {(r["a_id"], r["b_id"]) for r in world.rows("identity_suggestion")}
    joined = pairs(_by({r["record_id"]: r["customer_id"] for r in world.rows("crosswalk")}))
    proposed = group(people, Links(together=suggested, references=joined)).groups
    yield request.param, Outcome(pairs(_by(people)), joined, pairs(proposed))
    store.close()


def _by(owner: dict[int, Any]) -> list[list[int]]:
    found: dict[Any, list[int]] = {}
    for record, customer in owner.items():
        found.setdefault(customer, []).append(record)
    return list(found.values())


def test_the_pairs_that_suggestions_make_one_are_the_true_ones(outcome: tuple[str, Outcome]) -> None:
    name, found = outcome
    assert found.f1 >= REACHED[name], f"Febrl {name}: {found.f1:.4f}"


def test_no_pair_that_was_joined_without_a_person_is_wrong(outcome: tuple[str, Outcome]) -> None:
    _, found = outcome
    assert len(found.joined) > 100, "else this proves nothing"
    assert found.joined - found.truth == set()


def test_hardly_anything_is_proposed_that_is_wrong(outcome: tuple[str, Outcome]) -> None:
    _, found = outcome
    assert len(found.proposed - found.truth) <= len(found.proposed) / 500
