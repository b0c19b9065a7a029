"""What does a demo consist of, on disk and as processes? The sandbox company, its configuration, a store, a console.

Everything lives in one folder, by default ./.tieout, and stays there for later commands. Nothing leaves this machine.
"""

from __future__ import annotations

import shutil
import sys
import threading
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

from probes.clock import DAY, iso

from .cycle import run_cycle
from .holding import holding_lease
from .pair import local, start_pair
from .processes import Child, answers, check, free_port, start, together, wait_until
from .progress import progress
from .settings import Settings, load_settings
from .workspace import open_workspace
from .yaml_source import ConfigError

MARK = "# Written by `tieout demo`"
SEED, HISTORY_DAYS = 7, 30
SANDBOX_PORT, WEB_SINK_PORT, MAIL_SINK_PORT = 28300, 28400, 28450
# The sandbox's own credentials; they open nothing but the sandbox.
SECRETS = {
    "salesforce": "sandbox-salesforce-secret",
    "stripe": "rk_live_sandbox_stripe",
    "zendesk": "sandbox-zendesk-token",
    "rabbitmq": "sandbox-rabbitmq",
    "n8n": "sandbox-n8n-key",
}
# What the sandbox writes once it serves. Its address would not tell: another demo's sandbox may answer there.
SANDBOX_READY = "sandbox ready"
LEFT_BEHIND = ("sandbox", "messages", "secrets")
Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Demo:
    """Where one demo keeps its things and on which ports it runs."""

    folder: Path
    console_port: int
    sandbox_port: int
    slack_port: int
    mail_port: int
    calm: bool

    @property
    def config(self) -> Path:
        """Return the configuration file."""
        return self.folder / "tieout.yaml"

    @property
    def sandbox_url(self) -> str:
        """Return where the sandbox answers."""
        return f"http://127.0.0.1:{self.sandbox_port}"


def prepare(folder: Path, port: int, *, calm: bool, now_us: int) -> Demo:
    """Lay out a fresh demo, taking away what an earlier one left in the same folder. Errors: ConfigError."""
    folder = folder.resolve()
    _clear(folder)
    demo = Demo(
        folder,
        free_port(port),
        free_port(SANDBOX_PORT),
        free_port(WEB_SINK_PORT),
        free_port(MAIL_SINK_PORT),
        calm,
    )
    for name in LEFT_BEHIND:
        (folder / name).mkdir(parents=True, exist_ok=True)
    for name, value in {**SECRETS, "slack": f"http://127.0.0.1:{demo.slack_port}/slack"}.items():
        secret = folder / "secrets" / name
        secret.touch(mode=0o600)
        secret.write_text(value + "\n")
    demo.config.write_text(configuration(demo, now_us))
    return demo


def configuration(demo: Demo, now_us: int) -> str:
    """Return the demo's tieout.yaml."""
    text = resources.files(__package__).joinpath("demo.yaml").read_text("utf-8")
    since = iso((now_us - (HISTORY_DAYS - 1) * DAY) // 1_000_000 * 1_000_000)
    places = {
        "FOLDER": str(demo.folder),
        "SANDBOX": demo.sandbox_url,
        "CONSOLE_PORT": str(demo.console_port),
        "MAIL_PORT": str(demo.mail_port),
        "SINCE": str(since),
    }
    for name, value in places.items():
        text = text.replace(f"@{name}@", value)
    return text


def _clear(folder: Path) -> None:
    config = folder / "tieout.yaml"
    if config.exists() and not config.read_text("utf-8", "replace").startswith(MARK):
        raise ConfigError(
            f"{config} was not written by the demo and is left alone. Run the demo in another folder, or move that file."
        )
    if config.exists():
        _refuse_running(config)
    for name in LEFT_BEHIND:
        shutil.rmtree(folder / name, ignore_errors=True)
    for path in [*folder.glob("tieout.sqlite*"), *folder.glob("*.log")]:
        path.unlink()


def _refuse_running(config: Path) -> None:
    try:
        settings = load_settings(config)
        with closing(open_workspace(settings)) as workspace, holding_lease(workspace):
            return
    except ConfigError as error:
        if "polling this store already" in str(error):
            raise ConfigError(
                "a demo is already running in this folder. Stop it with Ctrl-C in its terminal."
            ) from None
        # An old demo's configuration that today's version cannot read is about to be replaced anyway.


def run(demo: Demo, stop: threading.Event, say: Say) -> None:
    """Start everything, load, say the address, and keep it running until told to stop. Errors: ChildError, ConfigError."""
    with together() as children:
        children += _start_outside(demo)
        settings = load_settings(demo.config)
        say("starting the sandbox company: 30 days of CRM, billing, ERP and support")
        company = children[-1]
        if not wait_until(lambda: SANDBOX_READY in company.tail(), children, stop, 90):
            return
        children += start_pair(settings, ("console",), logs=True)
        first_load(settings, say, stop)
        if stop.is_set():
            return
        children += start_pair(settings, ("scheduler",), logs=True)
        if not wait_until(lambda: answers(local(settings), "/readyz"), children, stop, 90):
            return
        say(f"Tieout is ready: {settings.console.url}")
        tool = _tool()
        say(f"answers in another terminal, in {demo.folder.parent}: {tool} status, {tool} breaks, {tool} find C-00042")
        say(f"messages it sends are in {demo.folder / 'messages'}; Ctrl-C stops everything")
        _watch(demo, children, stop, say)


def _tool() -> str:
    """Return how we were started: a virtual environment's command need not be on the reader's path."""
    return sys.argv[0] if Path(sys.argv[0]).name == "tieout" else "tieout"


def _start_outside(demo: Demo) -> list[Child]:
    """Start what stands for the world: the company's platforms and two inboxes."""
    arguments = ["probes.sandbox", "--port", str(demo.sandbox_port), "--seed", str(SEED)]
    arguments += ["--history-days", str(HISTORY_DAYS), "--data-dir", str(demo.folder / "sandbox")]
    arguments += ["--calm"] if demo.calm else []
    inbox = ["console.run.sinks", str(demo.folder / "messages"), str(demo.slack_port), str(demo.mail_port)]
    return [
        start("inbox", inbox, demo.folder / "inbox.log"),
        start("sandbox", arguments, demo.folder / "sandbox.log"),
    ]


def first_load(settings: Settings, say: Say, stop: threading.Event) -> None:
    """Read every stream to its end once and judge it."""
    with (
        closing(open_workspace(settings)) as opened,
        holding_lease(opened) as workspace,
        progress("first load") as tell,
    ):
        summary = run_cycle(workspace, probes="all", progress=tell, stop=stop)
    records = sum(p.records for p in summary.polls)
    say(f"first load: {records:,} records from {len(settings.platforms)} platforms")
    for poll in summary.polls:
        if poll.status != "complete":
            say(f"{poll.platform}/{poll.stream}: {poll.status}: {poll.message}")
    if summary.degraded:
        raise ConfigError(f"the first load failed in: {', '.join(summary.degraded)}. The traceback is above.")


def _watch(demo: Demo, children: list[Child], stop: threading.Event, say: Say) -> None:
    seen: set[Path] = set()
    while not stop.wait(1.0):
        check(children)
        new = sorted(set((demo.folder / "messages").glob("*.txt")) - seen)
        seen.update(new)
        for path in new:
            say(f"message: {path.read_text('utf-8').partition(chr(10))[0]}  ({path.name})")
    say("stopping")
