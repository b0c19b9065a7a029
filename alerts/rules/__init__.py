"""Which rules there are, and the one shape they share: one file per rule, found in this folder.

A rule module has `Spec` (its keys in tieout.yaml), `TIMING`, `ADVICE` (what whoever is told can do), `defaults(model)` (what it
proposes when no rules are configured), `problems(spec, model)`, `read(conn, model, spec, now_us)` (the facts it needs), the pure
`find(facts, spec, now_us)` and `blind(facts, spec, alert, now_us)`: why an alert of its own cannot be verified to be over.
"""

from __future__ import annotations

import pkgutil
from collections.abc import Sequence
from functools import cache
from importlib import import_module
from typing import Any, Protocol

from sqlalchemy import Connection

from alerts.findings import Alert, Finding, Timing
from alerts.spec import Common
from metrics.definitions import Model

_PARTS = ("Spec", "TIMING", "ADVICE", "defaults", "problems", "read", "find", "blind")


class Rule(Protocol):
    """What a module in this folder offers."""

    Spec: type[Common]
    TIMING: Timing
    ADVICE: str

    def defaults(self, model: Model) -> Sequence[Common]: ...

    def problems(self, spec: Any, model: Model) -> Sequence[str]: ...

    def read(self, conn: Connection, model: Model, spec: Any, now_us: int) -> Any: ...

    def find(self, facts: Any, spec: Any, now_us: int) -> Sequence[Finding]: ...

    def blind(self, facts: Any, spec: Any, alert: Alert, now_us: int) -> str | None: ...


@cache
def rules() -> dict[str, Rule]:
    """Return every rule by name. Errors: RuntimeError when a file here is no rule."""
    found: dict[str, Any] = {}
    for info in pkgutil.iter_modules(__path__):
        module = import_module(f"{__name__}.{info.name}")
        missing = [part for part in _PARTS if not hasattr(module, part)]
        if missing:
            raise RuntimeError(f"alerts/rules/{info.name}.py is no rule: it lacks {', '.join(missing)}")
        found[info.name] = module
    return found
