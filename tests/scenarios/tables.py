"""How is a scenario read? Text tables into a stage, documents and findings; nothing is judged here."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from probes.clock import duration_us
from probes.record import Actor, Record, Reference, key
from tests.test_metrics.world import T0

Row = dict[str, str]
FOUND = ("events", "breaks", "late", "states", "at risk")
MILESTONES = ("won", "finalised", "posted", "paid", "activated")
TARGETS = {
    "fulfils": ("crm", "opportunity"), "part_of": ("crm", "opportunity"), "posts": ("billing", "invoice"),
    "about": ("crm", "customer"), "applies": ("erp", "invoice"), "merged_into": ("crm", "customer"),
}  # fmt: skip
ATTRIBUTES = ("tax_id", "city", "payment_terms", "postal_code", "name", "segment")


@dataclass(frozen=True)
class Table:
    """A heading and its rows."""

    heading: str
    rows: list[Row]


@dataclass
class Scenario:
    """One situation. `documents`: (platform, record, when observed) in the order of the file."""

    title: str
    settings: dict[str, str] = field(default_factory=dict)
    documents: list[tuple[str, Record, int]] = field(default_factory=list)
    found: list[Table] = field(default_factory=list)


def read(path: Path) -> Scenario:
    """Read a scenario. Errors: ValueError naming the file, the table and the column."""
    title, *blocks = re.split(r"\n\s*\n", path.read_text("utf-8").strip())
    head = title.splitlines()
    scenario = Scenario(head[0])
    for line in head[1:]:
        name, _, value = line.partition(":")
        scenario.settings[name.strip()] = value.strip()
    for block in blocks:
        heading, *lines = [line for line in block.splitlines() if not line.startswith("--")]
        table = Table(heading.strip(), _rows(path, heading, lines))
        if heading.split()[0] in ("events", "breaks", "late", "states", "at"):
            scenario.found.append(table)
        else:
            scenario.documents += _documents(path, table)
    return scenario


def instant(text: str) -> int:
    """Return the instant of `1d 4h` after, or `-2h` before, the Monday."""
    sign, rest = (-1, text[1:]) if text.startswith("-") else (1, text)
    return T0 + sign * duration_us(rest)


def minor(text: str) -> int:
    """Return minor units of `1,000.00` or `-10.00`."""
    whole, _, cents = text.replace(",", "").partition(".")
    return int(whole + (cents or "00").ljust(2, "0"))


def _rows(path: Path, heading: str, lines: list[str]) -> list[Row]:
    if lines == ["none"]:
        return []
    if not lines:
        raise ValueError(f"{path.name}: the table {heading!r} has no rows; write `none` under it")
    columns = [c.strip() for c in lines[0].split("|")]
    rows = []
    for line in lines[1:]:
        cells = [c.strip() for c in line.split("|")]
        if len(cells) != len(columns):
            raise ValueError(
                f"{path.name}: {line!r} has {len(cells)} cells, the table {heading!r} {len(columns)} columns"
            )
        rows.append(dict(zip(columns, cells, strict=True)))
    return rows


def _documents(path: Path, table: Table) -> list[tuple[str, Record, int]]:
    platform, kind = table.heading.split()
    found: list[tuple[str, Record, int]] = []
    before: dict[str, dict[str, Any]] = {}
    for row in table.rows:
        held = dict(before.get(row["id"], {}))
        record = _record(path, platform, kind, row, held)
        before[row["id"]] = held
        seen = row.get("seen") or row.get("changed") or row.get("created") or "0h"
        found.append((platform, record, instant("0h" if seen == "none" else seen)))
    return found


def _record(path: Path, platform: str, kind: str, row: Row, held: dict[str, Any]) -> Record:
    """Return the record of a row; what an earlier row of the same id said stays until it is said anew."""
    held.setdefault("kind", kind)
    held["id"] = row["id"]
    for column, cell in row.items():
        if cell and column not in ("id", "seen"):
            _take(path, platform, kind, column, cell, held)
    if "changed" not in row and "created" in row and row["created"] != "none":
        held["changed_us"] = instant(row["created"])
    if "status" not in held and "state" in held:
        held["status"] = held["state"]
    return Record(**held)


def _take(path: Path, platform: str, kind: str, column: str, cell: str, held: dict[str, Any]) -> None:
    if column in ("created", "changed"):
        held[f"{column}_us"] = None if cell == "none" else instant(cell)
    elif column in ("entity", "currency", "exempt", "number"):
        held[column] = cell
        if column == "number":
            held["keys"] = (key(platform, kind, "number", cell),)
    elif column in ("state", "status"):
        unknown = cell.startswith("?")
        held |= {"status": cell, "state": None if unknown else cell}
    elif column in ("net", "tax", "gross"):
        held["amounts"] = {**held.get("amounts", {}), column: minor(cell)}
    elif column in MILESTONES:
        held["milestones"] = {**held.get("milestones", {}), column: (instant(cell), instant(cell))}
    elif column in TARGETS:
        held["references"] = (*held.get("references", ()), *_references(column, cell))
    elif column in ("customer", "payer"):
        role = "sold_to" if column == "customer" else "bill_to"
        held["parties"] = {**held.get("parties", {}), role: cell}
    elif column == "revision":
        held["revision"] = int(cell)
    elif column == "actor":
        held["actor"] = Actor(cell, "person", "field")
    elif column in ("test", "gone"):
        held["test" if column == "test" else "deleted"] = cell == "yes"
    elif column in ATTRIBUTES:
        held["attributes"] = {**held.get("attributes", {}), column: cell}
    else:
        raise ValueError(f"{path.name}: {kind} has no column {column!r}")


def _references(column: str, cell: str) -> tuple[Reference, ...]:
    platform, kind = TARGETS[column]
    if cell.startswith("credit note "):
        kind, cell = "credit_note", cell.removeprefix("credit note ")
    by, value = ("number", cell[1:]) if cell.startswith("#") else ("id", cell)
    return (Reference(column, key(platform, kind, by, value)),)
