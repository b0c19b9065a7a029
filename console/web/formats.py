"""How numbers, money, instants and foreign text are written for people, and made harmless where they are shown.

Pure: text in, text out. Rounding happens here and nowhere before.
"""

from __future__ import annotations

import html
import re
from collections.abc import Mapping
from decimal import ROUND_DOWN, Decimal
from fractions import Fraction
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from probes.clock import duration_text, from_us, iso
from probes.money import MoneyError, money_text, to_major

NONE = "–"
_JOINER = "\u2060"  # zero width: breaks what a later text pass would turn into an icon, an emoji or a link
_PUNCTUATION = re.compile(r"([\\`*_{}\[\]()#+\-.!|<>~$^=\"'&])")
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")
_NUMBER = re.compile(r"[+-]?\d+(\.\d+)?")
_CONTROLS = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\u202a-\u202e\u2066-\u2069]")


def plain(text: str | None) -> str:
    """Return foreign text on one line without control and direction characters; a dash when there is none."""
    if text is None:
        return NONE
    return " ".join(_CONTROLS.sub("", text).split()) or NONE


def md(text: str | None) -> str:
    """Return text that Markdown shows letter by letter: no markup, icon, emoji, image or link comes of it."""
    escaped = _PUNCTUATION.sub(r"\\\1", plain(text))
    for mark in (":", "@", "www", "WWW"):
        escaped = escaped.replace(mark, mark + _JOINER)
    return escaped


def chart_text(text: str | None) -> str:
    """Return text that a chart shows letter by letter: Plotly reads a subset of HTML."""
    return html.escape(plain(text))


def csv_cell(value: object) -> str:
    """Return a cell that no spreadsheet takes for a formula; numbers stay numbers."""
    text = "" if value is None else str(value)
    if _NUMBER.fullmatch(text):
        return text
    return "'" + text if text.startswith(_FORMULA) or text.lstrip().startswith(_FORMULA) else text


def count(number: int) -> str:
    """Return `12,345`."""
    return f"{number:,}"


def plural(number: int, one: str, many: str | None = None) -> str:
    """Return `1 document`, `12,345 documents`."""
    return f"{number:,} {one if number == 1 else many or one + 's'}"


def percent(ratio: Fraction | None, digits: int = 2) -> str:
    """Return `99.12 %`, cut and never rounded up: a missed objective must not read as met. `no data` for None."""
    if ratio is None:
        return "no data"
    exact = Decimal(ratio.numerator) * 100 / Decimal(ratio.denominator)
    cut = exact.quantize(Decimal(1).scaleb(-digits), rounding=ROUND_DOWN)
    return f"{cut.normalize():f} %" if cut == cut.to_integral_value() else f"{cut} %"


def money(minor: int | None, currency: str | None, locale: str = "en") -> str:
    """Return `€1,234.50`; an unknown currency is named, never guessed."""
    try:
        return money_text(minor, currency, locale)
    except MoneyError:
        return f"{minor} minor units of {plain(currency)}"


def moneys(sums: Mapping[str, int], locale: str = "en") -> str:
    """Return every currency's sum, never added up: `€1,234.50 · ¥9,000`."""
    return " · ".join(money(minor, currency, locale) for currency, minor in sorted(sums.items())) or NONE


def money_short(minor: int, currency: str, locale: str = "en") -> str:
    """Return whole units for a headline: `€1,234`; the exact amount stands in the table behind it."""
    try:
        whole = int(to_major(minor, currency).quantize(Decimal(1), rounding=ROUND_DOWN))
    except MoneyError:
        return money(minor, currency, locale)
    from babel.numbers import format_currency

    return str(format_currency(whole, currency, locale=locale, format="¤#,##0", currency_digits=False))


def duration(us: int | None) -> str:
    """Return `1d 4h`, `12m 3s`, `120 ms`, `25m before` for what came before its start; a dash when there is none."""
    if us is None:
        return NONE
    if us < 0:
        return f"{duration(-us)} before"
    return f"{us // 1000} ms" if 0 < us < 1_000_000 else duration_text(us)


def ago(us: int | None, now_us: int) -> str:
    """Return `4m 10s ago`, `in 2h`, `never`."""
    if us is None:
        return "never"
    gap = now_us - us
    if abs(gap) < 1_000_000:
        return "now"
    return f"{duration_text(gap)} ago" if gap > 0 else f"in {duration_text(-gap)}"


def zone(name: str | None) -> ZoneInfo:
    """Return the viewer's zone; UTC where the browser names none that is known."""
    try:
        return ZoneInfo(name or "UTC")
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return ZoneInfo("UTC")


def instant(us: int | None, tz: ZoneInfo, seconds: bool = False) -> str:
    """Return `21 Nov 2026, 21:15` in a zone; a dash when there is none."""
    if us is None:
        return NONE
    local = from_us(us).astimezone(tz)
    return f"{local.day} {local:%b %Y, %H:%M:%S}" if seconds else f"{local.day} {local:%b %Y, %H:%M}"


def utc(us: int | None) -> str:
    """Return the exact instant for a tooltip: `2026-11-21T20:15:00Z`."""
    return iso(us) or NONE


def words(name: str) -> str:
    """Return a name of ours as words: `missing_in_target` becomes `missing in target`."""
    return name.replace("_", " ").strip()
