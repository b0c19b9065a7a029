"""How does a test get a real ERP? Tryton in a virtualenv of its own, served from a copy of a prepared database.

Preparing takes half a minute and is done once per cache folder (the fiscal year ages, so once a month); each test
session copies the result. `tryton_bootstrap.py` says what is in it.
"""

from __future__ import annotations

import datetime as dt
import json
import os
import shutil
import sqlite3
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from . import lab
from .process import answers, running
from .venvs import venv

MODULES = ("party", "product", "sale", "account", "account_invoice", "account_payment", "account_statement")
REQUIREMENTS = ("trytond~=8.2.0", *(f"trytond-{name.replace('_', '-')}~=8.2.0" for name in MODULES), "proteus~=8.2.0")
DATABASE = "erp"
_BOOTSTRAP = Path(__file__).with_name("tryton_bootstrap.py")


@dataclass(frozen=True)
class Tryton:
    """A running Tryton. `facts` holds the ids of the two legal entities `gmbh` and `kk` and what they work with.

    `integration_key` may write, `probe_key` may only read; both see both entities.
    """

    url: str
    database: str
    integration_key: str
    probe_key: str
    facts: dict[str, Any]


def installed() -> Path:
    """Return the virtualenv that holds Tryton."""
    return venv("tryton", *REQUIREMENTS, "waitress~=3.0")


@pytest.fixture(scope="session")
def tryton(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tryton]:
    """Run Tryton over HTTP with a fresh copy of the prepared database."""
    python = installed() / "bin"
    prepared = template(installed())
    folder = tmp_path_factory.mktemp("tryton")
    shutil.copy(prepared / f"{DATABASE}.sqlite", folder)
    facts = json.loads((prepared / "facts.json").read_text())
    (port,) = lab.free_ports(1)
    url = f"http://127.0.0.1:{port}"
    # one process with threads: SQLite wants a single writing process
    command = [python / "waitress-serve", f"--listen=127.0.0.1:{port}", "--threads=4", "trytond.application:app"]
    env = {"TRYTOND_CONFIG": str(_configure(folder)), "TRYTOND_DATABASE_NAMES": DATABASE}
    # the first request loads the modules, which takes its time: wait on one that needs them
    probe = f"{url}/{DATABASE}/rest/model/party.party?s=1"
    with running(command, folder / "log", lambda: answers(probe), env=env, seconds=120):
        yield Tryton(url, DATABASE, facts["integration_key"], facts["probe_key"], facts)


def _configure(folder: Path) -> Path:
    conf = folder / "trytond.conf"
    lines = [
        "[database]",
        "uri = sqlite://",
        f"path = {folder}",
        "list = True",
        "[password]",
        "length = 4",
        "entropy = 0",
    ]
    conf.write_text("\n".join(lines) + "\n")
    return conf


def template(virtualenv: Path) -> Path:
    """Return the folder with the prepared database and its facts, preparing it when it is not there."""
    month = dt.datetime.now(dt.UTC).strftime("%Y-%m")
    folder = lab.cache() / f"tryton-{lab.fingerprint(month, _BOOTSTRAP.read_bytes(), *REQUIREMENTS, *MODULES)}"
    with lab.locked("tryton-template"):
        if not (folder / ".complete").exists():
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir()
            _initialise(virtualenv / "bin", folder)
            (folder / ".complete").touch()
    return folder


def _initialise(python: Path, folder: Path) -> None:
    conf, database, password = _configure(folder), folder / f"{DATABASE}.sqlite", folder / "password"
    database.touch()
    password.write_text("admin-of-the-lab")
    create = ["trytond-admin", "-c", conf, "-d", DATABASE, "--all", "--email", "admin@lab.example"]
    fill = ["python", "-P", _BOOTSTRAP, conf, DATABASE, folder / "facts.json", *MODULES]
    for program, *args in (create, fill):
        step = [str(python / str(program)), *map(str, args)]
        env = {**os.environ, "TRYTONPASSFILE": str(password)}
        done = subprocess.run(step, capture_output=True, text=True, check=False, env=env)
        if done.returncode:
            raise RuntimeError(f"{program} ended with {done.returncode}:\n{(done.stdout + done.stderr)[-3000:]}")
    connection = sqlite3.connect(database)
    connection.execute("pragma wal_checkpoint(truncate)")  # else the last writes stay behind when the file is copied
    connection.close()
