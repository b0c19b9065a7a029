"""What does Tieout say of the sandbox company, and what is true? Both in one process, on one clock stepped by hand.

The platforms answer through their real APIs behind a WSGI transport, the configuration is the demo's, messages go to a real
HTTP inbox. Truth is read from the company's own journal, never from Tieout's tables.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sqlalchemy import select

from alerts import queries, sight
from alerts.queries import AlertView, MemberView, TransitionView
from alerts.sight import StreamSight
from console.run.cycle import CycleSummary, run_cycle
from console.run.score.company import lived, watching
from console.run.score.findings import troubles
from console.run.score.truths import key as key_of
from console.run.workspace import Workspace
from metrics.listing import EventRow, events
from metrics.queries.breaks import Break, Trouble, breaks, exceptions
from metrics.rebuild import TableCheck, verify
from metrics.risk import LateDocument, late
from metrics.sli import Figure, figures
from metrics.tables import FlowInstance, RecordRow, table
from probes.clock import SECOND
from probes.sandbox import Clock, Company, inject, repair
from probes.sandbox.faults import plan_demo
from probes.sandbox.journal import Entry
from tests.servers.slack import SlackSink, running_sink

START_AT = datetime(2026, 11, 17, 12, 0, tzinfo=UTC)
_MAIL = re.compile(r"^    finance: .*\n", re.MULTILINE)

Subject = tuple[str, str, str]
"""Platform, kind and external id in Tieout's words."""
Found = tuple[str, str, str, str]
"""Kind of finding and its subject."""


def subject(entry: Entry) -> Subject:
    """Return what a journal entry is about, in Tieout's words."""
    _, *of = key_of(entry)
    return of[0], of[1], of[2]


def truth(entry: Entry) -> Found:
    """Return what has to be found of a journal entry."""
    return key_of(entry)


