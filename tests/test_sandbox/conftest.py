"""What do the sandbox's tests share? A small company, its app in process, and one served on a real socket."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest
import requests
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from requests.adapters import HTTPAdapter

from probes.sandbox import App, Clock, Company, Running, serve, served_app

from .erp_client import Erp, sign_in

START_AT = datetime(2026, 11, 19, 14, 0, tzinfo=UTC)
SALESFORCE = ("sandbox-salesforce-client", "sandbox-salesforce-secret")


def lived(seed: int = 7, history_days: int = 8, scale: float = 0.3, **more: Any) -> Company:
    """Return a small company that has lived through its history."""
    company = Company(seed, START_AT, history_days, scale, **more)
    company.run_history()
    return company


@pytest.fixture
def company() -> Company:
    """Give a small company that a test may change."""
    return lived()


@pytest.fixture(scope="session")
def signing_key() -> bytes:
    """Give one key of the ERP's client for all tests; making one takes longer than most of them."""
    key = rsa.generate_private_key(65537, 2048)
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


@pytest.fixture
def app(company: Company, signing_key: bytes) -> App:
    """Give its APIs in process, with a clock stepped by hand."""
    return served_app(company, Clock(company.start_us), private_key_pem=signing_key)


@pytest.fixture
def web(app: App) -> Iterator[httpx.Client]:
    """Give an HTTP client of the app."""
    with httpx.Client(transport=httpx.WSGITransport(app=app), base_url="http://sandbox") as client:
        yield client


@pytest.fixture
def crm(web: httpx.Client) -> dict[str, str]:
    """Give the headers of a Salesforce session."""
    answered = web.post("/salesforce/services/oauth2/token", data={"grant_type": "client_credentials"}, auth=SALESFORCE)
    return {"Authorization": f"Bearer {answered.json()['access_token']}"}


@pytest.fixture
def soql(web: httpx.Client, crm: dict[str, str]) -> Callable[[str], list[dict[str, Any]]]:
    """Give a function that runs SOQL over deleted rows too and follows all pages."""

    def run(text: str) -> list[dict[str, Any]]:
        answered = web.get("/salesforce/services/data/v66.0/queryAll", params={"q": text}, headers=crm)
        assert answered.status_code == 200, answered.text
        records, body = [], answered.json()
        records += body["records"]
        while not body["done"]:
            body = web.get(f"/salesforce{body['nextRecordsUrl']}", headers=crm).json()
            records += body["records"]
        return records

    return run


@pytest.fixture
def billing(web: httpx.Client) -> Callable[..., httpx.Response]:
    """Give a function that gets from Stripe."""

    def get(path: str, **parameters: Any) -> httpx.Response:
        return web.get(
            f"/stripe/v1/{path}", params=parameters, headers={"Authorization": "Bearer rk_live_sandbox_stripe"}
        )

    return get


@pytest.fixture
def erp(web: httpx.Client, app: App) -> Erp:
    """Give a signed-in SuiteQL client."""
    return sign_in(web, app)


@pytest.fixture(scope="session")
def running() -> Iterator[Running]:
    """Give a company on a real socket; its clock stands still, and its tests only read."""
    company = lived(history_days=12, scale=1.0)
    server = serve(company, clock=Clock(company.start_us))
    yield server
    server.stop()


class Rerouted(HTTPAdapter):
    """Sends what a vendor's client addresses to its cloud to the loopback server instead."""

    def __init__(self, target: str) -> None:
        self.target = target
        super().__init__()

    def send(self, request: requests.PreparedRequest, *args: Any, **kwargs: Any) -> requests.Response:
        """Replace scheme and host, keep path and query."""
        assert request.url is not None
        sent = request.copy()
        sent.url = self.target + request.url[request.url.index("/", len("https://")) :]
        answered = super().send(sent, *args, **kwargs)
        answered.request, answered.url = request, request.url  # clients recognise their own cloud by the URL
        return answered


@pytest.fixture
def rerouted() -> Iterator[Callable[[str], requests.Session]]:
    """Give a maker of sessions that reach the loopback server whatever https host they ask for."""
    made: list[requests.Session] = []

    def make(target: str) -> requests.Session:
        session = requests.Session()
        session.mount("https://", Rerouted(target))
        made.append(session)
        return session

    yield make
    for session in made:
        session.close()
