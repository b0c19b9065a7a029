"""How many subjects had which outcome in a window, from roll-ups where they know enough, else from the events themselves.

Whole days and hours come from roll-ups, the ragged edges from events, so a count is exact to the microsecond and its cost does
not grow with what is stored.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

from sqlalchemy import Connection, text

from probes.clock import DAY, HOUR

from .definitions import Sli
from .filters import Filters
from .sight import View
from .windows import Window


@dataclass
class Count:
    """Subjects and money by outcome and reason."""

    rows: dict[tuple[str, str], int] = field(default_factory=lambda: defaultdict(int))
    minor: dict[tuple[str, str], int] = field(default_factory=lambda: defaultdict(int))
    window_ratio: Fraction | None = None
    incomplete: int = 0
    corrected: int = 0

    def add(self, outcome: str, reason: str | None, currency: str | None, count: int, money: int | None) -> None:
        """Add some subjects of one outcome, reason and currency."""
        self.rows[outcome, reason or ""] += count
        if currency and money:
            self.minor[outcome, currency] += money

    def note(self, incomplete: int, corrected: int) -> None:
        """Note how many of them were decided without ever completing, and how many verdicts were corrected."""
        self.incomplete += incomplete
        self.corrected += corrected

    def of(self, outcome: str) -> int:
        """Return the subjects of an outcome."""
        return sum(n for (o, _), n in self.rows.items() if o == outcome)

    def reasons(self) -> dict[tuple[str, str], int]:
        """Return the subjects by outcome and reason, without the empty ones."""
        return {key: n for key, n in sorted(self.rows.items()) if n}

    def money(self) -> dict[str, dict[str, int]]:
        """Return outcome → currency → minor units."""
        found: dict[str, dict[str, int]] = defaultdict(dict)
        for (outcome, currency), minor in sorted(self.minor.items()):
            found[outcome][currency] = minor
        return dict(found)


_LABEL = {
    None: "''", "entity": "{a}.entity", "currency": "COALESCE({a}.currency, '')", "platform": "p.platform",
    "hour": "{a}.at_us - {a}.at_us % 3600000000", "day": "{a}.at_us - {a}.at_us % 86400000000",
    "segment": "COALESCE(cu.segment, '')", "customer": "cw.customer_id",
}  # fmt: skip

_NAMED = ("segment", "customer")
"""What to divide by asks who the customer is."""


GONE = (
    "(SELECT w.withdrawn_us FROM flow_instance w WHERE w.flow = :flow AND w.anchor_id = e.anchor_id"
    " AND w.revision = e.revision AND w.entity = e.entity)"
)
"""Since when nothing is owed on the subject of an event of an SLI of `:flow`."""
BEGUN = "e.start_us <= :at"
"""The clock of the event had begun at the instant that is asked about."""
UNSEEN = "e.start_us + e.value_us > :at"
"""The subject was completed only after the instant that is asked about."""


def ahead(filters: Filters, high: str) -> str:
    """Return the condition "undecided at `high`": in the past what was withdrawn later was not withdrawn yet."""
    if filters.as_of_us is None:
        return "e.outcome <> 'excluded'"
    return f"(e.outcome <> 'excluded' OR (e.reason = 'withdrawn' AND {GONE} > {high}))"


def reason_then(filters: Filters) -> str:
    """Return the reason of a decided event; what came too late and after the instant was missing then."""
    if filters.as_of_us is None:
        return "e.reason"
    return f"CASE WHEN e.reason = 'late' AND {UNSEEN} THEN 'missing' ELSE e.reason END"


def count_events(
    conn: Connection, view: View, sli: Sli, window: Window, filters: Filters, by: str | None
) -> dict[str, Count]:
    """Return the counts of an event SLI by label. What is due after the window's end is pending, or blind when overdue."""
    found: dict[str, Count] = defaultdict(Count)
    # Roll-ups know the verdicts of now: a past instant is counted from the events.
    from_rollups = (
        filters.as_of_us is None
        and not filters.by_customer
        and by in (None, "entity", "currency", "platform", "hour", "day")
    )
    for source, low, high in _pieces(window) if from_rollups else [("event", window.from_us, window.to_us + 1)]:
        rows = _from(conn, view, sli, window, filters, by, source, low, high)
        for label, outcome, reason, currency, count, money, incomplete, corrected in rows:
            counted = found[str(label if label is not None else "")]
            counted.add(outcome, reason, currency, int(count), int(money or 0))
            counted.note(int(incomplete), int(corrected))
    if by not in ("hour", "day"):
        for label, outcome, reason, currency, count, money in _ahead(conn, view, sli, filters, by, window):
            found[str(label if label is not None else "")].add(outcome, reason, currency, int(count), int(money or 0))
    return found


