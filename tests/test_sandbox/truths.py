"""Which deadlines did the company break, judging by the platforms' own tables alone? It reads no plan and no journal."""

from collections.abc import Iterator
from itertools import pairwise

from probes.sandbox.clock import HOUR_US, SECOND_US, local_date
from probes.sandbox.world import Row, World

ENTITY_OF_SUBSIDIARY = {2: "NW-DE", 3: "NW-US", 4: "NW-JP"}


def clean(text: str | None) -> str:
    """Undo the dirt of a key that is not a Salesforce id."""
    return (text or "").strip().lstrip("0")


def account_names(world: World) -> dict[str, str]:
    """Map every careless spelling of an account id, without its spaces, to the id: 15 characters, or 18 in any case.

    The id of an account that was merged away is a former id of the one it was merged into.
    """
    ids = {row_id: row["MasterRecordId"] or row_id for row_id, row in world.salesforce["Account"].items()}
    return {row_id[:15]: now for row_id, now in ids.items()} | {row_id.upper(): now for row_id, now in ids.items()}


def account_of(names: dict[str, str], text: str | None) -> str | None:
    """Return the account a dirty reference names."""
    bare = (text or "").strip()
    return names.get(bare if len(bare) == 15 else bare.upper())


def late_orders(world: World) -> Iterator[str]:
    """Yield every revision and entity whose order was not in the ERP four hours after the win or the amendment."""
    orders = _orders(world)
    notes = _revision_notes(world)
    lines, histories = _by_deal(world, "OpportunityLineItem"), _by_deal(world, "OpportunityHistory")
    for deal in world.salesforce["Opportunity"].values():
        if deal["Is_Test__c"] or deal["Handover__c"] == "None" or deal["IsDeleted"]:
            continue
        entities = {row["Legal_Entity__c"] for row in lines[deal["Id"]]}
        for revision, (at_us, until_us) in enumerate(won_spans(histories[deal["Id"]]), start=1):
            due_us = at_us + 4 * HOUR_US
            if at_us < world.history_from_us or due_us > world.now_us or until_us <= due_us:
                continue
            for entity in entities:
                order = orders.get((deal["PO_Number__c"], entity))
                if order is None or _seen_us(order, notes, revision) > due_us:
                    yield f"{deal['Id']} revision {revision} in {entity}"


def won_spans(rows: list[Row]) -> list[tuple[int, int]]:
    """List from when to when each revision of a deal was in force, from its history alone."""
    spans = []
    for row, following in pairwise([*rows, None]):
        if row is not None and row["StageName"] == "Closed Won":
            spans.append((row["CreatedDate"], following["CreatedDate"] if following else 1 << 62))
    return spans


def late_invoices(world: World) -> Iterator[str]:
    """Yield every finalised invoice that no posted document or tying summary shows 24 hours later."""
    posted = {clean(row["otherrefnum"] or row["tranid"]).upper(): row for row in _transactions(world, "CustInvc")}
    summaries = {row["externalid"]: row for row in _transactions(world, "Journal")}
    notes = [note for note in world.netsuite["systemnote"].values() if note["field"] == "posting"]
    posted_us = {note["recordid"]: note["date"] for note in notes}
    for invoice in world.stripe["invoice"].values():
        finalised = invoice["status_transitions"]["finalized_at"]
        if finalised is None or invoice["total"] == 0 or finalised * SECOND_US + 24 * HOUR_US > world.now_us:
            continue
        due_us = finalised * SECOND_US + 24 * HOUR_US
        if invoice["metadata"]["legal_entity"] == "NW-JP":
            day = local_date(finalised * SECOND_US, "Asia/Tokyo")
            row = summaries.get(f"SUM-NW-JP-{invoice['currency'].upper()}-{day}")
        else:
            row = posted.get(clean(invoice["number"]).upper())
        if row is None or max(row["createddate"], posted_us.get(row["id"], 0)) > due_us:
            yield invoice["id"]


