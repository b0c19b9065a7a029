"""How the console is started: `python -m console.web.serve --config FILE --host H --port P`, stopped by SIGTERM."""

from __future__ import annotations

import argparse
import sys
import tomllib
from dataclasses import replace
from pathlib import Path
from typing import Any

import uvicorn

from console.run.settings import ConsoleSettings
from console.run.yaml_source import ConfigError
from metrics.store import StoreError

from .context import ConsoleError, open_console, use
from .security import hosts

# The look and the privacy settings, wherever the console is started from; an installed copy carries its own.
SETTINGS = Path(__file__).parents[2] / ".streamlit" / "config.toml"
# What must hold even without that file: no watching of files, no phoning home, no tracebacks on a page.
OPTIONS: dict[str, Any] = {
    "server.fileWatcherType": "none",
    "server.enableXsrfProtection": True,
    "server.enableAgentApi": False,
    "browser.gatherUsageStats": False,
    "client.showErrorDetails": "none",
    "client.toolbarMode": "minimal",
    "client.disableDataExport": True,
}


def serve(config_path: str | Path | None, host: str | None = None, port: int | None = None) -> None:
    """Serve the console until it is told to stop. Errors: ConfigError, StoreError, ConsoleError."""
    console = open_console(config_path)
    listening = console.settings.model_copy(update={k: v for k, v in (("host", host), ("port", port)) if v is not None})
    console = replace(console, settings=listening)
    use(console)
    from .app import make_app

    app = make_app(console)
    configure(listening)
    try:
        uvicorn.run(app, host=listening.host, port=listening.port, log_level="warning", access_log=False)
    finally:
        console.close()


def configure(settings: ConsoleSettings) -> None:
    """Set the page server's options: those of the file, those that must hold, and the hosts this console answers to."""
    from streamlit import config

    written = tomllib.loads(SETTINGS.read_text("utf-8")) if SETTINGS.is_file() else {}
    served = hosts(settings.host, settings.public_url, settings.allowed_hosts)
    for name, value in {**_flat(written), **OPTIONS, "server.allowedHosts": sorted(served)}.items():
        config.set_option(name, value)


def _flat(table: dict[str, Any], path: str = "") -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in table.items():
        found |= _flat(value, f"{path}{name}.") if isinstance(value, dict) else {f"{path}{name}": value}
    return found


def main() -> None:
    """Read the flags and serve; a wrong configuration ends with its text and code 2."""
    parser = argparse.ArgumentParser(prog="python -m console.web.serve", description="Serve Tieout's console.")
    parser.add_argument("--config", help="tieout.yaml; default: $TIEOUT_CONFIG or ./tieout.yaml")
    parser.add_argument("--host", help="address to listen on; default: console.host")
    parser.add_argument("--port", type=int, help="port to listen on; default: console.port")
    flags = parser.parse_args()
    try:
        serve(flags.config, flags.host, flags.port)
    except (ConfigError, StoreError, ConsoleError) as error:
        print(error, file=sys.stderr)  # noqa: T201 # the one line this command says
        sys.exit(2)


if __name__ == "__main__":
    main()
