"""What is the state of the sandbox company and what happens next? The kernel: tables, agenda, chance; no business."""

import heapq
import random
from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from probes.sandbox.clock import SECOND_US, local_date
from probes.sandbox.entities import Entity
from probes.sandbox.journal import Entry, Journal, Milestone
from probes.sandbox.randoms import stream

Row = dict[str, Any]
Tables = dict[str, dict[Any, Row]]
Action = Callable[[], object]
NETSUITE_ZONE = "America/Los_Angeles"
INJECTED = "fault/"  # how the keys of what a fault created begin


@dataclass
class Customer:
    """One account and where it exists so far."""

    key: str
    account: Row
    entity: Entity
    tax_rate_e5: int
    stripe: dict[str, Row] = field(default_factory=dict)  # currency -> customer
    netsuite: dict[str, Row] = field(default_factory=dict)  # entity code -> customer
    organization: Row | None = None
    billed_through: "Customer | None" = None
    erp_block: Entry | None = None  # the journal entry of the fault that keeps it out of the ERP
    erp_stale: Entry | None = None  # the journal entry of the fault that keeps its attributes from the ERP
    billing_stale: Entry | None = None  # the same for billing
    scope_blocks: dict[str, Entry] = field(default_factory=dict)  # entity code -> what keeps it out of that one only
    blocked: list[Action] = field(default_factory=list)
    parent: "Customer | None" = None  # who owns it, by the CRM
    contact: Row | None = None  # its user at the support desk
    entitlement: Row | None = None  # the first it was granted
    failing: set[str] = field(default_factory=set)  # invoices whose payment has failed for good
    plan: dict[str, Any] = field(default_factory=dict)  # how which step shall fail

    @property
    def id(self) -> str:
        """Return the account id."""
        return str(self.account["Id"])


@dataclass(frozen=True)
class Line:
    """One product line of a deal: annual price per unit in minor units."""

    product: str
    quantity: int
    unit_minor: int
    entity: str
    row_id: str

    @property
    def total_minor(self) -> int:
        """Return the annual net of the line."""
        return self.quantity * self.unit_minor


@dataclass
class Deal:
    """One opportunity on its way."""

    key: str
    row: Row
    customer: Customer
    bill_to: Customer
    currency: str
    lines: list[Line]
    collection: str = "charge_automatically"
    won: bool = False
    won_us: int = 0
    orders: dict[str, Row] = field(default_factory=dict)  # entity code -> sales order
    order_revisions: dict[str, int] = field(default_factory=dict)
    subscriptions: dict[str, "Subscription"] = field(default_factory=dict)
    plan: dict[str, Any] = field(default_factory=dict)  # how which step shall fail
    missing: dict[str, Entry] = field(default_factory=dict)  # entity code -> truth about its missing order
    quote: Row | None = None
    contract: Row | None = None
    schedules: dict[str, Row] = field(default_factory=dict)  # entity code -> revenue plan

    @property
    def id(self) -> str:
        """Return the opportunity id."""
        return str(self.row["Id"])

    @property
    def entities(self) -> list[str]:
        """List the entities that deliver, in order of first line."""
        return list(dict.fromkeys(line.entity for line in self.lines))

    def net_minor(self, entity: str | None = None) -> int:
        """Sum the lines, optionally of one entity."""
        return sum(line.total_minor for line in self.lines if entity in (None, line.entity))


@dataclass
class Subscription:
    """One Stripe subscription and what it bills."""

    key: str
    row: Row
    deal: Deal
    entity: Entity
    cycle: int = 0
    live: bool = True
    entitlement: Row | None = None
    plan: dict[str, Any] = field(default_factory=dict)


@dataclass
class Invoice:
    """One Stripe invoice and its postings."""

    key: str
    row: Row
    subscription: Subscription
    customer: Customer
    entity: Entity
    erp: Row | None = None
    plan: dict[str, Any] = field(default_factory=dict)
    missing: Entry | None = None
    waiting: list[Action] = field(default_factory=list)
    credited: bool = False

    @property
    def id(self) -> str:
        """Return the Stripe id."""
        return str(self.row["id"])

    @property
    def currency(self) -> str:
        """Return the ISO code in upper case."""
        return str(self.row["currency"]).upper()


