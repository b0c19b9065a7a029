"""What do all vendor apps share? Requests, answers, failures of a platform on demand; no vendor's shapes."""

import json
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from email.utils import format_datetime
from typing import Any

from werkzeug.exceptions import HTTPException
from werkzeug.routing import Map, Rule
from werkzeug.wrappers import Request, Response

from probes.sandbox.apis import ailments
from probes.sandbox.clock import Clock, to_instant
from probes.sandbox.company import Company
from probes.sandbox.world import Row, World

Handler = Callable[..., Response]
Refuse = Callable[[int, str, str], Response]  # status, code, message -> the vendor's error shape


@dataclass
class Served:
    """One company behind its APIs, with the credentials and limits of this start."""

    company: Company
    clock: Clock
    base_url: str
    account_key: bytes = b""  # public key of the ERP's client certificate, PEM
    tokens: dict[str, float] = field(default_factory=dict)  # access token -> virtual expiry in seconds
    usage: dict[str, int] = field(default_factory=dict)  # platform -> calls so far
    windows: dict[str, tuple[int, int]] = field(default_factory=dict)  # limiter -> (window number, calls)
    cursors: dict[str, tuple[int, list[Row], int, str]] = field(default_factory=dict)  # query locators

    @property
    def world(self) -> World:
        """Return the company's world."""
        return self.company.world

    def now_us(self) -> int:
        """Return the instant up to which the company has lived."""
        return self.world.now_us

    def condition(self, platform: str, kind: str) -> Row | None:
        """Return what ails a platform now, of one kind."""
        return ailments.of(self.world, platform, kind)

    def hidden(self, platform: str) -> tuple[set[str], set[str]]:
        """Return the legal entities and the `Object.field` names that the probe's user has lost sight of."""
        conditions = self.world.conditions[platform]
        lost = [c for c in conditions if c["kind"] == "blind" or c.get("variant") == "dropped"]
        return {c["entity"] for c in lost if c.get("entity")}, {c["field"].lower() for c in lost if c.get("field")}

    def count_in_window(self, name: str, seconds: int) -> int:
        """Count a call in a fixed window of virtual time."""
        window = self.now_us() // (seconds * 1_000_000)
        known, calls = self.windows.get(name, (window, 0))
        self.windows[name] = (window, calls + 1 if known == window else 1)
        return self.windows[name][1]


def plain(value: Any) -> Any:
    """Render what JSON does not know: decimals as numbers (that is how these vendors send them), dates as ISO."""
    if isinstance(value, Decimal):
        return float(value)
    if isinstance(value, date):
        return value.isoformat()
    raise TypeError(f"cannot render {type(value).__name__}")


def answer(body: object, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    """Make a JSON response."""
    text = json.dumps(body, default=plain)
    return Response(text, status=status, headers=headers or {}, content_type="application/json;charset=UTF-8")


def mount(served: Served, platform: str, rules: list[tuple[str, str, Handler]], refuse: Refuse) -> Callable[..., Any]:
    """Build the WSGI app of one platform.

    Every request first lets the company live up to the clock; a platform that is down answers in its own way.
    """
    url_map = Map(
        [Rule(path, methods=[method], endpoint=handler) for path, method, handler in rules], strict_slashes=False
    )

    def app(environ: dict[str, Any], start_response: Any) -> Any:
        slow = served.condition(platform, "slow")
        if slow is not None:
            _wait(served, float(slow["seconds"]))  # outside the lock: a slow platform blocks nobody else
        with served.company.lock:
            served.company.advance_to(served.clock.now_us())
            down = served.condition(platform, "down")
            if down is None:
                response = _dispatch(served, platform, url_map, Request(environ), refuse)
            stamp = format_datetime(to_instant(served.world.clock_us(platform)), usegmt=True)
        if down is not None:
            response = _broken(environ, down, refuse)
        response.headers["Date"] = stamp
        return response(environ, start_response)

    return app


def _wait(served: Served, seconds: float) -> None:
    """Let an answer take its time: on the clock that is stepped by hand, else really."""
    if served.clock.speed == 0:
        served.clock.step(seconds)
    else:
        time.sleep(seconds / served.clock.speed)


def _dispatch(served: Served, platform: str, url_map: Map, request: Request, refuse: Refuse) -> Response:
    refused = ailments.signed_out(served.world, platform, request)
    if refused is not None:
        return refuse(401, *refused)
    try:
        handler, arguments = url_map.bind_to_environ(request.environ).match()
        response: Response = handler(served, request, **arguments)
    except HTTPException as failure:
        code = {404: "NOT_FOUND", 405: "METHOD_NOT_ALLOWED"}.get(failure.code or 500, "BAD_REQUEST")
        return refuse(failure.code or 500, code, f"{request.method} {request.path}: {failure.description}")
    return ailments.answered(served.world, platform, request, response)


def _broken(environ: dict[str, Any], down: Row, refuse: Refuse) -> Response:
    variant = down.get("variant", "503")
    if variant == "timeout":
        if "waitress.client_disconnected" in environ:  # only over a real socket; in process nobody should have to wait
            time.sleep(float(down.get("hang_seconds", 30)))
        return refuse(504, "SERVER_UNAVAILABLE", "Gateway Time-out")
    if variant == "cut":
        response = Response('{"records": [{"Id": "0', content_type="application/json")
        response.headers["Content-Length"] = "4096"  # more than is sent: the connection ends in the middle of the body
        response.automatically_set_content_length = False
        return response
    return refuse(int(variant), "SERVER_UNAVAILABLE", "Service unavailable")


def throttled(served: Served, platform: str) -> bool:
    """Tell whether the platform refuses this call because of a rate limit, counting down what is left of the fault."""
    limited = served.condition(platform, "rate_limited")
    if limited is None or limited.get("remaining", 1) <= 0:
        return False
    limited["remaining"] = limited.get("remaining", 10**9) - 1
    return True


def bearer(request: Request) -> str:
    """Return the bearer token of a request, or nothing."""
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" else ""
