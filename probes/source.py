"""What every connector function is handed: the session with one platform and one of its streams, put together.

The session keeps what all streams of a platform share: connection, look-up tables, things asked once an hour. Nothing here is
stored; a restart starts with an empty session.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from .client import Client
from .clock import Clock, monotonic, to_us
from .errors import ProbeError, Reason
from .manifest import Manifest, StreamDescription
from .mapping import Mapper, describe
from .probe import Cursor, Environment, Meter, Page, StreamSpec
from .settings import PlatformSettings, StreamSettings

REMEMBER_SECONDS = 3600.0


class Session:
    """One platform's connection and what was learnt from it."""

    def __init__(self, name: str, settings: PlatformSettings, manifest: Manifest, client: Client, clock: Clock) -> None:
        self.name = name
        self.settings = settings
        self.manifest = manifest
        self.client = client
        self.clock = clock
        self.tables: dict[str, dict[str, str]] = {table: {} for table in manifest.tables}
        self._memo: dict[str, tuple[float, Any]] = {}
        self._lock = threading.RLock()

    def now_us(self) -> int:
        """Return the present instant."""
        return to_us(self.clock())

    def option(self, name: str) -> Any:
        """Return a vendor option: the company's word, else the manifest's default."""
        return self.settings.options.get(name, self.manifest.options.get(name))

    def remember(self, what: str, ask: Callable[[], Any], seconds: float = REMEMBER_SECONDS) -> Any:
        """Return what `ask` answered at most so many seconds ago, asking again when it is older."""
        with self._lock:
            held = self._memo.get(what)
            if held is None or monotonic() - held[0] > seconds:
                held = (monotonic(), ask())
                self._memo[what] = held
            return held[1]

    def error(self, reason: Reason, text: str, stream: str = "") -> ProbeError:
        """Return an error that names this platform."""
        return ProbeError(reason, text, platform=self.name, stream=stream)


@dataclass(frozen=True)
class Source:
    """One stream of one platform, as its functions need it."""

    session: Session
    name: str
    description: StreamDescription
    settings: StreamSettings
    spec: StreamSpec
    mapper: Mapper
    params: dict[str, Any] = field(default_factory=dict)

    @property
    def client(self) -> Client:
        """Return the platform's connection."""
        return self.session.client

    def page(
        self,
        rows: Sequence[Any],
        at_us: int,
        meter: Meter,
        cursor: Cursor,
        *,
        last: bool = False,
        watermark_us: int | None = None,
    ) -> Page:
        """Return the rows mapped, as a page."""
        if meter.schema_digest is None and rows and not self.description.sparse:
            describe(list(rows), self.mapper, meter)
        records, bad = self.mapper.page(rows, meter)
        return Page(records, cursor, at_us, bad, [], last, watermark_us)

    def error(self, reason: Reason, text: str) -> ProbeError:
        """Return an error that names platform and stream."""
        return self.session.error(reason, text, self.name)


class Connector(Protocol):
    """The functions of a vendor; a hook module defines those it does not take from `listing`."""

    def prepare(self, session: Session, meter: Meter) -> None:
        """Fill look-up tables before a poll."""
        ...

    def changes(self, source: Source, cursor: Cursor, now_us: int, meter: Meter) -> Iterator[Page]:
        """See Stream.changes."""
        ...

    def read(self, source: Source, by: str, values: Sequence[str], meter: Meter) -> Iterator[Page]:
        """See Stream.read."""
        ...

    def ids(self, source: Source, meter: Meter) -> Iterator[list[str]]:
        """See Stream.ids."""
        ...

    def reread(self, source: Source, meter: Meter) -> Iterator[Page]:
        """See Stream.reread."""
        ...

    def check(self, session: Session, meter: Meter) -> Environment:
        """See Platform.check."""
        ...
