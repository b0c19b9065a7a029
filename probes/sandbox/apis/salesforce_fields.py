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
        "Billed_Through_Parent__c": "boolean", "OwnerId": "reference", "Billing_Email__c": "email", "Payment_Risk__c": "boolean",
    },
    "AccountHistory": {
        "Id": "id", "IsDeleted": "boolean", "CreatedDate": "datetime", "CreatedById": "reference", "AccountId": "reference",
        "Field": "picklist", "OldValue": "string", "NewValue": "string",
    },
    "Lead": _AUDIT | {
        "Company": "string", "Email": "email", "Status": "picklist", "LeadSource": "picklist", "Territory__c": "picklist",
        "Legal_Entity__c": "picklist", "Qualified_At__c": "datetime", "IsConverted": "boolean", "ConvertedDate": "date",
        "ConvertedAccountId": "reference", "ConvertedOpportunityId": "reference", "OwnerId": "reference",
    },
    "Quote": _AUDIT | {
        "QuoteNumber": "string", "Name": "string", "OpportunityId": "reference", "AccountId": "reference", "Status": "picklist",
        "TotalPrice": "currency", "GrandTotal": "currency", "Discount": "percent", "CurrencyIsoCode": "picklist",
        "IsSyncing": "boolean", "ExpirationDate": "date", "Legal_Entity__c": "picklist",
    },
    "ProcessInstance": _AUDIT | {
        "TargetObjectId": "reference", "Status": "picklist", "SubmittedById": "reference", "CompletedDate": "datetime",
        "LastActorId": "reference",
    },
    "Product2": _AUDIT | {
        "Name": "string", "ProductCode": "string", "IsActive": "boolean", "Family": "picklist", "StockKeepingUnit": "string",
        "Tax_Code__c": "picklist", "GL_Account__c": "string", "Department__c": "string",
    },
    "PricebookEntry": _AUDIT | {
        "Product2Id": "reference", "ProductCode": "string", "UnitPrice": "currency", "CurrencyIsoCode": "picklist",
        "IsActive": "boolean", "Pricebook2Id": "reference",
    },
    "Contract": _AUDIT | {
        "ContractNumber": "string", "AccountId": "reference", "Opportunity__c": "reference", "Status": "picklist",
        "StartDate": "date", "EndDate": "date", "ContractTerm": "double", "Value__c": "currency",
        "CurrencyIsoCode": "picklist", "Legal_Entity__c": "picklist", "Renewal_Opportunity__c": "reference",
    },
    "Entitlement": _AUDIT | {
        "Name": "string", "AccountId": "reference", "Type": "picklist", "StartDate": "date", "EndDate": "date",
        "Status": "picklist", "Stripe_Subscription__c": "string", "Legal_Entity__c": "picklist",
    },
    "Case": _AUDIT | {
        "CaseNumber": "string", "AccountId": "reference", "EntitlementId": "reference", "Status": "picklist",
        "IsClosed": "boolean", "Priority": "picklist", "Origin": "picklist", "Zendesk_Ticket__c": "string",
        "Legal_Entity__c": "picklist",
    },
    "Opportunity": _AUDIT | {
        "Name": "string", "AccountId": "reference", "Amount": "currency", "CurrencyIsoCode": "picklist", "StageName": "picklist",
        "IsClosed": "boolean", "IsWon": "boolean", "Probability": "percent", "CloseDate": "date", "Description": "textarea",
        "Type": "picklist", "Legal_Entity__c": "picklist", "PO_Number__c": "string", "Revision__c": "double",
        "Bill_To__c": "reference", "Handover__c": "picklist", "Is_Test__c": "boolean", "OwnerId": "reference",
        "Renewed_Contract__c": "reference", "Trial_Outcome__c": "picklist",
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
    "Product2": ("Product2Id", "Product2"), "Renewed_Contract__r": ("Renewed_Contract__c", "Contract"),
    "Opportunity__r": ("Opportunity__c", "Opportunity"), "Entitlement": ("EntitlementId", "Entitlement"),
}  # fmt: skip
UNIQUE_EXTERNAL = {
    "Account": ("AccountNumber",), "Opportunity": ("PO_Number__c",), "Product2": ("ProductCode",),
    "Contract": ("ContractNumber",), "Case": ("Zendesk_Ticket__c",),
}  # fmt: skip
CANONICAL = {kind.lower(): kind for kind in FIELDS}


def canonical_field(kind: str, name: str) -> str | None:
    """Return a field in its own spelling; names are not case-sensitive."""
    return next((known for known in FIELDS[kind] if known.lower() == name.lower()), None)
