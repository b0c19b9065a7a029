"""Mappings: rows become records in our words; what cannot be read costs one row and says which slot."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from pydantic import ValidationError

from probes.clock import day_bounds_us, to_us
from probes.mapping import compile_map, describe
from probes.mapspec import MapSpec
from probes.probe import Meter
from probes.record import Actor, Record, Reference, decode_record, encode_record
from probes.slots import MapContext

from .fakes import NOW, NOW_US

CONTEXT = MapContext(
    "crm", "opportunity", "Europe/Berlin", {"2": "NW-DE"}, {"users": {"u1": "integration"}, "cur": {"4": "EUR"}}
)


def mapped(row: Any, context: MapContext = CONTEXT, **spec: Any) -> Record:
    return compile_map(MapSpec.model_validate({"id": "id", **spec}), context).record({"id": "1", **row})


def refused(row: Any, **spec: Any) -> str:
    mapper = compile_map(MapSpec.model_validate({"id": "id", **spec}), CONTEXT)
    records, bad = mapper.page([{"id": "1", **row}], Meter())
    assert records == []
    return bad[0].message


@pytest.mark.parametrize(("form", "written"), [
    ("iso", "2026-11-20T12:00:00Z"),
    ("iso", "2026-11-20T12:00:00.000+0000"),
    ("iso", "2026-11-20T13:00:00+01:00"),
    ("iso", " 2026-11-20T12:00:00Z "),
    ("naive", "2026-11-20T13:00:00"),
    ("naive", "2026-11-20 13:00:00"),
    ("naive", "2026-11-20T12:00:00Z"),
    ("unix_s", 1795176000),
    ("unix_s", "1795176000"),
    ("unix_ms", 1795176000000),
    ("tagged", {"__class__": "datetime", "year": 2026, "month": 11, "day": 20, "hour": 12, "minute": 0, "second": 0, "microsecond": 0}),
])  # fmt: skip
def test_stamps_are_read_in_every_way_vendors_write_them(form: str, written: Any) -> None:
    record = mapped({"at": written}, time=form, changed="at", milestones={"created": "at"})
    assert record.changed_us == NOW_US == to_us(NOW)
    assert record.milestones == {"created": (NOW_US, NOW_US)}


@pytest.mark.parametrize(("form", "written"), [
    ("iso", "2026-11-20T12:00:00"), ("iso", "yesterday"), ("iso", ["2026"]), ("naive", "20.11.2026"),
    ("unix_s", "soon"), ("unix_s", 10**30), ("unix_s", True), ("tagged", {"__class__": "datetime", "year": 2026, "month": 13}),
])  # fmt: skip
def test_a_stamp_that_cannot_be_read_quarantines_its_row(form: str, written: Any) -> None:
    assert refused({"at": written}, time=form, changed="at").startswith("changed: ")


def test_a_date_is_the_whole_local_day() -> None:
    record = mapped({"d": "2026-03-29"}, milestones={"posted": {"path": "d", "as": "date"}})
    assert record.milestones["posted"] == day_bounds_us(date(2026, 3, 29), "Europe/Berlin")
    assert record.milestones["posted"][1] - record.milestones["posted"][0] == 23 * 3_600_000_000 - 1


def test_a_business_date_from_a_stamp_is_the_day_in_the_zone_of_the_platform() -> None:
    late = 1795215600  # 2026-11-20T23:00Z is the 21st in Berlin
    assert mapped({"at": late}, on={"document": {"path": "at", "as": "unix_s"}}).on == {"document": "2026-11-21"}


@pytest.mark.parametrize(("unit", "currency", "value", "minor"), [
    ("major", "EUR", "121.00", 12100), ("major", "EUR", Decimal("12500.0"), 1250000), ("major", "JPY", "5000.00", 5000),
    ("major", "KWD", "1.005", 1005), ("major", "EUR", {"__class__": "Decimal", "decimal": "-58.80"}, -5880), ("major", "EUR", 7, 700),
    ("minor", "eur", 12100, 12100), ("minor", "EUR", "12100", 12100), ("stripe_minor", "isk", 50000, 500),
    ("stripe_minor", "JPY", 5000, 5000),
])  # fmt: skip
def test_amounts_become_minor_units_exactly(unit: str, currency: str, value: Any, minor: int) -> None:
    record = mapped({"cur": currency, "net": value}, amount=unit, currency="cur", amounts={"net": "net"})
    assert record.amounts == {"net": minor}
    assert record.currency == currency.upper()


@pytest.mark.parametrize(("unit", "currency", "value"), [
    ("major", "EUR", "1.005"), ("major", "JPY", "0.5"), ("major", "EUR", "1e30"), ("major", "EUR", 1.5), ("minor", "EUR", 10**30),
    ("minor", "EUR", "1.5"), ("stripe_minor", "ISK", 50001), ("major", "EUR", "NaN"), ("major", "EUR", "twelve"),
])  # fmt: skip
def test_an_amount_that_is_not_exact_is_refused(unit: str, currency: str, value: Any) -> None:
    text = refused({"cur": currency, "net": value}, amount=unit, currency="cur", amounts={"net": "net"})
    assert text.startswith("amounts.net: ")


def test_an_amount_without_a_currency_or_with_an_unknown_one_is_refused() -> None:
    assert "without a currency" in refused({"net": 1}, currency="cur", amounts={"net": "net"})
    assert refused({"cur": "BTC", "net": 1}, currency="cur", amounts={"net": "net"}).startswith("currency: 'BTC'")


def test_amounts_can_be_turned_round_and_taken_off() -> None:
    amounts = {"gross": {"path": "total", "sign": -1}, "tax": {"path": "total", "minus": "net", "sign": -1}}
    record = mapped({"total": 119, "net": 100}, amount="minor", currency={"const": "EUR"}, amounts=amounts)
    assert record.amounts == {"gross": -119, "tax": -19}


STATES = {
    "status": "s",
    "states": {"A": "open", "B": "paid"},
    "state_rules": [{"when": [{"path": "void", "equals": "T"}], "state": "voided"}],
}


@pytest.mark.parametrize(("row", "state"), [
    ({"s": "A"}, "open"), ({"s": "B", "void": "F"}, "paid"), ({"s": "A", "void": "T"}, "voided"), ({"s": "Z"}, None), ({}, None),
])  # fmt: skip
def test_a_status_becomes_a_state_or_none(row: dict[str, str], state: str | None) -> None:
    assert mapped(row, **STATES).state == state


def test_a_status_the_map_does_not_know_is_counted() -> None:
    meter = Meter()
    mapper = compile_map(MapSpec.model_validate({"id": "id", **STATES}), CONTEXT)
    mapper.page([{"id": "1", "s": "Z"}, {"id": "2", "s": "Z"}, {"id": "3", "s": "A"}], meter)
    assert meter.unknown_statuses == {"Z": 2}


def test_a_milestone_counts_only_in_its_states() -> None:
    spec = {**STATES, "milestones": {"paid": {"path": "at", "when": ["paid"]}}}
    assert mapped({"s": "B", "at": "2026-11-20T12:00:00Z"}, **spec).milestones == {"paid": (NOW_US, NOW_US)}
    assert mapped({"s": "A", "at": "2026-11-20T12:00:00Z"}, **spec).milestones == {}


@pytest.mark.parametrize(("normalise", "value", "key"), [
    (["trim", "salesforce_id"], " 006Aa00000K1xyz\t", "006Aa00000K1xyzIAB"),
    (["salesforce_id"], "006aa00000k1xyziab", "006Aa00000K1xyzIAB"),
    (["salesforce_id"], "not an id", "not an id"),
    (["upper", "trim"], " po-1 ", "PO-1"), (["strip_zeros"], "000042", "42"), (["strip_zeros"], "000", "0"),
    (["digits"], "C-00042", "00042"), (["vat"], "de 123.456-789", "DE123456789"), (["email"], " A@B.Test ", "a@b.test"),
    (["domain"], "https://www.acme.test/x", "acme.test"), (["domain"], "someone@acme.test", "acme.test"),
    (["phone"], "0049 (89) 12-34", "+49891234"), (["name"], "ACME  GmbH & Co.", "acme gmbh co"),
    (["before_dash"], "006Aa-NW-DE", "006Aa"), (["after_colon"], "CustInvc:A", "A"),
])  # fmt: skip
def test_references_are_brought_to_one_spelling(normalise: list[str], value: str, key: str) -> None:
    spec = {"references": [{"kind": "fulfils", "path": "ref", "to": "erp/order/id", "normalise": normalise}]}
    assert mapped({"ref": value}, **spec).references == (Reference("fulfils", f"erp/order/id={key}"),)


@pytest.mark.parametrize("value", [None, "", "   "])
def test_an_empty_reference_is_none(value: str | None) -> None:
    assert mapped({"ref": value}, references=[{"kind": "bills", "path": "ref", "to": "self/order/id"}]).references == ()


def test_nested_applications_become_references_with_amounts() -> None:
    spec = {
        "currency": {"const": "EUR"},
        "references": [{
            "kind": "applies", "each": "links", "path": "doc", "when": [{"path": "type", "equals": "Payment"}],
            "to": "self/invoice/id", "amount": "amount", "line": "n",
        }],
    }  # fmt: skip
    row = {
        "links": [
            {"doc": 7, "type": "Payment", "amount": "12.50", "n": 1},
            {"doc": 8, "type": "OrdBill", "amount": "1"},
        ]
    }
    expected = (Reference("applies", "crm/invoice/id=7", 1250, "EUR", None, "1"),)
    assert mapped(row, **spec).references == expected


def test_everything_else_a_record_holds() -> None:
    record = mapped(
        {
            "n": "A-1", "sub": 2, "cust": {"id": "c9"}, "cur": "4", "rev": "2.0", "who": "u1", "test": True, "hand": "None",
            "gone": "T", "seg": "", "deep": {"list": [{"x": "y"}]}, "odd name": 5,
        },
        number="n", entity="sub", parties={"sold_to": "cust"}, currency={"path": "cur", "lookup": "cur"}, revision="rev",
        actor={"id": "who", "lookup": "users", "grade": "field"}, test=[{"path": "test", "equals": True}],
        exempt=[{"path": "hand", "equals": "None", "reason": "policy"}], deleted=[{"path": "gone", "in": ["T", True]}],
        attributes={"segment": "seg", "deep": "deep.list.0.x", "odd": '"odd name"', "jmes": "deep.list[?x=='y'].x | [0]"},
        keys=[{"by": "number", "path": "n", "normalise": ["upper"]}, {"by": "number", "path": "n"}],
    )  # fmt: skip
    assert record == Record(
        "opportunity", "1", number="A-1", entity="NW-DE", parties={"sold_to": "c9"}, currency="EUR", revision=2,
        actor=Actor("u1", "integration", "field"), test=True, exempt="policy", deleted=True,
        attributes={"segment": None, "deep": "y", "odd": "5", "jmes": "y"}, keys=("crm/opportunity/number=A-1",),
    )  # fmt: skip
    assert decode_record(encode_record(record)) == record


@pytest.mark.parametrize(("value", "equals", "holds"), [
    (True, True, True), (False, True, False), ("true", True, True), (None, True, False), (0, 0, True), (Decimal("0.00"), 0, True),
    ("T", "T", True), (1, True, False), ("None", "None", True), ({"a": 1}, "x", False),
])  # fmt: skip
def test_conditions_compare_as_text(value: Any, equals: Any, holds: bool) -> None:
    assert mapped({"f": value}, test=[{"path": "f", "equals": equals}]).test is holds


def test_of_two_rows_with_one_id_the_later_change_stays() -> None:
    mapper = compile_map(
        MapSpec.model_validate({"id": "id", "time": "unix_s", "changed": "at", "number": "n"}), CONTEXT
    )
    rows = [{"id": "1", "at": 5, "n": "new"}, {"id": "1", "at": 4, "n": "old"}, {"id": "2", "at": 1, "n": "x"}]
    assert [record.number for record in mapper.page(rows, Meter())[0]] == ["new", "x"]


def test_ids_are_opaque_text() -> None:
    mapper = compile_map(MapSpec.model_validate({"id": "id"}), CONTEXT)
    ids = ["00123", 123, "ABC", "abc", "\u00e9", "e\u0301", "\u200babc", "x" * 300, 2**70]
    assert [record.id for record in mapper.page([{"id": i} for i in ids], Meter())[0]] == [str(i) for i in ids]


@pytest.mark.parametrize("row", [None, 5, "text", [], {}, {"id": None}, {"id": ""}, {"id": {}}, {"id": []}])
def test_a_row_without_an_id_is_quarantined_not_skipped(row: Any) -> None:
    records, bad = compile_map(MapSpec.model_validate({"id": "id"}), CONTEXT).page([row], Meter())
    assert (len(records), len(bad)) == (0, 1)
    assert bad[0].message.startswith("id: ")


def test_drift_is_noted_once_as_digest_and_missing_columns() -> None:
    mapper = compile_map(
        MapSpec.model_validate({"id": "id", "number": "no", "test": [{"path": "maybe", "equals": 1}]}), CONTEXT
    )
    before, after = Meter(), Meter()
    describe([{"id": 1, "no": 2, "other": 3}], mapper, before)
    describe([{"id": 1, "other": 3}], mapper, after)
    assert (before.missing_fields, after.missing_fields) == ((), ("no",))
    assert before.schema_digest != after.schema_digest


@pytest.mark.parametrize(("spec", "words"), [
    ({"amounts": {"sum": "x"}}, "write one of net, tax"), ({"states": {"A": "opened"}}, "'opened' is unknown"),
    ({"references": [{"kind": "fulfils", "path": "x", "to": "erp"}]}, "String should match"),
    ({"keys": [{"by": "n", "path": "x", "normalise": ["uper"]}]}, "unknown normaliser 'uper'"),
    ({"changed": "a b"}, "neither a dotted path nor JMESPath"), ({"changed": {"as": "iso"}}, "either `path` or `const`"),
    ({"created": {"path": "x", "zone": "Mars/Base"}}, "is no time zone"), ({"test": [{"path": "x"}]}, "exactly one of"),
    ({"colour": "x"}, "Extra inputs"),
])  # fmt: skip
def test_a_wrong_mapping_says_what_to_write(spec: dict[str, Any], words: str) -> None:
    with pytest.raises(ValidationError, match=words):
        MapSpec.model_validate({"id": "id", **spec})
