"""Which store, model and settings the running console shows: opened once per process, read by pages and routes alike.

It keeps no connection; those are opened per question. The scheduler is another process, never started from here.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from console.run.settings import ConsoleSettings, load_settings
from console.run.workspace import open_workspace
from metrics.definitions import Model
from metrics.store import Store
from probes.clock import Clock, system_clock, to_us


class ConsoleError(Exception):
    """The console cannot start; the text says what to do."""


@dataclass(frozen=True, slots=True)
class Console:
    """Everything a page or a route needs. `control_url` is the sandbox's, present only in the demo."""

    store: Store
    model: Model
    settings: ConsoleSettings = field(default_factory=ConsoleSettings)
    clock: Clock = system_clock
    token: str | None = None
    control_url: str | None = None
    close: Callable[[], None] = lambda: None

    def now_us(self) -> int:
        """Return the present instant."""
        return to_us(self.clock())


_current: list[Console] = []


def use(console: Console | None) -> None:
    """Make this the console that pages and routes of this process show."""
    _current[:] = [] if console is None else [console]


def current() -> Console:
    """Return the console in use; opens the configured one when a page is started by itself. Errors: ConsoleError."""
    if not _current:
        use(open_console(os.environ.get("TIEOUT_CONFIG")))
    return _current[0]


def open_console(config_path: str | Path | None) -> Console:
    """Open what a configuration names. Errors: ConfigError, StoreError, ConsoleError."""
    settings = load_settings(config_path)
    token = _secret(settings.console.api_token)
    workspace = open_workspace(settings)
    return Console(
        store=workspace.store,
        model=workspace.model,
        settings=settings.console,
        token=token,
        control_url=settings.demo.control_url if settings.demo else None,
        close=workspace.close,
    )


def _secret(reference: str | None) -> str | None:
    if reference is None:
        return None
    kind, _, name = reference.partition(":")
    try:
        found = os.environ.get(name) if kind == "env" else Path(name).expanduser().read_text("utf-8").strip()
    except OSError as error:
        raise ConsoleError(f"console.api_token: cannot read {name}: {error.strerror}") from None
    if not found:
        raise ConsoleError(f"console.api_token: {reference} holds nothing; set it or remove the key")
    return found
