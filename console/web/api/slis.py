"""`/slis`: every SLI's figure, one in full, the records behind it, and how it went over time."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query
from starlette.responses import Response

from console.web import figures
from metrics import sli
from metrics.listing import EventRow
from metrics.queries.pages import Listing
from probes.clock import DAY, HOUR

from .lists import PartOf, WholeOf, answer, whole
from .models import one as one_of
from .models import page
from .narrowing import AskedOf, ConsoleOf
from .problems import Problem
from .shapes import shape

router = APIRouter(tags=["SLIs"])
Outcome = Literal["good", "bad", "pending", "blind", "excluded"]
BUCKETS_MOST = 5000


@router.get("/slis", response_model=page(sli.Figure))
def slis(console: ConsoleOf, asked: AskedOf, paging: WholeOf) -> Response:
    """List the figure of every SLI."""
    rows = figures.figures(console, asked.filters, asked.now_us)
    return answer(console, asked, "slis", whole(rows), paging)


@router.get("/slis/{name}", response_model=one_of(sli.Figure))
def one(name: str, console: ConsoleOf, asked: AskedOf) -> dict[str, Any]:
    """Show one SLI's figure."""
    return {**shape(_figure(name, console, asked)), "notes": asked.notes}


@router.get("/slis/{name}/events", response_model=page(EventRow))
def events(
    name: str,
    paging: PartOf,
    console: ConsoleOf,
    asked: AskedOf,
    outcome: Outcome | None = None,
    reason: Annotated[str | None, Query(max_length=200)] = None,
) -> Response:
    """List the subjects behind a figure: as many as the figure counts, with the record that proves each."""
    figure = _figure(name, console, asked)

    def pager(_conn: Any, limit: int, after: str | None) -> Listing[Any]:
        return figures.behind(console, figure, asked.filters, asked.now_us, outcome, reason, limit, after)

    return answer(console, asked, f"{name}-events", pager, paging)


@router.get("/slis/{name}/series", response_model=page(sli.Point))
def series(
    name: str,
    paging: WholeOf,
    console: ConsoleOf,
    asked: AskedOf,
    grain: Literal["hour", "day"] = "day",
) -> Response:
    """List good, bad and blind per hour or day over the period."""
    _figure(name, console, asked)
    if (asked.now_us - asked.from_us) // (HOUR if grain == "hour" else DAY) > BUCKETS_MOST:
        raise Problem(422, "period: this many buckets are too many; ask for grain=day or a shorter period")
    with console.store.read() as conn:
        points = sli.series(conn, console.model, name, asked.from_us, asked.now_us, grain, asked.filters)
    return answer(console, asked, f"{name}-series", whole(points), paging)


def _figure(name: str, console: ConsoleOf, asked: AskedOf) -> Any:
    found = figures.figures(console, asked.filters, asked.now_us)
    for figure in found:
        if figure.name == name:
            return figure
    raise Problem(404, f"There is no SLI {name!r}; there are {', '.join(f.name for f in found)}.")
