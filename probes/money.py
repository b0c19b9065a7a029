"""How an amount of money is read and written: an integer of minor units beside its ISO 4217 currency.

Exponents come from CLDR through Babel; an unknown code is an error, never silently two digits. No conversion happens here.
"""

from __future__ import annotations

from decimal import Decimal, InvalidOperation
from functools import lru_cache

from babel.core import get_global
from babel.numbers import format_currency, get_currency_precision

# Stripe represents these with two digits although the currency has none. Source: https://docs.stripe.com/currencies
STRIPE_TWO_DIGITS = frozenset({"ISK", "UGX"})
MAX_DIGITS = 14  # with three minor digits this still fits 64 bits


class MoneyError(ValueError):
    """An amount or a currency that cannot be used; the text says why."""


@lru_cache(maxsize=512)
def exponent(currency: str) -> int:
    """Return the number of minor digits of an ISO 4217 code. Errors: MoneyError for an unknown code."""
    if currency not in get_global("all_currencies"):
        raise MoneyError(f"{currency!r} is not an ISO 4217 currency code")
    return get_currency_precision(currency)


@lru_cache(maxsize=2048)
def currency_code(value: str) -> str:
    """Return the upper-case code after checking it. Errors: MoneyError."""
    code = value.strip().upper()
    exponent(code)
    return code


def to_minor(value: str | int | Decimal, currency: str) -> int:
    """Read an amount in major units exactly. Errors: MoneyError for NaN, infinities and digits below the minor unit."""
    try:
        amount = Decimal(value)
    except (InvalidOperation, TypeError, ValueError):
        raise MoneyError(f"{value!r} is not an amount") from None
    if not amount.is_finite():
        raise MoneyError(f"{value!r} is not a finite amount")
    if amount.adjusted() > MAX_DIGITS:
        raise MoneyError(f"an amount of more than {MAX_DIGITS} digits is not believable")
    scaled = amount.scaleb(exponent(currency))
    whole = scaled.to_integral_value()
    if whole != scaled:
        raise MoneyError(f"{value} has more digits than {currency} has ({exponent(currency)})")
    return int(whole)


def to_major(minor: int, currency: str) -> Decimal:
    """Return the exact decimal in major units."""
    return Decimal(minor).scaleb(-exponent(currency))


def money_text(minor: int | None, currency: str | None, locale: str = "en") -> str:
    """Return `€1,234.50` for people; a dash when there is no amount."""
    if minor is None or currency is None:
        return "–"
    return format_currency(to_major(minor, currency), currency, locale=locale)
