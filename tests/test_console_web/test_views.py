"""Every page over a real judged store: it renders, its numbers open into as many records, and names stay names."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import delete
from streamlit.testing.v1 import AppTest

from alerts.queries import open_alerts
from alerts.tables import TransitionRow
from alerts.tables import table as alert_table
from console.web import data, figures
from console.web.context import Console
from console.web.long_list import all_pages
from console.web.pages import pages, path
from metrics.filters import Filters
from metrics.store import Store
from metrics.tables import PollRun, table
from probes.clock import DAY

from .company import FORMULA, HOSTILE, NOW

MAIN = str(Path(__file__).parents[2] / "console" / "web" / "main.py")
LISTED = [name for name, page in pages().items() if page.listed and not page.demo]


def open_page(name: str, params: Mapping[str, str] | None = None) -> AppTest:
    """Run a page as the browser would, with parameters in its address. Fails on anything the page could not compute."""
    at = AppTest.from_file(MAIN, default_timeout=60)
    if name != "overview":
        at.switch_page(f"views/{name}.py")
    for key, value in (params or {}).items():
        at.query_params[key] = value
    at.run()
    assert not at.exception, at.exception
    assert not at.error, [e.value for e in at.error]
    return at


def links(at: AppTest) -> list[tuple[str, str, dict[str, str]]]:
    """Return every link to another page: its label, the page, its parameters."""
    found = []
    for element in at.get("page_link"):
        proto = element.proto
        query = dict(p.split("=", 1) for p in proto.query_string.lstrip("?").split("&") if "=" in p)
        found.append((proto.label, proto.page, query))
    return found


def rows_of(at: AppTest, key: str) -> int:
    """Return how many rows the list named `key` says it has."""
    notes = [c.value for c in at.caption]
    frames = [f for f in at.dataframe if key in str(f.proto.id)]
    assert len(frames) == 1, (key, [f.proto.id for f in at.dataframe])
    assert notes
    return len(frames[0].value)


def texts(at: AppTest) -> list[str]:
    """Return every text that the browser would read as Markdown."""
    kinds = ("markdown", "caption", "title", "header", "subheader")
    found = [e.value for kind in kinds for e in getattr(at, kind)]
    return found + [label for label, _, _ in links(at)] + [m.label for m in at.metric]


PARAMS: dict[str, dict[str, str]] = {
    "document": {"of": "crm", "kind": "opportunity", "id": "D02"},
    "search": {"key": "PO-D02"},
}


@pytest.mark.parametrize("name", [n for n, p in pages().items() if not p.demo])
def test_every_page_renders_and_says_of_which_instant_it_is(console: Console, name: str) -> None:
    params = {"customer": {"customer": str(console.model.customer("crm", "A2"))}, **PARAMS}.get(name, {})
    at = open_page(name, params)
    assert len(at.title) == 1
    assert any("As of **20 Nov 2026, 12:00:00** UTC" in c.value for c in at.caption)


def test_every_view_file_is_a_page_and_the_demo_one_is_hidden_without_a_sandbox(console: Console) -> None:
    files = {f.stem for f in (Path(MAIN).parent / "views").glob("[!_]*.py")}
    assert set(pages()) == files
    at = open_page("overview")
    assert not [p for _, p, _ in links(at) if "sandbox" in p]
    assert "sandbox" in pages()


def test_each_number_of_the_overview_opens_into_as_many_records(console: Console) -> None:
    numbers = [
        (int(m[1]), query)
        for label, page, query in links(open_page("overview"))
        if page == "sli" and (m := re.match(r":\w+\[\*\*([\d,]+)\*\* ", label)) and "outcome" in query
    ]
    assert len(numbers) >= 4 * 5
    for count, query in numbers:
        at = open_page("sli", query)
        shown = rows_of(at, "events") if count else 0
        assert shown == min(count, 200), query
        assert bool([f for f in at.dataframe if "events" in str(f.proto.id)]) == bool(count)


def test_each_number_of_a_flow_opens_into_as_many_documents(console: Console) -> None:
    at = open_page("flow", {"flow": "quote_to_order"})
    numbers = [
        (int(m[1]), q)
        for label, _, q in links(at)
        if (m := re.match(r":\w+\[\*\*([\d,]+)\*\* ", label)) and "step_state" in q
    ]
    assert {q["step_state"] for _, q in numbers} >= {"done", "late", "lost", "waiting"}
    for count, query in numbers:
        assert rows_of(open_page("flow", query), "documents") == count, query


def test_late_and_lost_open_into_as_many_steps_and_the_money_is_that_of_the_records(console: Console) -> None:
    late = figures.late(console, Filters(), data.as_of(console))
    at = open_page("late", {"lost": "yes"})
    assert rows_of(at, "late") == sum(d.lost for d in late) > 0
    sums = figures.at_risk(console, Filters(), data.as_of(console))
    assert sums["USD"].lost_minor == 99_999
    at = open_page("overview")
    money = next(f for f in at.dataframe if "at-risk" in str(f.proto.id)).value
    assert dict(zip(money["Currency"], money["Lost"], strict=True))["USD"] == "$999.99"


def test_a_filter_in_the_address_narrows_the_page(console: Console) -> None:
    everywhere = rows_of(open_page("late"), "late")
    berlin = open_page("late", {"entity": "NW-DE"})
    assert 0 < rows_of(berlin, "late") < everywhere
    assert berlin.sidebar.selectbox[1].value == "NW-DE"


def test_an_impossible_filter_in_the_address_is_ignored(console: Console) -> None:
    at = open_page("sli", {"sli": "nothing", "outcome": "perfect", "period": "soon", "entity": "<script>"})
    assert at.title[0].value == "Order latency"


def test_choosing_a_filter_writes_it_into_the_address(console: Console) -> None:
    at = open_page("late")
    at.sidebar.selectbox[1].set_value("NW-US").run()
    assert at.query_params["entity"] in ("NW-US", ["NW-US"])


def test_a_past_instant_shows_the_figures_of_then_and_says_so(console: Console) -> None:
    at = open_page("sli", {"sli": "order_latency", "as_of": "2026-11-17T00:00:00+00:00"})
    assert any("a past instant" in c.value for c in at.caption)


def test_an_instant_that_cannot_be_read_is_explained(console: Console) -> None:
    at = AppTest.from_file(MAIN, default_timeout=60)
    at.query_params["as_of"] = "yesterday"
    at.run()
    assert "2026-11-20 18:00" in at.error[0].value


def test_a_document_shows_every_platform_its_deadline_and_the_reason(console: Console) -> None:
    at = open_page("document", {"of": "crm", "kind": "opportunity", "id": "D02"})
    moments = next(f for f in at.dataframe if "moments" in str(f.proto.id)).value
    assert "Order in the ERP due" in list(moments["What"])
    assert any("✕ lost" in s for s in moments["State"])
    verdicts = next(f for f in at.dataframe if "verdicts" in str(f.proto.id)).value
    assert set(verdicts["Outcome"]) >= {"▲ bad"}
    assert "missing" in set(verdicts["Reason"])
    assert [e.proto.url for e in at.get("link_button")] == ["https://crm.example/opportunity/D02"]


def test_a_document_nobody_has_seen_is_said_not_to_exist(console: Console) -> None:
    at = open_page("document", {"of": "crm", "kind": "opportunity", "id": "'; DROP TABLE record; --"})
    assert at.title[0].value == "No such document"


@pytest.mark.parametrize("key", ["D02", "PO-D02", " po-d02 ", "northwind tr"])
def test_a_search_finds_a_document_by_any_of_its_keys(console: Console, key: str) -> None:
    assert rows_of(open_page("search", {"key": key}), "hits") >= 1


@pytest.mark.parametrize("name", [*LISTED, "customer", "document", "search"])
def test_a_hostile_name_is_never_markup_on_any_page(console: Console, name: str) -> None:
    params = {
        "customer": {"customer": str(console.model.customer("crm", "A2"))},
        "document": {"of": "crm", "kind": "opportunity", "id": "D03"},
        "search": {"key": HOSTILE[:20]},
        "alerts": {"alert": data.ask(console, ("x",), open_alerts)[1].id},
    }.get(name, {})
    at = open_page(name, params)
    for text in texts(at):
        for alive in ("<img", "**bold**", "](http", ":red[x]", ":material/home:", "$x^2$"):
            assert alive not in text.replace("\\<img", ""), (name, text)
    assert not [e for e in at.markdown if e.allow_html]


def test_a_name_that_is_a_formula_is_disarmed_in_the_download(console: Console) -> None:
    from console.web.widgets import csv_text

    text = csv_text([{"Customer": FORMULA, "At": NOW, "Money": -12}], times=("At",))
    assert text.splitlines() == ["Customer,At,Money", "\"'" + FORMULA.replace('"', '""') + '",2026-11-20T12:00:00Z,-12']


def test_a_platform_that_fails_is_named_and_nothing_of_it_is_green(console: Console) -> None:
    at = open_page("platforms", {"of": "support"})
    streams = next(f for f in at.dataframe if "streams" in str(f.proto.id)).value
    assert list(streams["State"]) == ["▲ failing"]
    assert "server error (2 times)" in list(streams["Because"])
    assert any("1 platform never polled whole" in c.value for c in at.caption)
    assert any("support" in label for label, _, _ in links(open_page("overview")))


def test_an_alert_shows_its_documents_and_can_be_taken_on(own: Console) -> None:
    alert = next(a for a in data.ask(own, ("a",), open_alerts) if a.document_count == 2)
    at = open_page("alerts", {"alert": alert.id})
    assert rows_of(at, "members") == 2
    at.text_input(key="who").set_value("Ada")
    at.text_input(key="comment").set_value("INC-1")
    at.button(key="acknowledge").click().run()
    data.forget()
    taken = next(a for a in data.ask(own, ("b",), open_alerts) if a.id == alert.id)
    assert (taken.state, taken.acknowledged_by) == ("acknowledged", "Ada")


def test_nobody_can_take_an_alert_on_without_a_name(own: Console) -> None:
    alert = data.ask(own, ("a",), open_alerts)[0]
    at = open_page("alerts", {"alert": alert.id})
    at.button(key="silence").click().run()
    assert "name" in at.error[0].value


def test_the_download_of_a_list_has_the_rows_of_all_its_pages(console: Console) -> None:
    def listing(limit: int, after: str | None) -> Any:
        from metrics.queries.platforms import poll_runs

        return data.ask(console, ("runs", limit, after), lambda conn: poll_runs(conn, limit=7, after=after))

    assert len(all_pages(listing)) == 30


def test_no_read_stays_open_after_a_page_was_drawn(own: Console) -> None:
    open_page("overview")
    assert own.store.engine.pool.checkedout() == 0  # type: ignore[attr-defined] # the pool of this engine counts


def test_an_answer_is_kept_until_something_is_judged_anew(own: Console) -> None:
    asked: list[int] = []

    def question(_conn: object) -> int:
        asked.append(1)
        return len(asked)

    assert [data.ask(own, ("q",), question) for _ in range(3)] == [1, 1, 1]
    with own.store.write() as conn:
        conn.execute(delete(alert_table(TransitionRow)))
    assert data.ask(own, ("q",), question) == 2
    assert data.ask(own, ("q", "other filter"), question) == 3


def test_an_empty_store_says_what_is_missing_instead_of_showing_green(tmp_path: Path, own: Console) -> None:
    from dataclasses import replace

    from console.web import context

    empty = replace(own, store=Store.open(f"sqlite:///{tmp_path / 'empty.sqlite'}"))
    context.use(empty)
    data.forget()
    for name in LISTED:
        at = open_page(name)
        assert not [m for m in at.metric if m.value == "100 %"], name
    assert [m.value for m in open_page("overview").metric] == ["no data"] * len(own.model.slis)
    empty.store.close()


def test_a_long_list_shows_its_newest_rows_and_counts_all(own: Console) -> None:
    runs = table(PollRun)
    with own.store.write() as conn:
        row = dict(conn.execute(runs.select().limit(1)).mappings().one())
        row.pop("id")
        conn.execute(runs.insert(), [{**row, "started_us": NOW - i * DAY // 2000} for i in range(20_000)])
    at = open_page("platforms")
    shown = next(f for f in at.dataframe if "Took" in f.value).value
    assert len(shown) == 200
    assert any(c.value == "20,030 rows, the first 200 shown" for c in at.caption)


def test_a_view_links_to_views_that_exist() -> None:
    assert {Path(path(name)).exists() for name in pages()} == {True}
