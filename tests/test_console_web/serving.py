"""Serves the small company as its own process, for tests that look at it with a browser: `… FOLDER PORT`."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import uvicorn

from console.run.settings import ConsoleSettings
from console.web import context
from console.web.app import make_app
from console.web.serve import configure

from .company import build


def main() -> None:
    """Build the store and serve until told to stop."""
    folder, port = Path(sys.argv[1]), int(sys.argv[2])
    console = replace(build(folder), settings=ConsoleSettings(port=port))
    context.use(console)
    app = make_app(console)
    configure(console.settings)
    uvicorn.run(app, host="127.0.0.1", port=port, log_level="warning")  # type: ignore[arg-type] # an ASGI application


if __name__ == "__main__":
    main()
