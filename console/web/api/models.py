"""Which types the answers of the HTTP interface have, read off the rows they are made of by the rules of `shapes`.

One rule per kind of field, so the description of the interface cannot drift from what is answered. Holds no data.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import fields, is_dataclass
from fractions import Fraction
from functools import cache
from types import NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from pydantic import BaseModel, ConfigDict, Field, create_model

from .shapes import PAIRS, has_page, is_length, sums_depth

STRICT = ConfigDict(extra="forbid")
REMARKS = (list[str], Field(description="What must be known beside the answer: of which past instant it is."))


class Amount(BaseModel):
    """Money: exact minor units as text, the currency, and as people read it."""

    model_config = STRICT
    minor: str = Field(pattern=r"^-?\d+$")
    currency: str
    text: str


class Ratio(BaseModel):
    """A ratio: exact, and as a decimal that is cut and never rounded up."""

    model_config = STRICT
    exact: str
    decimal: str


class ProblemDetails(BaseModel):
    """An error, as RFC 9457 has it: `detail` says what to do."""

    type: str
    title: str
    status: int
    detail: str
    instance: str
    errors: list[dict[str, str]] | None = None


@cache
def model(row: type[Any], without: tuple[str, ...] = ()) -> type[BaseModel]:
    """Return the type of a row's JSON."""
    hints = get_type_hints(row)
    found: dict[str, Any] = {}
    for f in fields(row):
        if f.name not in without:
            found.update([_field(f.name, hints[f.name])])
    if has_page(hints):
        found["href"] = (str, Field(description="The path of this document in this interface."))
    text = (row.__doc__ or "").partition("\n\n")[0]
    return create_model(row.__name__, __config__=STRICT, __doc__=text, __module__=row.__module__, **found)


@cache
def page(row: type[Any]) -> type[BaseModel]:
    """Return the type of a list of rows."""
    item: Any = model(row)  # type: ignore[arg-type] # a class is hashable
    found: dict[str, Any] = {
        "items": (list[item], ...),
        "next": (str | None, Field(description="Pass it as `after` for the following page; null on the last.")),
        "total": (int, Field(description="Rows over all pages.")),
        "notes": REMARKS,
    }
    return create_model(f"{row.__name__}List", __config__=STRICT, __doc__="One page of a list.", **found)


def one(row: type[Any], *, without: tuple[str, ...] = (), **more: Any) -> type[BaseModel]:
    """Return the type of a single row, with what else its answer holds."""
    base = model(row, without)  # type: ignore[arg-type] # a class is hashable
    return create_model(f"One{row.__name__}", __base__=base, notes=REMARKS, **more)


def _field(name: str, hint: Any) -> tuple[str, Any]:
    none = NoneType in get_args(hint)
    if name.endswith("_us"):
        bare = name.removesuffix("_us")
        if is_length(bare):
            return f"{bare}_seconds", _maybe(float, none)
        return f"{bare}_at", _maybe(str, none, json_schema_extra={"format": "date-time"})
    if name.endswith("_minor"):
        return name.removesuffix("_minor"), _maybe(Amount, True)
    if name == "id" or name.endswith("_id"):
        return name, _maybe(str, none)
    if name in PAIRS and get_origin(hint) in (dict, Mapping):
        parts: dict[str, Any] = {**dict.fromkeys(PAIRS[name], (str, ...)), "count": (int, ...)}
        pair: Any = create_model(f"{name.capitalize()}Count", __config__=STRICT, **parts)
        return name, (list[pair], ...)
    if depth := sums_depth(name, hint):
        return name, (list[Amount] if depth == 1 else dict[str, list[Amount]], ...)
    return name, (_type(hint), ...)


def _maybe(kind: Any, none: bool, **more: Any) -> Any:
    return (kind | None if none else kind, Field(**more))


def _type(hint: Any) -> Any:
    if hint is Fraction:
        return Ratio
    if hint is bytes:
        return str
    if isinstance(hint, type) and is_dataclass(hint):
        return model(hint)
    origin, inner = get_origin(hint), get_args(hint)
    if origin in (Union, UnionType):
        return Union[tuple(_type(i) for i in inner)]  # noqa: UP007 # made at run time
    if origin in (dict, Mapping):
        return dict[str, _type(inner[1])]  # type: ignore[misc] # made at run time
    if origin is tuple and inner[-1] is not Ellipsis:
        return tuple[tuple(_type(i) for i in inner)]  # type: ignore[misc] # made at run time
    if origin in (list, tuple, Sequence, set, frozenset):
        return list[_type(inner[0])]  # type: ignore[misc] # made at run time
    return str if origin is Literal else hint
