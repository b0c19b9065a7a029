"""Who is who: what keys join and refuse, what is suggested and why, what a steward's word does, and what hangs on each side."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from metrics.identity.hanging import hanging
from metrics.identity.stewards import Decision, DecisionError, decide
from metrics.identity.suggestions import refresh, refresh_where_trained, train_and_keep
from metrics.identity.training import Trained, TrainingError
from metrics.keys import record_id
from metrics.queries import identity as query
from metrics.rebuild import verify
from metrics.store import Store
from metrics.tables import IdentityBlock, IdentityDue, IdentityModel, StreamRow, Suggestion, table
from probes.clock import DAY, HOUR
from probes.record import Record, Reference, key

from .world import T0, World, model_of

NOW = T0 + 40 * DAY
FIRST = [
    "Nordwind",
    "Sonnenhof",
    "Kupfer",
    "Alpenland",
    "Rheintal",
    "Blauwal",
    "Feldmann",
    "Granit",
    "Hafenstadt",
    "Isarbogen",
]
SECOND = ["Logistik", "Pharma", "Maschinenbau", "Energie", "Textil", "Software"]
TOWNS = [
    ("Bonn", "53111"),
    ("Kiel", "24103"),
    ("Ulm", "89073"),
    ("Jena", "07743"),
    ("Trier", "54290"),
    ("Essen", "45127"),
]


def customer(platform: str, ident: str, **said: Any) -> tuple[str, Record]:
    about = (Reference("about", key("crm", "customer", "id", said.pop("about"))),) if "about" in said else ()
    at = said.pop("at", T0)
    return platform, Record(
        kind="customer", id=ident, entity=said.pop("entity", "DE"), created_us=T0, changed_us=at, references=about,
        deleted=said.pop("deleted", False), attributes=said,
    )  # fmt: skip


def crowd() -> list[tuple[str, Record]]:
    """Sixty unlike customers, known to the CRM and under the same details to the ERP."""
    found = []
    for n in range(60):
        town, code = TOWNS[(n * 7 + n // 6) % 6]
        said = {
            "name": f"{FIRST[n % 10]} {SECOND[n // 10]} GmbH", "street": f"{FIRST[(n * 3) % 10]}weg {n + 1}",
            "postal_code": f"{int(code) + n:05d}", "city": town, "country": "DE",
            "email_domain": f"{FIRST[n % 10]}-{SECOND[n // 10]}.example".lower(), "tax_id": f"DE{123450000 + 37 * n}",
        }  # fmt: skip
        found += [customer("crm", f"a{n}", **said), customer("erp", f"x{n}", about=f"a{n}", **said)]
    return found


# Of customer 7, "Granit Logistik GmbH": spelled otherwise, moved, under another domain.
LIKE_7 = {
    "name": "Granti Logistik AG",
    "street": "Grossweg 8",
    "postal_code": "24110",
    "city": "Kiel",
    "country": "Germany",
}


def company(store: Store, *more: tuple[str, Record], **identity: Any) -> World:
    world = World(store, model_of(identity=identity) if identity else model_of())
    for platform in ("crm", "billing", "erp"):
        if records := [record for place, record in [*crowd(), *more] if place == platform]:
            world.land(platform, records, T0)
    return world


def same(world: World, one: tuple[str, str], other: tuple[str, str]) -> bool:
    heads = {r["record_id"]: r["customer_id"] for r in world.rows("crosswalk")}
    return bool(heads[record_id(one[0], "customer", one[1])] == heads[record_id(other[0], "customer", other[1])])


def evidence(world: World, platform: str, ident: str) -> str:
    return next(
        str(r["evidence"]) for r in world.rows("crosswalk") if r["record_id"] == record_id(platform, "customer", ident)
    )


def refused(world: World) -> dict[str, str]:
    with world.store.read() as conn:
        return {v.value: v.reason for v in query.refused_values(conn)}


def settle(world: World, kind: Any, one: tuple[str, str], other: tuple[str, str], author: str = "Ada") -> None:
    a, b = (record_id(p, "customer", i) for p, i in (one, other))
    decide(world.store, world.model, Decision(kind, a, b, author, "compared the register"), NOW)


def suggested(world: World) -> list[query.Suggested]:
    with world.store.read() as conn:
        return query.suggestions(conn, world.model).items


def names(world: World) -> list[set[str]]:
    return [{side.record.record.external_id for side in s.sides} for s in suggested(world)]


# -- keys -------------------------------------------------------------------------------------------------------------------


def test_an_equal_vat_id_joins_however_it_is_written(any_store: Store) -> None:
    world = company(any_store, customer("billing", "b1", tax_id="de 123 450 037"))
    assert same(world, ("billing", "b1"), ("crm", "a1"))
    assert evidence(world, "billing", "b1") == "key tax_id"
    assert evidence(world, "erp", "x1") == "reference", "what a platform declares comes before a key"


@pytest.mark.parametrize("word", ["UNKNOWN", "n/a", "000000000", "Laufkundschaft"])
def test_a_word_for_nothing_joins_nobody_and_is_listed(store: Store, word: str) -> None:
    world = company(
        store,
        customer("billing", "b1", tax_id=word),
        customer("billing", "b2", tax_id=word),
        null_words=["Laufkundschaft"],
    )
    assert not same(world, ("billing", "b1"), ("billing", "b2"))
    assert set(refused(world).values()) == {"null_word"}


def test_a_value_that_too_many_share_joins_nobody_until_enough_of_them_are_mended(any_store: Store) -> None:
    many = [customer("billing", f"b{n}", tax_id="FR55") for n in range(6)]
    world = company(any_store, *many)
    assert refused(world) == {"FR55": "shared"}
    assert not same(world, ("billing", "b0"), ("billing", "b1"))
    platform, mended = customer("billing", "b5", tax_id="IT77", at=T0 + HOUR)
    world.land(platform, [mended], T0 + HOUR)
    assert refused(world) == {}
    assert same(world, ("billing", "b0"), ("billing", "b4"))
    assert not [c for c in verify(any_store, world.model, NOW) if c.differing]


def test_a_key_of_several_attributes_needs_all_of_them(store: Store) -> None:
    keys = [{"fields": ["register", "court"]}]
    world = company(
        store, customer("billing", "b1", register="HRB 1", court="Bonn"), customer("erp", "y1", register="hrb1", court="BONN"),
        customer("erp", "y2", register="HRB 1", court="Ulm"), customer("erp", "y3", register="HRB 1"), keys=keys,
    )  # fmt: skip
    assert same(world, ("billing", "b1"), ("erp", "y1"))
    assert not same(world, ("billing", "b1"), ("erp", "y2"))
    assert not same(world, ("billing", "b1"), ("erp", "y3"))


def test_a_child_and_its_parent_under_one_vat_id_stay_two_customers(store: Store) -> None:
    child = Record(
        kind="customer", id="child", created_us=T0, changed_us=T0, attributes={"tax_id": "DE900"},
        references=(Reference("part_of", key("crm", "customer", "id", "parent")),),
    )  # fmt: skip
    world = company(
        store, customer("crm", "parent", tax_id="DE900"), ("crm", child), customer("erp", "y1", tax_id="DE900")
    )
    assert not same(world, ("crm", "child"), ("crm", "parent"))
    assert not same(world, ("erp", "y1"), ("crm", "parent")), "the value names two, so it names nobody"
    assert refused(world) == {"DE900": "hierarchy"}


def test_a_record_found_gone_stays_who_it_was(store: Store) -> None:
    world = company(store, customer("billing", "b1", tax_id="DE123450037"))
    platform, gone = customer("billing", "b1", at=T0 + HOUR, deleted=True)
    world.land(platform, [gone], T0 + HOUR)
    assert same(world, ("billing", "b1"), ("crm", "a1"))


def test_the_record_of_the_crm_stands_for_the_customer(store: Store) -> None:
    world = company(store, customer("billing", "b1", tax_id="DE5"), customer("crm", "zz", tax_id="DE5"))
    heads = {r["customer_id"] for r in world.rows("crosswalk") if r["evidence"] != "self"}
    assert record_id("crm", "customer", "zz") in heads


# -- suggestions --------------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def learned(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the file of a store whose suggestions are there; learning takes seconds, so each test takes a copy."""
    file = tmp_path_factory.mktemp("learned") / "tieout.sqlite"
    store = Store.open(f"sqlite:///{file}")
    world = company(store, customer("erp", "dup", **LIKE_7, email_domain="granit-logistik.example"))
    train_and_keep(store, world.model, "Ada", NOW)
    refresh(store, world.model)
    with store.engine.connect() as conn:
        conn.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
        conn.rollback()
    store.close()
    return file


