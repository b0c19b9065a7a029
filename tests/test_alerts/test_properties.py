"""Whatever happens in whatever order: is every beginning that was told followed by its end, and nothing closed unseen?"""

from __future__ import annotations

import re
from itertools import groupby
from pathlib import Path
from tempfile import TemporaryDirectory

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import select

from alerts import actions, queries
from alerts.evaluate import record
from alerts.findings import Timing, alert_id
from alerts.tables import OutboxRow, table
from metrics.store import Store
from probes.clock import HOUR, MINUTE

from .build import NOW, finding, member, outlook
from .build import settings as alert_settings

KEY = alert_id(finding().fingerprint)
OUTBOX = table(OutboxRow)
STEPS = st.lists(
    st.tuples(
        st.sampled_from(["found", "more", "absent", "blind", "acknowledge", "silence", "restart"]),
        st.integers(1, 90),
    ),
    min_size=1,
    max_size=25,
)
PATIENCE = st.sampled_from([Timing(), Timing(for_us=10 * MINUTE, keep_firing_us=20 * MINUTE, repeat_us=HOUR)])
LETTERS = {"firing": "F", "released": "F", "updated": "u", "acknowledged": "a", "resolved": "R"}


class Run:
    """A store and what was done to it."""

    def __init__(self, folder: str, timing: Timing) -> None:
        self.url = f"sqlite:///{Path(folder) / 'tieout.sqlite'}"
        self.store, self.timing, self.now, self.count = Store.open(self.url), timing, NOW, 1

    def do(self, what: str, minutes: int) -> None:
        """Let time pass, then do one thing."""
        self.now += minutes * MINUTE
        if what == "restart":
            self.store.close()
            self.store = Store.open(self.url)
        elif what == "acknowledge":
            with self.store.read() as conn:
                firing = any(a.state == "firing" for a in queries.open_alerts(conn))
            if firing:
                actions.acknowledge(self.store, KEY, "kim", "", self.now)
        elif what == "silence":
            actions.silence(
                self.store, matchers={"alert": KEY}, from_us=self.now, to_us=self.now + HOUR, author="kim", comment="",
                now_us=self.now,
            )  # fmt: skip
        else:
            self.evaluate(what)

    def evaluate(self, what: str) -> None:
        """Record what one evaluation finds, and hold what must hold after each."""
        self.count += what == "more"
        found = [finding("NW-DE", *(member(f"{n}") for n in range(self.count)))] if what in ("found", "more") else []
        view = outlook(found, blind="not read" if what == "blind" else None, timing=self.timing)
        summary = record(self.store, alert_settings(), view, self.now)
        assert not (what == "blind" and summary.resolved), "an alert was closed while nobody could look"
        with self.store.read() as conn:
            for alert in queries.open_alerts(conn):
                if alert.state != "pending":
                    assert len(queries.members(conn, alert.id)) == alert.document_count


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(STEPS, PATIENCE)
def test_every_channel_hears_beginnings_and_ends_in_turn(steps: list[tuple[str, int]], timing: Timing) -> None:
    with TemporaryDirectory() as folder:
        run = Run(folder, timing)
        for what, minutes in steps:
            run.do(what, minutes)
        for _ in range(3):
            run.do("absent", 60)
        with run.store.read() as conn:
            rows = conn.execute(select(OUTBOX.c.kind, OUTBOX.c.dedup_key).order_by(OUTBOX.c.id)).all()
            assert queries.open_alerts(conn) == []
            moves = [t.kind for t in queries.transitions_since(conn, 0) if t.kind in ("firing", "resolved")]
        run.store.close()
    told = "".join(LETTERS[kind] for kind, _ in rows)
    assert re.fullmatch(r"(F[ua]*R)*", told), told
    assert len({key for _, key in rows}) == len(rows)
    assert all(len(list(same)) == 1 for _, same in groupby(moves)), moves


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(STEPS, PATIENCE)
def test_evaluating_the_same_again_tells_nothing(steps: list[tuple[str, int]], timing: Timing) -> None:
    with TemporaryDirectory() as folder:
        run = Run(folder, timing)
        last = "absent"
        for what, minutes in steps:
            run.do(what, minutes)
            last = what if what in ("found", "absent", "blind") else last
        run.do(last, 0)
        with run.store.read() as conn:
            before = conn.execute(select(OUTBOX.c.id)).all()
        run.do(last, 0)
        run.do("restart", 0)
        run.do(last, 0)
        with run.store.read() as conn:
            assert conn.execute(select(OUTBOX.c.id)).all() == before
        run.store.close()
