"""The small functions a mapping is put together from: optional values, groups, conversions and conditions. No mapping here."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

from . import values
from .mapspec import Condition, FieldSpec
from .paths import Getter, getter, step, top_name
from .values import RowError

Test = Callable[[Any], bool]
Read = Callable[[Any], Any]
STAMPS = ("iso", "naive", "unix_s", "unix_ms", "tagged")


def nothing(row: Any) -> None:
    """Return None, whatever the row."""
    return


def false(row: Any) -> bool:
    """Return False, whatever the row."""
    return False


def empty(row: Any, *_: Any) -> dict[str, Any]:
    """Return an empty group, whatever the row."""
    return {}


def no_tuple(row: Any, *_: Any) -> tuple[Any, ...]:
    """Return no items, whatever the row."""
    return ()


def no_state(row: Any, status: str | None) -> None:
    """Return no state, whatever the row."""
    return


def required(read: Read) -> Read:
    """Return a reader that refuses a missing value. Errors: RowError."""

    def given(row: Any) -> Any:
        value = read(row)
        if value is None:
            raise RowError("is missing" if isinstance(row, dict) else "the row is no object")
        return value

    return given


def steps_of(path: str) -> tuple[str, ...] | None:
    """Return the one or two names of a short dotted path, None for any other."""
    name = top_name(path)
    if name is None or '"' in path or path.count(".") > 1:
        return None
    return tuple(path.split("."))


def fused(path: str, kind: type, convert: Callable[[Any], Any], make: Callable[[Any], Any] | None = None) -> Read:
    """Return getter and conversion in one function: values of `kind` take the short way, all others go through `convert`.

    `make` is what the short way does with a value; None returns it as it is. Rows must be dicts.
    """
    steps = steps_of(path)
    if steps is None:
        return chain(getter(path), convert)
    head, tail = steps[0], steps[1] if len(steps) == 2 else None

    def one(row: Any) -> Any:
        value = row.get(head)
        if type(value) is kind and value:
            return value if make is None else make(value)
        return None if value is None else convert(value)

    def two(row: Any) -> Any:
        inner = row.get(head)
        value = inner.get(tail) if type(inner) is dict else step(inner, tail or "")
        if type(value) is kind and value:
            return value if make is None else make(value)
        return None if value is None else convert(value)

    return one if tail is None else two


def chain(get: Getter, parse: Callable[[Any], Any]) -> Read:
    """Return the reader that parses what another found; missing stays None."""

    def read(row: Any) -> Any:
        value = get(row)
        return None if value is None else parse(value)

    return read


def present(reads: list[tuple[str, Read]]) -> Read:
    """Return the reader of a group that keeps only what is there."""

    def group(row: Any) -> dict[str, Any]:
        return {name: value for name, read in reads if (value := read(row)) is not None}

    return group if reads else empty


def optional(path: str | None) -> Read:
    """Return the text reader of a path, or of nothing."""
    return nothing if path is None else chain(getter(path), values.text)


def converter(spec: FieldSpec, zone: str) -> Callable[[Any], str | None]:
    """Return the function that turns a raw value into the text a slot asks for."""
    form = spec.as_ or "text"
    if form == "id":
        return values.identifier
    if form == "date":
        return values.day("date", spec.zone or zone)
    if form in STAMPS:
        return values.day(form, spec.zone or zone)
    if form == "decimal":
        return lambda value: None if (n := values.decimal(value)) is None else format(n.normalize(), "f")
    return values.text


def condition(spec: Condition) -> Test:
    """Return the test that a condition describes."""
    get = getter(spec.path)
    if spec.is_set is not None:
        wanted = spec.is_set
        return lambda row: (get(row) not in (None, "", [], {})) is wanted
    words = spec.among if spec.among is not None else [spec.equals]
    accepted = frozenset(filter(None, (word(w) for w in words)))
    return lambda row: word(get(row)) in accepted


def word(value: Any) -> str | None:
    """Return a value as conditions compare it: booleans as true and false, numbers without trailing zeros."""
    if type(value) is str:
        return value
    if isinstance(value, dict | list):
        return None
    if isinstance(value, int | float | Decimal) and not isinstance(value, bool):
        return format(Decimal(str(value)).normalize(), "f")
    return values.text(value)
