"""What can go wrong while a platform is read: one typed error with a closed list of reasons.

Texts name platform and stream and say what to do; they never hold a secret or a query string.
"""

from __future__ import annotations

from enum import StrEnum


class Reason(StrEnum):
    """Why a poll or a row failed."""

    AUTH = "auth"
    FORBIDDEN = "forbidden"
    RATE_LIMIT = "rate_limit"
    UNREACHABLE = "unreachable"
    TIMEOUT = "timeout"
    SERVER = "server_error"
    CUT = "connection_cut"
    NOT_JSON = "not_json"
    REFUSED = "refused"  # a 2xx whose body carries an error
    BAD_REQUEST = "bad_request"  # our query is wrong: a field or object is gone
    LOOP = "repeated_page"
    CAP = "cap_reached"
    TOO_LARGE = "too_large"
    ENVIRONMENT = "environment"
    NOT_VISIBLE = "not_visible"
    SUSPECT = "suspect"
    CONFIG = "configuration"


PERMANENT = frozenset({Reason.AUTH, Reason.FORBIDDEN, Reason.BAD_REQUEST, Reason.ENVIRONMENT, Reason.CONFIG})
"""Reasons that a retry cannot mend: somebody must act."""


class ProbeError(Exception):
    """A poll that could not go on.

    `reason` decides the poll run's status, `retry_after_seconds` when to come back, `permanent` whether it makes sense to.
    """

    def __init__(
        self,
        reason: Reason,
        message: str,
        *,
        platform: str = "",
        stream: str = "",
        http_status: int | None = None,
        retry_after_seconds: float | None = None,
    ) -> None:
        super().__init__(message)
        self.reason = reason
        self.message = message
        self.platform = platform
        self.stream = stream
        self.http_status = http_status
        self.retry_after_seconds = retry_after_seconds

    @property
    def permanent(self) -> bool:
        """Return whether only a person can mend this."""
        return self.reason in PERMANENT

    def __str__(self) -> str:
        where = "/".join(p for p in (self.platform, self.stream) if p)
        return f"{where}: {self.message}" if where else self.message
