"""Lands page after page into a store and says so, until it is killed: the cursor moves in the transaction of its page."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

from sqlalchemy import text

from metrics.intake import Landed, Source, land
from metrics.keys import stream_id
from metrics.store import Store
from metrics.touching import Toucher
from probes.probe import Page
from probes.record import Record
from tests.test_metrics.world import T0, model_of


def main(url: str) -> None:
    store, toucher, sid = Store.open(url), Toucher(model_of({"DE": {}})), stream_id("billing", "invoice")
    while True:
        with store.write() as conn:
            held = conn.execute(text("SELECT cursor FROM stream WHERE id = :id"), {"id": sid}).scalar_one()
            page = 0 if held == "{}" else int(held)
            records = [
                Record(
                    kind="invoice",
                    id=f"{page}-{n}",
                    created_us=T0,
                    changed_us=T0,
                    state="open",
                    status="open",
                    entity="DE",
                )
                for n in range(10)
            ]
            land(conn, Page(records, {}, T0 + page), Source(sid, "billing"), toucher, Landed())
            conn.execute(text("UPDATE stream SET cursor = :c WHERE id = :id"), {"c": str(page + 1), "id": sid})
        sys.stdout.write("landed\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main(sys.argv[1])
