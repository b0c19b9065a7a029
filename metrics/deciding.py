"""Is a subject good, bad, blind or pending at its deadline? One decision, used by steps and SLIs alike. Pure.

Absence is evidence only where we looked: what we could see of the records is given as a `Sight`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from probes.clock import FOREVER

from .arrays import NONE, Array

Runs = tuple[Array, Array]


@dataclass(frozen=True)
class Sight:
    """What we could see of a step's records: up to when, of which entities, and what direct reads found.

    `watermark_us` is the least of the streams that show them (NONE: never complete). `scopes`: entities ever seen there.
    `asked`: subject → (asked_us, control seen) of direct reads that found nothing; None when the platform offers none.
    `runs`: per stream its watermarks ascending and when each was reached; read only where a correction is possible.
    """

    watermark_us: int
    scopes: frozenset[str]
    asked: Mapping[int, tuple[int, bool]] | None = None
    runs: Callable[[], list[Runs]] | None = None


def decide(s: pd.DataFrame, r: pd.DataFrame, due: Array, sight: Sight | None) -> tuple[Array, Array]:
    """Decide each subject at min(completed, due). Returns outcome and reason.

    good: reached by due; bad: reached later, or provably absent; blind: we could not look; pending: not due, or not yet seen
    that far. Source: absence is evidence only if the watermark passed, the entity was ever seen and a direct read found nothing.
    """
    earliest, latest, start = r["earliest"].to_numpy(), r["latest"].to_numpy(), s["start_us"].to_numpy()
    withdrawn = s["withdrawn_us"].to_numpy()
    watermark = sight.watermark_us if sight else NONE
    seen = s["entity"].isin(sight.scopes).to_numpy() if sight else np.zeros(len(s), dtype=bool)
    seen = seen | (s["entity"] == "").to_numpy()
    asked, control = _asked(s, due, sight)
    table = [
        ((withdrawn != FOREVER) & (withdrawn <= np.minimum(due, latest)), "excluded", "withdrawn"),
        (s["unmapped"].to_numpy() != 0, "blind", "unmapped_status"),
        (r["group"].to_numpy() == "unresolved", "blind", "group_unresolved"),
        (r["group"].to_numpy() == "absent", "bad", "missing"),
        (r["group"].to_numpy() == "doubled", "bad", "duplicate"),
        (latest < start, "good", "early"),
        ((latest <= due) & (latest != FOREVER), "good", "in_time"),
        ((earliest <= due) & (latest != FOREVER), "good", "within_precision"),
        (latest != FOREVER, "bad", "late"),
        (due == FOREVER, "pending", "no_deadline"),
        (r["unmapped"].to_numpy(), "blind", "unmapped_status"),
        (due > watermark, "pending", "not_due"),
        (~seen, "blind", "scope_never_seen"),
        (asked & ~control, "blind", "not_visible"),
        (~asked, "pending", "confirming"),
        (r["shown"].to_numpy() & (s["revision"].to_numpy() > 1), "bad", "stale_revision"),
    ]
    conditions = [c for c, _, _ in table]
    outcome = np.select(conditions, [o for _, o, _ in table], default="bad").astype(object)
    reason = np.select(conditions, [w for _, _, w in table], default="missing").astype(object)
    return outcome, reason


def _asked(s: pd.DataFrame, due: Array, sight: Sight | None) -> tuple[Array, Array]:
    """Return where a direct read after the deadline found nothing, and where its control record was found."""
    if sight is None or sight.asked is None:
        return np.ones(len(s), dtype=bool), np.ones(len(s), dtype=bool)
    answers = [sight.asked.get(a, (NONE, True)) for a in s["anchor_id"].tolist()] if sight.asked else []
    if not answers:
        return np.zeros(len(s), dtype=bool), np.ones(len(s), dtype=bool)
    at = np.array([a for a, _ in answers], dtype=np.int64)
    return at >= due, np.array([c for _, c in answers], dtype=bool)
