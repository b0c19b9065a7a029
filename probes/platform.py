"""The platforms and streams that polls see: a vendor's functions bound to one company's settings. No vendor is known here."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from types import ModuleType
from typing import Any
from urllib.parse import quote

from . import listing
from .clock import DAY
from .errors import ProbeError, Reason
from .probe import Cursor, Environment, Meter, Page, StreamSpec
from .record import Record
from .source import Session, Source
from .window import Window, begun

SAMPLE_US = 30 * DAY


def _function(hook: ModuleType, name: str) -> Callable[..., Any]:
    """Return the vendor's own function, else that of plain listings."""
    found: Callable[..., Any] = getattr(hook, name, None) or getattr(listing, name)
    return found


@dataclass(frozen=True)
class BoundStream:
    """One stream, ready to be polled."""

    source: Source
    hook: ModuleType

    @property
    def spec(self) -> StreamSpec:
        """Return what the rest of Tieout must know of this stream."""
        return self.source.spec

    def changes(self, cursor: Cursor, now_us: int, meter: Meter) -> Iterator[Page]:
        """Yield pages of what changed since `cursor`. Errors: ProbeError."""
        return self._run("changes", meter, cursor, now_us)

    def read(self, by: str, values: Sequence[str], meter: Meter) -> Iterator[Page]:
        """Yield the records known under these values now. Errors: ProbeError."""
        return self._run("read", meter, by, values)

    def ids(self, meter: Meter) -> Iterator[list[str]]:
        """Yield all ids that exist. Errors: ProbeError."""
        return self._run("ids", meter)

    def reread(self, meter: Meter) -> Iterator[Page]:
        """Yield the open records whose uncovered fields may have moved. Errors: ProbeError."""
        return self._run("reread", meter)

    def _run(self, name: str, meter: Meter, *arguments: Any) -> Iterator[Any]:
        try:
            _function(self.hook, "prepare")(self.source.session, meter)
            yield from _function(self.hook, name)(self.source, *arguments, meter)
        except ProbeError as error:
            error.platform = error.platform or self.source.session.name
            error.stream = error.stream or self.source.name
            raise


@dataclass(frozen=True)
class BoundPlatform:
    """One external system instance, ready to be polled."""

    session: Session
    hook: ModuleType
    streams: tuple[BoundStream, ...]

    @property
    def name(self) -> str:
        """Return the instance name used in keys and on screen."""
        return self.session.name

    @property
    def vendor(self) -> str:
        """Return the vendor's name."""
        return self.session.manifest.vendor

    @property
    def roles(self) -> tuple[str, ...]:
        """Return what this platform is to the company."""
        return tuple(self.session.settings.roles or self.session.manifest.roles)

    def check(self, meter: Meter) -> Environment:
        """Ask the platform who we are and which environment it is. Errors: ProbeError, ENVIRONMENT when it is another one."""
        found: Environment = _function(self.hook, "check")(self.session, meter)
        wanted = self.session.settings.environment
        if found.environment is not None and found.environment != wanted:
            text = f"says it is a {found.environment} environment ({found.account}), the configuration says {wanted}"
            raise self.session.error(Reason.ENVIRONMENT, f"{text}; correct `url`, the key or `environment`")
        return found

    def link(self, kind: str, external_id: str) -> str | None:
        """Return the URL of a record in the platform's own user interface, or None."""
        template = self.session.manifest.links.get(kind)
        if template is None:
            return None
        page = str(self.session.option("link_url") or self.session.client.base_url).rstrip("/")
        return template.replace("{url}", page).replace("{id}", quote(external_id, safe=""))

    def sample(self, name: str, meter: Meter, *, count: int = 3) -> list[Record]:
        """Return a few mapped records of a stream, to show that the mapping works. Errors: ProbeError."""
        stream = next((s for s in self.streams if s.spec.name == name), None)
        if stream is None:
            raise self.session.error(Reason.CONFIG, f"has no stream {name!r}")
        now_us = self.session.now_us()
        recent = begun(Window(now_us - SAMPLE_US, now_us), None)
        for cursor in (recent, {}):  # a stream without rows of the last month is asked from its beginning
            found: list[Record] = []
            for page in stream.changes(cursor, now_us, meter):
                found += page.records
                if len(found) >= count:
                    break
            if found:
                break
        return found[:count]

    def close(self) -> None:
        """Close the connections."""
        self.session.client.close()
