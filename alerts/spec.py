"""What every rule's settings have in common, and how durations, shares and lists are written in them."""

from __future__ import annotations

from collections.abc import Iterable
from fractions import Fraction
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from probes.clock import duration_us

from .findings import Severity, Timing


def _duration(value: Any) -> int:
    return duration_us(value)


def _share(value: Any) -> Fraction:
    text = str(value).strip()
    if text.endswith("%"):
        return Fraction(text.removesuffix("%").strip()) / 100
    return Fraction(text)


def _listed(value: Any) -> Any:
    return [value] if isinstance(value, str) else value


Duration = Annotated[int, BeforeValidator(_duration)]
"""Microseconds, written `90s`, `15m`, `4h`."""
Share = Annotated[Fraction, BeforeValidator(_share)]
"""An exact number, written `98 %`, `0.98` or `10`."""
Words = Annotated[tuple[str, ...], BeforeValidator(_listed)]


class Section(BaseModel):
    """A part of tieout.yaml that knows its keys and refuses others."""

    model_config = ConfigDict(extra="forbid", frozen=True, arbitrary_types_allowed=True, populate_by_name=True)


class Common(Section):
    """The keys that every rule takes. `for`: true this long before it fires; `keep_firing_for`: over this long before it
    resolves; `repeat`: new documents in a firing alert are told at most this often."""

    rule: str
    name: str | None = None
    severity: Severity | None = None
    for_: Duration | None = Field(default=None, alias="for")
    keep_firing_for: Duration | None = None
    repeat: Duration = duration_us("4h")
    owner: str | None = None

    @property
    def key(self) -> str:
        """Return the name this rule goes by: its own, or its kind with what it looks at."""
        about = (getattr(self, part, None) for part in ("flow", "sli", "kind", "platform"))
        return self.name or "/".join([self.rule, *(a for a in about if isinstance(a, str))])


def timing(spec: Common, default: Timing) -> Timing:
    """Return how patient a rule is: what its settings say, else what its kind finds right."""
    return Timing(
        default.for_us if spec.for_ is None else spec.for_,
        default.keep_firing_us if spec.keep_firing_for is None else spec.keep_firing_for,
        spec.repeat,
    )


def unknown(what: str, named: Iterable[str], known: Iterable[str]) -> list[str]:
    """Return a sentence for each name that is not known, with those that are."""
    there = tuple(known)
    return [
        f"there is no {what} {name!r}; there are {', '.join(there) or 'none'}" for name in named if name not in there
    ]
