"""What do customers ask the support desk? Tickets, their routing, escalation and SLA events, and the cases they become."""

from datetime import timedelta

from probes.sandbox.clock import HOUR_US, MINUTE_US, SECOND_US, local_date, local_us
from probes.sandbox.records import crm_insert, crm_update, support_insert, support_update, whole_seconds
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
ROUTING_US = 15 * MINUTE_US  # business time
SEVERITY_US = HOUR_US
UNROUTED, FIRST_LEVEL, ESCALATION = None, 800, 820
_OPENS, _CLOSES = 9, 17
_IN_CRM = ("urgent", "high")


def open_ticket(world: World, key: str, customer: Customer, **plan: object) -> Row | None:
    """Open a ticket for a customer whose organization exists already, and plan its life.

    `plan`: `priority`, `unrouted`, `escalates`, `unescalated`, `severity_stuck`, `stays_open`.
    """
    if customer.organization is None:
        return None
    rng = world.rng("ticket", key)
    priority = rng.choices(("urgent", "high", "normal", "low"), (1, 2, 6, 2))[0]
    priority = str(plan.get("priority", priority))
    ticket = support_insert(world, "ticket", {
        "external_id": None, "subject": rng.choice(_SUBJECTS), "status": "new", "custom_status_id": None, "priority": priority,
        "type": rng.choice(("problem", "question", "incident", "task")), "organization_id": customer.organization["id"],
        "requester_id": customer.contact["id"] if customer.contact else None, "assignee_id": None, "group_id": UNROUTED, "brand_id": 1,
        "tags": [customer.account["Segment__c"]], "custom_fields": [], "due_at": None, "via": {"channel": "email"},
        "satisfaction_rating": None,
    })  # fmt: skip
    _metric(world, ticket, "reply_time", "activate")
    _metric(world, ticket, "reply_time", "apply_sla", _TARGET_SECONDS[priority])
    _plan_life(world, key, customer, ticket, plan)
    return ticket


def _plan_life(world: World, key: str, customer: Customer, ticket: Row, plan: dict[str, object]) -> None:
    rng = world.rng("ticket-life", key)
    zone = customer.entity.zone
    routed_us = business_us(world.now_us, zone, rng.randint(30, 11 * 60) * SECOND_US)
    if "unrouted" not in plan:
        world.at(routed_us, lambda: route(world, ticket))
        if routed_us - world.now_us > ROUTING_US and world.in_history():
            subject = ("zendesk", "ticket", str(ticket["id"]))
            world.silent("N03", "off_hours", subject, "waits for the desk to open", customer.entity.code)
    if ticket["priority"] in _IN_CRM:
        world.at(world.now_us + rng.randint(60, 25 * 60) * SECOND_US, lambda: to_crm(world, customer, ticket))
    if "unrouted" in plan:
        return  # whom nobody was told of nobody answers
    reply = rng.lognormvariate(7.2, 0.9)
    breached = reply > _TARGET_SECONDS[ticket["priority"]]
    world.at(routed_us + int(reply * SECOND_US), lambda: _reply(world, ticket, breached))
    draw = rng.random()
    if "escalates" in plan or draw < 0.08:
        world.at(routed_us + int(reply * SECOND_US) + MINUTE_US, lambda: escalate(world, key, customer, ticket, plan))
    elif draw < 0.14 and ticket["priority"] == "normal" and not plan:
        world.at(routed_us + int(reply * SECOND_US), lambda: change_severity(world, key, customer, ticket, "high"))
    if "stays_open" in plan:
        return
    solved = routed_us + int((reply + rng.lognormvariate(10.4, 0.9)) * SECOND_US) + 4 * HOUR_US
    world.at(solved, lambda: support_update(world, ticket, status="solved"))
    world.at(solved + 96 * HOUR_US, lambda: support_update(world, ticket, status="closed"))
    if rng.random() < 0.02:
        world.at(solved + 24 * HOUR_US, lambda: support_update(world, ticket, status="deleted"))


def route(world: World, ticket: Row) -> None:
    """Route a ticket to the first level."""
    if ticket["group_id"] is UNROUTED:
        support_update(world, ticket, group_id=FIRST_LEVEL)
        audit(world, ticket, "group_id", None, FIRST_LEVEL)


