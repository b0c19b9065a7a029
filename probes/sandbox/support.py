"""What do customers ask the support desk? Tickets, their life and their SLA events; no billing."""

from probes.sandbox.records import support_insert, support_update, whole_seconds
from probes.sandbox.world import Customer, Row, World

_SUBJECTS = (
    "Invoice question",
    "Cannot log in",
    "Wrong VAT on invoice",
    "API returns errors",
    "Upgrade request",
    "Slow report",
)
_TARGET_SECONDS = {"urgent": 1800, "high": 3600, "normal": 4 * 3600, "low": 8 * 3600}


def open_ticket(world: World, key: str, customer: Customer) -> Row | None:
    """Open a ticket for a customer whose organization exists already, and plan its life."""
    if customer.organization is None:
        return None
    rng = world.rng("ticket", key)
    priority = rng.choices(("urgent", "high", "normal", "low"), (1, 2, 6, 2))[0]
    requester = next(
        (u for u in world.zendesk["user"].values() if u["organization_id"] == customer.organization["id"]), None
    )
    ticket = support_insert(world, "ticket", {
        "external_id": None, "subject": rng.choice(_SUBJECTS), "status": "new", "custom_status_id": None, "priority": priority,
        "type": rng.choice(("problem", "question", "incident", "task")), "organization_id": customer.organization["id"],
        "requester_id": requester["id"] if requester else None, "assignee_id": None, "group_id": 800, "brand_id": 1,
        "tags": [customer.account["Segment__c"]], "custom_fields": [], "due_at": None, "via": {"channel": "email"},
        "satisfaction_rating": None,
    })  # fmt: skip
    _metric(world, ticket, "reply_time", "activate")
    _metric(world, ticket, "reply_time", "apply_sla", _TARGET_SECONDS[priority])
    reply = rng.lognormvariate(7.2, 0.9)
    world.after(reply, lambda: _reply(world, ticket, reply > _TARGET_SECONDS[priority]))
    solved = reply + rng.lognormvariate(10.4, 0.9)
    world.after(solved, lambda: support_update(world, ticket, status="solved"))
    world.after(solved + 4 * 86_400, lambda: support_update(world, ticket, status="closed"))
    if rng.random() < 0.02:
        world.after(solved + 86_400, lambda: support_update(world, ticket, status="deleted"))
    return ticket


def _reply(world: World, ticket: Row, breached: bool) -> None:
    support_update(world, ticket, status="open", assignee_id=9001)
    if breached:
        _metric(world, ticket, "reply_time", "breach")
    _metric(world, ticket, "reply_time", "fulfill")


def _metric(world: World, ticket: Row, metric: str, kind: str, target_seconds: int | None = None) -> None:
    event: Row = {"ticket_id": ticket["id"], "metric": metric, "instance_id": 1, "type": kind}
    event["time"] = whole_seconds(world.now_us)
    if target_seconds is not None:
        target = {"target": target_seconds // 60, "target_in_seconds": target_seconds, "business_hours": False}
        event["sla"] = target | {"policy": {"id": 25, "title": "Standard", "description": None}}
    support_insert(world, "metric_event", event)
