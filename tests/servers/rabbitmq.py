"""How does a test get a real message broker? RabbitMQ with its management API, all state in a temporary folder.

Own node name, cookie, epmd and ports, loopback only: a broker that already runs on this machine is not disturbed.
"""

from __future__ import annotations

import os
import shutil
import signal
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from . import lab
from .process import answers, listens, running

USER = PASSWORD = "lab"
_SERVER = Path("/usr/lib/rabbitmq/bin/rabbitmq-server")  # not the one on PATH: that one changes to a system user


@dataclass(frozen=True)
class RabbitMQ:
    """A running broker: AMQP on `port`, management API under `url`, user and password `lab`."""

    port: int
    url: str
    user: str = USER
    password: str = PASSWORD


@pytest.fixture(scope="session")
def rabbitmq(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RabbitMQ]:
    """Run a RabbitMQ broker."""
    if not _SERVER.exists():
        lab.missing("RabbitMQ", "apt-get install rabbitmq-server")
    folder = tmp_path_factory.mktemp("rabbitmq")
    amqp, http, distribution, epmd = lab.free_ports(4)
    env = _environment(folder, distribution, epmd)
    _configure(folder, amqp, http)
    epmd_command = [lab.command("epmd", "erlang-base"), "-address", "127.0.0.1", "-port", str(epmd)]
    url = f"http://127.0.0.1:{http}"

    def ready() -> bool:
        return listens(amqp) and answers(f"{url}/api/overview")

    with (
        running(epmd_command, folder / "epmd.log", lambda: listens(epmd), env=env),
        running([_SERVER], folder / "log", ready, env=env, seconds=120) as process,
    ):
        yield RabbitMQ(amqp, url)
        # nothing to save, and an orderly stop takes six seconds; the start script ends when its Erlang machine does
        os.kill(int((folder / "pid").read_text()), signal.SIGKILL)
        process.wait(20)
    shutil.rmtree(folder / "mnesia", ignore_errors=True)


def _environment(folder: Path, distribution: int, epmd: int) -> dict[str, str]:
    return {
        "HOME": str(folder),  # where Erlang keeps its cookie
        "ERL_EPMD_ADDRESS": "127.0.0.1",
        "ERL_EPMD_PORT": str(epmd),
        "RABBITMQ_NODENAME": f"tieout{os.getpid()}@localhost",
        "RABBITMQ_BASE": str(folder),
        "RABBITMQ_HOME_DIR": str(folder),
        "RABBITMQ_MNESIA_BASE": str(folder / "mnesia"),
        "RABBITMQ_LOG_BASE": str(folder / "log.d"),
        "RABBITMQ_CONFIG_FILE": str(folder / "rabbitmq.conf"),
        "RABBITMQ_CONF_ENV_FILE": str(folder / "env"),
        "RABBITMQ_ENABLED_PLUGINS_FILE": str(folder / "enabled_plugins"),
        "RABBITMQ_PID_FILE": str(folder / "pid"),
        "RABBITMQ_DIST_PORT": str(distribution),
        "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "-kernel inet_dist_use_interface {127,0,0,1} +S 2:2",
    }


def _configure(folder: Path, amqp: int, http: int) -> None:
    settings = {
        "listeners.tcp.1": f"127.0.0.1:{amqp}",
        "management.tcp.ip": "127.0.0.1",
        "management.tcp.port": str(http),
        "management.rates_mode": "basic",
        "collect_statistics_interval": "1000",  # queue figures lag by this much; the default is 5 s
        "vm_memory_high_watermark.absolute": "512MB",
        "disk_free_limit.absolute": "50MB",
        "log.console": "true",
        "log.file": "false",
        "default_user": USER,
        "default_pass": PASSWORD,
    }
    (folder / "env").touch()
    (folder / "enabled_plugins").write_text("[rabbitmq_management].\n")
    (folder / "rabbitmq.conf").write_text("".join(f"{name} = {value}\n" for name, value in settings.items()))
