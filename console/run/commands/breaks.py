"""`tieout breaks`: which records differ between platforms, by how much, since when?"""

from __future__ import annotations

from typing import Annotated

import typer

from metrics.queries.breaks import Break
from metrics.queries.breaks import breaks as listed

from ..output import Answer, Column, Item, amount, instant
from ..question import Question, answering, refuse

COLUMNS = (
    Column("kind", "kind"),
    Column("field", "field"),
    Column("document", "number"),
    Column("platform", "platform"),
    Column("entity", "entity"),
    Column("customer", "customer"),
    Column("expected", "expected"),
    Column("actual", "actual"),
    Column("money", "money", True),
    Column("since", "since"),
)


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("breaks")(answering(breaks))


def breaks(
    question: Question,
    kind: Annotated[str | None, typer.Option(help="Only this kind, for example amount_differs.")] = None,
    closed: Annotated[bool, typer.Option("--closed", help="Also those that were mended.")] = False,
    limit: Annotated[int, typer.Option(min=1, max=1000, help="At most this many rows.")] = 100,
) -> Answer:
    """List reconciliation differences, oldest first."""
    refuse(question, "breaks", "flow")
    with question.workspace.store.read() as conn:
        narrow = question.narrow(conn)
        listing = listed(conn, narrow, open_only=not closed, kind=kind, since_us=question.from_us, limit=limit)
    head = {**question.head(), "total": listing.total}
    return Answer([break_item(b) for b in listing.items], COLUMNS, head, listing.next, empty="no open difference")


def break_item(b: Break) -> Item:
    """Return one difference with both sides."""
    return {
        "check": b.check_name,
        "kind": b.kind,
        "field": b.field,
        "platform": b.subject.platform if b.subject else None,
        "record_kind": b.subject.kind if b.subject else None,
        "external_id": b.subject.external_id if b.subject else None,
        "number": b.subject.label if b.subject else None,
        "revision": b.revision,
        "counterpart_platform": b.counterpart.platform if b.counterpart else None,
        "counterpart_id": b.counterpart.external_id if b.counterpart else None,
        "entity": b.entity,
        "customer": b.customer.name if b.customer else None,
        "expected": b.expected,
        "actual": b.actual,
        "money": amount(b.money_minor, b.currency),
        "since": instant(b.since_us),
        "closed": instant(b.closed_us),
    }
