"""What does one day of the sandbox company bring, and how does time pass in it? The public face of the simulation."""

import hashlib
import json
import threading
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

from probes.sandbox import (
    batches,
    catalog,
    customers,
    files,
    leads,
    merges,
    opening,
    orders,
    reference,
    sales,
    subscriptions,
    support,
)
from probes.sandbox.clock import DAY_US, SECOND_US, local_us, to_us
from probes.sandbox.entities import ENTITIES, Entity, major
from probes.sandbox.journal import Journal
from probes.sandbox.randoms import office_moment_us
from probes.sandbox.records import ERP_CLERK, erp_delete, erp_insert
from probes.sandbox.world import Row, World

_FROM_LEADS, _PAUSES_A_DAY = 0.25, 1
_DEALS_A_DAY, _ACCOUNTS_A_DAY, _TICKETS_A_DAY, _CHANGES_A_DAY = 36, 8, 24, 3
_WEEKEND = 0.12
_PLATFORMS = ("salesforce", "stripe", "netsuite", "zendesk", "n8n")


class Company:
    """The simulated company: `advance_to` makes time pass, `world` is what is then true.

    `start_at` is the first instant after the observed history of `history_days`. The same seed gives the same bytes,
    however the way to an instant is cut into steps. `lock` guards the world against concurrent requests.
    """

    def __init__(
        self, seed: int, start_at: datetime, history_days: int = 30, scale: float = 1.0, data_dir: Path | None = None
    ) -> None:
        if history_days < 1 or scale <= 0:
            raise ValueError("history_days must be >= 1 and scale > 0")
        self.start_us = to_us(start_at)
        self.start_us -= self.start_us % SECOND_US
        history_from_us = self.start_us - history_days * DAY_US
        begin_us = history_from_us - (opening.STOCK_DAYS + 1) * DAY_US
        self.world = World(seed, begin_us, history_from_us, scale)
        self.data_dir = data_dir
        self.lock = threading.RLock()
        self._export = files.start(self.world, data_dir) if data_dir else None
        opening.lay_out(self.world)
        first_day = datetime.fromtimestamp(history_from_us / 1e6, UTC).date()
        self.world.at(history_from_us, lambda: self._plan_day(first_day))

    @property
    def journal(self) -> Journal:
        """Return the ground truth so far."""
        return self.world.journal

    def advance_to(self, instant: datetime | int) -> None:
        """Let everything happen that is due up to an instant; an instant already passed changes nothing."""
        until_us = instant if isinstance(instant, int) else to_us(instant)
        with self.lock:
            if until_us > self.world.now_us:
                self.world.run_until(until_us)
            if self._export is not None:
                self._export.flush(self.world)

    def run_history(self) -> None:
        """Live through the whole history, up to the start."""
        self.advance_to(self.start_us)

    def digest(self) -> str:
        """Fingerprint all tables of all platforms and the journal."""
        whole: dict[str, Any] = {
            "entries": self.journal.entries,
            "milestones": self.journal.milestones,
            "log": self.world.log,
        }
        for name in (*_PLATFORMS, "queues"):
            tables = getattr(self.world, name)
            whole[name] = {table: list(rows.values()) for table, rows in tables.items()}
        return hashlib.sha256(json.dumps(whole, default=str, sort_keys=True).encode()).hexdigest()

    def counts(self) -> dict[str, dict[str, int]]:
        """Count the rows of every table of every platform."""
        platforms = {name: getattr(self.world, name) for name in _PLATFORMS}
        return {name: {table: len(rows) for table, rows in tables.items()} for name, tables in platforms.items()}

    def _plan_day(self, day: date) -> None:
        """Draw what a calendar day brings to every entity; runs at the first instant of the day UTC."""
        world = self.world
        orders.close_periods(world)
        batches.plan_day(world, day)
        reference.live_a_day(world, str(day))
        for entity in ENTITIES:
            _plan_entity_day(world, entity, day)
            merges.live_a_day(world, entity, f"{entity.code}/{day}")
        if self._export is not None:
            export = self._export
            world.at(local_us(day, "UTC", 2), lambda: export.snapshot_accounts(world))
        tomorrow = day + timedelta(days=1)
        world.at(max(local_us(tomorrow, "UTC", 0), world.now_us + 1), lambda: self._plan_day(tomorrow))


