"""How much of a platform's allowance is used, read from the headers of any answer. Nothing here slows anybody down."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache

import httpx

from .clock import SECOND, to_us
from .probe import Meter


@dataclass(frozen=True)
class QuotaRules:
    """Which headers tell the allowance. `pattern` has named groups used, limit or remaining and reads `header`.

    `reset_unit`: seconds (left), epoch (seconds since 1970) or iso. `version` is the header that echoes the API version.
    `notices` are headers that announce a deprecation or sunset.
    """

    header: str | None = None
    pattern: str | None = None
    limit: str | None = None
    remaining: str | None = None
    reset: str | None = None
    reset_unit: str = "seconds"
    version: str | None = None
    notices: tuple[str, ...] = ("deprecation", "sunset", "warning")


@lru_cache(maxsize=64)
def _compiled(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern)


def read_quota(rules: QuotaRules, headers: httpx.Headers, meter: Meter, now: datetime) -> None:
    """Fill quota, API version and notices of the meter from an answer's headers."""
    if rules.header and rules.pattern:
        found = _compiled(rules.pattern).search(headers.get(rules.header, ""))
        if found:
            groups = found.groupdict()
            _set(meter, groups.get("limit"), groups.get("remaining"), groups.get("used"))
    if rules.limit or rules.remaining:
        _set(meter, headers.get(rules.limit or ""), headers.get(rules.remaining or ""), None)
    if rules.reset and rules.reset in headers:
        meter.quota_reset_us = _reset_us(headers[rules.reset], rules.reset_unit, now)
    if rules.version and rules.version in headers:
        meter.api_version = headers[rules.version]
    for name in rules.notices:
        if name in headers:
            text = f"{name}: {headers[name][:200]}"
            if text not in meter.warnings and len(meter.warnings) < 10:
                meter.warnings = (*meter.warnings, text)


def _set(meter: Meter, limit: str | None, left: str | None, used: str | None) -> None:
    limit_count, left_count, used_count = _count(limit), _count(left), _count(used)
    if limit_count is not None:
        meter.quota_limit = limit_count
    if used_count is not None:
        meter.quota_used = used_count
    elif left_count is not None and limit_count is not None:
        meter.quota_used = limit_count - left_count


def _count(text: str | None) -> int | None:
    text = (text or "").strip()
    return int(text) if text.isdigit() and len(text) < 16 else None


def _reset_us(text: str, unit: str, now: datetime) -> int | None:
    try:
        if unit == "iso":
            return to_us(datetime.fromisoformat(text))
        seconds = float(text)
    except ValueError:
        return None
    return int(seconds * SECOND) + (to_us(now) if unit == "seconds" else 0)
