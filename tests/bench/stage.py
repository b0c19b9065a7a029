"""What do the workloads stand on? Platforms as judging sees them, a model over them, and stores with their streams in place."""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import insert

from metrics.definitions import EntitySettings, MetricsSettings, Model, PlatformLike
from metrics.keys import stream_id
from metrics.loading import load_model
from metrics.store import Store
from metrics.tables import PlatformRow, StreamRow, table
from probes.clock import DAY, MINUTE, from_us

NOW_US = 1_793_577_600 * 1_000_000  # 2026-11-02 00:00 UTC
SINCE_US = NOW_US - 900 * DAY


@dataclass(frozen=True)
class Known:
    """A platform of which only name and roles matter."""

    name: str
    vendor: str
    roles: tuple[str, ...]

    def link(self, kind: str, external_id: str) -> str | None:
        """Return where the record would be looked at."""
        return f"https://{self.name}.example/{kind}/{external_id}"


COMPANY = {
    "crm": (
        Known("crm", "salesforce", ("crm",)),
        ("customer", "opportunity", "opportunity_change", "opportunity_line"),
    ),
    "billing": (Known("billing", "stripe", ("billing",)), ("customer", "subscription", "invoice", "credit_note")),
    "erp": (
        Known("erp", "netsuite", ("erp",)),
        ("customer", "order", "invoice", "credit_note", "payment", "journal_entry", "tax_code"),
    ),
    "support": (Known("support", "zendesk", ("support",)), ("customer", "case")),
}
"""Four platforms: name → what it is, and the kinds of record it shows."""


def model_of(platforms: Mapping[str, PlatformLike]) -> Model:
    """Return the built-in flows and SLIs over these platforms, watched since long ago."""
    entities = {name: EntitySettings() for name in ("DE", "US", "UK")}
    settings = MetricsSettings(entities=entities, watched_since=from_us(SINCE_US))
    return load_model(settings, platforms)


def company() -> Model:
    """Return the model of the four platforms."""
    return model_of({name: known for name, (known, _) in COMPANY.items()})


def add_streams(store: Store, platform: str, kinds: Sequence[str], watermark_us: int = NOW_US) -> None:
    """Write streams that are complete up to the watermark."""
    rows = [
        {
            "id": stream_id(platform, kind), "platform": platform, "name": kind, "kind": kind, "cursor": "{}", "finds": "",
            "interval_us": MINUTE, "visibility_us": MINUTE, "watermark_us": watermark_us, "first_complete_us": SINCE_US,
        }
        for kind in kinds
    ]  # fmt: skip
    with store.write() as conn:
        conn.execute(insert(table(PlatformRow)), [{"name": platform, "vendor": platform, "roles": platform}])
        conn.execute(insert(table(StreamRow)), rows)


def copy_store(prepared: Path, to: Path) -> str:
    """Copy a closed store file and return the URL of the copy."""
    for leftover in (to, to.with_name(to.name + "-wal"), to.with_name(to.name + "-shm")):
        leftover.unlink(missing_ok=True)
    shutil.copyfile(prepared, to)
    return f"sqlite:///{to}"
