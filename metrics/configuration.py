"""What was configured when: each change of what is judged is a fact, and what it newly asks for is put up for judging.

A new flow or SLI is judged over everything held. A changed one is told of and judges what is touched from now on; what was
decided before keeps its verdict until `tieout rebuild` restates it.
"""

from __future__ import annotations

import json
from dataclasses import asdict
from hashlib import blake2b
from typing import Any

from sqlalchemy import Connection, insert, select, text

from .calendar import Calendar
from .definitions import Flow, Model
from .sight import View
from .store import Store
from .tables import ConfigVersion, table

CONFIG = table(ConfigVersion)
_TOUCH_ALL = (
    "INSERT INTO touch (flow, subject_id) SELECT '{flow}', id FROM record WHERE kind IN ({kinds}) AND stream_id IN ({streams})"
    " ON CONFLICT DO NOTHING"
)


def note_configuration(store: Store, model: Model, now_us: int) -> list[str]:
    """Store the configuration if it is another than the last one. Returns what changed, in sentences; nothing the first time."""
    said = _said(model)
    body = json.dumps(said, sort_keys=True)
    digest = blake2b(body.encode(), digest_size=16).hexdigest()
    with store.write() as conn:
        last = conn.execute(
            select(CONFIG.c.digest, CONFIG.c.body).order_by(CONFIG.c.effective_us.desc()).limit(1)
        ).one_or_none()
        if last is not None and last.body == body:
            return []
        # A configuration that comes back is a fact of its own: the instant is part of the key.
        conn.execute(insert(CONFIG).values(digest=f"{digest}@{now_us}", effective_us=now_us, body=body))
        return [] if last is None else _take_up(conn, model, json.loads(last.body), said)


def _said(model: Model) -> dict[str, dict[str, Any]]:
    """Return what judging reads of the configuration, as plain JSON."""
    return {
        "flows": {name: flow.model_dump(mode="json") for name, flow in model.flows.items()},
        "slis": {name: json.loads(sli.model_dump_json()) for name, sli in model.slis.items()},
        "entities": {name: entity.model_dump(mode="json") for name, entity in model.entities.items()},
        "calendars": {name: _plain(calendar) for name, calendar in sorted(model.schedules.calendars.items())},
        "schedules": model.schedules.named(),
        "watched_since": {"us": model.watched_since_us},
    }


def _plain(calendar: Calendar) -> Any:
    return json.loads(json.dumps(asdict(calendar), default=sorted))


def _take_up(conn: Connection, model: Model, before: dict[str, Any], after: dict[str, Any]) -> list[str]:
    new_flows = set(after["flows"]) - set(before["flows"])
    new_slis = set(after["slis"]) - set(before["slis"])
    again = new_flows | {flow for name in new_slis if (flow := model.slis[name].flow) is not None}
    view = View(conn, model)
    for name in sorted(again):
        _touch_all(conn, model.flows[name], view)
    notes = [f"{what} {name} is new and judged over everything held" for what, names in
             (("flow", new_flows), ("SLI", new_slis)) for name in sorted(names)]  # fmt: skip
    changed = [
        f"{part}.{name}"
        for part in after
        for name in sorted(set(before.get(part, ())) & set(after[part]))
        if before[part][name] != after[part][name]
    ]
    if changed:
        notes.append(f"changed: {', '.join(changed)}. Earlier verdicts stand; `tieout rebuild` restates them")
    return notes


def _touch_all(conn: Connection, flow: Flow, view: View) -> None:
    kinds = ", ".join(f"'{kind}'" for kind in flow.anchor.kind)
    streams = ", ".join(map(str, view.read_by(flow.anchor.role, flow.anchor.kind))) or "NULL"
    conn.execute(text(_TOUCH_ALL.format(flow=flow.name, kinds=kinds, streams=streams)))
