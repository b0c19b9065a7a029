"""What a person must handle: dead letters and rows that could not be read, one per subject, closed when they are gone.

Derived anew from facts at each judging; there are few, and what people attach to one hangs on its natural key.
"""

from __future__ import annotations

from sqlalchemy import Connection, delete, text

from .keys import key_id
from .store import bulk_insert
from .tables import ExceptionRow, table

EXCEPTIONS = table(ExceptionRow)
_COLUMNS = (
    "fingerprint", "subject_id", "kind", "cause", "stream_id", "document_id", "message", "since_us", "closed_us",
)  # fmt: skip
_LETTERS = text(
    "SELECT r.id, r.stream_id, r.status, r.name, COALESCE(r.created_us, r.first_observed_us) AS since_us, r.deleted_us,"
    " (SELECT MIN(f.to_id) FROM reference f JOIN record d ON d.id = f.to_id WHERE f.record_id = r.id AND f.kind = 'about') AS by_id,"
    " (SELECT MIN(k.record_id) FROM reference f JOIN record_key k ON k.key_id = f.to_id WHERE f.record_id = r.id"
    " AND f.kind = 'about') AS by_key, r.external_id FROM stream p CROSS JOIN record r"
    " WHERE r.stream_id = p.id AND r.kind = 'message'"
)
_FACTS = text(
    "SELECT (SELECT COUNT(*) FROM quarantine) * 1000000000 + (SELECT COALESCE(SUM(r.version_count), 0)"
    " FROM stream p CROSS JOIN record r WHERE r.stream_id = p.id AND r.kind = 'message')"
)
_KEPT = text("SELECT value FROM counter WHERE name = 'exceptions'")
_KEEP = text(
    "INSERT INTO counter (name, value, at_us) VALUES ('exceptions', :facts, 0) ON CONFLICT (name) DO UPDATE SET value = excluded.value"
)
_REFUSED = text("SELECT stream_id, digest, first_us, reason, message FROM quarantine")


def exceptions_lag(conn: Connection) -> bool:
    """Return whether dead letters or refused rows came since the exceptions were last derived."""
    return bool(conn.execute(_KEPT).scalar() != conn.execute(_FACTS).scalar_one())


def derive_exceptions(conn: Connection) -> int:
    """Replace the exceptions by what the facts say. Returns how many there are."""
    rows = []
    for r in conn.execute(_LETTERS):
        cause = r.status or "rejected"
        document = r.by_id if r.by_id is not None else r.by_key
        told = r.name or f"message {r.external_id} was dead-lettered ({cause})"
        rows.append(
            (
                f"dead_letter:{r.stream_id}:{cause}",
                r.id,
                "dead_letter",
                cause,
                r.stream_id,
                document,
                told,
                r.since_us,
                r.deleted_us,
            )
        )
    for q in conn.execute(_REFUSED):
        subject = key_id(f"quarantine:{q.stream_id}:{bytes(q.digest).hex()}")
        rows.append(
            (
                f"quarantine:{q.stream_id}:{q.reason}",
                subject,
                "quarantined_row",
                q.reason,
                q.stream_id,
                None,
                q.message,
                q.first_us,
                None,
            )
        )
    conn.execute(_KEEP, {"facts": conn.execute(_FACTS).scalar_one()})
    conn.execute(delete(EXCEPTIONS))
    bulk_insert(conn, EXCEPTIONS, sorted(rows, key=lambda row: row[:2]), _COLUMNS)
    return len(rows)
