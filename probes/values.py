"""How one raw value becomes text, an instant, a date or an amount, and how keys are brought to one spelling.

Every function is pure; what cannot be read raises RowError, which costs one row, never a page. Missing is None.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, date, datetime, tzinfo
from decimal import Decimal, InvalidOperation
from functools import lru_cache
from hashlib import blake2b
from typing import Any
from zoneinfo import ZoneInfo

from .clock import MINUTE, SECOND, day_bounds_us, local_date, to_us
from .decode import Poison
from .money import STRIPE_TWO_DIGITS, MoneyError, currency_code, to_minor

Instant = Callable[[Any], int | None]
Normaliser = Callable[[str], str]
MINOR_LIMIT = 2**62
MAX_TEXT = 10_000
QUARTER = 15 * MINUTE
FIRST_US, LAST_US = to_us(datetime(1, 1, 2, tzinfo=UTC)), to_us(datetime(9999, 12, 30, tzinfo=UTC))


class RowError(ValueError):
    """A row that cannot be mapped; the text says which value and why."""


def text(value: Any) -> str | None:
    """Return a scalar as text; empty is None. Errors: RowError for lists, objects and poisoned values."""
    if type(value) is str:
        if len(value) > MAX_TEXT:
            raise RowError(f"a text of {len(value)} characters is too long")
        return value or None
    if value is None:
        return None
    if value is True or value is False:
        return "true" if value else "false"
    if isinstance(value, int | Decimal):
        return str(value)
    if isinstance(value, Poison):
        raise RowError(str(value))
    if isinstance(value, dict) and "__class__" in value:
        return _tagged_text(value)
    raise RowError(f"is a {'list' if isinstance(value, list) else type(value).__name__} where text was expected")


def identifier(value: Any) -> str | None:
    """Return an id: text, a number, or the `id` of an object that came expanded."""
    return text(value.get("id")) if type(value) is dict and "__class__" not in value else text(value)


def flag(value: Any) -> bool:
    """Return the truth of a boolean however a platform spells it: true, 1, T, yes."""
    return value is True or (value is not None and str(value).strip().lower() in ("true", "1", "t", "yes"))


def _tagged_text(value: Mapping[str, Any]) -> str:
    kind = value.get("__class__")
    if kind == "Decimal":
        return str(value.get("decimal"))
    stamp = _tagged_datetime(value)
    return stamp.date().isoformat() if kind == "date" else stamp.isoformat()


def _tagged_datetime(value: Mapping[str, Any]) -> datetime:
    names = ("year", "month", "day", "hour", "minute", "second", "microsecond")
    try:
        return datetime(*(int(value.get(n, 0)) for n in names), tzinfo=UTC)  # type: ignore[arg-type,misc]
    except (TypeError, ValueError):
        raise RowError("is no valid tagged date") from None


def decimal(value: Any) -> Decimal | None:
    """Read an exact number. Errors: RowError."""
    if isinstance(value, dict) and value.get("__class__") == "Decimal":
        value = value.get("decimal")
    if value is None or value == "":
        return None
    if isinstance(value, Poison):
        raise RowError(value.why)
    if isinstance(value, bool | float | list | dict):
        raise RowError(f"{str(value)[:40]} is not an exact number")
    try:
        number = Decimal(value)
    except (InvalidOperation, TypeError, ValueError):
        raise RowError(f"{str(value)[:40]!r} is not a number") from None
    if not number.is_finite():
        raise RowError(f"{number} is not a finite number")
    return number


def amount(unit: str) -> Callable[[Any, str], int | None]:
    """Return the reader of an amount in `minor`, `stripe_minor` or `major` units: (value, currency) -> minor units."""
    return {"minor": _minor, "stripe_minor": _stripe_minor, "major": _major}[unit]


def _minor(value: Any, currency: str) -> int | None:
    if type(value) is not int:
        number = decimal(value)
        if number is None:
            return None
        if number != number.to_integral_value() or number.adjusted() > 18:
            raise RowError(f"{number} is not a whole number of minor units")
        value = int(number)
    if not -MINOR_LIMIT < value < MINOR_LIMIT:
        raise RowError("an amount of that size is not believable")
    result: int = value
    return result


def _stripe_minor(value: Any, currency: str) -> int | None:
    minor = _minor(value, currency)
    if minor is None or currency not in STRIPE_TWO_DIGITS:
        return minor
    if minor % 100:
        raise RowError(f"{minor} {currency} ends in digits that currency does not have")
    return minor // 100


def _major(value: Any, currency: str) -> int | None:
    number = decimal(value)
    if number is None:
        return None
    try:
        return to_minor(number, currency)
    except MoneyError as error:
        raise RowError(str(error)) from None


def currency(value: Any) -> str | None:
    """Return the checked ISO 4217 code. Errors: RowError."""
    code = value if type(value) is str else text(value)
    if not code:
        return None
    try:
        return currency_code(code)
    except MoneyError as error:
        raise RowError(str(error)) from None


@lru_cache(maxsize=256)
def zone(name: str) -> tzinfo:
    """Return a time zone: an IANA name, or a fixed offset such as `-08:00`."""
    if re.fullmatch(r"[+-]\d\d:?\d\d", name):
        found = datetime.fromisoformat(f"2000-01-01T00:00:00{name}").tzinfo
        assert found is not None
        return found
    return ZoneInfo(name)


def instant(form: str, zone_name: str) -> Instant:
    """Return the reader of a stamp written as iso, naive (in `zone_name`), unix_s, unix_ms or tagged, in microseconds."""
    if form in ("unix_s", "unix_ms"):
        scale = SECOND if form == "unix_s" else 1000
        return lambda value: _unix(value, scale)
    if form == "naive":
        where = zone(zone_name)
        return lambda value: _naive(value, where)
    if form == "tagged":
        return lambda value: to_us(_tagged_datetime(value)) if isinstance(value, dict) else _iso(value)
    return _iso


def _unix(value: Any, scale: int) -> int | None:
    if type(value) is int:
        us = value * scale
    else:
        number = decimal(value)
        if number is None:
            return None
        if number.adjusted() > 15:
            raise RowError(f"{number} is not a time since 1970")
        us = int(number * scale)
    if not FIRST_US <= us <= LAST_US:
        raise RowError(f"{value} is not a time since 1970")
    return us


def _parse(value: Any) -> datetime | None:
    stamp = value if type(value) is str else text(value)
    if not stamp:
        return None
    try:
        return datetime.fromisoformat(stamp)
    except ValueError:
        pass
    try:
        return datetime.fromisoformat(stamp.strip())
    except ValueError:
        raise RowError(f"{stamp[:40]!r} is not an ISO 8601 time") from None


def _iso(value: Any) -> int | None:
    at = _parse(value)
    if at is None:
        return None
    if at.tzinfo is None:
        raise RowError(f"{str(value)[:40]!r} has no time zone; map it with `as: naive` and set `time_zone`")
    return to_us(at)


def _naive(value: Any, where: tzinfo) -> int | None:
    at = _parse(value)
    return None if at is None else to_us(at if at.tzinfo else at.replace(tzinfo=where))


def day(form: str, zone_name: str) -> Callable[[Any], str | None]:
    """Return the reader of a business date: `date` takes YYYY-MM-DD as written, a stamp form takes its day in the zone."""
    if form == "date":
        return _day
    read = instant(form, zone_name)

    def of_stamp(value: Any) -> str | None:
        us = read(value)
        return None if us is None else _day_of(us // QUARTER, zone_name)

    return of_stamp


@lru_cache(maxsize=65_536)
def _day_of(quarter: int, zone_name: str) -> str:
    """Return the local day of a quarter of an hour: no zone changes its offset or its date within one."""
    return local_date(quarter * QUARTER, zone_name).isoformat()


def _day(value: Any) -> str | None:
    written = text(value)
    if written is None:
        return None
    try:
        return date.fromisoformat(written[:10]).isoformat()
    except ValueError:
        raise RowError(f"{written[:40]!r} is not a date (YYYY-MM-DD)") from None


@lru_cache(maxsize=8192)
def day_interval(written: str, zone_name: str) -> tuple[int, int]:
    """Return first and last microsecond of a written local day."""
    return day_bounds_us(date.fromisoformat(written), zone_name)


def normaliser(names: Sequence[str]) -> Normaliser | None:
    """Return the chain of named normalisers, None for none. Errors: ValueError naming the ones there are."""
    for name in names:
        if name not in NORMALISERS:
            raise ValueError(f"unknown normaliser {name!r}; there are {', '.join(sorted(NORMALISERS))}")
    chain = [NORMALISERS[name] for name in names]
    if len(chain) < 2:
        return chain[0] if chain else None

    def run(value: str) -> str:
        for step in chain:
            value = step(value)
        return value

    return run


_ID_ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZ012345"


def salesforce_id(value: str) -> str:
    """Return the 18-character form of a Salesforce id, anything else as it is.

    The last three characters tell which of the first fifteen are capitals, so an 18-character id survives any change of
    case; a 15-character one does not. Source: Salesforce help, "18 character ids".
    """
    if not value.isascii() or not value.isalnum():
        return value
    if len(value) == 18 and all(char in _ID_ALPHABET for char in value[15:].upper()):
        bits = [_ID_ALPHABET.index(char) for char in value[15:].upper()]
        cased = "".join(c.upper() if bits[i // 5] >> i % 5 & 1 else c.lower() for i, c in enumerate(value[:15]))
        return cased + value[15:].upper()
    if len(value) != 15:
        return value
    suffix = ""
    for start in (0, 5, 10):
        suffix += _ID_ALPHABET[sum(1 << i for i, char in enumerate(value[start : start + 5]) if char.isupper())]
    return value + suffix


def _strip_zeros(value: str) -> str:
    return value.lstrip("0") or ("0" if value else "")


def _domain(value: str) -> str:
    rest = re.sub(r"^[a-z]+://", "", value.strip().lower()).rpartition("@")[2]
    return re.split(r"[/:?#]", rest, maxsplit=1)[0].removeprefix("www.").rstrip(".")


def _phone(value: str) -> str:
    digits = re.sub(r"\D", "", value)
    international = value.strip().startswith("+") or digits.startswith("00")
    return ("+" + digits.removeprefix("00")) if international else digits


def _name(value: str) -> str:
    folded = unicodedata.normalize("NFKC", value).casefold()
    return re.sub(r"[\W_]+", " ", folded).strip()


def _hash(value: str) -> str:
    return blake2b(value.strip().lower().encode(), digest_size=16).hexdigest()


NORMALISERS: Mapping[str, Normaliser] = {
    "trim": str.strip,
    "upper": str.upper,
    "lower": str.lower,
    "strip_zeros": _strip_zeros,
    "digits": lambda v: re.sub(r"\D", "", v),
    "alnum": lambda v: re.sub(r"[\W_]+", "", v),
    "salesforce_id": salesforce_id,
    "vat": lambda v: re.sub(r"[\W_]+", "", v).upper(),
    "email": lambda v: v.strip().lower(),
    "domain": _domain,
    "phone": _phone,
    "name": _name,
    "hash": _hash,
    "before_dash": lambda v: v.partition("-")[0],
    "after_colon": lambda v: v.rpartition(":")[2],
}
