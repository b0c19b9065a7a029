"""What is asked of a platform and what comes back, as plain values: no connection, no retry, no meaning."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import httpx


@dataclass(frozen=True, slots=True)
class Request:
    """One question to a platform. `path` is relative to its base URL, or an absolute URL of the same origin."""

    path: str
    params: tuple[tuple[str, str], ...] = ()
    method: str = "GET"
    json: Any = None
    form: Mapping[str, str] | None = None
    content: bytes | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    expect_json: bool = True

    def with_params(self, *pairs: tuple[str, str]) -> Request:
        """Return this request with the parameters set, replacing those of the same name."""
        names = {name for name, _ in pairs}
        return replace(self, params=(*(p for p in self.params if p[0] not in names), *pairs))


@dataclass(frozen=True, slots=True)
class Answer:
    """What a platform answered; `data` is the decoded JSON when it was asked for, `at_us` when it had arrived."""

    status: int
    headers: httpx.Headers
    content: bytes
    data: Any
    at_us: int
