"""How the configured comparisons look to Splink, and what each of their levels is expected to weigh before anything was learned.

The only file that knows Splink's settings. Expected shares (m) are those of two records of one company; what training learns
is blended with them, so that a level never seen among few duplicates does not forbid all others.
"""

from __future__ import annotations

from typing import Any

from .settings import Compared, Suggesting

COLUMN = "v_"
"""Before the name of every compared column, so that none is a word of SQL."""

Level = dict[str, Any]
_EXPECTED = {
    "spelling": (0.55, 0.15, 0.13, 0.05, 0.12),
    "digits": (0.75, 0.1, 0.03, 0.12),
    "exact": (0.9, 0.1),
    "place": (0.6, 0.1, 0.08, 0.22),
}
SWAPPED = 0.03


def expected(compared: Compared) -> list[float]:
    """Return the expected share of each level among pairs that match, as `levels` lists them without the first."""
    shares = list(_EXPECTED[compared.how])
    if compared.swaps_with:
        shares.insert(1, SWAPPED)
    return [share / sum(shares) for share in shares]


def levels(compared: Compared) -> list[Level]:
    """Return the levels of a comparison, from missing over equal to anything else."""
    a = COLUMN + compared.field
    missing = {"sql_condition": f"{a}_l IS NULL OR {a}_r IS NULL", "label_for_charts": "missing", "is_null_level": True}
    found: list[Level] = [missing]
    if compared.how == "place":
        found += _place(a, *(COLUMN + near for near in compared.near))
    else:
        found.append(_level("equal", f"{a}_l = {a}_r"))
        if compared.swaps_with:
            b = COLUMN + compared.swaps_with
            found.append(_level(f"written as {compared.swaps_with}", f"{a}_l = {b}_r OR {b}_l = {a}_r"))
        found += _near(compared.how, a)
    return [*found, {"sql_condition": "ELSE", "label_for_charts": "different"}]


def _near(how: str, a: str) -> list[Level]:
    if how == "spelling":
        return [
            _level("one slip", f"damerau_levenshtein({a}_l, {a}_r) <= 1"),
            _level("nearly equal", f"jaro_winkler_similarity({a}_l, {a}_r) >= 0.9"),
            _level("similar", f"jaro_winkler_similarity({a}_l, {a}_r) >= 0.75"),
        ]
    if how == "digits":
        return [
            _level("one slip", f"damerau_levenshtein({a}_l, {a}_r) <= 1"),
            _level("two slips", f"damerau_levenshtein({a}_l, {a}_r) <= 2"),
        ]
    return []


def _place(street: str, postal_code: str, city: str) -> list[Level]:
    near = f"({postal_code}_l = {postal_code}_r OR {city}_l = {city}_r)"
    return [
        _level("same address", f"{street}_l = {street}_r AND {near}"),
        _level("nearly the same address", f"jaro_winkler_similarity({street}_l, {street}_r) >= 0.85 AND {near}"),
        _level("same town", near),
    ]


def _level(label: str, condition: str) -> Level:
    return {"sql_condition": condition, "label_for_charts": label}


def splink_settings(suggest: Suggesting, prior: float) -> dict[str, Any]:
    """Return the settings before training. `prior`: how probable it is that two records taken at random match."""
    return {
        "link_type": "dedupe_only",
        "unique_id_column_name": "id",
        "linker_uid": "tieout",  # else drawn at random, and the same model would have another digest each time
        "probability_two_random_records_match": prior,
        "retain_matching_columns": True,
        "retain_intermediate_calculation_columns": True,
        "max_iterations": 100,
        "em_convergence": 1e-5,
        "blocking_rules_to_generate_predictions": [
            {"blocking_rule": "l.block = r.block", "sql_dialect": "duckdb", "arrays_to_explode": ["block"]}
        ],
        "comparisons": [{"output_column_name": c.field, "comparison_levels": levels(c)} for c in suggest.compare],
    }
