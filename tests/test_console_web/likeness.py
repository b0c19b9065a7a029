"""A console over the small company and sixty customers more, of which one stands in the ERP twice, spelled otherwise and moved."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

from console.run.settings import ConsoleSettings
from console.web.context import Console
from metrics.identity.suggestions import refresh, train_and_keep
from metrics.intake import Landed, Source, land
from metrics.judge import judge
from metrics.keys import stream_id
from metrics.touching import Toucher
from probes.probe import Page
from probes.record import Record
from tests.test_metrics.test_identity import LIKE_7, crowd, customer, document

from .company import NOW, build


def with_likeness(console: Console) -> Console:
    """Add the customers, what hangs on the two that are one, and the suggestion."""
    doubled = customer("erp", "dup", **LIKE_7, email_domain="granit-logistik.example", currency="EUR")
    junk = [customer("billing", f"j{n}", name=f"Walk-in {n}", tax_id="UNKNOWN") for n in range(3)]
    documents = [
        document("order", "s-like-1", "x7", currency="EUR", amounts={"net": 1_250_000}),
        document("order", "s-like-2", "dup", currency="EUR", amounts={"net": 99_900}),
    ]
    owed = [
        document("invoice", "i-like-1", "x7", currency="EUR", amounts={"gross": 480_000, "open": 480_000}),
        document("invoice", "i-like-2", "dup", currency="JPY", amounts={"gross": 120_000, "open": 120_000}),
    ]
    toucher = Toucher(console.model)
    with console.store.write() as conn:
        for platform, records in {
            "crm": [r for p, r in crowd() if p == "crm"],
            "billing": [r for _, r in junk],
            "erp": [*(r for p, r in [*crowd(), doubled] if p == "erp")],
        }.items():
            _land(conn, console, toucher, platform, records)
        _land(conn, console, toucher, "erp", documents)
        _land(conn, console, toucher, "erp", owed)
    judge(console.store, console.model, NOW)
    train_and_keep(console.store, console.model, "Ada", NOW)
    refresh(console.store, console.model)
    return console


def _land(conn: object, console: Console, toucher: Toucher, platform: str, records: list[Record]) -> None:
    source = Source(stream_id(platform, records[0].kind), platform)
    land(conn, Page(records, {}, NOW), source, toucher, Landed())  # type: ignore[arg-type] # a connection


def main() -> None:
    """Serve this console until told to stop: `… FOLDER PORT`."""
    import uvicorn

    from console.web import context
    from console.web.app import make_app
    from console.web.serve import configure

    folder, port = Path(sys.argv[1]), int(sys.argv[2])
    console = replace(with_likeness(build(folder)), settings=ConsoleSettings(port=port))
    context.use(console)
    app = make_app(console)
    configure(console.settings)
    uvicorn.run(app, host="127.0.0.1", port=port, log_level="warning")


if __name__ == "__main__":
    main()
