"""How each state is told apart without colour alone: a word, the shape of its icon and a colour.

Blind and "no data" are grey with their own shape: nothing unseen ever looks like success.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Colour = Literal["green", "orange", "red", "blue", "gray"]


@dataclass(frozen=True, slots=True)
class Look:
    """How a state is shown: the word people read, an icon's name, a character for tables, a colour's name."""

    word: str
    icon: str
    mark: str
    colour: Colour


# Okabe and Ito's colours, distinguishable with every common colour vision; the second set is for dark ground.
# Light tones are darkened until text in them reaches 4.5:1. Source: https://jfly.uni-koeln.de/color/
LIGHT: dict[Colour, str] = {
    "green": "#00714F",
    "orange": "#8A5A00",
    "red": "#B84A00",
    "blue": "#0067A3",
    "gray": "#666666",
}
DARK: dict[Colour, str] = {
    "green": "#2BC79A",
    "orange": "#E69F00",
    "red": "#F0803C",
    "blue": "#56B4E9",
    "gray": "#9A9A9A",
}

_Shape = tuple[str, str, Colour]
_GOOD: _Shape = ("check_circle", "●", "green")
_BAD: _Shape = ("error", "▲", "red")
_LOST: _Shape = ("cancel", "✕", "red")
_WAIT: _Shape = ("schedule", "○", "blue")
_WARN: _Shape = ("warning", "◆", "orange")
_BLIND: _Shape = ("visibility_off", "◌", "gray")
_ASIDE: _Shape = ("remove_circle", "–", "gray")

_LOOKS: dict[str, tuple[str, _Shape]] = {
    "met": ("met", _GOOD),
    "missed": ("missed", _BAD),
    "no_data": ("no data", _BLIND),
    "good": ("good", _GOOD),
    "bad": ("bad", _BAD),
    "pending": ("pending", _WAIT),
    "blind": ("blind", _BLIND),
    "excluded": ("excluded", _ASIDE),
    "open": ("on its way", _WAIT),
    "done": ("done", _GOOD),
    "late": ("late", _BAD),
    "lost": ("lost", _LOST),
    "opening": ("opening balance", _ASIDE),
    "waiting": ("waiting", _WAIT),
    "duplicate": ("duplicate", _WARN),
    "not_needed": ("not needed", _ASIDE),
    "fact": ("happened", ("radio_button_checked", "●", "gray")),
    "seen": ("fresh", _GOOD),
    "stale": ("stale", _WARN),
    "failing": ("failing", _BAD),
    "never": ("never polled", _BLIND),
    "complete": ("complete", _GOOD),
    "partial": ("partial", _WARN),
    "suspect": ("suspect", _WARN),
    "failed": ("failed", _BAD),
    "running": ("running", _WAIT),
    "firing": ("firing", _BAD),
    "acknowledged": ("acknowledged", _WARN),
    "resolved": ("resolved", _GOOD),
    "silenced": ("silenced", _ASIDE),
    "critical": ("critical", _LOST),
    "warning": ("warning", _WARN),
    "info": ("info", ("info", "○", "blue")),
    "page": ("page", _LOST),
    "ticket": ("ticket", _WARN),
    "open_break": ("open", _BAD),
    "closed": ("mended", _GOOD),
    "confirming": ("being confirmed", _WAIT),
    "queued": ("queued", _WAIT),
    "sent": ("sent", _GOOD),
    "dead": ("undeliverable", _LOST),
    "released": ("released", _ASIDE),
    "updated": ("updated", _WARN),
    "digest": ("digest", _ASIDE),
    "found": ("found", _GOOD),
    "not_found": ("not found yet", _WAIT),
    "not_due": ("not wrong yet", _ASIDE),
}
KNOWN = tuple(_LOOKS)


def look(state: str) -> Look:
    """Return how a state is shown; one unknown here is grey under its own word."""
    word, (icon, mark, colour) = _LOOKS.get(state, (state.replace("_", " "), ("help", "?", "gray")))
    return Look(word, f":material/{icon}:", mark, colour)


def cell(state: str) -> str:
    """Return a state for a table cell: shape and word."""
    shown = look(state)
    return f"{shown.mark} {shown.word}"


def colour_of(state: str, dark: bool) -> str:
    """Return the text colour of a state on light or dark ground."""
    return (DARK if dark else LIGHT)[look(state).colour]
