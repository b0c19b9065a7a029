"""How does a command write to the store while no scheduler does? It holds the scheduler's lease for as long as it works."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy.exc import SQLAlchemyError

from . import pulse
from .lease import Lease, LeaseLostError, acquire, fence, holder_now, new_holder, release, renew
from .workspace import Workspace, open_store, with_store
from .yaml_source import ConfigError


@contextmanager
def holding_lease(workspace: Workspace) -> Iterator[Workspace]:
    """Yield the workspace with a store fenced by a lease that is renewed meanwhile. Errors: ConfigError when it is held."""
    ttl = workspace.settings.scheduler.lease
    lease = acquire(workspace.control, new_holder(), workspace.now_us(), ttl)
    if lease is None:
        with workspace.control.read() as conn:
            holder = holder_now(conn, workspace.now_us())
        raise ConfigError(
            f"the scheduler {holder} is polling this store already. Stop it (`tieout up` or `tieout demo`), or read with"
            " `tieout status`; if it has died, its lease ends by itself in less than a minute."
        )
    store = open_store(workspace.settings.store_url, create=False)
    fence(store, lease.token)
    done = threading.Event()
    keeper = threading.Thread(target=_keep, args=(workspace, lease, ttl, done), name="lease", daemon=True)
    keeper.start()
    try:
        yield with_store(workspace, store)
    finally:
        done.set()
        keeper.join()
        store.close()
        release(workspace.control, lease, workspace.now_us())


def _keep(workspace: Workspace, lease: Lease, ttl: int, done: threading.Event) -> None:
    while not done.wait(ttl / 3e6):
        try:
            renew(workspace.control, lease, workspace.now_us(), ttl)
        except LeaseLostError as error:
            pulse.report(workspace.control, "lease", "command", str(error), workspace.now_us())
            return
        except SQLAlchemyError:
            continue  # the store is busy; the next try is soon enough, and writes are fenced anyway
