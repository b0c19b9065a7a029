"""What the facts about some anchors amount to: steps reached, event verdicts and breaks. Pure: frames in, frames out.

Nothing here reads the clock or the database. Whether something is absent is judged against the watermark of the streams that
would show it, so the same facts and watermarks give the same verdicts whenever they are asked for.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from probes.clock import FOREVER

from .arrays import NONE, Array
from .breaks import breaks, delta_of, group_breaks
from .compared import differences
from .deadline import Schedules
from .deciding import Sight, decide
from .definitions import Flow, Sli, Step
from .dues import sli_due, step_due
from .episodes import ABSENT, episodes, own_then
from .gather import Frames
from .reach import reach
from .subjects import subjects

OPEN_STATES = ("waiting", "confirming", "blind", "lost")


@dataclass(frozen=True)
class Context:
    """What judging needs beside the frames: sight per step, watch start per entity, whose documents are not posted, calendars."""

    sights: Mapping[str, Sight]
    watched_since: Mapping[str, int]
    default_since: int
    not_posted: frozenset[str] = frozenset()
    active: pd.DataFrame | None = None
    schedules: Schedules = field(default_factory=Schedules)


@dataclass(frozen=True)
class Verdicts:
    """The rows of one flow's verdicts. Shapes: columns as in the tables of the same names; FOREVER and NONE mean NULL."""

    instances: pd.DataFrame
    steps: pd.DataFrame
    events: pd.DataFrame
    breaks: pd.DataFrame


def judge(flow: Flow, slis: Sequence[Sli], frames: Frames, context: Context) -> Verdicts:
    """Judge every subject of these anchors."""
    s = subjects(flow, frames, context.active)
    s = s.assign(sid=np.arange(len(s)), exclusion=_exclusions(s, context))
    reached = {step.name: reach(flow, step, s, frames) for step in flow.steps}
    due = {
        step.name: np.where(
            _in_a_group(flow, step, reached), FOREVER, step_due(flow, step, s, reached, context.schedules)
        )
        for step in flow.steps
    }
    ripe = {name: np.where(at == FOREVER, FOREVER, at + flow.step(name).grace) for name, at in due.items()}
    apart = {x.name: episodes(flow, x, s, reached[x.name], frames, ripe[x.name]) for x in flow.steps}
    events, ahead = [], {step.name: np.full(len(s), FOREVER) for step in flow.steps}
    for sli in slis:
        rows, undecided = _events(flow, sli, s, reached, frames, context, apart)
        events.append(rows)
        ahead[sli.stop or ""] = np.minimum(ahead[sli.stop or ""], undecided)
    step_rows, break_rows = [], []
    for step in flow.steps:
        name, sight = step.name, context.sights.get(step.name)
        seen = sight.watermark_us if sight else NONE
        verdict = _step_verdict(s, reached[name], due[name], sight)
        wait = np.minimum(_wait(verdict, due[name], ripe[name], seen), ahead[name])
        step_rows.append(_step_rows(flow, step, s, reached, due[name], verdict, wait))
        break_rows.append(breaks(flow, step, s, apart[name], ripe[name], verdict[0], seen))
        break_rows.append(group_breaks(flow, step, s, frames.groups.get(name)))
    steps = pd.concat(step_rows, ignore_index=True)
    return Verdicts(_instances(flow, s, steps), steps, _stack(events), _stack(break_rows))


def _stack(frames: Sequence[pd.DataFrame]) -> pd.DataFrame:
    kept = [f for f in frames if len(f)]
    return pd.concat(kept, ignore_index=True) if kept else (frames[0] if frames else pd.DataFrame())


