"""Which legal entities, currencies, taxes and fiscal calendars does the sandbox company have? Pure tables."""

from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from itertools import pairwise


@dataclass(frozen=True)
class Entity:
    """One legal entity of the group."""

    code: str
    name: str
    currency: str
    zone: str
    country: str
    subsidiary_id: int
    posting_mode: str
    calendar: str
    share: float


@dataclass(frozen=True)
class Period:
    """One accounting period."""

    name: str
    start_on: date
    end_on: date
    calendar: str


ENTITIES = (
    Entity("NW-DE", "Northwind GmbH", "EUR", "Europe/Berlin", "DE", 2, "document", "month", 0.5),
    Entity("NW-US", "Northwind Inc", "USD", "America/New_York", "US", 3, "document", "4-4-5", 0.3),
    Entity("NW-JP", "Northwind KK", "JPY", "Asia/Tokyo", "JP", 4, "summary_journal", "month", 0.2),
)
BY_CODE = {entity.code: entity for entity in ENTITIES}
EXPONENTS = {"EUR": 2, "USD": 2, "GBP": 2, "JPY": 0}
CURRENCY_IDS = {"EUR": 4, "USD": 1, "GBP": 2, "JPY": 5}
RATES_TO_BASE = {
    ("GBP", "EUR"): Decimal("1.17"),
    ("EUR", "USD"): Decimal("1.09"),
    ("JPY", "USD"): Decimal("0.0067"),
    ("GBP", "USD"): Decimal("1.28"),
    ("USD", "EUR"): Decimal("0.92"),
    ("JPY", "EUR"): Decimal("0.0061"),
    ("USD", "JPY"): Decimal("149.5"),
    ("EUR", "JPY"): Decimal("163.2"),
    ("GBP", "JPY"): Decimal("191.4"),
}


def exchange_rate(currency: str, base: str) -> Decimal:
    """Return how much base currency one unit of `currency` is."""
    return Decimal(1) if currency == base else RATES_TO_BASE[(currency, base)]


def major(minor: int, currency: str) -> Decimal:
    """Turn minor units into an exact decimal of major units."""
    return Decimal(minor).scaleb(-EXPONENTS[currency])


def tax_minor(net_minor: int, rate_e5: int) -> int:
    """Return the tax of one line, rounded half up. `rate_e5` 19000 is 19 %."""
    sign = -1 if net_minor < 0 else 1
    return sign * ((abs(net_minor) * rate_e5 + 50_000) // 100_000)


def periods(calendar: str, year: int) -> list[Period]:
    """List the twelve accounting periods of a fiscal year."""
    if calendar == "month":
        starts = [date(year, month, 1) for month in range(1, 13)] + [date(year + 1, 1, 1)]
        return [
            Period(f"{start:%b} {start.year}", start, end - timedelta(days=1), calendar)
            for start, end in pairwise(starts)
        ]
    return _weeks_445(year)


def _weeks_445(year: int) -> list[Period]:
    """Months of 4, 4 and 5 weeks; the year ends on the last Saturday of December, so some have 53 weeks."""
    start, year_end = _last_saturday(year - 1) + timedelta(days=1), _last_saturday(year)
    found = []
    for number in range(1, 13):
        weeks = 5 if number % 3 == 0 else 4
        end = year_end if number == 12 else start + timedelta(weeks=weeks, days=-1)
        found.append(Period(f"FY{year % 100:02d}-P{number:02d}", start, end, "4-4-5"))
        start = end + timedelta(days=1)
    return found


def _last_saturday(year: int) -> date:
    day = date(year, 12, 31)
    return day - timedelta(days=(day.weekday() - 5) % 7)
