"""How does NetSuite's REST API answer? Token by signed assertion, SuiteQL, records by id; read-only."""

import base64
import binascii
import hashlib
import json
from collections.abc import Callable
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.serialization import load_pem_public_key
from werkzeug.wrappers import Request, Response

from probes.sandbox.apis import suiteql
from probes.sandbox.apis.netsuite_columns import COLUMNS
from probes.sandbox.apis.query import QuerySyntaxError
from probes.sandbox.apis.web import Handler, Served, answer, bearer, mount, throttled
from probes.sandbox.world import Row

CLIENT_ID, CERTIFICATE_ID = "sandbox-netsuite-client", "sandbox-netsuite-certificate"
TOKEN_PATH = "/services/rest/auth/oauth2/v1/token"
_SUITEQL = "/services/rest/query/v1/suiteql"
_ASSERTION = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
_RECORD_TYPES = {
    "customer": ("customer", None), "salesorder": ("transaction", "SalesOrd"), "invoice": ("transaction", "CustInvc"),
    "customerpayment": ("transaction", "CustPymt"), "creditmemo": ("transaction", "CustCred"),
    "journalentry": ("transaction", "Journal"), "itemfulfillment": ("transaction", "ItemShip"),
    "customerrefund": ("transaction", "CustRfnd"), "revenuearrangement": ("transaction", "RevArrng"),
    "revenueplan": ("revenueplan", None), "item": ("item", None), "serviceitem": ("item", None),
    "salestaxitem": ("salestaxitem", None), "account": ("account", None), "department": ("department", None),
    "accountingperiod": ("accountingperiod", None), "subsidiary": ("subsidiary", None), "currency": ("currency", None),
}  # fmt: skip
_TITLES = {400: "Bad Request", 401: "Unauthorized", 403: "Forbidden", 404: "Not Found", 429: "Too Many Requests"}


def refuse(status: int, code: str, message: str, param: str | None = None) -> Response:
    """Make an error in NetSuite's shape."""
    detail = {"detail": message, "o:errorCode": "UNEXPECTED_ERROR" if status >= 500 else code}
    if param:
        detail["o:errorQueryParam"] = param
    kind = "https://www.w3.org/Protocols/rfc2616/rfc2616-sec10.html#sec10.4.1"
    body = {
        "type": kind,
        "title": _TITLES.get(status, "Internal Server Error"),
        "status": status,
        "o:errorDetails": [detail],
    }
    return answer(body, status)


def app(served: Served) -> Callable[..., Any]:
    """Build the WSGI app."""
    rules: list[tuple[str, str, Handler]] = [
        (TOKEN_PATH, "POST", _token),
        (_SUITEQL, "POST", _guarded(_query)),
        ("/services/rest/record/v1/metadata-catalog/<kind>", "GET", _guarded(_catalog)),
        ("/services/rest/record/v1/<kind>/<row_id>", "GET", _guarded(_record)),
        ("/services/rest/system/v1/governanceLimits", "GET", _guarded(_governance)),
    ]
    return mount(served, "netsuite", rules, refuse)


def _token(served: Served, request: Request) -> Response:
    form = request.form
    if form.get("grant_type") != "client_credentials" or form.get("client_assertion_type") != _ASSERTION:
        return answer({"error": "invalid_request"}, 400)
    wrong = _assertion_fault(served, form.get("client_assertion", ""))
    if wrong is not None:
        return answer({"error": "invalid_client", "error_description": wrong}, 400)
    issued = served.now_us()
    token = "ns-" + hashlib.sha256(f"netsuite/{issued}".encode()).hexdigest()
    served.tokens[token] = issued / 1e6 + 3600
    return answer({"access_token": token, "expires_in": "3600", "token_type": "bearer"})


def _assertion_fault(served: Served, assertion: str) -> str | None:
    """Check a client assertion; return what is wrong with it."""
    try:
        head, body, signature = assertion.split(".")
        header, claims = json.loads(_unpadded(head)), json.loads(_unpadded(body))
        raw = _unpadded(signature)
    except (ValueError, binascii.Error):
        return "the assertion is not a JWT"
    if header.get("kid") != CERTIFICATE_ID:
        return "unknown certificate id"
    if not _signed(served.account_key, str(header.get("alg")), f"{head}.{body}".encode(), raw):
        return f"signature does not match, or algorithm {header.get('alg')} is not accepted"
    if claims.get("iss") != CLIENT_ID:
        return "unknown client id"
    if claims.get("aud") != f"{served.base_url}/netsuite{TOKEN_PATH}":
        return f"aud must be the token URL {served.base_url}/netsuite{TOKEN_PATH}"
    if "rest_webservices" not in claims.get("scope", []):
        return "scope must contain rest_webservices"
    now, issued, expires = served.now_us() / 1e6, claims.get("iat", 0), claims.get("exp", 0)
    if not now - 300 <= expires or expires - issued > 3600 or abs(now - issued) > 3600:
        return "iat and exp must be near now and at most 60 minutes apart"
    return None