def _exclusions(s: pd.DataFrame, context: Context) -> Array:
    """Return why a subject is outside event SLIs, or None. Before watch start it is opening balance."""
    since = np.array(
        [context.watched_since.get(e, context.default_since) for e in s["entity"].tolist()], dtype=np.int64
    )
    exempt = s["exempt"].to_numpy()
    words = {
        "test": s["test"].to_numpy() != 0,
        "before_watch_start": s["start_us"].to_numpy() < since,
        "bulk_load": s["bulk"].to_numpy().astype(bool),
        "exempt": pd.notna(exempt),
        "not_posted": s["entity"].isin(context.not_posted).to_numpy(),
    }
    choices = [exempt if word == "exempt" else np.full(len(s), word, dtype=object) for word in words]
    chosen: Array = np.full(len(s), None, dtype=object)
    for condition, choice in reversed(list(zip(words.values(), choices, strict=True))):
        chosen = np.where(condition, choice, chosen)
    return chosen


def _in_a_group(flow: Flow, step: Step, reached: Mapping[str, pd.DataFrame]) -> Array:
    """Return where a later step leads over a document that a group posting stands for: nothing of it can be seen there."""
    grouped = [
        reached[other.name]["group"].notna().to_numpy() for other in flow.steps if other.grouped and other is not step
    ]
    count = len(reached[step.name])
    return np.logical_or.reduce(grouped) if grouped and step.path else np.zeros(count, dtype=bool)


# --- steps and instances -------------------------------------------------------------------------------------------------

_STEP_STATE = {"good": "done", "bad": "lost", "blind": "blind", "pending": "waiting", "excluded": "excluded"}


def _step_verdict(s: pd.DataFrame, r: pd.DataFrame, due: Array, sight: Sight | None) -> tuple[Array, Array]:
    outcome, reason = decide(s, r, due, sight)
    state = np.array([_STEP_STATE[o] for o in outcome], dtype=object)
    reached = r["latest"].to_numpy() != FOREVER
    gone = s["withdrawn_us"].to_numpy() != FOREVER
    state = np.where(gone & (outcome == "bad"), "excluded", state)  # late it was, but nothing is owed any more
    state = np.where(reason == "confirming", "confirming", state)
    state = np.where(reached & (outcome == "bad"), "late", state)
    state = np.where(reached & (outcome != "bad"), "done", state)
    state = np.where(r["duplicate"].to_numpy() & reached, "duplicate", state)
    return state, reason


def _wait(verdict: tuple[Array, Array], due: Array, ripe: Array, watermark_us: int) -> Array:
    """Return the next instant whose passing by the watermark can change what is said of a step, FOREVER if none can."""
    wait = np.minimum.reduce([np.where(m > watermark_us, m, FOREVER) for m in (due, ripe)])
    return np.where(np.isin(verdict[0], OPEN_STATES), wait, FOREVER)


def _step_rows(
    flow: Flow,
    step: Step,
    s: pd.DataFrame,
    reached: Mapping[str, pd.DataFrame],
    due: Array,
    verdict: tuple[Array, Array],
    wait: Array,
) -> pd.DataFrame:
    r = reached[step.name]
    latest = r["latest"].to_numpy()
    since = reached[step.after]["latest"].to_numpy() if step.after else np.full(len(s), FOREVER)
    # An interval that spans the deadline says "in time within precision"; a latency it does not say.
    timed = (latest != FOREVER) & (since != FOREVER) & (verdict[1] != "within_precision")
    return pd.DataFrame(
        {
            "flow": flow.name,
            "anchor_id": s["anchor_id"],
            "revision": s["revision"],
            "entity": s["entity"],
            "step": step.name,
            "state": verdict[0],
            "reason": verdict[1],
            "earliest_us": r["earliest"],
            "latest_us": latest,
            "due_us": due,
            "elapsed_us": np.where(timed, np.where(timed, latest, 0) - np.where(timed, since, 0), NONE),
            "record_id": r["record_id"],
            "count": r["count"],
            "amount_minor": r["amount"],
            "wait_us": wait,
        }
    )


