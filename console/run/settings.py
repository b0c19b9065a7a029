"""What does the company want watched, and how is it told? Puts one `tieout.yaml` together from each room's section.

Every room owns the model of its own section; this file only routes keys to them and turns what they refuse into lines
of the file. It opens nothing: no platform, no database.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Any, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, field_validator
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError

from alerts.settings import AlertSettings
from metrics.definitions import MetricsSettings
from probes.clock import SECOND, duration_us
from probes.errors import ProbeError
from probes.settings import PlatformSettings, parse_platforms

from .yaml_source import ConfigError, Place, Source, parse_source, read_source

DEFAULT_NAMES = ("tieout.yaml", ".tieout/tieout.yaml")
DEFAULT_STORE = "sqlite:///.tieout/tieout.sqlite"
_OWN_SECTIONS = ("platforms", "alerts", "console", "scheduler", "store", "demo")
T = TypeVar("T")

Duration = Annotated[int, BeforeValidator(duration_us)]
"""Microseconds, written `30s`, `5m`, `1d 12h`."""


class ConsoleSettings(BaseModel):
    """The `console:` section: where the browser finds Tieout."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    host: str = "127.0.0.1"
    port: int = Field(default=8600, ge=1, le=65535)
    public_url: str | None = None
    refresh: Duration = 10 * SECOND
    api_token: str | None = None
    frame_ancestors: tuple[str, ...] = ("'self'",)
    allowed_hosts: tuple[str, ...] = ()

    @field_validator("api_token")
    @classmethod
    def _only_a_reference(cls, value: str | None) -> str | None:
        if value is not None and not value.startswith(("env:", "file:")):
            raise ValueError("a secret is never written here; write env:NAME or file:PATH")
        return value

    @field_validator("public_url")
    @classmethod
    def _a_web_address(cls, value: str | None) -> str | None:
        if value is not None and not value.startswith(("http://", "https://")):
            raise ValueError("write the whole address, for example https://tieout.example.com")
        return value.rstrip("/") if value else value

    @property
    def url(self) -> str:
        """Return the address people are sent to."""
        return self.public_url or f"http://{self.host}:{self.port}"


class SchedulerSettings(BaseModel):
    """The `scheduler:` section: how the background work is paced."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    lease: Duration = 30 * SECOND
    settle: Duration = 5 * SECOND

    @field_validator("lease", "settle")
    @classmethod
    def _long_enough(cls, value: int) -> int:
        if value < SECOND:
            raise ValueError("must be at least 1s")
        return value


class DemoSettings(BaseModel):
    """The `demo:` section: present only where the platforms are the sandbox's."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    control_url: str
    messages: str | None = None


@dataclass(frozen=True, slots=True)
class Settings:
    """A whole configuration, checked; `source` still knows every line."""

    source: Source
    platforms: Mapping[str, PlatformSettings]
    metrics: MetricsSettings
    alerts: AlertSettings
    console: ConsoleSettings
    scheduler: SchedulerSettings
    store_url: str
    demo: DemoSettings | None

    @property
    def path(self) -> Path:
        """Return the file this was read from."""
        return self.source.path


def find_config(named: str | Path | None) -> Path:
    """Return the configuration file to use: the named one, $TIEOUT_CONFIG, ./tieout.yaml, or the demo's."""
    chosen = named or os.environ.get("TIEOUT_CONFIG")
    if chosen:
        return Path(chosen)
    return next((Path(name) for name in DEFAULT_NAMES if Path(name).is_file()), Path(DEFAULT_NAMES[0]))


def load_settings(path: str | Path | None = None, *, store: str | None = None) -> Settings:
    """Read and check a configuration; `store`, or $TIEOUT_STORE, replaces its store URL. Errors: ConfigError."""
    return settings_from(read_source(find_config(path)), store=store)


def settings_from_text(text: str, path: Path, *, store: str | None = None) -> Settings:
    """Check configuration text as if it were read from `path`. Errors: ConfigError."""
    return settings_from(parse_source(text, path), store=store)


def settings_from(source: Source, *, store: str | None = None) -> Settings:
    """Check parsed configuration, every section, and report all problems at once. Errors: ConfigError."""
    problems: list[str] = []
    metrics_keys = {k: v for k, v in source.data.items() if k not in _OWN_SECTIONS}
    demo = source.data.get("demo")
    read = _Reader(source, problems)
    platforms = read.section("platforms", parse_platforms)
    metrics = read.model((), MetricsSettings, metrics_keys, extra_keys=_OWN_SECTIONS)
    alerts = read.section("alerts", AlertSettings.model_validate, AlertSettings)
    console = read.section("console", ConsoleSettings.model_validate, ConsoleSettings)
    scheduler = read.section("scheduler", SchedulerSettings.model_validate, SchedulerSettings)
    shown = read.section("demo", DemoSettings.model_validate, DemoSettings) if demo is not None else None
    store_url = _named_store(store, "--store") or _named_store(os.environ.get("TIEOUT_STORE"), "TIEOUT_STORE")
    if store_url is None:
        written, folder = source.data.get("store"), source.path.resolve().parent
        store_url = read.attempt(("store",), lambda: _written_store(written, folder))
    if problems:
        raise ConfigError("\n".join(problems))
    assert platforms is not None and metrics and alerts and console and scheduler and store_url  # noqa: PT018 # no problem: all read
    return Settings(source, platforms, metrics, alerts, console, scheduler, store_url, shown)


