"""How each slot of a record is read: one method per part of a mapping, each returning a plain function over rows.

Used once per stream while its mapping is compiled; `mapping.py` puts the parts together.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from . import values
from .mapspec import ActorSpec, Condition, FieldSpec, MapSpec, MilestoneSpec
from .paths import Getter, getter
from .readers import (
    Read,
    Test,
    chain,
    condition,
    converter,
    empty,
    false,
    fused,
    no_state,
    no_tuple,
    nothing,
    present,
    required,
)
from .record import Actor, key
from .values import RowError

Tables = Mapping[str, Mapping[str, str]]


@dataclass(frozen=True)
class MapContext:
    """What a mapping must know of the platform. `tables` are look-ups by name, filled in place by the connector."""

    platform: str
    kind: str
    zone: str = "UTC"
    entities: Mapping[str, str] = field(default_factory=dict)
    tables: Tables = field(default_factory=dict)


class Slots:
    """Collects the readers of one mapping, with the slot each fills and the paths it reads."""

    def __init__(self, spec: MapSpec, context: MapContext) -> None:
        self.spec = spec
        self.context = context
        self.slots: list[tuple[str, Read]] = []
        self.paths: list[str] = []
        self.tested: list[str] = []

    # -- single values ---------------------------------------------------------------------------------------------

    def _raw(self, spec: FieldSpec) -> Getter:
        """Return the reader of the first path that holds something."""
        (self.paths if len(spec.path) == 1 else self.tested).extend(spec.path)  # of several, any may be absent
        reads = [getter(path) for path in spec.path]
        if len(reads) == 1:
            return reads[0]

        def first(row: Any) -> Any:
            for read in reads:
                value = read(row)
                if value is not None and value != "":
                    return value
            return None

        return first

    def text(self, slot: str, spec: FieldSpec | None, *, needed: bool = False) -> Read:
        if spec is None:
            return nothing
        if spec.const is not None:
            const = spec.const
            return lambda row: const
        read = self._converted(spec)
        if needed:
            read = required(read)
        self.slots.append((slot, read))
        return read

    def _converted(self, spec: FieldSpec) -> Read:
        convert = converter(spec, self.context.zone)
        if (
            len(spec.path) == 1
            and not spec.normalise
            and not spec.lookup
            and convert in (values.text, values.identifier)
        ):
            self.paths += spec.path
            return fused(spec.path[0], str, convert, values.text)
        get = self._raw(spec)
        normalise = values.normaliser(spec.normalise)
        table = self.context.tables.get(spec.lookup, {}) if spec.lookup else None
        if normalise is None and table is None:
            return lambda row: convert(get(row))

        def read(row: Any) -> str | None:
            value = convert(get(row))
            if value is not None and normalise is not None:
                value = normalise(value) or None
            return value if table is None or value is None else table.get(value, value)

        return read

    def stamp(self, slot: str, spec: FieldSpec | None) -> Read:
        if spec is None:
            return nothing
        form = spec.as_ or self.spec.time
        parse = values.instant(form, spec.zone or self.context.zone)
        if len(spec.path) == 1:
            self.paths += spec.path
            read = fused(spec.path[0], str, parse, parse)
        else:
            read = chain(self._raw(spec), parse)

        self.slots.append((slot, read))
        return read

    def currency(self) -> Read:
        read = self.text("currency", self.spec.currency)

        def code(row: Any) -> str | None:
            return values.currency(read(row))

        if self.spec.currency:
            self.slots.append(("currency", code))
        return code if self.spec.currency else nothing

    def revision(self) -> Read:
        read = self.text("revision", self.spec.revision)
        if self.spec.revision is None:
            return nothing

        def whole(row: Any) -> int | None:
            number = values.decimal(read(row))
            if number is None:
                return None
            if number != number.to_integral_value() or abs(number) > 10**9:
                raise RowError(f"{number} is not a revision number")
            return int(number)

        self.slots.append(("revision", whole))
        return whole

    def entity(self) -> Read:
        read, codes = self.text("entity", self.spec.entity), self.context.entities
        if self.spec.entity is None or not codes:
            return read

        def code(row: Any) -> str | None:
            value = read(row)
            return None if value is None else codes.get(value, value)

        return code

    # -- groups of values ------------------------------------------------------------------------------------------

    def parties(self) -> Read:
        specs = {n: s if s.as_ else s.model_copy(update={"as_": "id"}) for n, s in self.spec.parties.items()}
        return present([(name, self.text(f"parties.{name}", s)) for name, s in specs.items()])

    def dates(self) -> Read:
        reads = []
        for name, spec in self.spec.on.items():
            read = chain(self._raw(spec), values.day(spec.as_ or "date", spec.zone or self.context.zone))
            self.slots.append((f"on.{name}", read))
            reads.append((name, read))
        return present(reads)

    def attributes(self) -> Read:
        reads = [(name, self.text(f"attributes.{name}", s)) for name, s in self.spec.attributes.items()]
        if not reads:
            return empty

        def attributes(row: Any) -> dict[str, str | None]:
            return {name: read(row) for name, read in reads}

        return attributes

    def amounts(self) -> Callable[[Any, str | None], dict[str, int]]:
        reads = []
        for name, spec in self.spec.amounts.items():
            get, parse = self._raw(spec), self._unit(spec)
            self.slots.append((f"amounts.{name}", self._priced(get, parse)))
            reads.append((name, get, parse, spec.sign))
        taken_off = [(n, self._less(s), self._unit(s), s.sign) for n, s in self.spec.amounts.items() if s.minus]

        def amounts(row: Any, currency: str | None) -> dict[str, int]:
            found = {}
            for name, get, parse, sign in reads:
                value = get(row)
                if value is not None:
                    if currency is None:
                        raise RowError("an amount without a currency")
                    minor = parse(value, currency)
                    if minor is not None:
                        found[name] = minor * sign
            for name, less, parse, sign in taken_off:
                if name in found and currency is not None:
                    found[name] -= (parse(less(row), currency) or 0) * sign
            return found

        return amounts if reads else empty

    def _less(self, spec: FieldSpec) -> Getter:
        return self._raw(FieldSpec.model_validate({"path": spec.minus}))

    def _unit(self, spec: FieldSpec) -> Callable[[Any, str], int | None]:
        return values.amount(spec.as_ or self.spec.amount)

    def _priced(self, get: Getter, parse: Callable[[Any, str], int | None]) -> Read:
        code = self.slot_currency

        def read(row: Any) -> int | None:
            value, money = get(row), code(row)
            if value is not None and money is None:
                raise RowError("an amount without a currency")
            return None if value is None or money is None else parse(value, money)

        return read

    def slot_currency(self, row: Any) -> str | None:
        """Return the currency of a row, for slots that are read one by one."""
        spec = self.spec.currency
        if spec is None:
            return None
        return values.currency(spec.const if spec.const is not None else self._converted(spec)(row))

    def milestones(self) -> Callable[[Any, str | None], dict[str, tuple[int, int]]]:
        reads = [
            (name, self._interval(name, spec), frozenset(spec.when)) for name, spec in self.spec.milestones.items()
        ]

        def milestones(row: Any, state: str | None) -> dict[str, tuple[int, int]]:
            found = {}
            for name, read, when in reads:
                if not when or state in when:
                    interval = read(row)
                    if interval is not None:
                        found[name] = interval
            return found

        return milestones if reads else empty

    def _interval(self, name: str, spec: MilestoneSpec) -> Read:
        where = spec.zone or self.context.zone
        if spec.as_ != "date":
            stamp = self.stamp(f"milestones.{name}", spec)

            def exact(row: Any) -> tuple[int, int] | None:
                us = stamp(row)
                return None if us is None else (us, us)

            return exact
        written = chain(self._raw(spec), values.day("date", where))
        self.slots.append((f"milestones.{name}", written))

        def whole_day(row: Any) -> tuple[int, int] | None:
            day = written(row)
            return None if day is None else values.day_interval(day, where)

        return whole_day

    def keys(self) -> Callable[[Any], tuple[str, ...]]:
        context = self.context
        reads = []
        for spec in self.spec.keys:
            read = self.text(
                f"keys.{spec.by}", FieldSpec.model_validate({"path": spec.path, "normalise": spec.normalise})
            )
            reads.append((key(context.platform, context.kind, spec.by, ""), read))

        def keys(row: Any) -> tuple[str, ...]:
            return tuple(dict.fromkeys(prefix + value for prefix, read in reads if (value := read(row)) is not None))

        return keys if reads else no_tuple

    # -- state and conditions --------------------------------------------------------------------------------------

    def state(self) -> Callable[[Any, str | None], str | None]:
        spec = self.spec
        rules = [([self.tested_by(c) for c in rule.when], rule.state) for rule in spec.state_rules]
        own = dict(spec.states)
        learnt = self.context.tables.get(spec.states_lookup, {}) if spec.states_lookup else {}

        def state(row: Any, status: str | None) -> str | None:
            for tests, word in rules:
                if all(test(row) for test in tests):
                    return word
            if status is None:
                return None
            return own.get(status) or learnt.get(status)

        return state if rules or own or spec.states_lookup else no_state

    def tested_by(self, spec: Condition) -> Test:
        self.tested.append(spec.path)
        return condition(spec)

    def any(self, slot: str, conditions: Iterable[Condition]) -> Test:
        tests = [self.tested_by(c) for c in conditions]
        if not tests:
            return false
        return tests[0] if len(tests) == 1 else lambda row: any(test(row) for test in tests)

    def exempt(self) -> Read:
        tests = [(self.tested_by(rule), rule.reason) for rule in self.spec.exempt]
        if not tests:
            return nothing
        return lambda row: next((reason for test, reason in tests if test(row)), None)

    def actor(self) -> Read:
        spec: ActorSpec | None = self.spec.actor
        if spec is None:
            return nothing
        read = self.text("actor", FieldSpec.model_validate({"path": spec.id, "as": "id"}))
        kinds = self.context.tables.get(spec.lookup, {}) if spec.lookup else {}
        kind, grade = spec.kind, spec.grade

        def actor(row: Any) -> Actor | None:
            who = read(row)
            return None if who is None else Actor(who, kinds.get(who, kind), grade)

        return actor
