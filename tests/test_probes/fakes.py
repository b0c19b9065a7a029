"""Small servers of our own that misbehave on demand: WSGI apps in process or on a socket, and raw sockets for broken wires."""

from __future__ import annotations

import json
import logging
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

import httpx
from werkzeug.serving import make_server
from werkzeug.wrappers import Request, Response

from probes.client import Client, ClientSpec
from probes.clock import to_us

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
NOW_US = to_us(NOW)
Answer = Callable[[Request], Response]

logging.getLogger("werkzeug").setLevel(logging.ERROR)


def clock() -> datetime:
    """Return the fixed instant of these tests."""
    return NOW


def app(answer: Answer) -> Any:
    """Return a WSGI app that answers every request with `answer`."""

    @Request.application
    def run(request: Request) -> Response:
        return answer(request)

    return run


def reply(body: Any, status: int = 200, **headers: str) -> Response:
    """Return a JSON response; header names with underscores."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Response(json.dumps(body), status, named, content_type="application/json")


def client(answer: Answer, **spec: Any) -> Client:
    """Return a client whose platform is `answer`, in process."""
    auth = spec.pop("auth", None)
    settings = {"base_url": "http://platform.test", "platform": "crm", **spec}
    return Client(ClientSpec(**settings), auth=auth, clock=clock, transport=httpx.WSGITransport(app=app(answer)))


@contextmanager
def on_socket(answer: Answer) -> Iterator[str]:
    """Serve `answer` on a real loopback socket; yields its base URL."""
    server = make_server("127.0.0.1", 0, app(answer), threaded=True)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@contextmanager
def raw_socket(talk: Callable[[socket.socket], None]) -> Iterator[str]:
    """Serve connections with `talk`, which gets the socket after the request was read; yields the base URL."""
    listener = socket.create_server(("127.0.0.1", 0))
    listener.settimeout(0.1)
    stop = threading.Event()

    def serve_one(connection: socket.socket) -> None:
        with connection:
            try:
                connection.recv(65536)
                talk(connection)
            except OSError:
                pass

    def loop() -> None:
        while not stop.is_set():
            try:
                connection, _ = listener.accept()
            except TimeoutError:
                continue
            threading.Thread(target=serve_one, args=(connection,), daemon=True).start()

    thread = threading.Thread(target=loop, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        stop.set()
        thread.join()
        listener.close()
