"""How does a row get into a platform's own database, with its stamps and events? No business decisions here."""

import marshal
from typing import Any

from probes.sandbox.clock import SECOND_US
from probes.sandbox.randoms import salesforce_id, stripe_id
from probes.sandbox.world import Row, World

KEY_PREFIX = {
    "Account": "001",
    "Opportunity": "006",
    "OpportunityLineItem": "00k",
    "OpportunityHistory": "008",
    "User": "005",
    "Organization": "00D",
    "AccountHistory": "017",
    "Lead": "00Q",
    "Quote": "0Q0",
    "ProcessInstance": "04g",
    "Product2": "01t",
    "PricebookEntry": "01u",
    "Contract": "800",
    "Entitlement": "550",
    "Case": "500",
}
_APPEND_ONLY = ("OpportunityHistory", "AccountHistory")  # without stamps of modification
_TRACKED = (
    "VAT_Id__c", "Payment_Terms__c", "BillingStreet", "BillingCity", "BillingPostalCode", "BillingCountry", "ParentId",
    "Billing_Email__c", "CurrencyIsoCode", "Payment_Risk__c",
)  # fmt: skip
INTEGRATION = salesforce_id("005", 1)
AUTOMATION = salesforce_id("005", 2)
LOADER = salesforce_id("005", 3)
SALES_USERS = tuple(salesforce_id("005", number) for number in range(10, 22))
ERP_INTEGRATION, ERP_CLERK = 11, 12
API_VERSION = "2026-08-26.dahlia"


def whole_seconds(us: int) -> int:
    """Cut an instant to whole seconds, the precision in which these platforms stamp."""
    return us - us % SECOND_US


def crm_insert(world: World, kind: str, row: Row, actor: str = INTEGRATION, key: str = "") -> Row:
    """Insert a Salesforce row with id and audit stamps; `key` is what it belongs to."""
    row_id = row.get("Id") or salesforce_id(KEY_PREFIX[kind], world.next_number(f"salesforce.{kind}", key))
    now = whole_seconds(world.clock_us("salesforce"))
    stamps = {"CreatedDate": now, "CreatedById": actor, "IsDeleted": False}
    if kind not in _APPEND_ONLY:
        stamps |= {"SystemModstamp": now, "LastModifiedDate": now, "LastModifiedById": actor}
    full = {"Id": row_id} | row | stamps
    world.salesforce[kind][row_id] = full
    return full


def crm_update(world: World, row: Row, actor: str = INTEGRATION, **changes: Any) -> None:
    """Change a Salesforce row and move its stamps; tracked fields of an account leave history."""
    if row["Id"].startswith(KEY_PREFIX["Account"]):
        for name in _TRACKED:
            if name in changes and row.get(name) != changes[name]:
                _write_account_history(world, row, name, changes[name], actor)
    now = whole_seconds(world.clock_us("salesforce"))
    row.update(changes, SystemModstamp=now, LastModifiedDate=now, LastModifiedById=actor)


def _write_account_history(world: World, row: Row, name: str, value: Any, actor: str) -> None:
    change = {"AccountId": row["Id"], "Field": name, "OldValue": _text(row.get(name)), "NewValue": _text(value)}
    crm_insert(world, "AccountHistory", change, actor, row["Id"])


def billing_insert(world: World, row: Row, event: str | None = None) -> Row:
    """Insert a Stripe object and emit its event."""
    row.setdefault("created", world.clock_us("stripe") // SECOND_US)
    row.setdefault("livemode", True)
    row.setdefault("metadata", {})
    world.stripe[row["object"]][row["id"]] = row
    if event:
        billing_event(world, event, row)
    return row


def billing_update(world: World, row: Row, event: str, **changes: Any) -> None:
    """Change a Stripe object and emit its event."""
    previous = {name: row.get(name) for name in changes}
    row.update(changes)
    billing_event(world, event, row, previous)


def billing_event(world: World, event: str, row: Row, previous: Row | None = None) -> None:
    """Append to the events feed a snapshot of the object as it is now."""
    if not world.in_history():
        return  # older than the feed keeps
    number = world.next_number("stripe.event")
    identifier = stripe_id("evt", world.seed, event, row["id"], world.now_us, number)
    data: Row = {"object": _snapshot(row)}
    if previous is not None and event.endswith(".updated"):
        data["previous_attributes"] = _snapshot(previous)
    world.stripe["event"][identifier] = {
        "id": identifier, "object": "event", "api_version": API_VERSION, "created": world.clock_us("stripe") // SECOND_US,
        "type": event, "data": data, "livemode": True, "pending_webhooks": 0, "request": {"id": None, "idempotency_key": None},
    }  # fmt: skip


def erp_insert(world: World, table: str, row: Row, actor: int = ERP_INTEGRATION) -> Row:
    """Insert a NetSuite row with a number of its own and stamps."""
    row_id = row.get("id") or 1000 + world.next_number(f"netsuite.{table}")
    now = whole_seconds(world.clock_us("netsuite"))
    created = "datecreated" if table == "customer" else "createddate"
    full = {"id": row_id} | row | {created: now, "lastmodifieddate": now, "lastmodifiedby": actor}
    if table == "transaction":
        full["createdby"] = actor
    world.netsuite[table][row_id] = full
    return full


def erp_update(world: World, table: str, row: Row, actor: int = ERP_INTEGRATION, **changes: Any) -> None:
    """Change a NetSuite row, move its stamp, leave system notes."""
    now = whole_seconds(world.clock_us("netsuite"))
    for name, value in changes.items():
        if row.get(name) != value:
            number = world.next_number("netsuite.systemnote")
            world.netsuite["systemnote"][number] = {
                "id": number, "date": now, "field": name, "oldvalue": _text(row.get(name)), "newvalue": _text(value),
                "recordid": row["id"], "record": table, "recordtypeid": -30 if table == "transaction" else -2,
                "name": actor, "context": "RST" if actor == ERP_INTEGRATION else "UIF",
            }  # fmt: skip
    row.update(changes, lastmodifieddate=now, lastmodifiedby=actor)


def erp_delete(world: World, table: str, row: Row, kind: str) -> None:
    """Delete a NetSuite row and leave its trace in the deleted-record log."""
    world.netsuite[table].pop(row["id"])
    number = world.next_number("netsuite.deletedrecord")
    world.netsuite["deletedrecord"][number] = {
        "id": number, "recordid": row["id"], "scriptid": kind.lower(), "recordtypeid": -30, "type": kind,
        "deleteddate": whole_seconds(world.clock_us("netsuite")), "name": row.get("tranid") or row.get("entityid"), "deletedby": ERP_CLERK,
    }  # fmt: skip


def support_insert(world: World, kind: str, row: Row) -> Row:
    """Insert a Zendesk row."""
    number = world.next_number(f"zendesk.{kind}") + {"organization": 4500, "user": 9000, "ticket": 3000}.get(
        kind, 70_000
    )
    now = whole_seconds(world.clock_us("zendesk"))
    full = {"id": number} | row | {"created_at": now, "updated_at": now, "generated_timestamp": now}
    world.zendesk[kind][number] = full
    return full


def support_update(world: World, row: Row, **changes: Any) -> None:
    """Change a Zendesk row; its generated stamp moves with it."""
    now = whole_seconds(world.clock_us("zendesk"))
    row.update(changes, updated_at=now, generated_timestamp=now)


def _text(value: object) -> str | None:
    return None if value is None else str(value)


def _snapshot(value: Row) -> Row:
    """Copy what JSON can hold, deeply; many times faster than a general deep copy."""
    copied: Row = marshal.loads(marshal.dumps(value))
    return copied
