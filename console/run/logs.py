"""How do the background processes talk? One line per event on stderr; HTTP libraries stay quiet, they would log secrets."""

from __future__ import annotations

import logging
import sys
import time

QUIET = ("httpx", "httpcore", "apscheduler", "urllib3", "slack_sdk")


def log_to_stderr(level: int = logging.INFO) -> None:
    """Send log lines to stderr, in UTC."""
    formatter = logging.Formatter("%(asctime)sZ %(levelname)s %(name)s: %(message)s", "%Y-%m-%dT%H:%M:%S")
    formatter.converter = time.gmtime
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(formatter)
    logging.basicConfig(level=level, handlers=[handler], force=True)
    hush()


def hush() -> None:
    """Keep libraries that would print URLs and queries from doing so."""
    for name in QUIET:
        logging.getLogger(name).setLevel(logging.ERROR)
