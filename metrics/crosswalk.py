"""Which records are the same customer: connected by references that a platform or a steward asserted, by nothing else.

The record that the others name stands for the customer; among equals the smallest id. Likeness of names joins nobody here.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

from sqlalchemy import Connection, bindparam, delete, text

from .store import bulk_insert
from .tables import Crosswalk, table

CROSSWALK = table(Crosswalk)
JOINING = ("about", "merged_into")

_EDGES = """
SELECT f.record_id, f.to_id, f.kind FROM reference f
WHERE f.kind IN ('about', 'merged_into') AND f.{side} IN :ids
UNION
SELECT f.record_id, k.record_id, f.kind FROM reference f JOIN record_key k ON k.key_id = f.to_id
WHERE f.kind IN ('about', 'merged_into') AND {other} IN :ids
"""
_OUT = text(_EDGES.format(side="record_id", other="f.record_id")).bindparams(bindparam("ids", expanding=True))
_IN = text(_EDGES.format(side="to_id", other="k.record_id")).bindparams(bindparam("ids", expanding=True))
_CUSTOMERS = text("SELECT id FROM record WHERE kind = 'customer' AND id IN :ids").bindparams(
    bindparam("ids", expanding=True)
)

_HELD = text("SELECT record_id, customer_id FROM crosswalk WHERE record_id IN :ids").bindparams(
    bindparam("ids", expanding=True)
)
_MATES = text(
    "SELECT m.record_id FROM crosswalk c JOIN crosswalk m ON m.customer_id = c.customer_id WHERE c.record_id IN :ids"
).bindparams(bindparam("ids", expanding=True))


def connect(conn: Connection, changed: Iterable[int]) -> tuple[set[int], set[int]]:
    """Recompute the customers that these records belong to, or belonged to.

    Returns all records of those customers, and those of them that belong to another customer than before, or to one at last.
    """
    start = set(changed)
    for chunk in _chunks(sorted(start)):
        start.update(conn.execute(_MATES, {"ids": chunk}).scalars())
    members, edges = _component(conn, start)
    if not members:
        return set(), set()
    groups = _groups(members, edges)
    before: dict[int, int] = {}
    for chunk in _chunks(sorted(members)):
        before.update((row[0], row[1]) for row in conn.execute(_HELD, {"ids": chunk}))
        conn.execute(delete(CROSSWALK).where(CROSSWALK.c.record_id.in_(chunk)))
    named = {to for _, to, _ in edges}
    naming = {source for source, _, _ in edges}
    rows = []
    for group in groups:
        head = min(group, key=lambda rid: (rid in naming, rid not in named, rid))
        rows += [(rid, head, "self" if rid == head else "reference") for rid in group]
    bulk_insert(conn, CROSSWALK, sorted(rows), ("record_id", "customer_id", "evidence"))
    return members, {row[0] for row in rows if before.get(row[0]) != row[1]}


def _component(conn: Connection, start: set[int]) -> tuple[set[int], set[tuple[int, int, str]]]:
    members: set[int] = set()
    edges: set[tuple[int, int, str]] = set()
    frontier = start
    while frontier:
        known = _customers(conn, frontier)
        members |= known
        found: set[tuple[int, int, str]] = set()
        for chunk in _chunks(sorted(known)):
            for query in (_OUT, _IN):
                found.update((row[0], row[1], row[2]) for row in conn.execute(query, {"ids": chunk}))
        edges |= found
        frontier = {rid for edge in found for rid in edge[:2]} - members - start
        start = start | frontier
    return members, {e for e in edges if e[0] in members and e[1] in members}


def _customers(conn: Connection, ids: set[int]) -> set[int]:
    found: set[int] = set()
    for chunk in _chunks(sorted(ids)):
        found.update(conn.execute(_CUSTOMERS, {"ids": chunk}).scalars())
    return found


def _groups(members: set[int], edges: Iterable[tuple[int, int, str]]) -> list[list[int]]:
    near: dict[int, set[int]] = defaultdict(set)
    for a, b, _ in edges:
        near[a].add(b)
        near[b].add(a)
    groups, seen = [], set()
    for rid in sorted(members):
        if rid in seen:
            continue
        group, stack = [], [rid]
        while stack:
            at = stack.pop()
            if at not in seen:
                seen.add(at)
                group.append(at)
                stack.extend(near[at] - seen)
        groups.append(sorted(group))
    return groups


def _chunks(ids: list[int]) -> Iterable[list[int]]:
    for start in range(0, len(ids), 500):
        yield ids[start : start + 500]
