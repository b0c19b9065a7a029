"""When a viewer was last here: one cookie holding two instants, this visit's and the end of the one before.

It holds nothing about who the viewer is and is read by no other site.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from probes.clock import MINUTE

COOKIE = "tieout_visit"
PAUSE_US = 30 * MINUTE
KEEP_SECONDS = 90 * 24 * 3600
_SHAPE = re.compile(r"(\d{1,17})-(\d{1,17})")


def parse(text: str | None) -> tuple[int, int] | None:
    """Return (last seen before this visit, last seen), or None for anything that is not ours."""
    found = _SHAPE.fullmatch(text or "")
    return (int(found[1]), int(found[2])) if found else None


def last_visit_us(cookies: Mapping[str, str]) -> int | None:
    """Return when the visit before this one ended; None when there was none."""
    told = cookies.get(COOKIE)
    found = parse(told if isinstance(told, str) else None)
    return found[0] or None if found else None


def stamped(text: str | None, now_us: int) -> str:
    """Return the cookie after a page load now: after half an hour away a new visit begins."""
    before, seen = parse(text) or (0, 0)
    if seen and now_us - seen > PAUSE_US:
        before = seen
    return f"{before}-{now_us}"


def header(text: str | None, now_us: int) -> str:
    """Return the Set-Cookie header."""
    return f"{COOKIE}={stamped(text, now_us)}; Path=/; Max-Age={KEEP_SECONDS}; HttpOnly; SameSite=Lax"