def _pieces(window: Window) -> list[tuple[str, int, int]]:
    """Cut [from, to] into whole days, whole hours and event edges. Shape: (source, low, high) half open."""
    pieces: list[tuple[str, int, int]] = []

    def edge(source: str, size: int, low: int, high: int, inner: list[tuple[str, int]]) -> None:
        first, last = -(-low // size) * size, high // size * size
        if first >= last:
            first = last = high
        finer = inner[0] if inner else None
        for a, b in ((low, first), (last, high)):
            if a < b:
                if finer:
                    edge(finer[0], finer[1], a, b, inner[1:])
                else:
                    pieces.append(("event", a, b))
        if first < last:
            pieces.append((source, first, last))

    for low, high in window.spans():
        edge("day", DAY, low, high, [("hour", HOUR)])
    return pieces


def _from(
    conn: Connection,
    view: View,
    sli: Sli,
    window: Window,
    filters: Filters,
    by: str | None,
    source: str,
    low: int,
    high: int,
) -> list[Any]:
    where, given = filters.events_where(view)
    own, months = window.own_month("e.at_us" if source == "event" else "e.bucket_us")
    where += own
    given |= {"sli": sli.name, "low": low, "high": high, **months}
    label = _LABEL[by].format(a="e")
    streams = " JOIN stream p ON p.id = e.stream_id" if by == "platform" else ""
    if source == "event":
        reason, never = reason_then(filters), "e.value_us IS NULL"
        if filters.as_of_us is not None:
            where, given["at"] = f"{where} AND {BEGUN}", filters.as_of_us
            never = f"({never} OR {UNSEEN})"
        sql = (
            f"SELECT {label} AS label, e.outcome, {reason}, e.currency, COUNT(*), SUM(e.money_minor),"
            f" SUM(CASE WHEN e.outcome = 'bad' AND {never} THEN 1 ELSE 0 END), COUNT(e.corrected_us)"
            f" FROM {filters.events(named=by in _NAMED)}{streams}"
            f" WHERE e.sli = :sli AND e.at_us >= :low AND e.at_us < :high{where} GROUP BY 1, 2, 3, 4"
        )
    else:
        label = label.replace("at_us", "bucket_us")
        given["grain"] = source
        sql = (
            f"SELECT {label} AS label, e.outcome, e.reason, e.currency, SUM(e.event_count), SUM(e.money_minor),"
            f" SUM(e.incomplete_count), SUM(e.corrected_count) FROM sli_rollup e{streams}"
            f" WHERE e.sli = :sli AND e.grain = :grain AND e.bucket_us >= :low AND e.bucket_us < :high{where} GROUP BY 1, 2, 3, 4"
        )
    return list(conn.execute(text(sql), given))


def _ahead(conn: Connection, view: View, sli: Sli, filters: Filters, by: str | None, window: Window) -> list[Any]:
    """Return what began before the window's end and stands only after it: pending, or not observed once overdue."""
    where, given = filters.events_where(view)
    given |= {"sli": sli.name, "flow": sli.flow, "to": window.to_us, "overdue": window.until_us - window.slack_us}
    label = _LABEL[by].format(a="e")
    streams = " JOIN stream p ON p.id = e.stream_id" if by == "platform" else ""
    outcome = "CASE WHEN e.outcome = 'pending' AND e.at_us <= :overdue THEN 'blind' ELSE 'pending' END"
    reason = "CASE WHEN e.outcome = 'pending' AND e.at_us <= :overdue THEN 'not_observed' ELSE 'not_due' END"
    sql = (
        f"SELECT {label} AS label, {outcome}, {reason}, e.currency, COUNT(*), SUM(e.money_minor)"
        f" FROM {filters.events(named=by in _NAMED)}{streams}"
        f" WHERE e.sli = :sli AND e.at_us > :to AND e.start_us <= :to AND {ahead(filters, ':to')}{where} GROUP BY 1, 2, 3, 4"
    )
    return list(conn.execute(text(sql), given))


def count_states(conn: Connection, sli: Sli, window: Window, filters: Filters, by: str | None) -> dict[str, Count]:
    """Return the subjects of a state SLI as they are at the window's end, and its ratio weighted by time over the window."""
    label = {
        "platform": "v.target",
        "segment": "COALESCE(r.segment, '')",
        "entity": "COALESCE(r.entity, '')",
        "customer": "v.subject_id",
    }
    where, given = "", {"sli": sli.name, "low": window.from_us, "high": window.to_us}
    if filters.entity is not None:
        where, given["entity"] = where + " AND r.entity = :entity", filters.entity
    if filters.segment is not None:
        where, given["segment"] = where + " AND r.segment = :segment", filters.segment
    if filters.customer_id is not None:
        where += " AND v.subject_id = (SELECT customer_id FROM crosswalk WHERE record_id = :customer)"
        given["customer"] = filters.customer_id
    source = f"FROM state_interval v JOIN record r ON r.id = v.subject_id WHERE v.sli = :sli{where}"
    chosen = label.get(by or "", "''")
    found: dict[str, Count] = defaultdict(Count)
    now = (
        f"SELECT {chosen} AS label, v.outcome, v.reason, COUNT(*) {source} AND v.from_us <= :high"
        " AND (v.to_us IS NULL OR v.to_us > :high) GROUP BY 1, 2, 3"
    )
    for name, outcome, reason, count in conn.execute(text(now), given):
        found[str(name)].add(outcome, reason, None, int(count), None)
    least = "CASE WHEN v.to_us IS NULL OR v.to_us > :high THEN :high ELSE v.to_us END"
    most = "CASE WHEN v.from_us < :low THEN :low ELSE v.from_us END"
    span = (
        f"SELECT {chosen} AS label, v.outcome, SUM({least} - {most}) {source} AND v.from_us < :high"
        " AND (v.to_us IS NULL OR v.to_us > :low) GROUP BY 1, 2"
    )
    times: dict[str, dict[str, int]] = defaultdict(dict)
    for name, outcome, spent in conn.execute(text(span), given):
        times[str(name)][outcome] = int(spent)
    for name, spent in times.items():
        good, bad = spent.get("good", 0), spent.get("bad", 0)
        found[name].window_ratio = Fraction(good, good + bad) if good + bad else None
    return found


def count_polls(
    conn: Connection, view: View, sli: Sli, window: Window, filters: Filters, by: str | None
) -> dict[str, Count]:
    """Return the polls of the window: available when the platform answered, fresh when its watermark kept up."""
    where = ""
    given: dict[str, Any] = {"low": window.from_us, "high": window.to_us}
    if filters.as_of_us is not None:
        where = " AND u.finished_us <= :high"
    if filters.platform is not None:
        where, given["platform"] = where + " AND p.platform = :platform", filters.platform
    label = {
        "platform": "p.platform",
        "hour": "u.started_us - u.started_us % 3600000000",
        "day": "u.started_us - u.started_us % 86400000000",
    }
    good = "u.status IN ('complete', 'suspect')"
    if sli.measure == "freshness":
        good = "u.watermark_us IS NOT NULL AND u.finished_us - u.watermark_us <= 3 * p.interval_us + p.visibility_us"
    sql = (
        f"SELECT {label.get(by or '', chr(39) * 2)} AS label, CASE WHEN {good} THEN 'good' ELSE 'bad' END AS outcome, u.reason, COUNT(*)"
        " FROM poll_run u JOIN stream p ON p.id = u.stream_id WHERE u.kind = 'changes' AND u.finished_us IS NOT NULL"
        f" AND u.started_us >= :low AND u.started_us <= :high{where} GROUP BY 1, 2, 3"
    )
    found: dict[str, Count] = defaultdict(Count)
    for name, outcome, reason, count in conn.execute(text(sql), given):
        found[str(name)].add(outcome, reason, None, int(count), None)
    return found
