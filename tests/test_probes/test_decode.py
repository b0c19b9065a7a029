"""Bodies: exact numbers, and a poisoned value that spoils only its own row."""

from __future__ import annotations

import json
from contextlib import suppress
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from probes.decode import NotJson, Poison, decode
from probes.mapping import compile_map
from probes.mapspec import MapSpec
from probes.probe import Meter
from probes.slots import MapContext

MAPPER = compile_map(
    MapSpec.model_validate({"id": "id", "currency": "cur", "amounts": {"net": "net"}, "attributes": {"note": "note"}}),
    MapContext("crm", "invoice"),
)


def test_numbers_keep_every_digit() -> None:
    assert decode(b'{"a": 90071992547409931.1234, "b": 12345678901234567890123}') == {
        "a": Decimal("90071992547409931.1234"),
        "b": 12345678901234567890123,
    }


POISONED = [
    b'"net": NaN',
    b'"net": Infinity',
    b'"net": -Infinity',
    b'"net": ' + b"9" * 5000,
    b'"net": 1e999999999',
    b'"net": 1' + b"0" * 40,
    b'"note": "\\ud800"',
    b'"note": "a\\u0000b"',
    b'"note": "\xff\xfe"',
    b'"note": ' + b"[" * 100_000 + b"]" * 100_000,
    b'"note": ' + b'{"a":' * 5000 + b"1" + b"}" * 5000,
    b'"note": ["a", "list"]',
    b'"net": "12,50"',
    b'"net": true',
    b'"net": 1.005',
    b'"cur": "XXQ", "net": 1',
    b'"net": 1, "net": 2',
    b'"net":1,"note":"a","net":1.5',
    b'"note": "a", "note" : "b"',
    b'"note": null, "note": "b"',
]


@pytest.mark.parametrize("poison", POISONED, ids=[p[:16].decode("latin-1") for p in POISONED])
def test_only_the_row_with_the_bad_value_is_quarantined(poison: bytes) -> None:
    good = b'{"id": "%d", "cur": "EUR", "net": 1.50, "note": "fine"}'
    parts = [b'"id": "2"', *([] if b'"cur"' in poison else [b'"cur": "EUR"']), poison]
    body = b"[" + b",".join([good % 1, b"{" + b", ".join(parts) + b"}", good % 3]) + b"]"
    records, bad = MAPPER.page(decode(body), Meter())
    assert [record.id for record in records] == ["1", "3"]
    assert [row.external_id for row in bad] == ["2"]
    assert bad[0].message.split(":")[0] in ("amounts.net", "attributes.note", "currency")
    bad[0].raw.encode()
    assert "\x00" not in bad[0].raw


def test_a_key_with_two_values_is_named_in_the_quarantine() -> None:
    _, bad = MAPPER.page(decode(b'[{"id": "2", "cur": "EUR", "net": 1, "net": 2}]'), Meter())
    assert "the key 'net' has two values" in bad[0].message


def test_the_same_value_twice_and_text_that_looks_like_a_key_are_no_conflict() -> None:
    row = b'{"id": "1", "cur": "EUR", "net": 1.50, "net": 1.50, "note": "a\\":b", "x\\":y" : {"z" :1}}'
    records, bad = MAPPER.page(decode(b"[" + row + b"]"), Meter())
    assert not bad
    assert (records[0].amounts["net"], records[0].attributes["note"]) == (150, 'a":b')


def test_an_answer_that_contradicts_itself_about_what_follows_is_no_answer() -> None:
    with pytest.raises(NotJson, match="the key 'has_more' has two values"):
        decode(b'{"data": [], "has_more": true, "has_more": false}')


@pytest.mark.parametrize("body", [b"", b"<html>", b"{", b"[1, 2", b'{"a": }', b"[" * 100_000, b"nonsense"])
def test_what_is_no_json_says_so(body: bytes) -> None:
    with pytest.raises(NotJson):
        decode(body)


def test_a_byte_order_mark_is_no_obstacle() -> None:
    assert decode(b"\xef\xbb\xbf[1]") == [1]


def plain(value: Any) -> Any:
    if isinstance(value, float):
        return Decimal(repr(value))
    if isinstance(value, list):
        return [plain(item) for item in value]
    return {k: plain(v) for k, v in value.items()} if isinstance(value, dict) else value


@given(st.recursive(
    st.none() | st.booleans() | st.integers(-(10**20), 10**20) | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=20,
))  # fmt: skip
def test_both_readings_agree_on_everything_sound(value: Any) -> None:
    body = json.dumps(value).encode()
    poisoned = json.dumps([value, "\x00"]).encode()  # forces the tolerant reading
    slow = decode(poisoned)
    assert isinstance(slow[1], Poison)
    if b"\\u0000" not in body and b"\\ud" not in body:
        assert decode(body) == plain(value)
        assert slow[0] == plain(value)


@given(st.binary(max_size=200))
def test_no_bytes_break_the_reader(body: bytes) -> None:
    with suppress(NotJson):
        decode(body)
