"""`tieout export`: the figures for other tools: OpenMetrics for Prometheus, CSV for spreadsheets."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from ..output import Answer, as_csv
from ..question import Question, WrongInput, refuse
from .alerts import alerts
from .breaks import breaks
from .exceptions import exceptions
from .flows import flows
from .sli import sli

MOST = 1_000_000
"""A spreadsheet holds no more; what is beyond is said, never dropped in silence."""
What = Literal["openmetrics", "csv"]
LISTS: dict[str, Callable[[Question], Any]] = {
    "sli": sli,
    "flows": flows,
    "breaks": lambda question: breaks(question, limit=MOST),
    "exceptions": lambda question: exceptions(question, limit=MOST),
    "alerts": alerts,
}


def export(
    question: Question,
    what: Annotated[What, typer.Argument(help="openmetrics, or csv followed by the list to write.")],
    listing: Annotated[str | None, typer.Argument(help=f"With csv: {', '.join(LISTS)}.")] = None,
    out: Annotated[Path | None, typer.Option(help="Write to this file instead of standard output.")] = None,
) -> None:
    """Write the figures in a format other tools read."""
    text = _metrics(question) if what == "openmetrics" else _csv(question, listing)
    if out is None:
        sys.stdout.write(text)
        return
    try:
        out.write_text(text, "utf-8")
    except OSError as error:
        raise WrongInput(
            f"--out {out}: cannot be written ({error.strerror}). Make its folder, or name another file."
        ) from None


def _metrics(question: Question) -> str:
    refuse(question, "export openmetrics", "as-of", "period", "flow", "platform", "entity", "segment", "customer")
    # Imported here: only this one answer needs the web server's libraries, which are slow to load.
    from console.web.context import Console
    from console.web.exports.openmetrics import render

    w = question.workspace
    return render(Console(w.store, w.model, w.settings.console, w.clock), openmetrics=True).decode()


def _csv(question: Question, listing: str | None) -> str:
    if listing not in LISTS:
        raise WrongInput(f"export csv {listing or ''}: name one of {', '.join(LISTS)}.")
    found = LISTS[listing](question)
    answer: Answer = found[0] if isinstance(found, tuple) else found
    if answer.next is not None:
        sys.stderr.write(f"only the first {MOST:,} rows were written; narrow the list, for example with --entity\n")
    return as_csv(answer)
