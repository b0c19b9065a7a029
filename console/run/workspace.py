"""What does one opened configuration consist of? Settings, clock, store, platforms and model, opened together.

The only place where the rooms are joined; it runs nothing.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import httpx
from sqlalchemy.exc import SQLAlchemyError

import alerts.tables
from alerts.settings import problems
from metrics.configuration import note_configuration
from metrics.definitions import DefinitionError, Model
from metrics.loading import load_model
from metrics.polling import register
from metrics.scheduling import too_short
from metrics.store import Store, StoreError
from metrics.touching import Toucher
from probes.clock import Clock, system_clock, to_us
from probes.errors import ProbeError
from probes.platforms import load_platforms
from probes.probe import Platform

from . import tables
from .settings import Settings
from .yaml_source import ConfigError

log = logging.getLogger("tieout")
SCHEMA = (alerts.tables, tables)
"""Imported so that their tables are part of the store's metadata before it is created."""


@dataclass(frozen=True, slots=True)
class Workspace:
    """One configuration with everything behind it open. `control` is a second way into the store that is never fenced."""

    settings: Settings
    clock: Clock
    store: Store
    control: Store
    platforms: Mapping[str, Platform]
    model: Model
    toucher: Toucher

    def now_us(self) -> int:
        """Return the present instant."""
        return to_us(self.clock())

    def close(self) -> None:
        """Close connections to the store and the platforms."""
        for platform in self.platforms.values():
            close: Any = getattr(platform, "close", None)
            if close is not None:
                close()
        self.store.close()
        self.control.close()


def open_workspace(
    settings: Settings,
    *,
    clock: Clock = system_clock,
    transport: httpx.BaseTransport | None = None,
) -> Workspace:
    """Open store, platforms and model. Errors: ConfigError with what to write or do instead."""
    platforms = open_platforms(settings, clock=clock, transport=transport)
    model = open_model(settings, platforms)
    store = open_store(settings.store_url)
    register(store, platforms)
    for note in note_configuration(store, model, to_us(clock())):
        log.warning("configuration: %s", note)
    return Workspace(settings, clock, store, open_store(settings.store_url), platforms, model, Toucher(model))


def open_platforms(
    settings: Settings, *, clock: Clock = system_clock, transport: httpx.BaseTransport | None = None
) -> Mapping[str, Platform]:
    """Build the platforms without connecting. Errors: ConfigError."""
    try:
        return load_platforms(settings.platforms, clock=clock, transport=transport)
    except ProbeError as error:
        place = ("platforms", *([error.platform] if error.platform else []))
        raise ConfigError(settings.source.error(place, error.message)) from None


def open_model(settings: Settings, platforms: Mapping[str, Platform]) -> Model:
    """Compile what is judged and told. Errors: ConfigError."""
    try:
        model = load_model(settings.metrics, platforms)
    except DefinitionError as error:
        raise ConfigError(settings.source.error(error.place, f"{error}.")) from None
    short = too_short(model, platforms)
    if short:
        raise ConfigError("\n".join(settings.source.error(place, f"{text}.") for place, text in short))
    wrong = problems(settings.alerts, model)
    if wrong:
        raise ConfigError("\n".join(settings.source.error(("alerts",), text) for text in wrong))
    return model


def open_store(url: str, *, create: bool = True) -> Store:
    """Open a store. Errors: ConfigError."""
    try:
        return Store.open(url, create=create)
    except (StoreError, OSError) as error:
        raise ConfigError(f"{error}. Check `store:` or --store.") from None
    except SQLAlchemyError as error:
        raise ConfigError(f"cannot open the store: {type(error).__name__}. Check `store:` or --store.") from None


def with_store(workspace: Workspace, store: Store) -> Workspace:
    """Return the same workspace working through another connection to its store."""
    return replace(workspace, store=store)
