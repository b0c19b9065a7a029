"""How rows of ours read as JSON and CSV: ids as text, money with its currency, instants in ISO 8601, durations in seconds.

One function for every dataclass, so that two lists never write the same thing in two ways.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import fields, is_dataclass
from fractions import Fraction
from functools import cache
from typing import Any, get_args, get_origin, get_type_hints
from urllib.parse import quote

from console.run.output import amount, amounts, ratio
from probes.clock import iso

# These `_us` are lengths of time; every other `_us` is an instant.
_LENGTHS = (
    "value",
    "elapsed",
    "late",
    "lag",
    "expected",
    "interval",
    "latency",
    "p50",
    "p95",
    "p99",
    "skew",
    "latency_p50",
    "latency_p95",
)
# Counts by two words: what those words are.
PAIRS = {"reasons": ("outcome", "reason"), "documents": ("kind", "state")}
# Fields of this name that hold a mapping hold money by currency, whatever else they are mapped by before.
_SUMS = ("money", "at_risk", "late", "lost", "order_money", "receivables")
_MICRO = 1_000_000


def is_length(name: str) -> bool:
    """Return whether a field in microseconds, named without its suffix, is a length of time."""
    return name in _LENGTHS


def sums_depth(name: str, hint: Any) -> int:
    """Return 1 for a field that is money by currency, 2 for one that is that by something else, 0 for any other."""
    if name not in _SUMS or get_origin(hint) not in (dict, Mapping):
        return 0
    return 2 if get_origin(get_args(hint)[1]) in (dict, Mapping) else 1


def has_page(names: Iterable[str]) -> bool:
    """Return whether a row with these fields is a document of its own in this interface."""
    return {"number", "external_id", "platform", "kind"} <= set(names)


def shape(value: Any) -> Any:
    """Return a value of ours as JSON."""
    if is_dataclass(value) and not isinstance(value, type):
        return _row(value)
    if isinstance(value, Mapping):
        return {str(k): shape(v) for k, v in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [shape(v) for v in value]
    if isinstance(value, Fraction):
        return ratio(value)
    return value.hex() if isinstance(value, bytes) else value


@cache
def _names(kind: type[Any]) -> dict[str, int]:
    hints = get_type_hints(kind)
    return {f.name: sums_depth(f.name, hints[f.name]) for f in fields(kind)}


def _row(row: Any) -> dict[str, Any]:
    found: dict[str, Any] = {}
    names = _names(type(row))  # type: ignore[arg-type] # a class is hashable
    for name, depth in names.items():
        value = getattr(row, name)
        if depth:
            found[name] = amounts(value) if depth == 1 else {k: amounts(v) for k, v in value.items()}
        elif name.endswith("_us"):
            found.update([_time(name.removesuffix("_us"), value)])
        elif name.endswith("_minor"):
            found[name.removesuffix("_minor")] = amount(value, getattr(row, "currency", None))
        elif name == "id" or name.endswith("_id"):
            found[name] = None if value is None else str(value)
        elif name in PAIRS and isinstance(value, Mapping):
            found[name] = [dict(zip((*PAIRS[name], "count"), (*key, n), strict=True)) for key, n in value.items()]
        else:
            found[name] = shape(value)
    if has_page(names):
        found["href"] = href(row.platform, row.kind, row.external_id)
    return found


def _time(name: str, value: int | None) -> tuple[str, Any]:
    if name in _LENGTHS:
        return f"{name}_seconds", None if value is None else value / _MICRO
    return f"{name}_at", iso(value)


def href(platform: str, kind: str, external_id: str) -> str:
    """Return the path of a document in this interface."""
    return "/api/v1/documents/" + "/".join(quote(p, safe="") for p in (platform, kind, external_id))


def flat(item: Mapping[str, Any], path: str = "") -> dict[str, Any]:
    """Return one item of a list as columns, nested ones by dotted name, money as two columns."""
    found: dict[str, Any] = {}
    for name, value in item.items():
        where = f"{path}{name}"
        if isinstance(value, Mapping) and set(value) == {"minor", "currency", "text"}:
            found |= {f"{where}.minor": value["minor"], f"{where}.currency": value["currency"]}
        elif isinstance(value, Mapping):
            found |= flat(value, f"{where}.")
        elif isinstance(value, list):
            found[where] = "; ".join(_short(v) for v in value)
        else:
            found[where] = value
    return found


def _short(value: Any) -> str:
    if isinstance(value, Mapping):
        return (
            f"{value['currency']} {value['minor']}"
            if "minor" in value
            else ", ".join(f"{k}={v}" for k, v in value.items())
        )
    return str(value)
