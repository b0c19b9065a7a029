"""Stores to record alerts in: SQLite always, PostgreSQL where a test asks for both."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from metrics.store import Store

from . import build  # noqa: F401 # declares the tables


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    """Yield an empty SQLite store in a file, as it is in production."""
    opened = Store.open(f"sqlite:///{tmp_path / 'tieout.sqlite'}")
    yield opened
    opened.close()


@pytest.fixture(params=["sqlite", "postgresql"])
def any_store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    """Yield an empty store on each database."""
    file = f"sqlite:///{tmp_path / 'tieout.sqlite'}"
    opened = Store.open(request.getfixturevalue("postgres") if request.param == "postgresql" else file)
    yield opened
    opened.close()
