"""How is a deal quoted and approved before it is won? Quotes and approvals in the CRM; orders are elsewhere."""

from datetime import timedelta

from probes.sandbox.entities import major
from probes.sandbox.records import AUTOMATION, SALES_USERS, crm_insert, crm_update, whole_seconds
from probes.sandbox.world import Deal, Row, World

_APPROVAL_FROM_PERCENT = 10


def draw_up(world: World, deal: Deal) -> Row:
    """Write the quote of what a deal is worth now; a high discount goes through an approval first."""
    rng = world.rng("quote", deal.key, deal.row["Revision__c"])
    number = world.next_number("quote", deal.key)
    discount = rng.choice((0, 0, 0, 5, 7, 10, 15))
    total = major(deal.net_minor(), deal.currency)
    owner = deal.row["OwnerId"]
    deal.quote = crm_insert(world, "Quote", {
        "QuoteNumber": f"{number:08d}", "Name": deal.row["Name"], "OpportunityId": deal.id, "AccountId": deal.customer.id,
        "Status": "Draft", "TotalPrice": total, "GrandTotal": total, "Discount": discount, "CurrencyIsoCode": deal.currency,
        "IsSyncing": True, "ExpirationDate": world.today(deal.customer.entity) + timedelta(days=30),
        "Legal_Entity__c": deal.customer.entity.code,
    }, owner, deal.key)  # fmt: skip
    if discount < _APPROVAL_FROM_PERCENT:
        crm_update(world, deal.quote, owner, Status="Presented")
        return deal.quote
    approval = submit(world, deal, deal.quote)
    world.after(rng.uniform(300, 5 * 3600), lambda: approve(world, approval))
    return deal.quote


def submit(world: World, deal: Deal, quote: Row) -> Row:
    """Ask for the approval of a quote."""
    owner = deal.row["OwnerId"]
    crm_update(world, quote, owner, Status="In Review")
    body = {"TargetObjectId": quote["Id"], "Status": "Pending", "SubmittedById": owner, "CompletedDate": None}
    return crm_insert(world, "ProcessInstance", body | {"LastActorId": owner}, owner, deal.key)


def approve(world: World, approval: Row) -> None:
    """Approve a quote, unless its deal was closed meanwhile."""
    if approval["Status"] != "Pending":
        return
    now, boss = whole_seconds(world.clock_us("salesforce")), SALES_USERS[0]
    crm_update(world, approval, boss, Status="Approved", CompletedDate=now, LastActorId=boss)
    quote = world.salesforce["Quote"][approval["TargetObjectId"]]
    if quote["Status"] == "In Review":
        crm_update(world, quote, boss, Status="Approved")


def accept(world: World, deal: Deal) -> None:
    """Accept the quote of a deal that is won, for what it is worth now; pending approvals are given with it."""
    if deal.quote is None:
        draw_up(world, deal)
    assert deal.quote is not None  # just drawn up
    for approval in _pending(world, deal.quote):
        approve(world, approval)
    total = major(deal.net_minor(), deal.currency)
    crm_update(world, deal.quote, deal.row["OwnerId"], Status="Accepted", TotalPrice=total, GrandTotal=total)


def deny(world: World, deal: Deal) -> None:
    """Close the quote of a deal that is lost."""
    if deal.quote is not None and deal.quote["Status"] != "Denied":
        for approval in _pending(world, deal.quote):
            crm_update(world, approval, AUTOMATION, Status="Removed")
        crm_update(world, deal.quote, deal.row["OwnerId"], Status="Denied", IsSyncing=False)


def amend(world: World, deal: Deal) -> None:
    """Replace the accepted quote of an amended deal by one over what it is worth now."""
    if deal.quote is not None:
        crm_update(world, deal.quote, deal.row["OwnerId"], IsSyncing=False)
    deal.quote = None
    accept(world, deal)


def _pending(world: World, quote: Row) -> list[Row]:
    if quote["Status"] != "In Review":
        return []
    rows = world.salesforce["ProcessInstance"].values()
    return [row for row in rows if row["TargetObjectId"] == quote["Id"] and row["Status"] == "Pending"]
