"""Does NetSuite's own shape come back: signed sign-in, SuiteQL in the account's zone, text for every value?"""

import httpx
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
from joserfc import jwt
from joserfc.jwk import ECKey

from probes.sandbox import App, Company, inject

from .erp_client import Erp, ask_token, assertion, sign_in

STAMP = "'YYYY-MM-DD\"T\"HH24:MI:SS'"


def test_a_signed_assertion_gets_a_token_whose_life_is_text(web: httpx.Client, app: App) -> None:
    body = ask_token(web, assertion(app)).json()
    assert body["expires_in"] == "3600"
    assert body["token_type"] == "bearer"


@pytest.mark.parametrize(
    ("algorithm", "claims"),
    [
        ("RS256", {}),
        ("PS256", {"iss": "somebody"}),
        ("PS256", {"aud": "https://elsewhere.example.com/token"}),
        ("PS256", {"scope": ["restlets"]}),
        ("PS256", {"exp": 4_000_000_000}),
    ],
)
def test_a_wrong_assertion_is_refused(web: httpx.Client, app: App, algorithm: str, claims: dict[str, object]) -> None:
    answered = ask_token(web, assertion(app, algorithm, **claims))
    assert (answered.status_code, answered.json()["error"]) == (400, "invalid_client")


def test_an_assertion_signed_with_an_elliptic_curve_is_accepted(web: httpx.Client, app: App) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    app.served.account_key = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    now = app.served.now_us() // 1_000_000
    url = f"{app.served.base_url}/netsuite/services/rest/auth/oauth2/v1/token"
    claims = {"iss": "sandbox-netsuite-client", "scope": ["rest_webservices"], "aud": url, "iat": now, "exp": now + 60}
    header = {"alg": "ES256", "kid": "sandbox-netsuite-certificate"}
    signed = jwt.encode(header, claims, ECKey.import_key(private), algorithms=["ES256"])
    assert ask_token(web, signed).status_code == 200


def test_values_are_text_columns_lower_case_and_nulls_left_out(erp: Erp) -> None:
    row = erp.post(
        "SELECT T.ID, t.Entity AS Who, t.memo, t.foreigntotal FROM Transaction t WHERE t.memo IS NULL", limit=1
    ).json()
    item = row["items"][0]
    assert set(item) <= {"links", "id", "who", "foreigntotal"}
    assert all(isinstance(value, str) for name, value in item.items() if name != "links")


def test_times_are_in_the_accounts_zone_both_ways(erp: Erp, company: Company) -> None:
    now = erp.rows("SELECT TO_CHAR(SYSTIMESTAMP, 'YYYY-MM-DD\"T\"HH24:MI:SSTZH:TZM') AS n FROM dual")[0]["n"]
    assert now == "2026-11-19T06:00:00-08:00"
    rows = company.world.netsuite["transaction"].values()
    edge_us = company.start_us - 86_400_000_000
    found = erp.rows(
        f"SELECT t.id, TO_CHAR(t.lastmodifieddate, {STAMP}) AS changed FROM transaction t "
        f"WHERE t.lastmodifieddate >= TO_TIMESTAMP('2026-11-18T06:00:00', {STAMP}) ORDER BY t.id"
    )
    assert [int(row["id"]) for row in found] == sorted(row["id"] for row in rows if row["lastmodifieddate"] >= edge_us)
    assert min(row["changed"] for row in found) >= "2026-11-18T06:00:00"


def test_offset_pages_and_keyset_windows_return_every_row_once(erp: Erp, company: Company) -> None:
    everything = [int(row["id"]) for row in erp.rows("SELECT id FROM transactionline ORDER BY uniquekey")]
    assert len(everything) == len(company.world.netsuite["transactionline"]) > 400
    last, found = 0, []
    while True:
        page = erp.post(f"SELECT t.id FROM transaction t WHERE t.id > {last} ORDER BY t.id", limit=100).json()["items"]
        if not page:
            break
        found += [int(row["id"]) for row in page]
        last = found[-1]
    assert found == sorted(company.world.netsuite["transaction"])


def test_joins_display_values_and_groups_work(erp: Erp, company: Company) -> None:
    lines = erp.rows(
        "SELECT t.tranid, BUILTIN.DF(t.status) AS status, BUILTIN.DF(t.subsidiary) AS entity, BUILTIN.DF(tl.item) AS product, "
        "tl.quantity FROM transaction t INNER JOIN transactionline tl ON tl.transaction = t.id AND tl.mainline = 'F' "
        "WHERE t.type = 'SalesOrd' ORDER BY tl.uniquekey"
    )
    assert {line["entity"] for line in lines} == {"NW-DE", "NW-US", "NW-JP"}
    assert {line["status"].split(" : ")[0] for line in lines} == {"Sales Order"}
    assert all(line["product"].startswith("NW-") for line in lines)
    groups = erp.rows("SELECT t.type, COUNT(*) AS n, SUM(t.foreigntotal) AS total FROM transaction t GROUP BY t.type")
    assert sum(int(group["n"]) for group in groups) == len(company.world.netsuite["transaction"])


