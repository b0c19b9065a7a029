"""How a list that may be longer than a page is shown: its first page as a table, all of it as a download."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from metrics.queries.pages import MOST, Listing

from .frame import View
from .widgets import empty, table

FIRST = 200
EXPORT_MOST = 200_000
T = TypeVar("T")
Pages = Callable[[int, str | None], Listing[T]]


def long_list(
    pages: Pages[T], row: Callable[[T], Mapping[str, Any]], nothing: str, *, key: str, view: View, **shape: Any
) -> None:
    """Show the first page of a list, or say `nothing` where it is empty. `shape` is what `table` takes."""
    first = pages(FIRST, None)
    if not first.items:
        empty(nothing)
        return
    rows = [row(i) for i in first.items]
    table(rows, key=key, view=view, total=first.total, full=lambda: [row(i) for i in all_pages(pages)], **shape)


def all_pages(pages: Pages[T]) -> list[T]:
    """Return every row of a list, for a download; no more than a download may hold."""
    rows: list[T] = []
    after: str | None = None
    while len(rows) < EXPORT_MOST:
        found = pages(MOST, after)
        rows += found.items
        after = found.next
        if after is None:
            break
    return rows
