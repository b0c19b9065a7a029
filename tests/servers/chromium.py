"""How does a test look at a page? Debian's Chromium, driven by Playwright, without the network.

The browser lives as long as the test module: Playwright keeps an event loop running in the thread of the tests, and a
test of another module that starts its own would fail.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from . import lab

_FLAGS = (
    "--no-sandbox",  # the sandbox needs user namespaces, which root in a container does not have
    "--disable-gpu",
    "--disable-quic",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
    "--disable-features=Translate,OptimizationHints,MediaRouter",
)
_SETTLED = """() =>
    document.querySelector('[data-testid=stApp]')?.getAttribute('data-test-script-state') === 'notRunning'
    && !document.querySelector('[data-testid=stSkeleton], [data-testid=stAppSkeleton]')"""


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    """Run Chromium for the tests of this module."""
    program = Path("/usr/bin/chromium")
    if not program.exists():
        program = Path(lab.command("chromium", "chromium fonts-dejavu-core"))
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, headless=True, args=list(_FLAGS))
        yield browser
        browser.close()


@pytest.fixture
def page(chromium: Browser) -> Iterator[Page]:
    """Return an empty page of 1280 × 800 in a context of its own; the test fails when a script on it raised."""
    context = chromium.new_context(viewport={"width": 1280, "height": 800})
    page, errors = context.new_page(), list[str]()
    page.on("pageerror", lambda error: errors.append(str(error)))
    yield page
    context.close()
    assert not errors, f"scripts of the page raised: {errors}"


def settled(page: Page, seconds: float = 30) -> None:
    """Wait until Streamlit has finished drawing: its script has ended and no skeleton is left."""
    page.wait_for_function(_SETTLED, timeout=seconds * 1000)
