"""The console as one server: pages, `/metrics`, `/api/v1`, health. It reads the store; it polls and judges nothing.

Made once per process. The scheduler is a process of its own and is never started here.
"""

from __future__ import annotations

import logging
from pathlib import Path

import streamlit as st
from starlette.middleware import Middleware
from starlette.routing import Mount

from . import health
from .api.build import PREFIX, build
from .context import Console, current
from .exports import openmetrics
from .pages import pages
from .security import Guard, hosts, security_headers

SCRIPT = Path(__file__).with_name("main.py")
log = logging.getLogger("tieout.console")


def make_app(console: Console) -> st.App:
    """Return the ASGI application of a console."""
    settings = console.settings
    guard = Middleware(
        Guard,
        headers=security_headers(settings.frame_ancestors),
        hosts=hosts(settings.host, settings.public_url, settings.allowed_hosts),
        pages=lambda: [name for name, page in pages().items() if console.control_url or not page.demo],
        now_us=console.now_us,
    )
    routes = [*health.ROUTES, *openmetrics.ROUTES, Mount(PREFIX, app=build(current))]
    return st.App(SCRIPT, routes=routes, middleware=[guard], on_script_error=_log)


def _log(error: Exception) -> None:
    # The page shows a plain sentence; the traceback belongs here.
    log.error("a page failed", exc_info=error)
