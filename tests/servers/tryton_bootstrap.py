"""How does a fresh Tryton database become the ERP of two legal entities? Runs in Tryton's own virtualenv, in process.

Usage: tryton_bootstrap.py TRYTOND_CONF DATABASE OUT_JSON MODULE…
Lab GmbH (EUR, Europe/Berlin) sells and invoices; Lab KK (JPY, Asia/Tokyo) posts by daily summary journal only. Users:
`integration` writes, `probe` reads. What came out (ids and REST keys) is written to OUT_JSON; all else goes over HTTP.
"""
# mypy: ignore-errors

from __future__ import annotations

import json
import sys
from decimal import Decimal
from pathlib import Path

from proteus import Model, Wizard
from proteus import config as proteus_config
from trytond import config as trytond_config

conf, database, out, *modules = sys.argv[1:]
trytond_config.update_etc(conf)
session = proteus_config.set_trytond(database, user="admin", config_file=conf)

module_model = Model.get("ir.module")
module_model.click(module_model.find([("name", "in", modules)]), "activate")
Wizard("ir.module.activate_upgrade").execute("upgrade")

# these helpers ship with the modules for their own scenario tests; importable only once the modules are active
from trytond.modules.account.tests.tools import create_chart, create_fiscalyear, create_tax, get_accounts  # noqa: E402
from trytond.modules.account_invoice.tests.tools import (  # noqa: E402
    create_payment_term,
    set_fiscalyear_invoice_sequences,
)

READABLE = [
    "party.party", "party.identifier", "party.address", "party.contact_mechanism", "sale.sale", "sale.line",
    "account.invoice", "account.invoice.line", "account.invoice.tax", "account.payment", "account.move",
    "account.move.line", "account.journal", "account.period", "account.fiscalyear", "account.account",
    "account.move.reconciliation", "account.statement", "account.statement.line", "company.company",
    "currency.currency", "product.product", "product.template", "account.tax", "account.invoice.payment_term",
    "ir.error", "ir.queue",
]  # fmt: skip


def currency(code, digits):
    """Make the currency of that code."""
    made = Model.get("currency.currency")(name=code, code=code, digits=digits, rounding=Decimal(1).scaleb(-digits))
    made.rates.new(rate=Decimal(1))
    made.save()
    return made


def company(name, of_currency, timezone):
    """Make a legal entity and let the administrator work in it."""
    users = Model.get("res.user")
    party = Model.get("party.party")(name=name)
    party.save()
    wizard = Wizard("company.company.config")
    wizard.execute("company")
    wizard.form.party, wizard.form.currency, wizard.form.timezone = party, of_currency, timezone
    wizard.execute("add")
    (made,) = Model.get("company.company").find([("party", "=", party.id)])
    (admin,) = users.find([("login", "=", "admin")])
    if made not in admin.companies:
        admin.companies.append(type(made)(made.id))
    admin.company, admin.company_filter = type(made)(made.id), "all"
    admin.save()
    session._context = users.get_preferences(True, {})
    return made


def books(of_company):
    """Give the entity a chart of accounts, a fiscal year with periods and invoice numbers."""
    create_chart(of_company)
    year = set_fiscalyear_invoice_sequences(create_fiscalyear(of_company))
    year.click("create_period")
    return get_accounts(of_company)


def selling(of_company, accounts):
    """Give the entity what it needs to sell, invoice and take money: tax, product, term, bank journal."""
    (journal,) = Model.get("account.journal").find([("code", "=", "STA")], limit=1)
    Model.get("account.statement.journal")(
        name="Bank", journal=journal, account=accounts["cash"], validation="number_of_lines"
    ).save()
    Model.get("account.payment.journal")(name="Manual", process_method="manual").save()
    tax = create_tax(Decimal(".19"), of_company)
    tax.save()
    category = Model.get("product.category")(name="Services", accounting=True)
    category.account_revenue, category.account_expense = accounts["revenue"], accounts["expense"]
    category.customer_taxes.append(tax)
    category.save()
    (unit,) = Model.get("product.uom").find([("name", "=", "Unit")])
    template = Model.get("product.template")(name="Seat", default_uom=unit, type="service", salable=True)
    template.list_price, template.account_category = Decimal("49.00"), category
    template.save()
    term = create_payment_term()
    term.save()
    return {"tax": tax.id, "product": template.products[0].id, "unit": unit.id, "payment_term": term.id}


def rest_key(login, groups, companies):
    """Make a user of all these entities with a validated key for the REST API. Returns: the key."""
    user = Model.get("res.user")(name=login.capitalize(), login=login, password=f"{login}-of-the-lab")
    user.groups.extend([type(group)(group.id) for group in groups])
    user.companies.extend([type(each)(each.id) for each in companies])
    user.company = type(companies[0])(companies[0].id)
    user.company_filter = "all"
    user.save()
    application = Model.get("res.user.application")(user=user, application="rest")
    application.save()
    if application.state != "validated":
        application.click("validate_")
    return application.key


def reading_group():
    """Make the group of the probe: it may read what an integration watches, and write nothing."""
    group = Model.get("res.group")(name="Probe")
    group.save()
    nothing = {"perm_write": False, "perm_create": False, "perm_delete": False}
    for name in READABLE:
        Model.get("ir.model.access")(model=name, group=group, perm_read=True, **nothing).save()
    return group


gmbh = company("Lab GmbH", currency("EUR", 2), "Europe/Berlin")
gmbh_accounts = books(gmbh)
made = selling(gmbh, gmbh_accounts)
kk = company("Lab KK", currency("JPY", 0), "Asia/Tokyo")
kk_accounts = books(kk)
writers = Model.get("res.group").find([("name", "!=", "Administration")])
facts = {
    "gmbh": {"company": gmbh.id, "currency": gmbh.currency.id, **made},
    "kk": {
        "company": kk.id,
        "currency": kk.currency.id,
        "accounts": {name: account.id for name, account in kk_accounts.items()},
        "journal": Model.get("account.journal").find([("code", "=", "REV")], limit=1)[0].id,
    },
    "integration_key": rest_key("integration", writers, (gmbh, kk)),
    "probe_key": rest_key("probe", [reading_group()], (gmbh, kk)),
}
Path(out).write_text(json.dumps(facts))