@pytest.fixture
def trained(learned: Path, tmp_path: Path) -> Iterator[World]:
    shutil.copy(learned, tmp_path / "tieout.sqlite")
    store = Store.open(f"sqlite:///{tmp_path / 'tieout.sqlite'}")
    with store.write() as conn:
        conn.execute(table(StreamRow).delete())  # the world declares the same ones again
    yield World(store, model_of())
    store.close()


def test_a_customer_spelled_otherwise_and_moved_is_suggested_and_joined_by_nobody(trained: World) -> None:
    assert names(trained) == [{"a7", "dup"}] or names(trained) == [{"x7", "dup"}]
    assert not same(trained, ("erp", "dup"), ("crm", "a7"))


def test_the_parts_of_a_score_sum_up_to_it_and_name_what_was_found(trained: World) -> None:
    (found,) = suggested(trained)
    assert sum(p.weight for p in found.parts) == pytest.approx(found.weight, abs=1e-5)
    told = {p.comparison: p.level for p in found.parts}
    assert told["name"] == "one slip"
    assert told["street"] == "different"
    assert told["email_domain"] == "equal"
    assert found.probability > 0.8
    assert found.parts[0].weight < 0, "that two records match at all is rare"


def test_a_duplicate_that_was_put_out_of_use_is_suggested_no_more(trained: World) -> None:
    platform, record = customer("erp", "dup", **LIKE_7, email_domain="granit-logistik.example", at=T0 + HOUR)
    trained.land(platform, [msgspec.structs.replace(record, state="closed", status="T")], T0 + HOUR)
    refresh(trained.store, trained.model)
    assert suggested(trained) == []


