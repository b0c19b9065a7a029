"""What a record looks like now, with the name of its customer: the row every list and page shows of a document.

Reads heads, the customers' newest bodies and the crosswalk. It judges nothing and knows no flow.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any, TypeVar

from sqlalchemy import Connection, Row, Select, func, literal_column, select

from metrics.past import Past, existed
from metrics.tables import Crosswalk, RecordRow, StreamRow, VersionRow, table
from probes.record import Record, decode_record

RECORD, STREAM, VERSION, CROSSWALK = (table(m) for m in (RecordRow, StreamRow, VersionRow, Crosswalk))
IS_CUSTOMER = RECORD.c.kind == literal_column("'customer'")
"""Spelt out, not given as a parameter: only so does a database see that the index of customers alone serves."""
CHUNK = 500
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Head:
    """One record as newest observed. Units: `*_minor` of `currency`. Time: `*_us`; `digest` is hexadecimal."""

    id: int
    platform: str
    stream: str
    kind: str
    external_id: str
    number: str | None
    name: str | None
    entity: str | None
    customer_id: int | None
    customer_name: str | None
    bill_to_id: int | None
    status: str | None
    state: str | None
    currency: str | None
    net_minor: int | None
    tax_minor: int | None
    gross_minor: int | None
    open_minor: int | None
    revision: int | None
    exempt: str | None
    test: bool
    document_on: str | None
    posting_on: str | None
    created_us: int | None
    changed_us: int | None
    first_observed_us: int
    observed_us: int
    deleted_us: int | None
    version_count: int
    digest: str

    @property
    def amount_minor(self) -> int | None:
        """Return the amount that names the document's size: gross, else net, else what is open."""
        return next((a for a in (self.gross_minor, self.net_minor, self.open_minor) if a is not None), None)

    @property
    def label(self) -> str:
        """Return the name people use for it: a customer's name, a document's number, else its id."""
        return (self.name if self.kind == "customer" else None) or self.number or self.external_id


@dataclass(frozen=True, slots=True)
class Customer:
    """Who stands behind a platform's customer record: the customer's own record, and its name as newest observed."""

    id: int
    name: str | None
    segment: str | None


def chunks(values: Iterable[T], size: int = CHUNK) -> Iterator[list[T]]:
    """Yield lists of at most `size`, so that no statement outgrows the database's limit of parameters."""
    rest = iter(values)
    while batch := list(islice(rest, size)):
        yield batch


def head_rows() -> Select[Any]:
    """Return the statement whose rows `to_heads` reads; narrow and order it as needed."""
    return select(RECORD, STREAM.c.platform, STREAM.c.name.label("stream")).join(
        STREAM, STREAM.c.id == RECORD.c.stream_id
    )


def heads(conn: Connection, ids: Iterable[int], past: Past | None = None) -> dict[int, Head]:
    """Return the records that exist, or existed at an instant, among these identities."""
    found: list[Row[Any]] = []
    for batch in chunks(sorted(set(ids))):
        found += conn.execute(head_rows().where(RECORD.c.id.in_(batch), *existed(past, RECORD)))
    return {head.id: head for head in to_heads(conn, found)}


def to_heads(conn: Connection, rows: Sequence[Row[Any]]) -> list[Head]:
    """Return the heads of rows selected by `head_rows`, in their order."""
    known = customers(conn, {owner for r in rows if (owner := _owner(r)) is not None})
    return [_head(row, known) for row in rows]


def _owner(row: Row[Any]) -> int | None:
    # A customer's own record names no customer: it is one.
    owner: int | None = row.id if row.kind == "customer" else row.customer_id
    return owner


def customers(conn: Connection, record_ids: Iterable[int]) -> dict[int, Customer]:
    """Return the customer behind each of these platforms' customer records; one never seen keeps its own identity."""
    wanted = sorted(set(record_ids))
    found = {i: Customer(i, None, None) for i in wanted}
    own, shown = RECORD.alias("own"), RECORD.alias("shown")
    source = own.outerjoin(CROSSWALK, CROSSWALK.c.record_id == own.c.id).outerjoin(
        shown, shown.c.id == CROSSWALK.c.customer_id
    )
    # The record that stands for the customer names it; the platform's own copy does where that one is not yet seen.
    columns = (
        own.c.id,
        func.coalesce(CROSSWALK.c.customer_id, own.c.id).label("customer_id"),
        func.coalesce(shown.c.name, own.c.name).label("name"),
        func.coalesce(shown.c.segment, own.c.segment).label("segment"),
    )
    for batch in chunks(wanted):
        for row in conn.execute(select(*columns).select_from(source).where(own.c.id.in_(batch))):
            found[row.id] = Customer(row.customer_id, row.name, row.segment)
    return found


def bodies(conn: Connection, ids: Iterable[int]) -> dict[int, Record]:
    """Return the newest body of each record that exists."""
    found: dict[int, Record] = {}
    for batch in chunks(sorted(set(ids))):
        same = (VERSION.c.record_id == RECORD.c.id) & (VERSION.c.digest == RECORD.c.digest)
        statement = select(RECORD.c.id, VERSION.c.body).join(VERSION, same).where(RECORD.c.id.in_(batch))
        found.update({row.id: decode_record(row.body) for row in conn.execute(statement)})
    return found


def _head(row: Row[Any], known: Mapping[int, Customer]) -> Head:
    owner = _owner(row)
    customer = None if owner is None else known[owner]
    own = {
        name: getattr(row, name) for name in Head.__slots__ if name not in ("customer_name", "customer_id", "digest")
    }
    return Head(
        **own,
        customer_id=customer.id if customer else None,
        customer_name=customer.name if customer else None,
        digest=bytes(row.digest).hex(),
    )
