"""`/identity/…`: which customers may be one and why, what stewards settled, and which values are no key.

Settling is done by a named person in the console or on the command line, never here: this interface only reads.
"""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Depends
from starlette.responses import Response

from metrics.queries import identity as query
from metrics.queries.pages import Listing

from .lists import PartOf, WholeOf, answer, whole
from .models import page
from .narrowing import Asked, AskedOf, ConsoleOf
from .problems import Problem

router = APIRouter(prefix="/identity", tags=["Identity"])


def _now_only(asked: AskedOf) -> Asked:
    """Return what was asked. Errors: Problem for a past instant, of which no suggestion is kept."""
    if asked.until_us is not None:
        raise Problem(422, "as_of: suggestions and customers are known as of now only; leave it out")
    return asked


NowOf = Annotated[Asked, Depends(_now_only)]


@router.get("/suggestions", response_model=page(query.Suggested))
def suggestions(paging: PartOf, console: ConsoleOf, asked: NowOf) -> Response:
    """List pairs of customers that may be one, the likeliest first: the score part by part in bits, and what hangs on each id."""

    def pager(conn: Any, limit: int, after: str | None) -> Listing[Any]:
        return query.suggestions(conn, console.model, limit=limit, after=after)

    return answer(console, asked, "suggestions", pager, paging)


@router.get("/decisions", response_model=page(query.Settled))
def decisions(paging: PartOf, console: ConsoleOf, asked: NowOf) -> Response:
    """List what stewards settled, the newest first: confirm joins two records, split undoes a join, reject forbids a suggestion."""

    def pager(conn: Any, limit: int, after: str | None) -> Listing[Any]:
        return query.decisions(conn, limit=limit, after=after)

    return answer(console, asked, "decisions", pager, paging)


@router.get("/refused-values", response_model=page(query.RefusedValue))
def refused_values(paging: WholeOf, console: ConsoleOf, asked: NowOf) -> Response:
    """List values that join nobody: words for nothing, shared by too many, disputed by a steward, of a parent and its child."""
    with console.store.read() as conn:
        rows = query.refused_values(conn)
    return answer(console, asked, "refused-values", whole(rows), paging)


@router.get("/status", response_model=page(query.Status))
def status(paging: WholeOf, console: ConsoleOf, asked: NowOf) -> Response:
    """Show the model that suggestions follow, how many there are, and how many records changed since they were looked for."""
    with console.store.read() as conn:
        rows = [query.status(conn, console.model)]
    return answer(console, asked, "identity-status", whole(rows), paging)
