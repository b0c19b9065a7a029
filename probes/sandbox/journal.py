"""What truly happened? The ground truth of the sandbox, written by the steps themselves and never by scoring code."""

from collections.abc import Callable
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from probes.sandbox.clock import iso_seconds


@dataclass(frozen=True)
class Entry:
    """One interval in which something was true. `fault` is null for what nobody injected.

    An entry repaired before it became true was never true. `document` is what the subject is about, where the subject is a
    message, a run or a reference and not the document itself.

    Time: `true_from_us` is the deadline for what is late or missing, else the instant of the write that made it true.
    """

    id: int
    kind: str
    platform: str
    object: str
    external_id: str
    fault: str | None
    money_minor: int | None
    currency: str | None
    started_us: int
    due_us: int | None
    true_from_us: int
    repaired_us: int | None = None
    entity: str | None = None
    cause: int | None = None
    document: str | None = None
    note: str = ""

    def as_json(self) -> dict[str, Any]:
        """Render for the control API, instants as ISO 8601."""
        body = asdict(self)
        for name in ("started", "due", "repaired"):
            value = body.pop(f"{name}_us")
            body[f"{name}_at"] = None if value is None else iso_seconds(value)
        body["true_from"] = iso_seconds(body.pop("true_from_us"))
        body["subject"] = {"platform": self.platform, "object": self.object, "external_id": self.external_id}
        return body


@dataclass(frozen=True)
class Milestone:
    """A step of the normal life that was taken."""

    kind: str
    platform: str
    object: str
    external_id: str
    at_us: int
    entity: str | None = None


@dataclass
class Journal:
    """All entries and milestones in the order in which they happened.

    A listener that returns true has heard what it waited for: it is asked no more, and no other is about this entry.
    """

    entries: list[Entry] = field(default_factory=list)
    milestones: list[Milestone] = field(default_factory=list)
    listeners: list[Callable[[Entry], bool]] = field(default_factory=list)

    def write(self, kind: str, subject: tuple[str, str, str], **given: Any) -> Entry:
        """Add an entry and return it."""
        platform, object_name, external_id = subject
        entry = Entry(len(self.entries) + 1, kind, platform, object_name, external_id, **given)
        self.entries.append(entry)
        heard = next((listener for listener in self.listeners if listener(entry)), None)
        if heard is not None:
            self.listeners.remove(heard)
        return entry

    def change(self, entry_id: int, **changes: Any) -> Entry:
        """Replace fields of an entry, for instance when it was repaired."""
        changed = replace(self.entries[entry_id - 1], **changes)
        self.entries[entry_id - 1] = changed
        return changed

    def repaired(self, entry_id: int, at_us: int) -> Entry:
        """Close an entry unless it is closed already."""
        entry = self.entries[entry_id - 1]
        return entry if entry.repaired_us is not None else self.change(entry_id, repaired_us=at_us)

    def open_entries(self, fault: str | None = None) -> list[Entry]:
        """List what is still true, optionally of one fault."""
        return [e for e in self.entries if e.repaired_us is None and (fault is None or e.fault == fault)]
