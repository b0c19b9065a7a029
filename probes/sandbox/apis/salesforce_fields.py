"""Which fields do the sandbox's Salesforce objects have, and of which type? Data for queries and describe."""

_AUDIT = {
    "Id": "id", "IsDeleted": "boolean", "CreatedDate": "datetime", "CreatedById": "reference", "SystemModstamp": "datetime",
    "LastModifiedDate": "datetime", "LastModifiedById": "reference",
}  # fmt: skip
FIELDS: dict[str, dict[str, str]] = {
    "Account": _AUDIT | {
        "Name": "string", "AccountNumber": "string", "Type": "picklist", "ParentId": "reference", "MasterRecordId": "reference",
        "Legal_Entity__c": "picklist", "Segment__c": "picklist", "Region__c": "picklist", "VAT_Id__c": "string",
        "Payment_Terms__c": "picklist", "BillingStreet": "textarea", "BillingCity": "string", "BillingPostalCode": "string",
        "BillingCountry": "string", "CurrencyIsoCode": "picklist", "Phone": "phone", "Is_Test__c": "boolean",
        "Billed_Through_Parent__c": "boolean", "OwnerId": "reference",
    },
    "Opportunity": _AUDIT | {
        "Name": "string", "AccountId": "reference", "Amount": "currency", "CurrencyIsoCode": "picklist", "StageName": "picklist",
        "IsClosed": "boolean", "IsWon": "boolean", "Probability": "percent", "CloseDate": "date", "Description": "textarea",
        "Type": "picklist", "Legal_Entity__c": "picklist", "PO_Number__c": "string", "Revision__c": "double",
        "Bill_To__c": "reference", "Handover__c": "picklist", "Is_Test__c": "boolean", "OwnerId": "reference",
    },
    "OpportunityLineItem": _AUDIT | {
        "OpportunityId": "reference", "ProductCode": "string", "Quantity": "double", "UnitPrice": "currency",
        "TotalPrice": "currency", "Legal_Entity__c": "picklist", "CurrencyIsoCode": "picklist",
    },
    "OpportunityHistory": {
        "Id": "id", "IsDeleted": "boolean", "CreatedDate": "datetime", "CreatedById": "reference", "OpportunityId": "reference",
        "StageName": "picklist", "Amount": "currency", "CloseDate": "date", "Probability": "percent",
        "CurrencyIsoCode": "picklist",
    },
    "User": _AUDIT | {"Name": "string", "UserType": "picklist", "IsActive": "boolean", "Username": "string"},
    "Organization": _AUDIT | {
        "Name": "string", "IsSandbox": "boolean", "DefaultCurrencyIsoCode": "picklist", "OrganizationType": "picklist",
        "InstanceName": "string",
    },
}  # fmt: skip
RELATIONS = {  # relationship name -> (field that holds the id, object it names)
    "Account": ("AccountId", "Account"), "Parent": ("ParentId", "Account"), "Owner": ("OwnerId", "User"),
    "CreatedBy": ("CreatedById", "User"), "LastModifiedBy": ("LastModifiedById", "User"),
    "Opportunity": ("OpportunityId", "Opportunity"), "Bill_To__r": ("Bill_To__c", "Account"),
}  # fmt: skip
UNIQUE_EXTERNAL = {"Account": ("AccountNumber",), "Opportunity": ("PO_Number__c",)}
CANONICAL = {kind.lower(): kind for kind in FIELDS}


def canonical_field(kind: str, name: str) -> str | None:
    """Return a field in its own spelling; names are not case-sensitive."""
    return next((known for known in FIELDS[kind] if known.lower() == name.lower()), None)
