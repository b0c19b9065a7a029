"""How bytes cross the wire under a total deadline: a read or write of a socket gets only the time that is left.

httpx limits each read, not their sum: an answer that drips one byte at a time runs for ever. Knows no status, no retry.
"""

from __future__ import annotations

import ssl
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import httpcore
import httpx

from .clock import monotonic

_scope = threading.local()


@contextmanager
def until(deadline: float) -> Iterator[None]:
    """Let nothing on this thread read or write past `deadline` (monotonic seconds); an earlier outer deadline stays."""
    outer = getattr(_scope, "deadline", None)
    _scope.deadline = deadline if outer is None else min(deadline, outer)
    try:
        yield
    finally:
        _scope.deadline = outer


def remaining() -> float | None:
    """Return the seconds left on this thread, or None when no deadline is set."""
    deadline: float | None = getattr(_scope, "deadline", None)
    return None if deadline is None else deadline - monotonic()


def _allowed(timeout: float | None, error: type[Exception]) -> float | None:
    left = remaining()
    if left is None:
        return timeout
    if left <= 0:
        raise error("deadline reached")
    return left if timeout is None else min(timeout, left)


class _Stream(httpcore.NetworkStream):
    """A socket whose every operation is cut at the deadline."""

    def __init__(self, inner: httpcore.NetworkStream) -> None:
        self._inner = inner

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return self._inner.read(max_bytes, _allowed(timeout, httpcore.ReadTimeout))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._inner.write(buffer, _allowed(timeout, httpcore.WriteTimeout))

    def close(self) -> None:
        self._inner.close()

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.NetworkStream:
        return _Stream(self._inner.start_tls(ssl_context, server_hostname, _allowed(timeout, httpcore.ConnectTimeout)))

    def get_extra_info(self, info: str) -> Any:
        return self._inner.get_extra_info(info)


class _Backend(httpcore.NetworkBackend):
    """Opens sockets that obey the deadline."""

    def __init__(self) -> None:
        self._inner = httpcore.SyncBackend()

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.NetworkStream:
        left = _allowed(timeout, httpcore.ConnectTimeout)
        return _Stream(self._inner.connect_tcp(host, port, left, local_address, socket_options))


class DeadlineTransport(httpx.HTTPTransport):
    """httpx's own transport over sockets that obey the deadline of the calling thread."""

    def __init__(self, *, connections: int = 8) -> None:
        context = ssl.create_default_context()
        super().__init__(verify=context)
        self._pool.close()
        self._pool = httpcore.ConnectionPool(
            ssl_context=context,
            max_connections=connections,
            max_keepalive_connections=connections,
            keepalive_expiry=30.0,
            network_backend=_Backend(),
        )


def in_process(app: Callable[..., Any]) -> httpx.BaseTransport:
    """Return a transport that hands requests to a WSGI app in this process: no socket, no waiting, the same headers and bodies."""
    return httpx.WSGITransport(app=app)
