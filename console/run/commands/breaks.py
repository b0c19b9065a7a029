"""`tieout breaks`: which records differ between platforms, by how much, since when?"""

from __future__ import annotations

from typing import Annotated, Literal

import typer

from metrics.queries.breaks import Break
from metrics.queries.breaks import breaks as listed

from ..output import Answer, Column, Item, amount, instant
from ..question import AfterOption, LimitOption, Question, refuse

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
Kind = Literal[
    "missing_in_target", "missing_in_source", "amount_differs", "attribute_differs", "currency_differs", "period_differs",
    "duplicate", "not_reversed", "stale_revision", "unauthorised_write", "unattributed_write",
]  # fmt: skip


def breaks(
    question: Question,
    kind: Annotated[Kind | None, typer.Option(help="Only this kind.")] = None,
    closed: Annotated[bool, typer.Option("--closed", help="Also those that were mended.")] = False,
    limit: LimitOption = 100,
    after: AfterOption = None,
) -> Answer:
    """List reconciliation differences, oldest first."""
    refuse(question, "breaks", "flow")
    with question.workspace.store.read() as conn:
        narrow = question.narrow(conn)
        listing = listed(
            conn, narrow, open_only=not closed, kind=kind, since_us=question.from_us, limit=limit, after=after
        )
    return question.listed(listing, break_item, COLUMNS, empty="no open difference")


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
        "expected": _said(b, b.expected),
        "actual": _said(b, b.actual),
        "money": amount(b.money_minor, b.currency),
        "since": instant(b.since_us),
        "closed": instant(b.closed_us),
    }


def _said(b: Break, said: str | None) -> Item | str | None:
    """Return what one side says: an amount as money, anything else as it is."""
    return amount(int(said), b.currency) if said is not None and b.kind == "amount_differs" else said
