"""Which values name a customer record, and which of them are no key: words for nothing, and what too many share.

Values are those of the newest version that was not deleted, so that a record found gone stays who it was. Joining is the
question of `metrics.crosswalk`.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, bindparam, delete, select, text

from metrics.definitions import Model
from metrics.keys import key_id
from metrics.normalise import NORMALISERS, country, fold, is_null
from metrics.store import bulk_insert
from metrics.tables import IdentityDue, IdentityKey, IdentityModel, IdentityRefused, table
from probes.record import Record

from .settings import IdentitySettings

KEY, REFUSED, DUE, MODEL = (table(t) for t in (IdentityKey, IdentityRefused, IdentityDue, IdentityModel))
_COLUMNS = ("key_id", "record_id", "platform", "name", "value", "usable")
_CHUNK = 500


@dataclass(frozen=True)
class Rules:
    """What of the configuration identity follows: its own section, the platforms' roles and whose records stand for a customer."""

    settings: IdentitySettings
    roles: Mapping[str, tuple[str, ...]]
    heads: frozenset[str]

    @classmethod
    def of(cls, model: Model) -> Rules:
        """Return the rules of a model: the customers that its flows judge come from the anchor's platforms."""
        heads = {flow.anchor.role for flow in model.flows.values() if flow.anchor.active}
        roles = {name: p.roles for name, p in model.platforms.items()}
        return cls(model.identity, roles, frozenset(heads or {"crm"}))

    def heads_on(self, platform: str) -> bool:
        """Return whether a platform's records may stand for the customer before others."""
        return bool(self.heads & set(self.roles.get(platform, ())))


def values_of(settings: IdentitySettings, record: Record) -> list[tuple[str, str, bool]]:
    """Return (key, value, is it a word for nothing) of a record; a key of several attributes needs all of them."""
    found = []
    extra = settings.folded_null_words
    place = country(record.attributes.get("country") or "")
    for key in settings.keys:
        written = [record.attributes.get(field) or "" for field in key.fields]
        if not all(fold(word) for word in written):
            continue
        null = any(is_null(word, extra) for word in written)
        plain = [fold(w).upper() if null else NORMALISERS[key.form](w, place) for w in written]
        if all(plain):
            found.append((key.name, "|".join(p or "" for p in plain), null))
    return found


def note_keys(conn: Connection, rules: Rules, customers: Mapping[int, tuple[str, Record]]) -> set[int]:
    """Store the key values of customer records, given as (platform, record). Returns every record whose joins may be others now."""
    note_due(conn, customers)
    rows = [
        (key_id(f"identity:{name}={value}"), rid, platform, name, value, not null)
        for rid, (platform, record) in customers.items()
        for name, value, null in values_of(rules.settings, record)
    ]
    moved = Counter(_forget(conn, sorted(customers)))
    moved.update(row[0] for row in rows)
    bulk_insert(conn, KEY, rows, _COLUMNS)
    return set(customers) | _recount(conn, rules.settings.shared_by, moved)


def note_due(conn: Connection, records: Iterable[int]) -> None:
    """Note records whose suggestions must be looked for again; nothing while no model was ever trained."""
    if conn.execute(select(MODEL.c.id).limit(1)).first() is not None:
        bulk_insert(conn, DUE, [(rid,) for rid in sorted(records)], ("record_id",), "ON CONFLICT DO NOTHING")


def _forget(conn: Connection, ids: Sequence[int]) -> list[int]:
    """Remove the values of records. Returns these values."""
    held: list[int] = []
    for chunk in chunks(ids):
        held += conn.execute(select(KEY.c.key_id).where(KEY.c.record_id.in_(chunk))).scalars()
        conn.execute(delete(KEY).where(KEY.c.record_id.in_(chunk)))
    return held


_COUNTED = text(
    "SELECT key_id, platform, COUNT(*) AS n FROM identity_key WHERE key_id IN :ids AND usable GROUP BY key_id, platform"
).bindparams(bindparam("ids", expanding=True))


def _recount(conn: Connection, most: int, moved: Counter[int]) -> set[int]:
    """Say anew which of these values too many share. Returns who holds one that may have become a key, or ceased to be one."""
    near: list[int] = []
    for chunk in chunks(sorted(moved)):
        counts: dict[int, int] = defaultdict(int)
        for kid, _platform, n in conn.execute(_COUNTED, {"ids": chunk}):
            counts[kid] = max(counts[kid], n)
        conn.execute(delete(REFUSED).where(REFUSED.c.key_id.in_(chunk)))
        bulk_insert(conn, REFUSED, [(k, "shared") for k, n in counts.items() if n > most], ("key_id", "reason"))
        near += [k for k, n in counts.items() if n <= most + moved[k]]
    held: set[int] = set()
    for chunk in chunks(near):
        held.update(conn.execute(select(KEY.c.record_id).where(KEY.c.key_id.in_(chunk))).scalars())
    return held


def chunks(ids: Sequence[int]) -> Iterable[Sequence[int]]:
    """Yield ids in lists short enough for one statement."""
    for start in range(0, len(ids), _CHUNK):
        yield ids[start : start + _CHUNK]