def _instances(flow: Flow, s: pd.DataFrame, steps: pd.DataFrame) -> pd.DataFrame:
    """Return one row per subject: the worst of its steps decides its state, the last step reached where it stands."""
    count, names = len(s), [step.name for step in flow.steps]
    needed = [i for i, step in enumerate(flow.steps) if not step.optional]
    states = steps["state"].to_numpy().reshape(len(names), count)
    latest = steps["latest_us"].to_numpy().reshape(len(names), count)
    due = steps["due_us"].to_numpy().reshape(len(names), count)
    exclusion = s["exclusion"].to_numpy()
    withdrawn = (states == "excluded").any(axis=0)
    excluded = pd.notna(exclusion) | withdrawn

    def any_of(word: str) -> Array:
        return np.asarray((states == word).any(axis=0))

    done = (latest[needed] != FOREVER).all(axis=0)
    order = [
        (exclusion == "before_watch_start", "opening"),
        (excluded, "excluded"),
        (any_of("lost"), "lost"),
        (any_of("blind"), "blind"),
        (any_of("late") & ~done, "late"),
        (done, "done"),
    ]
    state = np.select([c for c, _ in order], [w for _, w in order], default="open").astype(object)
    reached = latest != FOREVER
    position = np.where(reached.any(axis=0), len(names) - 1 - reached[::-1].argmax(axis=0), 0)
    waiting = np.isin(states, OPEN_STATES)
    next_due = np.where(waiting, due, FOREVER).min(axis=0)
    complete = latest[needed].max(axis=0)
    money = s["money"].to_numpy()
    covered = np.where(done, money, 0)
    stale = (steps["reason"].to_numpy().reshape(len(names), count) == "stale_revision").any(axis=0)
    owed = np.where(stale, delta_of(s, money), money)  # the revision before is in the target already
    risk = np.where((money == NONE) | excluded, 0, owed - np.where(money == NONE, 0, covered))
    reason = np.where(pd.notna(exclusion), exclusion, "withdrawn")  # what it is outlasts what became of it
    return pd.DataFrame(
        {
            "flow": flow.name,
            "anchor_id": s["anchor_id"],
            "revision": s["revision"],
            "entity": s["entity"],
            "stream_id": s["stream_id"],
            "customer_id": s["customer_id"],
            "state": state,
            "reason": np.where(excluded, reason, np.full(count, None)),
            "step": np.array(names, dtype=object)[position],
            "started_us": s["start_us"],
            "due_us": next_due,
            "completed_us": complete,
            "money_minor": money,
            "risk_minor": np.where(money == NONE, NONE, risk),
            "currency": s["currency"],
            "withdrawn_us": s["withdrawn_us"],
        }
    )


# --- events --------------------------------------------------------------------------------------------------------------


def _events(
    flow: Flow, sli: Sli, s: pd.DataFrame, reached: Mapping[str, pd.DataFrame], frames: Frames, context: Context,
    apart: Mapping[str, pd.DataFrame],
) -> tuple[pd.DataFrame, Array]:  # fmt: skip
    """Return the verdicts on an event SLI, and per subject the deadline that must be seen to decide it, FOREVER without."""
    step = flow.step(sli.stop or "")
    sight = context.sights.get(step.name)
    start = reached[sli.start or ""]["latest"].to_numpy()
    due = sli_due(flow, sli, s, reached, context.schedules)
    then = own_then(flow, s, due, frames.own) if sli.agree else s
    changed = then is not s or _told_otherwise(step, frames)
    r = reach(flow, step, then, frames, due) if changed else reached[step.name]
    outcome, reason = decide(s, r.assign(shown=r["shown"] & (r["shown_us"] <= due)), due, sight)
    latest = r["latest"].to_numpy()
    at = np.minimum(latest, due)
    if sli.agree:
        outcome, reason = _disagreeing(step, due, then, r, outcome, reason, sight)
        at = _agreed(at, due, outcome, apart[step.name])
    exclusion = s["exclusion"].to_numpy()
    outside = pd.notna(exclusion)
    outcome, reason = np.where(outside, "excluded", outcome), np.where(outside, exclusion, reason)
    at = np.where(np.isin(outcome, ("good", "bad", "excluded")), at, due)
    stopped = (latest != FOREVER) & (start != FOREVER) & (reason != "within_precision")
    rows = pd.DataFrame(
        {
            "sli": sli.name,
            "anchor_id": s["anchor_id"],
            "revision": s["revision"],
            "entity": s["entity"],
            "stream_id": s["stream_id"],
            "customer_id": s["customer_id"],
            "outcome": outcome,
            "reason": reason,
            "start_us": start,
            "due_us": due,
            "at_us": np.where(at == FOREVER, start, at),
            "value_us": np.where(stopped, np.where(stopped, latest, 0) - np.where(stopped, start, 0), NONE),
            "money_minor": s["money"],
            "currency": s["currency"],
            "proof_id": r["record_id"],
            "corrected_us": _corrected(outcome, r["first_observed_us"].to_numpy(), due, sight),
        }
    )
    begun: pd.DataFrame = rows[start != FOREVER]
    waits = (
        np.isin(outcome, ("pending", "blind")) & (start != FOREVER) & (due > (sight.watermark_us if sight else NONE))
    )
    return begun, np.where(waits, due, FOREVER)


