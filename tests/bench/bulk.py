"""What does a company with many orders look like once it is stored? Rows written straight into the tables, in key order.

Per order an opportunity (crm), a subscription and an invoice (billing), an order and the invoice's posting (erp). Identities are
random as hashes are; of a hundred orders one is missing in the ERP, one late and one of another amount.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import repeat
from pathlib import Path
from typing import Any

import numpy as np
from sqlalchemy.dialects import sqlite
from sqlalchemy.schema import CreateIndex

from metrics.keys import customer_id, key_id, stream_id
from metrics.store import Store
from metrics.tables import metadata
from probes.clock import DAY, HOUR, MINUTE
from probes.record import key

from .invoices import ENTITIES
from .stage import COMPANY, NOW_US, add_streams

PER_ORDER = 5
FILLED = ("record", "version", "milestone", "reference", "crosswalk", "scope")
FROM_US = NOW_US - 100 * DAY
SPREAD_US = 97 * DAY
PLACES = {
    "opportunity": "crm", "subscription": "billing", "invoice": "billing", "order": "erp", "posting": "erp",
}  # fmt: skip
LINKS = (
    ("order", "fulfils", "opportunity"),
    ("subscription", "fulfils", "opportunity"),
    ("invoice", "bills", "subscription"),
    ("posting", "posts", "invoice"),
)
CUSTOMERS = 20_000
TAX_CODE = key("erp", "tax_code", "id", "STANDARD")
_BIG = 2**62


@dataclass(frozen=True)
class Filling:
    """A number of orders. `hashed`: identities are those intake would give, so that later pages can name the documents;

    `owned`: (customer, orders) for the first orders; all others spread over many customers.
    """

    orders: int
    seed: int = 7
    versions: bool = False
    hashed: bool = False
    owned: tuple[tuple[str, int], ...] = ()


def company_store(path: Path, *fillings: Filling) -> None:
    """Make a store with these orders, streams complete up to now, nothing judged yet."""
    store = Store.open(f"sqlite:///{path}")
    for platform, (_, kinds) in COMPANY.items():
        add_streams(store, platform, kinds)
    store.close()
    raw = sqlite3.connect(path, isolation_level=None)
    raw.execute("PRAGMA synchronous=OFF")
    raw.execute("PRAGMA cache_size=-262144")
    with without_indexes(raw):
        raw.execute("BEGIN")
        _crosswalk(raw)
        for filling in fillings:
            fill(raw, filling)
        raw.execute("COMMIT")
    raw.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    raw.close()


class without_indexes:  # noqa: N801 # reads as a statement
    """Drop the secondary indexes of the tables to be filled and make them again after: sorting once beats inserting."""

    def __init__(self, raw: sqlite3.Connection) -> None:
        self.raw = raw
        self.indexes = [index for name in FILLED for index in metadata.tables[name].indexes]

    def __enter__(self) -> None:
        for index in self.indexes:
            self.raw.execute(f"DROP INDEX {index.name}")

    def __exit__(self, *error: object) -> None:
        for index in self.indexes:
            self.raw.execute(str(CreateIndex(index).compile(dialect=sqlite.dialect())))


def _owners() -> dict[str, Any]:
    """Return the customers of each platform, the n-th of one being the n-th of the others."""
    return {p: identities(np.random.default_rng(1), CUSTOMERS) + at for at, p in enumerate(("crm", "billing", "erp"))}


def _crosswalk(raw: sqlite3.Connection) -> None:
    for mine in _owners().values():
        put(raw, "crosswalk", {"record_id": mine, "customer_id": _owners()["crm"], "evidence": "reference"})
    for entity in ENTITIES:
        streams = [stream_id(platform, _SHOWN[what][0]) for what, platform in PLACES.items()]
        put(raw, "scope", {"stream_id": streams, "entity": entity, "first_us": FROM_US})


def fill(raw: sqlite3.Connection, filling: Filling) -> None:
    """Write the rows of so many orders."""
    orders, seed, owners = filling.orders, filling.seed, _owners()
    random = np.random.default_rng(seed)
    ids = {what: _hashed(what, seed, orders) if filling.hashed else identities(random, orders) for what in PLACES}
    n = np.arange(orders)
    won = FROM_US + n * (SPREAD_US // max(orders, 1))
    fate = n % 100
    kept = fate != 1
    net = 10_000 + n % 977
    at = {"opportunity": won, "subscription": won + 10 * MINUTE, "invoice": won + HOUR, "posting": won + 3 * HOUR}
    at["order"] = np.where(fate == 2, won + 6 * HOUR, won + HOUR)
    amount = dict.fromkeys(PLACES, net) | {"order": np.where(fate == 3, net + 500, net)}
    for what, platform in PLACES.items():
        some = kept if what in ("order", "posting") else np.ones(orders, dtype=bool)
        owner = _owned(owners[platform][n % CUSTOMERS], platform, filling)
        _records(raw, what, filling, n[some], ids[what][some], at[what][some], amount[what][some], owner[some])
    for source, kind, target in LINKS:
        _references(raw, source, kind, target, seed, n[kept] if source in ("order", "posting") else n, ids)
    tax_code = {"kind": "about", "to_id": key_id(TAX_CODE), "line": "", "to_key": TAX_CODE}
    put(raw, "reference", {"record_id": ids["posting"][kept], **tax_code})


def external_id(what: str, seed: int, n: int) -> str:
    """Return the platform's id of a document of the n-th order."""
    return f"{seed}-{what[0]}{n}"


