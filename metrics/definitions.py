"""What is judged: flows, SLIs, legal entities and platforms as frozen values, each checked by itself when read.

Where they are read from and whether they fit each other is the question of `metrics.loading`; nothing here reads the database.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from fractions import Fraction
from typing import Annotated, Any, Literal, Protocol

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, PlainSerializer, model_validator

from probes.clock import duration_us, to_us

from . import deadline
from .calendar_settings import CalendarSettings, Zone
from .deadline import Schedules
from .identity.settings import IdentitySettings
from .keys import record_id

HUBS = frozenset({"customer", "contact", "product", "price", "tax_code", "entity", "queue", "user"})
"""Kinds that stand in everybody's way: no path leads through them, or one rename would touch every document."""

TRADING = (
    ("opportunity", "won"), ("subscription", "active"), ("invoice", "open"), ("invoice", "paid"), ("invoice", "uncollectible"),
)  # fmt: skip
"""Documents, and the states in which they stand, that make their customer one who trades."""


class DefinitionError(ValueError):
    """A definition that cannot be judged; the text says where and what to write instead, `place` where in tieout.yaml."""

    def __init__(self, text: str, place: tuple[str | int, ...] = ()) -> None:
        super().__init__(text)
        self.place = place


def _duration(value: Any) -> int:
    return duration_us(value)


def _ratio(value: Any) -> Fraction:
    return Fraction(str(value))


Duration = Annotated[int, BeforeValidator(_duration)]
Ratio = Annotated[Fraction, BeforeValidator(_ratio)]
Deadline = Annotated[deadline.Deadline, BeforeValidator(deadline.parse), PlainSerializer(str)]
"""By when: `4h`, `5 business days`, `window + 1h` and what `metrics.deadline` joins of them."""


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, arbitrary_types_allowed=True, populate_by_name=True)


def _listed(value: Any) -> Any:
    return [value] if isinstance(value, str) else value


Word = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_:]{0,62}$")]
"""Definitions name kinds, states and milestones in lower-case words; they stand in SQL, so nothing else passes."""
Words = Annotated[tuple[Word, ...], BeforeValidator(_listed)]


class Hop(_Strict):
    """One step along a path: `back` follows a reference that names us, `to` one that we name, `same` the crosswalk."""

    back: Word | None = None
    to: Word | None = None
    same: Literal["customer"] | None = None
    kind: Words
    role: Word

    @model_validator(mode="after")
    def _one_direction(self) -> Hop:
        if [self.back, self.to, self.same].count(None) != 2:
            raise ValueError(
                "a hop says one of `back: REFERENCE` (records that name it), `to: REFERENCE` (records it names) or"
                " `same: customer` (the records that the crosswalk holds to be the same customer)"
            )
        return self


class Agreement(_Strict):
    """One comparison of a step's record with its anchor: an amount, or a field; tolerances in minor units."""

    field: str
    tolerance: int = 0
    reason: str | None = None


class Step(_Strict):
    """A milestone of a record reached over declared references from the anchor document.

    `take`: the first or last such record, the one whose amount makes the sum `covered`, or `parts`: a single record is complete
    by itself, several are when together they cover the anchor. `grouped`: where the anchor is posted in a group instead.
    """

    name: Word
    title: str
    path: tuple[Hop, ...] = ()
    grouped: tuple[Hop, ...] = ()
    milestone: Words = ("created",)
    state: Words = ()
    not_state: Words = ()
    take: Literal["first", "last", "covered", "parts"] = "first"
    amount: str | None = None
    per_entity: bool = False
    revision: bool = False
    cardinality: int | None = None
    after: str | None = None
    within: Deadline | None = None
    grace: Duration = 0
    agree: tuple[Agreement, ...] = ()
    tolerance: int = 0
    optional: bool = False

    @property
    def kinds(self) -> tuple[str, ...]:
        """Return the kinds of record that reach this step; empty when it is the anchor itself."""
        return (*self.path[-1].kind, *(self.grouped[-1].kind if self.grouped else ())) if self.path else ()


class Anchor(_Strict):
    """The document a flow instance belongs to. `when`: only in these states; `active`: only customers that trade."""

    kind: Words
    role: str
    state: Words = ()
    not_state: Words = ()
    amount: str | None = None
    customer: Literal["sold_to", "bill_to"] = "sold_to"
    withdrawn: Words = ("lost", "cancelled", "voided")
    active: bool = False


class Revisions(_Strict):
    """Where re-opening and amendment show: records of the anchor's own history and the state that starts a revision."""

    path: tuple[Hop, ...]
    state: str


class Split(_Strict):
    """Child records that split an anchor by legal entity, and the amount they carry."""

    path: tuple[Hop, ...]
    amount: str


class Flow(_Strict):
    """A declared business process: an anchor and the steps it must reach."""

    name: str
    title: str
    owner: str | None = None
    anchor: Anchor
    revisions: Revisions | None = None
    split: Split | None = None
    steps: tuple[Step, ...] = Field(min_length=1)

    def step(self, name: str) -> Step:
        """Return a step by name. Errors: DefinitionError."""
        for step in self.steps:
            if step.name == name:
                return step
        raise DefinitionError(f"flow {self.name} has no step {name!r}; it has {', '.join(s.name for s in self.steps)}")

    def role(self, step: Step) -> str:
        """Return the role of the platforms on which a step is reached."""
        return step.path[-1].role if step.path else self.anchor.role

    @property
    def paths(self) -> tuple[tuple[Hop, ...], ...]:
        """Return every path that judging follows."""
        extra = [p.path for p in (self.revisions, self.split) if p is not None]
        grouped = tuple(step.grouped for step in self.steps if step.grouped)
        return tuple(step.path for step in self.steps if step.path) + grouped + tuple(extra)


