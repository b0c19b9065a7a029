"""A changed configuration is a fact, and what is new in it is judged over everything held."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import insert, select, text

from metrics.configuration import note_configuration
from metrics.definitions import MetricsSettings
from metrics.intake import Landed, Source, land
from metrics.keys import stream_id
from metrics.loading import load_model
from metrics.store import Store
from metrics.tables import ConfigVersion, StreamRow, table
from metrics.touching import Toucher
from probes.clock import DAY, HOUR, SECOND
from probes.probe import Page
from probes.record import Record

NOW = 1_800_000_000 * SECOND


@dataclass
class _Crm:
    name: str = "crm"
    vendor: str = "salesforce"
    roles: tuple[str, ...] = ("crm",)

    def link(self, kind: str, external_id: str) -> str | None:
        return None


FLOW = {
    "title": "Deals won in time",
    "anchor": {"kind": "opportunity", "role": "crm", "amount": "net"},
    "steps": [
        {"name": "opened", "title": "Opened", "milestone": "created"},
        {"name": "won", "title": "Won", "milestone": "state:won", "after": "opened", "within": "30d"},
    ],
}


def _store(tmp_path: Path) -> Store:
    store = Store.open(f"sqlite:///{tmp_path / 'store.sqlite'}")
    row = {
        "platform": "crm",
        "name": "opportunity",
        "kind": "opportunity",
        "cursor": "{}",
        "interval_us": HOUR,
        "visibility_us": 0,
    }
    with store.write() as conn:
        conn.execute(insert(table(StreamRow)).values(id=stream_id("crm", "opportunity"), watermark_us=NOW, **row))
    return store


def _model(**settings: object):  # type: ignore[no-untyped-def] # a test helper
    return load_model(MetricsSettings.model_validate(settings), {"crm": _Crm()})


def test_a_new_flow_puts_every_anchor_held_up_for_judging(tmp_path: Path) -> None:
    store = _store(tmp_path)
    assert note_configuration(store, _model(), NOW) == []
    deal = Record(kind="opportunity", id="o1", created_us=NOW - DAY, changed_us=NOW - DAY, status="Open", state="open")
    with store.write() as conn:
        source = Source(stream_id("crm", "opportunity"), "crm", NOW)
        land(conn, Page([deal], {}, NOW), source, Toucher(_model()), Landed())
        conn.execute(text("DELETE FROM touch"))
    notes = note_configuration(store, _model(flows={"deals": FLOW}), NOW + 1)
    assert notes == ["flow deals is new and judged over everything held"]
    with store.read() as conn:
        assert conn.execute(text("SELECT flow FROM touch")).scalars().all() == ["deals"]
    store.close()


def test_the_same_configuration_is_noted_once_and_a_changed_one_says_what_changed(tmp_path: Path) -> None:
    store = _store(tmp_path)
    note_configuration(store, _model(flows={"deals": FLOW}), NOW)
    assert note_configuration(store, _model(flows={"deals": FLOW}), NOW + 1) == []
    changed = _model(flows={"deals": FLOW | {"title": "Deals"}})
    assert note_configuration(store, changed, NOW + 2) == [
        "changed: flows.deals. Earlier verdicts stand; `tieout rebuild` restates them"
    ]
    with store.read() as conn:
        assert len(conn.execute(select(table(ConfigVersion))).all()) == 2
    store.close()
