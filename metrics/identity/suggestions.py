"""Which pairs of customers may be one: trained and refreshed on demand, kept as rows, looked for again only where something changed.

A pair is listed when it shares a block that is not too common, weighs enough and is of two customers. It joins nobody.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import log2

from sqlalchemy import Connection, bindparam, delete, insert, or_, select, text

from metrics.crosswalk import CROSSWALK, held_by
from metrics.definitions import Model
from metrics.intake import last_known, load_versions
from metrics.store import Store, bulk_insert
from metrics.tables import IdentityBlock, IdentityDue, IdentityModel, Suggestion, table

from .features import Values, blocks, values_compared
from .keys import chunks
from .scoring import Scored, score
from .settings import IdentitySettings
from .training import Trained, TrainingError, train

BLOCK, DUE, MODEL, SUGGESTION = (table(t) for t in (IdentityBlock, IdentityDue, IdentityModel, Suggestion))
SAMPLE = 50_000
"""So many customers are enough to learn from. Identities are hashes, so the least of them are a fair sample."""
CHUNK = 2_000
Progress = Callable[[str, int, int], None]

_HEADS = text(
    "SELECT r.id FROM record r JOIN crosswalk x ON x.record_id = r.id AND x.customer_id = r.id"
    " WHERE r.kind = 'customer' AND r.deleted_us IS NULL AND NOT r.test AND COALESCE(r.state, '') <> 'closed'"
    " ORDER BY r.id LIMIT :most"
)
# Who is gone, put out of use or made up needs no steward.
_LIVING = text(
    "SELECT id FROM record WHERE deleted_us IS NULL AND NOT test AND COALESCE(state, '') <> 'closed' AND id IN :ids"
).bindparams(bindparam("ids", expanding=True))
_EVERYBODY = text(
    "INSERT INTO identity_due (record_id) SELECT id FROM record WHERE kind = 'customer' ON CONFLICT DO NOTHING"
)
_SIZES = text("SELECT block_id, COUNT(*) FROM identity_block WHERE block_id IN :ids GROUP BY block_id").bindparams(
    bindparam("ids", expanding=True)
)


@dataclass(frozen=True, slots=True)
class InForce:
    """The model that suggestions follow: its row and its parameters."""

    digest: str
    trained_us: int
    author: str
    trained: Trained


@dataclass(slots=True)
class Refreshed:
    """What a refresh did: the records it looked at and the pairs it found worth showing."""

    records: int = 0
    pairs: int = 0


def in_force(conn: Connection) -> InForce | None:
    """Return the model trained last, None before any was."""
    row = conn.execute(select(MODEL).order_by(MODEL.c.trained_us.desc(), MODEL.c.id.desc()).limit(1)).one_or_none()
    return None if row is None else InForce(row.digest, row.trained_us, row.author, Trained.parse(row.body))


def train_and_keep(store: Store, model: Model, author: str, now_us: int) -> InForce:
    """Learn from the customers there are and keep the model as a fact; all suggestions are due anew. Errors: TrainingError."""
    if not author.strip():
        raise TrainingError("give a name: it is kept with the model")
    with store.read() as conn:
        rows = _profiles(conn, model.identity)
    trained = train(model.identity.suggest, rows)
    values = {"digest": trained.digest, "trained_us": now_us, "author": author.strip(), "records": trained.records}
    with store.write() as conn:
        conn.execute(insert(MODEL).values(body=trained.body, **values))
        conn.execute(_EVERYBODY)
    return InForce(trained.digest, now_us, author.strip(), trained)


def _profiles(conn: Connection, settings: IdentitySettings) -> dict[int, Values]:
    """Return one row per customer: of each field what its own record says, or else another of its records."""
    heads = list(conn.execute(_HEADS, {"most": SAMPLE}).scalars())
    owner: dict[int, int] = {}
    for chunk in chunks(heads):
        rows = conn.execute(
            select(CROSSWALK.c.record_id, CROSSWALK.c.customer_id).where(CROSSWALK.c.customer_id.in_(chunk))
        )
        owner.update((row[0], row[1]) for row in rows)
    said = _values(conn, settings, sorted(owner))
    found = {head: dict(said[head]) for head in heads if head in said}
    for rid, values in sorted(said.items()):
        for field, value in values.items():
            if found[owner[rid]][field] is None:
                found[owner[rid]][field] = value
    return dict(found)


def refresh(store: Store, model: Model, *, progress: Progress | None = None) -> Refreshed:
    """Look again for the suggestions of what changed. Errors: TrainingError when no model fits the configuration."""
    done = Refreshed()
    with store.read() as conn:
        used = in_force(conn)
    if used is None:
        raise TrainingError("no model was trained yet; run `tieout identity train --by YOUR NAME`")
    if used.trained.compares != model.identity.suggest.compares:
        raise TrainingError(
            "identity.suggest compares other fields than the model was trained for; run `tieout identity train`"
        )
    while True:
        with store.write() as conn:
            taken = list(conn.execute(select(DUE.c.record_id).order_by(DUE.c.record_id).limit(CHUNK)).scalars())
            if not taken:
                return done
            done.pairs += _again(conn, model.identity, used, taken)
            done.records += len(taken)
            left = len(taken) == CHUNK and conn.execute(select(DUE.c.record_id).limit(1)).first() is not None
        if progress:
            progress("suggestions", done.records, done.records + (CHUNK if left else 0))


def refresh_where_trained(store: Store, model: Model) -> Refreshed:
    """Look again for the suggestions of what changed; nothing happens while no model fits the configuration."""
    with store.read() as conn:
        used = in_force(conn)
        due = conn.execute(select(DUE.c.record_id).limit(1)).first()
    fits = used is not None and used.trained.compares == model.identity.suggest.compares
    return refresh(store, model) if fits and due is not None else Refreshed()


def _again(conn: Connection, settings: IdentitySettings, used: InForce, due: Sequence[int]) -> int:
    """Replace the suggestions of these records, and of those whose blocks became too common or no longer are, as well."""
    shifted = _place(conn, settings, due)
    looked = sorted({*due, *shifted})
    for chunk in chunks(looked):
        conn.execute(delete(SUGGESTION).where(or_(SUGGESTION.c.a_id.in_(chunk), SUGGESTION.c.b_id.in_(chunk))))
        conn.execute(delete(DUE).where(DUE.c.record_id.in_(chunk)))
    pairs = _found(conn, settings, used, looked)
    rows = [(p.a, p.b, p.weight, p.probability, p.told, used.digest) for p in pairs]
    bulk_insert(conn, SUGGESTION, rows, ("a_id", "b_id", "weight", "probability", "parts", "model"))
    return len(rows)


def _place(conn: Connection, settings: IdentitySettings, due: Sequence[int]) -> set[int]:
    """Put records into their blocks. Returns who shares a block whose size passed the limit."""
    values = _values(conn, settings, due)
    moved: Counter[int] = Counter()
    for chunk in chunks(due):
        moved.update(conn.execute(select(BLOCK.c.block_id).where(BLOCK.c.record_id.in_(chunk))).scalars())
        conn.execute(delete(BLOCK).where(BLOCK.c.record_id.in_(chunk)))
    rows = [(block, rid) for rid, found in values.items() for block in blocks(settings.suggest, found)]
    moved.update(block for block, _ in rows)
    bulk_insert(conn, BLOCK, rows, ("block_id", "record_id"))
    most = settings.suggest.block_most
    near = [b for b, n in _sizes(conn, moved).items() if most - moved[b] < n <= most + moved[b]]
    return {rid for _, rid in _members(conn, near)}


def _found(conn: Connection, settings: IdentitySettings, used: InForce, looked: Sequence[int]) -> list[Scored]:
    most = settings.suggest.block_most
    stands = [row for chunk in chunks(looked) for row in conn.execute(
        select(BLOCK.c.block_id, BLOCK.c.record_id).where(BLOCK.c.record_id.in_(chunk))
    )]  # fmt: skip
    sizes = _sizes(conn, {block for block, _ in stands})
    within: dict[int, list[int]] = {}
    for block, rid in _members(conn, sorted(b for b, n in sizes.items() if 2 <= n <= most)):
        within.setdefault(rid, []).append(block)
    values = _values(conn, settings, sorted(within))
    least = settings.suggest.probability
    pairs = score(settings.suggest, used.trained, values, within, log2(least / (1 - least)))
    mine = set(looked)
    one = held_by(conn, within)
    return [p for p in pairs if (p.a in mine or p.b in mine) and one.get(p.a) != one.get(p.b)]


def _sizes(conn: Connection, ids: Iterable[int]) -> dict[int, int]:
    found: dict[int, int] = {}
    for chunk in chunks(sorted(ids)):
        found.update((row[0], row[1]) for row in conn.execute(_SIZES, {"ids": chunk}))
    return found


def _members(conn: Connection, ids: Sequence[int]) -> list[tuple[int, int]]:
    query = select(BLOCK.c.block_id, BLOCK.c.record_id)
    return [(row[0], row[1]) for chunk in chunks(ids) for row in conn.execute(query.where(BLOCK.c.block_id.in_(chunk)))]


def _values(conn: Connection, settings: IdentitySettings, ids: Sequence[int]) -> Mapping[int, Values]:
    """Return what is compared of the records that are neither gone nor test data."""
    found: dict[int, Values] = {}
    for chunk in chunks(ids):
        living = conn.execute(_LIVING, {"ids": chunk}).scalars().all()
        for rid, versions in load_versions(conn, living).items():
            found[rid] = values_compared(settings, last_known(versions))
    return found