def _signed(public_pem: bytes, algorithm: str, message: bytes, signature: bytes) -> bool:
    key = load_pem_public_key(public_pem)
    digest = {"256": hashes.SHA256(), "384": hashes.SHA384(), "512": hashes.SHA512()}.get(algorithm[2:])
    if digest is None:
        return False
    try:
        if algorithm.startswith("PS") and isinstance(key, rsa.RSAPublicKey):
            key.verify(signature, message, padding.PSS(padding.MGF1(digest), digest.digest_size), digest)
            return True
        if algorithm.startswith("ES") and isinstance(key, ec.EllipticCurvePublicKey):
            half = len(signature) // 2
            r, s = (int.from_bytes(part, "big") for part in (signature[:half], signature[half:]))
            key.verify(encode_dss_signature(r, s), message, ec.ECDSA(digest))
            return True
    except InvalidSignature:
        return False
    return False


def _unpadded(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def _guarded(handler: Handler) -> Handler:
    """Check the session and the concurrency limit before a handler."""

    def checked(served: Served, request: Request, **arguments: str) -> Response:
        token = bearer(request)
        if not token.startswith("ns-") or served.tokens.get(token, 0) < served.now_us() / 1e6:
            return refuse(401, "INVALID_LOGIN", "Invalid login attempt. For more details, see the Login Audit Trail.")
        if throttled(served, "netsuite"):
            return refuse(429, "CONCURRENCY_LIMIT_EXCEEDED", "Concurrent request limit exceeded. Request blocked.")
        return handler(served, request, **arguments)

    return checked


def _query(served: Served, request: Request) -> Response:
    if "transient" not in request.headers.get("Prefer", ""):
        return refuse(
            400, "INVALID_HEADER", "The required header Prefer is missing or has an invalid value: use transient."
        )
    body = request.get_json(silent=True)
    if not isinstance(body, dict) or not isinstance(body.get("q"), str):
        return refuse(400, "INVALID_CONTENT", 'The body must be {"q": "SELECT …"}.')
    try:
        limit, offset = int(request.args.get("limit", "1000")), int(request.args.get("offset", "0"))
    except ValueError:
        return refuse(400, "INVALID_PARAMETER", "limit and offset must be whole numbers.", "limit")
    if not 1 <= limit <= 1000 or offset < 0 or offset % limit:
        return refuse(400, "INVALID_PARAMETER", "limit must be 1..1000 and offset a multiple of it.", "limit")
    try:
        page, total = suiteql.run(served, body["q"], limit, offset)
    except (QuerySyntaxError, suiteql.UnknownName, ValueError) as failure:
        message = f"Invalid search query. Detailed unprocessed description follows. Search error occurred: {failure}."
        return refuse(400, "INVALID_PARAMETER", message, "q")
    more = offset + limit < total
    here = f"{served.base_url}/netsuite{_SUITEQL}"
    links = [{"rel": "self", "href": f"{here}?limit={limit}&offset={offset}"}]
    if more:
        links.append({"rel": "next", "href": f"{here}?limit={limit}&offset={offset + limit}"})
    answered = {"links": links, "count": len(page), "hasMore": more, "items": page, "offset": offset}
    return answer(answered | {"totalResults": total})


def _record(served: Served, request: Request, kind: str, row_id: str) -> Response:
    table, wanted = _RECORD_TYPES.get(kind.lower(), (None, None))
    if table is None:
        return refuse(404, "INVALID_RECORD_TYPE", f"Record type {kind} does not exist.")
    rows = suiteql.rows_of(served, table)
    found: Row | None = next((r for r in rows if _named(r, row_id) and wanted in (None, r.get("type"))), None)
    if found is None:
        return refuse(
            404, "NONEXISTENT_ID", f"The record instance does not exist. Provide a valid record instance ID: {row_id}."
        )
    hidden = served.hidden("netsuite")[1]
    shown: Row = {n: found.get(n) for n in COLUMNS[table] if found.get(n) is not None and f"{table}.{n}" not in hidden}
    for name, shape in COLUMNS[table].items():
        if name in shown and shape == "datetime":
            shown[name] = suiteql.utc_text(shown[name])
    return answer({"links": [], **shown, "id": str(found["id"])})


def _named(row: Row, row_id: str) -> bool:
    if row_id.startswith("eid:"):
        return row.get("externalid") == row_id[4:]
    return str(row["id"]) == row_id


def _catalog(served: Served, request: Request, kind: str) -> Response:
    table, _ = _RECORD_TYPES.get(kind.lower(), (kind.lower(), None))
    if table not in COLUMNS:
        return refuse(404, "INVALID_RECORD_TYPE", f"Record type {kind} does not exist.")
    shapes = {"decimal": "number", "text": "string", "id": "string", "date": "string", "datetime": "string"}
    hidden = served.hidden("netsuite")[1]
    properties = {n: {"type": shapes[s], "title": n} for n, s in COLUMNS[table].items() if f"{table}.{n}" not in hidden}
    return answer({"type": "object", "properties": properties})


def _governance(served: Served, request: Request) -> Response:
    return answer({"accountConcurrencyLimit": 15, "accountUnallocatedConcurrencyLimit": 15, "limitType": "ACCOUNT"})