def test_nothing_is_suggested_before_a_model_was_trained(store: Store) -> None:
    world = company(store)
    with pytest.raises(TrainingError, match="identity train"):
        refresh(store, world.model)


def test_too_few_customers_teach_nothing(store: Store) -> None:
    world = World(store, model_of())
    world.land(*(lambda c: (c[0], [c[1]]))(customer("crm", "a1", name="Acme")), T0)
    with pytest.raises(TrainingError, match="too few"):
        train_and_keep(store, world.model, "Ada", NOW)


def test_a_company_full_of_exact_copies_can_be_learned_from_and_finds_them_all(store: Store) -> None:
    copies = [
        customer("crm", f"c{n}", **{k: v for k, v in record.attributes.items() if k != "tax_id"})
        for n, (_, record) in enumerate(crowd()[:60:2])
    ]
    world = company(store, *copies)
    assert train_and_keep(store, world.model, "Ada", NOW).trained.alike >= 30
    refresh(store, world.model)
    found = {
        frozenset({i.record.external_id for i in side.ids} & {f"c{n}", f"a{n}"})
        for n in range(30)
        for s in suggested(world)
        for side in s.sides
    }
    assert {frozenset({f"{which}{n}"}) for n in range(30) for which in "ca"} <= found


def test_a_model_is_a_fact_with_a_name_and_a_digest_and_the_same_records_give_the_same(trained: World) -> None:
    (row,) = trained.rows("identity_model")
    assert Trained.parse(row["body"]).digest == row["digest"]
    again = train_and_keep(trained.store, trained.model, "Ben", NOW + 1)
    assert again.digest == row["digest"]
    assert [r["author"] for r in trained.rows("identity_model")] == ["Ada", "Ben"]


