"""What happens when a steward settles something: the decision is kept, and who it concerns is drawn and judged anew.

Everything derived follows in the same transaction or with the next judging; the decision itself is never changed.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Row, insert, select

from metrics.crosswalk import connect, held_by, members_of
from metrics.definitions import Model
from metrics.store import Store
from metrics.tables import IdentityDecision, RecordRow, Suggestion, table
from metrics.touching import Toucher

from .decisions import CHOICES, Kind
from .keys import note_due

_DECISION, _RECORD, _SUGGESTION = table(IdentityDecision), table(RecordRow), table(Suggestion)


class DecisionError(ValueError):
    """A decision that cannot be taken; the text says why and what to do instead."""


@dataclass(frozen=True, slots=True)
class Decision:
    """What a person says about two customer records."""

    kind: Kind
    one: int
    other: int
    author: str
    reason: str

    @property
    def pair(self) -> tuple[int, int]:
        """Return the two records, the smaller first."""
        return min(self.one, self.other), max(self.one, self.other)


def decide(store: Store, model: Model, decision: Decision, now_us: int) -> None:
    """Settle two records by a named person and draw their customers anew. Errors: DecisionError; nothing is changed then."""
    if decision.kind not in CHOICES:
        raise DecisionError(f"there is no decision {decision.kind!r}; there are {', '.join(CHOICES)}")
    for what, given in (("name", decision.author), ("reason", decision.reason)):
        if not given.strip():
            raise DecisionError(f"give a {what}: it is kept with the decision")
    toucher = Toucher(model)
    with store.write() as conn:
        both = _check(conn, decision)
        note(conn, toucher, decision, now_us)
        if decision.kind == "confirm":
            _check_joined(conn, decision, both)


def note(conn: Connection, toucher: Toucher, decision: Decision, now_us: int) -> None:
    """Keep a decision and draw anew whom it concerns, inside the caller's write transaction."""
    a, b = decision.pair
    seen = conn.execute(
        select(_SUGGESTION.c.model, _SUGGESTION.c.weight).where(_SUGGESTION.c.a_id == a, _SUGGESTION.c.b_id == b)
    ).one_or_none()
    values = {"kind": decision.kind, "a_id": a, "b_id": b, "author": decision.author.strip(), "at_us": now_us}
    proof = {"model": seen.model if seen else None, "weight": seen.weight if seen else None}
    conn.execute(insert(_DECISION).values(reason=decision.reason.strip(), **values, **proof))
    members, elsewhere = connect(conn, toucher.identity, [a, b])
    note_due(conn, {a, b} & members)
    toucher.touch_members(conn, members)
    toucher.touch_payers(conn, elsewhere)


def _check(conn: Connection, decision: Decision) -> set[int]:
    """Refuse what cannot be settled. Returns every record of the two customers."""
    a, b = decision.pair
    if a == b:
        raise DecisionError("name two different records")
    known = set(
        conn.execute(select(_RECORD.c.id).where(_RECORD.c.id.in_((a, b)), _RECORD.c.kind == "customer")).scalars()
    )
    if known != {a, b}:
        raise DecisionError("no customer record with this id was ever seen; `tieout find` looks records up")
    heads = held_by(conn, (a, b))
    one = heads.get(a) == heads.get(b)
    if decision.kind == "split" and not one:
        raise DecisionError(
            "the two are no customer together, so there is nothing to split; reject forbids the suggestion"
        )
    if decision.kind != "split" and one:
        raise DecisionError("the two are one customer already; split undoes that")
    last = _last(conn, a, b)
    if last is not None and last.kind == decision.kind:
        raise DecisionError(f"{last.author} has settled this already: {last.kind}, “{last.reason}”")
    return members_of(conn, heads.values())


def _last(conn: Connection, a: int, b: int) -> Row[Any] | None:
    query = select(_DECISION).where(_DECISION.c.a_id == a, _DECISION.c.b_id == b)
    return conn.execute(query.order_by(_DECISION.c.at_us.desc(), _DECISION.c.id.desc()).limit(1)).one_or_none()


def _check_joined(conn: Connection, decision: Decision, both: set[int]) -> None:
    """Refuse a confirmation that an earlier decision about other records of the two makes impossible: it would tear one apart."""
    if len(set(held_by(conn, both).values())) == 1:
        return
    c = _DECISION.c
    among = (c.a_id.in_(both), c.b_id.in_(both), c.kind != "confirm")
    blocking = conn.execute(select(c.author, c.reason).where(*among).order_by(c.at_us.desc()).limit(1)).one_or_none()
    by = f" by {blocking.author} (“{blocking.reason}”)" if blocking else ""
    raise DecisionError(f"an earlier decision{by} keeps records of these two customers apart; settle that pair first")
