"""How does a Python server get a virtualenv of its own? Built once into the lab's cache, found there ever after.

Nothing of these servers is imported by the product or its tests: they only talk over the network.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

from . import lab


def venv(name: str, *requirements: str) -> Path:
    """Return the folder of a virtualenv with these requirements installed, building it when it is not there.

    Skips the test (fails it where the lab is required) when pip cannot install them.
    """
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    folder = lab.cache() / f"venv-{name}-{lab.fingerprint(version, *requirements)}"
    with lab.locked(f"venv-{name}"):
        if not (folder / ".complete").exists():
            _build(folder, requirements)
    return folder


def _build(folder: Path, requirements: tuple[str, ...]) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    for step in (
        [sys.executable, "-m", "venv", str(folder)],
        [str(folder / "bin" / "pip"), "install", "--quiet", "--disable-pip-version-check", *requirements],
    ):
        done = subprocess.run(step, capture_output=True, text=True, check=False)
        if done.returncode:
            how = f"{' '.join(step)} failed: {(done.stderr or done.stdout)[-600:]}"
            lab.missing(f"the virtualenv {folder.name}", how)
    (folder / ".complete").touch()
