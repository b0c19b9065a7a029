"""What a steward looks at: pairs that may be one customer, what hangs on each side, what was settled, and values that join nobody.

Nothing is computed here that a score or a join rests on; suggestions between customers that a steward told apart are left out.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, Row, bindparam, func, select, text

from metrics.definitions import Model
from metrics.identity.hanging import Hanging, hanging
from metrics.identity.scoring import Part, parts_of
from metrics.identity.suggestions import in_force
from metrics.tables import IdentityDecision, IdentityDue, table

from .heads import CROSSWALK, RECORD, STREAM, Head, bodies, chunks, heads
from .pages import CursorError, Listing, decode, page

_DECISION, _DUE = table(IdentityDecision), table(IdentityDue)


@dataclass(frozen=True, slots=True)
class ScopedId:
    """One id of a customer: platform, roles, legal entity and currency it stands in, from–to, and how it is known to be this one."""

    record: Head
    roles: tuple[str, ...]
    currency: str | None
    from_us: int | None
    to_us: int | None
    evidence: str
    attributes: Mapping[str, str | None]
    hanging: Hanging


@dataclass(frozen=True, slots=True)
class Side:
    """One of the two customers of a suggestion: its name and all its ids. `record`: the id whose likeness is explained."""

    customer_id: int
    name: str
    record: ScopedId
    ids: tuple[ScopedId, ...]


@dataclass(frozen=True, slots=True)
class Suggested:
    """Two customers that may be one: probability, weight in bits and the parts it is the sum of, and both sides."""

    a_id: int
    b_id: int
    weight: float
    probability: float
    parts: tuple[Part, ...]
    model: str
    sides: tuple[Side, Side]


@dataclass(frozen=True, slots=True)
class Settled:
    """A decision with the names of its two records; `in_force`: whether no later one on the same pair replaced it."""

    id: int
    kind: str
    a: Head | None
    b: Head | None
    author: str
    reason: str
    at_us: int
    weight: float | None
    model: str | None
    in_force: bool


@dataclass(frozen=True, slots=True)
class RefusedValue:
    """A value that joins nobody: null_word, shared, disputed or hierarchy; who holds it."""

    key: str
    value: str
    reason: str
    records: int
    platforms: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Status:
    """Where suggestions stand: the model in force, whether it fits the configuration, how many there are, how many records wait."""

    model: str | None
    trained_us: int | None
    author: str | None
    records: int
    alike: int
    fits: bool
    suggestions: int
    due: int


# The best pair of records of each pair of customers; customers told apart by the last decision on any of their records are left out.
_PAIRS = """
WITH pair AS (
  SELECT s.a_id, s.b_id, s.weight, s.probability, s.parts, s.model,
    CASE WHEN ca.customer_id < cb.customer_id THEN ca.customer_id ELSE cb.customer_id END AS one,
    CASE WHEN ca.customer_id < cb.customer_id THEN cb.customer_id ELSE ca.customer_id END AS two
  FROM identity_suggestion s JOIN crosswalk ca ON ca.record_id = s.a_id JOIN crosswalk cb ON cb.record_id = s.b_id
  WHERE ca.customer_id <> cb.customer_id
), best AS (
  SELECT pair.*, ROW_NUMBER() OVER (PARTITION BY one, two ORDER BY weight DESC, a_id, b_id) AS place FROM pair
), settled AS (
  SELECT d.a_id, d.b_id, d.kind, ROW_NUMBER() OVER (PARTITION BY d.a_id, d.b_id ORDER BY d.at_us DESC, d.id DESC) AS place
  FROM identity_decision d
), apart AS (
  SELECT ca.customer_id AS x, cb.customer_id AS y FROM settled d
  JOIN crosswalk ca ON ca.record_id = d.a_id JOIN crosswalk cb ON cb.record_id = d.b_id
  WHERE d.place = 1 AND d.kind <> 'confirm'
)
SELECT {columns} FROM best WHERE place = 1
  AND NOT EXISTS (SELECT 1 FROM apart WHERE (apart.x = one AND apart.y = two) OR (apart.x = two AND apart.y = one))
