"""How a value is found inside a decoded row: dotted paths become plain getters, anything richer goes through JMESPath.

A missing step and a null are both None. Says nothing about what the value means.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache
from typing import Any

import jmespath

Getter = Callable[[Any], Any]

_PLAIN = re.compile(r"[A-Za-z0-9_$@:-]+(\.[A-Za-z0-9_$@:-]+)*\Z")
_QUOTED = re.compile(r'"[^"]+"\Z')


class PathError(ValueError):
    """A path that cannot be read; the text says what to write."""


@lru_cache(maxsize=4096)
def getter(path: str) -> Getter:
    """Return the function that reads `path` from a row. `"a b"` in double quotes is one name. Errors: PathError."""
    if _QUOTED.match(path):
        return _one(path[1:-1])
    if _PLAIN.match(path):
        steps = path.split(".")
        return _one(steps[0]) if len(steps) == 1 else _two(*steps) if len(steps) == 2 else _many(steps)
    try:
        compiled = jmespath.compile(path)
    except jmespath.exceptions.JMESPathError as error:
        raise PathError(f"{path!r} is neither a dotted path nor JMESPath: {str(error).splitlines()[0]}") from None
    search: Getter = compiled.search
    return search


def top_name(path: str) -> str | None:
    """Return the column a path starts from, or None when that cannot be told."""
    if _QUOTED.match(path):
        return path[1:-1]
    return path.split(".")[0] if _PLAIN.match(path) else None


def step(value: Any, name: str) -> Any:
    """Return what stands under a name of an object or a position of a list, None when there is none."""
    if isinstance(value, dict):
        return value.get(name)
    if isinstance(value, list) and name.isdigit() and int(name) < len(value):
        return value[int(name)]
    return None


def _one(name: str) -> Getter:
    def read(row: Any) -> Any:
        return row.get(name) if type(row) is dict else step(row, name)

    return read


def _two(first: str, second: str) -> Getter:
    def read(row: Any) -> Any:
        inner = row.get(first) if type(row) is dict else step(row, first)
        return inner.get(second) if type(inner) is dict else step(inner, second)

    return read


def _many(steps: list[str]) -> Getter:
    def read(row: Any) -> Any:
        for name in steps:
            row = row.get(name) if type(row) is dict else step(row, name)
            if row is None:
                return None
        return row

    return read
