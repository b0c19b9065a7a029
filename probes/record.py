"""What a probe yields: records with their references, samples, and rows it had to refuse.

These are the facts every later number stands on. A `Record` holds only mapped fields, already in Tieout's words and units;
its canonical JSON is what is stored and digested, so two equal observations are one version.
"""

from __future__ import annotations

from hashlib import blake2b

import msgspec


class Reference(msgspec.Struct, frozen=True, omit_defaults=True, array_like=False, gc=False):
    """One record naming another, perhaps on another platform, perhaps not seen yet.

    `kind` is one of about, part_of, fulfils, bills, posts, applies, reverses, replaces, amends, renews, merged_into,
    split_from. `to` is a key (see `key`). Amount in minor units of `currency`; quantity an exact decimal as text.
    """

    kind: str
    to: str
    amount_minor: int | None = None
    currency: str | None = None
    quantity: str | None = None
    line: str | None = None


class Actor(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    """Who made the change: kind person | integration | automation | unknown; grade field | record | unknown."""

    id: str
    kind: str = "unknown"
    grade: str = "unknown"


class Record(msgspec.Struct, frozen=True, omit_defaults=True):
    """One business object as one platform shows it, in Tieout's words.

    Units: amounts are minor units of `currency` under the names net, tax, gross, discount, due, applied, open, fee, tcv,
    acv, mrr. Time: `*_us` are microseconds since the epoch, UTC; `on` holds business dates as YYYY-MM-DD
    (document, posting, due, service_from, service_to). `milestones` maps a name to its interval [earliest, latest].
    `status` is the platform's word, `state` ours after the total status map (None: the map does not know it).
    `keys` are further keys this record is known under (number, PO number); its own id is always one.
    `parties` maps sold_to, bill_to, payer, ship_to, end_customer, partner to this platform's customer ids.
    `exempt` says why policy does not hand this document over (trial, zero_value, marketplace), `test` marks test data.
    """

    kind: str
    id: str
    changed_us: int | None = None
    created_us: int | None = None
    number: str | None = None
    entity: str | None = None
    parties: dict[str, str] = {}
    status: str | None = None
    state: str | None = None
    currency: str | None = None
    amounts: dict[str, int] = {}
    on: dict[str, str] = {}
    milestones: dict[str, tuple[int, int]] = {}
    attributes: dict[str, str | None] = {}
    references: tuple[Reference, ...] = ()
    keys: tuple[str, ...] = ()
    revision: int | None = None
    exempt: str | None = None
    test: bool = False
    deleted: bool = False
    actor: Actor | None = None


class Sample(msgspec.Struct, frozen=True):
    """The value of a series at an instant: queue depth, quota left, latency. `labels` stay few and bounded."""

    series: str
    at_us: int
    value: float
    labels: dict[str, str] = {}


class BadRow(msgspec.Struct, frozen=True):
    """A row that could not be mapped: why, and enough of it to mend and replay it."""

    reason: str
    message: str
    raw: str
    external_id: str | None = None


encode_record = msgspec.json.Encoder(order="deterministic").encode
decode_record = msgspec.json.Decoder(Record).decode


def digest(body: bytes) -> bytes:
    """Return the 16 bytes that stand for a canonical record body."""
    return blake2b(body, digest_size=16).digest()


def key(platform: str, kind: str, by: str, value: str) -> str:
    """Return the key of a record: which platform, which kind of object, known by which name, under which value.

    `by` is `id` for the platform's own id, else the name of the business key (number, po, erp_id …).
    """
    return f"{platform}/{kind}/{by}={value}"
