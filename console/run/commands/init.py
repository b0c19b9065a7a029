"""`tieout init`: write a tieout.yaml from a few answers and what can be measured."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from metrics.definitions import MetricsSettings
from metrics.loading import load_model
from probes.clock import system_clock
from probes.platforms import load_platforms, vendors

from ..measure import KINDS, Measured, measure
from ..progress import progress
from ..proposal import Answers, PlatformAnswer, secrets_of, write
from ..question import WrongInput
from ..sampling import sample
from ..settings import settings_from_text

ROLE_NAMES = {"crm": "crm", "billing": "billing", "erp": "erp", "support": "support", "integration": "middleware"}


def init(
    out: Annotated[Path, typer.Option(help="The file to write.")] = Path("tieout.yaml"),
    company: Annotated[str | None, typer.Option(help="The company's name.")] = None,
    platform: Annotated[
        list[str] | None, typer.Option(help="NAME=VENDOR@URL, several times; for example crm=salesforce@https://…")
    ] = None,
    entity: Annotated[list[str] | None, typer.Option(help="A legal entity's code; several times.")] = None,
    time_zone: Annotated[
        list[str] | None, typer.Option(help="NAME=ZONE for platforms that write stamps without a zone.")
    ] = None,
    candidate: Annotated[
        list[str] | None, typer.Option(help="NAME/STREAM=FIELD that may carry another system's id; several times.")
    ] = None,
    measuring: Annotated[
        bool, typer.Option("--measure/--no-measure", help="Measure history where it is reachable.")
    ] = True,
) -> None:
    """Write a first configuration; what was measured is proposed, and its SLIs notify nobody until confirmed."""
    if out.exists():
        raise WrongInput(f"{out} exists and is left alone. Name another file with --out, or move it away.")
    zones = dict(_pair(z, "--time-zone", "=") for z in time_zone or [])
    answers = _interview(company) if platform is None and sys.stdin.isatty() else Answers(company or "Company", ())
    if platform:
        platforms = tuple(_platform(text, zones) for text in platform)
        answers = Answers(answers.company, platforms, tuple(entity or ()))
    if not answers.platforms:
        raise WrongInput(f"name at least one --platform NAME=VENDOR@URL. Vendors: {', '.join(sorted(vendors()))}.")
    draft = write(answers, None, {})
    missing = [name for name in secrets_of(answers) if not os.environ.get(name)]
    measured = _measure(draft, out, candidate or []) if measuring and not missing else None
    out.write_text(write(answers, measured, _slis(draft, out) if not missing else {}), "utf-8")
    _say(out, missing, measured)


def _pair(text: str, option: str, sign: str) -> tuple[str, str]:
    left, found, right = text.partition(sign)
    if not (left and found and right):
        raise WrongInput(f"{option} {text}: write it as NAME{sign}VALUE.")
    return left, right


def _platform(text: str, zones: dict[str, str]) -> PlatformAnswer:
    name, rest = _pair(text, "--platform", "=")
    vendor, _, url = rest.partition("@")
    if vendor not in vendors():
        raise WrongInput(f"--platform {text}: there is no vendor {vendor}. There are: {', '.join(sorted(vendors()))}.")
    return PlatformAnswer(name, vendor, url or None, zones.get(name))


def _interview(company: str | None) -> Answers:
    """Ask a person at a terminal."""
    named = company or typer.prompt("Company")
    known, platforms = sorted(vendors()), []
    typer.echo(f"Which platforms shall be watched? Vendors: {', '.join(known)}. An empty answer ends the list.")
    while vendor := typer.prompt("Vendor", default="", show_default=False):
        if vendor not in known:
            typer.echo(f"There is no vendor {vendor}.")
            continue
        manifest = vendors()[vendor]
        name = typer.prompt("Name on screen", default=ROLE_NAMES.get(manifest.roles[0], vendor))
        url = typer.prompt("Address", default=manifest.url or "") or None
        zone = typer.prompt("Time zone it writes stamps in") if manifest.needs_time_zone else None
        platforms.append(PlatformAnswer(name, vendor, url, zone))
    codes = typer.prompt("Codes of your legal entities, separated by blanks", default="", show_default=False).split()
    return Answers(named, tuple(platforms), tuple(codes))


def _measure(draft: str, out: Path, candidates: list[str]) -> Measured:
    settings = settings_from_text(draft, out)
    extra: dict[tuple[str, str], list[str]] = {}
    for text in candidates:
        place, field = _pair(text, "--candidate", "=")
        name, stream = _pair(place, "--candidate", "/")
        extra.setdefault((name, stream), []).append(field)
    with progress("measuring history") as tell:
        return measure(*sample(settings.platforms, KINDS, extra, system_clock, tell))


def _slis(draft: str, out: Path) -> dict[str, str]:
    platforms = load_platforms(settings_from_text(draft, out).platforms, clock=system_clock)
    return {name: sli.title for name, sli in load_model(MetricsSettings(), platforms).slis.items()}


def _say(out: Path, missing: list[str], measured: Measured | None) -> None:
    typer.echo(f"wrote {out}")
    if missing:
        typer.echo(f"history was not measured: set {', '.join(missing)}, remove {out} and run this again.")
    for trouble in measured.troubles if measured else ():
        typer.echo(f"not measured: {trouble}")
    for link in measured.links if measured else ():
        share = link.resolved * 100 // link.records
        typer.echo(f"proposed: {link.platform}/{link.stream} {link.path} -> {link.to} ({share} % of {link.records})")
    typer.echo("next: read the proposals, then `tieout check`, then `tieout up`.")
