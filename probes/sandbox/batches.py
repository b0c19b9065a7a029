"""What runs every night? Summary and revenue journals per entity, with the control totals of each run; one business day each."""

from dataclasses import dataclass, field
from datetime import date, timedelta

from probes.sandbox import executions
from probes.sandbox.clock import MINUTE_US, SECOND_US, local_us
from probes.sandbox.entities import CURRENCY_IDS, ENTITIES, Entity, exchange_rate, major
from probes.sandbox.orders import open_period, write_lines
from probes.sandbox.records import erp_insert, erp_update
from probes.sandbox.world import Action, Row, World

OPENS, CLOSES = (0, 15), (4, 0)  # local times of the batch window
GRACE_US = 60 * MINUTE_US
REVENUE, SUMMARY = "REV", "SUM"
_LONG_MINUTES = (36, 55)


@dataclass(frozen=True)
class Member:
    """One document of a batch."""

    external_id: str
    net_minor: int
    tax_minor: int
    currency: str


@dataclass
class Night:
    """The batch of one entity and business day: what it has to carry, and how it shall fail."""

    entity: Entity
    on: date
    members: dict[str, list[Member]] = field(default_factory=dict)  # kind -> documents
    plan: dict[str, object] = field(default_factory=dict)
    dropped: set[str] = field(default_factory=set)  # documents that the load shall lose
    run: Row | None = None
    journals: list[Row] = field(default_factory=list)
    tells: list[Action] = field(default_factory=list)  # what faults have to say when it is done

    @property
    def name(self) -> str:
        """Return the name under which the journal and the runtime know it."""
        return f"{workflow(self.entity)}/{self.entity.code}/{self.on}"


def workflow(entity: Entity) -> str:
    """Return the workflow that runs an entity's batch."""
    return "summary" if entity.posting_mode == "summary_journal" else "revenue"


def night(world: World, entity: Entity, on: date) -> Night:
    """Return the batch of a business day, planning it when it is the first time; it runs in the following night."""
    key = f"{entity.code}/{on}"
    found = world.nights.get(key)
    if found is None:
        found = world.nights[key] = Night(entity, on)
        world.at(starts_us(found), lambda: _start(world, found))
    return found


def starts_us(batch: Night) -> int:
    """Return when a batch starts normally."""
    return local_us(batch.on + timedelta(days=1), batch.entity.zone, 0, 30)


def window_end_us(batch: Night) -> int:
    """Return the end of the window in which a batch has to be finished."""
    return local_us(batch.on + timedelta(days=1), batch.entity.zone, *CLOSES)


def add(world: World, entity: Entity, kind: str, member: Member) -> None:
    """Put a document of today into tonight's batch."""
    batch = night(world, entity, world.today(entity))
    batch.members.setdefault(kind, []).append(member)


def _start(world: World, batch: Night) -> None:
    if "skipped" in batch.plan:
        return
    delay = batch.plan.pop("delay_us", None)
    if isinstance(delay, int):
        world.at(world.now_us + delay, lambda: _start(world, batch))
        return
    run(world, batch)


def run(world: World, batch: Night) -> None:
    """Post the journals of a batch and report what went in and out when it is done."""
    if batch.run is not None:
        return
    rng = world.rng("batch", batch.name)
    entity = batch.entity
    data = {"batch": workflow(entity), "legal_entity": entity.code, "business_date": str(batch.on)}
    batch.run = executions.begin(world, workflow(entity), data, node="Load") if world.in_history() else {}
    month_end = (batch.on + timedelta(days=1)).day == 1
    minutes = rng.uniform(*_LONG_MINUTES) if month_end or "long" in batch.plan else rng.uniform(4, 30)
    if month_end or "long" in batch.plan:
        subject = ("n8n", "batch", batch.name)
        world.silent(
            "N15", "long_batch", subject, f"month-end load, {minutes:.0f} minutes, inside its window", entity.code
        )
    ends = batch.plan.get("ends_us")
    normally_us = world.now_us + int(minutes * 60) * SECOND_US
    world.at(ends if isinstance(ends, int) else normally_us, lambda: _finish(world, batch))


