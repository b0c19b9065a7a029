"""Who may ask the HTTP interface: everybody on this machine, or, once a token is configured, only its bearer."""

from __future__ import annotations

import hmac
from hashlib import sha256
from typing import Annotated

from fastapi import Depends, Security
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from .narrowing import ConsoleOf
from .problems import Problem

_bearer = HTTPBearer(auto_error=False, description="Needed when `console.api_token` is configured.")


def allowed(header: str | None, token: str | None) -> bool:
    """Return whether an Authorization header carries the token; compared in constant time over equal lengths."""
    if token is None:
        return True
    scheme, _, given = (header or "").partition(" ")
    same = hmac.compare_digest(sha256(given.strip().encode()).digest(), sha256(token.encode()).digest())
    return same and scheme.lower() == "bearer"


def bearer_only(
    console: ConsoleOf, given: Annotated[HTTPAuthorizationCredentials | None, Security(_bearer)] = None
) -> None:
    """Refuse a request without the configured token. Errors: Problem 401."""
    header = f"{given.scheme} {given.credentials}" if given else None
    if not allowed(header, console.token):
        raise Problem(401, "Send the token of console.api_token as `Authorization: Bearer …`.")


BearerOnly = Depends(bearer_only)
