"""Which records are the same customer: what platforms declared, what stewards decided, and keys that are equal; nothing else.

The record that stands for the customer is one of the platforms whose customers are judged; among these one that others name and
that names none. Likeness of names joins nobody here.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping

from sqlalchemy import Connection, TextClause, bindparam, delete, select, text

from probes.record import Record

from .identity.decisions import Settled, settled
from .identity.grouping import Grouping, Links, Pair, group
from .identity.keys import REFUSED, Rules, chunks, note_due, note_keys
from .store import bulk_insert
from .tables import Crosswalk, table

CROSSWALK = table(Crosswalk)
_EDGES = """
SELECT f.record_id, f.to_id, f.kind FROM reference f
WHERE f.kind IN ('about', 'merged_into', 'part_of') AND f.{side} IN :ids
UNION
SELECT f.record_id, k.record_id, f.kind FROM reference f JOIN record_key k ON k.key_id = f.to_id
WHERE f.kind IN ('about', 'merged_into', 'part_of') AND {other} IN :ids
"""


def _of(sql: str) -> TextClause:
    return text(sql).bindparams(bindparam("ids", expanding=True))


_OUT = _of(_EDGES.format(side="record_id", other="f.record_id"))
_IN = _of(_EDGES.format(side="to_id", other="k.record_id"))
_CUSTOMERS = _of(
    "SELECT r.id, r.deleted_us IS NOT NULL, s.platform FROM record r JOIN stream s ON s.id = r.stream_id"
    " WHERE r.kind = 'customer' AND r.id IN :ids"
)
_HELD = _of("SELECT record_id, customer_id FROM crosswalk WHERE record_id IN :ids")
_MATES = _of(
    "SELECT m.record_id FROM crosswalk c JOIN crosswalk m ON m.customer_id = c.customer_id WHERE c.record_id IN :ids"
)
_SHARING = _of(
    "SELECT own.key_id, own.name, other.record_id FROM identity_key own JOIN identity_key other ON other.key_id = own.key_id"
    " LEFT JOIN identity_refused f ON f.key_id = own.key_id AND f.reason = 'shared'"
    " WHERE own.usable AND f.key_id IS NULL AND own.record_id IN :ids"
)


class _Web:
    """All records that anything could connect to some, with what connects them."""

    def __init__(self) -> None:
        self.members: dict[int, tuple[bool, str]] = {}
        self.edges: set[tuple[int, int, str]] = set()
        self.keys: dict[int, set[int]] = defaultdict(set)
        self.key_names: dict[int, str] = {}
        self.decided: dict[Pair, str] = {}


def take_in(conn: Connection, rules: Rules, customers: Mapping[int, tuple[str, Record]]) -> tuple[set[int], set[int]]:
    """Note what names customer records, given as (platform, record), and draw anew whom that concerns. Returns as `connect`."""
    return connect(conn, rules, note_keys(conn, rules, customers))


def connect(conn: Connection, rules: Rules, changed: Iterable[int]) -> tuple[set[int], set[int]]:
    """Recompute the customers that these records belong to, or belonged to.

    Returns all records of those customers, and those of them that belong to another customer than before, or to one at last.
    """
    start = set(changed)
    for chunk in chunks(sorted(start)):
        start.update(conn.execute(_MATES, {"ids": chunk}).scalars())
    web = _web(conn, start)
    if not web.members:
        return set(), set()
    found = group(web.members, _links(web))
    before: dict[int, int] = {}
    for chunk in chunks(sorted(web.members)):
        before.update((row[0], row[1]) for row in conn.execute(_HELD, {"ids": chunk}))
        conn.execute(delete(CROSSWALK).where(CROSSWALK.c.record_id.in_(chunk)))
    rows = _rows(rules, web, found)
    bulk_insert(conn, CROSSWALK, sorted(rows), ("record_id", "customer_id", "evidence"))
    _note_refused(conn, web, found)
    moved = {row[0] for row in rows if before.get(row[0]) != row[1]}
    note_due(conn, moved)
    return set(web.members), moved


def _web(conn: Connection, start: set[int]) -> _Web:
    web, asked, frontier = _Web(), set(start), set(start)
    while frontier:
        known = _customers(conn, frontier)
        web.members |= known
        near: set[int] = set()
        for chunk in chunks(sorted(known)):
            for query in (_OUT, _IN):
                edges = {(row[0], row[1], row[2]) for row in conn.execute(query, {"ids": chunk})}
                web.edges |= edges
                near |= {rid for a, b, kind in edges if kind != "part_of" for rid in (a, b)}
            for kid, name, holder in conn.execute(_SHARING, {"ids": chunk}):
                web.keys[kid].add(holder)
                web.key_names[kid] = name
                near.add(holder)
        decided: Settled = settled(conn, sorted(known))
        web.decided |= decided
        near |= {rid for pair, kind in decided.items() if kind == "confirm" for rid in pair}
        frontier = near - asked
        asked |= frontier
    return web


def _customers(conn: Connection, ids: set[int]) -> dict[int, tuple[bool, str]]:
    found: dict[int, tuple[bool, str]] = {}
    for chunk in chunks(sorted(ids)):
        found.update((row[0], (bool(row[1]), row[2])) for row in conn.execute(_CUSTOMERS, {"ids": chunk}))
    return found


def _links(web: _Web) -> Links:
    inside = {(a, b, kind) for a, b, kind in web.edges if a in web.members and b in web.members and a != b}
    pairs = {pair: kind for pair, kind in web.decided.items() if pair[0] in web.members and pair[1] in web.members}
    return Links(
        references={(a, b) for a, b, kind in inside if kind != "part_of"},
        together={pair for pair, kind in pairs.items() if kind == "confirm"},
        apart={pair for pair, kind in pairs.items() if kind != "confirm"},
        parents={(a, b) for a, b, kind in inside if kind == "part_of"},
        keys={kid: sorted(held & web.members.keys()) for kid, held in web.keys.items()},
    )


def _rows(rules: Rules, web: _Web, found: Grouping) -> list[tuple[int, int, str]]:
    joining = [
        (a, b) for a, b, kind in web.edges if kind != "part_of" and a in web.members and b in web.members and a != b
    ]
    naming, named = {a for a, _ in joining}, {b for _, b in joining}

    def standing(rid: int) -> tuple[bool, bool, bool, bool, int]:
        deleted, platform = web.members[rid]
        return not rules.heads_on(platform), deleted, rid in naming, rid not in named, rid

    rows = []
    for group_ in found.groups:
        head = min(group_, key=standing)
        for rid in group_:
            word, kid = found.evidence.get(rid, ("self", 0))
            told = f"key {web.key_names[kid]}" if word == "key" else word
            rows.append((rid, head, "self" if rid == head else told))
    return rows


def _note_refused(conn: Connection, web: _Web, found: Grouping) -> None:
    for chunk in chunks(sorted(web.keys)):
        conn.execute(delete(REFUSED).where(REFUSED.c.key_id.in_(chunk)))
    bulk_insert(conn, REFUSED, sorted(found.refused.items()), ("key_id", "reason"))


def held_by(conn: Connection, ids: Iterable[int]) -> dict[int, int]:
    """Return, per record, the record that stands for its customer."""
    found: dict[int, int] = {}
    for chunk in chunks(sorted(set(ids))):
        query = select(CROSSWALK.c.record_id, CROSSWALK.c.customer_id).where(CROSSWALK.c.record_id.in_(chunk))
        found.update((row[0], row[1]) for row in conn.execute(query))
    return found


def members_of(conn: Connection, customers: Iterable[int]) -> set[int]:
    """Return every record of these customers."""
    found: set[int] = set()
    for chunk in chunks(sorted(set(customers))):
        found.update(conn.execute(select(CROSSWALK.c.record_id).where(CROSSWALK.c.customer_id.in_(chunk))).scalars())
    return found
