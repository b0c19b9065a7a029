"""Which filters every answer takes, read from the query string and checked once."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Annotated

from fastapi import Depends, Query, Request

from console.web.context import Console
from console.web.data import as_of, narrowed
from metrics.past import Past, remark
from metrics.queries.narrow import Narrow
from metrics.sli import Filters
from probes.clock import DAY, duration_us, to_us

from .problems import Problem

DEFAULT_SPAN_US = 28 * DAY
LONGEST_US = 3660 * DAY


@dataclass(frozen=True, slots=True)
class Asked:
    """What a request asked for. `from_us`: where its span of time begins; `now_us`: where it ends."""

    filters: Filters
    narrow: Narrow
    now_us: int
    from_us: int

    @property
    def past(self) -> Past | None:
        """Return the past instant that is asked about, None for now."""
        return self.narrow.past

    @property
    def until_us(self) -> int | None:
        """Return the past instant that is asked about, None for now."""
        return self.filters.as_of_us

    @property
    def notes(self) -> list[str]:
        """Return what must be known beside the answer."""
        return [] if self.filters.as_of_us is None else [remark(self.filters.as_of_us)]


def console_of(request: Request) -> Console:
    """Return the console the request is answered from."""
    found = request.app.state.console()
    assert isinstance(found, Console)
    return found


ConsoleOf = Annotated[Console, Depends(console_of)]


def asked(
    request: Request,
    console: ConsoleOf,
    flow: Annotated[str | None, Query(max_length=200)] = None,
    platform: Annotated[str | None, Query(max_length=200)] = None,
    entity: Annotated[str | None, Query(max_length=200)] = None,
    segment: Annotated[str | None, Query(max_length=200)] = None,
    customer: Annotated[
        str | None, Query(pattern=r"^\d{1,19}$", description="A customer's id as `/customers` gives it.")
    ] = None,
    period: Annotated[
        str | None, Query(max_length=40, description="24h, 7d, 28d …; default: each objective's own window.")
    ] = None,
    as_of_at: Annotated[
        str | None, Query(alias="as_of", max_length=40, description="An instant with offset or Z.")
    ] = None,
) -> Asked:
    """Read the filters. Errors: Problem naming the parameter and what to write."""
    for name, value in (*request.query_params.multi_items(), *request.path_params.items()):
        if "\0" in str(value):  # PostgreSQL takes no such text
            raise Problem(422, f"{name}: no text of a platform holds a NUL character; leave it out")
    now_us = as_of(console)
    window = _window(period)
    past = _instant("as_of", as_of_at)
    if past is not None and past > console.now_us():
        raise Problem(422, "as_of: this instant is in the future; write one that has passed, or leave it out")
    customer_id = _identity("customer", customer)
    filters = Filters(flow, platform, entity, segment, customer_id, past, window)
    shown = past if past is not None else now_us
    return Asked(filters, narrowed(console, filters), shown, shown - (window or DEFAULT_SPAN_US))


AskedOf = Annotated[Asked, Depends(asked)]


def _window(text: str | None) -> int | None:
    if text is None:
        return None
    try:
        found = duration_us(text)
    except ValueError as error:
        raise Problem(422, f"period: {error}") from None
    if not 0 < found <= LONGEST_US:
        raise Problem(422, "period: write a span above zero and up to ten years, for example 7d")
    return found


def _instant(name: str, text: str | None) -> int | None:
    if text is None:
        return None
    try:
        return to_us(datetime.fromisoformat(text))
    except (ValueError, OverflowError):
        raise Problem(422, f"{name}: write an instant with its offset, for example 2026-11-20T18:00:00Z") from None


def _identity(name: str, text: str | None) -> int | None:
    if text is None:
        return None
    if (found := int(text)) >= 2**63:
        raise Problem(422, f"{name}: no such id; ids are below 2^63")
    return found
