"""What became of one seed: a company lived, failed and was watched for some days; what was true and what was said."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from probes.clock import DAY, MINUTE, SECOND

from .company import Watched, lived, new_signing_key, watching
from .findings import Listener, Said
from .matching import Patience, Result, match
from .plan import Mender, lay_out, plan
from .truths import Key, Truth, occurrences, truths

HISTORY_DAYS = 3
START_AT = datetime(2026, 11, 2, 12, 0, tzinfo=UTC)
Tell = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Course:
    """How a seed is run. `scale`: the size of the company; one is that of the demo."""

    faults: Sequence[str]
    days: int = 30
    interval_us: int = 5 * MINUTE
    scale: float = 0.3


@dataclass(frozen=True, slots=True)
class Outcome:
    """One seed: what was true, what was said, how they match, and what only looked wrong."""

    seed: int
    truths: Sequence[Truth]
    said: Sequence[Said]
    result: Result
    silent: dict[str, list[Key]]
    patience: Patience
    end_us: int
    documents: int


def run_seed(seed: int, course: Course, tell: Tell) -> Outcome:
    """Let a company live and fail, and Tieout watch it, in virtual time. Errors: UnknownFaultError, ValueError."""
    with tempfile.TemporaryDirectory(prefix="tieout-score-") as name:
        folder = Path(name)
        company = lived(folder, seed=seed, start_at=START_AT, history_days=HISTORY_DAYS, scale=course.scale)
        end_us = company.start_us + course.days * DAY
        lay_out(company.world, plan(course.faults, seed, company.start_us, end_us, course.interval_us))
        company.run_history()
        with watching(folder, company, signing_key=new_signing_key(), watched_days=HISTORY_DAYS - 1) as watched:
            return _watch(watched, seed, course, end_us, tell)


def _watch(watched: Watched, seed: int, course: Course, end_us: int, tell: Tell) -> Outcome:
    listener, mender, moved = Listener(), Mender(seed), True
    workspace, company = watched.workspace, watched.company
    watched.cycle()
    while watched.now_us < end_us:
        watched.clock.step(course.interval_us / SECOND)
        with company.lock:
            company.advance_to(watched.now_us)
            mender.work(company.world, company.journal.entries, watched.now_us)
        moves = watched.look()
        if moves or moved:  # what ends is seen by the first look at which nothing moves any more
            listener.note(workspace.store, workspace.model, watched.now_us)
        moved = moves
        tell(f"seed {seed}: day {(watched.now_us - company.start_us) / DAY:.1f} of {course.days}")
    streams = [s for p in workspace.platforms.values() for s in p.streams]
    patience = Patience(course.interval_us, max(s.spec.visibility_delay_seconds for s in streams) * SECOND)
    true = truths(company.journal.entries)
    documents = sum(m.kind in ("deal_won", "invoice_finalised") for m in company.journal.milestones)
    return Outcome(
        seed, true, listener.said, match(true, listener.said, patience, end_us), dict(occurrences(company.journal.entries)),
        patience, end_us, documents,
    )  # fmt: skip