def test_a_payment_is_linked_to_its_invoice_with_the_applied_amount(erp: Erp) -> None:
    links = erp.rows(
        "SELECT l.foreignamount, i.tranid AS invoice, p.externalid AS intent, p.foreigntotal FROM nexttransactionlinelink l "
        "JOIN transaction i ON i.id = l.previousdoc JOIN transaction p ON p.id = l.nextdoc "
        "WHERE l.linktype = 'Payment' AND p.type = 'CustPymt'"
    )
    assert links
    assert all(link["foreignamount"] == link["foreigntotal"] and link["intent"].startswith("pi_") for link in links)


def test_the_japanese_entity_posts_one_summary_for_each_day(erp: Erp, company: Company) -> None:
    journals = erp.rows(
        "SELECT t.externalid, t.foreigntotal, t.netamount, t.taxtotal, TO_CHAR(t.trandate, 'YYYY-MM-DD') AS day "
        "FROM transaction t WHERE t.type = 'Journal' AND t.externalid LIKE 'SUM-%'"
    )
    assert journals
    for journal in journals:
        assert journal["externalid"].endswith(journal["day"])
        assert float(journal["foreigntotal"]) == float(journal["netamount"]) + float(journal["taxtotal"])
    invoices = "SELECT COUNT(*) AS n FROM transaction WHERE type = 'CustInvc' AND subsidiary = 4"
    assert erp.rows(invoices)[0]["n"] == "0"


def test_deleted_quotes_leave_a_trace(web: httpx.Client, app: App, company: Company) -> None:
    app.served.clock.step(25 * 86_400)
    web.get("/control/state")
    erp = sign_in(web, app)
    traces = erp.rows("SELECT recordid, type, TO_CHAR(deleteddate, 'YYYY-MM-DD') AS day FROM deletedrecord")
    assert {int(trace["recordid"]) for trace in traces} & set(company.world.netsuite["transaction"]) == set()
    assert traces


def test_records_are_read_by_id_and_by_external_id(erp: Erp, company: Company, web: httpx.Client) -> None:
    row = next(r for r in company.world.netsuite["customer"].values() if r["externalid"] and r["externalid"].isalnum())
    path = "/netsuite/services/rest/record/v1/customer"
    by_key = web.get(f"{path}/eid:{row['externalid']}", headers=erp.headers).json()
    assert by_key["id"] == str(row["id"])
    assert web.get(f"{path}/{row['id']}", headers=erp.headers).json()["companyName".lower()] == row["companyname"]
    missing = web.get(f"{path}/999999", headers=erp.headers)
    assert missing.json()["o:errorDetails"][0]["o:errorCode"] == "NONEXISTENT_ID"


@pytest.mark.parametrize(
    "text",
    [
        "SELECT nope FROM transaction",
        "SELECT id FROM nowhere",
        "SELECT id FROM transaction WHERE id >",
        "SELECT SOUNDEX(memo) FROM transaction",
        "DELETE FROM transaction",
        "SELECT id FROM transaction WHERE trandate > TO_DATE('yesterday', 'YYYY-MM-DD')",
    ],
)
def test_a_wrong_statement_is_an_invalid_parameter(erp: Erp, text: str) -> None:
    answered = erp.post(text)
    assert answered.status_code == 400
    detail = answered.json()["o:errorDetails"][0]
    assert (detail["o:errorCode"], detail["o:errorQueryParam"]) == ("INVALID_PARAMETER", "q")


def test_the_prefer_header_is_mandatory_and_a_session_ends(web: httpx.Client, erp: Erp, app: App) -> None:
    path = "/netsuite/services/rest/query/v1/suiteql"
    bare = {"Authorization": erp.headers["Authorization"]}
    assert web.post(path, json={"q": "SELECT id FROM subsidiary"}, headers=bare).status_code == 400
    app.served.clock.step(3601)
    assert erp.post("SELECT id FROM subsidiary").json()["o:errorDetails"][0]["o:errorCode"] == "INVALID_LOGIN"


def test_an_entity_out_of_sight_is_silently_absent_and_a_lost_field_is_unknown(erp: Erp, company: Company) -> None:
    inject(company.world, "P11", platform="netsuite", entity="NW-US")
    seen = erp.rows("SELECT DISTINCT_ID.subsidiary FROM transaction DISTINCT_ID")
    assert {row["subsidiary"] for row in seen} == {"2", "4"}
    inject(company.world, "P11", platform="netsuite", field="transaction.foreigntotal")
    assert erp.post("SELECT foreigntotal FROM transaction").status_code == 400
