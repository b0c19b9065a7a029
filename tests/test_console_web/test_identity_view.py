"""The page on which a steward settles who is who: it explains, it asks for a name and a reason, and what is settled holds."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest
from sqlalchemy import select
from starlette.testclient import TestClient
from streamlit.testing.v1 import AppTest

from console.web import context, data
from console.web.api.build import build as build_api
from console.web.context import Console
from metrics.crosswalk import held_by
from metrics.keys import record_id
from metrics.queries.identity import suggestions
from metrics.store import Store
from metrics.tables import IdentityDecision, table

from .company import build
from .likeness import with_likeness
from .test_views import links, open_page, rows_of, texts

DUP, HEAD = record_id("erp", "customer", "dup"), record_id("crm", "customer", "a7")


@pytest.fixture(scope="module")
def learned(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Console]:
    """Give the console whose store each test copies: learning takes seconds."""
    made = with_likeness(build(tmp_path_factory.mktemp("learned")))
    with made.store.engine.connect() as conn:
        conn.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
        conn.rollback()
    yield made
    made.store.close()


@pytest.fixture
def likeness(learned: Console, tmp_path: Path) -> Iterator[Console]:
    shutil.copy(str(learned.store.engine.url.database), tmp_path / "tieout.sqlite")
    own = replace(learned, store=Store.open(f"sqlite:///{tmp_path / 'tieout.sqlite'}"))
    context.use(own)
    data.forget()
    yield own
    context.use(None)
    own.store.close()


def frame(at: AppTest, *columns: str) -> pd.DataFrame:
    """Return the only table that has these columns."""
    (found,) = [f.value for f in at.dataframe if set(columns) <= set(f.value.columns)]
    assert isinstance(found, pd.DataFrame)
    return found


def pair_page(console: Console) -> AppTest:
    with console.store.read() as conn:
        (found,) = suggestions(conn, console.model).items
    return open_page("identity", {"pair": f"{found.a_id}-{found.b_id}"})


def settle(at: AppTest, button: str, who: str, why: str, form: str = "pair") -> AppTest:
    at.text_input(key=f"who_{form}").set_value(who)
    at.text_input(key=f"why_{form}").set_value(why)
    return at.button(key=button).click().run()


def joined(console: Console) -> bool:
    with console.store.read() as conn:
        return len(set(held_by(conn, (DUP, HEAD)).values())) == 1


def test_the_page_lists_the_pair_explains_it_and_shows_what_hangs_on_each(likeness: Console) -> None:
    at = pair_page(likeness)
    assert rows_of(at, "suggestions") == 1
    compared = frame(at, "Compared")
    assert dict(zip(compared["Compared"], compared["Found"], strict=True))["name"] == "one slip"
    assert {"¥120,000", "€4,800.00"} <= set(frame(at, "Receivables")["Receivables"])
    assert list(frame(at, "Because")["Value"]) == ["UNKNOWN"]
    assert any("likely to be one customer" in t for t in texts(at))


@pytest.mark.parametrize(("who", "why", "said"), [("", "seen", "Give a name"), ("Ada", " ", "Give a reason")])
def test_nothing_is_settled_by_nobody_or_without_a_reason(likeness: Console, who: str, why: str, said: str) -> None:
    at = settle(pair_page(likeness), "confirm", who, why)
    assert said in at.error[0].value
    assert not joined(likeness)


def test_what_a_named_person_confirms_is_one_customer_and_splitting_undoes_it(likeness: Console) -> None:
    at = settle(pair_page(likeness), "confirm", "Ada", "same register number")
    assert not at.exception
    assert joined(likeness)
    assert rows_of(at, "decisions") == 1
    (to_split,) = [q for label, page, q in links(open_page("customer", {"customer": str(HEAD)})) if page == "identity"]
    at = open_page("identity", to_split)
    assert len(frame(at, "How known")) == 3
    at.selectbox(key="split_id").set_value(DUP)
    at = settle(at, "split", "Ben", "two shops after all", "split")
    assert not at.exception
    assert not joined(likeness)
    with likeness.store.read() as conn:
        told = conn.execute(select(table(IdentityDecision)).order_by(table(IdentityDecision).c.id)).all()
    assert [(d.kind, d.author, d.reason) for d in told] == [
        ("confirm", "Ada", "same register number"), ("split", "Ben", "two shops after all"),
    ]  # fmt: skip


def test_a_rejected_pair_leaves_the_list(likeness: Console) -> None:
    at = settle(pair_page(likeness), "reject", "Ada", "two companies")
    assert any("0 pairs" in t for t in texts(at))
    assert not joined(likeness)


def test_a_past_instant_settles_nothing_and_says_so(likeness: Console) -> None:
    at = open_page("identity", {"as_of": "2026-11-17T00:00:00+00:00"})
    assert "clear" in at.info[0].value
    assert not [b for b in at.button if b.key in ("confirm", "reject", "split")]


def test_the_interface_lists_suggestions_with_their_parts_and_refuses_a_past_instant(likeness: Console) -> None:
    client = TestClient(build_api(lambda: likeness), base_url="http://127.0.0.1")
    (found,) = client.get("/identity/suggestions").json()["items"]
    assert sum(p["weight"] for p in found["parts"]) == pytest.approx(found["weight"], abs=1e-5)
    hangs = {i["record"]["external_id"]: i["hanging"] for side in found["sides"] for i in side["ids"]}
    assert hangs["dup"]["receivables"] == [{"minor": "120000", "currency": "JPY", "text": "¥120,000"}]
    assert client.get("/identity/refused-values").json()["items"][0]["reason"] == "null_word"
    assert client.get("/identity/status").json()["items"][0]["fits"] is True
    assert client.get("/identity/decisions").json()["items"] == []
    past = client.get("/identity/suggestions", params={"as_of": "2026-11-17T00:00:00Z"})
    assert past.status_code == 422
    assert past.headers["content-type"] == "application/problem+json"
