"""Which invoices does the measured billing platform hold, and how does it answer? A loopback server in a process of its own.

It speaks just enough of Stripe's list endpoint to be paged through by keyset. Answers are made once before it listens, so
that it costs those who ask next to nothing.
"""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import parse_qs, urlsplit

PAGE = 100
NEWEST = 1_793_491_200  # 2026-11-01 00:00 UTC
APART = 20  # seconds between two invoices
CUSTOMERS = 10_000
ENTITIES = ("DE", "US", "UK")


def invoice_id(n: int) -> str:
    """Return the id of the n-th invoice, 0 being the newest."""
    return f"in_{n:08d}"


def gross(n: int) -> int:
    """Return the total of the n-th invoice in cents."""
    return (10_000 + n % 977) * 119 // 100


def invoice(n: int) -> dict[str, Any]:
    """Return the n-th invoice as Stripe shows it."""
    created = NEWEST - n * APART
    net, total, customer = 10_000 + n % 977, gross(n), f"cus_{n % CUSTOMERS:06d}"
    return {
        "id": invoice_id(n), "object": "invoice", "account_country": "DE", "account_name": "Example", "amount_due": total,
        "amount_overpaid": 0, "amount_paid": 0, "amount_remaining": total, "amount_shipping": 0, "application": None,
        "attempt_count": 0, "attempted": False, "auto_advance": True, "automatic_tax": {"enabled": False, "status": None},
        "automatically_finalizes_at": None, "billing_reason": "subscription_cycle", "collection_method": "send_invoice",
        "created": created, "currency": "eur", "custom_fields": None, "customer": customer, "customer_address": None,
        "customer_email": f"ap@customer{n % CUSTOMERS}.example", "customer_name": f"Customer {n % CUSTOMERS}",
        "customer_shipping": None, "customer_tax_exempt": "none", "customer_tax_ids": [], "default_payment_method": None,
        "default_tax_rates": [], "description": None, "discounts": [], "due_date": created + 30 * 86_400,
        "effective_at": created + 3600, "ending_balance": 0, "footer": None, "from_invoice": None,
        "hosted_invoice_url": f"https://invoice.example/i/acct_1/{n:08d}", "invoice_pdf": f"https://pay.example/{n:08d}/pdf",
        "last_finalization_error": None, "latest_revision": None, "livemode": True,
        "lines": {"object": "list", "has_more": False, "total_count": 1, "url": f"/v1/invoices/{invoice_id(n)}/lines",
                  "data": [{"id": f"il_{n:08d}", "object": "line_item", "amount": net, "currency": "eur", "quantity": 1,
                            "description": "1 × Seats", "period": {"start": created, "end": created + 2_592_000},
                            "pricing": {"price_details": {"price": "price_1", "product": "prod_1"}, "type": "price_details"}}]},
        "metadata": {"legal_entity": ENTITIES[n % 3]}, "next_payment_attempt": None, "number": f"EX-{n:08d}",
        "on_behalf_of": None, "parent": {"type": "subscription_details", "quote_details": None, "subscription_details":
                                         {"metadata": {}, "subscription": f"sub_{n % 30_000:06d}"}},
        "period_end": created, "period_start": created - 2_592_000, "rendering": None, "starting_balance": 0,
        "statement_descriptor": None, "status": "open", "status_transitions":
        {"finalized_at": created + 3600, "marked_uncollectible_at": None, "paid_at": None, "voided_at": None},
        "subtotal": net, "subtotal_excluding_tax": net, "test_clock": None, "total": total, "total_discount_amounts": [],
        "total_excluding_tax": net, "total_taxes": [{"amount": total - net, "type": "tax_rate_details"}],
        "webhooks_delivered_at": created,
    }  # fmt: skip


def answers(count: int) -> list[bytes]:
    """Return every page as the bytes of its HTTP response, newest invoice first."""
    pages = []
    for start in range(0, count, PAGE):
        rows = [invoice(n) for n in range(start, min(start + PAGE, count))]
        body = {"object": "list", "url": "/v1/invoices", "has_more": start + PAGE < count, "data": rows}
        pages.append(_response(body))
    return pages or [_response({"object": "list", "has_more": False, "data": []})]


def _response(body: dict[str, Any]) -> bytes:
    content = json.dumps(body).encode()
    return b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s" % (
        len(content),
        content,
    )


_ABOUT = {
    "/v1/balance": _response({"object": "balance", "livemode": True}),
    "/v1/account": _response({"object": "account", "id": "acct_bench"}),
}


def serve(count: int) -> None:
    """Answer until standard input closes; print the port first."""
    pages = answers(count)
    listening = socket.create_server(("127.0.0.1", 0))
    print(listening.getsockname()[1], flush=True)
    threading.Thread(target=_accept, args=(listening, pages), daemon=True).start()
    sys.stdin.read()


def _accept(listening: socket.socket, pages: list[bytes]) -> None:
    while True:
        threading.Thread(target=_talk, args=(listening.accept()[0], pages), daemon=True).start()


def _talk(peer: socket.socket, pages: list[bytes]) -> None:
    peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    with peer, peer.makefile("rb") as requests:
        while line := requests.readline():
            while requests.readline().strip():
                pass
            peer.sendall(_answer(line.split()[1].decode(), pages))


def _answer(target: str, pages: list[bytes]) -> bytes:
    asked = urlsplit(target)
    if asked.path in _ABOUT:
        return _ABOUT[asked.path]
    after = parse_qs(asked.query).get("starting_after")
    return pages[(int(after[0].removeprefix("in_")) + 1) // PAGE if after else 0]


@contextmanager
def server(count: int) -> Iterator[str]:
    """Yield the URL of a server that holds so many invoices."""
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.bench.invoices", str(count)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    try:
        yield f"http://127.0.0.1:{process.stdout.readline().strip()}"
    finally:
        process.communicate()


if __name__ == "__main__":
    serve(int(sys.argv[1]))
