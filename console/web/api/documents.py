"""`/documents`, `/customers`, `/find`: one document in full, the customers, and what a typed key means."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Path, Query
from starlette.responses import Response

from console.web import figures
from metrics.queries import customers as query
from metrics.queries.documents import Document, document
from metrics.queries.find import Hit, find
from metrics.queries.heads import Head
from metrics.queries.pages import Listing
from metrics.sli import Figure, Filters

from .lists import Limit, PartOf, WholeOf, answer, whole
from .models import model, one, page
from .narrowing import AskedOf, ConsoleOf
from .problems import Problem
from .shapes import shape

router = APIRouter(tags=["Documents and customers"])


@router.get(
    "/documents/{on}/{kind}/{external_id:path}",
    response_model=one(Document, without=("body",), link=(str | None, ...)),
)
def one_document(
    on: Annotated[str, Path(description="The platform.")],
    kind: str,
    external_id: str,
    console: ConsoleOf,
    asked: AskedOf,
) -> dict[str, Any]:
    """Show one document: record, versions, references, flows, verdicts with proof, and its timeline over all platforms."""
    with console.store.read() as conn:
        found = document(conn, on, kind, external_id, asked.now_us, asked.past)
    if found is None:
        then = "It did not exist then, or no poll has shown it." if asked.past else "No poll has shown this document."
        raise Problem(404, f"{then} `/find?key=…` looks it up under any of its keys.")
    shaped: dict[str, Any] = shape(found)
    shaped.pop("body")  # its fields are listed as `fields`
    return {**shaped, "link": console.model.link(on, kind, external_id), "notes": asked.notes}


@router.get("/customers", response_model=page(query.CustomerRow))
def customers(
    paging: PartOf,
    console: ConsoleOf,
    asked: AskedOf,
    name: Annotated[str | None, Query(max_length=200, description="A part of the name.")] = None,
    trouble: bool = False,
) -> Response:
    """List customers, those with most stuck documents first."""

    def pager(conn: Any, limit: int, after: str | None) -> Listing[Any]:
        return query.customers_list(conn, asked.narrow, text=name, trouble_only=trouble, limit=limit, after=after)

    return answer(console, asked, "customers", pager, paging)


@router.get(
    "/customers/{customer_id}",
    response_model=one(query.CustomerPage, slis=(list[model(Figure)], ...)),  # type: ignore[misc]
)
def one_customer(customer_id: str, console: ConsoleOf, asked: AskedOf) -> dict[str, Any]:
    """Show one customer: its ids on every platform, its documents by kind and state, its SLI figures."""
    identity = _identity(customer_id)
    with console.store.read() as conn:
        found = query.customer_page(conn, identity, asked.past)
    if found is None:
        raise Problem(404, "There is no such customer; `/customers` lists them.")
    narrowed = Filters(**{**_fields(asked.filters), "customer_id": identity})
    shaped: dict[str, Any] = shape(found)
    return {**shaped, "slis": shape(figures.figures(console, narrowed, asked.now_us)), "notes": asked.notes}


@router.get("/customers/{customer_id}/documents", response_model=page(Head))
def documents_of(
    customer_id: str,
    paging: PartOf,
    console: ConsoleOf,
    asked: AskedOf,
    kind: Annotated[str | None, Query(max_length=100)] = None,
    state: Annotated[str | None, Query(max_length=100)] = None,
) -> Response:
    """List the documents of one customer on all platforms, the newest first."""
    identity = _identity(customer_id)

    def pager(conn: Any, limit: int, after: str | None) -> Listing[Any]:
        return query.documents_of(conn, identity, kind=kind, state=state, past=asked.past, limit=limit, after=after)

    return answer(console, asked, "documents", pager, paging)


@router.get("/find", response_model=page(Hit))
def look_up(
    paging: WholeOf,
    console: ConsoleOf,
    asked: AskedOf,
    key: Annotated[str, Query(min_length=1, max_length=300)],
    limit: Limit = 50,
) -> Response:
    """Find records by id, number, PO number, any business key, or a customer's name."""
    with console.store.read() as conn:
        hits = find(conn, key, limit, asked.past)
    return answer(console, asked, "found", whole(hits), paging)


def _identity(text: str) -> int:
    if not (text.isascii() and text.isdigit()) or int(text) >= 2**63:
        raise Problem(404, "There is no such customer; `/customers` lists them.")
    return int(text)


def _fields(filters: Filters) -> dict[str, Any]:
    return {name: getattr(filters, name) for name in Filters.__dataclass_fields__}
