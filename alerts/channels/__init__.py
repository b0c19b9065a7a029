"""Which channels there are, and the one shape they share: one file per channel, found in this folder.

A channel module has `Settings` (its keys in tieout.yaml), `secrets(settings)` (the references it needs) and
`send(settings, message)`, which returns when the message is accepted and else raises `ChannelError`.
"""

from __future__ import annotations

import pkgutil
from functools import cache
from importlib import import_module
from typing import Any, Literal, Protocol

from alerts.message import Message


class ChannelError(Exception):
    """A message that was not accepted.

    `permanent`: trying again cannot help. `fault`: whether the `channel` as a whole is broken or only this `message` is
    refused. `retry_after_seconds`: when the receiver wants to be asked again. The text never holds a secret.
    """

    def __init__(
        self,
        text: str,
        *,
        permanent: bool = False,
        fault: Literal["channel", "message"] = "channel",
        retry_after_seconds: float | None = None,
    ) -> None:
        super().__init__(text)
        self.permanent = permanent
        self.fault = fault
        self.retry_after_seconds = retry_after_seconds


class Channel(Protocol):
    """What a module in this folder offers."""

    Settings: Any

    def secrets(self, settings: Any) -> tuple[str, ...]:
        """Return the secret references these settings name."""
        ...

    def send(self, settings: Any, message: Message) -> str | None:
        """Deliver one message. Returns: a remark worth keeping, or None. Errors: ChannelError."""
        ...


@cache
def channels() -> dict[str, Any]:
    """Return every channel by name. Errors: RuntimeError when a file here is no channel."""
    found: dict[str, Any] = {}
    for info in pkgutil.iter_modules(__path__):
        module = import_module(f"{__name__}.{info.name}")
        missing = [part for part in ("Settings", "secrets", "send") if not hasattr(module, part)]
        if missing:
            raise RuntimeError(f"alerts/channels/{info.name}.py is no channel: it lacks {', '.join(missing)}")
        found[info.name] = module
    return found
