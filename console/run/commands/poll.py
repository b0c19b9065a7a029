"""`tieout poll`: run the probes here and now, in the foreground, and judge what they bring."""

from __future__ import annotations

import threading
from contextlib import closing
from typing import Annotated

import typer

from metrics.polling import PollSummary

from ..cycle import CycleSummary, run_cycle
from ..holding import holding_lease
from ..output import Answer, Column, Format, Item, instant, write
from ..progress import progress
from ..question import ConfigOption, FormatOption, StoreOption, settings_of
from ..scheduler import stop_on_signals
from ..workspace import Workspace, open_workspace

COLUMNS = (
    Column("platform", "platform"),
    Column("stream", "stream"),
    Column("poll", "kind"),
    Column("status", "status"),
    Column("records", "records", True),
    Column("new versions", "versions", True),
    Column("refused", "quarantined", True),
    Column("known up to", "watermark"),
    Column("message", "message"),
)


def poll(
    ctx: typer.Context,
    once: Annotated[bool, typer.Option("--once", help="Poll every stream once, judge, tell, and stop.")] = False,
    config: ConfigOption = None,
    store: StoreOption = None,
    format: FormatOption = Format.TABLE,
) -> None:
    """Run the probes in the foreground. Exit code 1 when a poll failed or the monitor itself did."""
    settings = settings_of(ctx, config, store)
    stop = threading.Event()
    stop_on_signals(stop)
    with closing(open_workspace(settings)) as opened, holding_lease(opened) as workspace:
        code = _round(workspace, "all", stop, format)
        while not once and not stop.wait(settings.scheduler.settle / 1e6):
            code = _round(workspace, "due", stop, format)
    raise typer.Exit(code)


def _round(workspace: Workspace, probes: str, stop: threading.Event, format: Format) -> int:
    with progress("polling") as tell:
        summary = run_cycle(workspace, probes="all" if probes == "all" else "due", progress=tell, stop=stop)
    if summary.polls or summary.degraded:
        write(answer_of(workspace, summary), format)
    return int(bool(summary.degraded) or any(p.status != "complete" for p in summary.polls))


def answer_of(workspace: Workspace, summary: CycleSummary) -> Answer:
    """Return what a cycle did, one row per poll."""
    notes = [f"the monitor itself failed in: {part}" for part in summary.degraded]
    head = {"as_of": instant(workspace.now_us()), "degraded": list(summary.degraded)}
    return Answer([poll_item(p) for p in summary.polls], COLUMNS, head, notes=notes, empty="nothing was due")


def poll_item(p: PollSummary) -> Item:
    """Return what one poll did."""
    return {
        "platform": p.platform,
        "stream": p.stream,
        "kind": p.kind,
        "status": p.status,
        "reason": p.reason,
        "message": p.message,
        "records": p.records,
        "versions": p.versions,
        "quarantined": p.quarantined,
        "watermark": instant(p.watermark_us),
    }
