"""How a JSON body becomes Python values: exact decimals, and one poisoned value spoils only its own row.

Fast path: msgspec. When that refuses, the body holds NUL, or it has more members than came out of it, a tolerant second reading
puts a `Poison` where NaN, infinities, numbers without end, lone surrogates, NUL, bottomless nesting or a key with two values stand.
Knows nothing of mappings or HTTP.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, NoReturn

import msgspec

MAX_DEPTH = 60
MAX_DIGITS = 60
_TWICE = "the key"

_fast = msgspec.json.Decoder(float_hook=Decimal).decode
_write = msgspec.json.Encoder().encode
_MEMBER = b":"
_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"|[\[\]{}]', re.DOTALL)
_UNSAFE = re.compile("[\x00\ud800-\udfff]")


@dataclass(frozen=True, slots=True)
class Poison:
    """Stands where a value, or a whole row, was that cannot be kept; `why` says so, `raw` is the text if it is known."""

    why: str
    raw: str = ""

    def __str__(self) -> str:
        return f"<{self.why}>"


class NotJson(ValueError):  # noqa: N818 - names what the body is, not an event
    """The body is no JSON document at all."""


def decode(body: bytes) -> Any:
    """Return the values of a JSON body; decimals exact. Errors: NotJson, also where the outermost object names a key twice."""
    if b"\\u0000" not in body:
        try:
            value = _fast(body)
            if _complete(body, value):
                return value
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError, OverflowError):
            pass
    return _tolerant(body)


def _complete(body: bytes, value: Any) -> bool:
    """Return whether as many members came out as stand in the body: of a key given twice, msgspec keeps the last in silence.

    Writing the value again costs a third of reading it, about 2 % of a page's way into the store.
    """
    return body.count(_MEMBER) == _write(value).count(_MEMBER)


def _tolerant(body: bytes) -> Any:
    text = body.decode("utf-8-sig", errors="surrogateescape")
    try:
        value = json.loads(
            _prune(text), parse_float=_decimal, parse_int=_integer, parse_constant=_constant, object_pairs_hook=_members
        )
    except ValueError as error:
        raise NotJson(str(error)[:120]) from None
    twice = (
        [v.why for v in value.values() if isinstance(v, Poison) and v.why.startswith(_TWICE)]
        if isinstance(value, dict)
        else []
    )
    if twice:
        raise NotJson(twice[0])
    return _mark(value)


def _members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Return an object; a key with two values that differ has none. The same value twice leaves no doubt."""
    found: dict[str, Any] = {}
    for name, value in pairs:
        if name in found and found[name] != value:
            value = Poison(f"{_TWICE} {name[:60]!r} has two values")
        found[name] = value
    return found


def _constant(word: str) -> Poison:
    return Poison(f"{word} is not a number")


def _integer(text: str) -> int | Poison:
    return int(text) if len(text) <= MAX_DIGITS else Poison(f"number of {len(text)} digits")


def _decimal(text: str) -> Decimal | Poison:
    return Decimal(text) if len(text) <= MAX_DIGITS else Poison(f"number of {len(text)} digits")


def _mark(value: Any) -> Any:
    """Replace texts that no database keeps."""
    if isinstance(value, str):
        return Poison("text with a NUL or half a character, or nested too deep") if _UNSAFE.search(value) else value
    if isinstance(value, list):
        return [_mark(item) for item in value]
    if isinstance(value, dict):
        return {str(_mark(name)): _mark(item) for name, item in value.items()}
    return value


def _prune(text: str) -> str:
    """Cut out what is nested deeper than MAX_DEPTH, so that reading it cannot exhaust the stack."""
    parts, depth, kept, cut = [], 0, 0, False
    for token in _TOKEN.finditer(text):
        sign = token.group()
        if sign in "[{":
            depth += 1
            if depth == MAX_DEPTH + 1:
                parts.append(text[kept : token.start()])
                cut = True
        elif sign in "]}":
            if depth == MAX_DEPTH + 1:
                parts.append('"\\u0000"')
                kept = token.end()
            depth -= 1
    if not cut:
        return text
    if depth > MAX_DEPTH:
        _unclosed()
    return "".join([*parts, text[kept:]])


def _unclosed() -> NoReturn:
    raise NotJson("brackets without end")