@dataclass
class World:
    """Everything the company knows, its agenda, and its source of chance."""

    seed: int
    now_us: int
    history_from_us: int
    scale: float = 1.0
    salesforce: Tables = field(default_factory=lambda: defaultdict(dict))
    stripe: Tables = field(default_factory=lambda: defaultdict(dict))
    netsuite: Tables = field(default_factory=lambda: defaultdict(dict))
    zendesk: Tables = field(default_factory=lambda: defaultdict(dict))
    n8n: Tables = field(default_factory=lambda: defaultdict(dict))
    queues: dict[str, dict[str, Row]] = field(default_factory=dict)  # queue -> message id -> message
    queue_counts: dict[str, dict[str, int]] = field(default_factory=dict)
    stalled: set[str] = field(default_factory=set)  # queues that nobody consumes
    log: list[Row] = field(default_factory=list)
    conditions: dict[str, list[Row]] = field(default_factory=lambda: defaultdict(list))  # platform -> what ails it
    journal: Journal = field(default_factory=Journal)
    customers: dict[str, list[Customer]] = field(default_factory=lambda: defaultdict(list))  # the pool, per entity
    resellers: list[Customer] = field(default_factory=list)
    deals: dict[str, Deal] = field(default_factory=dict)
    invoices: dict[str, Invoice] = field(default_factory=dict)
    cases: dict[int, Row] = field(default_factory=dict)  # ticket -> its case in the CRM
    periods: dict[str, list[Row]] = field(default_factory=dict)  # fiscal calendar -> its periods in order
    nights: dict[str, Any] = field(default_factory=dict)  # entity and business day -> its batch
    repairs: dict[int, Action] = field(default_factory=dict)  # journal entry id -> what mends it
    skews_us: dict[str, int] = field(default_factory=dict)  # platform -> by how much its clock is ahead
    products: list[Any] = field(default_factory=list)  # launched since the beginning, beside the catalogue
    counters: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    _agenda: list[tuple[int, int, Action]] = field(default_factory=list)
    _sequence: int = 0

    def next_number(self, name: str, key: str = "") -> int:
        """Count up a named sequence, from 1; what an injected fault creates has a range of its own."""
        injected = key.startswith(INJECTED)
        lane = f"{name}/injected" if injected else name
        self.counters[lane] += 1
        return self.counters[lane] + (900_000 if injected else 0)

    def rng(self, *key: object) -> random.Random:
        """Return the generator of one named step."""
        return stream(self.seed, *key)

    def at(self, when_us: int, action: Action) -> None:
        """Put an action on the agenda; what is due already happens next."""
        self._sequence += 1
        heapq.heappush(self._agenda, (max(when_us, self.now_us), self._sequence, action))

    def after(self, seconds: float, action: Action) -> None:
        """Put an action on the agenda a while from now."""
        self.at(self.now_us + int(seconds * SECOND_US), action)

    def run_until(self, until_us: int) -> None:
        """Take every step that is due up to and including an instant."""
        agenda = self._agenda
        while agenda and agenda[0][0] <= until_us:
            self.now_us, _, action = heapq.heappop(agenda)
            action()
        self.now_us = max(self.now_us, until_us)

    def in_history(self) -> bool:
        """Tell whether the observed history has begun; before it the opening stock is laid out silently."""
        return self.now_us >= self.history_from_us

    def clock_us(self, platform: str) -> int:
        """Return what a platform's own clock shows."""
        return self.now_us + self.skews_us.get(platform, 0)

    def today(self, entity: Entity) -> date:
        """Return the business date in an entity's zone."""
        return local_date(self.now_us, entity.zone)

    def milestone(self, kind: str, subject: tuple[str, str, str], entity: str | None = None) -> None:
        """Write down that a normal step was taken."""
        if self.in_history():
            self.journal.milestones.append(Milestone(kind, *subject, self.now_us, entity))

    def silent(
        self, fault: str, kind: str, subject: tuple[str, str, str], note: str, entity: str | None = None
    ) -> Entry:
        """Write down something normal that must not raise a finding."""
        return self.journal.write(
            kind,
            subject,
            fault=fault,
            money_minor=None,
            currency=None,
            started_us=self.now_us,
            due_us=None,
            true_from_us=self.now_us,
            repaired_us=self.now_us,
            entity=entity,
            note=note,
        )


def run_all(actions: list[Action]) -> None:
    """Run and empty a list of parked actions."""
    parked: Iterable[Action] = list(actions)
    actions.clear()
    for action in parked:
        action()
