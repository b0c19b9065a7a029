"""What a person must handle: dead letters, failed and hung runs, rows that could not be read. One per trouble, in one queue.

Tries of the same work are one exception with its attempts. An exception whose document stands in a flow closes only when the
document's flows have gone through, as seen in the targets: never because a message has gone or a retry says it went well.
Derived anew at each judging from facts and verdicts; there are few, and what people attach to one hangs on its natural key.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from sqlalchemy import Connection, TextClause, bindparam, delete, text

from probes.clock import FOREVER, HOUR

from .causes import classify, fingerprint, tries_again
from .definitions import Model
from .head_tables import STUCK_AFTER_US, troubled
from .keys import key_id
from .store import bulk_insert
from .tables import ExceptionRow, table

EXCEPTIONS = table(ExceptionRow)
_COLUMNS = (
    "fingerprint", "subject_id", "kind", "category", "cause", "stream_id", "document_id", "message", "attempts", "since_us",
    "last_us", "closed_us", "money_minor", "currency",
)  # fmt: skip
_CHUNK = 500


class _Seen(NamedTuple):
    """One dead letter or run: what it says, since when it is a trouble, and since when it is out of the way.

    `looked_us`: how far was looked; what becomes a trouble only later is none yet.
    """

    id: int
    stream_id: int
    kind: str
    cause: str
    message: str
    tries: int
    since_us: int
    last_us: int
    gone_us: int | None
    looked_us: int


class _Stand(NamedTuple):
    """How a document stands in its flows: whether all have gone through and since when, the money that has not, and when its
    counterparts came."""

    through: bool
    at_us: int
    money_minor: int | None
    currency: str | None
    came_us: tuple[int, ...] = ()


class _Chain(NamedTuple):
    """The tries of one piece of work, oldest first, the document it is about, and when a try went well or it was taken away."""

    tries: list[_Seen]
    document: int | None
    gone_us: int | None


def _ids(statement: str) -> TextClause:
    return text(statement).bindparams(bindparam("ids", expanding=True))


_TROUBLES = text(
    "SELECT r.id, r.stream_id, r.kind, r.state, r.status, r.name, r.external_id, r.version_count, r.deleted_us,"
    " COALESCE(r.created_us, r.first_observed_us) AS begun_us, COALESCE(r.changed_us, r.observed_us) AS ended_us,"
    f" p.watermark_us FROM stream p CROSS JOIN record r WHERE r.stream_id = p.id AND {troubled('r.')}"
)
_ABOUT = _ids(
    "SELECT f.record_id, COALESCE(MIN(d.id), MIN(k.record_id)) AS document_id FROM reference f"
    " LEFT JOIN record d ON d.id = f.to_id LEFT JOIN record_key k ON k.key_id = f.to_id"
    " WHERE f.kind = 'about' AND f.record_id IN :ids GROUP BY f.record_id"
)
_RETRIES = _ids(
    "SELECT f.to_id AS earlier, f.record_id AS later, r.state, COALESCE(r.changed_us, r.observed_us) AS at_us"
    " FROM reference f JOIN record r ON r.id = f.record_id WHERE f.kind = 'replaces' AND f.to_id IN :ids"
)
_STANDS = _ids(
    "SELECT anchor_id, CASE WHEN state IN ('done', 'excluded', 'opening') OR completed_us IS NOT NULL THEN 0 ELSE 1 END AS due,"
    " completed_us, risk_minor, currency FROM flow_instance WHERE flow = :flow AND anchor_id IN :ids ORDER BY anchor_id, revision"
)
_CAME = _ids(
    "SELECT anchor_id, latest_us FROM flow_step WHERE flow = :flow AND anchor_id IN :ids AND record_id <> anchor_id"
    " AND latest_us IS NOT NULL"
)
_FACTS = text(
    "SELECT (SELECT COALESCE(SUM(seen_count), 0) FROM quarantine) * 1000000000 + (SELECT COALESCE(SUM(r.version_count), 0)"
    f" FROM stream p CROSS JOIN record r WHERE r.stream_id = p.id AND {troubled('r.')})"
)
_KEPT = text("SELECT value, at_us FROM counter WHERE name = 'exceptions'")
_KEEP = text(
    "INSERT INTO counter (name, value, at_us) VALUES ('exceptions', :facts, :due)"
    " ON CONFLICT (name) DO UPDATE SET value = excluded.value, at_us = excluded.at_us"
)
_SEEN_UP_TO = text("SELECT MAX(watermark_us) FROM stream")
_REFUSED = text("SELECT stream_id, digest, first_us, last_us, seen_count, reason, message FROM quarantine")


def exceptions_lag(conn: Connection) -> bool:
    """Return whether troubles came, or one was waited for long enough, since the exceptions were last derived."""
    kept = conn.execute(_KEPT).one_or_none()
    if kept is None or kept.value != conn.execute(_FACTS).scalar_one():
        return True
    return bool(kept.at_us <= (conn.execute(_SEEN_UP_TO).scalar() or 0))


def derive_exceptions(conn: Connection, model: Model) -> int:
    """Replace the exceptions by what facts and verdicts say. Returns how many there are."""
    seen = [_seen(row) for row in conn.execute(_TROUBLES)]
    chains = _chains(conn, [one for one in seen if one.since_us <= one.looked_us])
    due_us = min((one.since_us for one in seen if one.since_us > one.looked_us), default=FOREVER)
    stands = _stands(conn, model, {c.document for c in chains if c.document is not None})
    rows = [_row(chain, stands) for chain in chains]
    rows += [_refused(q) for q in conn.execute(_REFUSED)]
    conn.execute(_KEEP, {"facts": conn.execute(_FACTS).scalar_one(), "due": due_us})
    conn.execute(delete(EXCEPTIONS))
    bulk_insert(conn, EXCEPTIONS, sorted(rows, key=lambda row: row[:2]), _COLUMNS)
    return len(rows)


def _seen(r: Any) -> _Seen:
    """Return what a record tells of trouble, and from when on it is one: a run may go on, or try again, for a while."""
    looked_us = r.watermark_us or 0
    if r.kind == "message":
        cause = r.status or "rejected"
        told = r.name or f"message {r.external_id} was dead-lettered ({cause})"
        return _Seen(
            r.id, r.stream_id, "dead_letter", cause, told, _deaths(r), r.begun_us, r.ended_us, r.deleted_us, FOREVER
        )
    if r.state == "failed":
        told = r.name or f"run {r.external_id} failed"
        again = tries_again(told)
        since_us = r.ended_us + (STUCK_AFTER_US if again else 0)
        last_us = max(since_us, r.ended_us)
        return _Seen(r.id, r.stream_id, "failed_run", r.status or "failed", told, 1, since_us, last_us, None, looked_us)
    hung_us = r.begun_us + STUCK_AFTER_US
    told = f"run {r.external_id} was still going after {STUCK_AFTER_US // HOUR} h"
    gone_us = None if r.state == "open" else r.ended_us
    return _Seen(
        r.id, r.stream_id, "stuck_run", "hung", told, 1, hung_us, max(hung_us, r.ended_us), gone_us,
        looked_us if gone_us is None else FOREVER,
    )  # fmt: skip


def _deaths(r: Any) -> int:
    """Return how often a message died: each death is a version of its own, and so is its going."""
    return max(1, int(r.version_count) - (r.deleted_us is not None))


def _chains(conn: Connection, seen: list[_Seen]) -> list[_Chain]:
    """Return the tries of each piece of work together: they are about the same document, or a retry names what it tries again."""
    by_id = {one.id: one for one in seen}
    earlier: dict[int, int] = {}
    well: dict[int, int] = {}
    for chunk in _chunks(sorted(by_id)):
        for r in conn.execute(_RETRIES, {"ids": chunk}):
            earlier[r.later] = r.earlier
            if r.state == "succeeded":
                well[r.earlier] = min(r.at_us, well.get(r.earlier, r.at_us))
    about = {row[0]: row[1] for chunk in _chunks(sorted(by_id)) for row in conn.execute(_ABOUT, {"ids": chunk})}
    groups: dict[int, list[_Seen]] = defaultdict(list)
    for one in seen:
        document = about.get(one.id)
        groups[document if document is not None else _first(one.id, earlier, by_id)].append(one)
    chains = [
        _chain(sorted(tries, key=lambda t: (t.since_us, t.id)), about, well) for _, tries in sorted(groups.items())
    ]
    return [
        c for c in chains if c.gone_us is None or c.gone_us > c.tries[0].since_us
    ]  # others went well before they counted


def _first(rid: int, earlier: Mapping[int, int], known: Mapping[int, _Seen]) -> int:
    passed = {rid}
    while (before := earlier.get(rid)) is not None and before in known and before not in passed:
        passed.add(before)
        rid = before
    return rid


def _chain(tries: list[_Seen], about: Mapping[int, int | None], well: Mapping[int, int]) -> _Chain:
    """Return one piece of work; what lies in a queue speaks for the runs that failed on it, and has to leave it."""
    document = next((about[t.id] for t in tries if about.get(t.id) is not None), None)
    letters = [t for t in tries if t.kind == "dead_letter"]
    if letters:
        gone = [t.gone_us for t in letters]
        return _Chain([*letters, *(t for t in tries if t not in letters)], document, _last(gone))
    ends = [well[t.id] for t in tries if t.id in well]
    return _Chain(tries, document, max(ends) if ends else _last([t.gone_us for t in tries]))


def _last(gone: list[int | None]) -> int | None:
    return None if None in gone else max(us for us in gone if us is not None)


def _stands(conn: Connection, model: Model, documents: Iterable[int]) -> dict[int, _Stand]:
    """Return how those documents stand that are the anchor of a flow. One in several flows is worth the most that one of them says."""
    found: dict[int, _Stand] = {}
    for flow in model.flows:
        for chunk in _chunks(sorted(documents)):
            sums: dict[tuple[int, str | None], int] = defaultdict(int)
            for r in conn.execute(_STANDS, {"flow": flow, "ids": chunk}):
                held = found.get(r.anchor_id, _Stand(True, 0, None, None))
                found[r.anchor_id] = held._replace(
                    through=held.through and not r.due, at_us=max(held.at_us, r.completed_us or 0)
                )
                sums[r.anchor_id, r.currency] += r.risk_minor or 0
            came: dict[int, list[int]] = defaultdict(list)
            for r in conn.execute(_CAME, {"flow": flow, "ids": chunk}):
                came[r.anchor_id].append(r.latest_us)
            for rid, at in came.items():
                if rid in found:
                    found[rid] = found[rid]._replace(came_us=tuple(sorted({*found[rid].came_us, *at})))
            for (rid, currency), minor in sums.items():
                if minor > (found[rid].money_minor or 0):
                    found[rid] = found[rid]._replace(money_minor=minor, currency=currency)
    return found


def _row(chain: _Chain, stands: Mapping[int, _Stand]) -> tuple[Any, ...]:
    first = chain.tries[0]
    last = [t for t in chain.tries if t.kind == first.kind][-1]
    stand = stands.get(chain.document) if chain.document is not None else None
    closed_us = _closed(chain, stand)
    money, currency = (stand.money_minor, stand.currency) if stand is not None and closed_us is None else (None, None)
    return (
        fingerprint(first.kind, first.stream_id, first.cause, last.message), first.id, first.kind,
        classify(last.message, last.cause), last.cause, first.stream_id, chain.document, last.message,
        sum(t.tries for t in chain.tries if t.kind == first.kind), first.since_us, last.last_us, closed_us, money, currency,
    )  # fmt: skip


def _closed(chain: _Chain, stand: _Stand | None) -> int | None:
    """Return when the trouble was over. Of a document in a flow a counterpart that came decides, or that all have come through:
    that a message has gone, or a retry says it went well, proves nothing by itself."""
    first, gone_us = chain.tries[0], chain.gone_us
    if stand is None:
        return gone_us
    if stand.through and (gone_us is not None or first.kind != "dead_letter"):
        return max(stand.at_us, gone_us or 0, first.since_us)
    came_us = next((at for at in stand.came_us if at >= first.since_us), None)
    return None if gone_us is None or came_us is None else max(came_us, gone_us)


def _refused(q: Any) -> tuple[Any, ...]:
    subject = key_id(f"quarantine:{q.stream_id}:{bytes(q.digest).hex()}")
    return (
        fingerprint("quarantined_row", q.stream_id, q.reason, q.message), subject, "quarantined_row",
        classify(q.message, q.reason), q.reason, q.stream_id, None, q.message, q.seen_count, q.first_us, q.last_us, None, None, None,
    )  # fmt: skip


def _chunks(ids: list[int]) -> Iterable[list[int]]:
    for start in range(0, len(ids), _CHUNK):
        yield ids[start : start + _CHUNK]
