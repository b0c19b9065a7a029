"""Which columns do the sandbox's SuiteQL tables have, and of which type? Data for queries and the metadata catalogue."""

_TRANSACTION = {
    "id": "id", "type": "text", "tranid": "text", "externalid": "text", "otherrefnum": "text", "status": "text", "entity": "id",
    "subsidiary": "id", "currency": "id", "exchangerate": "decimal", "foreigntotal": "decimal", "netamount": "decimal",
    "taxtotal": "decimal", "foreignamountunpaid": "decimal", "foreignamountpaid": "decimal",
    "foreignpaymentamountused": "decimal", "foreignpaymentamountunused": "decimal", "trandate": "date", "duedate": "date",
    "postingperiod": "id", "posting": "text", "voided": "text", "approvalstatus": "id", "createddate": "datetime",
    "lastmodifieddate": "datetime", "createdby": "id", "lastmodifiedby": "id", "memo": "text", "terms": "id",
    "custbody_sf_opportunity": "text", "custbody_sf_revision": "id", "custbody_end_customer": "id", "createdfrom": "id",
    "custbody_contract_number": "text", "custbody_contract_value": "decimal", "startdate": "date", "enddate": "date", "shipstatus": "text",
}  # fmt: skip
_LINK = {
    "id": "id", "previousdoc": "id", "previousline": "id", "previoustype": "text", "nextdoc": "id", "nextline": "id",
    "nexttype": "text", "linktype": "text", "foreignamount": "decimal", "lastmodifieddate": "datetime",
}  # fmt: skip
COLUMNS: dict[str, dict[str, str]] = {
    "transaction": _TRANSACTION,
    "transactionline": {
        "uniquekey": "id", "transaction": "id", "id": "id", "linesequencenumber": "id", "mainline": "text", "item": "id",
        "quantity": "decimal", "foreignamount": "decimal", "subsidiary": "id", "memo": "text", "createdfrom": "id",
        "linelastmodifieddate": "datetime", "account": "id", "department": "id", "taxcode": "id",
    },
    "nexttransactionlinelink": _LINK,
    "previoustransactionlinelink": _LINK,
    "customer": {
        "id": "id", "entityid": "text", "companyname": "text", "externalid": "text", "email": "text",
        "custentity_stripe_customer": "text", "subsidiary": "id", "currency": "id", "isinactive": "text", "isperson": "text",
        "vatregnumber": "text", "terms": "id", "billaddr1": "text", "billcity": "text", "billzip": "text", "billcountry": "text",
        "parent": "id", "creditholdoverride": "text", "custentity_dunning_flag": "text",
        "datecreated": "datetime", "lastmodifieddate": "datetime", "lastmodifiedby": "id",
    },
    "subsidiary": {
        "id": "id", "name": "text", "legalname": "text", "parent": "id", "isinactive": "text", "currency": "id",
        "country": "text", "fiscalcalendar": "text",
    },
    "currency": {"id": "id", "symbol": "text", "name": "text", "isinactive": "text"},
    "term": {"id": "id", "name": "text", "daysuntilnetdue": "id"},
    "employee": {"id": "id", "entityid": "text", "isinactive": "text"},
    "item": {
        "id": "id", "itemid": "text", "displayname": "text", "itemtype": "text", "isinactive": "text", "externalid": "text",
        "custitem_stripe_product": "text", "custitem_tax_code": "text", "incomeaccount": "id", "department": "id",
        "createddate": "datetime", "lastmodifieddate": "datetime", "lastmodifiedby": "id",
    },
    "salestaxitem": {
        "id": "id", "itemid": "text", "externalid": "text", "rate": "decimal", "nexuscountry": "text", "state": "text",
        "isinactive": "text", "createddate": "datetime", "lastmodifieddate": "datetime", "lastmodifiedby": "id",
    },
    "account": {
        "id": "id", "acctnumber": "text", "accountsearchdisplayname": "text", "accttype": "text", "isinactive": "text",
        "lastmodifieddate": "datetime",
    },
    "department": {"id": "id", "name": "text", "isinactive": "text", "lastmodifieddate": "datetime"},
    "revenueplan": {
        "id": "id", "recordnumber": "text", "externalid": "text", "createdfrom": "id", "revenuearrangement": "id",
        "amount": "decimal", "currency": "id", "subsidiary": "id", "revrecstartdate": "date", "revrecenddate": "date",
        "status": "text", "createddate": "datetime", "lastmodifieddate": "datetime", "lastmodifiedby": "id",
    },
    "accountingperiod": {
        "id": "id", "periodname": "text", "startdate": "date", "enddate": "date", "closed": "text", "arlocked": "text",
        "isposting": "text", "isquarter": "text", "isyear": "text", "fiscalcalendar": "text", "lastmodifieddate": "datetime",
    },
    "deletedrecord": {
        "id": "id", "recordid": "id", "recordtypeid": "id", "scriptid": "text", "type": "text", "deleteddate": "datetime",
        "deletedby": "id", "name": "text",
    },
    "systemnote": {
        "id": "id", "date": "datetime", "field": "text", "oldvalue": "text", "newvalue": "text", "recordid": "id",
        "record": "text", "recordtypeid": "id", "name": "id", "context": "text",
    },
    "dual": {"dummy": "text"},
}  # fmt: skip
STATUS_NAMES = {
    ("SalesOrd", "A"): "Sales Order : Pending Approval", ("SalesOrd", "B"): "Sales Order : Pending Fulfillment",
    ("SalesOrd", "C"): "Sales Order : Cancelled", ("SalesOrd", "G"): "Sales Order : Billed",
    ("SalesOrd", "H"): "Sales Order : Closed", ("CustInvc", "A"): "Invoice : Open", ("CustInvc", "B"): "Invoice : Paid In Full",
    ("CustInvc", "V"): "Invoice : Voided", ("CustPymt", "C"): "Payment : Deposited", ("CustCred", "A"): "Credit Memo : Open",
    ("CustCred", "B"): "Credit Memo : Fully Applied", ("Journal", "A"): "Journal : Approved for Posting",
    ("Estimate", "A"): "Estimate : Open", ("SalesOrd", "F"): "Sales Order : Pending Billing",
    ("ItemShip", "C"): "Item Fulfillment : Shipped", ("CustRfnd", "C"): "Customer Refund : Deposited",
    ("RevArrng", "A"): "Revenue Arrangement : Approved", ("RevArrng", "C"): "Revenue Arrangement : Cancelled",
}  # fmt: skip
TYPE_NAMES = {
    "SalesOrd": "Sales Order", "CustInvc": "Invoice", "CustPymt": "Payment", "CustCred": "Credit Memo", "Journal": "Journal",
    "Estimate": "Estimate", "ItemShip": "Item Fulfillment", "CustRfnd": "Customer Refund", "RevArrng": "Revenue Arrangement",
}  # fmt: skip
# column -> (table, column shown) for BUILTIN.DF
DISPLAY = {
    "entity": ("customer", "companyname"), "subsidiary": ("subsidiary", "name"), "currency": ("currency", "symbol"),
    "postingperiod": ("accountingperiod", "periodname"), "terms": ("term", "name"), "item": ("item", "itemid"),
    "lastmodifiedby": ("employee", "entityid"), "createdby": ("employee", "entityid"),
    "custbody_end_customer": ("customer", "companyname"), "createdfrom": ("transaction", "tranid"),
    "incomeaccount": ("account", "acctnumber"), "account": ("account", "acctnumber"), "department": ("department", "name"),
    "taxcode": ("salestaxitem", "itemid"), "revenuearrangement": ("transaction", "tranid"), "parent": ("customer", "companyname"),
}  # fmt: skip