def test_a_model_trained_for_other_fields_is_not_used(trained: World) -> None:
    other = model_of(identity={"suggest": {"compare": [{"field": "name"}, {"field": "city"}]}})
    with pytest.raises(TrainingError, match="other fields"):
        refresh(trained.store, other)


def test_the_scheduler_looks_for_nothing_before_a_model_was_trained(store: Store) -> None:
    assert refresh_where_trained(store, company(store).model).records == 0


def test_the_scheduler_looks_again_only_where_a_model_fits_and_something_changed(trained: World) -> None:
    assert refresh_where_trained(trained.store, trained.model).records == 0, "nothing changed"
    platform, changed = customer("billing", "b3", name="Kupfer Pharma", at=T0 + HOUR)
    trained.land(platform, [changed], T0 + HOUR)
    other = model_of(identity={"suggest": {"compare": [{"field": "name"}, {"field": "city"}]}})
    assert refresh_where_trained(trained.store, other).records == 0, "a model for other fields"
    assert refresh_where_trained(trained.store, trained.model).records == 1


def test_only_what_changed_is_looked_at_again_and_the_outcome_is_that_of_looking_at_all(trained: World) -> None:
    assert refresh(trained.store, trained.model).records == 0
    platform, changed = customer("billing", "b3", name="Kupfer Pharma", street="Nordwindweg 13", at=T0 + HOUR)
    trained.land(platform, [changed], T0 + HOUR)
    assert refresh(trained.store, trained.model).records == 1
    step_by_step = [sorted(map(repr, trained.rows(table(t).name))) for t in (Suggestion, IdentityBlock)]
    with trained.store.write() as conn:
        for derived in (Suggestion, IdentityBlock, IdentityDue):
            conn.execute(table(derived).delete())
        conn.exec_driver_sql("INSERT INTO identity_due (record_id) SELECT id FROM record WHERE kind = 'customer'")
    refresh(trained.store, trained.model)
    assert [sorted(map(repr, trained.rows(table(t).name))) for t in (Suggestion, IdentityBlock)] == step_by_step


def test_a_block_that_too_many_share_is_passed_over_and_taken_up_again(store: Store) -> None:
    common = {"blocks": [["city"]], "block_most": 3, "probability": 0.000001}
    world = company(store, suggest=common)
    train_and_keep(store, world.model, "Ada", NOW)
    refresh(store, world.model)
    assert world.rows("identity_suggestion") == []
    twins = [
        customer("crm", f"t{n}", name="Zwilling", street="Ring 1", city="Aue", postal_code="08280") for n in range(4)
    ]
    for platform, record in twins[:3]:
        world.land(platform, [record], T0)
    refresh(store, world.model)
    assert len(world.rows("identity_suggestion")) == 3
    world.land("crm", [twins[3][1]], T0)
    refresh(store, world.model)
    assert world.rows("identity_suggestion") == []


# -- stewards ---------------------------------------------------------------------------------------------------------------


def test_a_confirmed_suggestion_joins_survives_a_rebuild_and_is_suggested_no_more(trained: World) -> None:
    settle(trained, "confirm", ("erp", "dup"), ("crm", "a7"))
    assert same(trained, ("erp", "dup"), ("crm", "a7"))
    assert evidence(trained, "erp", "dup") == "steward"
    assert suggested(trained) == []
    refresh(trained.store, trained.model)
    assert trained.rows("identity_suggestion") == []
    assert not [c for c in verify(trained.store, trained.model, NOW) if c.differing]


def test_a_decision_keeps_the_score_and_the_model_that_its_person_saw(trained: World) -> None:
    (found,) = suggested(trained)
    decide(trained.store, trained.model, Decision("reject", found.b_id, found.a_id, " Ada ", "two shops"), NOW)
    (row,) = trained.rows("identity_decision")
    assert (row["author"], row["reason"], row["weight"], row["model"]) == (
        "Ada",
        "two shops",
        found.weight,
        found.model,
    )
    assert row["a_id"] < row["b_id"]


