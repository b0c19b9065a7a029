"""How does the lab get built before the tests need it? Makes the virtualenvs and the ERP's database, with progress.

`python -m tests.servers.prepare`; without it the first test that asks for a server builds what that server needs.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from pathlib import Path

from . import febrl, lab, localstripe, tryton

STEPS: dict[str, Callable[[], Path]] = {
    "localstripe, in a virtualenv": localstripe.installed,
    "Febrl's data sets": febrl.folder,
    "Tryton, in a virtualenv": tryton.installed,
    "Tryton's database with two legal entities": lambda: tryton.template(tryton.installed()),
}


def main() -> None:
    """Build every piece that is not there yet."""
    sys.stdout.write(f"the lab lies in {lab.cache()}\n")
    for name, build in STEPS.items():
        started = time.monotonic()
        folder = build()
        sys.stdout.write(f"{name}: {folder.name}, {time.monotonic() - started:.0f} s\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
