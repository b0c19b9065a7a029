"""How we prove who we are: fixed headers, Basic, or a token fetched and renewed once when it is refused.

A token lives in memory only. One renewal at a time per credential; a second refusal is reported, never retried in a circle.
"""

from __future__ import annotations

import threading
from base64 import b64encode
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from authlib.oauth2.rfc7523.assertion import sign_jwt_bearer_assertion
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, RSAKey

from .clock import Clock, monotonic
from .errors import ProbeError, Reason
from .probe import Meter
from .request import Request

if TYPE_CHECKING:
    from .client import Client

LEEWAY_SECONDS = 30.0


class Auth(Protocol):
    """What the client asks of a credential."""

    @property
    def secrets(self) -> tuple[str, ...]:
        """Texts that may appear in no message."""
        ...

    def headers(self, client: Client, meter: Meter) -> dict[str, str]:
        """Return the headers that authorise the next request. Errors: ProbeError."""
        ...

    def renew(self, client: Client, refused: Mapping[str, str], meter: Meter) -> bool:
        """Get a new credential after `refused` was. Returns: False when there is nothing to renew."""
        ...


@dataclass(frozen=True)
class FixedAuth:
    """Headers that never change: an API key, a bearer key, Basic."""

    values: tuple[tuple[str, str], ...]
    secrets: tuple[str, ...] = ()

    def headers(self, client: Client, meter: Meter) -> dict[str, str]:
        """Return the fixed headers."""
        return dict(self.values)

    def renew(self, client: Client, refused: Mapping[str, str], meter: Meter) -> bool:
        """Return False: a fixed key stays refused."""
        return False


def NoAuth() -> FixedAuth:  # noqa: N802 - reads as one more kind of credential
    """Return the credential of a platform that asks for none."""
    return FixedAuth(())


def header_auth(name: str, value: str, scheme: str = "") -> FixedAuth:
    """Return a key in a header, behind a scheme word if there is one."""
    return FixedAuth(((name, f"{scheme} {value}".strip()),), (value,))


def basic_auth(user: str, password: str) -> FixedAuth:
    """Return HTTP Basic."""
    token = b64encode(f"{user}:{password}".encode()).decode()
    return FixedAuth((("Authorization", f"Basic {token}"),), tuple(s for s in (token, password) if s))


@dataclass(frozen=True)
class Grant:
    """How a token is asked for: a request made from nothing but this credential, and where the answer holds what.

    `lifetime_seconds` is used when the answer names none (Salesforce); None then means until it is refused.
    """

    request: Callable[[Client], Request]
    secrets: tuple[str, ...] = ()
    scheme: str = "Bearer"
    lifetime_seconds: float | None = None


class TokenAuth:
    """A token fetched by a grant, kept until it expires or is refused."""

    def __init__(self, grant: Grant) -> None:
        self._grant = grant
        self._lock = threading.Lock()
        self._token: str | None = None
        self._until: float | None = None
        self.answer: Mapping[str, Any] = {}

    @property
    def secrets(self) -> tuple[str, ...]:
        """Return the grant's secrets and the present token."""
        return (*self._grant.secrets, *((self._token,) if self._token else ()))

    def headers(self, client: Client, meter: Meter) -> dict[str, str]:
        """Return the bearer header, fetching a token first when there is none or it is about to end."""
        with self._lock:
            if self._token is None or (self._until is not None and monotonic() > self._until):
                self._fetch(client, meter)
            return self._header()

    def renew(self, client: Client, refused: Mapping[str, str], meter: Meter) -> bool:
        """Fetch a new token unless another thread already did since `refused` was sent."""
        with self._lock:
            if self._header() == dict(refused):
                self._token = None
                self._fetch(client, meter)
            return True

    def _header(self) -> dict[str, str]:
        return {"Authorization": f"{self._grant.scheme} {self._token}"}

    def _fetch(self, client: Client, meter: Meter) -> None:
        try:
            data = client.exchange(self._grant.request(client), meter).data
        except ProbeError as error:
            if error.reason is Reason.BAD_REQUEST:  # OAuth refuses a credential with 400 invalid_grant, invalid_client
                raise ProbeError(
                    Reason.AUTH,
                    f"no token: {error.message}; check `auth`",
                    platform=error.platform,
                    http_status=error.http_status,
                ) from None
            raise
        token = data.get("access_token") if isinstance(data, dict) else None
        if not isinstance(token, str) or not token:
            raise ProbeError(
                Reason.AUTH,
                "the token endpoint answered without access_token; check `auth`",
                platform=client.spec.platform,
            )
        self._token, self.answer = token, data
        seconds = _seconds(data.get("expires_in"), self._grant.lifetime_seconds)
        self._until = None if seconds is None else monotonic() + max(seconds - LEEWAY_SECONDS, seconds / 2)


def _seconds(told: Any, fallback: float | None) -> float | None:
    try:
        return float(told) if told is not None else fallback  # NetSuite sends it as text
    except (TypeError, ValueError):
        return fallback


def client_credentials(
    path: str, client_id: str, client_secret: str, *, send_as: str = "form", scope: str | None = None
) -> Grant:
    """Return the OAuth 2 client credentials grant; `send_as` is basic, form or json. Source: RFC 6749 4.4."""
    body = {"grant_type": "client_credentials", **({"scope": scope} if scope else {})}
    basic = basic_auth(client_id, client_secret)
    full = {**body, "client_id": client_id, "client_secret": client_secret}

    def request(_: Client) -> Request:
        if send_as == "json":
            return Request(path, method="POST", json=full)
        if send_as == "basic":
            return Request(path, method="POST", form=body, headers=dict(basic.values))
        return Request(path, method="POST", form=full)

    return Grant(request, (client_secret, *basic.secrets))


def _signing_key(pem: str, alg: str) -> RSAKey | ECKey:
    return ECKey.import_key(pem) if alg.startswith("ES") else RSAKey.import_key(pem)


def jwt_assertion(
    path: str, client_id: str, key: str, *, certificate_id: str, alg: str, scope: str, clock: Clock, seconds: int = 300
) -> Grant:
    """Return client credentials proven by a signed JWT; `key` is a PEM private key. Source: RFC 7523, NetSuite M2M."""

    def request(client: Client) -> Request:
        try:
            assertion = sign_jwt_bearer_assertion(
                _signing_key(key, alg),
                client_id,
                client.url(path),
                issued_at=int(clock().timestamp()),
                claims={"scope": scope.split()},
                header={"typ": "JWT", "alg": alg, "kid": certificate_id},
                expires_in=seconds,
            )
        except (ValueError, TypeError, JoseError) as error:
            text = f"`auth.private_key` cannot sign {alg} ({type(error).__name__}); give the PEM private key of the certificate"
            raise ProbeError(Reason.CONFIG, text, platform=client.spec.platform) from None
        kind = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
        form = {"grant_type": "client_credentials", "client_assertion_type": kind, "client_assertion": assertion}
        return Request(path, method="POST", form=form)

    return Grant(request, (key,))