def escalate(world: World, key: str, customer: Customer, ticket: Row, plan: dict[str, object]) -> None:
    """Hand a ticket to the second level, which takes it within the quarter of an hour of its business time."""
    support_update(world, ticket, tags=[*ticket["tags"], "escalated"], group_id=ESCALATION, assignee_id=None)
    audit(world, ticket, "group_id", FIRST_LEVEL, ESCALATION)
    noticed = plan.get("unescalated")
    if callable(noticed):
        noticed(ticket)
        return
    rng = world.rng("escalate", key)
    taken_us = business_us(world.now_us, customer.entity.zone, rng.randint(60, 11 * 60) * SECOND_US)
    world.at(taken_us, lambda: take(world, ticket))


def take(world: World, ticket: Row) -> None:
    """Let the second level take an escalated ticket."""
    support_update(world, ticket, assignee_id=9002)
    audit(world, ticket, "assignee_id", None, 9002)


def change_severity(
    world: World, key: str, customer: Customer, ticket: Row, priority: str, follows: bool = True
) -> None:
    """Change the priority of a ticket; the case in the CRM follows within the half hour."""
    former = ticket["priority"]
    support_update(world, ticket, priority=priority)
    audit(world, ticket, "priority", former, priority)
    if follows:
        wait = world.rng("severity", key).randint(60, 25 * 60) * SECOND_US
        world.at(world.now_us + wait, lambda: to_crm(world, customer, ticket))


def to_crm(world: World, customer: Customer, ticket: Row) -> Row:
    """Create the case of a ticket in the CRM, or bring its priority up to date."""
    known = world.cases.get(ticket["id"])
    priority = str(ticket["priority"]).capitalize()
    if known is not None:
        if known["Priority"] != priority:
            crm_update(world, known, Priority=priority)
        return known
    granted = customer.entitlement
    world.cases[ticket["id"]] = crm_insert(world, "Case", {
        "CaseNumber": f"{world.next_number('case', customer.key):08d}", "AccountId": customer.id, "Status": "New",
        "EntitlementId": granted["Id"] if granted else None, "IsClosed": False, "Priority": priority, "Origin": "Zendesk",
        "Zendesk_Ticket__c": str(ticket["id"]), "Legal_Entity__c": customer.entity.code,
    }, key=customer.key)  # fmt: skip
    return world.cases[ticket["id"]]


def business_us(start_us: int, zone: str, wait_us: int) -> int:
    """Return the instant at which so much of the desk's business time (9 to 17, Monday to Friday) has passed."""
    day = local_date(start_us, zone)
    now_us = start_us
    while True:
        opens_us, closes_us = local_us(day, zone, _OPENS), local_us(day, zone, _CLOSES)
        if day.weekday() < 5 and now_us < closes_us:
            begins_us = max(now_us, opens_us)
            if begins_us + wait_us <= closes_us:
                return begins_us + wait_us
            wait_us -= closes_us - begins_us
        day += timedelta(days=1)
        now_us = local_us(day, zone, 0)


def audit(world: World, ticket: Row, field: str, before: object, after: object) -> None:
    """Append to the audits of a ticket who changed what."""
    event = {"type": "Change", "field_name": field, "previous_value": before, "value": after}
    support_insert(
        world, "audit", {"ticket_id": ticket["id"], "author_id": 9001, "events": [event], "via": {"channel": "web"}}
    )


def _reply(world: World, ticket: Row, breached: bool) -> None:
    support_update(world, ticket, status="open", assignee_id=9001)
    if breached:
        _metric(world, ticket, "reply_time", "breach")
    _metric(world, ticket, "reply_time", "fulfill")


def _metric(world: World, ticket: Row, metric: str, kind: str, target_seconds: int | None = None) -> None:
    event: Row = {"ticket_id": ticket["id"], "metric": metric, "instance_id": 1, "type": kind}
    event["time"] = whole_seconds(world.clock_us("zendesk"))
    if target_seconds is not None:
        target = {"target": target_seconds // 60, "target_in_seconds": target_seconds, "business_hours": False}
        event["sla"] = target | {"policy": {"id": 25, "title": "Standard", "description": None}}
    support_insert(world, "metric_event", event)
