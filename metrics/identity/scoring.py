"""How likely two records are one customer, explained part by part: what each comparison says for or against it, in bits.

The score of a pair depends on the two records and the model alone, never on who else is there. Nothing is joined here.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping, Sequence
from dataclasses import astuple, dataclass
from math import log2
from typing import Any

from .features import Values
from .settings import Suggesting
from .training import Trained, as_table, duckdb_api

PRIOR = "before comparing"
"""The first part of every explanation: how rare it is that two records taken at random match."""


@dataclass(frozen=True, slots=True)
class Part:
    """What one comparison found and what that weighs; the weights of a pair's parts sum up to its weight."""

    comparison: str
    level: str
    weight: float


@dataclass(frozen=True, slots=True)
class Scored:
    """Two records, the smaller first, with the weight of evidence in bits."""

    a: int
    b: int
    weight: float
    parts: tuple[Part, ...]

    @property
    def probability(self) -> float:
        """Return the weight as a probability."""
        return probability(self.weight)

    @property
    def told(self) -> str:
        """Return the parts as JSON."""
        return json.dumps([astuple(part) for part in self.parts])


def probability(weight: float) -> float:
    """Return what a weight in bits is as a probability."""
    return float(1 / (1 + 2.0 ** min(-weight, 60)))


def parts_of(told: str) -> tuple[Part, ...]:
    """Read an explanation back."""
    return tuple(Part(*part) for part in json.loads(told))


def score(
    suggest: Suggesting, trained: Trained, rows: Mapping[int, Values], within: Mapping[int, Sequence[int]], least: float
) -> list[Scored]:
    """Return every pair that shares a block and weighs at least `least` bits, the heaviest first."""
    from splink import Linker

    if sum(bool(found) for found in within.values()) < 2:
        return []
    api = duckdb_api()
    linker = Linker(api.register(as_table(suggest, rows, within)), dict(trained.settings), log_level=logging.ERROR)
    predicted = linker.inference.predict(threshold_match_weight=least - 1)
    labels, prior = _labels(trained), _prior(trained)
    found = [_scored(row, labels, prior) for row in predicted.as_record_list()]
    kept = [pair for pair in found if pair.weight >= least]
    return sorted(kept, key=lambda pair: (-pair.weight, pair.a, pair.b))


def _labels(trained: Trained) -> dict[str, dict[int, tuple[str, float]]]:
    """Return, per comparison and level as Splink numbers them (anything else is 0, missing is -1), what it says."""
    told: dict[str, dict[int, tuple[str, float]]] = {}
    for comparison in trained.settings["comparisons"]:
        levels = comparison["comparison_levels"]
        plain = [level for level in levels if not level.get("is_null_level")]
        told[comparison["output_column_name"]] = {-1: ("missing", 0.0)} | {
            len(plain) - 1 - place: (level["label_for_charts"], log2(level["m_probability"] / level["u_probability"]))
            for place, level in enumerate(plain)
        }
    return told


def _prior(trained: Trained) -> float:
    share = float(trained.settings["probability_two_random_records_match"])
    return log2(share / (1 - share))


def _scored(row: Mapping[str, Any], labels: Mapping[str, Mapping[int, tuple[str, float]]], prior: float) -> Scored:
    parts = [Part(PRIOR, "", round(prior, 6))]
    for name, levels in labels.items():
        label, weight = levels[int(row[f"gamma_{name}"])]
        parts.append(Part(name, label, round(weight, 6)))
    a, b = sorted((int(row["id_l"]), int(row["id_r"])))
    return Scored(a, b, round(sum(part.weight for part in parts), 6), tuple(parts))
