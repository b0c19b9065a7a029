"""Which two processes make a running Tieout? The scheduler and the console, started from one configuration."""

from __future__ import annotations

from .processes import Child, start
from .settings import Settings

PARTS = ("scheduler", "console")


def start_pair(settings: Settings, parts: tuple[str, ...] = PARTS, *, logs: bool = False) -> list[Child]:
    """Start scheduler and console, or one of them; with `logs` their output goes beside the configuration."""
    return [_start(settings, part, logs) for part in parts]


def _start(settings: Settings, part: str, logs: bool) -> Child:
    config = settings.path.resolve()
    arguments = {
        "scheduler": ["console.run.scheduler", "--config", str(config)],
        "console": [
            *("console.web.serve", "--config", str(config)),
            *("--host", settings.console.host, "--port", str(settings.console.port)),
        ],
    }[part]
    # The store may come from --store and may hold a password: it travels by environment, not by the process list.
    return start(part, arguments, config.parent / f"{part}.log" if logs else None, {"TIEOUT_STORE": settings.store_url})


def local(settings: Settings) -> str:
    """Return the address at which this machine reaches the console."""
    host = settings.console.host
    return f"http://{'127.0.0.1' if host in ('0.0.0.0', '::') else host}:{settings.console.port}"
