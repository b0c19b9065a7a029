"""How does a test get a billing platform? localstripe, a stateful emulator of Stripe, in a virtualenv of its own.

Everything it holds is in memory and dies with it. `localstripe_run.py` says where it differs from its own command.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from . import lab
from .process import listens, running
from .venvs import venv


@dataclass(frozen=True)
class LocalStripe:
    """A running emulator; give `url` to the official client as its API base address."""

    url: str
    api_key: str = "sk_test_lab12345"

    def empty(self) -> None:
        """Forget everything that was ever done there."""
        httpx.delete(f"{self.url}/_config/data", trust_env=False).raise_for_status()


def installed() -> Path:
    """Return the virtualenv that holds localstripe."""
    return venv("localstripe", "localstripe~=1.15.10")


@pytest.fixture(scope="session")
def localstripe(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalStripe]:
    """Run localstripe."""
    python = installed() / "bin" / "python"
    folder = tmp_path_factory.mktemp("localstripe")
    (port,) = lab.free_ports(1)
    # -P: the folder of the script holds a module of the same name
    command = [python, "-P", Path(__file__).with_name("localstripe_run.py"), str(port)]
    with running(command, folder / "log", lambda: listens(port), seconds=30):
        yield LocalStripe(f"http://127.0.0.1:{port}")
