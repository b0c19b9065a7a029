"""How a row's references to other records are read: one path or a nested list, normalised keys, amounts where there are any."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from . import values
from .mapspec import ReferenceSpec
from .paths import getter
from .readers import condition, no_tuple, optional
from .record import Reference, key
from .slots import Slots
from .values import RowError


def references(slots: Slots) -> Callable[[Any, str | None], tuple[Reference, ...]]:
    """Return the reader of all references of a row, given its currency."""
    makers = [_reference(slots, spec) for spec in slots.spec.references]

    def references(row: Any, currency: str | None) -> tuple[Reference, ...]:
        found: list[Reference] = []
        for make in makers:
            make(row, currency, found)
        return tuple(found)

    if makers:
        slots.slots.append(("references", lambda row: references(row, slots.slot_currency(row))))
    return references if makers else no_tuple


def _reference(slots: Slots, spec: ReferenceSpec) -> Callable[[Any, str | None, list[Reference]], None]:
    platform, kind, by = spec.to.split("/")
    prefix = key(slots.context.platform if platform == "self" else platform, kind, by, "")
    get, normalise = getter(spec.path), values.normaliser(spec.normalise)
    slots.paths.append(spec.each or spec.path)
    tests = [condition(c) if spec.each else slots.tested_by(c) for c in spec.when]
    price, quantity, line = _applied(slots, spec), optional(spec.quantity), optional(spec.line)
    plain = spec.amount is None and spec.quantity is None and spec.line is None
    walk = getter(spec.each) if spec.each else None

    def one(row: Any, currency: str | None, found: list[Reference]) -> None:
        value = values.identifier(get(row))
        if value is not None and normalise is not None:
            value = normalise(value)
        if not value or not all(test(row) for test in tests):
            return
        if plain:
            found.append(Reference(spec.kind, prefix + value))
        else:
            minor = price(row, currency)
            money = currency if minor is not None else None
            found.append(Reference(spec.kind, prefix + value, minor, money, quantity(row), line(row)))

    def each(row: Any, currency: str | None, found: list[Reference]) -> None:
        for item in (walk(row) if walk else None) or ():
            one(item, currency, found)

    return each if walk else one


def _applied(slots: Slots, spec: ReferenceSpec) -> Callable[[Any, str | None], int | None]:
    if spec.amount is None:
        return lambda row, currency: None
    reads = [getter(path) for path in spec.amount.path]
    if not spec.each:
        slots.paths += spec.amount.path
    parse, sign = values.amount(spec.amount.as_ or slots.spec.amount), spec.amount.sign

    def price(row: Any, currency: str | None) -> int | None:
        value = next((v for read in reads if (v := read(row)) is not None), None)
        if value is None:
            return None
        if currency is None:
            raise RowError("an amount without a currency")
        minor = parse(value, currency)
        return None if minor is None else minor * sign

    return price