def _finish(world: World, batch: Night) -> None:
    totals: dict[str, dict[str, int]] = {}
    for kind, members in batch.members.items():
        for currency in sorted({m.currency for m in members}):
            mine = [m for m in members if m.currency == currency]
            loaded = [m for m in mine if m.external_id not in batch.dropped]
            journal = post(world, batch, kind, currency, loaded)
            batch.journals.append(journal)
            totals[f"{kind}-{currency}"] = {
                "source_count": len(mine), "source_sum": sum(m.net_minor + m.tax_minor for m in mine),
                "target_count": len(loaded), "target_sum": sum(m.net_minor + m.tax_minor for m in loaded),
            }  # fmt: skip
    if batch.run:
        for key, sums in totals.items():
            batch.run["customData"] |= {f"{key}:{name}": str(value) for name, value in sums.items()}
        executions.end(world, batch.run)
        world.milestone("batch_done", ("n8n", "batch", batch.name), batch.entity.code)
    for tell in batch.tells:
        tell()


def correct(world: World, batch: Night, kind: str, currency: str) -> None:
    """Set a journal that lost documents, or was altered, to what all documents of its day sum up to."""
    members = [m for m in batch.members[kind] if m.currency == currency]
    net, tax = sum(m.net_minor for m in members), sum(m.tax_minor for m in members)
    key = journal_key(batch, kind, currency)
    journal = next(row for row in batch.journals if row["externalid"] == key)
    amounts = (major(net + tax, currency), major(-net, currency), major(-tax, currency))
    for number, amount in enumerate(amounts):
        world.netsuite["transactionline"][(journal["id"], number)]["foreignamount"] = amount
    totals: Row = {"foreigntotal": amounts[0], "netamount": -amounts[1], "taxtotal": -amounts[2]}
    erp_update(
        world, "transaction", journal, **totals, memo=f"{journal['memo']}, corrected to {len(members)} documents"
    )


def journal_key(batch: Night, kind: str, currency: str) -> str:
    """Return the external id of the journal of one kind and currency."""
    return f"{kind}-{batch.entity.code}-{currency}-{batch.on}"


def post(world: World, batch: Night, kind: str, currency: str, members: list[Member]) -> Row:
    """Post one journal for all documents of a day; which they were is not written into it."""
    entity, on = batch.entity, batch.on
    key = journal_key(batch, kind, currency)
    net, tax = sum(m.net_minor for m in members), sum(m.tax_minor for m in members)
    what = {"SUM": "invoices", "PAY": "payments", "REV": "revenue"}[kind]
    memo = f"Daily {what} {entity.code} {currency} {on}: {len(members)} documents"
    journal = erp_insert(world, "transaction", {
        "type": "Journal", "status": "A", "tranid": f"JE{10_000 + world.next_number('netsuite.Journal')}", "externalid": key,
        "otherrefnum": None, "entity": None, "subsidiary": entity.subsidiary_id, "currency": CURRENCY_IDS[currency],
        "exchangerate": exchange_rate(currency, entity.currency), "trandate": on,
        "postingperiod": open_period(world, entity, on), "foreigntotal": major(net + tax, currency),
        "netamount": major(net, currency), "taxtotal": major(tax, currency), "posting": "T", "approvalstatus": 2,
        "voided": "F", "memo": memo,
    })  # fmt: skip
    lines: list[tuple[str, int, str | None, int | None, int]] = [
        ("T", 0, None, None, net + tax), ("F", 1, None, None, -net), ("F", 2, None, None, -tax),
    ]  # fmt: skip
    write_lines(world, journal, entity, currency, lines)
    accounts = {"SUM": (1100, 4000, 2200), "PAY": (2400, 1100, 2200), "REV": (2400, 4000, 2200)}[kind]
    for number, (text, account) in enumerate(zip((memo, f"{memo}, net", f"{memo}, tax"), accounts, strict=True)):
        world.netsuite["transactionline"][(journal["id"], number)].update(memo=text, account=account)
    world.milestone("summary_posted", ("netsuite", "Journal", key), entity.code)
    if kind == "SUM":
        subject = ("netsuite", "Journal", key)
        world.silent("N10", "summary_posting", subject, f"{len(members)} invoices in one journal", entity.code)
    return journal


def plan_day(world: World, day: date) -> None:
    """Make sure that every entity has a batch for a day, with documents or without."""
    for entity in ENTITIES:
        night(world, entity, day)
