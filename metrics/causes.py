"""What kind of trouble does an error message tell of, and which messages tell of the same? Pure; reads nothing.

A message is cut down to a template: what differs from one occurrence to the next (ids, numbers, quoted values, instants,
addresses) is left out. Equal templates of one kind and stream are one cause, whatever document they hit, so the same trouble keeps
its fingerprint on every machine and after every rebuild.
"""

from __future__ import annotations

import re
from functools import lru_cache
from hashlib import blake2b
from importlib import resources
from typing import Final, Literal, get_args

import yaml

Category = Literal[
    "permission", "rate_limit", "connection", "intermittent", "too_large", "parse", "duplicate", "authority_conflict",
    "timing", "identity", "reference_data", "missing", "value", "unclassified",
]  # fmt: skip
"""Who can mend it follows from the kind: operations the first five, whoever keeps the data the others."""
CATEGORIES: Final[tuple[Category, ...]] = get_args(Category)

_Rules = tuple[tuple[Category, re.Pattern[str]], ...]
_STATUS = re.compile(r"(?<![\w.:/-])([1-5]\d\d)(?![\w.:/-])")
_AGAIN = re.compile(
    r"next (try|attempt|retry)|will (be )?(retry|retried|tried again)|retry(ing)? (in|at|after|scheduled)",
    re.IGNORECASE,
)
_VOLATILE: Final = (
    re.compile(r"\b\d{4}-\d\d-\d\d(?:[T ]\d\d:\d\d(?::\d\d(?:\.\d+)?)?(?:Z|[+-]\d\d:?\d\d)?)?"),
    re.compile(r"\b[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}\b", re.IGNORECASE),
    re.compile(r"\b[\w.+-]+@[\w-]+(?:\.[\w-]+)+"),
    re.compile(r"\bhttps?://\S+", re.IGNORECASE),
    re.compile(r"'[^']*'|\"[^\"]*\"|«[^»]*»|`[^`]*`"),
    re.compile(r"\b(?=[\w-]*\d)(?=[\w-]*[A-Za-z_-])[\w-]{4,}\b"),
    re.compile(r"(?<![A-Za-z])[+-]?\d+(?:[.,]\d+)*"),
)
PLACE: Final = "…"
LONGEST: Final = 200


@lru_cache(maxsize=4096)
def template(message: str) -> str:
    """Return what a message says whatever it says it of; an HTTP status stays, for it is the cause."""
    kept: list[str] = []

    def keep(found: re.Match[str]) -> str:
        kept.append(found[0])
        return f"\x00{chr(0xE000 + len(kept) - 1)}\x00"

    text = _STATUS.sub(keep, message, count=8)
    for pattern in _VOLATILE:
        text = pattern.sub(PLACE, text)
    for number, word in enumerate(kept):
        text = text.replace(f"\x00{chr(0xE000 + number)}\x00", word)
    text = re.sub(rf"{PLACE}(?:[\s,;:/_-]*{PLACE})+", PLACE, text)
    return " ".join(text.split()).casefold()[:LONGEST]


@lru_cache(maxsize=1)
def _rules() -> _Rules:
    """Return the categories in the order in which they are tried, each with what its messages say."""
    known = yaml.safe_load(resources.files(__package__).joinpath("causes.yaml").read_text("utf-8"))
    return tuple((category, re.compile("|".join(words), re.IGNORECASE)) for category, words in known.items())


def tries_again(message: str) -> bool:
    """Return whether a message announces a next try: until that was due, nobody needs to do anything."""
    return _AGAIN.search(message) is not None


@lru_cache(maxsize=4096)
def classify(message: str, cause: str = "") -> Category:
    """Return what kind of trouble a message tells of; `cause` is the platform's own word, asked when the message says nothing."""
    for text in (message, cause):
        for category, pattern in _rules():
            if text and pattern.search(text):
                return category
    return "unclassified"


def fingerprint(kind: str, stream_id: int, cause: str, message: str) -> str:
    """Return the name of a cause: the kind of exception, where it came up, and what it says. Shape: 16 hexadecimal digits."""
    told = "\x1f".join((kind, str(stream_id), cause, template(message)))
    return blake2b(told.encode(), digest_size=8).hexdigest()
