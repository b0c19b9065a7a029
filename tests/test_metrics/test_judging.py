"""Is what was judged before judged again when something that it hangs on arrives later? Verified by computing all anew."""

from __future__ import annotations

import pytest

from metrics.rebuild import verify
from metrics.store import Store
from probes.clock import DAY, HOUR
from probes.record import Record, Reference, key

from .compare import differences
from .world import T0, World, model_of


def customer(platform: str, ident: str, *, about: str | None = None, **more: object) -> Record:
    refs = (Reference("about", key("crm", "customer", "id", about)),) if about else ()
    return Record(
        kind="customer",
        id=ident,
        created_us=T0 - 9 * DAY,
        changed_us=T0 - 9 * DAY,
        entity="DE",
        references=refs,
        **more,
    )  # type: ignore[arg-type] # fields of a record


def invoice(ident: str, at_us: int, **more: object) -> Record:
    fields: dict[str, object] = {
        "kind": "invoice", "id": ident, "created_us": at_us, "changed_us": at_us, "entity": "DE", "state": "open",
        "status": "open", "currency": "EUR", "amounts": {"gross": 100},
    }  # fmt: skip
    return Record(**{**fields, **more})  # type: ignore[arg-type] # fields of a record


def posting(ident: str, at_us: int, of: str, **more: object) -> Record:
    return invoice(ident, at_us, references=(Reference("posts", key("billing", "invoice", "id", of)),), **more)


@pytest.fixture
def world(store: Store) -> World:
    return World(store, model_of({"DE": {}}))


def sound(world: World) -> None:
    """Assert that the stored verdicts are those of the reference judge and of a computation from scratch."""
    world.judge()
    assert not differences(world)
    assert not [check for check in verify(world.store, world.model, T0 + 40 * DAY) if check.differing]


def test_documents_are_judged_again_when_their_customers_are_linked_later(world: World) -> None:
    world.land("billing", [invoice("i1", T0, parties={"sold_to": "b1"})], T0)
    world.land("erp", [posting("e1", T0 + HOUR, "i1", parties={"sold_to": "x2"})], T0 + HOUR)
    sound(world)
    world.land("crm", [customer("crm", "a1"), customer("crm", "a2")], T0 + DAY)
    world.land("billing", [customer("billing", "b1", about="a1")], T0 + DAY)
    world.land("erp", [customer("erp", "x2", about="a2")], T0 + DAY)
    sound(world)
    assert [e["reason"] for e in world.rows("sli_event")] == ["customer"]
    merged = customer("crm", "a2")
    fields = {f: getattr(merged, f) for f in merged.__struct_fields__}
    into = (Reference("merged_into", key("crm", "customer", "id", "a1")),)
    world.land("crm", [Record(**{**fields, "changed_us": T0 + DAY, "references": into})], T0 + 2 * DAY)
    sound(world)
    assert [e["reason"] for e in world.rows("sli_event")] == ["in_time"]


def test_a_customer_stops_trading_when_its_only_invoice_is_voided(world: World) -> None:
    world.land("crm", [customer("crm", "a1")], T0)
    world.land("billing", [customer("billing", "b1", about="a1")], T0)
    world.land("billing", [invoice("i1", T0, parties={"sold_to": "b1"})], T0)
    sound(world)
    assert {i["subject_id"] for i in world.rows("state_interval")}
    voided = {"state": "voided", "status": "voided", "created_us": T0, "parties": {"sold_to": "b1"}}
    world.land("billing", [invoice("i1", T0 + HOUR, **voided)], T0 + HOUR)
    sound(world)
    assert not world.rows("state_interval")


def test_a_customer_trades_no_more_when_its_invoice_turns_out_to_be_anothers(world: World) -> None:
    world.land("crm", [customer("crm", "a1"), customer("crm", "a2")], T0)
    world.land("billing", [customer("billing", "b1", about="a1"), customer("billing", "b2", about="a2")], T0)
    world.land("billing", [invoice("i1", T0, parties={"sold_to": "b1"})], T0)
    sound(world)
    world.land("billing", [invoice("i1", T0 + HOUR, created_us=T0, parties={"sold_to": "b2"})], T0 + HOUR)
    sound(world)
    assert len({i["subject_id"] for i in world.rows("state_interval")}) == 1


def test_a_deleted_invoice_makes_nobody_trade(world: World) -> None:
    world.land("crm", [customer("crm", "a1")], T0)
    world.land("billing", [customer("billing", "b1", about="a1")], T0)
    world.land("billing", [invoice("i1", T0, parties={"sold_to": "b1"})], T0)
    sound(world)
    world.land("billing", [invoice("i1", T0, parties={"sold_to": "b1"}, deleted=True)], T0 + DAY)
    sound(world)
    assert not world.rows("state_interval")


def test_an_earlier_document_moves_the_beginning_of_trade(world: World) -> None:
    world.land("crm", [customer("crm", "a1")], T0)
    world.land("billing", [customer("billing", "b1", about="a1")], T0)
    world.land("billing", [invoice("i1", T0 + 2 * DAY, parties={"sold_to": "b1"})], T0 + 2 * DAY)
    sound(world)
    world.land("billing", [invoice("i0", T0 + DAY, parties={"sold_to": "b1"})], T0 + 3 * DAY)
    sound(world)
    assert min(i["from_us"] for i in world.rows("state_interval")) == T0 + DAY