def _plan_entity_day(world: World, entity: Entity, day: date) -> None:
    rng = world.rng("day", entity.code, day)
    weight = entity.share * world.scale * (_WEEKEND if day.weekday() >= 5 else 1.0)

    def moments(rate: float) -> list[int]:
        count = int(rate * weight) + (rng.random() < rate * weight % 1)
        # one local day ahead, so that no moment lies before the planning instant in any zone
        return [office_moment_us(rng, day + timedelta(days=1), entity.zone) for _ in range(count)]

    for number, when in enumerate(moments(_ACCOUNTS_A_DAY)):
        world.at(when, lambda k=f"{entity.code}/{day}/{number}": _new_account(world, entity, k))  # type: ignore[misc]
    for number, when in enumerate(moments(_DEALS_A_DAY)):
        world.at(when, lambda k=f"{entity.code}/{day}/{number}": _new_deal(world, entity, k))  # type: ignore[misc]
    for number, when in enumerate(moments(_TICKETS_A_DAY)):
        world.at(when, lambda k=f"{entity.code}/{day}/{number}": _new_ticket(world, entity, k))  # type: ignore[misc]
    for number, when in enumerate(moments(_CHANGES_A_DAY)):
        world.at(when, lambda k=f"{entity.code}/{day}/{number}": _change_account(world, entity, k))  # type: ignore[misc]
    for when in moments(1):
        world.at(when, lambda: _quote(world, entity))
    for when in moments(_PAUSES_A_DAY):
        world.at(when, lambda: _pause_one(world, entity))


def _new_account(world: World, entity: Entity, key: str) -> None:
    rng = world.rng("new-account", key)
    draw = rng.random()
    if draw < 0.04:
        customers.create(world, key, entity, test=True)
        return
    parent = rng.choice(world.customers[entity.code]) if draw < 0.10 else None
    if parent is not None and parent.billed_through is not None:
        parent = parent.billed_through
    customers.create(world, key, entity, parent=parent)


def _new_deal(world: World, entity: Entity, key: str) -> None:
    rng = world.rng("new-deal", key)
    customer = rng.choice(world.customers[entity.code])

    def begin() -> str:
        deal = sales.draw_deal(world, key, customer)
        sales.run_course(world, deal)
        return deal.id

    if rng.random() < _FROM_LEADS:
        lead = leads.nurture(world, key, entity, lambda: leads.convert(world, lead, customer, begin()))
    else:
        begin()


def _pause_one(world: World, entity: Entity) -> None:
    """Let a customer pause a subscription for some days."""
    rng = world.rng("pause", entity.code, world.now_us)
    live = [
        s
        for d in world.deals.values()
        for s in d.subscriptions.values()
        if s.entity is entity and s.live and not s.plan
    ]
    if live:
        subscription = rng.choice(live)
        subscriptions.pause(world, subscription)
        world.after(rng.uniform(3, 20) * 86_400, lambda: subscriptions.resume(world, subscription))


def _new_ticket(world: World, entity: Entity, key: str) -> None:
    support.open_ticket(world, key, world.rng("new-ticket", key).choice(world.customers[entity.code]))


def _change_account(world: World, entity: Entity, key: str) -> None:
    customer = world.rng("change-account", key).choice(world.customers[entity.code])
    if customer.stripe and customer.netsuite:
        customers.change_attributes(world, customer, key, **customers.drawn_change(world, customer, key))


def _quote(world: World, entity: Entity) -> None:
    """Let a clerk key a quote by hand; half of them are deleted the next day."""
    rng = world.rng("quote", entity.code, world.now_us)
    payer = next(
        (row for row in world.netsuite["customer"].values() if row["subsidiary"] == entity.subsidiary_id), None
    )
    if payer is None:
        return
    row: Row = {
        "type": "Estimate",
        "status": "A",
        "tranid": f"EST{1000 + world.next_number('netsuite.Estimate')}",
        "posting": "F",
    }
    net = major(catalog.PRODUCTS[0].monthly_eur_minor, entity.currency)
    row |= {"memo": None, "foreigntotal": net, "netamount": net, "approvalstatus": 2} | orders.document(
        world, entity, payer, entity.currency
    )
    quote = erp_insert(world, "transaction", row, ERP_CLERK)
    if rng.random() < 0.5:
        world.after(rng.uniform(3600, 86_400), lambda: erp_delete(world, "transaction", quote, "Estimate"))