@dataclass(frozen=True)
class World:
    """A company, the clock it lives by, and Tieout watching it."""

    company: Company
    clock: Clock
    workspace: Workspace
    sink: SlackSink

    @property
    def started_us(self) -> int:
        """Return when the history ended and Tieout began to look."""
        return self.company.start_us

    @property
    def now_us(self) -> int:
        """Return the instant it is."""
        return self.clock.now_us()

    def cycle(self) -> CycleSummary:
        """Let Tieout do everything that is due now."""
        summary = run_cycle(self.workspace)
        assert summary.degraded == (), "the monitor itself failed"
        return summary

    def run(self, hours: float, step_minutes: float = 30) -> None:
        """Let time pass with a cycle at each step; nothing happens at the present instant."""
        until_us = self.now_us + round(hours * 3600) * SECOND
        while self.now_us < until_us:
            self.clock.step(min(step_minutes * 60, (until_us - self.now_us) / SECOND))
            self.cycle()

    def run_to(self, at_us: int, step_minutes: float = 30) -> None:
        """Let time pass up to an instant."""
        self.run((at_us - self.now_us) / SECOND / 3600, step_minutes)

    def inject(self, fault: str, **parameters: Any) -> list[Entry]:
        """Make a fault happen now. Returns: the journal entries it wrote at once."""
        with self.company.lock:
            self.company.advance_to(self.now_us)
            return inject(self.company.world, fault, **parameters)

    def repair(self, fault: str) -> None:
        """Mend everything open of a fault."""
        with self.company.lock:
            self.company.advance_to(self.now_us)
            repair(self.company.world, fault)

    def truths(self, fault: str | None = None) -> list[Entry]:
        """Return what has become true and is open now, in the journal's words; silent entries are no truths."""
        return [
            e for e in self.company.journal.entries
            if e.true_from_us <= self.now_us and (e.repaired_us is None or e.repaired_us > self.now_us)
            and (e.fault is None or not e.fault.startswith("N")) and fault in (None, e.fault)
        ]  # fmt: skip

    def entries(self, fault: str) -> list[Entry]:
        """Return everything the journal holds of a fault."""
        return [e for e in self.company.journal.entries if e.fault == fault]

    def alerts(self, *rules: str) -> list[AlertView]:
        """Return the open alerts, of some rules or of all."""
        with self.workspace.store.read() as conn:
            return [a for a in queries.open_alerts(conn) if not rules or a.rule in rules]

    def members(self, alert: AlertView) -> list[MemberView]:
        """Return the documents in an alert."""
        with self.workspace.store.read() as conn:
            return queries.members(conn, alert.id)

    def ever_alerted(self) -> list[str]:
        """Return the titles of every alert that ever fired."""
        return [t.title for t in self.transitions() if t.kind == "firing"]

    def transitions(self) -> list[TransitionView]:
        """Return everything that became of alerts, oldest first."""
        with self.workspace.store.read() as conn:
            return queries.transitions_since(conn, 0)

    def headlines(self) -> list[str]:
        """Return the headlines that arrived in the inbox."""
        return [m["blocks"][0]["text"]["text"] for m in self.sink.messages]

    def overdue(self) -> list[LateDocument]:
        """Return the documents past a deadline and proven absent."""
        with self.workspace.store.read() as conn:
            return [d for d in late(conn, self.workspace.model, self.now_us) if d.lost]

    def breaks(self, *, open_only: bool = True) -> list[Break]:
        """Return the breaks."""
        with self.workspace.store.read() as conn:
            return list(breaks(conn, open_only=open_only, limit=5000).items)

    def exceptions(self, *, open_only: bool = True) -> list[Trouble]:
        """Return what waits for a person."""
        with self.workspace.store.read() as conn:
            return list(exceptions(conn, open_only=open_only, limit=5000).items)

    def found(self) -> dict[Found, int | None]:
        """Return everything that is found open now, with its money: overdue documents, breaks and exceptions."""
        found: dict[Found, int | None] = {}
        for d in self.overdue():
            kind = "stale_revision" if d.reason == "stale_revision" else "missing_in_target"
            found[kind, d.platform, d.kind, d.external_id] = d.money_minor
        for b in self.breaks():
            assert b.subject is not None
            money = None if b.money_minor is None else abs(b.money_minor)
            found[b.kind, b.subject.platform, b.subject.kind, b.subject.external_id] = money
        with self.workspace.store.read() as conn:
            found |= dict.fromkeys((key for key, _ in troubles(conn)), None)
        return found

    def flow_states(self, external_id: str) -> dict[str, str]:
        """Return where the flows of an anchor document stand."""
        i, r = table(FlowInstance).c, table(RecordRow).c
        query = select(i.flow, i.state).where(i.anchor_id == r.id, r.external_id == external_id)
        with self.workspace.store.read() as conn:
            return {row.flow: row.state for row in conn.execute(query)}

    def figure(self, name: str) -> Figure:
        """Return a figure as it is now."""
        with self.workspace.store.read() as conn:
            (found,) = figures(conn, self.workspace.model, self.now_us, names=[name])
        return found

    def events(self, name: str, outcome: str | None = None) -> list[EventRow]:
        """Return the events behind a figure."""
        with self.workspace.store.read() as conn:
            return list(events(conn, self.workspace.model, self.now_us, name, outcome=outcome, limit=None))

    def streams(self) -> list[StreamSight]:
        """Return how each stream is seen."""
        with self.workspace.store.read() as conn:
            return list(sight.read(conn))

    def verify(self) -> list[TableCheck]:
        """Compute every derived table anew and compare."""
        return verify(self.workspace.store, self.workspace.model, self.now_us)


@contextmanager
def watched(
    folder: Path,
    signing_key: bytes,
    *,
    seed: int = 7,
    history_days: int = 3,
    watched_days: float | None = 2,
    scale: float = 0.3,
    lives: Callable[[Company], None] = Company.run_history,
    edit: Callable[[str], str] = lambda text: text,
    start_at: datetime = START_AT,
) -> Iterator[World]:
    """Open a company that has lived its history, unseen so far, and Tieout with the demo's configuration.

    `watched_days`: how much of the history counts for the SLIs; None says nothing of it, as a new user would.
    `lives`: how the company lives through its history, calm unless told otherwise. `edit`: what else the configuration says.
    """
    with running_sink() as sink:
        company = lived(folder, seed=seed, start_at=start_at, history_days=history_days, scale=scale)
        lives(company)
        with watching(
            folder,
            company,
            signing_key=signing_key,
            webhook=sink.url,
            watched_days=watched_days,
            edit=lambda text: edit(_MAIL.sub("", text)),  # one inbox is enough to see what is told
        ) as watched_company:
            yield World(company, watched_company.clock, watched_company.workspace, sink)


def demonstrated(company: Company) -> None:
    """Live through the history with the demonstration's mix of failures."""
    plan_demo(company.world, company.start_us)
    company.run_history()
