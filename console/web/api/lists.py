"""How a list is answered: one page of JSON with the cursor of the next, or all of it as CSV.

It holds what every list has in common; which rows there are is the route's own question.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import Depends, Query, Request
from sqlalchemy import Connection
from starlette.responses import JSONResponse, Response

from console.web import formats
from console.web.context import Console
from metrics.queries.pages import MOST, CursorError, Listing

from .narrowing import Asked
from .problems import Problem
from .shapes import flat, shape

EXPORT_MOST = 200_000
"""A download holds no more rows than this; it says so in its last line."""

Limit = Annotated[int, Query(ge=1, le=MOST, description="Rows of one page.")]
After = Annotated[str | None, Query(max_length=2000, description="`next` of the page before.")]
Format = Annotated[
    str, Query(pattern="^(json|csv)$", description="`csv` answers the whole list; so does Accept: text/csv.")
]
Pager = Callable[[Connection, int, str | None], Listing[Any]]


@dataclass(frozen=True, slots=True)
class Paging:
    """Which part of a list is asked for, and in which form."""

    limit: int
    after: str | None
    csv: bool


def part(request: Request, limit: Limit = 100, after: After = None, format: Format = "json") -> Paging:
    """Return what a request asks of a list that is answered page by page."""
    return Paging(limit, after, format == "csv" or request.headers.get("accept", "").startswith("text/csv"))


def all_of_it(request: Request, format: Format = "json") -> Paging:
    """Return what a request asks of a list that is answered at once."""
    return part(request, 1, None, format)


PartOf = Annotated[Paging, Depends(part)]
WholeOf = Annotated[Paging, Depends(all_of_it)]


def answer(console: Console, asked: Asked, name: str, pager: Pager, paging: Paging) -> Response:
    """Answer one page, or the whole list as CSV where asked. Errors: Problem for a cursor that is not ours."""
    try:
        if paging.csv:
            return csv_response(name, _everything(console, pager))
        with console.store.read() as conn:
            listing = pager(conn, paging.limit, paging.after)
    except CursorError as error:
        raise Problem(422, str(error)) from None
    page = {
        "items": [shape(i) for i in listing.items],
        "next": listing.next,
        "total": listing.total,
        "notes": asked.notes,
    }
    return JSONResponse(page)


def whole(rows: list[Any]) -> Pager:
    """Return a pager over a list that is short enough to be answered at once."""

    def pager(_conn: Connection, _limit: int, _after: str | None) -> Listing[Any]:
        return Listing(rows, None, len(rows))

    return pager


def _everything(console: Console, pager: Pager) -> Iterator[Mapping[str, Any]]:
    after, sent = None, 0
    while True:
        with console.store.read() as conn:  # a read per page: a long one would stop checkpoints
            listing = pager(conn, MOST, after)
        for item in listing.items:
            yield flat(shape(item))
        sent, after = sent + len(listing.items), listing.next
        if after is None:
            return
        if sent >= EXPORT_MOST:
            yield {"note": f"cut after {sent} of {listing.total} rows; narrow the list"}
            return


def csv_response(name: str, rows: Iterator[Mapping[str, Any]]) -> Response:
    """Return rows as a download no spreadsheet runs a formula from."""
    held = list(rows)
    names = list(dict.fromkeys(column for row in held for column in row))
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\r\n")
    writer.writerow(formats.csv_cell(n) for n in names)
    writer.writerows([formats.csv_cell(row.get(n)) for n in names] for row in held)
    headers = {"Content-Disposition": f'attachment; filename="tieout-{name}.csv"'}
    return Response(out.getvalue(), media_type="text/csv; charset=utf-8", headers=headers)
