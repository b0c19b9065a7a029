"""A company of a CRM and an ERP whose records a test sets by hand, polled and judged by the real rooms."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from alerts.evaluate import EvaluationSummary, evaluate
from alerts.settings import AlertSettings
from metrics.definitions import MetricsSettings, Model
from metrics.judge import judge
from metrics.loading import load_model
from metrics.polling import register, run_poll
from metrics.store import Store
from metrics.touching import Toucher
from probes.clock import HOUR, MINUTE
from probes.errors import ProbeError
from probes.probe import Cursor, Environment, Meter, Page, StreamSpec
from probes.record import Record, Reference

from .build import NOW, Hands

DAY_BEFORE = NOW - 24 * HOUR


@dataclass
class HandStream:
    """A stream that shows what a test put into `records`, or fails with `broken`."""

    kind: str
    clock: Hands
    records: dict[str, Record] = field(default_factory=dict)
    broken: ProbeError | None = None

    @property
    def spec(self) -> StreamSpec:
        """Return a stream that is read every minute and shows everything at once."""
        return StreamSpec(name=self.kind, kind=self.kind, visibility_delay_seconds=0, interval_seconds=60)

    def changes(self, cursor: Cursor, now_us: int, meter: Meter) -> Iterator[Page]:
        """Yield everything there is."""
        if self.broken is not None:
            raise self.broken
        yield Page(list(self.records.values()), {}, self.clock.us, last=True, watermark_us=self.clock.us)

    def read(self, by: str, values: Sequence[str], meter: Meter) -> Iterator[Page]:
        """Yield nothing: there is no direct read."""
        return iter(())

    def ids(self, meter: Meter) -> Iterator[list[str]]:
        """Yield nothing: there is no sweep."""
        return iter(())

    def reread(self, meter: Meter) -> Iterator[Page]:
        """Yield nothing: the change stamp covers all."""
        return iter(())


@dataclass
class HandPlatform:
    """A platform of such streams."""

    name: str
    roles: tuple[str, ...]
    streams: tuple[HandStream, ...]
    vendor: str = "hand"

    def check(self, meter: Meter) -> Environment:
        """Return an account that is never asked for."""
        return Environment("hand", "production")

    def link(self, kind: str, external_id: str) -> str | None:
        """Return where a person would look."""
        return f"https://{self.name}.example/{kind}/{external_id}"


class Company:
    """What exists, and the steps of a cycle."""

    def __init__(self, store: Store, settings: AlertSettings) -> None:
        self.store, self.settings, self.clock = store, settings, Hands(DAY_BEFORE)
        crm = ("opportunity", "opportunity_line", "opportunity_change", "customer")
        self.streams = {kind: HandStream(kind, self.clock) for kind in (*crm, "order", "message")}
        self.platforms: Mapping[str, Any] = {
            "crm": HandPlatform("crm", ("crm",), tuple(self.streams[k] for k in crm)),
            "erp": HandPlatform("erp", ("erp",), (self.streams["order"],)),
            "bus": HandPlatform("bus", ("integration",), (self.streams["message"],)),
        }
        self.model: Model = load_model(MetricsSettings(), self.platforms)
        register(store, self.platforms)
        # Both sides have shown the legal entity before, or absence there would prove nothing.
        self.win("OLD", DAY_BEFORE - 30 * HOUR)
        self.deliver("OLD", DAY_BEFORE - 29 * HOUR)
        self.streams["customer"].records["C1"] = Record(
            "customer", "C1", created_us=1, changed_us=1, attributes={"name": "Müller & Söhne"}
        )

    def win(self, name: str, at_us: int, net: int = 120_000) -> None:
        """Close a deal as won."""
        self.streams["opportunity"].records[name] = Record(
            "opportunity", name, created_us=at_us - HOUR, changed_us=at_us, number=f"PO-{name}", entity="NW-DE",
            parties={"sold_to": "C1"}, status="Closed Won", state="won", currency="EUR", amounts={"net": net},
            milestones={"won": (at_us, at_us)}, revision=1,
        )  # fmt: skip
        self.streams["opportunity_line"].records[name] = Record(
            "opportunity_line", f"L{name}", created_us=at_us - HOUR, changed_us=at_us, entity="NW-DE", currency="EUR",
            amounts={"net": net}, references=(Reference("part_of", f"crm/opportunity/id={name}"),),
        )  # fmt: skip

    def deliver(self, name: str, at_us: int, net: int = 120_000) -> None:
        """Let the order arrive in the ERP."""
        self.streams["order"].records[name] = Record(
            "order", f"SO-{name}", created_us=at_us, changed_us=at_us, entity="NW-DE", status="open", state="open",
            currency="EUR", amounts={"net": net}, milestones={"created": (at_us, at_us)}, revision=1,
            references=(Reference("fulfils", f"crm/opportunity/id={name}"),),
        )  # fmt: skip

    def cycle(self, at_us: int) -> EvaluationSummary:
        """Poll, judge and evaluate at an instant."""
        self.clock.us = at_us
        toucher = Toucher(self.model)
        for platform in self.platforms.values():
            for stream in platform.streams:
                run_poll(self.store, toucher, platform, stream, self.clock)
        judge(self.store, self.model, at_us)
        return evaluate(self.store, self.model, self.settings, at_us)

    def run(self, from_us: int, to_us: int, every_us: int = 20 * MINUTE) -> list[EvaluationSummary]:
        """Run cycles from one instant to another, both included."""
        return [self.cycle(at) for at in range(from_us, to_us + 1, every_us)]
