"""`tieout alerts`: what is firing, since when, about how much money, and who was told?"""

from __future__ import annotations

from typing import Annotated

import typer

from alerts.queries import AlertView, TransitionView, history, open_alerts
from probes.clock import DAY

from ..output import Answer, Column, Item, amounts, instant
from ..question import Question, refuse

OPEN = (
    Column("severity", "severity"),
    Column("state", "state"),
    Column("alert", "title"),
    Column("entity", "entity"),
    Column("since", "since"),
    Column("documents", "documents", True),
    Column("late", "late", True),
    Column("lost", "lost", True),
    Column("owner", "owner"),
    Column("id", "id"),
)
HISTORY = (
    Column("at", "at"),
    Column("what", "kind"),
    Column("severity", "severity"),
    Column("text", "text"),
    Column("told", "told"),
)


def alerts(
    question: Question,
    past: Annotated[
        bool, typer.Option("--history", help="What happened, newest first; default the last 7 days.")
    ] = False,
    limit: Annotated[int, typer.Option(min=1, max=1000, help="At most this many rows of history.")] = 100,
) -> Answer:
    """List open alerts, or with --history what fired and resolved."""
    refuse(question, "alerts", "customer", "segment")
    if not past:
        refuse(question, "alerts", "period")
    f = question.filters
    with question.workspace.store.read() as conn:
        if past:
            since = question.from_us if question.from_us is not None else question.until_us - 7 * DAY
            told = history(conn, since, limit, question.until_us)
            return Answer([transition_item(t) for t in told], HISTORY, question.head(), empty="nothing happened")
        views = [
            a
            for a in open_alerts(conn, f.as_of_us)
            if (f.flow in (None, a.flow) and f.entity in (None, a.entity) and f.platform in (None, a.platform))
        ]
    return Answer([alert_item(a) for a in views], OPEN, question.head(), empty="no alert is open")


def alert_item(a: AlertView) -> Item:
    """Return one open alert."""
    first = a.first
    return {
        "id": a.id,
        "rule": a.rule,
        "title": a.title,
        "severity": a.severity,
        "state": a.state,
        "episode": a.episode,
        "flow": a.flow,
        "step": a.step,
        "sli": a.sli,
        "entity": a.entity,
        "platform": a.platform,
        "owner": a.owner,
        "since": instant(a.since_us),
        "fired": instant(a.fired_us),
        "acknowledged_by": a.acknowledged_by,
        "held": a.held,
        "untold": a.untold,
        "documents": a.document_count,
        "customers": a.customer_count,
        "late": amounts(a.late),
        "lost": amounts(a.lost),
        "first": None if first is None else (first.number or first.external_id),
        "link": None if first is None else first.link,
    }


def transition_item(t: TransitionView) -> Item:
    """Return one thing that happened to an alert."""
    return {
        "alert": t.alert_id,
        "episode": t.episode,
        "kind": t.kind,
        "at": instant(t.at_us),
        "severity": t.severity,
        "title": t.title,
        "told": list(t.told),
        "untold": t.untold,
        "text": t.text,
    }
