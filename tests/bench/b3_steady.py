"""B3: does a cycle cost what changed, or what is stored? The same 1,000 changes are judged beside little and beside much.

Among them: a customer with 100,000 documents is renamed, two customers of 10,000 are merged, a tax code that everything names
changes, and a payment over 5,000 invoices is booked. Stores differ only in how much else they hold.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from metrics.intake import Landed, Source, land
from metrics.judge import judge
from metrics.keys import key_id, stream_id
from metrics.rebuild import rebuild
from metrics.store import Store
from metrics.touching import Toucher
from probes.clock import DAY, MINUTE
from probes.probe import Page
from probes.record import Record, Reference, key

from .bulk import PER_ORDER, TAX_CODE, Filling, company_store, document_key, external_id
from .invoices import ENTITIES
from .measure import Taken, alternate, in_child, taking
from .report import Result, slower
from .stage import NOW_US, company

HOT, STORED = 125_000, (1_000_000, 5_000_000)
BOUGHT, MERGED, PAID, CHANGED = 100_000, 10_000, 5_000, 996
SEED = 7


def run(scale: float, rounds: int) -> list[Result]:
    """Measure one cycle beside each size of store."""
    hot = max(500, int(HOT * scale) // PER_ORDER)
    sizes = [hot * PER_ORDER, *(max(hot * PER_ORDER, int(count * scale)) for count in STORED)]
    with tempfile.TemporaryDirectory() as folder:
        paths = {size: str(Path(folder, f"{size}.sqlite")) for size in sizes}
        for size, path in paths.items():
            in_child(prepare, path=path, hot=hot, cold=size // PER_ORDER - hot, scale=scale)
        works = {str(size): partial(in_child, cycle, path=path, hot=hot, scale=scale) for size, path in paths.items()}
        taken = alternate(rounds, works)
    cpu = {size: [t.cpu for t in taken[str(size)]] for size in sizes}
    judged = taken[str(sizes[0])][0].value
    return [
        slower("B3", f"cycle, {size:,} records", "CPU s", cpu[size], f"with {sizes[0]:,}", cpu[sizes[0]], 1.3, **judged)
        for size in sizes[1:]
    ]


def prepare(path: str, hot: int, cold: int, scale: float) -> Taken:
    """Make a store of hot orders, which the cycles change, and cold ones beside them; judge it."""
    bought, merged = (int(n * scale) // PER_ORDER for n in (BOUGHT, MERGED))
    owned = (("big", bought), ("one", merged), ("two", merged))
    with taking() as taken:
        company_store(
            Path(path),
            Filling(hot, seed=SEED, versions=True, hashed=True, owned=owned),
            Filling(cold, seed=SEED + 1, versions=True),
        )
        store, model = Store.open(f"sqlite:///{path}"), company()
        toucher = Toucher(model)
        for turn in range(2):
            for platform, kind, records in changes(turn, hot, scale):
                _land(store, toucher, platform, kind, records, NOW_US - DAY + turn * MINUTE)
        rebuild(store, model, NOW_US, heads=False)
        judge(store, model, NOW_US)
        store.close()
    return taken


def cycle(path: str, hot: int, scale: float) -> Taken:
    """Land and judge 1,000 changes, twice: the second time everything is warm, as in a process that stays, and is measured."""
    store, model = Store.open(f"sqlite:///{path}"), company()
    toucher = Toucher(model)
    with store.read() as conn:
        turn = int(
            conn.exec_driver_sql(f"SELECT COUNT(*) FROM version WHERE record_id = {key_id(TAX_CODE)}").scalar_one()
        )
    for again in range(2):
        pages = list(changes(turn + again, hot, scale))
        with taking() as taken:
            for platform, kind, records in pages:
                _land(store, toucher, platform, kind, records, NOW_US + (turn + again) * MINUTE)
            judged = judge(store, model, NOW_US + (turn + again) * MINUTE)
    store.close()
    changed = sum(len(records) for _, _, records in pages)
    taken.value = {"changed": changed, "subjects": judged.subjects}
    return taken


def _land(store: Store, toucher: Toucher, platform: str, kind: str, records: list[Record], at_us: int) -> None:
    source = Source(stream_id(platform, kind), platform, NOW_US)
    with store.write() as conn:
        land(conn, Page(records, {}, at_us), source, toucher, Landed())


def changes(turn: int, hot: int, scale: float) -> Iterator[tuple[str, str, list[Record]]]:
    """Yield what changes in one turn, as (platform, kind, records)."""
    at = NOW_US + turn * MINUTE
    yield "crm", "customer", _customers("crm", turn, at)
    if turn == 0:
        yield "billing", "customer", _customers("billing", turn, at)
        yield "erp", "customer", _customers("erp", turn, at)
    yield "erp", "tax_code", [Record("tax_code", "STANDARD", at, NOW_US - 900 * DAY, attributes={"rate": f"19.{turn}"})]
    each = min(int(CHANGED * scale), hot) // 3
    start = hot - each
    for platform, kind, what in (
        ("crm", "opportunity", "opportunity"),
        ("erp", "order", "order"),
        ("erp", "invoice", "posting"),
    ):
        yield platform, kind, [_document(what, kind, n, turn, at) for n in range(start, hot) if n % 100 != 1]
    paid = [n for n in range(int(PAID * scale)) if n % 100 != 1]
    applied = tuple(Reference("applies", document_key("posting", SEED, n), 100 + turn, "EUR") for n in paid)
    yield (
        "erp",
        "payment",
        [Record("payment", f"P{turn}", at, at, currency="EUR", state="succeeded", references=applied)],
    )


def _customers(platform: str, turn: int, at: int) -> list[Record]:
    """Return the renamed customer, and the one that is merged into another and parted from it turn by turn."""
    other = () if platform == "crm" else ("about",)
    found = []
    for name in ("big", "one", "two") if turn == 0 else ("big", "two"):
        refs = tuple(Reference(kind, key("crm", "customer", "id", name)) for kind in other)
        if platform == "crm" and name == "two" and turn % 2:
            refs = (Reference("merged_into", key("crm", "customer", "id", "one")),)
        shown: dict[str, str | None] = {"name": f"{name} {turn}", "tax_id": name}
        found.append(Record("customer", name, at, NOW_US - 400 * DAY, entity="DE", attributes=shown, references=refs))
    return found


_NAMES = {"opportunity": ("fulfils", None), "order": ("fulfils", "opportunity"), "posting": ("posts", "invoice")}


def _document(what: str, kind: str, n: int, turn: int, at: int) -> Record:
    reference, target = _NAMES[what]
    net = 10_000 + n % 977 + (turn if what == "order" else 0)
    won = what == "opportunity"
    return Record(
        kind, external_id(what, SEED, n), at, NOW_US - 3 * DAY, entity=ENTITIES[n % 3], currency="EUR", number=f"{what}-{turn}-{n}",
        status="Closed Won" if won else "B", state="won" if won else "open",
        amounts={"net": net, "tax": net * 19 // 100, "gross": net * 119 // 100},
        milestones={"won": (NOW_US - 3 * DAY, NOW_US - 3 * DAY)} if won else {},
        references=(Reference(reference, document_key(target, SEED, n)),) if target else (),
    )  # fmt: skip
