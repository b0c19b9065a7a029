"""How a vendor describes itself: probes/platforms/<vendor>.yaml, validated, with errors that name file and place.

Data only. What it needs beyond data stands in <vendor>.py beside it; `platforms/__init__.py` brings both together.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

from pydantic import Field, ValidationError

from .errors import ProbeError, Reason
from .failures import ErrorRules, Rule
from .mapspec import Kind, MapSpec, Strict, Word
from .mapspec import Path as FieldPath
from .paging import PageSpec
from .quota import QuotaRules
from .settings import Name, Role, Seconds
from .yamlfile import YamlError, read_yaml


class AuthSpec(Strict):
    """Which credential the vendor takes; `AUTH_FIELDS` are the keys of `auth:` each kind needs."""

    kind: Literal["none", "basic", "header", "oauth2", "jwt"] = "none"
    header: str = "Authorization"
    scheme: str = "Bearer"
    token_path: str = ""
    send_as: Literal["basic", "form", "json"] = "form"
    scope: str | None = None
    alg: str = "PS256"
    lifetime_seconds: float | None = None


AUTH_FIELDS: dict[str, tuple[str, ...]] = {
    "none": (),
    "basic": ("user", "password"),
    "header": ("key",),
    "oauth2": ("client_id", "client_secret"),
    "jwt": ("client_id", "certificate_id", "private_key"),
}


class RuleSpec(Strict):
    """An answer that means something other than its status says."""

    reason: Reason
    status: int | None = None
    code: str | None = None


class ErrorSpec(Strict):
    """Where this vendor puts error code and message."""

    code: list[FieldPath] = Field(default_factory=lambda: list(ErrorRules().code))
    message: list[FieldPath] = Field(default_factory=lambda: list(ErrorRules().message))
    rules: list[RuleSpec] = Field(default_factory=list)
    refused: list[FieldPath] = Field(default_factory=list)

    def rules_of(self) -> ErrorRules:
        """Return what the client works with."""
        rules = tuple(Rule(r.reason, r.status, r.code) for r in self.rules)
        return ErrorRules(tuple(self.code), tuple(self.message), rules, tuple(self.refused))


class QuotaSpec(Strict):
    """Which headers tell the allowance."""

    header: str | None = None
    pattern: str | None = None
    limit: str | None = None
    remaining: str | None = None
    reset: str | None = None
    reset_unit: Literal["seconds", "epoch", "iso"] = "seconds"
    version: str | None = None

    def rules_of(self) -> QuotaRules:
        """Return what the client works with."""
        return QuotaRules(**self.model_dump())


class CallSpec(Strict):
    """One call of a listing: parameters may name {from}, {to}, {fields}, {by}, {values}, {value}."""

    get: str | None = None
    params: dict[str, str] = Field(default_factory=dict)


class ListSpec(Strict):
    """A REST listing with a window of change stamps. `stamp` is how bounds are written; `resume` true when rows come in the
    order of their stamps, so that a first load can go on after an interruption."""

    get: str
    params: dict[str, str] = Field(default_factory=dict)
    items: str | None = None
    stamp: Literal["iso", "unix_s", "unix_ms"] = "iso"
    resume: bool = False
    page: PageSpec = PageSpec()
    read: CallSpec | None = None
    read_size: int = 200
    ids: CallSpec | None = None
    reread: CallSpec | None = None


class StreamDescription(Strict):
    """One object type or log of a vendor. `source` is for the vendor's own hook."""

    kind: Kind
    listing: ListSpec | None = None
    source: dict[str, Any] = Field(default_factory=dict)
    map: MapSpec | None = None
    covers: tuple[Literal["created", "changed", "deleted"], ...] = ("created", "changed")
    uncovered: list[str] = Field(default_factory=list)
    visibility_delay: Seconds = 60
    overlap: Seconds = 600
    interval: Seconds = 60
    reread: Seconds | None = None
    reads_by: list[Word] = Field(default_factory=list)
    sweeps: bool = False
    log: bool = False
    samples_only: bool = False
    sparse: bool = False
    enabled: bool = True


class Manifest(Strict):
    """A vendor: how it is reached, what its answers mean, what it holds."""

    vendor: Name
    title: str
    roles: list[Role]
    url: str | None = None
    base_path: str = ""
    needs_time_zone: bool = False
    concurrency: int = 4
    request_seconds: float = 60.0
    headers: dict[str, str] = Field(default_factory=dict)
    auth: AuthSpec = AuthSpec()
    errors: ErrorSpec = ErrorSpec()
    quota: QuotaSpec = QuotaSpec()
    tables: list[Word] = Field(default_factory=list)
    links: dict[str, str] = Field(default_factory=dict)
    options: dict[str, Any] = Field(default_factory=dict)
    own_streams: bool = False
    streams: dict[Word, StreamDescription] = Field(default_factory=dict)


def read_manifest(path: Path) -> Manifest:
    """Return the description of a vendor. Errors: ProbeError CONFIG naming file and place."""
    try:
        data = read_yaml(path)
        if not isinstance(data, dict):
            raise YamlError(f"{path}: must hold a mapping")
        manifest = Manifest.model_validate({"vendor": path.stem, **data})
    except YamlError as error:
        raise ProbeError(Reason.CONFIG, str(error)) from None
    except ValidationError as error:
        raise ProbeError(Reason.CONFIG, f"{path.name}: {first_error(error)}") from None
    if manifest.vendor != path.stem:
        raise ProbeError(
            Reason.CONFIG, f"{path.name}: says vendor {manifest.vendor!r}; file name and vendor must agree"
        )
    return manifest


def first_error(error: ValidationError) -> str:
    """Return the first complaint of a validation as `place: what`."""
    first = error.errors(include_url=False)[0]
    place = ".".join(str(part) for part in first["loc"])
    more = f" (and {error.error_count() - 1} more)" if error.error_count() > 1 else ""
    return f"{place}: {first['msg'].removeprefix('Value error, ')}{more}"