@dataclass(frozen=True, slots=True)
class _Reader:
    """Runs each room's own check and gathers what it refuses, with the line."""

    source: Source
    problems: list[str]

    def section(self, name: str, check: Callable[[Any], T], model: type[BaseModel] | None = None) -> T | None:
        data = self.source.data.get(name)
        if not isinstance(data, dict | None):
            self.problems.append(self.source.error((name,), f"must be a mapping of settings, not {_named(data)}."))
            return None
        return self.attempt((name,), lambda: check(data or {}), model)

    def model(self, place: Place, model: type[T], data: Any, *, extra_keys: Iterable[str] = ()) -> T | None:
        return self.attempt(place, lambda: model.model_validate(data), model, extra_keys)  # type: ignore[attr-defined]

    def attempt(
        self, place: Place, check: Callable[[], T], model: Any = None, extra_keys: Iterable[str] = ()
    ) -> T | None:
        try:
            return check()
        except ValidationError as error:
            self.problems.extend(_explain(self.source, place, e, model, extra_keys) for e in error.errors())
        except ProbeError as error:
            self.problems.append(self.source.error(place, f"{error.message}."))
        except ValueError as error:
            self.problems.append(self.source.error(place, f"{error}."))
        return None


def _explain(source: Source, place: Place, error: Any, model: Any, extra_keys: Iterable[str]) -> str:
    """Turn one refusal into a line of the file, a reason and what to write instead."""
    inside: Place = tuple(error["loc"])
    where = _existing(source, place, inside)
    kind, given = error["type"], error.get("input")
    if kind == "extra_forbidden":
        known = [*getattr(model, "model_fields", {}), *extra_keys] if len(inside) == 1 else []
        return source.error(where, f"this key is not known. {_did_you_mean(str(inside[-1]), known)}")
    if kind == "missing":
        return source.error(where, f"`{inside[-1]}:` is missing. Add it below this line.")
    message = error["msg"].removeprefix("Value error, ").removeprefix("Assertion failed, ")
    shown = "" if kind == "value_error" or _secretive(inside) else f" It says {_named(given)}."
    return source.error(where, message[:1].lower() + message[1:].rstrip(".") + "." + shown)


def _existing(source: Source, place: Place, inside: Place) -> Place:
    """Follow a refusal's location as far as the file has it; unions add words that are no keys."""
    where = place
    for part in inside:
        if (*where, part) in source.lines:
            where = (*where, part)
    return where


def _did_you_mean(word: str, known: list[str]) -> str:
    near = get_close_matches(word, known, n=1)
    if near:
        return f"Did you mean `{near[0]}`?"
    return f"Known here: {', '.join(sorted(set(known)))}." if known else "Remove it, or see the example in the README."


def _named(value: Any) -> str:
    if isinstance(value, dict):
        return "a mapping"
    if isinstance(value, list):
        return "a list"
    return "nothing" if value is None else repr(value)[:80]


def _secretive(place: Place) -> bool:
    """Return whether a refused value may be a secret someone wrote into the file: then it is not repeated."""
    words = ("secret", "password", "token", "key", "auth", "webhook", "url")
    return any(word in str(part).lower() for part in place for word in words)


def _named_store(text: str | None, where: str) -> str | None:
    """Return the URL of a store named outside the file; a relative SQLite file is relative to this folder. Errors: ConfigError."""
    try:
        return None if not text else _store_url(text, Path.cwd())
    except ValueError as error:
        raise ConfigError(f"{where}: {error}.") from None


def _written_store(written: Any, folder: Path) -> str:
    """Return the URL of the store the file names; a relative SQLite file is relative to the file's folder."""
    text = DEFAULT_STORE if written is None else _secret(written)
    url = _store_url(text, folder)
    if text == written and make_url(url).password:
        raise ValueError("a password is never written here; put the whole URL into the environment and write env:NAME")
    return url


def _store_url(text: str, folder: Path) -> str:
    try:
        url = make_url(text)
    except ArgumentError:
        raise ValueError("write a store URL: sqlite:///FILE or postgresql://user@host/name (or env:NAME)") from None
    if url.get_backend_name() not in ("sqlite", "postgresql"):
        raise ValueError(f"{url.get_backend_name()} is not supported; write sqlite:///FILE or postgresql://…")
    if url.get_backend_name() == "sqlite" and url.database and url.database != ":memory:":
        url = url.set(database=str(folder / Path(url.database).expanduser()))
    return url.render_as_string(hide_password=False)


def _secret(value: Any) -> str:
    if not isinstance(value, str):
        raise ValueError("must be one text: sqlite:///FILE, postgresql://…, env:NAME or file:PATH")
    if value.startswith("env:"):
        found = os.environ.get(value[4:])
        if found is None:
            raise ValueError(f"the environment has no {value[4:]}; export it before starting Tieout")
        return found
    if value.startswith("file:"):
        try:
            return Path(value[5:]).expanduser().read_text().strip()
        except OSError as error:
            raise ValueError(f"cannot read {value[5:]}: {error.strerror}") from None
    return value
