"""A small company over four platforms, made of hand-written records that go in through the real intake and are judged.

Every figure the tests assert can be counted on the fingers in `DEALS` and `INVOICES`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy import insert

import alerts.tables
import console.run.tables
from alerts.evaluate import evaluate
from alerts.settings import AlertSettings
from console.run.pulse import beat
from console.run.settings import ConsoleSettings
from console.web.context import Console
from metrics.definitions import MetricsSettings, Model
from metrics.judge import judge
from metrics.keys import record_id
from metrics.loading import load_model
from metrics.polling import register, run_poll, stream_id
from metrics.store import Store
from metrics.tables import ExceptionRow, table
from metrics.touching import Toucher
from probes.clock import DAY, HOUR, MINUTE, SECOND, Clock, from_us, to_us
from probes.errors import ProbeError, Reason
from probes.probe import Cursor, Environment, Meter, Page, StreamSpec
from probes.record import Actor, BadRow, Record, Reference, key

SCHEMA = (alerts.tables, console.run.tables)
NOW = to_us(datetime(2026, 11, 20, 12, 0, tzinfo=UTC))
WATCHED = NOW - 20 * DAY
HOSTILE = "<img src=x onerror=alert(1)> **bold** [a](http://evil.example) ![i](http://evil.example/b.png) :red[x] :material/home: $x^2$"
FORMULA = '=HYPERLINK("http://evil.example")'


@dataclass(frozen=True)
class Deal:
    """A won opportunity: how long ago it was won, and after how long its order came (None: never)."""

    id: str
    customer: str
    net: int
    currency: str
    entity: str
    won_us: int
    order_after_us: int | None
    order_net: int | None = None
    test: bool = False


@dataclass(frozen=True)
class Bill:
    """A finalised invoice: how long ago, after how long it was posted (None: never), and with which gross."""

    id: str
    customer: str
    gross: int
    currency: str
    entity: str
    finalised_us: int
    posted_after_us: int | None
    posted_gross: int | None = None


CUSTOMERS = {"A1": "Northwind Traders", "A2": HOSTILE, "A3": FORMULA, "A4": "Müller & Söhne GmbH", "A5": "東京商事"}
DEALS = (
    Deal("D01", "A1", 100_000, "EUR", "NW-DE", 5 * DAY, HOUR),
    Deal("D02", "A1", 250_050, "EUR", "NW-DE", 2 * DAY, None),
    Deal("D03", "A2", 99_999, "USD", "NW-US", 3 * DAY, None),
    Deal("D04", "A2", 42_000, "USD", "NW-US", 4 * DAY, 6 * HOUR),
    Deal("D05", "A4", 77_700, "EUR", "NW-DE", HOUR, None),
    Deal("D06", "A5", 900_000, "JPY", "NW-JP", 6 * DAY, 30 * MINUTE),
    Deal("D07", "A4", 10_000, "EUR", "NW-DE", 7 * DAY, 20 * MINUTE),
    Deal("D08", "A3", 15_000, "EUR", "NW-DE", 10 * HOUR, None),
    Deal("D09", "A4", 1, "EUR", "NW-DE", 2 * DAY, None, test=True),
)
INVOICES = (
    Bill("in_1", "A1", 119_000, "EUR", "NW-DE", 5 * DAY, 2 * HOUR),
    Bill("in_2", "A1", 59_500, "EUR", "NW-DE", 4 * DAY, None),
    Bill("in_3", "A4", 238_000, "EUR", "NW-DE", 3 * DAY, 3 * HOUR, 238_100),
    Bill("in_4", "A2", 10_888, "USD", "NW-US", 6 * HOUR, None),
    Bill("in_5", "A3", 11_900, "EUR", "NW-DE", 2 * DAY, HOUR),
)


@dataclass
class FakeStream:
    """A stream of hand-written records; `down` makes its polls fail."""

    name: str
    kind: str
    records: list[Record]
    bad: list[BadRow] = field(default_factory=list)
    down: bool = False
    spec: StreamSpec = field(init=False)

    def __post_init__(self) -> None:
        self.spec = StreamSpec(self.name, self.kind, visibility_delay_seconds=30, interval_seconds=60)

    def changes(self, cursor: Cursor, now_us: int, meter: Meter) -> Iterator[Page]:
        meter.requests, meter.latency_seconds, meter.skew_seconds = 1, 0.12, 0.4
        meter.quota_limit, meter.quota_used = 1000, 200 + (now_us // MINUTE) % 60
        if self.down:
            raise ProbeError(Reason.SERVER, "503 Service Unavailable", http_status=503)
        yield Page(self.records, {"seen": now_us}, now_us, bad=self.bad, last=True, watermark_us=now_us - 30 * SECOND)

    def read(self, by: str, values: Sequence[str], meter: Meter) -> Iterator[Page]:
        raise NotImplementedError

    def ids(self, meter: Meter) -> Iterator[list[str]]:
        raise NotImplementedError

    def reread(self, meter: Meter) -> Iterator[Page]:
        raise NotImplementedError


@dataclass
class FakePlatform:
    """A platform of such streams, with links into its own pages."""

    name: str
    vendor: str
    roles: tuple[str, ...]
    streams: list[FakeStream]

    def check(self, meter: Meter) -> Environment:
        return Environment("acct", "production")

    def link(self, kind: str, external_id: str) -> str | None:
        return f"https://{self.name}.example/{kind}/{external_id}"


def platforms() -> dict[str, FakePlatform]:
    """Return the four platforms with everything in `CUSTOMERS`, `DEALS` and `INVOICES`."""
    crm = FakePlatform("crm", "salesforce", ("crm",), [
        FakeStream("customer", "customer", [_customer("crm", i, n) for i, n in CUSTOMERS.items()]),
        FakeStream("opportunity", "opportunity", [_deal(d) for d in DEALS]),
        FakeStream("opportunity_line", "opportunity_line", []),
        FakeStream("opportunity_change", "opportunity_change", []),
    ])  # fmt: skip
    billing = FakePlatform("billing", "stripe", ("billing",), [
        FakeStream("customer", "customer", [_customer("billing", i, n) for i, n in CUSTOMERS.items()]),
        FakeStream("subscription", "subscription", []),
        FakeStream("invoice", "invoice", [_invoice(b) for b in INVOICES], [BadRow("bad_amount", "NaN is not an amount", "{}", "in_9")]),
        FakeStream("credit_note", "credit_note", []),
    ])  # fmt: skip
    erp = FakePlatform("erp", "netsuite", ("erp",), [
        FakeStream("customer", "customer", [_customer("erp", i, n) for i, n in CUSTOMERS.items() if i != "A3"]),
        FakeStream("order", "order", [_order(d) for d in DEALS if d.order_after_us is not None]),
        FakeStream("invoice", "invoice", [_posted(b) for b in INVOICES if b.posted_after_us is not None]),
        FakeStream("credit_note", "credit_note", []),
        FakeStream("journal_entry", "journal_entry", []),
        FakeStream("payment", "payment", []),
    ])  # fmt: skip
    support = FakePlatform("support", "zendesk", ("support",), [FakeStream("case", "case", [], down=True)])
    return {p.name: p for p in (crm, billing, erp, support)}


def _customer(platform: str, external_id: str, name: str) -> Record:
    about = () if platform == "crm" else (Reference("about", key("crm", "customer", "id", external_id)),)
    shown = {"name": name, "segment": "mid" if external_id < "A4" else "enterprise", "city": "Bremen"}
    return Record(
        kind="customer", id=external_id if platform == "crm" else f"{platform}-{external_id}", changed_us=NOW - 30 * DAY,
        created_us=NOW - 30 * DAY, entity="NW-DE", state="active", status="active", attributes=shown, references=about,
    )  # fmt: skip


def _deal(deal: Deal) -> Record:
    won = NOW - deal.won_us
    return Record(
        kind="opportunity", id=deal.id, number=f"PO-{deal.id}", changed_us=won, created_us=won - DAY, entity=deal.entity,
        parties={"sold_to": deal.customer}, status="Closed Won", state="won", currency=deal.currency, amounts={"net": deal.net},
        milestones={"won": (won, won)}, keys=(key("crm", "opportunity", "po", f"PO-{deal.id}"),), test=deal.test,
        actor=Actor("005SELLER", "person", "record"),
    )  # fmt: skip


def _order(deal: Deal) -> Record:
    at = NOW - deal.won_us + (deal.order_after_us or 0)
    net = deal.order_net if deal.order_net is not None else deal.net
    return Record(
        kind="order", id=f"SO-{deal.id}", number=f"SO{deal.id}", changed_us=at, created_us=at, entity=deal.entity,
        parties={"sold_to": f"erp-{deal.customer}"}, status="B", state="open", currency=deal.currency, amounts={"net": net},
        references=(Reference("fulfils", key("crm", "opportunity", "id", deal.id)),),
    )  # fmt: skip


def _invoice(bill: Bill) -> Record:
    at = NOW - bill.finalised_us
    return Record(
        kind="invoice", id=bill.id, number=f"NW-{bill.id}", changed_us=at, created_us=at - HOUR, entity=bill.entity,
        parties={"sold_to": f"billing-{bill.customer}", "bill_to": f"billing-{bill.customer}"}, status="open", state="open",
        currency=bill.currency, amounts={"gross": bill.gross, "open": bill.gross}, milestones={"finalised": (at, at)},
    )  # fmt: skip


def _posted(bill: Bill) -> Record:
    at = NOW - bill.finalised_us + (bill.posted_after_us or 0)
    gross = bill.posted_gross if bill.posted_gross is not None else bill.gross
    return Record(
        kind="invoice", id=f"CI-{bill.id}", number=f"INV-{bill.id}", changed_us=at, created_us=at, entity=bill.entity,
        parties={"sold_to": f"erp-{bill.customer}", "bill_to": f"erp-{bill.customer}"}, status="A", state="posted",
        currency=bill.currency, amounts={"gross": gross, "open": gross}, milestones={"posted": (at, at)},
        references=(Reference("posts", key("billing", "invoice", "id", bill.id)),),
    )  # fmt: skip


def clock_at(us: int) -> Clock:
    """Return a clock that stands still."""
    return lambda: from_us(us)


def model_of(found: dict[str, FakePlatform]) -> Model:
    """Return the model that the built-in flows and SLIs make over these platforms."""
    entities = {
        e: {"time_zone": z}
        for e, z in (("NW-DE", "Europe/Berlin"), ("NW-US", "America/New_York"), ("NW-JP", "Asia/Tokyo"))
    }
    settings = MetricsSettings.model_validate(
        {"company": "Northwind", "watched_since": from_us(WATCHED), "entities": entities}
    )
    return load_model(settings, found)


def build(folder: Path, *, now_us: int = NOW, url: str | None = None) -> Console:
    """Return a console over a store that has polled, judged and alerted once: in the folder, or at a URL."""
    found = platforms()
    model = model_of(found)
    store = Store.open(url or f"sqlite:///{folder / 'tieout.sqlite'}")
    register(store, found)  # type: ignore[arg-type] # the fakes are platforms by shape
    poll_all(store, model, found, now_us - MINUTE)
    poll_all(store, model, found, now_us)
    judge(store, model, now_us)
    with store.write() as conn:
        conn.execute(insert(table(ExceptionRow)).values(**_dead_letter()))
    evaluate(store, model, AlertSettings(), now_us)
    for part in ("scheduler", "judge"):
        beat(store, part, "test", now_us, 5 * SECOND)
    return Console(store, model, ConsoleSettings(), clock_at(now_us))


def poll_all(store: Store, model: Model, found: dict[str, FakePlatform], now_us: int) -> None:
    """Poll every stream once."""
    toucher = Toucher(model)
    for platform in found.values():
        for stream in platform.streams:
            run_poll(store, toucher, platform, stream, clock_at(now_us))  # type: ignore[arg-type] # by shape


def _dead_letter() -> dict[str, object]:
    return {
        "fingerprint": "dead-letter:orders.dlq", "subject_id": 1, "kind": "dead_letter", "category": "value", "cause": "rejected",
        "stream_id": stream_id("erp", "order"), "document_id": record_id("crm", "opportunity", "D02"),
        "message": f"order for {HOSTILE} was rejected", "attempts": 1, "since_us": NOW - HOUR, "last_us": NOW - HOUR, "closed_us": None,
    }  # fmt: skip
