"""How a platform is asked over HTTP: one client with a total deadline, caps, a retry budget and typed, scrubbed errors.

Used by every connector and every channel; nothing else opens a connection. It knows no vendor: what an answer means comes
in as `ErrorRules` and `QuotaRules`, who we are as an `Auth`.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import urlsplit

import httpx
import stamina

from . import body as bodies
from .auth import Auth, NoAuth
from .clock import Clock, monotonic, system_clock, to_us
from .decode import NotJson, decode
from .errors import ProbeError, Reason
from .failures import RETRYABLE, ErrorRules, classify, http_date, retry_after, scrub
from .probe import Meter
from .quota import QuotaRules, read_quota
from .request import Answer, Request
from .throttle import Throttle
from .wire import DeadlineTransport, remaining, until

for _name in ("httpx", "httpcore"):
    logging.getLogger(_name).setLevel(logging.WARNING)  # their INFO lines hold query strings
logging.getLogger("stamina").setLevel(logging.ERROR)  # retries are counted in the meter

MAX_REDIRECTS = 3
AGENT = "tieout-probe (read-only)"


@dataclass(frozen=True)
class ClientSpec:
    """What one platform's connection is allowed. Units: seconds and bytes; `attempts` counts the first try."""

    base_url: str
    platform: str = ""
    deadline_seconds: float = 60.0
    connect_seconds: float = 10.0
    read_seconds: float = 30.0
    attempts: int = 3
    concurrency: int = 4
    caps: bodies.Caps = field(default_factory=bodies.Caps)
    headers: Mapping[str, str] = field(default_factory=dict)
    errors: ErrorRules = field(default_factory=ErrorRules)
    quota: QuotaRules = field(default_factory=QuotaRules)