def test_a_rejected_suggestion_does_not_come_back_from_another_id_of_the_same_customers(trained: World) -> None:
    settle(trained, "reject", ("erp", "dup"), ("crm", "a7"))
    assert suggested(trained) == []
    platform, record = customer(
        "billing", "b7", about="a7", name="Granit Logistik", email_domain="granit-logistik.example"
    )
    trained.land(platform, [record], T0 + HOUR)
    refresh(trained.store, trained.model)
    assert suggested(trained) == []


def test_a_rejection_stands_above_an_equal_key_that_comes_later(trained: World) -> None:
    settle(trained, "reject", ("erp", "dup"), ("crm", "a7"))
    platform, record = customer("erp", "dup", **LIKE_7, tax_id=f"DE{123450000 + 37 * 7}", at=T0 + HOUR)
    trained.land(platform, [record], T0 + HOUR)
    assert not same(trained, ("erp", "dup"), ("crm", "a7"))
    assert refused(trained) == {f"DE{123450000 + 37 * 7}": "disputed"}


def test_a_split_undoes_what_a_platform_declared_and_a_later_confirmation_undoes_the_split(trained: World) -> None:
    settle(trained, "split", ("erp", "x3"), ("crm", "a3"))
    assert not same(trained, ("erp", "x3"), ("crm", "a3"))
    assert not [c for c in verify(trained.store, trained.model, NOW) if c.differing]
    settle(trained, "confirm", ("erp", "x3"), ("crm", "a3"), "Ben")
    assert same(trained, ("erp", "x3"), ("crm", "a3"))
    with trained.store.read() as conn:
        told = query.decisions(conn).items
    assert [(d.kind, d.author, d.in_force) for d in told] == [("confirm", "Ben", True), ("split", "Ada", False)]


@pytest.mark.parametrize(
    ("kind", "one", "other", "author", "said"),
    [
        ("confirm", ("erp", "x3"), ("crm", "a3"), "Ada", "one customer already"),
        ("split", ("erp", "x3"), ("crm", "a4"), "Ada", "nothing to split"),
        ("confirm", ("erp", "x3"), ("erp", "x3"), "Ada", "two different records"),
        ("confirm", ("erp", "nobody"), ("crm", "a4"), "Ada", "was ever seen"),
        ("confirm", ("erp", "x3"), ("crm", "a4"), " ", "give a name"),
    ],
)
def test_what_cannot_be_settled_is_refused_with_the_reason(
    trained: World, kind: str, one: tuple[str, str], other: tuple[str, str], author: str, said: str
) -> None:
    with pytest.raises(DecisionError, match=said):
        settle(trained, kind, one, other, author)
    assert trained.rows("identity_decision") == []


def test_a_confirmation_that_an_earlier_decision_makes_impossible_names_it(trained: World) -> None:
    settle(trained, "reject", ("erp", "dup"), ("erp", "x7"), "Zoe")
    with pytest.raises(DecisionError, match="Zoe"):
        settle(trained, "confirm", ("erp", "dup"), ("crm", "a7"))
    assert len(trained.rows("identity_decision")) == 1


def test_the_same_thing_is_not_settled_twice(trained: World) -> None:
    settle(trained, "reject", ("erp", "dup"), ("crm", "a7"), "Zoe")
    with pytest.raises(DecisionError, match="Zoe has settled"):
        settle(trained, "reject", ("erp", "dup"), ("crm", "a7"))


# -- what hangs on each side ----------------------------------------------------------------------------------------------------


def document(kind: str, ident: str, sold_to: str, **more: Any) -> Record:
    state = more.pop("state", "open")
    parties = {"sold_to": sold_to, **more.pop("parties", {})}
    return Record(kind=kind, id=ident, created_us=T0, changed_us=T0, state=state, status=state, parties=parties, **more)


