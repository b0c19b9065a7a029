"""How does a test fill a store? A small company of platforms whose pages land as they would from polls, remembered as facts.

The same observations feed the store and, through `facts()`, the reference judge.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import insert, text, update

from metrics.definitions import MetricsSettings, Model
from metrics.identity.decisions import Kind
from metrics.identity.stewards import Decision
from metrics.identity.stewards import note as note_decision
from metrics.intake import Landed, Source, land
from metrics.judge import judge
from metrics.keys import record_id, stream_id
from metrics.loading import load_model
from metrics.store import Store
from metrics.tables import FACTS, HEADS, VERDICTS, Counter, Lookup, PollRun, StreamRow, Touch, table
from metrics.touching import Toucher, note
from probes.clock import DAY, MINUTE, to_us
from probes.probe import Page
from probes.record import BadRow, Record, Sample
from tests.reference.deadlines import Calendars
from tests.reference.facts import Facts, Ident, Observation, Stream

T0 = to_us(datetime(2026, 11, 2, tzinfo=UTC))
"""The Monday on which the histories of the tests begin."""

KINDS = {
    "crm": ("customer", "opportunity", "opportunity_change", "opportunity_line"),
    "billing": ("customer", "subscription", "invoice", "credit_note"),
    "erp": ("customer", "order", "invoice", "credit_note", "payment", "journal_entry", "message", "workflow_run"),
}
ROLES = {"crm": ("crm",), "billing": ("billing",), "erp": ("erp",), "legacy": ("erp",)}


@dataclass(frozen=True)
class TestPlatform:
    """A platform as judging sees it."""

    __test__ = False
    name: str
    vendor: str
    roles: tuple[str, ...]

    def link(self, kind: str, external_id: str) -> str | None:
        return f"https://{self.name}.example/{kind}/{external_id}"


def model_of(
    entities: Mapping[str, Mapping[str, Any]] | None = None, platforms: Iterable[str] = ("crm", "billing", "erp"), **more: Any
) -> Model:  # fmt: skip
    """Return the shipped definitions over some platforms."""
    chosen = {name: TestPlatform(name, name, ROLES[name]) for name in platforms}
    return load_model(MetricsSettings(entities=dict(entities or {}), **more), chosen)  # type: ignore[arg-type] # pydantic reads mappings


@dataclass
class World:
    """A store with the streams of every platform; watched from a day before `T0`, seen up to `seen_us`."""

    store: Store
    model: Model
    seen_us: int | None = T0 + 30 * DAY
    first_complete_us: int | None = T0 - DAY
    observations: list[Observation] = field(default_factory=list)
    streams: dict[tuple[str, str], Stream] = field(default_factory=dict)
    lookups: dict[tuple[str, str, Ident], tuple[int, bool]] = field(default_factory=dict)
    decisions: list[tuple[int, str, Ident, Ident]] = field(default_factory=list)
    calendars: Calendars = field(default_factory=Calendars)
    toucher: Toucher = field(init=False)

    def __post_init__(self) -> None:
        self.toucher = Toucher(self.model)
        rows = []
        for name, platform in self.model.platforms.items():
            for kind in KINDS[platform.roles[0]]:
                stream = Stream(name, kind, self.seen_us, self.first_complete_us)
                self.streams[name, kind] = stream
                rows.append(
                    {"id": stream_id(name, kind), "platform": name, "name": kind, "kind": kind, "cursor": "{}",
                     "interval_us": MINUTE, "visibility_us": MINUTE, "finds": "",
                     "watermark_us": self.seen_us, "first_complete_us": self.first_complete_us}
                )  # fmt: skip
        with self.store.write() as conn:
            conn.execute(insert(table(StreamRow)), rows)

    def land(
        self, platform: str, records: Sequence[Record], at_us: int, *, after_us: int | None = None, bad: Sequence[BadRow] = (),
        samples: Sequence[Sample] = (),
    ) -> Landed:  # fmt: skip
        """Land one page of records of one kind, as observed at an instant."""
        landed = Landed()
        kind = records[0].kind if records else "invoice"
        source = Source(stream_id(platform, kind), platform, after_us)
        with self.store.write() as conn:
            page = Page(list(records), {}, at_us, bad=list(bad), samples=list(samples))
            land(conn, page, source, self.toucher, landed)
        self.observations += [Observation(platform, r, at_us, after_us) for r in records]
        return landed

    def see(self, platform: str, kind: str, **changes: Any) -> None:
        """Say how far a stream was seen: watermark_us, first_complete_us, readable."""
        held = replace(self.streams[platform, kind], **changes)
        self.streams[platform, kind] = held
        values = {"watermark_us": held.watermark_us, "first_complete_us": held.first_complete_us}
        with self.store.write() as conn:
            conn.execute(
                update(table(StreamRow))
                .where(table(StreamRow).c.id == stream_id(platform, kind))
                .values(finds="number" if held.readable else "", **values)
            )

    def see_all(self, watermark_us: int, *kinds: str) -> None:
        """Move the watermark of every stream, or of some kinds."""
        for platform, kind in self.streams:
            if not kinds or kind in kinds:
                self.see(platform, kind, watermark_us=watermark_us)

    def run(self, platform: str, kind: str, at_us: int, watermark_us: int | None, status: str = "complete") -> None:
        """Note a poll run; a complete one moves the watermark."""
        stream = self.streams[platform, kind]
        values = {"stream_id": stream_id(platform, kind), "kind": "changes", "started_us": at_us, "finished_us": at_us}
        with self.store.write() as conn:
            conn.execute(insert(table(PollRun)).values(status=status, watermark_us=watermark_us, **values))
        if status == "complete" and watermark_us is not None:
            told = (
                stream.runs
                if stream.runs and stream.runs[-1][0] >= watermark_us
                else (*stream.runs, (watermark_us, at_us))
            )
            self.see(platform, kind, watermark_us=max(watermark_us, stream.watermark_us or watermark_us), runs=told)

    def ask(self, platform: str, kind: str, anchor: Ident, flow: str, at_us: int, *, control: bool = True) -> None:
        """Note a direct read that found nothing."""
        self.lookups[platform, kind, anchor] = (at_us, control)
        row = {"stream_id": stream_id(platform, kind), "subject_id": record_id(*anchor), "asked_us": at_us}
        with self.store.write() as conn:
            conn.execute(insert(table(Lookup)).values(keys="number", control_seen=control, **row))
            note(conn, [(flow, record_id(*anchor))])

    def settle(self, kind: Kind, one: Ident, other: Ident, at_us: int) -> None:
        """Let a steward settle two customer records, whether seen yet or not."""
        self.decisions.append((at_us, kind, one, other))
        decision = Decision(kind, record_id(*one), record_id(*other), "Ada", "looked at both")
        with self.store.write() as conn:
            note_decision(conn, self.toucher, decision, at_us)

    def judge(self, now_us: int | None = None, *, chunk: int = 10_000) -> None:
        """Judge what was touched."""
        judge(self.store, self.model, now_us or T0 + 40 * DAY, chunk=chunk)

    def facts(self) -> Facts:
        """Return the same facts for the reference judge."""
        entities = {e: self.model.watch_start_us(e) for e in self.model.entities}
        refused = {
            (e, kind)
            for e, s in self.model.entities.items()
            for kind, mode in s.posting.items()
            if mode == "not_posted"
        }
        roles = {name: p.roles for name, p in self.model.platforms.items()}
        return Facts(
            roles, list(self.streams.values()), self.observations, entities, refused, self.lookups, self.decisions,
            calendars=self.calendars,
        )  # fmt: skip

    def rows(self, name: str) -> list[dict[str, Any]]:
        """Return a table's rows."""
        with self.store.read() as conn:
            return [dict(r._mapping) for r in conn.execute(text(f"SELECT * FROM {name}"))]


def wipe(store: Store) -> None:
    """Empty every table of the store."""
    with store.write() as conn:
        for model in (*FACTS, *HEADS, *VERDICTS, Touch, Counter):
            conn.execute(table(model).delete())
