"""Whether what seems absent really is: a direct read by the known keys, with a control record to prove that we can see.

Before a step counts as lost, the target is asked for every key its record would be found under, and for one record of the same
legal entity that is known to exist. If the control stays away too, we have lost sight: the subject is blind, not bad.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

from sqlalchemy import Connection, bindparam, text

from probes.clock import MINUTE, Clock, to_us
from probes.probe import Platform, Stream
from probes.record import key

from .definitions import Flow, Model, Step
from .keys import stream_id
from .polling import run_poll
from .store import Store, bulk_insert, upsert_clause
from .tables import Lookup, table
from .touching import Toucher, note

LOOKUP = table(Lookup)
_COLUMNS = ("stream_id", "subject_id", "asked_us", "keys", "control_seen")
AGAIN_US = 15 * MINUTE
"""A subject whose control was not found is asked about again after this long."""
LIMIT = 2_000
BATCH = 200

_WAITING = text(
    "SELECT q.anchor_id, MIN(q.entity) FROM (SELECT t.anchor_id, t.entity, t.reason FROM flow_step t WHERE t.flow = :flow"
    " AND t.step = :step AND t.reason IN ('confirming', 'not_visible') UNION ALL SELECT e.anchor_id, e.entity, e.reason"
    " FROM sli_event e WHERE e.sli IN :slis AND e.reason IN ('confirming', 'not_visible')) q"
    " LEFT JOIN lookup l ON l.stream_id = :stream AND l.subject_id = q.anchor_id"
    " WHERE q.reason = 'confirming' OR l.asked_us <= :again GROUP BY q.anchor_id ORDER BY q.anchor_id LIMIT :limit"
).bindparams(bindparam("slis", expanding=True))
_CONTROL = text(
    "SELECT external_id FROM record WHERE stream_id = :stream AND entity = :entity AND deleted_us IS NULL"
    " ORDER BY created_us DESC LIMIT 1"
)
_KEYS = text(
    "SELECT r.id, p.platform, r.kind, r.external_id, NULL AS key FROM record r JOIN stream p ON p.id = r.stream_id WHERE r.id IN :ids"
    " UNION ALL SELECT k.record_id, '', '', '', k.key FROM record_key k WHERE k.record_id IN :ids"
).bindparams(bindparam("ids", expanding=True))


def confirm(store: Store, model: Model, platforms: Mapping[str, Platform], toucher: Toucher, clock: Clock) -> int:
    """Ask the targets about every subject that waits for it. Returns how many were asked about; judge them again after."""
    return sum(
        _ask(store, flow, step, _waiting_slis(model, flow, step), platform, stream, toucher, clock)
        for flow in model.flows.values()
        for step in flow.steps
        if step.path and step.within is not None
        for platform, stream in _readable(platforms, step)
    )


def _readable(platforms: Mapping[str, Platform], step: Step) -> Iterable[tuple[Platform, Stream]]:
    hop = step.path[-1]
    for platform in platforms.values():
        if hop.role in platform.roles:
            for stream in platform.streams:
                if stream.spec.kind in hop.kind and stream.spec.finds:
                    yield platform, stream


def _waiting_slis(model: Model, flow: Flow, step: Step) -> list[str]:
    """Return the event SLIs that end at a step; one may be due later than the step, and absence is then asked for again."""
    return [
        sli.name
        for sli in model.slis.values()
        if sli.flow == flow.name and sli.kind == "event" and sli.stop == step.name
    ]


def _ask(
    store: Store,
    flow: Flow,
    step: Step,
    slis: list[str],
    platform: Platform,
    stream: Stream,
    toucher: Toucher,
    clock: Clock,
) -> int:
    sid, now_us = stream_id(platform.name, stream.spec.name), to_us(clock())
    with store.read() as conn:
        given = {
            "slis": slis,
            "stream": sid,
            "flow": flow.name,
            "step": step.name,
            "again": now_us - AGAIN_US,
            "limit": LIMIT,
        }
        subjects = {row[0]: row[1] for row in conn.execute(_WAITING, given)}
        if not subjects:
            return 0
        controls = {e: conn.execute(_CONTROL, {"stream": sid, "entity": e}).scalar() for e in set(subjects.values())}
        wanted = _wanted(conn, list(subjects), stream)
    shown = _read(store, platform, stream, wanted, [c for c in controls.values() if c], toucher, clock)
    if shown is None:
        return 0
    rows = [
        (sid, subject, now_us, ",".join(sorted(wanted)), controls[entity] is None or controls[entity] in shown)
        for subject, entity in subjects.items()
    ]
    with store.write() as conn:
        bulk_insert(conn, LOOKUP, rows, _COLUMNS, upsert_clause(LOOKUP, _COLUMNS))
        note(conn, {(flow.name, subject) for subject in subjects})
    return len(rows)


def _wanted(conn: Connection, subjects: Sequence[int], stream: Stream) -> dict[str, set[str]]:
    """Return, per name that a read accepts, the values under which records of these subjects would be found."""
    wanted: dict[str, set[str]] = defaultdict(set)
    for start in range(0, len(subjects), 500):
        for row in conn.execute(_KEYS, {"ids": subjects[start : start + 500]}):
            full = row.key if row.key is not None else key(row.platform, row.kind, "id", row.external_id)
            for by, prefix in stream.spec.finds:
                if full.startswith(prefix + "="):
                    wanted[by].add(full[len(prefix) + 1 :])
    return wanted


def _read(
    store: Store, platform: Platform, stream: Stream, wanted: Mapping[str, set[str]], controls: Sequence[str], toucher: Toucher,
    clock: Clock,
) -> set[str] | None:  # fmt: skip
    """Read everything asked for; what is found lands like any page. Returns the controls that were shown, None on trouble."""
    shown: set[str] = set()
    asked = {by: sorted(values) for by, values in wanted.items()}
    asked["id"] = sorted({*asked.get("id", ()), *controls})
    for by, values in asked.items():
        for start in range(0, len(values), BATCH):
            chunk = values[start : start + BATCH]
            summary = run_poll(store, toucher, platform, stream, clock, kind="read", by=by, values=chunk)
            if summary.status != "complete":
                return None
            shown |= summary.shown
    return shown
