"""What stewards settled about two records: one customer, or two. A fact with a named person, a reason and an instant.

`confirm` joins, `split` undoes a join, `reject` forbids a suggestion; the last decision on a pair counts, whatever keys or
platforms say. A record may be decided on before it, or what it is compared with, is seen again.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, get_args

from sqlalchemy import Connection, bindparam, text

Kind = Literal["confirm", "reject", "split"]
CHOICES: tuple[Kind, ...] = get_args(Kind)
Settled = dict[tuple[int, int], str]
"""(smaller record, larger record) → the last decision on the two."""

_CHUNK = 500
_LAST = text(
    "SELECT a_id, b_id, kind FROM identity_decision WHERE a_id IN :ids OR b_id IN :ids ORDER BY at_us, id"
).bindparams(bindparam("ids", expanding=True))


def settled(conn: Connection, ids: Sequence[int]) -> Settled:
    """Return the decisions in force that concern any of these records."""
    found: Settled = {}
    for start in range(0, len(ids), _CHUNK):
        for a, b, kind in conn.execute(_LAST, {"ids": ids[start : start + _CHUNK]}):
            found[a, b] = kind
    return found
