"""What did records say over time of what is compared? Versions as a frame; who compares them, and with what, is asked elsewhere."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence, Set
from typing import Any

import numpy as np
import pandas as pd
from sqlalchemy import Connection, TextClause, bindparam, text

from probes.record import Record

from .arrays import NONE, Array
from .dated import dated
from .definitions import Step
from .intake import load_versions
from .keys import customer_id
from .projection import Version

_COMPARED = frozenset({"net", "tax", "gross", "currency", "entity", "customer"})
_WORDS = frozenset({"currency", "entity", "state"})


def compares(step: Step) -> bool:
    """Return whether a step compares what its record says with what the anchor says."""
    return any(a.field in _COMPARED for a in step.agree)


_PLATFORM = text(
    "SELECT r.id, p.platform FROM record r JOIN stream p ON p.id = r.stream_id WHERE r.id IN :ids"
).bindparams(bindparam("ids", expanding=True))
_CUSTOMER = text("SELECT record_id, customer_id FROM crosswalk WHERE record_id IN :ids").bindparams(
    bindparam("ids", expanding=True)
)
TOLD = ("net", "tax", "gross", "currency", "entity", "state", "unmapped", "shown_revision", "payer", "deleted")


def told_by(conn: Connection, ids: Sequence[int]) -> pd.DataFrame:
    """Return what records said over time, for those that changed; a version that says the same again is left out.

    Shape: id, order_us, earliest_us (it began to be said between these), observed_us, then `TOLD`; sorted by id and order.
    """
    known = load_versions(conn, ids)
    payers = _payers(conn, known)
    rows: list[tuple[Any, ...]] = []
    for rid, versions in known.items():
        before, last = None, None
        for v in dated(versions):
            told = _told(v.record, payers.get((rid, party(v.record)), NONE))
            if told != last:
                earliest = v.order_us if before is None else min(max(before.order_us, v.after_us or 0), v.order_us)
                rows.append((rid, v.order_us, earliest, v.observed_us, *told))
            before, last = v, told
    names = ["id", "order_us", "earliest_us", "observed_us", *TOLD]
    found = pd.DataFrame(rows, columns=names).astype({n: object if n in _WORDS else np.int64 for n in names})
    return found.sort_values(["id", "order_us"], kind="stable", ignore_index=True)


def said_at(ids: Array, at: Array, versions: pd.DataFrame) -> pd.DataFrame:
    """Return what each record said at an instant, in the order given; its first version speaks for the time before it."""
    left = pd.DataFrame({"id": ids, "at": at, "row": np.arange(len(ids))}).sort_values("at", kind="stable")
    right = versions.sort_values("order_us", kind="stable")
    first = versions.drop_duplicates("id").assign(order_us=np.iinfo(np.int64).min)
    both = pd.concat([first, right], ignore_index=True)
    found = pd.merge_asof(left, both, left_on="at", right_on="order_us", by="id")
    return found.set_index("row").sort_index()


def _told(r: Record, payer: int) -> tuple[Any, ...]:
    a = r.amounts
    unmapped = r.status is not None and r.state is None
    return (
        a.get("net", NONE), a.get("tax", NONE), a.get("gross", NONE), r.currency, r.entity or "", r.state, int(unmapped),
        r.revision or 0, payer, int(r.deleted),
    )  # fmt: skip


def party(record: Record) -> str | None:
    """Return the platform's id of the customer who pays a document."""
    return record.parties.get("bill_to", record.parties.get("sold_to"))


def _payers(conn: Connection, known: Mapping[int, Sequence[Version]]) -> dict[tuple[int, str | None], int]:
    """Return the customer that each of these records ever named as payer, as the crosswalk is now."""
    named = {(rid, name) for rid, versions in known.items() for v in versions if (name := party(v.record)) is not None}
    if not named:
        return {}
    platforms = dict(_pairs(conn, _PLATFORM, {rid for rid, _ in named}))
    customers = {pair: customer_id(platforms[pair[0]], pair[1]) for pair in named}
    held = dict(_pairs(conn, _CUSTOMER, {c for c in customers.values() if c is not None}))
    return {pair: held[c] for pair, c in customers.items() if c in held}


def _pairs(conn: Connection, query: TextClause, ids: Set[int]) -> Iterable[tuple[Any, Any]]:
    ordered = sorted(ids)
    for start in range(0, len(ordered), 500):
        yield from ((row[0], row[1]) for row in conn.execute(query, {"ids": ordered[start : start + 500]}))
