"""How is a first tieout.yaml written? From a few answers and whatever was measured; every guess is marked as one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from probes.clock import duration_text
from probes.manifest import AUTH_FIELDS
from probes.platforms import vendors

from .measure import Hop, Link, Measured


@dataclass(frozen=True, slots=True)
class PlatformAnswer:
    """What a person said of one platform."""

    name: str
    vendor: str
    url: str | None
    time_zone: str | None = None


@dataclass(frozen=True, slots=True)
class Answers:
    """What a person said."""

    company: str
    platforms: tuple[PlatformAnswer, ...]
    entities: tuple[str, ...] = ()


def variable(platform: str, field: str) -> str:
    """Return the environment variable a secret is proposed to stand in."""
    return f"{platform}_{field}".upper().replace("-", "_")


def secrets_of(answers: Answers) -> list[str]:
    """List the environment variables to set before the platforms can be read."""
    return [variable(p.name, f) for p in answers.platforms for f in _auth(p.vendor)]


def _auth(vendor: str) -> Sequence[str]:
    return AUTH_FIELDS[vendors()[vendor].auth.kind]


def write(answers: Answers, measured: Measured | None, slis: Mapping[str, str]) -> str:
    """Return the text of a tieout.yaml; `slis` maps each SLI that is judged to its title."""
    lines = [
        f"company: {_quoted(answers.company)}",
        "",
        "# The legal entities as your platforms name them; the zone and currency of their books.",
        "entities:"
        if answers.entities
        else "entities: {}  # for example: ACME-DE: {time_zone: Europe/Berlin, currency: EUR}",
        *(
            f"  {_quoted(code)}: {{time_zone: UTC}}  # set the zone and currency of its books"
            for code in answers.entities
        ),
        "",
        "platforms:",
    ]
    for platform in answers.platforms:
        lines += _platform(
            platform, [link for link in (measured.links if measured else ()) if link.platform == platform.name]
        )
    lines += _hops(measured.hops if measured else ())
    if slis:
        lines += [
            "",
            "# Provisional SLIs are shown and notify nobody. Delete each line you have confirmed.",
        ]
        lines += ["slis:", *(f"  {name}: {{provisional: true}}  # {title}" for name, title in slis.items())]
    lines += ["", "console: {host: 127.0.0.1, port: 8600}", "store: sqlite:///.tieout/tieout.sqlite", ""]
    return "\n".join(lines)


def _platform(platform: PlatformAnswer, links: Sequence[Link]) -> list[str]:
    lines = [f"  {platform.name}:", f"    vendor: {platform.vendor}"]
    lines += [f"    url: {_quoted(platform.url)}"] if platform.url else []
    lines += [f"    time_zone: {platform.time_zone}"] if platform.time_zone else []
    lines += ["    environment: production"]
    fields = _auth(platform.vendor)
    if fields:
        lines += ["    auth:", *(f"      {f}: env:{variable(platform.name, f)}" for f in fields)]
    for stream in dict.fromkeys(link.stream for link in links):
        lines += ["    streams:"] if "    streams:" not in lines else []
        lines += [f"      {stream}:", "        references:"]
        for link in (one for one in links if one.stream == stream):
            other, kind, _ = link.to.split("/")
            lines += [
                f"          # proposed: filled in {link.filled} of {link.records} records,"
                f" {link.resolved} ({link.resolved * 100 // link.records} %) name a known {kind} of {other}",
                f"          - {{kind: {link.kind}, path: {link.path}, to: {link.to}, normalise: [{', '.join(link.normalise)}]}}",
            ]
    return lines


def _hops(hops: Sequence[Hop]) -> list[str]:
    if not hops:
        return []
    lines = ["", "# Measured: how long the counterpart took to appear. Compare with the deadlines of your flows."]
    for hop in hops:
        rhythm = f"; arrives in batches every {duration_text(hop.cadence_us)}" if hop.cadence_us else ""
        lines.append(
            f"#   {hop.source} -> {hop.target}: half within {duration_text(hop.p50_us)},"
            f" 99 % within {duration_text(hop.p99_us)} ({hop.count} pairs){rhythm}"
        )
    return lines


def _quoted(text: str) -> str:
    plain = text.replace("-", "").replace("_", "").isalnum() and text.isascii() and not text[:1].isdigit()
    return text if plain and text.lower() not in ("null", "true", "false") else "'" + text.replace("'", "''") + "'"
