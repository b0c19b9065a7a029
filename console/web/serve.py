"""How the console is started: `python -m console.web.serve --config FILE --host H --port P`, stopped by SIGTERM."""

from __future__ import annotations

import argparse
import sys
from dataclasses import replace
from pathlib import Path

import uvicorn

from console.run.yaml_source import ConfigError
from metrics.store import StoreError

from .context import ConsoleError, open_console, use

# What the page server would otherwise do: watch files, phone home, listen everywhere, show tracebacks.
OPTIONS = {
    "server.fileWatcherType": "none",
    "server.enableXsrfProtection": True,
    "browser.gatherUsageStats": False,
    "client.showErrorDetails": "none",
    "client.toolbarMode": "viewer",
    "global.developmentMode": False,
}


def serve(config_path: str | Path | None, host: str | None = None, port: int | None = None) -> None:
    """Serve the console until it is told to stop. Errors: ConfigError, StoreError, ConsoleError."""
    import streamlit as st

    console = open_console(config_path)
    listening = console.settings.model_copy(update={k: v for k, v in (("host", host), ("port", port)) if v is not None})
    console = replace(console, settings=listening)
    use(console)
    from .app import make_app

    app = make_app(console)
    for name, value in OPTIONS.items():
        st.set_option(name, value) if name.startswith("client.") else _option(name, value)
    try:
        uvicorn.run(app, host=listening.host, port=listening.port, log_level="warning", access_log=False, ws="auto")
    finally:
        console.close()


def _option(name: str, value: object) -> None:
    from streamlit import config

    config.set_option(name, value)


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
