"""What every answer carries and which requests are turned away: headers, hosts, and paths that are no page.

The page server itself answers 200 with its own page on every path; a probe of a mistyped path would always look well.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from urllib.parse import urlsplit

from starlette.datastructures import MutableHeaders
from starlette.requests import cookie_parser
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from . import visits
from .api.problems import answer

SERVED = ("/_stcore/", "/static/", "/media/", "/component/", "/api/v1/", "/oauth2callback")
FILES = ("/", "/api/v1", "/metrics", "/healthz", "/readyz", "/favicon.png", "/manifest.json", "/_stcore")


def security_headers(frame_ancestors: Sequence[str]) -> dict[str, str]:
    """Return the headers of every answer, errors included."""
    # Pictures, fonts and calls come from this server alone: a name cannot beacon out, and no library fetches from elsewhere.
    policy = (
        f"frame-ancestors {' '.join(frame_ancestors)}; object-src 'none'; base-uri 'self'; img-src 'self' data: blob:; "
        "font-src 'self' data:; connect-src 'self' data: blob:; form-action 'self'"
    )
    return {
        "Content-Security-Policy": policy,
        "X-Content-Type-Options": "nosniff",
        "Referrer-Policy": "no-referrer",
        "Cross-Origin-Opener-Policy": "same-origin",
        "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
    }


def hosts(host: str, public_url: str | None, allowed: Iterable[str]) -> frozenset[str]:
    """Return the host names this console answers to; empty means any, which only an explicit `*` gives."""
    named = set(allowed)
    if "*" in named:
        return frozenset()
    public = urlsplit(public_url).hostname if public_url else None
    return frozenset({*named, host, "localhost", "127.0.0.1", "::1", *([public] if public else [])})


class Guard:
    """Adds the headers, refuses foreign hosts and unknown paths. An ASGI middleware, hence a class."""

    def __init__(
        self,
        app: ASGIApp,
        *,
        headers: dict[str, str],
        hosts: frozenset[str],
        pages: Callable[[], Iterable[str]],
        now_us: Callable[[], int],
    ) -> None:
        self.app = app
        self.headers = headers
        self.hosts = hosts
        self.pages = pages
        self.now_us = now_us

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            await self.app(scope, receive, send)
            return

        async def dressed(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in self.headers.items():
                    headers[name] = value
                if scope["type"] == "http" and self._is_page(scope["path"]):
                    headers.append("Set-Cookie", visits.header(_cookie(scope), self.now_us()))
            await send(message)

        if not self._known_host(scope):
            await _refuse(
                scope, receive, dressed, 421, "This host name is not served; add it to console.allowed_hosts."
            )
        elif scope["type"] == "http" and not self._known_path(scope["path"]):
            await _refuse(scope, receive, dressed, 404, "There is no page at this path; start at /.")
        else:
            await self.app(scope, receive, dressed)

    def _known_host(self, scope: Scope) -> bool:
        if not self.hosts:
            return True
        given = next((v.decode("latin-1") for k, v in scope["headers"] if k == b"host"), "")
        return (urlsplit(f"//{given}").hostname or "") in self.hosts

    def _is_page(self, path: str) -> bool:
        return path == "/" or path.lstrip("/") in set(self.pages())

    def _known_path(self, path: str) -> bool:
        # Pages are one level deep; the page server's own files may be asked for beneath a page.
        if path in FILES or path.startswith(SERVED):
            return True
        first, _, rest = path.lstrip("/").partition("/")
        return first in set(self.pages()) and (rest == "" or f"/{rest}".startswith(SERVED))


async def _refuse(scope: Scope, receive: Receive, send: Send, status: int, detail: str) -> None:
    if scope["type"] == "websocket":
        await send({"type": "websocket.close", "code": 1008})
        return
    await answer(scope["path"], status, detail)(scope, receive, send)


def _cookie(scope: Scope) -> str | None:
    given = "; ".join(v.decode("latin-1") for k, v in scope["headers"] if k == b"cookie")
    return cookie_parser(given).get(visits.COOKIE)
