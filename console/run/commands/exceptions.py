"""`tieout exceptions`: what must a person handle: dead letters, failed and hung runs, rows that could not be read?"""

from __future__ import annotations

from typing import Annotated, Literal

import typer

from metrics.queries.breaks import Trouble
from metrics.queries.breaks import exceptions as listed

from ..output import Answer, Column, Item, amount, instant
from ..question import AfterOption, LimitOption, Question, refuse

COLUMNS = (
    Column("kind", "kind"),
    Column("platform", "platform"),
    Column("what is wrong", "category"),
    Column("document", "number"),
    Column("money", "money", True),
    Column("message", "message"),
    Column("tries", "attempts", True),
    Column("since", "since"),
)
Kind = Literal["dead_letter", "failed_run", "stuck_run", "quarantined_row"]


def exceptions(
    question: Question,
    kind: Annotated[Kind | None, typer.Option(help="Only this kind.")] = None,
    closed: Annotated[bool, typer.Option("--closed", help="Also those that were handled.")] = False,
    limit: LimitOption = 100,
    after: AfterOption = None,
) -> Answer:
    """List what a person must handle."""
    refuse(question, "exceptions", "flow", "period")
    with question.workspace.store.read() as conn:
        listing = listed(conn, question.narrow(conn), open_only=not closed, kind=kind, limit=limit, after=after)
    return question.listed(listing, trouble_item, COLUMNS, empty="nothing to handle")


def trouble_item(t: Trouble) -> Item:
    """Return one exception."""
    return {
        "fingerprint": t.fingerprint,
        "kind": t.kind,
        "category": t.category,
        "cause": t.cause,
        "platform": t.platform,
        "number": t.document.label if t.document else None,
        "external_id": t.document.external_id if t.document else None,
        "customer": t.document.customer_name if t.document else None,
        "money": amount(t.money_minor, t.currency),
        "message": t.message,
        "attempts": t.attempts,
        "since": instant(t.since_us),
        "last": instant(t.last_us),
        "closed": instant(t.closed_us),
    }