class Client:
    """A connection pool to one platform. Safe to share between threads."""

    def __init__(
        self,
        spec: ClientSpec,
        *,
        auth: Auth | None = None,
        clock: Clock = system_clock,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        self.spec = spec
        self.auth: Auth = auth or NoAuth()
        # a clock stepped by hand also says how long a failing platform is left alone
        self.throttle = Throttle(spec.concurrency, monotonic if clock is system_clock else lambda: clock().timestamp())
        self.base_url = spec.base_url.rstrip("/")
        self._clock = clock
        self._origin = _origin(self.base_url)
        self._last_date = ("", 0.0)
        self._http = httpx.Client(
            transport=transport or DeadlineTransport(connections=spec.concurrency + 2),
            follow_redirects=False,
            timeout=httpx.Timeout(spec.read_seconds, connect=spec.connect_seconds),
            headers={"accept-encoding": "gzip", "user-agent": AGENT, **spec.headers},
            trust_env=False,
        )

    def close(self) -> None:
        """Close every connection."""
        self._http.close()

    def get(self, path: str, meter: Meter, params: Iterable[tuple[str, str]] = ()) -> Answer:
        """Send a GET. Errors: ProbeError."""
        return self.send(Request(path, tuple(params)), meter)

    def send(self, request: Request, meter: Meter) -> Answer:
        """Send a request, with retries as far as deadline and budget go. Errors: ProbeError."""
        with until(monotonic() + self.spec.deadline_seconds):
            try:
                answer = self._authorised(request, meter)
            except ProbeError as error:
                wait = self._wait(error)
                if wait is False:
                    raise
                answer = self._again(request, meter, wait)
        self.throttle.budget.earn()
        return answer

    def url(self, path: str) -> str:
        """Return the URL of a path or of a link a platform gave. Errors: ProbeError when it leaves this origin."""
        if "://" in path:
            if _origin(path) != self._origin:
                raise self._error(Reason.REFUSED, f"a link leads to another host ({_shown(path)}) and is not followed")
            return path
        prefix = urlsplit(self.base_url).path
        if prefix and path.startswith(prefix + "/"):
            path = path[len(prefix) :]
        return f"{self.base_url}/{path.lstrip('/')}"

    def exchange(self, request: Request, meter: Meter) -> Answer:
        """Send a request once, as it is, without credentials and retries. Errors: ProbeError."""
        wait = self.throttle.breaker.admit()
        if wait is not None:
            raise self._error(
                Reason.UNREACHABLE, f"not asked: the last calls all failed, next trial in {wait:.0f} s", retry=wait
            )
        try:
            with self.throttle.slot(remaining() or self.spec.deadline_seconds):
                answer = self._follow(request, meter)
        except ProbeError as error:
            self.throttle.breaker.told(ok=error.reason not in _DOWN)
            meter.throttled += error.reason is Reason.RATE_LIMIT
            raise self._placed(error) from None
        self.throttle.breaker.told(ok=True)
        return answer

    def _again(self, request: Request, meter: Meter, first_wait: float | bool) -> Answer:
        tries, left = iter([first_wait]), self.spec.attempts - 1

        def once() -> Answer:
            nonlocal left
            for wait in tries:
                raise _Later(wait)
            left -= 1
            return self._authorised(request, meter)

        def decide(error: Exception) -> float | bool:
            if isinstance(error, _Later):
                return error.wait
            return left > 0 and isinstance(error, ProbeError) and self._wait(error)

        for attempt in stamina.retry_context(on=decide, attempts=self.spec.attempts, timeout=None, wait_initial=0.2):
            with attempt:
                return once()
        raise AssertionError("stamina always returns or raises")

    def _wait(self, error: ProbeError) -> float | bool:
        """Return whether a retry makes sense, as seconds to wait or True for the usual back-off."""
        left = remaining()
        wait = error.retry_after_seconds
        if error.reason not in RETRYABLE or self.spec.attempts < 2 or (left is not None and left <= (wait or 0.1)):
            return False
        if not self.throttle.budget.spend(throttled=error.reason is Reason.RATE_LIMIT):
            return False
        return True if wait is None else wait

    def _authorised(self, request: Request, meter: Meter) -> Answer:
        used = self.auth.headers(self, meter)
        try:
            return self.exchange(replace(request, headers={**request.headers, **used}), meter)
        except ProbeError as error:
            if error.reason is not Reason.AUTH or not self.auth.renew(self, used, meter):
                raise
        fresh = self.auth.headers(self, meter)
        return self.exchange(replace(request, headers={**request.headers, **fresh}), meter)

    def _follow(self, request: Request, meter: Meter) -> Answer:
        url = self.url(request.path)
        for _ in range(MAX_REDIRECTS):
            answer = self._once(request, url, meter)
            target = answer.headers.get("location")
            if not 300 <= answer.status < 400 or answer.status == 304 or not target:
                return answer
            url, request = str(httpx.URL(url).join(target)), replace(request, params=())
            if _origin(url) != self._origin:
                raise self._error(
                    Reason.CONFIG, f"the address redirects to {_shown(url)}; if that is right, put it into `url`"
                )
        raise self._error(Reason.LOOP, f"more than {MAX_REDIRECTS} redirects")

    def _once(self, request: Request, url: str, meter: Meter) -> Answer:
        started, before = monotonic(), self._clock()
        try:
            built = self._http.build_request(
                request.method,
                url,
                params=request.params or None,
                json=request.json,
                data=request.form,
                content=request.content,
                headers=request.headers,
            )
            response = self._http.send(built, stream=True)
            try:
                content, wire = bodies.read(response, self.spec.caps)
            finally:
                response.close()
        except httpx.InvalidURL:
            raise self._error(Reason.CONFIG, "the address is not a URL; write https://host") from None
        except (httpx.TransportError, bodies.BodyError) as error:
            meter.requests += 1
            raise _broken(error) from None
        meter.requests += 1
        meter.bytes += wire
        meter.latency_seconds += monotonic() - started
        meter.http_status = response.status_code
        self._measure(response.headers, meter, before.timestamp())
        return self._judge(request, response, content)

    def _measure(self, headers: httpx.Headers, meter: Meter, sent: float) -> None:
        date = headers.get("date")
        if date and date != self._last_date[0]:
            at = http_date(date)
            if at is not None:
                self._last_date = (date, at.timestamp())
        if date and date == self._last_date[0]:
            ours = (sent + self._clock().timestamp()) / 2
            skew = self._last_date[1] + 0.5 - ours
            meter.skew_seconds = round(skew, 3)
        read_quota(self.spec.quota, headers, meter, self._clock())

    def _judge(self, request: Request, response: httpx.Response, content: bytes) -> Answer:
        status, now = response.status_code, self._clock()
        data: Any = None
        wants_json = request.expect_json or status >= 400
        if wants_json and content and status != 304:
            try:
                data = decode(content)
            except NotJson:
                if status < 300:
                    raise _unreadable(response, content) from None
        if status >= 400 or self._is_refused(data):
            reason, code, message = classify(self.spec.errors, status, data)
            text = ": ".join(t for t in (code, message) if t) or content[:2000].decode("utf-8", "replace")
            raise ProbeError(
                reason,
                f"HTTP {status}: {text}" if text.strip() else f"HTTP {status}",
                http_status=status,
                retry_after_seconds=retry_after(response.headers.get("retry-after"), now),
            )
        return Answer(status, response.headers, content, data, to_us(now))

    def _is_refused(self, data: Any) -> bool:
        if not self.spec.errors.refused or not isinstance(data, dict):
            return False
        return any(bool(data.get(path)) for path in self.spec.errors.refused)

    def _error(self, reason: Reason, text: str, *, retry: float | None = None) -> ProbeError:
        return ProbeError(reason, text, platform=self.spec.platform, retry_after_seconds=retry)

    def _placed(self, error: ProbeError) -> ProbeError:
        """Return the error with platform and a scrubbed text."""
        return ProbeError(
            error.reason,
            scrub(error.message, self.auth.secrets),
            platform=self.spec.platform,
            stream=error.stream,
            http_status=error.http_status,
            retry_after_seconds=error.retry_after_seconds,
        )


_DOWN = frozenset({Reason.UNREACHABLE, Reason.TIMEOUT, Reason.CUT, Reason.SERVER})


class _Later(Exception):  # noqa: N818 - carries the first wait into stamina's loop
    def __init__(self, wait: float | bool) -> None:
        super().__init__("later")
        self.wait = wait


def _origin(url: str) -> tuple[str, str, int | None]:
    """Return scheme, host and port as the library that connects understands them: two parsers could be of two minds."""
    try:
        parsed = httpx.URL(url)
    except httpx.InvalidURL:
        return "", "", None  # httpx refuses to connect to it
    return parsed.scheme, parsed.host.lower(), parsed.port or {"http": 80, "https": 443}.get(parsed.scheme)


def _shown(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"


def _broken(error: Exception) -> ProbeError:
    if isinstance(error, bodies.BodyError):
        return ProbeError(error.reason, str(error))
    if isinstance(error, httpx.TimeoutException):
        return ProbeError(Reason.TIMEOUT, "no complete answer before the deadline")
    if isinstance(error, httpx.ConnectError):
        return ProbeError(Reason.UNREACHABLE, "cannot connect; check `url` and the network")
    if isinstance(error, httpx.UnsupportedProtocol | httpx.LocalProtocolError):
        return ProbeError(Reason.CONFIG, "the request cannot be sent: check `url` (https://host) and header values")
    if isinstance(error, httpx.RemoteProtocolError | httpx.ReadError | httpx.WriteError | httpx.CloseError):
        return ProbeError(Reason.CUT, "the connection was cut before the answer was complete")
    return ProbeError(Reason.UNREACHABLE, f"the request failed ({type(error).__name__})")


def _unreadable(response: httpx.Response, content: bytes) -> ProbeError:
    start, end = content.lstrip()[:1], content.rstrip()[-1:]
    if start in (b"{", b"[") and end not in (b"}", b"]"):
        return ProbeError(Reason.CUT, "the answer breaks off in the middle", http_status=response.status_code)
    kind = response.headers.get("content-type", "no content type").split(";")[0]
    return ProbeError(
        Reason.NOT_JSON,
        f"expected JSON, got {kind}: {content[:500].decode('utf-8', 'replace')}",
        http_status=response.status_code,
    )
