"""What is true in the company, in Tieout's words, and from when to when? Reads the sandbox's journal, nothing of Tieout's."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from probes.sandbox.journal import Entry

PLATFORM = {
    "salesforce": "crm", "stripe": "billing", "netsuite": "erp", "zendesk": "support", "rabbitmq": "middleware",
    "n8n": "runtime",
}  # fmt: skip
"""The sandbox's platforms by the names they have in the demo's configuration."""
KIND = {"Opportunity": "opportunity", "Account": "customer", "invoice_payment": "payment", "execution": "workflow_run"}
"""What the platforms' own words for their objects are called among records; other words are the same."""
OVERDUE = ("missing_in_target", "late")
DOCUMENTS = ("Opportunity", "invoice", "credit_note", "invoice_payment")
"""Objects that have a deadline to reach a target; others are missing or there, and never late."""
SILENT = "N"
"""Ids of the catalogue that begin so look like failures and are none."""

Key = tuple[str, str, str, str]
"""Kind of finding; platform, kind and external id of its subject."""


@dataclass(frozen=True, slots=True)
class Truth:
    """One thing that is wrong: since `from_us`, until it was repaired. It has to be said from `due_us` on, its deadline or the end of
    the grace it is given. Money: the absolute amount, None where it has none.

    `fault` is None for what nobody injected but is true all the same.
    """

    id: int
    fault: str | None
    key: Key
    entity: str | None
    money_minor: int | None
    currency: str | None
    from_us: int
    to_us: int | None
    due_us: int


def truths(entries: Iterable[Entry]) -> list[Truth]:
    """Return what the journal holds to be wrong; what was mended before it became true never was.

    A document past its deadline is missing until it arrives and late ever after, whatever the journal calls the whole of it.
    """
    found = []
    for entry in entries:
        if silent(entry) or (entry.repaired_us is not None and entry.repaired_us <= entry.true_from_us):
            continue
        one = _truth(entry)
        overdue = entry.kind in OVERDUE and entry.object in DOCUMENTS
        found.append(replace(one, key=("missing_in_target", *one.key[1:])) if overdue else one)
        if overdue and one.to_us is not None:
            fault = one.fault if entry.kind == "late" else None
            found.append(
                replace(one, fault=fault, key=("late", *one.key[1:]), from_us=one.to_us, to_us=None, due_us=one.to_us)
            )
    return found


def silent(entry: Entry) -> bool:
    """Return whether an entry is about something normal."""
    return entry.fault is not None and entry.fault.startswith(SILENT)


def occurrences(entries: Iterable[Entry]) -> Mapping[str, list[Key]]:
    """Return what each silent entry of the catalogue was about, by its id."""
    found: dict[str, list[Key]] = {}
    for entry in entries:
        if silent(entry):
            found.setdefault(str(entry.fault), []).append(key(entry))
    return found


def key(entry: Entry) -> Key:
    """Return what a finding about an entry has to be."""
    return entry.kind, PLATFORM[entry.platform], KIND.get(entry.object, entry.object), entry.external_id


def _truth(entry: Entry) -> Truth:
    (kind, platform, record_kind, external_id) = key(entry)
    if record_kind == "platform":
        external_id = platform
    money = None if entry.money_minor is None else abs(entry.money_minor)
    return Truth(
        entry.id, entry.fault, (kind, platform, record_kind, external_id), entry.entity, money, entry.currency,
        entry.true_from_us, entry.repaired_us, max(entry.true_from_us, entry.due_us or 0),
    )  # fmt: skip
