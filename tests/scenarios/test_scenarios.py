"""Does every told situation lead to exactly the findings told with it?"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from metrics.keys import record_id
from metrics.listing import events
from metrics.rebuild import verify
from metrics.risk import at_risk, late
from metrics.store import Store
from probes.clock import DAY, duration_us
from probes.record import Record
from tests.reference.deadlines import Calendars
from tests.test_metrics.compare import differences
from tests.test_metrics.world import T0, World, model_of

from .tables import Row, Scenario, instant, minor, read

FILES = sorted(Path(__file__).parent.glob("*.txt"))
SLIS = {
    "quote_to_order": ("order_latency", "order_completion"), "subscription_activation": ("subscription_activation",),
    "invoice_to_cash": ("invoice_sync_success",), "customer_master": ("master_reconciliation",),
}  # fmt: skip
STEP = {"quote_to_order": "ordered", "invoice_to_cash": "posted", "subscription_activation": "activated"}


@pytest.mark.parametrize("path", FILES, ids=lambda p: p.stem)
def test_a_scenario_leads_to_the_findings_told(path: Path, tmp_path: Path) -> None:
    scenario = read(path)
    store = Store.open(f"sqlite:///{tmp_path / 'tieout.sqlite'}")
    try:
        world = stage(store, scenario)
        told = {table.heading: table.rows for table in scenario.found}
        told.setdefault("breaks", [])
        for heading, rows in told.items():
            columns = list(rows[0]) if rows else []
            held = [{c: row.get(c, "") for c in columns} for row in findings(world, scenario, heading)]
            assert sorted(held, key=repr) == sorted(rows, key=repr), f"{scenario.title}: {heading}"
        assert not [check for check in verify(store, world.model, T0 + 40 * DAY) if check.differing]
        if not any("journal_entry" in table for table, _, _ in scenario.documents):
            assert not differences(world), "the reference judge sees it otherwise"
    finally:
        store.close()


def stage(store: Store, scenario: Scenario) -> World:
    """Return the judged world of a scenario."""
    told = scenario.settings
    flow = told.get("flow", "quote_to_order")
    disabled = [*(f for f in SLIS if f != flow), *(s for f, names in SLIS.items() if f != flow for s in names)]
    entities: dict[str, dict[str, Any]] = {e.strip(): {} for e in told.get("entities", "DE").split(",")}
    if "not posted" in told:
        entity, kind = told["not posted"].split()
        entities[entity] = {"posting": {kind: "not_posted"}}
    more, calendars = _calendars(told, flow)
    model = model_of(entities, disabled=tuple(disabled), **more)
    world = World(store, model, seen_us=now(scenario), calendars=calendars)
    since = instant(told.get("watched since", "-30d"))
    for platform, kind in world.streams:
        world.see(platform, kind, first_complete_us=since, readable=f"{platform} {kind}" == told.get("asks"))
    for platform, kind, at in _listed(told, "behind"):
        world.see(platform, kind, watermark_us=instant(at))
    for platform, kind, at in _listed(told, "polls"):
        world.run(platform, kind, instant(at), instant(at))
    for platform, kind, entity in _listed(told, "shown before"):
        world.land(platform, [Record(kind=kind, id="earlier", created_us=T0 - 90 * DAY, entity=entity)], T0 - 90 * DAY)
    for platform, record, seen in sorted(scenario.documents, key=lambda d: d[2]):
        world.land(platform, [record], seen)
    for kind, one, ident, other, ident_there, at in _listed(told, "settled"):
        world.settle(kind, (one, "customer", ident), (other, "customer", ident_there), instant(at))  # type: ignore[arg-type]
    for document, at, *blind in _listed(told, "asked"):
        platform, kind = told["asks"].split()
        world.ask(platform, kind, ("crm", "opportunity", document), flow, instant(at), control=not blind)
    world.judge()
    return world


def _calendars(told: dict[str, str], flow: str) -> tuple[dict[str, Any], Calendars]:
    """Return the calendars and deadlines of a scenario as tieout.yaml writes them, and for the reference judge."""
    written: dict[str, dict[str, Any]] = {}
    if "hours" in told:
        zone, days, hours, *holidays = told["hours"].split()
        written["office"] = {"time_zone": zone, "hours": {days: hours}, "holidays": holidays}
    for _platform, zone, at, length, *on in _listed(told, "batches"):
        windows = written.setdefault("batch", {"time_zone": zone, "windows": []})["windows"]
        windows.append({"at": at, "for": length, "on": on or ["daily"]})
    named = [part.split(None, 1) for part in told.get("deadlines", "").split(";") if part.strip()]
    deadlines = {name: text.strip() for name, text in named}
    platforms = {platform for platform, *_ in _listed(told, "batches")}
    settings: dict[str, Any] = {
        "calendars": written, "calendar": "office" if "hours" in told else None,
        "batches": dict.fromkeys(platforms, "batch"),
        "slis": {name: {"within": text} for name, text in deadlines.items() if name in SLIS[flow]},
        "flows": {flow: {"deadlines": {name: text for name, text in deadlines.items() if name not in SLIS[flow]}}},
    }  # fmt: skip
    roles: dict[str, list[str | Mapping[str, str]]] = {platform: ["batch"] for platform in platforms}
    return settings, Calendars(written, settings["calendar"], batches=roles, deadlines=deadlines)


def now(scenario: Scenario) -> int:
    """Return the instant up to which everything was seen: the present of the scenario."""
    return instant(scenario.settings.get("seen", "5d"))


def _listed(told: dict[str, str], name: str) -> list[list[str]]:
    return [part.split() for part in told.get(name, "").split(";") if part.strip()]


def findings(world: World, scenario: Scenario, heading: str) -> list[Row]:
    """Return what was found, in the words of the tables."""
    if heading.startswith("events "):
        return _events(world, heading.split()[1], now(scenario))
    return {"breaks": _breaks, "late": _late, "states": _states, "at risk": _at_risk}[heading](world)


def _events(world: World, sli: str, now_us: int) -> list[Row]:
    with world.store.read() as conn:
        rows = events(conn, world.model, now_us, sli, limit=None)
    return [
        {
            "document": e.external_id, "revision": str(e.revision), "entity": e.entity, "outcome": e.outcome,
            "reason": e.reason or "", "latency": "" if e.value_us is None else span(e.value_us),
            "money": money(e.money_minor), "proof": e.proof_external_id or "", "corrected": "yes" if e.corrected_us else "",
        }
        for e in rows
    ]  # fmt: skip


def _breaks(world: World) -> list[Row]:
    names = {row["id"]: row["external_id"] for row in world.rows("record")}
    return [
        {
            "document": names[b["subject_id"]], "kind": b["kind"], "field": b["field"], "money": money(b["money_minor"]),
            "entity": b["entity"], "revision": str(b["revision"]), "counterpart": names.get(b["counterpart_id"], ""),
            "expected": b["expected"] or "", "actual": b["actual"] or "", "step": b["check_name"].split(".")[1],
            "since": span(b["since_us"] - T0), "closed": "" if b["closed_us"] is None else span(b["closed_us"] - T0),
        }
        for b in world.rows("breaks")
    ]  # fmt: skip


def _late(world: World) -> list[Row]:
    with world.store.read() as conn:
        rows = late(conn, world.model, T0)
    return [
        {
            "document": d.external_id, "step": d.step, "how": "lost" if d.lost else "late", "money": money(d.money_minor),
            "entity": d.entity, "revision": str(d.revision),
        }
        for d in rows
    ]  # fmt: skip


def _at_risk(world: World) -> list[Row]:
    with world.store.read() as conn:
        sums = at_risk(conn, world.model, T0)
    return [
        {"currency": c, "late": money(m.late_minor), "lost": money(m.lost_minor), "documents": str(m.documents)}
        for c, m in sums.items()
    ]


def _states(world: World) -> list[Row]:
    names = {row["id"]: row["external_id"] for row in world.rows("record")}
    return [
        {
            "customer": names[i["subject_id"]], "step": i["target"], "outcome": i["outcome"], "reason": i["reason"],
            "from": span(i["from_us"] - T0), "to": "" if i["to_us"] is None else span(i["to_us"] - T0),
        }
        for i in world.rows("state_interval")
    ]  # fmt: skip


def money(minor_units: int | None) -> str:
    """Return minor units as a table writes them."""
    if minor_units is None:
        return ""
    sign, units = ("-" if minor_units < 0 else ""), abs(minor_units)
    return f"{sign}{units // 100:,}.{units % 100:02d}"


def span(us: int) -> str:
    """Return a duration exactly, as a table writes it."""
    sign, rest, parts = ("-" if us < 0 else ""), abs(us), []
    for unit in ("d", "h", "m", "s"):
        count, rest = divmod(rest, duration_us(f"1{unit}"))
        if count:
            parts.append(f"{count}{unit}")
    return sign + " ".join(parts) if parts else "0s"


def test_there_is_a_scenario_for_every_situation_promised() -> None:
    told = " ".join(path.stem for path in FILES)
    promised = [
        "O01", "O02", "O06", "O07", "O10", "O11", "I01", "I02", "I03", "I04", "M01", "M03", "M05", "M07", "N01", "N02",
        "N03", "N05", "N06", "N07", "N08", "N13", "N15", "N16", "blind",
    ]  # fmt: skip
    assert not [word for word in promised if word not in told]


def test_money_is_read_and_written_alike() -> None:
    assert [money(minor(text)) for text in ("1,000.00", "-10.05", "0.00")] == ["1,000.00", "-10.05", "0.00"]


def test_a_document_is_known_by_its_own_platform() -> None:
    assert record_id("erp", "order", "S1") != record_id("crm", "order", "S1")
