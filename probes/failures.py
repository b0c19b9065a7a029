"""Which reason an unhappy answer has, and what may be said of it: one table of statuses, the vendor's own on top, one scrubber.

Decides nothing about retries. Every text that leaves here is free of secrets and query strings.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

from .errors import Reason
from .paths import getter

STATUS_REASON: Mapping[int, Reason] = {
    401: Reason.AUTH,
    403: Reason.FORBIDDEN,
    407: Reason.AUTH,
    408: Reason.TIMEOUT,
    425: Reason.SERVER,
    429: Reason.RATE_LIMIT,
}
RETRYABLE = frozenset({Reason.RATE_LIMIT, Reason.SERVER, Reason.UNREACHABLE, Reason.CUT, Reason.TIMEOUT})

_QUERY = re.compile(r"(https?://[^\s?#\"'<>]+)\?[^\s\"'<>]*")
_USERINFO = re.compile(r"(\w+://)[^/@\s]+@")
_SHOWN = re.compile(
    r"(?i)\b(bearer|basic|token|api[_-]?key|client_secret|secret|password|authorization)\b(\s*[=:]\s*|\s+)(\S+)"
)
_MASKED = re.compile(r"\S+\*{3,}\S*")  # some vendors repeat the first letters of a refused key
_TAG = re.compile(r"<(script|style)\b.*?</\1>|<[^>]{0,500}>", re.DOTALL | re.IGNORECASE)
_SPACE = re.compile(r"[\s\x00-\x1f\x7f]+")
MAX_TEXT = 300


@dataclass(frozen=True)
class Rule:
    """An answer that means something other than its status says; None matches everything."""

    reason: Reason
    status: int | None = None
    code: str | None = None

    def matches(self, status: int, code: str | None) -> bool:
        """Return whether this rule speaks of such an answer."""
        return self.status in (None, status) and (self.code is None or self.code == code)


@dataclass(frozen=True)
class ErrorRules:
    """Where a vendor puts its error code and message, and which answers are not what they seem.

    `refused` are paths that, when they hold something in a 2xx answer, make it an error.
    """

    code: tuple[str, ...] = ("error.code", "error.type", "error", "errorCode", "code")
    message: tuple[str, ...] = ("error.message", "error_description", "message", "description", "detail", "title")
    rules: tuple[Rule, ...] = ()
    refused: tuple[str, ...] = ()


def classify(rules: ErrorRules, status: int, body: Any) -> tuple[Reason, str | None, str | None]:
    """Return (reason, vendor code, vendor message) of an answer that is an error."""
    code, message = _first(body, rules.code), _first(body, rules.message)
    for rule in rules.rules:
        if rule.matches(status, code):
            return rule.reason, code, message
    if status in STATUS_REASON:
        return STATUS_REASON[status], code, message
    if status >= 500:
        return Reason.SERVER, code, message
    return (Reason.REFUSED if status < 400 else Reason.BAD_REQUEST), code, message


def _first(body: Any, paths: Iterable[str]) -> str | None:
    for path in paths:
        value = getter(path)(body)
        if isinstance(value, str | int) and not isinstance(value, bool):
            return str(value)
    return None


def scrub(text: str, secrets: Iterable[str] = ()) -> str:
    """Return one short line without secrets, query strings, markup or control characters."""
    for secret in secrets:
        if len(secret) >= 4:
            text = text.replace(secret, "***")
    text = _QUERY.sub(r"\1", text[:20_000])
    text = _USERINFO.sub(r"\1", text)
    text = _TAG.sub(" ", text)
    text = _SHOWN.sub(r"\1\2***", _MASKED.sub("***", text))
    text = _SPACE.sub(" ", text).strip()
    return text if len(text) <= MAX_TEXT else text[: MAX_TEXT - 1] + "…"


def retry_after(value: str | None, now: datetime) -> float | None:
    """Read a Retry-After header, seconds or HTTP date. Returns: seconds from `now`, None when absent or unreadable."""
    if not value:
        return None
    try:
        return max(0.0, float(value)) if float(value) < 1e7 else None
    except ValueError:
        at = http_date(value)
    return None if at is None else max(0.0, (at - now).total_seconds())


def http_date(value: str | None) -> datetime | None:
    """Read an HTTP date. Returns: aware UTC, None when absent or unreadable."""
    if not value:
        return None
    try:
        at = parsedate_to_datetime(value)
    except (ValueError, TypeError, IndexError):
        return None
    return at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)
