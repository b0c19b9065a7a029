"""How are measurements told? One line per figure beside the baseline of the same run, as a table and as JSON."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from statistics import median
from typing import Any

HEAD = ("id", "figure", "ours", "beside it", "baseline", "ratio", "target", "met")


@dataclass(frozen=True)
class Result:
    """One figure of a workload. `ratio` is ours against the baseline as the target reads it; `at_most` says which way is good."""

    id: str
    figure: str
    unit: str
    ours: float
    beside: str
    baseline: float
    ratio: float
    target: float
    at_most: bool
    runs: dict[str, list[float]] = field(default_factory=dict)
    notes: dict[str, Any] = field(default_factory=dict)

    @property
    def met(self) -> bool:
        """Return whether the ratio reaches the target, unrounded."""
        return self.ratio <= self.target if self.at_most else self.ratio >= self.target


def slower(
    id: str, figure: str, unit: str, ours: Sequence[float], beside: str, baseline: Sequence[float], limit: float,
    **notes: Any,
) -> Result:  # fmt: skip
    """Return ours ÷ baseline, medians, which may be at most `limit`: for times and sizes."""
    a, b = median(ours), median(baseline)
    return Result(id, figure, unit, a, beside, b, a / b, limit, True, {"ours": [*ours], "baseline": [*baseline]}, notes)


def faster(
    id: str, figure: str, count: int, ours: Sequence[float], beside: str, baseline: Sequence[float], least: float,
    **notes: Any,
) -> Result:  # fmt: skip
    """Return our rate ÷ the baseline's, from the seconds both took for `count` things; it should be at least `least`."""
    a, b = count / median(ours), count / median(baseline)
    runs = {"ours": [*ours], "baseline": [*baseline]}
    return Result(id, figure, "/s", a, beside, b, a / b, least, False, runs, notes)


def table(results: Sequence[Result]) -> str:
    """Return the results as an aligned table."""
    rows = [HEAD, *(_row(r) for r in results)]
    widths = [max(len(row[i]) for row in rows) for i in range(len(HEAD))]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    return "\n".join([lines[0], "  ".join("-" * w for w in widths), *lines[1:]])


def _row(r: Result) -> tuple[str, ...]:
    sign = "≤" if r.at_most else "≥"
    return (
        r.id, r.figure, f"{_short(r.ours)} {r.unit}", r.beside, f"{_short(r.baseline)} {r.unit}", f"{r.ratio:.2f}",
        f"{sign} {r.target:g}", "met" if r.met else "NOT MET",
    )  # fmt: skip


def _short(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def write(results: Sequence[Result], path: Path) -> None:
    """Write the results with every run as JSON."""
    path.write_text(json.dumps([{**asdict(r), "met": r.met} for r in results], indent=2, default=str) + "\n", "utf-8")