def document_key(what: str, seed: int, n: int) -> str:
    """Return the key of a document of the n-th order."""
    return key(PLACES[what], _SHOWN[what][0], "id", external_id(what, seed, n))


def _hashed(what: str, seed: int, orders: int) -> Any:
    return np.array([key_id(document_key(what, seed, n)) for n in range(orders)], dtype=np.int64)


def _owned(owner: Any, platform: str, filling: Filling) -> Any:
    start = 0
    for name, count in filling.owned:
        owner[start : start + count] = customer_id(platform, name)
        start += count
    return owner


def identities(random: np.random.Generator, count: int) -> np.ndarray[Any, Any]:
    """Return so many different identities, spread as hashes are, in ascending order and in the order of the orders."""
    gaps = random.integers(1, _BIG // max(count, 1), size=count, dtype=np.int64)
    return np.cumsum(gaps)


_SHOWN = {
    "opportunity": ("opportunity", "won", "Closed Won", ("won", "state:won")),
    "subscription": ("subscription", "active", "active", ("activated", "state:active")),
    "invoice": ("invoice", "open", "open", ("finalised", "state:open")),
    "order": ("order", "open", "B", ("state:open",)),
    "posting": ("invoice", "open", "A", ("posted", "state:open")),
}


def _records(
    raw: sqlite3.Connection, what: str, filling: Filling, n: Any, ids: Any, at: Any, net: Any, owner: Any
) -> None:  # fmt: skip
    kind, state, status, milestones = _SHOWN[what]
    stream = stream_id(PLACES[what], kind)
    gross = net * 119 // 100
    names = [external_id(what, filling.seed, i) for i in n.tolist()]
    put(
        raw,
        "record",
        {
            "id": ids, "stream_id": stream, "kind": kind, "external_id": names, "entity": [ENTITIES[i % 3] for i in n.tolist()],
            "customer_id": owner, "bill_to_id": owner, "status": status, "state": state, "currency": "EUR", "net_minor": net,
            "tax_minor": gross - net, "gross_minor": gross, "test": 0, "created_us": at, "changed_us": at,
            "first_observed_us": at + MINUTE, "observed_us": at + MINUTE, "version_count": 1, "digest": b"0" * 16,
        },
    )  # fmt: skip
    for name in milestones:
        put(raw, "milestone", {"record_id": ids, "name": name, "ordinal": 1, "earliest_us": at, "latest_us": at})
    if filling.versions:
        body = [
            f'{{"kind":"{kind}","id":"{name}","entity":"DE","status":"{status}","state":"{state}"}}' for name in names
        ]
        put(
            raw,
            "version",
            {
                "record_id": ids,
                "order_us": at,
                "observed_us": at + MINUTE,
                "digest": b"0" * 16,
                "stream_id": stream,
                "body": body,
            },
        )


def _references(
    raw: sqlite3.Connection, source: str, kind: str, target: str, seed: int, n: Any, ids: Mapping[str, Any]
) -> None:
    keys = [document_key(target, seed, i) for i in n.tolist()]
    put(
        raw,
        "reference",
        {"record_id": ids[source][n], "kind": kind, "to_id": ids[target][n], "line": "", "to_key": keys},
    )


def put(raw: sqlite3.Connection, table: str, columns: Mapping[str, Any]) -> None:
    """Insert columns: arrays and lists run along, anything else is the same in every row."""
    names = ", ".join(f'"{name}"' for name in columns)
    marks = ", ".join("?" * len(columns))
    rows = zip(*(_each(values) for values in columns.values()), strict=False)
    raw.executemany(f'INSERT INTO "{table}" ({names}) VALUES ({marks})', rows)


def _each(values: Any) -> Iterable[Any]:
    if isinstance(values, np.ndarray):
        return values.tolist()  # type: ignore[no-any-return]
    return values if isinstance(values, list) else repeat(values)
