"""Which integer stands for a key: the same one on every database, whatever was seen first.

63 bits of BLAKE2b. Two different keys meeting in one integer is refused where it would matter (intake compares the
external id it finds), so an identity never lies silently.
"""

from __future__ import annotations

from functools import lru_cache
from hashlib import blake2b

from probes.record import key

_MASK = 2**63 - 1


def key_id(text: str) -> int:
    """Return the 63-bit integer of a key as `probes.record.key` writes it."""
    return int.from_bytes(blake2b(text.encode(), digest_size=8).digest(), "big") & _MASK


def record_id(platform: str, kind: str, external_id: str) -> int:
    """Return the identity of a platform's record."""
    return key_id(key(platform, kind, "id", external_id))


@lru_cache(maxsize=65_536)
def customer_id(platform: str, external_id: str | None) -> int | None:
    """Return the identity of a platform's customer record, None where the document names none; many documents name one."""
    return None if external_id is None else record_id(platform, "customer", external_id)


def stream_id(platform: str, name: str) -> int:
    """Return the identity of a stream of a platform, the same in every database."""
    return key_id(f"stream:{platform}/{name}")
