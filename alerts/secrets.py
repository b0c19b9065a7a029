"""Where a secret comes from: an environment variable or a file, never the configuration itself."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator


class SecretError(ValueError):
    """A secret that cannot be had; the text names where it was looked for, never what it is."""


def _reference(text: str) -> str:
    kind, _, where = text.partition(":")
    if kind not in ("env", "file") or not where:
        # The text itself may be the secret, so it is not repeated.
        raise ValueError("a secret is written env:NAME or file:PATH, never in the file itself")
    return text


Reference = Annotated[str, AfterValidator(_reference)]
"""`env:NAME` or `file:PATH`."""


def resolve(reference: str) -> str:
    """Return the secret behind a reference. Errors: SecretError saying what to set."""
    kind, _, where = _reference(reference).partition(":")
    if kind == "env":
        value = os.environ.get(where, "")
        hint = f"set the environment variable {where}"
    else:
        try:
            value = Path(where).expanduser().read_text("utf-8")
        except (OSError, UnicodeDecodeError):
            value = ""
        hint = f"write it into the file {where}, readable by this user"
    if not value.strip():
        raise SecretError(f"the secret {reference} is not there: {hint}")
    return value.strip()
