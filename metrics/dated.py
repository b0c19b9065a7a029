"""Since when does each version of a record hold? A record found gone, or back, still carries the stamp of its last change.

Such a turn is dated by when it was seen. A version that a later one already precedes by then never held.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import pairwise

from .projection import SEQUENCE, Version


def dated(versions: Iterable[Version]) -> list[Version]:
    """Return the versions that ever held, oldest first, each with `order_us` since when."""
    ordered = sorted(versions, key=SEQUENCE)
    found = ordered[:1]
    for before, version in pairwise(ordered):
        turned = version.record.deleted != before.record.deleted
        inherited = version.record.changed_us == before.record.changed_us
        found.append(version._replace(order_us=version.observed_us) if turned and inherited else version)
    held: list[Version] = []
    for version in reversed(found):
        if not held or version.order_us < held[-1].order_us:
            held.append(version)
    held.reverse()
    return held if held[:1] == found[:1] else [*found[:1], *held]  # the first speaks for the time before it
