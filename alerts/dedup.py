"""Whether to tell anybody, whom, and in any case why or why not. Pure; nothing is sent or stored here.

A channel is told of an episode once when it begins, of new documents at most once per repeat interval, and of its end
exactly if it was told of its beginning; of a notice only that it began.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Literal

from .findings import Alert
from .lifecycle import Move, is_open

Kind = Literal["firing", "released", "updated", "resolved"]


class Why(StrEnum):
    """Why somebody is told, or nobody."""

    NEW_EPISODE = "new_episode"
    RELEASED = "released"  # fired earlier, and what held the message back is over
    NEW_DOCUMENTS = "new_documents"
    RESOLVED = "resolved"
    UNCHANGED = "unchanged"
    WITHIN_REPEAT = "within_repeat"
    NEVER_TOLD = "never_told"
    NOTICE = "notice"  # told once; that it ends is no news
    TAKEN_ON = "taken_on"
    PENDING = "pending"
    PROVISIONAL = "provisional"
    FIRST_LOAD = "first_load"
    SILENCED = "silenced"
    FLAPPING = "flapping"
    EXPLAINED = "explained"  # a platform that is down explains it and has an alert of its own
    NO_CHANNEL = "no_channel"


SENDS = {Why.NEW_EPISODE: "firing", Why.RELEASED: "released", Why.NEW_DOCUMENTS: "updated", Why.RESOLVED: "resolved"}
HOLDS = frozenset(
    {Why.PROVISIONAL, Why.FIRST_LOAD, Why.SILENCED, Why.FLAPPING, Why.EXPLAINED, Why.NO_CHANNEL, Why.TAKEN_ON}
)
"""Reasons that leave an open episode untold; they are shown beside the alert."""


@dataclass(frozen=True, slots=True)
class Told:
    """What was told of an alert. `channels`: of this episode. `flips`: beginnings and ends told within the flap window.

    `damped`: a beginning was held back as flapping within it.
    """

    channels: tuple[str, ...] = ()
    flips: int = 0
    damped: bool = False


@dataclass(frozen=True, slots=True)
class Flap:
    """When coming and going is told less. Units: microseconds."""

    messages: int
    hold_us: int


@dataclass(frozen=True, slots=True)
class Situation:
    """Everything around one alert that the decision depends on."""

    alert: Alert
    move: Move | None
    told: Told
    routed: Sequence[str]
    new_documents: int
    repeat_us: int
    provisional: bool = False
    first_load: bool = False
    silenced: bool = False
    explained: bool = False
    notice: bool = False


@dataclass(frozen=True, slots=True)
class Decision:
    """Who is told, if anybody, and why."""

    why: Why
    channels: tuple[str, ...] = ()

    @property
    def kind(self) -> str | None:
        """Return the kind of message, None when nobody is told."""
        return SENDS.get(self.why)


def decide(s: Situation, flap: Flap, now_us: int) -> Decision:
    """Decide about one alert."""
    if s.move == "resolved" and s.notice:
        return Decision(Why.NOTICE)
    if s.move == "resolved":
        return Decision(Why.RESOLVED, s.told.channels) if s.told.channels else Decision(Why.NEVER_TOLD)
    if not is_open(s.alert):
        return Decision(Why.PENDING if s.alert.state == "pending" else Why.UNCHANGED)
    held = _held(s, flap, now_us)
    if held is not None:
        return Decision(held)
    missing = tuple(c for c in s.routed if c not in s.told.channels)
    if missing and s.alert.state != "acknowledged":
        return Decision(Why.NEW_EPISODE if s.move == "firing" else Why.RELEASED, missing)
    return _more(s, now_us)


def _held(s: Situation, flap: Flap, now_us: int) -> Why | None:
    """Return what holds a message back. A resolve is never held: it passes before this is asked."""
    if s.provisional:
        return Why.PROVISIONAL
    if not s.routed:
        return Why.NO_CHANNEL
    if s.first_load:
        return Why.FIRST_LOAD
    if s.silenced:
        return Why.SILENCED
    if s.explained:
        return Why.EXPLAINED
    if s.told.channels:
        return None
    if s.alert.state == "acknowledged":
        return Why.TAKEN_ON
    # Once it flaps, a beginning is told only when there is room for its end as well.
    limit = 1 if s.told.damped else flap.messages
    comes_back = s.alert.episode > 1 and s.new_documents == 0 and s.told.flips >= limit
    steady = s.alert.fired_us is not None and now_us - s.alert.fired_us >= flap.hold_us
    return Why.FLAPPING if comes_back and not steady else None


def _more(s: Situation, now_us: int) -> Decision:
    if s.new_documents == 0:
        return Decision(Why.UNCHANGED)
    if s.alert.told_us is not None and now_us - s.alert.told_us < s.repeat_us:
        return Decision(Why.WITHIN_REPEAT)
    return Decision(Why.NEW_DOCUMENTS, tuple(c for c in s.routed if c in s.told.channels))
