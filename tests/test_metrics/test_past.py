"""Does an answer about a past instant equal the one given at that instant? One store is judged step by step and asked later.

What cannot agree, because facts known later tell more of the time before, is in the last tests: an instant that the polls
had not reached then, an absence that a direct read confirmed only afterwards, a duplicate found later. Names, amounts,
statuses and the crosswalk are the newest known, and so is which revision was in force.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from metrics.filters import Filters
from metrics.keys import record_id
from metrics.listing import events
from metrics.queries.breaks import break_counts, breaks, exceptions
from metrics.queries.customers import customer_page, customers_list, documents_of
from metrics.queries.documents import document
from metrics.queries.find import find
from metrics.queries.flows import funnel, hops, instances, instances_of, states
from metrics.queries.narrow import narrow
from metrics.queries.platforms import platforms, poll_runs
from metrics.risk import at_risk, late
from metrics.sli import figures, slices
from metrics.store import Store
from probes.clock import DAY, HOUR, MINUTE
from probes.record import Record, Reference, key

from .world import T0, World, model_of

Shown = tuple[int, str, Record]
STEPS = (4 * HOUR + MINUTE, 6 * HOUR, 9 * HOUR + MINUTE, 26 * HOUR, 31 * HOUR, 41 * HOUR, 61 * HOUR, 12 * DAY)
END = T0 + 20 * DAY


def record(kind: str, ident: str, at: int, **more: Any) -> Record:
    """Return a record made at an instant."""
    base: dict[str, Any] = {
        "kind": kind,
        "id": ident,
        "created_us": at,
        "changed_us": at,
        "entity": "DE",
        "currency": "EUR",
    }
    return Record(**{**base, **more})


def deal(ident: str, won: int, *, at: int | None = None, **more: Any) -> Shown:
    fields = {"state": "won", "amounts": {"net": 1000}, "parties": {"sold_to": "a1"}, "number": f"PO-{ident}", **more}
    stamps = {"won": (won, won), **fields.pop("milestones", {})}
    return (
        (won if at is None else at),
        "crm",
        replaced(record("opportunity", ident, won, milestones=stamps, **fields), at),
    )


def replaced(found: Record, changed: int | None) -> Record:
    names = {n: getattr(found, n) for n in found.__struct_fields__}
    return found if changed is None else Record(**{**names, "changed_us": changed})


def order(ident: str, of: str, at: int, net: int = 1000) -> Shown:
    names = (Reference("fulfils", key("crm", "opportunity", "id", of)),)
    return at, "erp", record("order", ident, at, state="open", amounts={"net": net}, references=names)


def invoice(ident: str, at: int, *, shown: int | None = None, **more: Any) -> Shown:
    fields = {"state": "open", "amounts": {"gross": 500}, "parties": {"sold_to": "b1", "bill_to": "b1"}, **more}
    stamps = {"finalised": (at, at), **fields.pop("milestones", {})}
    made = record("invoice", ident, at, milestones=stamps, **fields)
    return (at if shown is None else shown), "billing", replaced(made, shown)


def posting(ident: str, of: str, at: int, gross: int = 500) -> Shown:
    names = (Reference("posts", key("billing", "invoice", "id", of)),)
    sides = {"sold_to": "x1", "bill_to": "x1"}
    made = record("invoice", ident, at, state="posted", amounts={"gross": gross}, parties=sides, references=names)
    return at, "erp", made


def payment(ident: str, of: str, at: int) -> Shown:
    names = (Reference("applies", key("erp", "invoice", "id", of), amount_minor=500, currency="EUR"),)
    return at, "erp", record("payment", ident, at, state="posted", amounts={"applied": 500}, references=names)


def customer(platform: str, ident: str, at: int, about: str | None = None) -> Shown:
    names = (Reference("about", key("crm", "customer", "id", about)),) if about else ()
    shown = {"name": f"Customer {about or ident}"}
    return at, platform, record("customer", ident, at, state="active", attributes=shown, references=names)


def letter(at: int, *, deleted_at: int | None = None) -> Shown:
    names = (Reference("about", key("crm", "opportunity", "id", "D2")),)
    made = record("message", "m1", at, status="rejected", references=names, deleted=deleted_at is not None)
    return (deleted_at or at), "erp", replaced(made, deleted_at)


def h(hours: int) -> int:
    return T0 + hours * HOUR


HISTORY: tuple[Shown, ...] = (
    customer("crm", "a1", T0 - 9 * DAY), customer("billing", "b1", T0 - 9 * DAY, "a1"), customer("erp", "x1", T0 - 9 * DAY, "a1"),
    customer("crm", "a2", h(5)), customer("erp", "x2", h(40), "a2"),
    deal("D1", h(0)), order("O1", "D1", h(1)),
    deal("D2", h(0)),
    deal("D3", h(2)), order("O3", "D3", h(9)),
    deal("D4", h(1)), order("O4", "D4", h(40)),
    deal("D5", h(3)), deal("D5", h(3), at=h(5), state="lost", milestones={"lost": (h(5), h(5))}),
    deal("D6", h(3)), deal("D6", h(3), at=h(30), state="lost", milestones={"lost": (h(30), h(30))}),
    deal("D7", h(12)), order("O7", "D7", h(13), 900),
    deal("D8", h(1), test=True),
    deal("D9", h(50), parties={"sold_to": "a2"}),
    deal("D0", T0 - 5 * DAY),
    invoice("i1", h(0)), posting("e1", "i1", h(3)),
    invoice("i1", h(0), shown=h(30), state="paid", milestones={"paid": (h(30), h(30))}), payment("p1", "e1", h(35)),
    invoice("i2", h(0)),
    invoice("i3", h(5)), posting("e3", "i3", h(40)),
    invoice("i4", h(5)), invoice("i4", h(5), shown=h(10), state="voided", milestones={"voided": (h(10), h(10))}),
    invoice("i5", h(6)), posting("e5", "i5", h(8), 700),
    letter(h(20)), letter(h(20), deleted_at=h(45)),
)  # fmt: skip


def told(world: World, at: int, *, later: bool = False) -> dict[str, Any]:
    """Return every answer about an instant, given then or later. What is only the newest look of a record is left out."""
    filters = Filters(as_of_us=at) if later else Filters()
    now, model = (END if later else at), world.model
    with world.store.read() as conn:
        where = narrow(conn, model, filters)
        found: dict[str, Any] = {
            "figures": figures(conn, model, now, filters),
            "late": late(conn, model, now, filters),
            "at risk": at_risk(conn, model, now, filters),
            "states": states(conn, where),
            "instances": {replace(i, anchor=None) for i in instances(conn, where=where, limit=1000).items},
            "breaks": [_break(b) for b in breaks(conn, where, open_only=False).items],
            "open breaks": [_break(b) for b in breaks(conn, where).items],
            "break counts": break_counts(conn, where),
            "exceptions": [replace(e, document=None) for e in exceptions(conn, where, open_only=False).items],
            "customers": customers_list(conn, where).items,
            "found": {(x.head.platform, x.head.external_id) for k in ("D4", "PO-D9", "cust", "x2") for x in find(conn, k, 50, where.past)},
            "polls": poll_runs(conn, until_us=at if later else None, limit=1000).items,
            "platforms": [
                (p.name, p.state, p.watermark_us, [(s.stream, s.state, s.lag_us, s.last) for s in p.streams])
                for p in platforms(conn, at, past=later)
            ],
        }  # fmt: skip
        for name in ("order_latency", "order_completion", "invoice_sync_success"):
            rows = events(conn, model, now, name, filters, limit=None)
            found[f"{name} events"] = [replace(e, digest="", corrected_us=None) for e in rows]
            found[f"{name} by customer"] = slices(conn, model, now, name, "customer", filters)
        for flow in model.flows.values():
            order = [s.name for s in flow.steps]
            found[f"{flow.name} funnel"] = funnel(conn, flow.name, order, where)
            found[f"{flow.name} hops"] = hops(conn, flow.name, order, where)
            if len(order) > 1:
                lost = instances(conn, flow.name, step=order[1], step_state="lost", where=where)
                found[f"{flow.name} lost"] = [replace(i, anchor=None) for i in lost.items]
        for platform, kind, ident in (
            ("crm", "opportunity", "D4"),
            ("crm", "opportunity", "D6"),
            ("erp", "order", "O3"),
        ):
            found[ident] = _document(document(conn, platform, kind, ident, at, where.past))
        found["a1"] = _customer(conn, model.customer("crm", "a1"), where)
    return found


def _break(found: Any) -> Any:
    other = found.counterpart
    return replace(found, subject=None, counterpart=None, customer=None), other and other.external_id


def _document(found: Any) -> Any:
    if found is None:
        return None
    return {
        "versions": [replace(v, after_us=None) for v in found.versions],
        "references": [(n.kind, n.outgoing, n.to_key, n.other and n.other.external_id) for n in found.references],
        "flows": [(replace(i, anchor=None), steps) for i, steps in found.flows],
        "verdicts": [replace(v, anchor=None, proof=None) for v in found.verdicts],
        "breaks": [_break(b) for b in found.breaks],
        "timeline": [replace(m, record=None) for m in found.timeline],
    }


def _customer(conn: Any, identity: int, where: Any) -> Any:
    page = customer_page(conn, identity, where.past)
    documents = documents_of(conn, identity, past=where.past, limit=1000)
    assert page is not None
    kinds = sorted(kind for kind, _ in page.documents for _ in range(page.documents[kind, _]))
    return (
        kinds,
        documents.total,
        [d.external_id for d in documents.items],
        [k.record.external_id for k in page.known_as],
    )


def step(world: World, before: int, at: int) -> None:
    """Land what happened since the step before, let every stream be seen up to now, and judge."""
    for shown_us, platform, what in HISTORY:
        if before < shown_us <= at:
            world.land(platform, [what], at, after_us=before)
    for platform, kind in list(world.streams):
        world.run(platform, kind, at, at)
    world.judge(at)


@pytest.fixture
def world(any_store: Store) -> World:
    return World(any_store, model_of({"DE": {}}), seen_us=T0 - DAY)


def test_what_is_asked_of_a_past_instant_is_what_was_told_then(world: World) -> None:
    then: dict[int, dict[str, Any]] = {}
    before = T0 - 10 * DAY
    for offset in STEPS:
        step(world, before, T0 + offset)
        then[T0 + offset] = told(world, T0 + offset)
        before = T0 + offset
    assert all(answers["late"] for answers in then.values()), "the history must have late documents at each instant"
    wrong: dict[tuple[str, int], object] = {}
    for at, answers in then.items():
        now = told(world, at, later=True)
        wrong |= {(name, (at - T0) // HOUR): (a, now[name]) for name, a in answers.items() if now[name] != a}
    assert not wrong


@pytest.fixture
def quiet(store: Store) -> World:
    return World(store, model_of({"DE": {}}), seen_us=T0 - DAY)


def stuck(world: World, at: int, *, later: bool) -> list[tuple[str, str]]:
    with world.store.read() as conn:
        found = late(conn, world.model, END if later else at, Filters(as_of_us=at) if later else Filters())
    return [(d.external_id, d.step) for d in found]


def test_a_past_instant_is_known_better_once_the_polls_have_reached_it(quiet: World) -> None:
    quiet.land("crm", [deal("D1", h(0))[2]], h(1))
    quiet.land("erp", [order("O0", "D0", h(0))[2]], h(1))  # the entity was seen there
    quiet.see_all(h(3))
    quiet.judge(h(5))
    assert stuck(quiet, h(5), later=False) == []
    quiet.see_all(h(9))
    quiet.judge(h(9))
    assert stuck(quiet, h(5), later=True) == [("D1", "ordered")]
    assert stuck(quiet, h(4) - 1, later=True) == []


def test_an_absence_confirmed_by_a_later_direct_read_was_one_then(quiet: World) -> None:
    quiet.see("erp", "order", readable=True)
    quiet.land("crm", [deal("D1", h(0))[2]], h(1))
    quiet.land("erp", [order("O0", "D0", h(0))[2]], h(1))
    quiet.see_all(h(5))
    quiet.judge(h(5))
    assert stuck(quiet, h(5), later=False) == []
    quiet.ask("erp", "order", ("crm", "opportunity", "D1"), "quote_to_order", h(6))
    quiet.judge(h(6))
    assert stuck(quiet, h(5), later=True) == [("D1", "ordered")]


def test_a_duplicate_found_later_is_one_from_when_the_first_record_came(quiet: World) -> None:
    quiet.land("billing", [invoice("i1", h(0))[2]], h(1))
    quiet.land("erp", [posting("e1", "i1", h(2))[2]], h(2))
    quiet.land("erp", [posting("e2", "i1", h(30))[2]], h(30))
    quiet.see_all(h(40))
    quiet.judge(h(40))
    with quiet.store.read() as conn:
        where = narrow(conn, quiet.model, Filters(as_of_us=h(10)))
        found = [
            s.state
            for _, steps in instances_of(conn, [record_id("billing", "invoice", "i1")], where.past)
            for s in steps
        ]
    assert found == ["waiting", "done", "waiting", "duplicate"]


def test_a_difference_mended_since_is_still_told_of_the_time_before(quiet: World) -> None:
    quiet.land("billing", [invoice("i1", h(0))[2]], h(1))
    quiet.land("erp", [posting("e1", "i1", h(2), 700)[2]], h(2))
    quiet.see_all(h(3))
    quiet.judge(h(3))
    with quiet.store.read() as conn:
        assert [b.kind for b in breaks(conn).items] == ["amount_differs"]
    quiet.land("erp", [replaced(posting("e1", "i1", h(2), 500)[2], h(5))], h(5))
    quiet.judge(h(6))
    with quiet.store.read() as conn:
        assert breaks(conn).total == 0
        then = breaks(conn, narrow(conn, quiet.model, Filters(as_of_us=h(3)))).items
        closed = breaks(conn, open_only=False).items
    assert [(b.kind, b.closed_us) for b in then] == [("amount_differs", None)]
    assert [(b.since_us, b.closed_us) for b in closed] == [(h(2), h(5))]
