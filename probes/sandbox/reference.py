"""How do products, prices, tax codes and ledger accounts reach every platform? Stock, launches and price changes."""

from dataclasses import dataclass
from typing import Any

from probes.sandbox import catalog
from probes.sandbox.catalog import FACTORS_PERCENT, PRODUCTS, Product, monthly_minor, tax_rate_id
from probes.sandbox.clock import SECOND_US
from probes.sandbox.entities import major
from probes.sandbox.randoms import heavy_us, stripe_id
from probes.sandbox.records import (
    ERP_CLERK,
    SALES_USERS,
    billing_insert,
    billing_update,
    crm_insert,
    crm_update,
    erp_insert,
    erp_update,
    whole_seconds,
)
from probes.sandbox.world import Row, World

CAP_SECONDS = 20 * 3600
TAX_CODES = (("VAT-DE-19", "DE", None, 19_000), ("TAX-US-0", "US", None, 0), ("TAX-US-NY", "US", "NY", 8_875),
             ("CT-JP-10", "JP", None, 10_000))  # fmt: skip
_ACCOUNTS = (
    (1100, "Accounts Receivable", "AcctRec"), (2200, "Tax Payable", "OthCurrLiab"), (2400, "Deferred Revenue", "DeferRevenue"),
    (4000, "Revenue Software", "Income"), (4010, "Revenue Services", "Income"), (4020, "Revenue Hardware", "Income"),
)  # fmt: skip
INCOME = {"Software": 4000, "Services": 4010, "Hardware": 4020}
DEPARTMENTS = {"Software": 1, "Services": 2, "Hardware": 3}
STANDARD_BOOK = "01s000000000001AAA"
_FAMILY_TAX = {"Software": "standard", "Services": "standard", "Hardware": "standard"}


@dataclass
class Launched:
    """One product in every platform; None where it has not arrived."""

    product: Product
    crm: Row
    billing: Row | None = None
    erp: Row | None = None


def stock(world: World) -> None:
    """Put accounts, departments, tax codes, products and prices onto the shelves of CRM, billing and ERP."""
    _ledger_tables(world)
    for product in PRODUCTS:
        made = launch(world, product, "stock")
        to_billing(world, made)
        to_erp(world, made)
    for _code, country, state, rate_e5 in TAX_CODES:
        world.stripe["tax_rate"][tax_rate_id(rate_e5)] = {
            "id": tax_rate_id(rate_e5), "object": "tax_rate", "active": True, "created": world.now_us // SECOND_US,
            "display_name": f"Tax {country}{'-' + state if state else ''}", "country": country, "inclusive": False,
            "percentage": rate_e5 / 1000, "jurisdiction": f"{country}-{state}" if state else country, "livemode": True,
            "metadata": {}, "state": state,
        }  # fmt: skip


def _ledger_tables(world: World) -> None:
    now = whole_seconds(world.now_us)
    for number, name, kind in _ACCOUNTS:
        world.netsuite["account"][number] = {
            "id": number, "acctnumber": str(number), "accountsearchdisplayname": f"{number} {name}", "accttype": kind,
            "isinactive": "F", "lastmodifieddate": now,
        }  # fmt: skip
    for name, number in DEPARTMENTS.items():
        row = {"id": number, "name": name, "isinactive": "F", "lastmodifieddate": now}
        world.netsuite["department"][number] = row
    for number, (code, country, state, rate_e5) in enumerate(TAX_CODES, start=1):
        erp_insert(world, "salestaxitem", {
            "id": number, "itemid": code, "externalid": tax_rate_id(rate_e5), "rate": major(rate_e5, "EUR") / 10,
            "nexuscountry": country, "state": state, "isinactive": "F",
        })  # fmt: skip


def launch(world: World, product: Product, key: str) -> Launched:
    """Create a product with its prices in the CRM, the authority of both."""
    owner = SALES_USERS[0]
    row = crm_insert(world, "Product2", {
        "Name": product.name, "ProductCode": product.code, "IsActive": True, "Family": product.family,
        "StockKeepingUnit": product.code, "Tax_Code__c": _FAMILY_TAX[product.family],
        "GL_Account__c": str(INCOME[product.family]), "Department__c": product.family,
    }, owner, key)  # fmt: skip
    for currency in FACTORS_PERCENT:
        crm_insert(world, "PricebookEntry", {
            "Product2Id": row["Id"], "ProductCode": product.code, "CurrencyIsoCode": currency, "IsActive": True,
            "UnitPrice": major(monthly_minor(product, currency), currency), "Pricebook2Id": STANDARD_BOOK,
        }, owner, key)  # fmt: skip
    made = Launched(product, row)
    world.products.append(made)
    return made