def late_customers(world: World) -> Iterator[str]:
    """Yield every account that is not in billing, ERP and support 24 hours after its creation."""
    names = account_names(world)
    billed_rows = list(world.stripe["customer"].values())[::-1]  # the first id of a customer counts, not a second one
    in_billing = {account_of(names, row["metadata"]["salesforce_account_id"]): row for row in billed_rows}
    in_support = {account_of(names, row["external_id"]): row for row in world.zendesk["organization"].values()}
    booked_rows = list(world.netsuite["customer"].values())[::-1]
    in_erp = {clean(row["entityid"]).upper(): row for row in booked_rows}
    for account in world.salesforce["Account"].values():
        due_us = account["CreatedDate"] + 24 * HOUR_US
        if (
            account["Is_Test__c"]
            or account["Billed_Through_Parent__c"]
            or account["IsDeleted"]
            or due_us > world.now_us
        ):
            continue
        key = account["Id"]
        billed, supported, booked = in_billing.get(key), in_support.get(key), in_erp.get(account["AccountNumber"])
        if billed is None or billed["created"] * SECOND_US > due_us:
            yield f"{account['Id']} in billing"
        if supported is None or supported["created_at"] > due_us:
            yield f"{account['Id']} in support"
        if booked is None or booked["datecreated"] > due_us:
            yield f"{account['Id']} in the ERP"


def late_subscriptions(world: World) -> Iterator[str]:
    """Yield every won deal that has no subscription an hour after its win."""
    started = {
        row["metadata"]["salesforce_opportunity_id"]: row["created"] * SECOND_US
        for row in world.stripe["subscription"].values()
    }
    histories = _by_deal(world, "OpportunityHistory")
    for deal in world.salesforce["Opportunity"].values():
        spans = [span for span in won_spans(histories[deal["Id"]]) if span[0] >= world.history_from_us]
        if deal["Is_Test__c"] or not spans or deal["IsDeleted"] or deal.get("Renewed_Contract__c"):
            continue
        due_us = spans[0][0] + HOUR_US
        if (
            due_us < min(world.now_us, spans[-1][1])
            and spans[0][1] > due_us
            and started.get(deal["Id"], 1 << 62) > due_us
        ):
            yield str(deal["Id"])


def untied_invoices(world: World) -> Iterator[str]:
    """Yield every ERP invoice whose money is not billing's to the minor unit, and every summary that does not tie."""
    by_number = {row["number"]: row for row in world.stripe["invoice"].values() if row["number"]}
    for row in _transactions(world, "CustInvc"):
        invoice = by_number[clean(row["otherrefnum"] or row["tranid"]).upper()]
        scale = 1 if invoice["currency"] == "jpy" else 100
        want = (invoice["total"], invoice["total_excluding_tax"], invoice["total_taxes"][0]["amount"])
        if tuple(row[name] * scale for name in ("foreigntotal", "netamount", "taxtotal")) != want:
            yield str(row["tranid"])
    sums: dict[str, int] = {}
    for invoice in world.stripe["invoice"].values():
        finalised = invoice["status_transitions"]["finalized_at"]
        if finalised is not None and invoice["metadata"]["legal_entity"] == "NW-JP":
            key = f"SUM-NW-JP-{invoice['currency'].upper()}-{local_date(finalised * SECOND_US, 'Asia/Tokyo')}"
            sums[key] = sums.get(key, 0) + invoice["total"]
    for row in _transactions(world, "Journal"):
        scale = 1 if "-JPY-" in row["externalid"] else 100
        if row["externalid"].startswith("SUM") and row["foreigntotal"] * scale != sums[row["externalid"]]:
            yield str(row["externalid"])


def _by_deal(world: World, kind: str) -> dict[str, list[Row]]:
    found: dict[str, list[Row]] = {}
    for row in world.salesforce[kind].values():
        found.setdefault(row["OpportunityId"], []).append(row)
    return found


def _transactions(world: World, kind: str) -> list[Row]:
    return [row for row in world.netsuite["transaction"].values() if row["type"] == kind]


def _orders(world: World) -> dict[tuple[str, str], Row]:
    return {
        (row["otherrefnum"], ENTITY_OF_SUBSIDIARY[row["subsidiary"]]): row for row in _transactions(world, "SalesOrd")
    }


def _revision_notes(world: World) -> dict[int, list[Row]]:
    notes: dict[int, list[Row]] = {}
    for note in world.netsuite["systemnote"].values():
        if note["field"] == "custbody_sf_revision":
            notes.setdefault(note["recordid"], []).append(note)
    return notes


def _seen_us(order: Row, notes: dict[int, list[Row]], revision: int) -> int:
    """Return when an order first showed a revision or a later one."""
    own = notes.get(order["id"], [])
    first = int(own[0]["oldvalue"]) if own else order["custbody_sf_revision"]
    if first >= revision:
        return int(order["createddate"])
    return next((int(note["date"]) for note in own if int(note["newvalue"]) >= revision), 1 << 62)