class Sli(_Strict):
    """What is good among what counts. `within` overrides the step's; `agree`: the records must also agree when due."""

    name: str
    title: str
    kind: Literal["event", "state", "sample"]
    flow: str | None = None
    start: str | None = None
    stop: str | None = None
    within: Deadline | None = None
    agree: bool = False
    attributes: Words = ()
    grace: Duration = 0
    measure: Literal["availability", "freshness"] | None = None
    objective: Ratio
    window: Duration = duration_us("28d")
    calendar_month: bool = False
    min_coverage: Ratio = Fraction(1, 2)
    owner: str | None = None
    provisional: bool = False

    @model_validator(mode="after")
    def _complete(self) -> Sli:
        if not 0 < self.objective < 1:
            raise ValueError("objective is a ratio above 0 and below 1, for example 0.99")
        if self.kind == "event" and not (self.flow and self.start and self.stop):
            raise ValueError("an event SLI needs flow, start and stop (two steps of that flow)")
        if self.within is not None and self.kind != "event":
            raise ValueError("only an event SLI has a deadline of its own; a state SLI has `grace`")
        if self.kind == "state" and not self.flow:
            raise ValueError("a state SLI needs the flow whose anchor and steps it compares")
        if self.kind == "sample" and not self.measure:
            raise ValueError("a sample SLI needs measure: availability or freshness")
        return self


class PostingGroup(_Strict):
    """Which group an n:1 posting puts a document into: a key with {entity}, {currency} and {date} (of `milestone`)."""

    mode: Literal["summary_journal", "consolidated"]
    key: str = Field(pattern=r"^[A-Za-z0-9_.-]+/[a-z_]+/[a-z0-9_]+=.+$")
    milestone: Word = "finalised"


class EntitySettings(_Strict):
    """One legal entity: zone and currency of its books, its business calendar, how each document type is posted in its ERP.

    `posting`: document type → document, not_posted, or a posting group.
    """

    title: str | None = None
    time_zone: Zone = "UTC"
    calendar: str | None = None
    currency: str | None = None
    posting: dict[str, Literal["document", "not_posted"] | PostingGroup] = {}
    watched_since: datetime | None = None


CalendarName = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_-]{0,30}$")]


class MetricsSettings(_Strict):
    """This room's section of tieout.yaml.

    `calendar`: the business calendar of entities that name none. `batches`: platform → the calendar of the batches in which
    documents reach it, or of single entities.
    """

    company: str = "Company"
    entities: dict[str, EntitySettings] = {}
    calendars: dict[CalendarName, CalendarSettings] = {}
    calendar: str | None = None
    batches: dict[str, str | dict[str, str]] = {}
    flows: dict[str, dict[str, Any]] = {}
    slis: dict[str, dict[str, Any]] = {}
    disabled: tuple[str, ...] = ()
    watched_since: datetime | None = None
    owners: dict[str, str] = {}
    identity: IdentitySettings = IdentitySettings()


class PlatformLike(Protocol):
    """What judging needs of a platform."""

    @property
    def name(self) -> str: ...

    @property
    def vendor(self) -> str: ...

    @property
    def roles(self) -> tuple[str, ...]: ...

    def link(self, kind: str, external_id: str) -> str | None: ...


@dataclass(frozen=True)
class Model:
    """Everything that is judged, checked against the platforms there are."""

    company: str
    flows: dict[str, Flow]
    slis: dict[str, Sli]
    entities: dict[str, EntitySettings]
    platforms: dict[str, PlatformLike]
    watched_since_us: int | None
    notes: tuple[str, ...] = ()
    schedules: Schedules = field(default_factory=Schedules)
    identity: IdentitySettings = field(default_factory=IdentitySettings)

    def link(self, platform: str, kind: str, external_id: str) -> str | None:
        """Return the URL of a record in its own platform, or None."""
        known = self.platforms.get(platform)
        return known.link(kind, external_id) if known else None

    def with_role(self, role: str) -> tuple[str, ...]:
        """Return the names of the platforms that hold a role."""
        return tuple(sorted(name for name, p in self.platforms.items() if role in p.roles))

    def zone(self, entity: str) -> str:
        """Return the zone of an entity's books; UTC where none is declared."""
        known = self.entities.get(entity)
        return known.time_zone if known else "UTC"

    def posting(self, entity: str, kind: str) -> str:
        """Return the posting mode of a document type in an entity."""
        group = self.group(entity, kind)
        if group is not None:
            return group.mode
        known = self.entities.get(entity)
        return str(known.posting.get(kind, "document")) if known else "document"

    def group(self, entity: str | None, kind: str) -> PostingGroup | None:
        """Return how documents of a type are grouped when an entity posts them n:1, else None."""
        known = self.entities.get(entity or "")
        found = known.posting.get(kind) if known else None
        return found if isinstance(found, PostingGroup) else None

    def watch_start_us(self, entity: str) -> int | None:
        """Return the declared watch start of an entity, or None: the first complete poll decides."""
        known = self.entities.get(entity)
        if known and known.watched_since:
            return to_us(known.watched_since)
        return self.watched_since_us

    def customer(self, platform: str, external_id: str) -> int:
        """Return the identity of a customer record."""
        return record_id(platform, "customer", external_id)
