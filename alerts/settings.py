"""What a company configures about being told: channels, routes and rules, checked when read and against what is judged."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Field, SerializeAsAny, ValidationError, model_validator

from metrics.definitions import Model
from probes.clock import duration_us

from . import maintenance
from .channels import channels as known_channels
from .findings import Severity
from .rules import rules as known_rules
from .secrets import SecretError, resolve
from .spec import Common, Duration, Section, Words


def _channel(value: Any) -> Any:
    if not isinstance(value, Mapping):
        return value
    kind = value.get("kind")
    if kind not in known_channels():
        raise ValueError(f"kind: {kind!r} is no channel; there are {', '.join(known_channels())}")
    return _build(known_channels()[kind].Settings, value)


def _rule(value: Any) -> Any:
    if not isinstance(value, Mapping):
        return value
    kind = value.get("rule")
    if kind not in known_rules():
        raise ValueError(f"rule: {kind!r} is no rule; there are {', '.join(known_rules())}")
    return _build(known_rules()[kind].Spec, value)


def _build(model: Any, value: Mapping[str, Any]) -> Any:
    try:
        return model.model_validate(dict(value))
    except ValidationError as error:
        # Only what pydantic says, never the input: a secret written in the wrong place must not be repeated.
        told = (f"{'.'.join(str(p) for p in e['loc']) or 'value'}: {e['msg']}" for e in error.errors())
        raise ValueError("; ".join(told)) from None


def _address(value: str | None) -> str | None:
    if value is not None and not value.startswith(("http://", "https://")):
        raise ValueError("public_url starts with http:// or https://, for example https://tieout.example.org")
    return value.rstrip("/") if value else None


class Route(Section):
    """Which alerts go to which channels; a key that is left out matches everything."""

    severity: Words = ()
    rule: Words = ()
    flow: Words = ()
    sli: Words = ()
    entity: Words = ()
    platform: Words = ()
    owner: Words = ()
    channels: Words
    continue_: bool = Field(default=False, alias="continue")

    def matchers(self) -> dict[str, tuple[str, ...]]:
        """Return the values wanted per field."""
        names = ("severity", "rule", "flow", "sli", "entity", "platform", "owner")
        return {name: getattr(self, name) for name in names}


class FlapSettings(Section):
    """When a condition that comes and goes is told less: more than `messages` within `window`, unless it stays for `hold`."""

    messages: int = Field(default=2, ge=2)
    window: Duration = duration_us("1h")
    hold: Duration = duration_us("15m")


class AlertSettings(Section):
    """This room's section of tieout.yaml. `maintenance`: platform → the calendar in whose windows it is worked on."""

    public_url: Annotated[str | None, AfterValidator(_address)] = None
    channels: dict[str, Annotated[SerializeAsAny[Section], BeforeValidator(_channel)]] = Field(default_factory=dict)
    routes: tuple[Route, ...] = ()
    rules: tuple[Annotated[SerializeAsAny[Common], BeforeValidator(_rule)], ...] = ()
    flapping: FlapSettings = FlapSettings()
    maintenance: dict[str, str] = Field(default_factory=dict)
    burst: int = Field(default=10, ge=1)
    give_up: Duration = duration_us("24h")

    @model_validator(mode="after")
    def _whole(self) -> AlertSettings:
        for r in self.routes:
            unknown = [c for c in r.channels if c not in self.channels]
            if unknown:
                raise ValueError(
                    f"a route names the channel {unknown[0]!r}, which is not under alerts.channels"
                    + (f"; there are {', '.join(self.channels)}" if self.channels else "")
                )
            wrong = [s for s in r.severity if s not in Severity.__args__]  # type: ignore[attr-defined]
            if wrong:
                raise ValueError(f"a route names the severity {wrong[0]!r}; write critical, warning or info")
        keys = [r.key for r in self.rules]
        twice = sorted({k for k in keys if keys.count(k) > 1})
        if twice:
            raise ValueError(f"two rules are called {twice[0]!r}; give each a `name:` of its own")
        return self


def specs(settings: AlertSettings, model: Model) -> tuple[Common, ...]:
    """Return the rules in force: the configured ones, or what every rule kind proposes for this company."""
    if settings.rules:
        return settings.rules
    return tuple(spec for rule in known_rules().values() for spec in rule.defaults(model))


def problems(settings: AlertSettings, model: Model) -> list[str]:
    """Return what is wrong with the settings for this company, each as a sentence that says what to write instead."""
    return [
        *_rule_problems(settings, model),
        *_secret_problems(settings),
        *maintenance.problems(model, settings.maintenance),
    ]


def _rule_problems(settings: AlertSettings, model: Model) -> Iterator[str]:
    for spec in settings.rules:
        for text in known_rules()[spec.rule].problems(spec, model):
            yield f"alerts.rules ({spec.key}): {text}"


def _secret_problems(settings: AlertSettings) -> Iterator[str]:
    for name, channel in settings.channels.items():
        for reference in known_channels()[channel.kind].secrets(channel):  # type: ignore[attr-defined]
            try:
                resolve(reference)
            except SecretError as error:
                yield f"alerts.channels.{name}: {error}"
