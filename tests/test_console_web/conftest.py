"""One judged store for all tests of the console: it is only read, except where a test builds its own."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from console.web import context, data
from console.web.context import Console

from .company import build


@contextmanager
def built(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Console]:
    """Give a console over the small company, on SQLite or PostgreSQL as the fixture's parameter says."""
    folder = tmp_path_factory.mktemp("built")
    if request.param == "sqlite":
        made = build(folder)
        yield made
        made.store.close()
        return
    with request.getfixturevalue("postgres_server").schema() as url:
        made = build(folder, url=url)
        yield made
        made.store.close()


@pytest.fixture(scope="session")
def company(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Console]:
    """Give a console over the small company."""
    made = build(tmp_path_factory.mktemp("company"))
    yield made
    made.store.close()


@pytest.fixture
def console(company: Console) -> Iterator[Console]:
    """Give that console as the one the pages of this process show."""
    context.use(company)
    data.forget()
    yield company
    context.use(None)


@pytest.fixture
def own(tmp_path: Path) -> Iterator[Console]:
    """Give a console over a store of the test's own, which it may change."""
    made = build(tmp_path)
    context.use(made)
    data.forget()
    yield made
    context.use(None)
    made.store.close()