def launch_soon(world: World, product: Product, key: str) -> Launched:
    """Create a product and let billing and ERP follow within the day."""
    made = launch(world, product, key)
    rng = world.rng("launch", key)
    world.at(world.now_us + heavy_us(rng, 3600, CAP_SECONDS), lambda: to_billing(world, made))
    world.at(world.now_us + heavy_us(rng, 5400, CAP_SECONDS), lambda: to_erp(world, made))
    return made


def to_billing(world: World, made: Launched) -> None:
    """Create a product and its prices in billing."""
    if made.billing is not None:
        return
    product = made.product
    made.billing = billing_insert(world, {
        "id": stripe_id("prod", product.code), "object": "product", "name": product.name, "active": True, "type": "service",
        "updated": world.now_us // SECOND_US, "tax_code": "txcd_10103001",
        "metadata": {"product_code": product.code, "salesforce_product_id": made.crm["Id"]},
    }, "product.created")  # fmt: skip
    for currency in FACTORS_PERCENT:
        unit = monthly_minor(product, currency)
        _price(world, catalog.price_id(product.code, currency), made, currency, unit)


def _price(world: World, identifier: str, made: Launched, currency: str, unit: int) -> Row:
    assert made.billing is not None  # a price belongs to a product
    return billing_insert(world, {
        "id": identifier, "object": "price", "product": made.billing["id"], "currency": currency.lower(), "active": True,
        "unit_amount": unit, "unit_amount_decimal": str(unit), "type": "recurring", "billing_scheme": "per_unit",
        "lookup_key": f"{made.product.code}-{currency}",
        "recurring": {"interval": "month", "interval_count": 1, "usage_type": "licensed"},
    }, "price.created")  # fmt: skip


def to_erp(world: World, made: Launched) -> None:
    """Create the item in the ERP with its income account and department."""
    if made.erp is not None:
        return
    product = made.product
    made.erp = erp_insert(world, "item", {
        "id": world.next_number("netsuite.item"), "itemid": product.code, "displayname": product.name,
        "itemtype": "InvtPart" if product.family == "Hardware" else "Service", "isinactive": "F",
        "externalid": made.crm["Id"], "custitem_stripe_product": stripe_id("prod", product.code),
        "custitem_tax_code": made.crm["Tax_Code__c"], "incomeaccount": INCOME[product.family],
        "department": DEPARTMENTS[product.family],
    })  # fmt: skip


def change_price(world: World, made: Launched, currency: str, unit_minor: int, follows: bool = True) -> Row:
    """Set another list price in the CRM; billing gets a new price that takes over the look-up key.

    Returns: the changed price-book entry.
    """
    code = made.product.code
    entries = world.salesforce["PricebookEntry"].values()
    entry = next(e for e in entries if e["ProductCode"] == code and e["CurrencyIsoCode"] == currency)
    crm_update(world, entry, SALES_USERS[0], UnitPrice=major(unit_minor, currency))
    if follows:
        rng = world.rng("price-change", code, currency, world.now_us)
        world.at(world.now_us + heavy_us(rng, 3600, CAP_SECONDS), lambda: follow_price(world, made, currency))
    return entry


def follow_price(world: World, made: Launched, currency: str) -> None:
    """Bring the price of billing to what the CRM says now."""
    code = made.product.code
    key = f"{code}-{currency}"
    entries = world.salesforce["PricebookEntry"].values()
    entry = next(e for e in entries if e["ProductCode"] == code and e["CurrencyIsoCode"] == currency)
    unit = int(entry["UnitPrice"] / major(1, currency))
    former = next((p for p in world.stripe["price"].values() if p["lookup_key"] == key), None)
    if former is None or former["unit_amount"] == unit:
        return
    billing_update(world, former, "price.updated", active=False, lookup_key=None)
    serial = world.next_number(f"price.{key}")
    _price(world, stripe_id("price", code, currency, serial), made, currency, unit)


def correct_item(world: World, made: Launched, **changes: Any) -> None:
    """Let a clerk change an item of the ERP."""
    assert made.erp is not None  # only what is there can be changed
    erp_update(world, "item", made.erp, ERP_CLERK, **changes)


def new_product(world: World, key: str) -> Product:
    """Make up a product that nobody has bought yet."""
    number = world.next_number("product", key)
    rng = world.rng("product", key)
    family = rng.choice(tuple(INCOME))
    return Product(f"NW-X{number:03d}", f"Northwind Extra {number}", rng.randint(500, 30_000), family)


def live_a_day(world: World, key: str) -> None:
    """Launch a product now and then, and change a list price now and then."""
    rng = world.rng("reference-day", key)
    if rng.random() < 0.12:
        launch_soon(world, new_product(world, f"launch/{key}"), f"launch/{key}")
    if rng.random() < 0.2:
        made = rng.choice([m for m in world.products if m.billing is not None and m.erp is not None])
        currency = rng.choice(tuple(FACTORS_PERCENT))
        change_price(world, made, currency, monthly_minor(made.product, currency) * rng.randint(101, 112) // 100)
