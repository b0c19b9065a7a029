"""What is a fault that can be injected? Its sentence, the truth it writes and the parameters it takes; no fault itself."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from probes.sandbox.world import World

Given = dict[str, Any]
Inject = Callable[[World, str, Given], object]


class NotYetError(ValueError):
    """What a fault needs does not exist yet in the company; it may later."""


@dataclass(frozen=True)
class Fault:
    """One entry of the catalogue: what it does, which truth it writes, how it is injected, and which parameters it takes."""

    does: str
    truth: str
    inject: Inject
    accepts: frozenset[str] = frozenset()

    @property
    def silent(self) -> bool:
        """Tell whether nothing must be found of it."""
        return self.truth == "silent"


def fault(does: str, truth: str, inject: Inject, *accepts: str) -> Fault:
    """Describe a fault. `truth`: `kind of finding: object`, or `silent`."""
    return Fault(does, truth, inject, frozenset(accepts))


def one_of(name: str, value: str, options: tuple[str, ...]) -> str:
    """Return a value if it is possible. Errors: ValueError naming what is."""
    if value not in options:
        raise ValueError(f"{name} {value!r} is not possible here: use one of {', '.join(options)}")
    return value


def variant_of(world: World, key: str, given: Given, *options: str) -> str:
    """Return the variant asked for, or draw one. Errors: ValueError naming the possible ones."""
    asked = given.get("variant")
    if asked is None:
        return world.rng("variant-of", key).choice(options)
    if str(asked) not in options:
        listed = f"{', '.join(options[:-1])} or {options[-1]}" if len(options) > 1 else options[0]
        raise ValueError(f"variant {asked!r} of {key.split('/')[1]} is unknown: use {listed}")
    return str(asked)
