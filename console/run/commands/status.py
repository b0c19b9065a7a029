"""`tieout status`: is business flowing, and is the monitor itself well?"""

from __future__ import annotations

from sqlalchemy import Connection

from alerts.queries import open_alerts
from console.web.formats import plural
from metrics.queries.platforms import PlatformHealth, platforms
from metrics.risk import at_risk
from metrics.sli import figures
from probes.clock import DAY, duration_text

from .. import pulse
from ..lease import holder_now
from ..output import Answer, Column, Item, amounts
from ..question import Question

COLUMNS = (Column("what", "what"), Column("name", "name"), Column("state", "state"), Column("detail", "detail"))
WELL = {"ok", "met", "seen", "no data", "no_data"}


def status(question: Question) -> tuple[Answer, int]:
    """Sum up SLIs, money at risk, alerts, platforms and the monitor. Exit code 1 when something is not well."""
    w, now, then = question.workspace, question.until_us, question.filters.as_of_us
    with w.store.read() as conn:
        items = [
            *_slis(question, conn),
            *_money(question, conn),
            *_alerts(conn, then),
            *(
                _platform(p)
                for p in platforms(conn, now, past=then is not None)
                if question.filters.platform in (None, p.name)
            ),
            *(_monitor(conn, now) if then is None else ()),
            *_faults(conn, now),
        ]
    notes = [*w.model.notes, *([] if then is None else ["Whether the monitor ran is told only of now."])]
    return Answer(items, COLUMNS, question.head(), notes=notes), int(any(i["finding"] for i in items))


def _line(what: str, name: str, state: str, detail: str, finding: bool) -> Item:
    return {"what": what, "name": name, "state": state, "detail": detail, "finding": finding}


def _slis(question: Question, conn: Connection) -> list[Item]:
    rows = []
    for f in figures(conn, question.workspace.model, question.now_us, question.filters):
        detail = f"{f.good} good, {f.bad} bad, {f.pending} pending, {f.blind} blind"
        missed = f.status == "missed" and not f.provisional
        rows.append(_line("sli", f.name, f.status.replace("_", " "), detail, missed))
    return rows


def _money(question: Question, conn: Connection) -> list[Item]:
    found = at_risk(conn, question.workspace.model, question.now_us, question.filters)
    return [
        _line(
            "at risk",
            currency,
            "late or lost",
            f"{amounts({currency: m.late_minor})[0]['text']} late, {amounts({currency: m.lost_minor})[0]['text']} lost,"
            f" {plural(m.documents, 'document')}",
            False,
        )
        for currency, m in sorted(found.items())
    ]


def _alerts(conn: Connection, at_us: int | None) -> list[Item]:
    return [
        _line(
            "alert",
            a.title,
            a.state,
            f"{a.severity}, {plural(a.document_count, 'document')}",
            a.state in ("firing", "acknowledged"),
        )
        for a in open_alerts(conn, at_us)
    ]


def _platform(p: PlatformHealth) -> Item:
    worst = [s for s in p.streams if s.state == p.state]
    lag = max((s.lag_us for s in p.streams if s.lag_us is not None), default=None)
    detail = "everything known" if lag is None else f"known up to {duration_text(lag)} ago"
    told = next((s.last.message for s in worst if s.last and s.last.message and p.state == "failing"), None)
    return _line("platform", p.name, p.state, told or detail, p.state == "failing")


def _monitor(conn: Connection, now_us: int) -> list[Item]:
    holder = holder_now(conn, now_us)
    rows = [
        _line(
            "monitor", "scheduler", "ok" if holder else "not running", holder or "start it with `tieout up`", not holder
        )
    ]
    for b in pulse.beats(conn, now_us):
        age = f"last {duration_text(now_us - b.at_us)} ago"
        rows.append(_line("monitor", b.name, "ok" if b.fresh else "silent", age, not b.fresh and holder is not None))
    return rows


def _faults(conn: Connection, now_us: int) -> list[Item]:
    return [
        _line("monitor", f.part, f.kind, f"{f.message} ({f.seen_count}×)", f.kind == "degraded")
        for f in pulse.faults(conn, now_us - DAY, 10, now_us)
    ]
