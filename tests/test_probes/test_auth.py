"""Credentials: fetched once, renewed once, never in a circle, never for the wrong reason."""

from __future__ import annotations

import threading

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
from joserfc import jwt
from joserfc.jwk import ECKey, RSAKey
from werkzeug.wrappers import Request, Response

from probes.auth import Grant, TokenAuth, client_credentials, jwt_assertion
from probes.client import Client
from probes.errors import ProbeError, Reason
from probes.probe import Meter

from .fakes import NOW, clock, reply
from .fakes import client as client_of


class Platform:
    """A platform with a token endpoint that counts."""

    def __init__(self, **answer: object) -> None:
        self.answer, self.issued, self.valid, self.forms = answer, 0, set[str](), list[dict[str, str]]()

    def __call__(self, request: Request) -> Response:
        if request.path == "/token":
            self.forms.append({**request.form, **(request.get_json() if request.is_json else {})})
            self.issued += 1
            self.valid = {f"t{self.issued}"}
            return reply({"access_token": f"t{self.issued}", **self.answer})
        token = request.headers.get("Authorization", "").removeprefix("Bearer ")
        return reply({"ok": True}) if token in self.valid else reply([{"errorCode": "INVALID_SESSION_ID"}], 401)


def connected(platform: Platform, grant: Grant | None = None) -> Client:
    return client_of(platform, auth=TokenAuth(grant or client_credentials("/token", "id", "s3cret-canary")))


def test_a_token_is_fetched_once_and_used_again() -> None:
    platform = Platform(expires_in="3600")
    client = connected(platform)
    for _ in range(3):
        client.get("/x", Meter())
    assert platform.issued == 1
    assert platform.forms[0]["client_secret"] == "s3cret-canary"


def test_a_token_without_lifetime_is_renewed_when_it_is_refused() -> None:
    platform = Platform()  # as Salesforce answers: no expires_in
    client = connected(platform)
    client.get("/x", Meter())
    platform.valid = set()
    assert client.get("/x", Meter()).data == {"ok": True}
    assert platform.issued == 2


def test_a_second_refusal_ends_the_poll_instead_of_a_circle() -> None:
    platform = Platform()
    client = connected(platform)
    client.get("/x", Meter())
    platform.valid = set()
    meter = Meter()

    def refusing(request: Request) -> Response:
        return platform(request) if request.path == "/token" else reply({}, 401)

    always = client_of(refusing, auth=TokenAuth(client_credentials("/token", "id", "s3cret-canary")))
    with pytest.raises(ProbeError) as caught:
        always.get("/x", meter)
    assert caught.value.reason is Reason.AUTH
    assert meter.requests == 4  # token, call, token, call


def test_a_token_about_to_expire_is_fetched_before_it_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [1000.0]
    monkeypatch.setattr("probes.auth.monotonic", lambda: now[0])
    platform = Platform(expires_in=3600)
    client = connected(platform)
    client.get("/x", Meter())
    now[0] += 3590
    client.get("/x", Meter())
    assert platform.issued == 2


def test_threads_that_are_refused_together_renew_once() -> None:
    platform = Platform()
    client = connected(platform)
    client.get("/x", Meter())
    platform.valid = set()
    threads = [threading.Thread(target=lambda: client.get("/x", Meter())) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert platform.issued == 2


@pytest.mark.parametrize("status", [400, 401])
def test_a_refused_grant_is_about_auth_and_tells_no_secret(status: int) -> None:
    body = {"error": "invalid_client", "error_description": "bad secret s3cret-canary"}
    client = client_of(
        lambda _: reply(body, status), auth=TokenAuth(client_credentials("/token", "id", "s3cret-canary"))
    )
    with pytest.raises(ProbeError) as caught:
        client.get("/x", Meter())
    assert caught.value.reason is Reason.AUTH
    assert caught.value.permanent
    assert "invalid_client" in str(caught.value)
    assert "s3cret-canary" not in str(caught.value)


def test_a_token_endpoint_that_answers_200_without_a_token_is_refused() -> None:
    client = client_of(
        lambda _: reply({"error": "invalid_code"}), auth=TokenAuth(client_credentials("/token", "id", "sec"))
    )
    with pytest.raises(ProbeError) as caught:
        client.get("/x", Meter())
    assert caught.value.reason is Reason.AUTH


@pytest.mark.parametrize("send_as", ["form", "json", "basic"])
def test_the_secret_is_sent_as_the_vendor_wants_it(send_as: str) -> None:
    platform = Platform()
    connected(platform, client_credentials("/token", "id", "sec", send_as=send_as, scope="read")).get("/x", Meter())
    assert platform.forms[0]["grant_type"] == "client_credentials"
    assert platform.forms[0]["scope"] == "read"
    assert ("client_secret" in platform.forms[0]) is (send_as != "basic")


@pytest.mark.parametrize("alg", ["PS256", "ES256"])
def test_a_signed_assertion_proves_the_client(alg: str) -> None:
    made = ec.generate_private_key(ec.SECP256R1()) if alg == "ES256" else rsa.generate_private_key(65537, 2048)
    pem = made.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    public = made.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    platform = Platform(expires_in="3600")
    grant = jwt_assertion(
        "/token", "client", pem, certificate_id="kid-1", alg=alg, scope="rest_webservices", clock=clock
    )
    connected(platform, grant).get("/x", Meter())
    key = ECKey.import_key(public) if alg == "ES256" else RSAKey.import_key(public)
    token = jwt.decode(platform.forms[0]["client_assertion"], key, algorithms=[alg])
    assert token.header == {"typ": "JWT", "alg": alg, "kid": "kid-1"}
    assert token.claims["iss"] == "client"
    assert token.claims["aud"] == "http://platform.test/token"
    assert token.claims["scope"] == ["rest_webservices"]
    assert 0 < token.claims["exp"] - token.claims["iat"] <= 3600
    assert token.claims["iat"] == int(NOW.timestamp())


def test_a_key_that_cannot_sign_is_a_configuration_error_without_the_key() -> None:
    grant = jwt_assertion("/token", "c", "not a key canary", certificate_id="k", alg="PS256", scope="", clock=clock)
    with pytest.raises(ProbeError) as caught:
        connected(Platform(), grant).get("/x", Meter())
    assert caught.value.reason is Reason.CONFIG
    assert "canary" not in str(caught.value)
