"""What of a customer record suggestions compare, and which blocks it stands in: pure functions of the record and the settings.

Words for nothing are left out, so that two customers do not look alike for both being UNKNOWN.
"""

from __future__ import annotations

from collections.abc import Mapping

from metrics.keys import key_id
from metrics.normalise import NORMALISERS, country, is_null
from probes.record import Record

from .settings import IdentitySettings, Suggesting

Values = dict[str, str | None]


def values_compared(settings: IdentitySettings, record: Record) -> Values:
    """Return every field that is compared, in the form in which it is."""
    return compared(settings.suggest, record.attributes, settings.folded_null_words)


def compared(suggest: Suggesting, written: Mapping[str, str | None], nulls: frozenset[str] = frozenset()) -> Values:
    """Return the fields of what is written."""
    place = country(written.get("country") or "")
    found: Values = {}
    for field, form in suggest.fields.items():
        value = written.get(field) or ""
        found[field] = None if not value or is_null(value, nulls) else NORMALISERS[form](value, place)
    return found


def blocks(suggest: Suggesting, values: Values) -> list[int]:
    """Return the blocks a record stands in: those of which it has every part."""
    found = []
    for number, block in enumerate(suggest.blocks):
        parts = [(values.get(name) or "")[:length] for name, length in block.parts]
        if all(parts):
            found.append(key_id(f"block:{number}:" + "|".join(parts)))
    return sorted(set(found))
