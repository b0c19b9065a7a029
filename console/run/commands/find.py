"""`tieout find KEY`: which records carry this number, id or name, and where do they stand?"""

from __future__ import annotations

from typing import Annotated

import typer

from metrics.queries.find import Hit
from metrics.queries.find import find as search
from metrics.queries.flows import Instance, instances_of
from metrics.queries.pages import MOST

from ..output import Answer, Column, Item, amount, instant
from ..question import LimitOption, Question, WrongInput, refuse
from .flows import instance_item

COLUMNS = (
    Column("platform", "platform"),
    Column("kind", "kind"),
    Column("number", "number"),
    Column("id", "external_id"),
    Column("entity", "entity"),
    Column("customer", "customer"),
    Column("state", "state"),
    Column("amount", "amount", True),
    Column("found by", "found_by"),
    Column("flow", "stands"),
    Column("seen", "observed"),
)


def find(
    question: Question,
    key: Annotated[str, typer.Argument(help="An id, number, PO number, business key, or the start of a name.")],
    limit: LimitOption = 50,
) -> tuple[Answer, int]:
    """Find records by any key. Exit code 1 when there is none."""
    refuse(question, "find", "period", "flow", "segment", "customer")
    if not key.strip():
        raise WrongInput("tieout find: write the id, number, key or name to look for.")
    f = question.filters
    with question.workspace.store.read() as conn:
        past = question.narrow(conn).past
        narrowed = f.platform is not None or f.entity is not None
        hits = [
            h
            for h in search(conn, key, MOST if narrowed else limit, past)
            if f.platform in (None, h.head.platform) and f.entity in (None, h.head.entity)
        ][:limit]
        on: dict[int, list[Instance]] = {}
        for instance, steps in instances_of(conn, (h.head.id for h in hits), past):
            for record_id in {instance.anchor_id, *(s.record_id for s in steps if s.record_id is not None)}:
                on.setdefault(record_id, []).append(instance)
    items = [{**hit_item(h), "flows": [instance_item(i) for i in on.get(h.head.id, ())]} for h in hits]
    for item in items:
        item["stands"] = [f"{i['flow']}: {i['state']}" for i in item["flows"]]
    return Answer(items, COLUMNS, {**question.head(), "key": key}, empty=f"nothing is known as {key}"), int(not items)


def hit_item(h: Hit) -> Item:
    """Return one record found and how."""
    head = h.head
    return {
        "platform": head.platform,
        "kind": head.kind,
        "external_id": head.external_id,
        "number": head.label,
        "entity": head.entity,
        "customer": head.customer_name,
        "status": head.status,
        "state": head.state,
        "amount": amount(head.amount_minor, head.currency),
        "created": instant(head.created_us),
        "observed": instant(head.observed_us),
        "digest": head.digest,
        "found_by": h.by,
        "exact": h.exact,
    }
