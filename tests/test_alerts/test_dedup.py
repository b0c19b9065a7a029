"""Is somebody told exactly when there is news, and is there always a reason?"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from alerts.dedup import Decision, Flap, Situation, Told, Why, decide
from alerts.findings import Alert, Timing
from alerts.lifecycle import advance
from probes.clock import HOUR, MINUTE

from .build import NOW, finding

FLAP = Flap(messages=2, hold_us=15 * MINUTE)


def alert(**changes: Any) -> Alert:
    """Return an alert that fired at NOW."""
    (change,) = advance({}, [finding()], lambda a: None, lambda s: Timing(), NOW)
    return replace(change.alert, **changes)


def situation(**changes: Any) -> Situation:
    """Return the situation of an alert that has just begun and goes to two channels."""
    values: dict[str, Any] = {
        "alert": alert(),
        "move": "firing",
        "told": Told(),
        "routed": ("mail", "ops"),
        "new_documents": 1,
        "repeat_us": 4 * HOUR,
    }
    return Situation(**{**values, **changes})


TOLD = {"move": None, "told": Told(("mail", "ops"))}
CASES: dict[str, tuple[dict[str, Any], Why, tuple[str, ...]]] = {
    "a new episode goes to every channel": ({}, Why.NEW_EPISODE, ("mail", "ops")),
    "an episode that was told and has nothing new stays quiet": (
        {**TOLD, "new_documents": 0}, Why.UNCHANGED, ()),
    "new documents within the repeat interval wait": (
        {**TOLD, "new_documents": 3, "alert": alert(told_us=NOW - 4 * HOUR + 1)}, Why.WITHIN_REPEAT, ()),
    "new documents after the repeat interval are told": (
        {**TOLD, "new_documents": 3, "alert": alert(told_us=NOW - 4 * HOUR)}, Why.NEW_DOCUMENTS, ("mail", "ops")),
    "new documents in a taken-on alert are told as well": (
        {**TOLD, "new_documents": 3, "alert": alert(told_us=NOW - 4 * HOUR, state="acknowledged")},
        Why.NEW_DOCUMENTS, ("mail", "ops")),
    "a channel that was added since is told alone": (
        {"move": None, "told": Told(("ops",)), "new_documents": 0}, Why.RELEASED, ("mail",)),
    "a taken-on alert is not told to a channel that was added since": (
        {"move": None, "told": Told(("ops",)), "new_documents": 0, "alert": alert(state="acknowledged")},
        Why.UNCHANGED, ()),
    "a taken-on alert that nobody heard of is not told": (
        {"move": None, "alert": alert(state="acknowledged")}, Why.TAKEN_ON, ()),
    "a silence holds the beginning back": ({"silenced": True}, Why.SILENCED, ()),
    "a silence that ends releases the episode": ({"move": None}, Why.RELEASED, ("mail", "ops")),
    "the first load of history is no news": ({"first_load": True}, Why.FIRST_LOAD, ()),
    "what a platform that is down explains is left to its alert": ({"explained": True}, Why.EXPLAINED, ()),
    "a provisional SLI notifies nobody": ({"provisional": True}, Why.PROVISIONAL, ()),
    "without a route nobody is told": ({"routed": ()}, Why.NO_CHANNEL, ()),
    "the end goes to those who heard of the beginning": (
        {"move": "resolved", "told": Told(("ops",)), "new_documents": 0}, Why.RESOLVED, ("ops",)),
    "the end of an episode nobody heard of is not told": (
        {"move": "resolved", "new_documents": 0}, Why.NEVER_TOLD, ()),
    "a silence never holds back the end of what was told": (
        {"move": "resolved", "told": Told(("ops",)), "silenced": True}, Why.RESOLVED, ("ops",)),
    "the end of what was told passes while it is flapping": (
        {"move": "resolved", "told": Told(("ops",), flips=9)}, Why.RESOLVED, ("ops",)),
    "the same condition that comes back for the third time in the window is held": (
        {"alert": alert(episode=2), "new_documents": 0, "told": Told((), flips=2)}, Why.FLAPPING, ()),
    "a condition that was held as flapping is held until there is room for its end as well": (
        {"alert": alert(episode=5), "new_documents": 0, "told": Told((), flips=1, damped=True)}, Why.FLAPPING, ()),
    "a condition that comes back once is told": (
        {"alert": alert(episode=2), "new_documents": 0, "told": Told((), flips=1)}, Why.NEW_EPISODE, ("mail", "ops")),
    "a new episode about other documents is never taken for flapping": (
        {"alert": alert(episode=9), "new_documents": 1, "told": Told((), flips=8)}, Why.NEW_EPISODE, ("mail", "ops")),
    "a flapping condition that now stays is told": (
        {"alert": alert(episode=2, fired_us=NOW - 15 * MINUTE), "move": None, "new_documents": 0,
         "told": Told((), flips=2)}, Why.RELEASED, ("mail", "ops")),
    "a pending alert is nobody's business yet": (
        {"alert": alert(state="pending"), "move": None}, Why.PENDING, ()),
}  # fmt: skip


@pytest.mark.parametrize("sentence", CASES)
def test_decision(sentence: str) -> None:
    changes, why, channels = CASES[sentence]
    assert decide(situation(**changes), FLAP, NOW) == Decision(why, channels)


def test_whoever_is_told_is_told_a_kind_of_message_and_nobody_else() -> None:
    for changes, _, channels in CASES.values():
        decision = decide(situation(**changes), FLAP, NOW)
        assert (decision.kind is not None) == bool(channels)
