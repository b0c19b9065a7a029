"""The demo's panel against a real sandbox on loopback: a button breaks the company, another mends it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from console.web import context, control, data
from console.web.context import Console
from probes.sandbox import Clock, Company, Running, serve

from .test_views import open_page


@pytest.fixture(scope="module")
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    start = datetime(2026, 11, 18, 9, 0, tzinfo=UTC)
    company = Company(seed=3, start_at=start, history_days=3, scale=0.3, data_dir=tmp_path_factory.mktemp("sandbox"))
    company.run_history()
    running = serve(company, clock=Clock(company.world.now_us))
    yield running
    running.stop()


@pytest.fixture
def url(company: Console, sandbox: Running) -> Iterator[str]:
    """Give the control address of a sandbox that the console is connected to and in which nothing is broken."""
    found = f"{sandbox.base_url}/control"
    context.use(replace(company, control_url=found))
    data.forget()
    yield found
    for fault in {e["fault"] for e in control.open_entries(found)}:
        control.repair(found, fault=fault)
    context.use(None)


def broken(at: AppTest) -> str:
    return next(s.value for s in at.subheader if s.value.endswith("broken on purpose"))


def test_inject_breaks_as_many_as_asked_and_lists_them(url: str) -> None:
    at = open_page("sandbox")
    assert broken(at) == "0 things broken on purpose"
    assert not [b for b in at.button if b.key == "repair"]
    at.selectbox(key="fault").set_value("P01")
    at.number_input(key="fault_count").set_value(2)
    at.button(key="inject").click().run()
    assert not at.exception
    assert not at.error, [e.value for e in at.error]
    entries = control.open_entries(url)
    assert [e["fault"] for e in entries] == ["P01", "P01"]
    assert broken(at) == "2 things broken on purpose"
    journal = next(f.value for f in at.dataframe if "Entry" in f.value)
    assert list(journal["Entry"]) == [e["id"] for e in entries]


def test_repair_mends_the_one_entry_chosen_and_then_the_rest(url: str) -> None:
    control.inject(url, "P01", 3)
    at = open_page("sandbox")
    first = control.open_entries(url)[-1]
    choice = next(o for o in at.selectbox(key="repair_choice").options if o.startswith(f"Entry {first['id']}:"))
    at.selectbox(key="repair_choice").select_index(at.selectbox(key="repair_choice").options.index(choice))
    at.button(key="repair").click().run()
    assert first["id"] not in {e["id"] for e in control.open_entries(url)}
    assert broken(at) == "2 things broken on purpose"
    at.selectbox(key="repair_choice").select_index(0)
    at.button(key="repair").click().run()
    assert control.open_entries(url) == []
    assert broken(at) == "0 things broken on purpose"


def test_a_fault_that_the_company_cannot_have_is_told_in_the_sandboxs_words(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    at = open_page("sandbox")
    asked = control.inject
    monkeypatch.setattr(control, "inject", lambda to, fault, count: asked(to, "Z99", count))
    at.button(key="inject").click().run()
    assert "Z99" in at.error[0].value
    assert control.open_entries(url) == []


def test_a_sandbox_that_is_gone_is_said_to_be(company: Console, tmp_path: Path) -> None:
    context.use(replace(company, control_url="http://127.0.0.1:9/control"))
    data.forget()
    at = AppTest.from_file(str(Path(__file__).parents[2] / "console" / "web" / "main.py"), default_timeout=60)
    at.switch_page("views/sandbox.py")
    at.run()
    context.use(None)
    assert "The sandbox does not answer" in at.error[0].value
    assert not [b for b in at.button if b.key == "inject"]
