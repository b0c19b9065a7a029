"""`tieout score`: how much of what truly fails is found, when, and what is said that is not true? In virtual time, without accounts."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated

import typer

from probes.clock import MINUTE

from ..output import Answer, Column, Format, Item, write
from ..progress import progress
from ..question import FormatOption, WrongInput

FINDING = 1
COLUMNS = (
    Column("fault", "id"),
    Column("injected", "injected", True),
    Column("recall", "recall", True),
    Column("precision", "precision", True),
    Column("money exact", "money_exact", True),
    Column("detected p50, p99 (intervals)", "detect_intervals", True),
    Column("closed p50, p99 (intervals)", "close_intervals", True),
    Column("not closed", "unclosed", True),
)
SHOWN = 20


def score(
    seeds: Annotated[
        int, typer.Option(min=1, max=1000, help="How many companies to watch, each from its own seed.")
    ] = 1,
    first: Annotated[int, typer.Option(min=0, help="The first seed.")] = 1,
    days: Annotated[int, typer.Option(min=3, max=400, help="Virtual days to watch each.")] = 30,
    minutes: Annotated[int, typer.Option("--every", min=1, max=1440, help="Virtual minutes between polls.")] = 5,
    faults: Annotated[str | None, typer.Option(help="Ids of the catalogue, by commas; else all.")] = None,
    scale: Annotated[float, typer.Option(min=0.05, max=100, help="Size of the company; 1 is the demo's.")] = 0.3,
    raw: Annotated[
        Path | None, typer.Option(help="Also write journal and findings as JSON lines into this folder.")
    ] = None,
    format: FormatOption = Format.TABLE,
) -> None:
    """Let the sandbox company fail in every way it can, and score what was found. Exit code 1 when anything was missed or false."""
    # Imported here: the sandbox is needed by this answer alone.
    from ..score import report
    from ..score.plan import UnknownFaultError, possible
    from ..score.seed import Course, run_seed

    wanted = [part.strip() for part in faults.split(",") if part.strip()] if faults else list(possible())
    course = Course(wanted, days, minutes * MINUTE, scale)
    try:
        with progress("score") as tell:
            outcomes = [run_seed(first + number, course, tell) for number in range(seeds)]
    except UnknownFaultError as error:
        raise WrongInput(f"--faults: {error}.") from None
    except ValueError as error:
        raise WrongInput(f"--days {days}: {error}.") from None
    found = report.as_json(outcomes)
    if raw is not None:
        try:
            report.write_raw(raw, outcomes)
        except OSError as error:
            raise WrongInput(f"--raw {raw}: {error.strerror}.") from None
    if format is Format.JSON:
        sys.stdout.write(json.dumps(found, indent=2) + "\n")
    else:
        write(_answer(found), format)
    raise typer.Exit(FINDING if found["misses"] else 0)


def _answer(found: Item) -> Answer:
    whole, silent = found["overall"], found["silent"]
    notes = [f"overall: recall {whole['recall']}, precision {whole['precision']} over {found['documents']:,} documents"]
    notes += [f"{s['id']} happened {s['occurrences']} times, {s['said']} of them said" for s in silent]
    notes += [_told(miss) for miss in found["misses"][:SHOWN]]
    rest = len(found["misses"]) - SHOWN
    notes += [f"and {rest} more; --format json lists them all"] if rest > 0 else []
    rows = [{**f, **{k: _pair(f[k]) for k in ("detect_intervals", "close_intervals")}} for f in found["faults"]]
    return Answer(rows, COLUMNS, {}, notes=notes, empty="nothing was injected")


def _pair(found: Item | None) -> str | None:
    return None if found is None else f"{found['p50']:.1f}, {found['p99']:.1f}"


def _told(miss: Item) -> str:
    about = (
        f"seed {miss['seed']}: {miss['what']}: {miss['kind']} {miss['platform']} {miss['object']} {miss['external_id']}"
    )
    if miss["what"] == "money":
        return f"{about}: {miss['money_said']} said, {miss['money_true']} true ({miss['fault']})"
    when = f"true from {miss['true_from']}" if miss["true_from"] else f"said from {miss['said_from']}"
    return f"{about}, {when}" + (f" ({miss['fault']})" if miss["fault"] else "")
