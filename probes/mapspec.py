"""What a mapping may say: the fields of a row and the words of Tieout they become. Data only; `mapping.py` compiles it.

The same shape is used by vendor manifests, by `map:` of files and tables, and by the overrides in `platforms:`.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from .paths import getter
from .values import normaliser, zone

KINDS = [
    "customer",
    "contact",
    "product",
    "opportunity",
    "opportunity_line",
    "opportunity_change",
    "order",
    "subscription",
    "invoice",
    "credit_note",
    "payment",
    "refund",
    "dispute",
    "journal_entry",
    "accounting_period",
    "case",
    "message",
    "workflow_run",
]
STATES = [
    "draft",
    "pending",
    "open",
    "won",
    "lost",
    "active",
    "trial",
    "paused",
    "posted",
    "paid",
    "closed",
    "cancelled",
    "voided",
    "rejected",
    "failed",
    "succeeded",
    "uncollectible",
]
AMOUNTS = ["net", "tax", "gross", "discount", "due", "applied", "open", "fee", "tcv", "acv", "mrr"]
REFERENCE_KINDS = [
    "about",
    "part_of",
    "fulfils",
    "bills",
    "posts",
    "applies",
    "reverses",
    "replaces",
    "amends",
    "renews",
    "merged_into",
    "split_from",
]
PARTIES = ["sold_to", "bill_to", "payer", "ship_to", "end_customer", "partner"]
DATES = ["document", "posting", "due", "service_from", "service_to"]


def _one_of(words: list[str]) -> AfterValidator:
    def check(value: str) -> str:
        if value not in words:
            raise ValueError(f"{value!r} is unknown; write one of {', '.join(words)}")
        return value

    return AfterValidator(check)


def _path(value: str) -> str:
    getter(value)
    return value


def _zone(value: str) -> str:
    try:
        zone(value)
    except (KeyError, ValueError, OSError):
        raise ValueError(f"{value!r} is no time zone; write an IANA name such as Europe/Berlin") from None
    return value


def _normalise(value: list[str]) -> list[str]:
    normaliser(value)
    return value


Path = Annotated[str, AfterValidator(_path)]
Zone = Annotated[str, AfterValidator(_zone)]
Kind = Annotated[str, _one_of(KINDS)]
State = Annotated[str, _one_of(STATES)]
Normalise = Annotated[list[str], AfterValidator(_normalise)]
Word = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$")]
As = Literal[
    "text", "id", "iso", "naive", "unix_s", "unix_ms", "tagged", "date", "minor", "stripe_minor", "major", "decimal"
]


class Strict(BaseModel):
    """A model that refuses what it does not know."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True, hide_input_in_errors=True)


class Condition(Strict):
    """A test on a row: a path equals a value, is one of several, or is set at all; compared as text, booleans as true/false."""

    path: Path
    equals: Any = None
    among: list[Any] | None = Field(None, alias="in")
    is_set: bool | None = None

    @model_validator(mode="after")
    def _one_test(self) -> Condition:
        given = sum((self.equals is not None, self.among is not None, self.is_set is not None))
        if given != 1:
            raise ValueError("write exactly one of `equals`, `in`, `is_set`")
        return self


class Exempt(Condition):
    """A condition under which policy does not hand the document over, and why."""

    reason: Word = "policy"


def _short(value: Any) -> Any:
    return {"path": value} if isinstance(value, str) else value


class FieldSpec(Strict):
    """Where a value is and how it is written. Short form: just the path. A list of paths takes the first that is set.

    For amounts, `minus` names what is taken off and `sign` turns it round.
    """

    path: Annotated[list[Path], BeforeValidator(lambda v: [v] if isinstance(v, str) else v)] = []
    as_: As | None = Field(None, alias="as")
    const: str | None = None
    normalise: Normalise = []
    lookup: Word | None = None
    zone: Zone | None = None
    sign: Literal[1, -1] = 1
    minus: Path | None = None

    @model_validator(mode="after")
    def _something(self) -> FieldSpec:
        if bool(self.path) == (self.const is not None):
            raise ValueError("write either `path` or `const`")
        return self


FieldLike = Annotated[FieldSpec, BeforeValidator(_short)]


class MilestoneSpec(FieldSpec):
    """A stamp or date that says when something happened; with `when`, only while the record is in one of these states."""

    when: list[State] = []


MilestoneLike = Annotated[MilestoneSpec, BeforeValidator(_short)]


class KeySpec(Strict):
    """One more key a record is known under: `by` names it."""

    by: Word
    path: Path
    normalise: Normalise = ["trim"]


class ReferenceSpec(Strict):
    """Another record this one names: `to` is platform/kind/by (`self` for this platform); `each` walks a nested list."""

    kind: Annotated[str, _one_of(REFERENCE_KINDS)]
    path: Path
    to: Annotated[str, Field(pattern=r"^[A-Za-z0-9_.-]+/[a-z_]+/[a-z0-9_]+$")]
    normalise: Normalise = ["trim"]
    each: Path | None = None
    when: list[Condition] = []
    amount: FieldLike | None = None
    quantity: Path | None = None
    line: Path | None = None


class StateRule(Strict):
    """The state of a record for which all conditions hold; none holds always."""

    when: list[Condition] = []
    state: State


class ActorSpec(Strict):
    """Who made the change: `id` path; `lookup` names the table that knows the kind of this id."""

    id: Path
    kind: Literal["person", "integration", "automation", "unknown"] = "unknown"
    lookup: Word | None = None
    grade: Literal["field", "record", "unknown"] = "record"


class MapSpec(Strict):
    """How a row becomes a record. `time` is how this platform writes stamps; `states` is the total status map."""

    id: FieldLike
    time: As = "iso"
    amount: As = "major"
    changed: FieldLike | None = None
    created: FieldLike | None = None
    number: FieldLike | None = None
    entity: FieldLike | None = None
    currency: FieldLike | None = None
    revision: FieldLike | None = None
    status: FieldLike | None = None
    states: dict[str, State] = {}
    states_lookup: Word | None = None
    state_rules: list[StateRule] = []
    parties: dict[Annotated[str, _one_of(PARTIES)], FieldLike] = {}
    amounts: dict[Annotated[str, _one_of(AMOUNTS)], FieldLike] = {}
    on: dict[Annotated[str, _one_of(DATES)], FieldLike] = {}
    milestones: dict[Word, MilestoneLike] = {}
    attributes: dict[Word, FieldLike] = {}
    references: list[ReferenceSpec] = []
    keys: list[KeySpec] = []
    test: list[Condition] = []
    exempt: list[Exempt] = []
    deleted: list[Condition] = []
    actor: ActorSpec | None = None
