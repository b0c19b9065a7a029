"""How is a score handed on? One row per fault and the misses in words; everything raw as JSON lines for another judge."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, replace
from fractions import Fraction
from pathlib import Path
from typing import Any

from probes.clock import iso

from ..output import Item
from .findings import Said
from .matching import FaultScore, Match, Result, by_fault, overall
from .plan import OCCURRENCES
from .seed import Outcome

SETTLED = 2
"""Intervals, beyond what is allowed, before the end in which a repair may not have been seen yet."""


def merged(outcomes: Sequence[Outcome]) -> Result:
    """Return all seeds as one; subjects of different seeds never meet."""
    return Result(
        [_named(m, o.seed) for o in outcomes for m in o.result.matches],
        [replace(s, key=_of_seed(s.key, o.seed)) for o in outcomes for s in o.result.false],
        sum(o.result.undecided for o in outcomes),
    )


def _named(match: Match, seed: int) -> Match:
    return replace(match, truth=replace(match.truth, key=_of_seed(match.truth.key, seed)))


def _of_seed(key: tuple[str, str, str, str], seed: int) -> tuple[str, str, str, str]:
    kind, platform, record_kind, external_id = key
    return kind, platform, record_kind, f"{seed}:{external_id}"


def as_json(outcomes: Sequence[Outcome]) -> Item:
    """Return the whole score. Ratios and intervals are decimals, cut, never rounded up; None where there is none."""
    result, patience = merged(outcomes), outcomes[0].patience
    closed_by_us = min(o.end_us for o in outcomes) - patience.allowed_us - SETTLED * patience.interval_us
    return {
        "overall": {name: decimal(value) for name, value in overall(result).items()},
        "faults": [_fault(score) for score in by_fault(result, patience, closed_by_us)],
        "silent": _silent(outcomes),
        "misses": list(misses(outcomes)),
        "undecided": result.undecided,
        "seeds": [o.seed for o in outcomes],
        "documents": sum(o.documents for o in outcomes),
    }


def _fault(score: FaultScore) -> Item:
    return {
        "id": score.id,
        "injected": score.injected,
        "recall": decimal(score.recall),
        "precision": decimal(score.precision),
        "money_exact": decimal(score.money_exact),
        "detect_intervals": _percentiles(score.detect),
        "close_intervals": _percentiles(score.close),
        "unclosed": score.unclosed,
    }


def _percentiles(found: tuple[Fraction, Fraction] | None) -> Item | None:
    return None if found is None else {"p50": decimal(found[0]), "p99": decimal(found[1])}


def _silent(outcomes: Sequence[Outcome]) -> list[Item]:
    """Return, per silent entry of the catalogue, how often it happened and how much was said of its subjects all the same."""
    found: dict[str, list[int]] = {}
    for outcome in outcomes:
        false = {s.key[1:] for s in outcome.result.false}
        for fault, keys in outcome.silent.items():
            sums = found.setdefault(fault, [0, 0])
            sums[0] += len(keys)
            sums[1] += len({k[1:] for k in keys} & false)
    return [
        {"id": fault, "occurrences": count, "said": said, "counts": count >= OCCURRENCES}
        for fault, (count, said) in sorted(found.items())
    ]


def misses(outcomes: Iterable[Outcome]) -> Iterator[Item]:
    """Yield everything that keeps the score from being whole, each with its subject."""
    for o in outcomes:
        for m in o.result.matches:
            if m.truth.fault is None and m.said is None:
                continue  # true by itself and not injected: nobody promised to find it
            wrong = (
                "missed" if m.said is None else "late" if not m.in_time else "money" if m.money_exact is False else None
            )
            if wrong is not None:
                yield {"seed": o.seed, "what": wrong, "fault": m.truth.fault} | _subject(m.truth.key) | {
                    "true_from": iso(m.truth.from_us),
                    "said_from": iso(m.said.from_us) if m.said else None,
                    "money_true": m.truth.money_minor,
                    "money_said": m.said.money_minor if m.said else None,
                }  # fmt: skip
        for s in o.result.false:
            yield {"seed": o.seed, "what": "false", "fault": None} | _subject(s.key) | {
                "true_from": None, "said_from": iso(s.from_us), "money_true": None, "money_said": s.money_minor,
            }  # fmt: skip


def _subject(key: tuple[str, str, str, str]) -> Item:
    return dict(zip(("kind", "platform", "object", "external_id"), key, strict=True))


def decimal(value: Fraction | None) -> float | None:
    """Return a ratio with four decimals, cut: 0.99999 must not read as 1."""
    return None if value is None else value.numerator * 10**4 // value.denominator / 10**4


def write_raw(folder: Path, outcomes: Iterable[Outcome]) -> None:
    """Write what was true and what was said as JSON lines, instants in microseconds UTC. Errors: OSError."""
    folder.mkdir(parents=True, exist_ok=True)
    for o in outcomes:
        _lines(folder / f"journal-{o.seed}.jsonl", ({**asdict(t), "seed": o.seed} for t in o.truths))
        _lines(folder / f"findings-{o.seed}.jsonl", ({**_said(s), "seed": o.seed} for s in o.said))


def _said(said: Said) -> Item:
    return _subject(said.key) | {
        "from_us": said.from_us, "to_us": said.to_us, "money_minor": said.money_minor, "currency": said.currency,
    }  # fmt: skip


def _lines(path: Path, rows: Iterable[dict[str, Any]]) -> None:
    with path.open("w", encoding="utf-8") as out:
        out.writelines(json.dumps(row, sort_keys=True) + "\n" for row in rows)
