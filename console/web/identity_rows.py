"""How pairs of customers, their ids and what was settled about them read as rows. Nothing is asked or decided here."""

from __future__ import annotations

from typing import Any

from metrics.queries import identity as query

from . import formats
from .context import Console

ABOUT = {
    "confirm": "One customer",
    "reject": "Two customers",
    "split": "Split off",
}
WHY = {
    "null_word": "it says nothing",
    "shared": "too many records share it",
    "disputed": "a steward told its holders apart",
    "hierarchy": "a company and its parent hold it",
}
TELLING_BITS = 0.5
"""A part that weighs less says nothing worth a word in a list."""


def suggestion_row(s: query.Suggested) -> dict[str, Any]:
    """Return a pair of customers as a row of the list."""
    one, other = s.sides
    return {
        "Likely": percent(s.probability),
        "Customer": one.name,
        "Id": spelled(one.record),
        "And": other.name,
        "Id there": spelled(other.record),
        "For it": _strongest(s, +1),
        "Against it": _strongest(s, -1),
        "On the first": _hanging(one),
        "On the other": _hanging(other),
        "pair": f"{s.a_id}-{s.b_id}",
    }


def percent(probability: float) -> str:
    """Return a probability for people."""
    # Cut, never rounded up: no likeness of this kind is certain.
    return f"{int(probability * 1000) / 10:.1f} %"


def spelled(i: query.ScopedId) -> str:
    """Return how a record is named."""
    return f"{i.record.platform} {i.record.external_id}"


def _strongest(s: query.Suggested, sign: int) -> str:
    parts = sorted((p for p in s.parts[1:] if p.weight * sign >= TELLING_BITS), key=lambda p: -abs(p.weight))
    return ", ".join(f"{formats.words(p.comparison)} {p.level}" for p in parts[:2])


def _hanging(side: query.Side) -> str:
    """Say what hangs on each id of a side; platforms are not added up, for they show the same documents."""
    told = [f"{i.record.platform}: {', '.join(found)}" for i in side.ids if (found := _open(i))]
    return "; ".join(told) or "nothing open"


def _open(i: query.ScopedId) -> list[str]:
    h = i.hanging
    orders = [formats.plural(h.orders, "order")] if h.orders else []
    owed = [f"{formats.moneys(h.receivables)} owed"] if h.receivables else []
    return [*orders, *owed, *([formats.plural(h.cases, "case")] if h.cases else [])]


def compared_rows(console: Console, s: query.Suggested) -> list[dict[str, Any]]:
    """Return what was compared of a pair, field by field."""
    fields = {c.field: (c.field, *c.near) for c in console.model.identity.suggest.compare}
    rows = []
    for part in s.parts[1:]:
        names = fields.get(part.comparison, (part.comparison,))
        values = (", ".join(v for n in names if (v := side.record.attributes.get(n))) or None for side in s.sides)
        rows.append(
            {
                "Compared": ", ".join(formats.words(n) for n in names),
                **dict(zip((spelled(side.record) for side in s.sides), values, strict=True)),
                "Found": part.level,
                "Bits": f"{part.weight:+.1f}",
            }
        )
    return rows


def id_row(console: Console, customer: str, i: query.ScopedId) -> dict[str, Any]:
    """Return one id of a customer with its scope and what hangs on it."""
    h = i.hanging
    return {
        "Customer": customer,
        "Platform": i.record.platform,
        "Role": ", ".join(i.roles),
        "Id": i.record.external_id,
        "Entity": i.record.entity,
        "Currency": i.currency,
        "From": i.from_us,
        "To": i.to_us,
        "How known": formats.words(i.evidence),
        "Open orders": h.orders,
        "Their value": formats.moneys(h.order_money),
        "Receivables": formats.moneys(h.receivables),
        "Open cases": h.cases,
        "link": console.model.link(i.record.platform, "customer", i.record.external_id),
    }


def decision_row(d: query.Settled) -> dict[str, Any]:
    """Return what was settled as a row."""

    def told(head: Any) -> str | None:
        return None if head is None else f"{head.label} ({head.platform} {head.external_id})"

    return {
        "At": d.at_us,
        "Decision": ABOUT[d.kind],
        "Record": told(d.a),
        "And": told(d.b),
        "By": d.author,
        "Reason": d.reason,
        "In force": "yes" if d.in_force else "replaced by a later one",
        "customer": d.a.customer_id if d.a else None,
    }
