"""How long lists are handed out in pages: keyset cursors that neither skip nor repeat a row while rows are added.

A cursor is the sort values of the last row, as opaque text. It holds no filter: the caller repeats those.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from sqlalchemy import ColumnElement, and_, or_

T = TypeVar("T")
MOST = 1000


class CursorError(ValueError):
    """A cursor that this list never gave out."""


@dataclass(frozen=True, slots=True)
class Listing(Generic[T]):
    """One page of a list; `next` is the cursor of the following page, None on the last; `total` counts all pages."""

    items: list[T]
    next: str | None
    total: int


def encode(values: Sequence[int | str]) -> str:
    """Return the cursor that stands for these sort values."""
    return base64.urlsafe_b64encode(json.dumps(list(values)).encode()).decode().rstrip("=")


def decode(cursor: str, kinds: Sequence[type]) -> list[Any]:
    """Return the sort values of a cursor. Errors: CursorError when it has another shape."""
    try:
        values = json.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
    except (ValueError, UnicodeDecodeError):
        values = None
    shaped = isinstance(values, list) and len(values) == len(kinds)
    if not shaped or any(type(v) is not k for v, k in zip(values, kinds, strict=True)):
        raise CursorError("this `after` was not given out by this list; take it from `next` of the former page")
    return list(values)


def beyond(
    columns: Sequence[ColumnElement[Any]], values: Sequence[Any], descending: Sequence[bool]
) -> ColumnElement[bool]:
    """Return the condition "sorted after these values", column by column."""
    steps = []
    for i, column in enumerate(columns):
        same = [c == v for c, v in zip(columns[:i], values[:i], strict=True)]
        further = column < values[i] if descending[i] else column > values[i]
        steps.append(and_(*same, further))
    return or_(*steps)


def page(rows: list[T], limit: int, total: int, sort: Callable[[T], Sequence[int | str]]) -> Listing[T]:
    """Return a listing of rows fetched with `limit + 1`."""
    more = len(rows) > limit
    kept = rows[:limit]
    return Listing(kept, encode(sort(kept[-1])) if more and kept else None, total)
