"""Which records a person means by something they typed: an id, a number, a PO number, any business key, or a name.

Exact spelling first, then the same without case, blanks and leading zeros. It guesses nothing beyond that.
"""

from __future__ import annotations

import string
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, select

from metrics.keys import key_id
from metrics.past import Past, existed
from metrics.tables import RecordKey, table
from probes.record import key

from .customers import customers_named
from .heads import RECORD, STREAM, Head, chunks, head_rows, heads, to_heads

KEY = table(RecordKey)
# Key identities are hashes, so the least ones are a fair sample of which key names this store knows.
SAMPLE = 5000
_SHORT_ID, _BLOCK = 15, 5
_CHECK = string.ascii_uppercase + "012345"


@dataclass(frozen=True, slots=True)
class Hit:
    """One record found. `by`: id | number | key | name; `exact` false when only the normalised spelling fits."""

    head: Head
    by: str
    matched: str
    exact: bool


def find(conn: Connection, text: str, limit: int = 50, past: Past | None = None) -> list[Hit]:
    """Return the records that a text names, exact matches first, customers by the beginning of their name last.

    With `past` those that existed then.
    """
    asked = text.strip()
    if not asked or "\0" in asked:  # no platform's text holds a NUL, and PostgreSQL takes none
        return []
    hits: dict[int, Hit] = {}
    for values, exact in (([asked], True), (spellings(asked), False)):
        for hit in (*_by_column(conn, values, exact, past), *_by_key(conn, values, exact, past)):
            hits.setdefault(hit.head.id, hit)
    for hit in _by_name(conn, asked, limit, past):
        hits.setdefault(hit.head.id, hit)
    return list(hits.values())[:limit]


def spellings(text: str) -> list[str]:
    """Return other spellings under which the same key may be stored."""
    compact = "".join(text.split())
    found = [text.strip(), compact, compact.upper(), compact.lower(), compact.lstrip("0"), compact.upper().lstrip("0")]
    found += [text.strip().upper(), text.lstrip("#").strip()]
    if len(compact) == _SHORT_ID and compact.isalnum() and compact.isascii():
        found.append(compact + _salesforce_suffix(compact))
    return sorted({f for f in found if f})


def _salesforce_suffix(short: str) -> str:
    # The 18-character form adds one check letter per five characters, made of which of them are capitals.
    blocks = [short[i : i + _BLOCK] for i in range(0, _SHORT_ID, _BLOCK)]
    return "".join(_CHECK[sum(1 << i for i, c in enumerate(b) if c in string.ascii_uppercase)] for b in blocks)


def _by_column(conn: Connection, values: Sequence[str], exact: bool, past: Past | None, limit: int = 200) -> list[Hit]:
    found = []
    for name, column in (("id", RECORD.c.external_id), ("number", RECORD.c.number)):
        named = head_rows().where(column.in_(values), *existed(past, RECORD))
        rows = conn.execute(named.order_by(RECORD.c.id).limit(limit)).all()
        found += [
            Hit(h, name, (h.external_id if name == "id" else h.number) or "", exact) for h in to_heads(conn, rows)
        ]
    return found


def _by_key(conn: Connection, values: Sequence[str], exact: bool, past: Past | None) -> list[Hit]:
    texts = {key(*name, value) for name in _key_names(conn) for value in values}
    ids = {key_id(t): t for t in texts}
    owners: dict[int, str] = {}
    for batch in chunks(ids):
        for row in conn.execute(select(KEY.c.record_id, KEY.c.key).where(KEY.c.key_id.in_(batch))):
            owners.setdefault(row.record_id, row.key)
    known = heads(conn, owners, past)
    return [Hit(head, "key", owners[i].partition("/")[2], exact) for i, head in sorted(known.items())]


def _key_names(conn: Connection) -> Iterable[tuple[str, str, str]]:
    rows = conn.execute(select(KEY.c.key).order_by(KEY.c.key_id).limit(SAMPLE))
    names = set()
    for (text,) in rows:
        platform, _, rest = text.partition("/")
        kind, _, rest = rest.partition("/")
        names.add((platform, kind, rest.partition("=")[0]))
    streams = conn.execute(select(STREAM.c.platform, STREAM.c.kind)).all()
    return names | {(s.platform, s.kind, "number") for s in streams}


def _by_name(conn: Connection, text: str, limit: int, past: Past | None) -> list[Hit]:
    wanted = text.casefold()
    named = customers_named(conn, text, past)
    named.sort(key=lambda n: (not n[1].casefold().startswith(wanted), n[1].casefold(), n[0]))
    known = heads(conn, (owner for owner, _ in named[:limit]), past)
    return [Hit(known[i], "name", name, name.casefold() == wanted) for i, name in named[:limit] if i in known]
