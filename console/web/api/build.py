"""The HTTP interface as one application, mounted beneath the console at `/api/v1`."""

from __future__ import annotations

from collections.abc import Callable

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException

from console.web.context import Console

from . import documents, flows, identity, slis, watch
from .auth import BearerOnly
from .description import described
from .problems import Problem, on_fault, on_http, on_invalid, on_problem

PREFIX = "/api/v1"
ABOUT = (
    "Every figure and every record behind it. Lists are `{items, next, total, notes}`: pass `next` as `after`. "
    "Add `format=csv` for the whole list. Errors are problem+json. Ids are text, money is exact minor units as text with "
    "its currency, ratios are exact, instants are ISO 8601 UTC. With `as_of` every answer is of that instant."
)


def build(console: Callable[[], Console]) -> FastAPI:
    """Return the application; `console` is asked anew for each request."""
    # The interactive pages load scripts from elsewhere; the document itself is enough for every client.
    app = FastAPI(
        title="Tieout", version="1", description=ABOUT, docs_url=None, redoc_url=None, dependencies=[BearerOnly]
    )
    app.state.console = console
    app.openapi = lambda: described(app)  # type: ignore[method-assign] # FastAPI's own way to change the description
    for part in (slis, flows, documents, watch, identity):
        app.include_router(part.router)
    app.add_exception_handler(Problem, on_problem)
    app.add_exception_handler(HTTPException, on_http)
    app.add_exception_handler(RequestValidationError, on_invalid)
    app.add_exception_handler(Exception, on_fault)
    return app
