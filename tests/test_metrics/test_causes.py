"""Is the same trouble recognised as the same, whatever document it hit, and told apart from others?"""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from metrics.causes import CATEGORIES, LONGEST, classify, fingerprint, template, tries_again

MESSAGES = {
    "permission": ["403 Forbidden", "INVALID_SESSION_ID: Session expired", "insufficient privileges on object"],
    "rate_limit": ["429 Too Many Requests", "SSS_REQUEST_LIMIT_EXCEEDED", "the daily quota is used up"],
    "too_large": ["413 payload too large", "memo exceeds the maximum length of 300"],
    "duplicate": ["This entity already exists.", "DUP_RCRD: a record with this key was created"],
    "authority_conflict": ["field is read-only here", "record is locked by another process", "409 Conflict"],
    "timing": ["the posting period Oct 2026 is closed", "contract is not yet effective"],
    "identity": ["customer 0017x not found", "two matching customers for ACME", "Invalid account: bill-to could not be resolved"],
    "reference_data": ["tax code DE19 does not exist", "Invalid item reference key 4711", "no price for SKU-12 in EUR"],
    "parse": ["malformed payload", "Unexpected token < in JSON at position 0"],
    "missing": ["422 validation: missing field vatregnumber of the customer", "Please enter value(s) for: Tax Code"],
    "connection": ["ECONNREFUSED 10.0.0.7:443", "certificate has expired on the other side"],
    "intermittent": ["504 while creating the sales order; compensation not started", "request timed out after 30 s"],
    "value": ["amount is out of range", "422 validation failed"],
    "unclassified": ["computer says no", ""],
}  # fmt: skip
CASES = [(category, message) for category, messages in MESSAGES.items() for message in messages]


def test_every_category_has_examples() -> None:
    assert set(MESSAGES) == set(CATEGORIES)


@pytest.mark.parametrize(("category", "message"), CASES)
def test_a_message_is_classified_by_what_it_says(category: str, message: str) -> None:
    assert classify(message) == category


def test_the_platforms_own_word_helps_where_the_message_says_nothing() -> None:
    assert classify("the message was dead-lettered", "maxlen") == "unclassified"
    assert classify("the message was dead-lettered", "rejected") == "value"


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Customer 0017x00000ABCDE not found", "Customer 0017x00000FGHIJ not found"),
        ("order 4711 of 2026-03-01T10:15:30Z was refused", "order 12 of 2026-03-02 was refused"),
        ("item 'A-1' unknown", 'item "B 2" unknown'),
        ("missing field vatregnumber of C-00042", "Missing  field vatregnumber of C-00043"),
        ("see https://a.example/x/1", "see https://b.example/y"),
        ("run 0b1f3c54-3b7e-4c58-9d1e-0d2a7c5c9f10 failed", "run 3e8c2f10-1111-4c58-9d1e-0d2a7c5c9f10 failed"),
        ("1,234.50 EUR differs", "99 EUR differs"),
        ("lines 1, 2, 3 failed", "lines 7 failed"),
    ],
)
def test_what_differs_between_documents_is_left_out(one: str, other: str) -> None:
    assert template(one) == template(other)


def test_what_names_the_cause_stays() -> None:
    assert template("422 missing field vatregnumber") != template("422 missing field postal_code")
    assert template("503 while posting") != template("401 while posting")


def test_a_fingerprint_names_kind_place_and_cause() -> None:
    name = fingerprint("failed_run", 1, "error", "customer 1 not found")
    assert name == fingerprint("failed_run", 1, "error", "customer 22 not found")
    assert len({name, fingerprint("failed_run", 2, "error", "customer 1 not found"),
                fingerprint("dead_letter", 1, "error", "customer 1 not found")}) == 3  # fmt: skip
    assert (len(name), int(name, 16) >= 0) == (16, True)


@given(st.text(max_size=400))
def test_any_message_has_a_short_template_that_is_its_own(message: str) -> None:
    found = template(message)
    assert len(found) <= LONGEST
    assert template(found) == found or len(found) == LONGEST
    assert classify(message) in CATEGORIES


def test_a_next_try_is_recognised_where_it_is_announced() -> None:
    assert tries_again("timeout while writing, next try at a later flush")
    assert tries_again("429, retrying in 30 s")
    assert not tries_again("500 internal error of the node NetSuite")
