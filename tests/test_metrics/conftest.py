"""Stores for the tests of the metrics room; how many random histories a run tries (TIEOUT_EXAMPLES, or 10,000 with `deep`)."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, settings

from metrics.store import Store

# On a build machine the same histories each time: a failure there is about the change, not about luck.
_CALM = {
    "derandomize": "CI" in os.environ,
    "deadline": None,
    "suppress_health_check": list(HealthCheck),
    "print_blob": True,
}
_NO_SHRINKING = (Phase.explicit, Phase.reuse, Phase.generate)  # takes minutes on a failure; `deep` shrinks
settings.register_profile(
    "tieout", max_examples=int(os.environ.get("TIEOUT_EXAMPLES", "200")), phases=_NO_SHRINKING, **_CALM
)
settings.register_profile("deep", max_examples=10_000, **_CALM)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "tieout"))


@pytest.fixture
def sqlite_url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path / 'tieout.sqlite'}"


@pytest.fixture
def store(sqlite_url: str) -> Iterator[Store]:
    opened = Store.open(sqlite_url)
    yield opened
    opened.close()


@pytest.fixture(params=["sqlite", "postgres"])
def any_url(request: pytest.FixtureRequest) -> str:
    """Return the URL of an empty database, of each kind in turn."""
    return str(request.getfixturevalue("postgres" if request.param == "postgres" else "sqlite_url"))


@pytest.fixture
def any_store(any_url: str) -> Iterator[Store]:
    opened = Store.open(any_url)
    yield opened
    opened.close()
