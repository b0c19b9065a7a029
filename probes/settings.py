"""What a company writes about its platforms: the `platforms:` section of tieout.yaml.

Structure only: whether a vendor exists, which secrets it needs and what its streams are called is checked when platforms are
loaded. Secrets never stand in the file, only `env:NAME` or `file:PATH`.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, ConfigDict, Field, TypeAdapter, model_validator

from .clock import duration_us
from .errors import ProbeError, Reason
from .mapspec import (
    Condition,
    Exempt,
    FieldLike,
    FieldSpec,
    KeySpec,
    Kind,
    MapSpec,
    MilestoneSpec,
    ReferenceSpec,
    State,
    Strict,
    Word,
    Zone,
)

ROLES = (
    "crm", "cpq", "commerce", "contract", "billing", "payments", "collections", "tax", "erp", "bank", "support",
    "customer_success", "integration",
)  # fmt: skip
SECRETS = frozenset({"password", "client_secret", "key", "token", "private_key"})
OVERRIDABLE = ("changed", "created", "number", "entity", "currency", "revision", "status")
GROUPS = ("parties", "amounts", "on", "milestones")

Role = Literal[
    "crm", "cpq", "commerce", "contract", "billing", "payments", "collections", "tax", "erp", "bank", "support",
    "customer_success", "integration",
]  # fmt: skip
Name = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_-]{0,30}$")]


def _duration(value: Any) -> int:
    us = duration_us(value)
    if us <= 0:
        raise ValueError("a duration must be longer than nothing")
    return us // 1_000_000


Seconds = Annotated[int, BeforeValidator(_duration)]


def _slot(value: str) -> str:
    group, _, name = value.partition(".")
    if value in OVERRIDABLE or (group in GROUPS and name):
        return value
    raise ValueError(
        f"{value!r} is no slot; write {', '.join(OVERRIDABLE)} or {', '.join(f'{g}.<name>' for g in GROUPS)}"
    )


Slot = Annotated[str, AfterValidator(_slot)]


class StreamSettings(Strict):
    """What is special about one stream here; everything left out keeps the vendor's default."""

    enabled: bool = True
    interval: Seconds | None = None
    kind: Kind | None = None
    source: dict[str, Any] = Field(default_factory=dict)
    map: MapSpec | None = None
    fields: dict[Slot, FieldLike] = Field(default_factory=dict)
    states: dict[str, State] = Field(default_factory=dict)
    attributes: dict[Word, FieldLike] = Field(default_factory=dict)
    keys: list[KeySpec] = Field(default_factory=list)
    references: list[ReferenceSpec] = Field(default_factory=list)
    exempt: list[Exempt] = Field(default_factory=list)
    test: list[Condition] = Field(default_factory=list)


class PlatformSettings(Strict):
    """One external system instance. `deadline`: how long one request may take, its retries included."""

    vendor: Name
    roles: list[Role] | None = None
    url: str | None = None
    environment: Literal["production", "test"] = "production"
    auth: dict[Name, str] = Field(default_factory=dict)
    time_zone: Zone | None = None
    entities: dict[str, str] = Field(default_factory=dict)
    history: Seconds = 800 * 86_400
    deadline: Seconds | None = None
    visibility_delay: Seconds | None = None
    options: dict[str, Any] = Field(default_factory=dict)
    streams: dict[Word, StreamSettings | None] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _secrets_by_reference(self) -> PlatformSettings:
        for name, value in self.auth.items():
            if name in SECRETS and not value.startswith(("env:", "file:")):
                raise ValueError(f"auth.{name} must not stand here; write env:NAME or file:PATH")
        return self

    def stream(self, name: str) -> StreamSettings:
        """Return what is said of a stream, or defaults."""
        return self.streams.get(name) or StreamSettings()


_SECTION = TypeAdapter(dict[Name, PlatformSettings], config=ConfigDict(hide_input_in_errors=True))


def parse_platforms(section: Mapping[str, Any]) -> dict[str, PlatformSettings]:
    """Read the `platforms:` section. Errors: pydantic.ValidationError; ProbeError CONFIG when environments are mixed."""
    platforms = _SECTION.validate_python(dict(section))
    environments = {p.environment for p in platforms.values()}
    if len(environments) > 1:
        listed = ", ".join(f"{name}: {p.environment}" for name, p in sorted(platforms.items()))
        raise ProbeError(Reason.CONFIG, f"production and test platforms are mixed ({listed}); write one file for each")
    return platforms


def secret(reference: str, what: str, platform: str) -> str:
    """Return the value behind env:NAME or file:PATH; any other text is the value. Errors: ProbeError CONFIG."""
    kind, _, place = reference.partition(":")
    if kind == "env":
        value = os.environ.get(place)
        if not value:
            raise ProbeError(
                Reason.CONFIG, f"auth.{what}: the environment variable {place} is not set", platform=platform
            )
        return value
    if kind == "file":
        try:
            value = Path(place).expanduser().read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            reason = error.strerror if isinstance(error, OSError) else "not text"
            raise ProbeError(Reason.CONFIG, f"auth.{what}: cannot read {place} ({reason})", platform=platform) from None
        if not value:
            raise ProbeError(Reason.CONFIG, f"auth.{what}: {place} is empty", platform=platform)
        return value
    return reference


def merged(base: MapSpec | None, own: StreamSettings) -> MapSpec:
    """Return the vendor's mapping with the company's overrides and additions. Errors: ValueError when there is none."""
    spec = own.map or base
    if spec is None:
        raise ValueError("needs `map:`")
    update: dict[str, Any] = {}
    for slot, value in own.fields.items():
        group, _, name = slot.partition(".")
        if not name:
            update[slot] = _like(value, getattr(spec, slot))
        else:
            held = update.get(group, getattr(spec, group))
            new = MilestoneSpec.model_validate(value.model_dump(by_alias=True)) if group == "milestones" else value
            update[group] = {**held, name: new}
    update["states"] = {**spec.states, **own.states}
    update["attributes"] = {**spec.attributes, **own.attributes}
    for group in ("keys", "references", "exempt", "test"):
        update[group] = [*getattr(spec, group), *getattr(own, group)]
    return spec.model_copy(update=update)


def _like(value: FieldSpec, former: FieldSpec | None) -> FieldSpec:
    """Keep how the vendor writes this slot when the override only names another path."""
    if former is None or value.as_ or value.const is not None:
        return value
    return value.model_copy(update={"as_": former.as_, "zone": value.zone or former.zone})
