"""The console in a real browser: pages draw, numbers lead to lists, links can be sent, nothing foreign is run or fetched."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
from playwright.sync_api import Page, expect

from console.web.pages import pages
from tests.servers.chromium import settled
from tests.servers.lab import free_ports
from tests.servers.process import answers, running

from .company import HOSTILE

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Serve the company on a free port of this machine."""
    folder, (port,) = tmp_path_factory.mktemp("served"), free_ports(1)
    base = f"http://127.0.0.1:{port}"
    command = [sys.executable, "-m", "tests.test_console_web.serving", folder, port]
    env = {"PYTHONPATH": str(ROOT)}
    with running(command, folder / "log.txt", lambda: answers(f"{base}/healthz"), seconds=120, env=env):
        yield base


@pytest.fixture
def asked(page: Page) -> list[str]:
    """Collect every address the browser asks for, without those that the page's own policy stopped before they left."""
    found: list[str] = []
    page.on("requestfinished", lambda request: found.append(request.url))
    page.on("requestfailed", lambda request: request.failure == "csp" or found.append(request.url))
    return found


def go(page: Page, address: str) -> None:
    page.goto(address)
    settled(page)
    expect(page.locator("h1").first).to_be_visible(timeout=20_000)


@pytest.mark.parametrize("name", [n for n, p in pages().items() if p.listed and not p.demo])
def test_every_page_draws_and_asks_only_this_machine(page: Page, url: str, asked: list[str], name: str) -> None:
    go(page, f"{url}/{name}")
    assert page.locator('[data-testid="stException"], [data-testid="stAlertContentError"]').count() == 0
    assert {urlsplit(a).hostname for a in asked if a.startswith("http")} == {"127.0.0.1"}


def test_a_number_opens_the_list_with_as_many_rows_under_an_address_that_can_be_sent(page: Page, url: str) -> None:
    go(page, url)
    link = page.locator('a[href*="outcome=bad"][href*="sli=order_latency"]').first
    expect(link).to_contain_text("4 bad")
    link.click()
    page.wait_for_url("**/sli?**")
    settled(page)
    query = parse_qs(urlsplit(page.url).query)
    assert (query["sli"], query["outcome"]) == (["order_latency"], ["bad"])
    expect(page.get_by_text("4 rows · select a row to open it")).to_be_visible()
    sent = page.url
    go(page, sent)
    expect(page.get_by_text("4 rows · select a row to open it")).to_be_visible()


def test_a_filter_goes_into_the_address_and_along_to_the_next_page(page: Page, url: str) -> None:
    go(page, f"{url}/late?entity=NW-US")
    page.get_by_role("link", name="Customers").first.click()
    page.wait_for_url("**/customers**")
    settled(page)
    assert parse_qs(urlsplit(page.url).query)["entity"] == ["NW-US"]


def test_the_search_finds_a_document_from_any_page(page: Page, url: str) -> None:
    go(page, f"{url}/platforms")
    box = page.get_by_role("searchbox", name="Find a document or customer")
    box.fill("PO-D02")
    box.press("Enter")
    page.wait_for_url("**/search?key=PO-D02")
    settled(page)
    expect(page.get_by_text("1 row · select a row to open it")).to_be_visible()


def test_a_hostile_name_is_read_and_neither_run_nor_fetched(page: Page, url: str, asked: list[str]) -> None:
    dialogs: list[str] = []
    page.on("dialog", lambda dialog: (dialogs.append(dialog.message), dialog.dismiss()))
    go(page, f"{url}/search?key=%3Cimg")
    go(page, f"{url}/document?of=crm&kind=opportunity&id=D03")
    expect(page.get_by_text("**bold**").first).to_be_visible()
    assert HOSTILE.split()[0] in page.content().replace("&lt;", "<")
    assert page.locator("img[src='x'], a[href*='evil.example'], strong:text-is('bold')").count() == 0
    assert dialogs == []
    assert not [a for a in asked if "evil.example" in a]


def test_the_page_says_the_instant_in_the_viewers_zone(page: Page, url: str) -> None:
    zone = page.evaluate("Intl.DateTimeFormat().resolvedOptions().timeZone")
    go(page, url)
    expect(page.get_by_text(zone.replace("_", " "), exact=False).first).to_be_visible()


def test_in_the_dark_the_page_is_dark(page: Page, url: str) -> None:
    page.emulate_media(color_scheme="dark")
    go(page, url)
    ground = page.evaluate("getComputedStyle(document.querySelector('[data-testid=stApp]')).backgroundColor")
    assert ground == "rgb(16, 21, 27)"