def _told_otherwise(step: Step, frames: Frames) -> bool:
    """Return whether a record of the step changed, went or had company: an event is decided on what was so when it was due."""
    rows = frames.steps.get(step.name)
    if rows is None or rows.empty:
        return False
    again = rows["subject"].duplicated() | (rows["version_count"] > 1) | (rows["deleted_us"] != FOREVER)
    return bool(again.any()) or step.name in frames.groups


def _disagreeing(
    step: Step, due: Array, s: pd.DataFrame, then: pd.DataFrame, outcome: Array, reason: Array, sight: Sight | None
) -> tuple[Array, Array]:
    """Turn good into bad where, when due, the two sides did not agree; the first failing check is the reason.

    Until it is due they may come to agree: that is pending. A revision that another had replaced by then is not compared: the
    record shows the one in force.
    """
    first = np.full(len(s), None, dtype=object)
    for name, differs in reversed(differences(step, s, then)):
        first = np.where(differs, name, first)
    first = np.where(then["duplicate"].to_numpy(), "duplicate", first)
    failing = (outcome == "good") & (s["superseded_us"].to_numpy() > due) & pd.notna(first)
    early = failing & (due > (sight.watermark_us if sight else NONE))
    outcome = np.where(failing, np.where(early, "pending", "bad"), outcome)
    return outcome, np.where(failing, np.where(early, "not_due", first), reason)


def _agreed(at: Array, due: Array, outcome: Array, apart: pd.DataFrame) -> Array:
    """Return from when an outcome stands: good once both sides agreed for the last time before it was due, bad when due."""
    last = np.full(len(at), NONE)
    apart = apart[~apart["field"].isin(ABSENT)]
    sid, until = apart["sid"].to_numpy(dtype=np.int64), apart["until_us"].to_numpy(dtype=np.int64)
    over = until <= due[sid]
    np.maximum.at(last, sid[over], until[over])
    return np.where(outcome == "bad", due, np.where(outcome == "good", np.maximum(at, last), at))


def _corrected(outcome: Array, observed: Array, due: Array, sight: Sight | None) -> Array:
    """Return when a verdict that had been bad was corrected: the record was seen after its absence could be proven."""
    possible = (outcome == "good") & (observed != FOREVER) & (observed > due)
    corrected = np.full(len(due), FOREVER)
    if sight is None or sight.runs is None or not possible.any():
        return corrected
    provable = np.zeros(len(due), dtype=np.int64)
    for watermarks, finished in sight.runs():
        at = np.searchsorted(watermarks, due)
        known = at < len(finished)
        when = finished[np.minimum(at, max(len(finished) - 1, 0))] if len(finished) else due
        provable = np.maximum(provable, np.where(known, when, FOREVER))
    return np.where(possible & (observed > provable), observed, FOREVER)
