"""Are two spellings of one thing compared as one, and two things as two? One table for each kind of value."""

from __future__ import annotations

import pytest

from metrics import normalise

NAMES = [
    ("Müller GmbH & Co. KG", None, "muller"),
    ("MUELLER", None, "mueller"),
    ("ACME, Ltd.", "US", "acme"),
    ("Acme Inc", "DE", "acme"),
    ("A.C.M.E. Limited", "GB", "acme"),
    ("Foo S.p.A.", "IT", "foo"),
    ("Wellness Spa", "US", "wellness spa"),
    ("Łódź Śląska Spółka z o.o.", "PL", "lodz slaska"),
    ("Oy Nokia Ab", None, "nokia"),
    ("Aktiebolaget Volvo", None, "volvo"),
    ("The Jones & Sons LLC", "US", "jones sons"),
    ("Société Générale S.A.", "FR", "societe generale"),
    ("  ", None, None),
    ("Co", None, "co"),
    ("SA Martin", None, "sa martin"),
    ("Cisco Systems", "US", "cisco systems"),
]
ADDRESSES = [
    ("Hauptstraße 12", "haupt st 12"),
    ("HAUPTSTR. 12", "haupt st 12"),
    ("Haupt Str 12", "haupt st 12"),
    ("12 Main Street, Suite 5", "12 main st ste 5"),
    ("12 main st. ste 5", "12 main st ste 5"),
    ("P.O. Box 12", "pobox 12"),
    ("Postfach 12", "pobox 12"),
    ("Av. de Mayo 3", "ave de mayo 3"),
    (",", None),
]
PHONES = [
    ("030 1234567", "DE", "+49301234567"),
    ("+49 (0)30 1234567", None, "+49301234567"),
    ("(415) 555-2671", "US", "+14155552671"),
    ("00 12", None, "0012"),
    ("by e-mail only", None, None),
]
DOMAINS = [
    ("Bob@Example.COM", "example.com"),
    ("https://www.example.com/about?x=1", "example.com"),
    ("bob@bücher.de", "xn--bcher-kva.de"),
    ("bob@gmail.com", None),
    ("web.de", None),
    ("nobody", None),
]
VAT_IDS = [
    ("DE 136,695 976", None, "DE136695976"),
    ("136695976", "DE", "DE136695976"),
    ("ATU 13585627", "AT", "ATU13585627"),
    ("094259216", "GR", "EL094259216"),
    ("CHE-116.281.710 MWST", "CH", "CHE116281710"),
    ("12-3456789", "US", "US123456789"),
    ("123456789", None, "123456789"),
    ("--", None, None),
]
COUNTRIES = [
    ("Germany", "DE"),
    ("DEUTSCHLAND", "DE"),
    ("deu", "DE"),
    ("uk", "GB"),
    ("États-Unis", "US"),
    ("Atlantis", None),
]
NOTHING = ["UNKNOWN", "n/a", "N.A.", "-", "0000000", "99-999", "123456789", "xxx", "not available", "Unbekannt", "Test"]
SOMETHING = ["DE999999999", "12", "0000-1111", "Nobody Ltd", "X1"]


@pytest.mark.parametrize(("written", "country", "compared"), NAMES)
def test_a_name_is_compared_without_legal_form_case_accents_and_punctuation(
    written: str, country: str | None, compared: str | None
) -> None:
    assert normalise.name(written, country) == compared


@pytest.mark.parametrize(("written", "compared"), ADDRESSES)
def test_an_address_is_compared_with_its_usual_words_in_one_spelling(written: str, compared: str | None) -> None:
    assert normalise.address(written) == compared


@pytest.mark.parametrize(("written", "country", "compared"), PHONES)
def test_a_phone_number_is_compared_as_e164_where_it_can_be(
    written: str, country: str | None, compared: str | None
) -> None:
    assert normalise.phone(written, country) == compared


@pytest.mark.parametrize(("written", "compared"), DOMAINS)
def test_a_domain_is_compared_unless_anybody_may_have_it(written: str, compared: str | None) -> None:
    assert normalise.domain(written) == compared


@pytest.mark.parametrize(("written", "country", "compared"), VAT_IDS)
def test_a_vat_id_carries_the_prefix_of_its_country(written: str, country: str | None, compared: str | None) -> None:
    assert normalise.vat(written, country) == compared


@pytest.mark.parametrize(("written", "code"), COUNTRIES)
def test_a_country_is_found_by_code_and_by_name(written: str, code: str | None) -> None:
    assert normalise.country(written) == code


def test_an_address_of_mail_keeps_its_person_and_loses_its_case() -> None:
    assert normalise.email(" Ann.Lee@EXAMPLE.com ") == "ann.lee@example.com"
    assert normalise.email("ann.lee") is None


def test_a_code_keeps_its_leading_zeros() -> None:
    assert normalise.code("00-123 a") == "00123A"


@pytest.mark.parametrize("word", NOTHING)
def test_a_word_for_nothing_is_known_as_such(word: str) -> None:
    assert normalise.is_null(word)


@pytest.mark.parametrize("word", SOMETHING)
def test_a_value_that_says_something_is_no_word_for_nothing(word: str) -> None:
    assert not normalise.is_null(word)


def test_a_company_adds_its_own_words_for_nothing() -> None:
    assert not normalise.is_null("Laufkundschaft")
    assert normalise.is_null("LAUFKUNDSCHAFT", frozenset({"laufkundschaft"}))


@pytest.mark.parametrize("name", sorted(normalise.NORMALISERS))
def test_what_is_normalised_once_stays_as_it_is(name: str) -> None:
    run = normalise.NORMALISERS[name]
    for written in ("Müller GmbH", "Hauptstr. 5", "+49 30 1234567", "ann@example.com", "DE136695976", "Germany"):
        once = run(written, "DE")
        assert once is None or run(once, "DE") == once
