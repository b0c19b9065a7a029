"""What does the sandbox company sell, and to whom? Products, prices and made-up names; the platforms get them elsewhere."""

import random
from dataclasses import dataclass

from probes.sandbox.randoms import stripe_id


@dataclass(frozen=True)
class Product:
    """One product with its monthly list price in euro cents."""

    code: str
    name: str
    monthly_eur_minor: int
    family: str = "Software"


PRODUCTS = (
    Product("NW-CORE", "Northwind Core", 49_00),
    Product("NW-SEATS", "Northwind Seats", 12_50),
    Product("NW-ANALYTICS", "Northwind Analytics", 199_00),
    Product("NW-API", "Northwind API", 89_90),
    Product("NW-SUPPORT", "Premium Support", 149_00, "Services"),
    Product("NW-STORAGE", "Northwind Storage", 7_35, "Hardware"),
)
BY_CODE = {product.code: product for product in PRODUCTS}
FACTORS_PERCENT = {"EUR": 100, "USD": 110, "GBP": 86, "JPY": 163}
TERMS = {"Net 14": 4, "Net 30": 2, "Net 45": 5, "Net 60": 3}

_FIRST = (
    "Alder", "Birke", "Cedar", "Delta", "Ember", "Falke", "Gamma", "Hafen", "Iris", "Juno", "Kiefer", "Linde", "Merkur",
    "Nova", "Orion", "Pinie", "Quarz", "Rhein", "Sigma", "Tanne",
)  # fmt: skip
_SECOND = (
    "Werke", "Systems", "Logistics", "Energy", "Foods", "Medical", "Optics", "Print", "Robotics", "Textiles", "Water",
    "Steel", "Media", "Labs", "Travel", "Glass",
)  # fmt: skip
_LEGAL = {"DE": ("GmbH", "AG", "GmbH & Co. KG"), "US": ("Inc", "LLC", "Corp"), "JP": ("KK", "GK", "Co., Ltd.")}
_PLACES = {
    "DE": (("Berlin", "10115"), ("Hamburg", "20095"), ("München", "80331"), ("Köln", "50667"), ("Leipzig", "04109")),
    "US": (("New York", "10001"), ("Austin", "73301"), ("Boston", "02108"), ("Albany", "12207"), ("Denver", "80202")),
    "JP": (("Tokyo", "100-0001"), ("Osaka", "530-0001"), ("Nagoya", "450-0002"), ("Fukuoka", "810-0001")),
}
_STREETS = {"DE": "Lindenstraße {0}", "US": "{0} Main Street", "JP": "{0}-2 Marunouchi"}
REGIONS = {"DE": "EMEA", "US": "AMER", "JP": "APAC"}
NEW_YORK = ("New York", "Albany")


def monthly_minor(product: Product, currency: str) -> int:
    """Return the list price of a month in minor units; yen have no minor unit."""
    scaled = product.monthly_eur_minor * FACTORS_PERCENT[currency]
    return (scaled + 50) // 100


def company_name(rng: random.Random, country: str, number: int) -> str:
    """Make up a company name; the number keeps it unique."""
    return f"{rng.choice(_FIRST)} {rng.choice(_SECOND)} {number} {rng.choice(_LEGAL[country])}"


def address(rng: random.Random, country: str) -> dict[str, str]:
    """Make up a billing address, with Salesforce's field names."""
    city, postal_code = rng.choice(_PLACES[country])
    street = _STREETS[country].format(rng.randint(1, 180))
    return {
        "BillingStreet": street,
        "BillingCity": city,
        "BillingPostalCode": postal_code,
        "BillingCountry": country,
    }


def vat_id(rng: random.Random, country: str) -> str:
    """Make up a tax id in the shape of the country."""
    digits = "".join(rng.choice("0123456789") for _ in range(9))
    return {"DE": f"DE{digits}", "US": f"{digits[:2]}-{digits[2:]}", "JP": f"T{digits}0123"}[country]


def price_id(code: str, currency: str) -> str:
    """Return the Stripe price of a product in a currency."""
    return stripe_id("price", code, currency)


def tax_rate_id(rate_e5: int) -> str:
    """Return the Stripe tax rate of a rate given in hundred-thousandths."""
    return stripe_id("txr", rate_e5)
