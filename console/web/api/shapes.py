"""How rows of ours read as JSON and CSV: ids as text, money with its currency, instants in ISO 8601, durations in seconds.

One function for every dataclass, so that two lists never write the same thing in two ways.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from fractions import Fraction
from functools import cache
from typing import Any

from console.web import formats
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
_PAIRS = {"reasons": ("outcome", "reason"), "documents": ("kind", "state")}
_MICRO = 1_000_000


def money(minor: int | None, currency: str | None) -> dict[str, Any] | None:
    """Return `{"minor", "currency", "text"}`, or None where there is no amount."""
    if minor is None or currency is None:
        return None
    return {"minor": minor, "currency": currency, "text": formats.money(minor, currency)}


def shape(value: Any) -> Any:
    """Return a value of ours as JSON."""
    if is_dataclass(value) and not isinstance(value, type):
        return _row(value)
    if isinstance(value, Mapping):
        return _mapping(value)
    if isinstance(value, list | tuple | set | frozenset):
        return [shape(v) for v in value]
    if isinstance(value, Fraction):
        return float(value)
    return value.hex() if isinstance(value, bytes) else value


def _mapping(value: Mapping[Any, Any]) -> Any:
    if value and all(_is_sum(k, v) for k, v in value.items()):
        return [money(v, k) for k, v in sorted(value.items())]
    return {str(k): shape(v) for k, v in value.items()}


def _is_sum(key: Any, value: Any) -> bool:
    return isinstance(key, str) and len(key) == 3 and key.isupper() and isinstance(value, int)  # ISO 4217


@cache
def _names(kind: type[Any]) -> tuple[str, ...]:
    return tuple(f.name for f in fields(kind))


def _row(row: Any) -> dict[str, Any]:
    found: dict[str, Any] = {}
    names = _names(type(row))  # type: ignore[arg-type] # a class is hashable
    for name in names:
        value = getattr(row, name)
        if name.endswith("_us"):
            found.update([_time(name.removesuffix("_us"), value)])
        elif name.endswith("_minor"):
            found[name.removesuffix("_minor")] = money(value, getattr(row, "currency", None))
        elif name == "id" or name.endswith("_id"):
            found[name] = None if value is None else str(value)
        elif name in _PAIRS and isinstance(value, Mapping):
            found[name] = [dict(zip((*_PAIRS[name], "count"), (*key, n), strict=True)) for key, n in value.items()]
        else:
            found[name] = shape(value)
    if "number" in names and "external_id" in names and "platform" in names and "kind" in names:
        found["href"] = href(row.platform, row.kind, row.external_id)
    return found


def _time(name: str, value: int | None) -> tuple[str, Any]:
    if name in _LENGTHS:
        return f"{name}_seconds", None if value is None else value / _MICRO
    return f"{name}_at", iso(value)


def href(platform: str, kind: str, external_id: str) -> str:
    """Return the path of a document in this interface."""
    from urllib.parse import quote

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
