"""How a difference, an exception and a document look in a table, wherever they are listed.

Returns plain rows; the page decides where they stand.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from metrics.queries.breaks import Break, Trouble
from metrics.queries.heads import Head

from . import formats
from .frame import View
from .pages import path


def target(view: View, head: Head | None) -> tuple[str, dict[str, str]] | None:
    """Return where a document's page is."""
    return (
        None if head is None else (path("document"), view.link(of=head.platform, kind=head.kind, id=head.external_id))
    )


def record_of(view: View, row: Mapping[str, Any]) -> tuple[str, dict[str, str]] | None:
    """Return where the page of the record is that a row names by `platform`, `kind` and `id`."""
    if row["id"] is None:
        return None
    return path("document"), view.link(of=row["platform"], kind=row["kind"], id=row["id"])


def break_row(view: View, found: Break) -> dict[str, Any]:
    """Return a difference as a row of a table."""
    subject, other = found.subject, found.counterpart
    age = (found.closed_us or view.shown_us) - found.since_us
    return {
        "State": "open_break" if found.closed_us is None else "closed",
        "Kind": formats.words(found.kind),
        "Document": f"{formats.words(subject.kind)} {subject.label}" if subject else str(found.subject_id),
        "Customer": (found.customer.name if found.customer else None) or (subject.customer_name if subject else None),
        "Money": formats.money(found.money_minor, found.currency),
        "Field": formats.words(found.field),
        "Should be": _side(found, found.expected),
        "Is": _side(found, found.actual),
        "Entity": found.entity,
        "Age": formats.duration(age),
        "Since": found.since_us,
        "Closed": found.closed_us,
        "Counterpart": f"{other.platform} {other.label}" if other else "none",
        "head": subject,
        "other": other,
    }


def _side(found: Break, said: str | None) -> str | None:
    """Return what one side says: an amount as money, anything else as it is."""
    if found.kind != "amount_differs" or said is None:
        return said
    return formats.money(int(said), found.currency)


def exception_row(view: View, found: Trouble) -> dict[str, Any]:
    """Return an exception as a row of a table."""
    document = found.document
    return {
        "State": "open_break" if found.closed_us is None else "closed",
        "Kind": formats.words(found.kind),
        "What is wrong": formats.words(found.category),
        "Platform": found.platform,
        "Message": found.message,
        "Tries": found.attempts,
        "Document": f"{formats.words(document.kind)} {document.label}" if document else None,
        "Money": formats.money(found.money_minor, found.currency),
        "Customer": document.customer_name if document else None,
        "Age": formats.duration((found.closed_us or view.shown_us) - found.since_us),
        "Since": found.since_us,
        "Closed": found.closed_us,
        "head": document,
    }


def _unmapped(head: Head) -> str | None:
    return None if head.status is None else "not mapped"


def document_row(view: View, head: Head) -> dict[str, Any]:
    """Return a record as a row of a table."""
    return {
        "Kind": formats.words(head.kind),
        "Document": head.label,
        "Platform": head.platform,
        "Status": head.status,
        "State": formats.words(head.state) if head.state else _unmapped(head),
        "Entity": head.entity,
        "Customer": head.customer_name,
        "Amount": formats.money(head.amount_minor, head.currency),
        "Open": formats.money(head.open_minor, head.currency),
        "Created": head.created_us,
        "Observed": head.observed_us,
        "Digest": head.digest[:16],
        "head": head,
    }
