"""What is told of one document, of customers, and what a typed key finds, over a store filled through the real intake."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from sqlalchemy import Connection

from console.web.context import Console
from metrics.queries.customers import customer_page, customers_list, documents_of
from metrics.queries.documents import document
from metrics.queries.find import find, spellings
from metrics.queries.flows import Instance, Step
from metrics.queries.heads import Head
from metrics.queries.history import Happening, changes
from metrics.queries.narrow import EVERYTHING, Narrow, customer_records
from metrics.queries.pages import CursorError, decode, encode
from metrics.queries.timeline import timeline
from probes.clock import DAY, HOUR, MINUTE
from probes.record import Record
from tests.test_console_web.company import CUSTOMERS, FORMULA, HOSTILE, NOW
from tests.test_console_web.conftest import built


@pytest.fixture(scope="module", params=["sqlite", "postgres"])
def made(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Console]:
    with built(request, tmp_path_factory) as console:
        yield console


@pytest.fixture
def conn(made: Console) -> Iterator[Connection]:
    with made.store.read() as connection:
        yield connection


def test_a_document_tells_its_references_both_ways(conn: Connection) -> None:
    deal = document(conn, "crm", "opportunity", "D04", NOW)
    order = document(conn, "erp", "order", "SO-D04", NOW)
    assert deal is not None
    assert order is not None
    assert [(n.kind, n.outgoing, n.other.external_id if n.other else None) for n in order.references] == [
        ("fulfils", True, "D04")
    ]
    assert [(n.kind, n.outgoing, n.other.external_id if n.other else None) for n in deal.references] == [
        ("fulfils", False, "SO-D04")
    ]


def test_the_timeline_of_an_order_and_of_its_deal_is_the_same_story(conn: Connection) -> None:
    deal = document(conn, "crm", "opportunity", "D04", NOW)
    order = document(conn, "erp", "order", "SO-D04", NOW)
    assert deal is not None
    assert order is not None
    story = [(m.platform, m.label, m.what, m.state, m.late_us) for m in deal.timeline if m.how != "deadline"]
    assert story == [(m.platform, m.label, m.what, m.state, m.late_us) for m in order.timeline if m.how != "deadline"]
    assert [s for s in story if s[0] == "erp"] == [("erp", "SOD04", "created", "late", 2 * HOUR)]


def test_a_document_that_never_arrived_shows_its_deadline_and_by_how_long_it_is_missed(conn: Connection) -> None:
    found = document(conn, "crm", "opportunity", "D02", NOW)
    assert found is not None
    due = next(m for m in found.timeline if m.how == "deadline" and m.what == "ordered")
    assert (due.state, due.at_us, due.late_us) == ("lost", NOW - 2 * DAY + 4 * HOUR, 2 * DAY - 4 * HOUR)
    assert {(v.sli, v.outcome, v.reason) for v in found.verdicts} >= {("order_latency", "bad", "missing")}
    assert [e.kind for e in found.exceptions] == ["dead_letter"]


def test_a_verdict_names_the_record_that_proves_it(conn: Connection) -> None:
    found = document(conn, "crm", "opportunity", "D01", NOW)
    assert found is not None
    verdict = next(v for v in found.verdicts if v.sli == "order_latency")
    assert verdict.proof is not None
    assert (verdict.proof.platform, verdict.proof.external_id, len(verdict.proof.digest)) == ("erp", "SO-D01", 32)


def test_a_document_no_poll_has_shown_is_none(conn: Connection) -> None:
    assert document(conn, "crm", "opportunity", "nothing", NOW) is None
    assert document(conn, "erp", "opportunity", "D01", NOW) is None


def test_what_changed_between_two_versions_is_named_field_by_field() -> None:
    before = Record(kind="order", id="1", status="A", amounts={"net": 100}, attributes={"city": "Bremen"})
    after = Record(kind="order", id="1", status="B", amounts={"net": 90, "tax": 5}, attributes={"city": "Bremen"})
    assert [(c.field, c.before, c.after) for c in changes(before, after)] == [
        ("amounts.net", "100", "90"), ("amounts.tax", None, "5"), ("status", "A", "B"),
    ]  # fmt: skip


def _head(**values: object) -> Head:
    empty = dict.fromkeys(Head.__slots__)
    base = {
        "id": 1,
        "platform": "crm",
        "kind": "order",
        "external_id": "1",
        "first_observed_us": 0,
        "observed_us": 0,
        "digest": "ab",
    }
    return Head(**{**empty, **base, **values})  # type: ignore[arg-type] # a row by shape


def test_a_state_seen_changed_is_told_only_where_no_stamp_tells_it() -> None:
    head = _head(first_observed_us=1)
    rows = [
        Happening(1, "paid", 1, 50, 50),
        Happening(1, "state:paid", 1, 40, 60),
        Happening(1, "state:open", 1, 0, 1),
        Happening(1, "state:disputed", 1, 70, 90),
    ]
    assert [(m.what, m.how) for m in timeline({1: head}, rows, [], 100)] == [
        ("paid", "stamp"),
        ("disputed", "between polls"),
    ]


def test_a_business_date_is_told_as_a_day() -> None:
    rows = [Happening(1, "posted", 1, 0, DAY - 1)]
    assert [m.how for m in timeline({1: _head()}, rows, [], DAY)] == ["day"]


def test_a_step_that_is_not_due_yet_has_no_lateness() -> None:
    blank = dict.fromkeys(Instance.__slots__)
    instance = Instance(
        **{**blank, "flow": "f", "anchor_id": 1, "revision": 1, "entity": "", "state": "open", "step": "s"}
    )  # type: ignore[arg-type] # a row by shape
    step = Step("f", 1, 1, "", "s", "waiting", "not_due", None, None, 2 * HOUR, None, None, 0, None)
    moments = timeline({1: _head()}, [], [(instance, [step])], HOUR)
    assert [(m.state, m.due_us, m.late_us) for m in moments] == [("waiting", 2 * HOUR, None)]


@pytest.mark.parametrize(
    ("key", "by", "external_id", "exact"),
    [
        ("D02", "id", "D02", True),
        ("PO-D02", "number", "D02", True),
        (" po-d02 ", "number", "D02", False),
        ("INV-in_1", "number", "CI-in_1", True),
        ("000in_1", "id", "in_1", False),
    ],
)
def test_any_key_finds_its_record_exact_spelling_first(
    conn: Connection, key: str, by: str, external_id: str, exact: bool
) -> None:
    hits = find(conn, key)
    assert (hits[0].by, hits[0].head.external_id, hits[0].exact) == (by, external_id, exact)


@pytest.mark.parametrize("text", ["", "   ", "'; DROP TABLE record; --", "%", "_", "\x00", "x" * 300])
def test_a_text_that_is_no_key_finds_nothing(conn: Connection, text: str) -> None:
    assert find(conn, text) == []


def test_a_customer_is_found_by_a_part_of_its_name_whatever_it_is_made_of(conn: Connection) -> None:
    for name in (HOSTILE, FORMULA, "東京"):
        assert [h.head.external_id for h in find(conn, name)] == [
            next(i for i, n in CUSTOMERS.items() if n.startswith(name))
        ]


def test_a_fifteen_character_salesforce_id_is_also_tried_with_its_check_letters() -> None:
    assert "001D000000IqhSLIAZ" in spellings("001D000000IqhSL")


def test_customers_are_one_row_each_and_count_what_is_stuck_once(conn: Connection) -> None:
    rows = {r.name: r for r in customers_list(conn, EVERYTHING).items}
    assert set(rows) == set(CUSTOMERS.values())
    one = rows["Northwind Traders"]
    assert (one.platforms, one.ids_count, one.stuck, one.at_risk) == (
        ("billing", "crm", "erp"),
        3,
        2,
        {"EUR": 250_050 + 59_500},
    )
    assert rows[FORMULA].platforms == ("billing", "crm")


def test_customers_can_be_narrowed_and_paged(conn: Connection) -> None:
    assert {r.name for r in customers_list(conn, Narrow(platform="erp")).items} == set(CUSTOMERS.values()) - {FORMULA}
    assert {r.segment for r in customers_list(conn, Narrow(segment="mid")).items} == {"mid"}
    whole = [r.id for r in customers_list(conn, EVERYTHING).items]
    first = customers_list(conn, EVERYTHING, limit=2)
    rest = customers_list(conn, EVERYTHING, limit=100, after=first.next)
    assert [r.id for r in (*first.items, *rest.items)] == whole
    assert first.total == rest.total == len(CUSTOMERS)


def test_a_customer_has_all_its_ids_and_documents_of_all_platforms(made: Console, conn: Connection) -> None:
    identity = made.model.customer("crm", "A1")
    page = customer_page(conn, identity)
    assert page is not None
    assert [(k.record.platform, k.record.external_id) for k in page.known_as] == [
        ("billing", "billing-A1"), ("crm", "A1"), ("erp", "erp-A1"),
    ]  # fmt: skip
    listing = documents_of(conn, identity)
    assert listing.total == sum(page.documents.values()) == 6
    assert {h.platform for h in listing.items} == {"billing", "crm", "erp"}
    assert customer_page(conn, 1) is None
    assert len(customer_records(conn, identity)) == 3


def test_a_cursor_that_was_never_given_out_is_refused() -> None:
    assert decode(encode([1, "a"]), (int, str)) == [1, "a"]
    for cursor in ("", "x", encode(["a", 1]), encode([1]), encode([True, "a"]), "!!!"):
        with pytest.raises(CursorError, match="next"):
            decode(cursor, (int, str))


def test_ages_are_told_from_the_asked_instant(conn: Connection) -> None:
    later = document(conn, "crm", "opportunity", "D02", NOW + MINUTE)
    assert later is not None
    assert next(m.late_us for m in later.timeline if m.what == "ordered") == 2 * DAY - 4 * HOUR + MINUTE
