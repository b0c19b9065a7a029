"""How does a test talk to the sandbox's ERP? It signs an assertion, gets a token and runs SuiteQL."""

from dataclasses import dataclass
from typing import Any

import httpx
from joserfc import jwt
from joserfc.jwk import RSAKey

from probes.sandbox import App

TOKEN_URL = "/netsuite/services/rest/auth/oauth2/v1/token"
ASSERTION = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"


@dataclass(frozen=True)
class Erp:
    """A signed-in client."""

    web: httpx.Client
    headers: dict[str, str]

    def post(self, text: str, **parameters: Any) -> httpx.Response:
        """Run a statement and return the whole answer."""
        path = "/netsuite/services/rest/query/v1/suiteql"
        return self.web.post(path, params=parameters, json={"q": text}, headers=self.headers)

    def rows(self, text: str) -> list[dict[str, Any]]:
        """Run a statement and return all its rows, page by page."""
        found: list[dict[str, Any]] = []
        while True:
            answered = self.post(text, limit=200, offset=len(found))
            assert answered.status_code == 200, answered.text
            found += answered.json()["items"]
            if not answered.json()["hasMore"]:
                return found


def assertion(app: App, algorithm: str = "PS256", **changes: Any) -> str:
    """Sign a client assertion; `changes` replace claims."""
    now = app.served.now_us() // 1_000_000
    claims = {
        "iss": "sandbox-netsuite-client",
        "scope": ["rest_webservices"],
        "aud": f"{app.served.base_url}{TOKEN_URL}",
        "iat": now,
        "exp": now + 3000,
    }
    header = {"typ": "JWT", "alg": algorithm, "kid": "sandbox-netsuite-certificate"}
    key = RSAKey.import_key(app.private_key_pem)
    return jwt.encode(header, claims | changes, key, algorithms=[algorithm])


def ask_token(web: httpx.Client, signed: str) -> httpx.Response:
    """Exchange an assertion."""
    form = {"grant_type": "client_credentials", "client_assertion_type": ASSERTION, "client_assertion": signed}
    return web.post(TOKEN_URL, data=form)


def sign_in(web: httpx.Client, app: App) -> Erp:
    """Return a client with a session."""
    token = ask_token(web, assertion(app)).json()["access_token"]
    return Erp(web, {"Authorization": f"Bearer {token}", "Prefer": "transient"})
