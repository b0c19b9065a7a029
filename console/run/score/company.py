"""How does Tieout watch the sandbox company in virtual time? Both in one process, on one clock stepped by hand.

The platforms answer through their real APIs behind a WSGI transport; the configuration is the demo's.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import stamina
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from metrics.confirm import confirm
from metrics.judge import judge
from probes.clock import DAY, from_us, iso
from probes.sandbox import Clock, Company, served_app
from probes.wire import in_process

from ..cycle import CycleSummary, poll_lanes, run_cycle, which
from ..demo import SECRETS, Demo, configuration
from ..settings import load_settings
from ..workspace import Workspace, open_workspace

SANDBOX_PORT = 28300
BASE_URL = f"http://127.0.0.1:{SANDBOX_PORT}"
"""An address for links and cursors; nothing listens there."""

_SINCE = re.compile(r"^watched_since: .*\n", re.MULTILINE)

Edit = Callable[[str], str]
"""Changes the text of the demo's configuration before it is loaded."""


class MonitorFailedError(RuntimeError):
    """A part of the monitor itself failed, so that nothing it says can be compared."""


@dataclass(frozen=True)
class Watched:
    """A company, the clock it lives by, and Tieout watching it."""

    company: Company
    clock: Clock
    workspace: Workspace

    @property
    def now_us(self) -> int:
        """Return the virtual instant."""
        return self.clock.now_us()

    def cycle(self) -> CycleSummary:
        """Let Tieout do everything that is due now. Errors: MonitorFailedError."""
        summary = run_cycle(self.workspace)
        if summary.degraded:
            raise MonitorFailedError(f"the monitor itself failed in: {', '.join(summary.degraded)}")
        return summary

    def look(self) -> bool:
        """Poll what is due and judge it, telling nobody. Returns whether anything can be said now that was not before.

        Errors: MonitorFailedError.
        """
        degraded: list[str] = []
        polls = poll_lanes(self.workspace, which(self.workspace, "due"), degraded)
        if degraded:
            raise MonitorFailedError(f"the monitor itself failed in: {', '.join(degraded)}")
        w = self.workspace
        judged = judge(w.store, w.model, self.now_us).total
        if confirm(w.store, w.model, w.platforms, w.toucher, w.clock):
            judged += judge(w.store, w.model, self.now_us).total
        return judged > 0 or any(p.versions or p.status != "complete" for p in polls)


@contextmanager
def watching(
    folder: Path,
    company: Company,
    *,
    signing_key: bytes,
    webhook: str = "http://127.0.0.1:9/none",
    watched_days: float | None = 0,
    edit: Edit = lambda text: text,
) -> Iterator[Watched]:
    """Open Tieout in front of a company, with the demo's configuration and everything of both in `folder`.

    `watched_days`: how much of the history before now counts for the SLIs; None says nothing of it, as a new user would.
    """
    demo = _lay_out(folder, webhook, signing_key)
    clock = Clock(company.start_us)
    since = "" if watched_days is None else f"watched_since: {iso(company.start_us - int(watched_days * DAY))}\n"
    text = _SINCE.sub(since, configuration(demo, company.start_us))
    demo.config.write_text(edit(text))
    app = served_app(company, clock, base_url=BASE_URL, private_key_pem=signing_key)
    settings = load_settings(demo.config)
    opened = open_workspace(settings, clock=lambda: from_us(clock.now_us()), transport=in_process(app))
    with closing(opened) as workspace, _hurried():
        yield Watched(company, clock, workspace)


def lived(folder: Path, *, seed: int, start_at: datetime, history_days: int, scale: float) -> Company:
    """Return a company that has not lived its history yet; its files go into `folder`."""
    return Company(seed, start_at, history_days, scale, data_dir=folder / "sandbox")


def new_signing_key() -> bytes:
    """Make a key that a client of the ERP signs with. Returns: PEM."""
    key = rsa.generate_private_key(65537, 2048)
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


@contextmanager
def _hurried() -> Iterator[None]:
    stamina.set_testing(True, attempts=2, cap=True)
    try:
        yield
    finally:
        stamina.set_testing(False)


def _lay_out(folder: Path, webhook: str, signing_key: bytes) -> Demo:
    for name in ("sandbox", "secrets"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    for name, value in {**SECRETS, "slack": webhook}.items():
        (folder / "secrets" / name).write_text(value)
    (folder / "sandbox" / "netsuite-private-key.pem").write_bytes(signing_key)
    return Demo(folder, 8600, SANDBOX_PORT, 1, 1, calm=False)
