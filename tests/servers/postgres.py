"""How does a test get a PostgreSQL of its own? A throw-away cluster per worker, a fresh schema per test.

Debian's binaries, one process group, loopback only. PostgreSQL refuses to run as root: as root the cluster belongs to
the user `postgres` that the package made, else to whoever runs the tests.
"""

from __future__ import annotations

import itertools
import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psycopg
import pytest

from . import lab
from .process import running

_numbers = itertools.count(1)


@dataclass(frozen=True)
class Postgres:
    """A running cluster with one database `lab`, owned by the superuser `lab` without a password."""

    port: int

    @property
    def url(self) -> str:
        """Return the SQLAlchemy URL of the database."""
        return f"postgresql+psycopg://lab@127.0.0.1:{self.port}/lab"

    @contextmanager
    def schema(self) -> Iterator[str]:
        """Make a schema, hand out the URL whose connections live in it, and drop it with everything in it."""
        name = f"test_{next(_numbers)}"
        with psycopg.connect(f"postgresql://lab@127.0.0.1:{self.port}/lab", autocommit=True) as admin:
            admin.execute(f"create schema {name}")
            yield f"{self.url}?options=-csearch_path%3D{name}&application_name={name}"
            # a connection the test left open in its pool would hold the drop up for ever
            admin.execute("select pg_terminate_backend(pid) from pg_stat_activity where application_name = %s", [name])
            admin.execute(f"drop schema {name} cascade")


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[Postgres]:
    """Run a PostgreSQL cluster for this worker."""
    binaries = _binaries()
    folder = Path(tempfile.mkdtemp(prefix="tieout-pg-"))  # not pytest's own: the cluster's user must be able to enter
    try:
        with _cluster(binaries, folder) as port:
            yield Postgres(port)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def postgres(postgres_server: Postgres) -> Iterator[str]:
    """Return the SQLAlchemy URL of an empty PostgreSQL schema that is this test's own."""
    with postgres_server.schema() as url:
        yield url


def _binaries() -> Path:
    found = [path.parent for path in Path("/usr/lib/postgresql").glob("*/bin/initdb")]
    if not found:
        lab.missing("PostgreSQL", "apt-get install postgresql")
    return max(found, key=lambda path: float(path.parent.name))


def _as_owner(folder: Path) -> list[str]:
    if os.geteuid() != 0:
        return []
    shutil.chown(folder, "postgres", "postgres")
    # changing the user clears the signal that ends a server with its parent: set it anew
    return ["setpriv", "--pdeathsig=INT", "--reuid=postgres", "--regid=postgres", "--init-groups", "--"]


@contextmanager
def _cluster(binaries: Path, folder: Path) -> Iterator[int]:
    owner, data, (port,) = _as_owner(folder), folder / "data", lab.free_ports(1)
    initdb = [
        binaries / "initdb",
        "-D",
        data,
        "-U",
        "lab",
        "-A",
        "trust",
        "-E",
        "UTF8",
        "--locale=C.UTF-8",
        "--no-sync",
    ]
    subprocess.run([*owner, *map(str, initdb)], check=True, capture_output=True, cwd=folder)
    settings = {
        "listen_addresses": "127.0.0.1",
        "port": str(port),
        "unix_socket_directories": "",
        "timezone": "UTC",
        "fsync": "off",  # the data dies with the test
        "synchronous_commit": "off",
        "full_page_writes": "off",
    }
    options = [f"--{name}={value}" for name, value in settings.items()]
    command = [*owner, binaries / "postgres", "-D", data, *options]
    # SIGINT is PostgreSQL's fast shutdown; SIGTERM would wait for every client to leave
    with running(command, folder / "log", lambda: _ready(port), stop_signal=signal.SIGINT):
        with psycopg.connect(f"postgresql://lab@127.0.0.1:{port}/postgres", autocommit=True) as admin:
            admin.execute("create database lab")
        yield port


def _ready(port: int) -> bool:
    try:
        psycopg.connect(f"postgresql://lab@127.0.0.1:{port}/postgres", connect_timeout=2).close()
    except psycopg.OperationalError:
        return False
    return True
