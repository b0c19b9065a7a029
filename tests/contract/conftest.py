"""One world for all contracts of a test module; its clock only goes forward."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from .worlds import SECRETS, World


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """Yield a world in which every vendor has a platform."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in SECRETS.items():
            patch.setenv(name, value)
        yield World(tmp_path_factory.mktemp("world"))