def test_a_watch_start_that_becomes_known_wakes_every_entity_declared_or_not(store: Store) -> None:
    world = World(store, model_of({"DE": {}}), first_complete_us=None)
    won = {"created_us": T0, "changed_us": T0, "state": "won", "status": "won", "currency": "EUR"}
    for ident, entity in (("o1", "DE"), ("o2", "US"), ("o3", None)):
        world.land("crm", [Record(kind="opportunity", id=ident, entity=entity, **won)], T0)
    sound(world)
    assert {e["outcome"] for e in world.rows("sli_event")} == {"excluded"}
    for platform, kind in world.streams:
        world.see(platform, kind, first_complete_us=T0 - DAY)
    sound(world)
    assert "excluded" not in {e["outcome"] for e in world.rows("sli_event")}


def test_a_record_that_a_sweep_found_gone_was_there_until_then(world: World) -> None:
    world.land("crm", [customer("crm", "a1")], T0)
    world.land("erp", [customer("erp", "x1", about="a1")], T0)
    deal = Record(
        kind="opportunity", id="o1", created_us=T0, changed_us=T0, state="won", status="won", parties={"sold_to": "a1"}
    )
    world.land("crm", [deal], T0)
    world.land("erp", [customer("erp", "x1", about="a1", deleted=True)], T0 + 5 * DAY)
    sound(world)
    told = sorted((i["from_us"], i["outcome"]) for i in world.rows("state_interval") if i["target"] == "in_erp")
    assert told == [(T0, "good"), (T0 + 5 * DAY, "bad")]


def test_a_customer_whose_key_moves_on_leaves_nobody_behind(world: World) -> None:
    named = Reference("about", key("crm", "customer", "number", "N1"))
    world.land("crm", [customer("crm", "a1", keys=("crm/customer/number=N1",)), customer("crm", "a2")], T0)
    b1 = Record(kind="customer", id="b1", created_us=T0, changed_us=T0, references=(named,))
    world.land("billing", [b1], T0)
    sound(world)
    fields = {f: getattr(customer("crm", "a1"), f) for f in b1.__struct_fields__}
    world.land("crm", [Record(**{**fields, "changed_us": T0 + DAY})], T0 + DAY)
    sound(world)
    assert {c["evidence"] for c in world.rows("crosswalk")} == {"self"}


def test_lines_without_an_amount_leave_their_part_unknown(world: World) -> None:
    won = {
        "created_us": T0,
        "changed_us": T0,
        "state": "won",
        "status": "won",
        "currency": "EUR",
        "amounts": {"net": 100},
    }
    world.land("crm", [Record(kind="opportunity", id="o1", **won)], T0)  # type: ignore[arg-type] # fields of a record
    part = (Reference("part_of", key("crm", "opportunity", "id", "o1")),)
    lines = [
        Record(kind="opportunity_line", id=f"l{n}", changed_us=T0, entity=entity, references=part, amounts=amounts)
        for n, (entity, amounts) in enumerate([("DE", {}), ("DE", {}), ("US", {"net": 40})])
    ]  # type: ignore[misc] # amounts are integers
    world.land("crm", lines, T0)
    sound(world)
    parts = {i["entity"]: i["money_minor"] for i in world.rows("flow_instance") if i["flow"] == "quote_to_order"}
    assert parts == {"DE": None, "US": 40}


def test_amounts_that_name_no_currency_are_not_compared(world: World) -> None:
    world.land("billing", [invoice("i1", T0, currency=None, amounts={"gross": 100})], T0)
    world.land("erp", [posting("e1", T0 + HOUR, "i1", currency=None, amounts={"gross": 900})], T0 + HOUR)
    sound(world)
    assert not world.rows("breaks")
    assert [e["reason"] for e in world.rows("sli_event")] == ["in_time"]


def test_a_duplicate_whose_amounts_are_unknown_is_worth_an_unknown_sum(world: World) -> None:
    world.land("billing", [invoice("i1", T0, amounts={"gross": 100})], T0)
    world.land("erp", [posting(f"e{n}", T0 + HOUR, "i1", amounts={}) for n in range(2)], T0 + HOUR)
    sound(world)
    assert [(b["kind"], b["money_minor"]) for b in world.rows("breaks")] == [("duplicate", None)]


def test_a_customer_is_judged_as_soon_as_its_platform_has_been_read_once(world: World) -> None:
    world.see("erp", "customer", watermark_us=None)
    world.land("crm", [customer("crm", "a1")], T0)
    world.land("erp", [customer("erp", "x1", about="a1")], T0)
    deal = Record(
        kind="opportunity", id="o1", created_us=T0, changed_us=T0, state="won", status="won", parties={"sold_to": "a1"}
    )
    world.land("crm", [deal], T0)
    sound(world)
    assert not [i for i in world.rows("state_interval") if i["target"] == "in_erp"]
    world.see("erp", "customer", watermark_us=T0 + DAY)
    sound(world)
    assert [i["outcome"] for i in world.rows("state_interval") if i["target"] == "in_erp"] == ["good"]
