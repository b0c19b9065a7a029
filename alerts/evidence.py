"""How a bad event that the metrics room lists becomes a document in an alert."""

from __future__ import annotations

from metrics.sli import EventRow

from .findings import Member


def member_of(event: EventRow) -> Member:
    """Return the document behind an event; without any proof of arrival its money counts as lost, else as late."""
    return Member(
        platform=event.platform,
        kind=event.kind,
        external_id=event.external_id,
        number=event.number,
        entity=event.entity or None,
        customer_id=event.customer_id,
        customer=event.customer_name,
        lost=event.proof_id is None,
        due_us=event.due_us,
        money_minor=event.money_minor,
        currency=event.currency,
        link=event.link,
    )
