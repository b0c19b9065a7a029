"""`tieout rebuild`: do the verdicts follow from the facts? Recomputes them, or with --verify only compares."""

from __future__ import annotations

from typing import Annotated

import typer

from metrics.rebuild import rebuild as recompute
from metrics.rebuild import verify as compare

from ..holding import holding_lease
from ..output import Answer, Column
from ..progress import progress
from ..question import Question, refuse

COLUMNS = (
    Column("table", "table"),
    Column("rows", "rows", True),
    Column("differing", "differing", True),
    Column("first difference", "first_difference"),
)


def rebuild(
    question: Question,
    verify: Annotated[
        bool, typer.Option("--verify", help="Change nothing; compare and exit 1 on a difference.")
    ] = False,
) -> tuple[Answer, int]:
    """Recompute every verdict from the facts."""
    refuse(question, "rebuild", "as-of", "period", "flow", "platform", "entity", "segment", "customer")
    w = question.workspace
    with progress("verifying" if verify else "rebuilding") as tell:

        def counted(what: str, done: int, whole: int) -> None:
            tell(f"{what}: {done:,} of {whole:,}")

        if verify:
            checks = compare(w.store, w.model, question.now_us, progress=counted)
            items = [
                {"table": c.table, "rows": c.rows, "differing": c.differing, "first_difference": c.first_difference}
                for c in checks
            ]
            return Answer(items, COLUMNS, question.head()), int(any(c.differing for c in checks))
        with holding_lease(w) as held:
            written = recompute(held.store, w.model, question.now_us, progress=counted)
    items = [{"table": t, "rows": n, "differing": None, "first_difference": None} for t, n in written.items()]
    return Answer(items, COLUMNS, question.head()), 0