def test_open_orders_receivables_and_cases_are_counted_per_record_and_currency(any_store: Store) -> None:
    world = company(any_store)
    world.land("erp", [document("order", f"s{n}", "x1", currency="EUR", amounts={"net": 1000}) for n in range(2)], T0)
    world.land("erp", [document("order", "s9", "x1", state="cancelled", currency="EUR", amounts={"net": 7})], T0)
    world.land(
        "erp",
        [
            document("invoice", "i1", "x1", currency="EUR", amounts={"gross": 500, "open": 200}),
            document("invoice", "i2", "x1", currency="JPY", amounts={"gross": 90}),
            document("invoice", "i3", "x1", state="paid", currency="EUR", amounts={"gross": 500, "open": 0}),
            document(
                "invoice", "i4", "x1", currency="EUR", amounts={"gross": 40, "open": 40}, parties={"bill_to": "x2"}
            ),
        ],
        T0,
    )
    one, two = record_id("erp", "customer", "x1"), record_id("erp", "customer", "x2")
    with any_store.read() as conn:
        found = hanging(conn, [one, two, 4711])
    assert (found[one].orders, found[one].order_money) == (2, {"EUR": 2000})
    assert (found[one].invoices, found[one].receivables) == (2, {"EUR": 200, "JPY": 90})
    assert (found[two].invoices, found[two].receivables) == (1, {"EUR": 40}), "who pays owes"
    assert found[4711].orders == 0


def test_every_id_of_a_customer_carries_its_scope_its_time_and_its_evidence(store: Store) -> None:
    world = company(store, customer("erp", "us1", entity="US", about="a1", currency="USD"))
    with store.read() as conn:
        ids = query.scoped_ids(conn, world.model, [record_id("crm", "customer", "a1")])[
            record_id("crm", "customer", "a1")
        ]
    told = {
        (i.record.platform, i.record.external_id): (
            i.roles,
            i.record.entity,
            i.currency,
            i.from_us,
            i.to_us,
            i.evidence,
        )
        for i in ids
    }
    assert told["erp", "us1"] == (("erp",), "US", "USD", T0, None, "reference")
    assert told["crm", "a1"][-1] == "self"


def test_lists_go_on_where_the_page_before_ended(trained: World) -> None:
    for n in (11, 23):
        said = {k: v for k, v in crowd()[2 * n][1].attributes.items() if k != "tax_id"}
        platform, record = customer("billing", f"b{n}", **said)
        trained.land(platform, [record], T0)
    refresh(trained.store, trained.model)
    with trained.store.read() as conn:
        whole = query.suggestions(conn, trained.model)
        first = query.suggestions(conn, trained.model, limit=2)
        rest = query.suggestions(conn, trained.model, limit=2, after=first.next)
    assert [s.a_id for s in (*first.items, *rest.items)] == [s.a_id for s in whole.items]
    assert (whole.total, len(whole.items), rest.next) == (3, 3, None)


def test_every_list_answers_on_every_database(any_store: Store) -> None:
    world = company(any_store, customer("billing", "b1", tax_id="UNKNOWN"))
    a, b = sorted(record_id("crm", "customer", i) for i in ("a1", "a2"))
    row = {"a_id": a, "b_id": b, "weight": 2.5, "probability": 0.85, "parts": '[["name", "equal", 2.5]]', "model": "m"}
    with any_store.write() as conn:
        conn.execute(table(Suggestion).insert().values(**row))
    with any_store.read() as conn:
        first = query.suggestions(conn, world.model, limit=1)
        assert [(s.a_id, s.weight, s.parts[0].level) for s in first.items] == [(a, 2.5, "equal")]
        assert query.suggestion(conn, world.model, b, a) is not None
        assert [v.reason for v in query.refused_values(conn)] == ["null_word"]
        assert query.status(conn, world.model).suggestions == 1
    settle(world, "reject", ("crm", "a1"), ("crm", "a2"))
    with any_store.read() as conn:
        assert query.suggestions(conn, world.model).items == []
        assert [d.weight for d in query.decisions(conn).items] == [2.5]


def test_no_model_row_is_ever_changed_by_a_rebuild(trained: World) -> None:
    before = trained.rows(table(IdentityModel).name), trained.rows("identity_suggestion")
    verify(trained.store, trained.model, NOW)
    assert (trained.rows(table(IdentityModel).name), trained.rows("identity_suggestion")) == before