"""
_COUNT = text(_PAIRS.format(columns="COUNT(*)"))
_PAGE = text(_PAIRS.format(columns="*") + " ORDER BY weight DESC, a_id, b_id LIMIT :limit")
_NEXT = text(
    _PAIRS.format(columns="*")
    + " AND (weight < :weight OR (weight = :weight AND (a_id > :a OR (a_id = :a AND b_id > :b))))"
    " ORDER BY weight DESC, a_id, b_id LIMIT :limit"
)
_ONE = text(_PAIRS.format(columns="*") + " AND a_id = :a AND b_id = :b")


def suggestions(conn: Connection, model: Model, *, limit: int = 100, after: str | None = None) -> Listing[Suggested]:
    """Return pairs of customers that may be one, the most probable first, each pair of customers once."""
    given: dict[str, object] = {"limit": limit + 1}
    if after is not None:
        weight, a, b = decode(after, (str, int, int))
        given |= {"weight": _number(weight), "a": a, "b": b}
    rows = conn.execute(_PAGE if after is None else _NEXT, given).all()
    total = int(conn.execute(_COUNT).scalar_one())
    return page(_told(conn, model, rows), limit, total, lambda s: (repr(s.weight), s.a_id, s.b_id))


def _number(word: str) -> float:
    try:
        return float(word)
    except ValueError:
        raise CursorError(
            "this `after` was not given out by this list; take it from `next` of the former page"
        ) from None


def suggestion(conn: Connection, model: Model, a_id: int, b_id: int) -> Suggested | None:
    """Return one suggestion by its two records, None when it is none, or none any more."""
    a, b = sorted((a_id, b_id))
    found = _told(conn, model, conn.execute(_ONE, {"a": a, "b": b}).all())
    return found[0] if found else None


def _told(conn: Connection, model: Model, rows: Sequence[Row[tuple[object, ...]]]) -> list[Suggested]:
    customers = {c for row in rows for c in (row.one, row.two)}
    ids = scoped_ids(conn, model, sorted(customers))
    owner = {i.record.id: customer for customer, found in ids.items() for i in found}
    return [
        Suggested(
            r.a_id, r.b_id, r.weight, r.probability, parts_of(r.parts), r.model,
            (_side(owner[r.a_id], r.a_id, ids), _side(owner[r.b_id], r.b_id, ids)),
        )
        for r in rows
    ]  # fmt: skip


def _side(customer: int, record: int, ids: Mapping[int, Sequence[ScopedId]]) -> Side:
    held = ids[customer]
    shown = next(i for i in held if i.record.id == record)
    named = next((i for i in held if i.record.id == customer), shown)
    return Side(customer, named.record.label, shown, tuple(held))


def scoped_ids(conn: Connection, model: Model, customers: Sequence[int]) -> dict[int, list[ScopedId]]:
    """Return, per customer, every id it has, with scope, from–to, evidence and what hangs on it."""
    evidence: dict[int, tuple[int, str]] = {}
    for chunk in chunks(list(customers)):
        for row in conn.execute(select(CROSSWALK).where(CROSSWALK.c.customer_id.in_(chunk))):
            evidence[row.record_id] = (row.customer_id, row.evidence)
    known = heads(conn, sorted(evidence))
    shown, hangs = bodies(conn, known), hanging(conn, sorted(evidence))
    found: dict[int, list[ScopedId]] = {customer: [] for customer in customers}
    for rid, head in sorted(known.items(), key=lambda item: (item[1].platform, item[1].external_id)):
        customer, how = evidence[rid]
        attributes = shown[rid].attributes if rid in shown else {}
        platform = model.platforms.get(head.platform)
        currency = (shown[rid].currency if rid in shown else None) or attributes.get("currency")
        roles = tuple(platform.roles) if platform else ()
        found[customer].append(
            ScopedId(head, roles, currency, head.created_us, head.deleted_us, how, attributes, hangs[rid])
        )
    return found


def decisions(conn: Connection, *, limit: int = 100, after: str | None = None) -> Listing[Settled]:
    """Return what stewards settled, the newest first."""
    d = _DECISION.c
    later = _DECISION.alias("later")
    replaced = (
        select(later.c.id)
        .where(later.c.a_id == d.a_id, later.c.b_id == d.b_id)
        .where((later.c.at_us > d.at_us) | ((later.c.at_us == d.at_us) & (later.c.id > d.id)))
        .exists()
    )
    query = select(_DECISION, replaced.label("replaced")).order_by(d.id.desc()).limit(limit + 1)
    if after is not None:
        query = query.where(d.id < decode(after, (int,))[0])
    rows = conn.execute(query).all()
    known = heads(conn, sorted({rid for row in rows for rid in (row.a_id, row.b_id)}))
    told = [
        Settled(
            r.id,
            r.kind,
            known.get(r.a_id),
            known.get(r.b_id),
            r.author,
            r.reason,
            r.at_us,
            r.weight,
            r.model,
            not r.replaced,
        )
        for r in rows
    ]
    total = int(conn.execute(select(func.count()).select_from(_DECISION)).scalar_one())
    return page(told, limit, total, lambda s: (s.id,))


_NULLS = text(
    "SELECT name, value, 'null_word' AS reason, key_id FROM identity_key WHERE NOT usable GROUP BY name, value, key_id"
    " UNION ALL SELECT k.name, k.value, f.reason, f.key_id FROM identity_refused f"
    " JOIN (SELECT key_id, MIN(name) AS name, MIN(value) AS value FROM identity_key"
    " WHERE key_id IN (SELECT key_id FROM identity_refused) GROUP BY key_id) k ON k.key_id = f.key_id"
)
_HOLDERS = text(
    "SELECT key_id, platform, COUNT(*) AS n FROM identity_key WHERE key_id IN :ids GROUP BY key_id, platform"
).bindparams(bindparam("ids", expanding=True))


def refused_values(conn: Connection) -> list[RefusedValue]:
    """Return the values that are no key, those that most records hold first."""
    rows = conn.execute(_NULLS).all()
    counts: dict[int, dict[str, int]] = {}
    for chunk in chunks([row.key_id for row in rows]):
        for kid, platform, n in conn.execute(_HOLDERS, {"ids": chunk}):
            counts.setdefault(kid, {})[platform] = n
    found = [
        RefusedValue(r.name, r.value, r.reason, sum(counts[r.key_id].values()), tuple(sorted(counts[r.key_id])))
        for r in rows
    ]
    return sorted(found, key=lambda v: (-v.records, v.key, v.value))


def status(conn: Connection, model: Model) -> Status:
    """Return where suggestions stand."""
    used = in_force(conn)
    due = int(conn.execute(select(func.count()).select_from(_DUE)).scalar_one())
    count = int(conn.execute(_COUNT).scalar_one())
    if used is None:
        return Status(None, None, None, 0, 0, False, count, due)
    t = used.trained
    fits = t.compares == model.identity.suggest.compares
    return Status(used.digest, used.trained_us, used.author, t.records, t.alike, fits, count, due)


def customer_records_named(conn: Connection, words: Iterable[str]) -> dict[str, list[Head]]:
    """Return, per word, the customer records it names: PLATFORM/ID, an id, or a number."""
    found: dict[str, list[Head]] = {}
    for word in words:
        platform, slash, ident = word.partition("/")
        wanted = ident if slash else word
        query = (
            select(RECORD.c.id)
            .join(STREAM, STREAM.c.id == RECORD.c.stream_id)
            .where(RECORD.c.kind == "customer", (RECORD.c.external_id == wanted) | (RECORD.c.number == wanted))
        )
        if slash:
            query = query.where(STREAM.c.platform == platform)
        found[word] = list(heads(conn, list(conn.execute(query).scalars())).values())
    return found
