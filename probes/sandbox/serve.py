"""How is the company put on the network? One server with every platform under its prefix, or the same app in process."""

import socket
import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import waitress
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)
from werkzeug.middleware.dispatcher import DispatcherMiddleware
from werkzeug.wrappers import Response

from probes.sandbox.apis import control, n8n, netsuite, rabbitmq, salesforce, stripe, zendesk
from probes.sandbox.apis.web import Served
from probes.sandbox.clock import Clock
from probes.sandbox.company import Company

KEY_NAME = "netsuite-private-key.pem"
PLATFORMS = ("salesforce", "stripe", "netsuite", "zendesk", "rabbitmq", "n8n", "control")


@dataclass(frozen=True)
class App:
    """The WSGI app of all platforms, with the key that a client of the ERP signs with."""

    served: Served
    private_key_pem: bytes
    wsgi: Callable[..., Iterable[bytes]]

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        """Answer one request."""
        return self.wsgi(environ, start_response)


@dataclass(frozen=True)
class Running:
    """A server on a real socket; `stop` ends it."""

    app: App
    base_url: str
    stop: Callable[[], None]


def served_app(
    company: Company, clock: Clock, base_url: str = "http://sandbox", private_key_pem: bytes | None = None
) -> App:
    """Build the app of all platforms, mounted under `/salesforce`, `/stripe`, …; `base_url` has no trailing slash.

    The key that clients of the ERP sign with is the one given, else the one in the data directory, else a new one.
    """
    private_pem, public_pem = _key_pair(company.data_dir, private_key_pem)
    served = Served(company, clock, base_url.rstrip("/"), public_pem)
    modules = (salesforce, stripe, netsuite, zendesk, rabbitmq, n8n, control)
    mounts = {f"/{name}": module.app(served) for name, module in zip(PLATFORMS, modules, strict=True)}
    return App(served, private_pem, DispatcherMiddleware(Response("no such platform\n", status=404), mounts))


def serve(company: Company, host: str = "127.0.0.1", base_port: int = 0, clock: Clock | None = None) -> Running:
    """Serve the company on a socket; port 0 takes a free one. Without a clock it lives in real time.

    Errors: OSError when the port is taken.
    """
    listener = socket.create_server((host, base_port))  # bound here, so that a taken port leaves nothing half open
    server = waitress.create_server(_starting, sockets=[listener], threads=8, ident=None)
    base_url = f"http://{host}:{listener.getsockname()[1]}"
    app = served_app(company, clock or Clock(max(company.start_us, company.world.now_us), speed=1.0), base_url)
    server.application = app
    thread = threading.Thread(target=server.run, name="sandbox", daemon=True)
    thread.start()

    def stop() -> None:
        server.close()
        server.task_dispatcher.shutdown()
        thread.join(timeout=5)

    return Running(app, base_url, stop)


def _starting(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
    """Answer while the port is known but the app is not built yet."""
    return Response("starting\n", status=503)(environ, start_response)


def _key_pair(data_dir: Path | None, given_pem: bytes | None) -> tuple[bytes, bytes]:
    """Return private and public PEM of the ERP client; a new private one is kept in the data directory."""
    path = data_dir / KEY_NAME if data_dir is not None else None
    if given_pem is None and path is not None and path.exists():
        given_pem = path.read_bytes()
    private = load_pem_private_key(given_pem, None) if given_pem else rsa.generate_private_key(65537, 2048)
    private_pem = private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    if path is not None and not path.exists():
        path.touch(mode=0o600)
        path.write_bytes(private_pem)
    return private_pem, private.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
