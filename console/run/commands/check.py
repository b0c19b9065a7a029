"""`tieout check`: is the configuration right, and can every platform be read as it says?"""

from __future__ import annotations

from contextlib import closing

import typer

from ..checking import Finding, check_platforms
from ..output import Answer, Column, Format, Item, instant, write
from ..progress import progress
from ..question import ConfigOption, FormatOption, StoreOption, settings_of
from ..workspace import Workspace, open_workspace

COLUMNS = (
    Column("platform", "platform"),
    Column("stream", "stream"),
    Column("state", "state"),
    Column("detail", "detail"),
)


def check(
    ctx: typer.Context, config: ConfigOption = None, store: StoreOption = None, format: FormatOption = Format.TABLE
) -> None:
    """Validate, connect, and show one mapped record of each stream. Exit code 1 when something cannot be read."""
    settings = settings_of(ctx, config, store)
    with closing(open_workspace(settings)) as workspace, progress("checking") as tell:
        findings = check_platforms(workspace.platforms, tell)
        answer = answer_of(workspace, findings)
    write(answer, format)
    raise typer.Exit(int(any(f.state == "failed" for f in findings)))


def answer_of(workspace: Workspace, findings: list[Finding]) -> Answer:
    """Return what was found, one row per look."""
    head = {"as_of": instant(workspace.now_us()), "config": str(workspace.settings.path)}
    empty = "the configuration is right, but names no platform yet; add one under `platforms:`"
    return Answer([finding_item(f) for f in findings], COLUMNS, head, notes=workspace.model.notes, empty=empty)


def finding_item(f: Finding) -> Item:
    """Return one look at a platform or stream."""
    return {
        "platform": f.platform,
        "stream": f.stream,
        "state": f.state,
        "detail": f.detail,
        "reason": f.reason,
        "record": f.record,
    }
