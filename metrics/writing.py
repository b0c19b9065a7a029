"""How verdict frames become rows: what these anchors had is replaced, and roll-ups move by the difference."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from sqlalchemy import Connection, Table, text

from probes.clock import FOREVER

from .arrays import NONE
from .definitions import Flow
from .rollup import add_contributions
from .store import bulk_insert
from .tables import BreakRow, FlowInstance, FlowStep, SliEvent, table
from .verdicts import Verdicts

INSTANCE, STEP, EVENT, BREAK = table(FlowInstance), table(FlowStep), table(SliEvent), table(BreakRow)


_GROUP_BREAKS = text(
    "DELETE FROM breaks WHERE check_name = :check AND field = 'group' AND subject_id IN (SELECT k.record_id FROM subject s"
    " JOIN reference r ON r.record_id = s.id AND r.kind = 'grouped_in' JOIN record_key k ON k.key_id = r.to_id)"
)


def write_verdicts(
    conn: Connection, flow: Flow, slis: Sequence[str], verdicts: Verdicts, *, fresh: bool = False
) -> None:
    """Replace the verdicts of the anchors in the temporary table `subject`; `slis` are the event SLIs of the flow."""
    if not fresh:
        _remove(conn, flow, slis)
    insert_frame(conn, INSTANCE, verdicts.instances)
    insert_frame(conn, STEP, verdicts.steps)
    insert_frame(conn, EVENT, verdicts.events)
    insert_frame(
        conn, BREAK, verdicts.breaks, "ON CONFLICT DO NOTHING"
    )  # a group's break comes with each chunk of members
    if not fresh:
        add_contributions(conn, +1, slis)


def _remove(conn: Connection, flow: Flow, slis: Sequence[str]) -> None:
    add_contributions(conn, -1, slis)
    given = {"flow": flow.name}
    for name in ("flow_instance", "flow_step"):
        conn.execute(text(f"DELETE FROM {name} WHERE flow = :flow AND anchor_id IN (SELECT id FROM subject)"), given)  # noqa: S608
    for sli in slis:
        conn.execute(
            text("DELETE FROM sli_event WHERE sli = :sli AND anchor_id IN (SELECT id FROM subject)"), {"sli": sli}
        )
    for step in flow.steps:
        given = {"check": f"{flow.name}.{step.name}"}
        conn.execute(
            text("DELETE FROM breaks WHERE check_name = :check AND subject_id IN (SELECT id FROM subject)"), given
        )


def insert_frame(conn: Connection, into: Table, frame: pd.DataFrame, conflict: str = "") -> int:
    """Insert a frame whose columns are named like the table's; FOREVER and NONE become NULL. Returns the rows."""
    if frame.empty:
        return 0
    columns = [c for c in frame.columns if c in into.c]
    rows = list(zip(*(_plain(frame[c]) for c in columns), strict=True))
    bulk_insert(conn, into, rows, columns, conflict)
    return len(rows)


def _plain(column: pd.Series) -> Sequence[Any]:
    values = column.to_numpy()
    if values.dtype == object or values.dtype.kind in "UTO":
        return [None if v is None or v != v else v for v in column.tolist()]
    missing = (values == FOREVER) | (values == NONE) if values.dtype.kind == "i" else np.zeros(len(values), dtype=bool)
    if not missing.any():
        return values.tolist()
    out = values.astype(object)
    out[missing] = None
    return out.tolist()
