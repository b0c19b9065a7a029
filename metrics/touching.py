"""Which subjects a changed record can alter: it is followed back along the declared paths to the anchors, never further.

Cost follows what changed. No path leads through a customer, a product or another hub, so a rename touches its own subject only.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from sqlalchemy import Connection, bindparam, select, text

from probes.record import Record

from .definitions import Flow, Hop, Model
from .groups import grouper
from .identity.keys import Rules
from .store import bulk_insert, upsert_clause
from .tables import Crosswalk, RecordKey, ReferenceRow, Touch, table

REFERENCE, KEY, TOUCH, CROSSWALK = table(ReferenceRow), table(RecordKey), table(Touch), table(Crosswalk)
_TOUCH_COLUMNS = ("flow", "subject_id")
_ONCE = upsert_clause(TOUCH, _TOUCH_COLUMNS)
_CHUNK = 500


class _Spot(NamedTuple):
    """A place in a flow where a kind of record stands: the hops that lead from there back to the anchor."""

    flow: str
    role: str
    back: tuple[Hop, ...]


class Toucher:
    """Finds and notes the subjects that records of a stream touch; made once per model."""

    def __init__(self, model: Model) -> None:
        self.group = grouper(model)
        self.identity = Rules.of(model)
        self._roles = {name: frozenset(p.roles) for name, p in model.platforms.items()}
        self._spots: dict[str, list[_Spot]] = defaultdict(list)
        self._active = [f.name for f in model.flows.values() if f.anchor.active]
        self._paid = sorted({kind for flow in model.flows.values() for kind in _compared_by_payer(flow)})
        for flow in model.flows.values():
            self._add(flow)

    def _add(self, flow: Flow) -> None:
        for kind in flow.anchor.kind:
            self._spots[kind].append(_Spot(flow.name, flow.anchor.role, ()))
        for path in flow.paths:
            for end in range(1, len(path) + 1):
                for kind in path[end - 1].kind:
                    spot = _Spot(flow.name, path[end - 1].role, tuple(reversed(path[:end])))
                    if spot not in self._spots[kind]:
                        self._spots[kind].append(spot)

    def touch(self, conn: Connection, platform: str, records: Mapping[int, Record]) -> None:
        """Note every subject these records stand in, as the references are now."""
        by_kind: dict[str, list[int]] = defaultdict(list)
        for rid, record in records.items():
            by_kind[record.kind].append(rid)
        for kind, ids in by_kind.items():
            self.touch_kind(conn, platform, kind, ids)

    def touch_kind(self, conn: Connection, platform: str, kind: str, ids: Sequence[int]) -> None:
        """Note every subject that records of one kind stand in."""
        roles = self._roles.get(platform, frozenset())
        rows: set[tuple[str, int]] = set()
        for spot in self._spots.get(kind, ()):
            if spot.role in roles:
                rows.update((spot.flow, subject) for subject in walk_back(conn, ids, spot.back))
                if self.group is not None and not spot.back:
                    rows.update((spot.flow, sibling) for sibling in _siblings(conn, ids))
        note(conn, rows)

    def touch_members(self, conn: Connection, members: Iterable[int]) -> None:
        """Note customers whose crosswalk was drawn anew."""
        note(conn, {(flow, rid) for flow in self._active for rid in members})

    def touch_payers(self, conn: Connection, moved: Iterable[int]) -> None:
        """Note what is judged on documents of customer records that belong to another customer now."""
        found: dict[tuple[str, str], list[int]] = defaultdict(list)
        for chunk in _chunks(sorted(moved) if self._paid else []):
            for row in conn.execute(_OF_CUSTOMERS, {"ids": chunk, "kinds": self._paid}):
                found[row.platform, row.kind].append(row.id)
        for (platform, kind), ids in sorted(found.items()):
            self.touch_kind(conn, platform, kind, ids)

    def touch_customers(self, conn: Connection, documents: Mapping[int, int]) -> None:
        """Note customers that new documents may have made active, unless they were active before.

        `documents`: a platform's customer record → the earliest instant of its documents.
        """
        for flow in self._active:
            for chunk in _chunks(sorted(documents)):
                found = conn.execute(_ACTIVE_SINCE, {"flow": flow, "ids": chunk})
                note(conn, {(flow, c) for rid, c, since in found if since is None or since > documents[rid]})

    def touch_traders(self, conn: Connection, customers: Iterable[int]) -> None:
        """Note customers whose first document may be another now."""
        self.touch_members(conn, same_customer(conn, sorted(customers)))


def _compared_by_payer(flow: Flow) -> set[str]:
    """Return the kinds of document whose customers a flow compares."""
    steps = [step for step in flow.steps if any(a.field == "customer" for a in step.agree)]
    return {kind for step in steps for kind in (*flow.anchor.kind, *step.kinds)}


_ACTIVE_SINCE = text(
    "SELECT c.record_id, c.customer_id, f.started_us FROM crosswalk c LEFT JOIN flow_instance f ON f.flow = :flow"
    " AND f.anchor_id = c.customer_id WHERE c.record_id IN :ids"
).bindparams(bindparam("ids", expanding=True))
_OF_CUSTOMERS = text(
    "SELECT r.id, r.kind, p.platform FROM record r JOIN stream p ON p.id = r.stream_id"
    " WHERE r.customer_id IN :ids AND r.kind IN :kinds"
    " UNION SELECT r.id, r.kind, p.platform FROM record r JOIN stream p ON p.id = r.stream_id"
    " WHERE r.bill_to_id IS NOT NULL AND r.bill_to_id IN :ids AND r.kind IN :kinds"
).bindparams(bindparam("ids", expanding=True), bindparam("kinds", expanding=True))


_SIBLINGS = text(
    "SELECT DISTINCT o.record_id FROM reference r JOIN record_key k ON k.key_id = r.to_id"
    " JOIN reference o ON o.to_id = r.to_id AND o.kind = 'grouped_in' WHERE r.kind = 'grouped_in' AND r.record_id IN :ids"
).bindparams(bindparam("ids", expanding=True))


def _siblings(conn: Connection, ids: Sequence[int]) -> list[int]:
    """Return the other members of the posted groups that these documents are in: what one does to the sum concerns all."""
    return [sibling for chunk in _chunks(ids) for sibling in conn.execute(_SIBLINGS, {"ids": chunk}).scalars()]


def note(conn: Connection, rows: Iterable[tuple[str, int]]) -> None:
    """Write touches, each once."""
    bulk_insert(conn, TOUCH, sorted(rows), _TOUCH_COLUMNS, _ONCE)


def walk_back(conn: Connection, ids: Sequence[int], hops: Sequence[Hop]) -> list[int]:
    """Return the records at the start of a path that ends in `ids`; `hops` are given from the end."""
    frontier = list(ids)
    for hop in hops:
        if hop.same:
            frontier = same_customer(conn, frontier)
        else:
            frontier = named_by(conn, frontier, hop.back) if hop.back else naming(conn, frontier, hop.to or "")
        if not frontier:
            break
    return frontier


def same_customer(conn: Connection, ids: Sequence[int]) -> list[int]:
    """Return the records that stand for the customers these records belong to."""
    found: set[int] = set()
    for chunk in _chunks(ids):
        found.update(conn.execute(select(CROSSWALK.c.customer_id).where(CROSSWALK.c.record_id.in_(chunk))).scalars())
    return sorted(found)


def named_by(conn: Connection, ids: Sequence[int], kind: str) -> list[int]:
    """Return the records that `ids` name with references of a kind, by id or by business key."""
    targets: set[int] = set()
    for chunk in _chunks(ids):
        query = select(REFERENCE.c.to_id).where(REFERENCE.c.record_id.in_(chunk), REFERENCE.c.kind == kind)
        targets.update(conn.execute(query).scalars())
    known: set[int] = set()
    for chunk in _chunks(sorted(targets)):
        known.update(conn.execute(select(KEY.c.record_id).where(KEY.c.key_id.in_(chunk))).scalars())
    return sorted(targets | known)


def naming(conn: Connection, ids: Sequence[int], kind: str) -> list[int]:
    """Return the records that name `ids`, by id or by one of their business keys, with references of a kind."""
    names = set(ids)
    for chunk in _chunks(ids):
        names.update(conn.execute(select(KEY.c.key_id).where(KEY.c.record_id.in_(chunk))).scalars())
    found: set[int] = set()
    for chunk in _chunks(sorted(names)):
        query = select(REFERENCE.c.record_id).where(REFERENCE.c.to_id.in_(chunk), REFERENCE.c.kind == kind)
        found.update(conn.execute(query).scalars())
    return sorted(found)


def _chunks(ids: Sequence[int]) -> Iterable[Sequence[int]]:
    for start in range(0, len(ids), _CHUNK):
        yield ids[start : start + _CHUNK]
