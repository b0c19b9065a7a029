"""How does an answer reach a terminal, a program or a spreadsheet? One set of rows, written as table, JSON or CSV.

Every command builds the same items whatever the format; `docs/json.md` lists their keys. Nothing is computed here.
"""

from __future__ import annotations

import csv
import io
import json
import re
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from fractions import Fraction
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.measure import Measurement
from rich.table import Table

from console.web.formats import csv_cell, duration, money, plain
from probes.clock import iso

Item = dict[str, Any]
PIPE_WIDTH = 320
FEW = 4
"""So many columns wrap well at any width."""
_INSTANT = re.compile(r"(\d{4}-\d\d-\d\d)T(\d\d:\d\d:\d\d)(?:\.\d+)?Z")


class Format(StrEnum):
    """How an answer is written."""

    TABLE = "table"
    JSON = "json"
    CSV = "csv"


@dataclass(frozen=True, slots=True)
class Column:
    """One column of the table: its heading and the key of the item it shows."""

    title: str
    key: str
    right: bool = False


@dataclass(frozen=True, slots=True)
class Answer:
    """What a command found. `head` holds what stands beside the items: as-of instant, totals, notes."""

    items: Sequence[Item]
    columns: Sequence[Column]
    head: Mapping[str, Any]
    next: str | None = None
    notes: Sequence[str] = ()
    empty: str = "nothing found"


def amount(minor: int | None, currency: str | None) -> Item | None:
    """Return money as every format carries it: exact minor units, currency and text; None where there is none."""
    if minor is None or currency is None:
        return None
    return {"minor": str(minor), "currency": currency, "text": money(minor, currency)}


def amounts(sums: Mapping[str, int]) -> list[Item]:
    """Return one amount per currency; currencies are never added up."""
    return [{"minor": str(m), "currency": c, "text": money(m, c)} for c, m in sorted(sums.items())]


def ratio(value: Fraction | None) -> Item | None:
    """Return a ratio exactly and as a decimal, cut and never rounded up: 0.9999999 must not read as 1."""
    if value is None:
        return None
    cut = value.numerator * 10**6 // value.denominator
    return {"exact": str(value), "decimal": f"{cut // 10**6}.{cut % 10**6:06d}"}


def instant(us: int | None) -> str | None:
    """Return an instant as ISO 8601 in UTC."""
    return iso(us)


def lasting(us: int | None) -> Item | None:
    """Return a duration in seconds, exactly as text, and for people."""
    if us is None:
        return None
    sign, rest = ("-" if us < 0 else ""), abs(us)
    return {"seconds": f"{sign}{rest // 10**6}.{rest % 10**6:06d}", "text": duration(us)}


def write(answer: Answer, fmt: Format) -> None:
    """Write an answer to standard output."""
    if fmt is Format.JSON:
        sys.stdout.write(as_json(answer) + "\n")
    elif fmt is Format.CSV:
        sys.stdout.write(as_csv(answer))
    else:
        _table(answer)


def as_json(answer: Answer) -> str:
    """Return the answer as one JSON object."""
    whole = {**answer.head, "items": list(answer.items), "next": answer.next, "notes": list(answer.notes)}
    return json.dumps(whole, ensure_ascii=False, indent=2)


def as_csv(answer: Answer) -> str:
    """Return the items as CSV, one column per leaf; no cell can be taken for a formula."""
    rows = [_flat(item) for item in answer.items]
    names = list(dict.fromkeys(name for row in rows for name in row)) or [c.key for c in answer.columns]
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(names)
    writer.writerows([csv_cell(row.get(name)) for name in names] for row in rows)
    return out.getvalue()


def _flat(item: Mapping[str, Any], prefix: str = "") -> dict[str, str | None]:
    flat: dict[str, str | None] = {}
    for key, value in item.items():
        name = prefix + key
        if isinstance(value, Mapping):
            flat |= _flat(value, f"{name}.")
        elif isinstance(value, list):
            flat[name] = "; ".join(cell(part) for part in value)
        else:
            flat[name] = None if value is None else str(value).lower() if isinstance(value, bool) else str(value)
    return flat


def cell(value: Any) -> str:
    """Return the text a person reads for one value."""
    if value is None:
        return "–"
    if isinstance(value, Mapping):
        if "decimal" in value:
            return _percent(Fraction(value["exact"]))
        return plain(str(value["text"])) if "text" in value else ", ".join(f"{k} {cell(v)}" for k, v in value.items())
    if isinstance(value, list):
        return " · ".join(cell(part) for part in value) or "–"
    if isinstance(value, bool):
        return "yes" if value else "no"
    found = _INSTANT.fullmatch(str(value))
    return f"{found[1]} {found[2]}Z" if found else plain(str(value))


def _percent(value: Fraction) -> str:
    cut = value.numerator * 10_000 // value.denominator
    return f"{cut // 100}.{cut % 100:02d} %"


def _blocks(console: Console, answer: Answer) -> None:
    """Write each row as lines of its own, as psql does with a row wider than the terminal: no word is cut in two."""
    for item in answer.items:
        block = Table(box=None, show_header=False, pad_edge=False)
        block.add_column(style="bold", no_wrap=True)
        block.add_column(overflow="fold")
        for column in answer.columns:
            if item.get(column.key) not in (None, []):
                block.add_row(escape(column.title), escape(cell(item.get(column.key))))
        console.print(block)
        console.print()


def _table(answer: Answer) -> None:
    # A pipe has no width: lines stay whole there, and a pager or `cut` decides.
    console = Console(highlight=False, width=None if sys.stdout.isatty() else PIPE_WIDTH)
    if not answer.items:
        console.print(escape(answer.empty))
    else:
        table = Table(box=None, header_style="bold", pad_edge=False)
        for column in answer.columns:
            table.add_column(column.title, justify="right" if column.right else "left", overflow="fold")
        for item in answer.items:
            table.add_row(*(escape(cell(item.get(column.key))) for column in answer.columns))
        wanted = Measurement.get(console, console.options.update(max_width=10_000), table).maximum
        # What is a little too wide only wraps its widest column.
        if len(answer.columns) > FEW and wanted > console.width * 5 // 4:
            _blocks(console, answer)
        else:
            console.print(table)
    for note in answer.notes:
        console.print(escape(note), style="dim")
    if answer.next:
        console.print(escape(f"more rows exist: raise --limit, or go on with --after {answer.next}"), style="dim")
