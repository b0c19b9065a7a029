"""Which servers may every test ask for, and when is a skip a failure?

A test that names a server's fixture gets the marker of its kind and, for the heavy ones, a worker group, so that
with several workers each of them starts once. Where the lab is required (CI=true or TIEOUT_REQUIRE_LAB=1) a skipped
test is a failed test: what did not run proves nothing.
"""

from __future__ import annotations

from collections.abc import Generator

import pytest

from .servers import lab
from .servers.chromium import chromium, page
from .servers.localstripe import localstripe
from .servers.postgres import postgres, postgres_server
from .servers.prometheus import prometheus
from .servers.rabbitmq import rabbitmq
from .servers.slack import slack_sink
from .servers.smtp import smtp_sink
from .servers.tryton import tryton

__all__ = [
    "chromium", "localstripe", "page", "postgres", "postgres_server", "prometheus", "rabbitmq", "slack_sink",
    "smtp_sink", "tryton",
]  # fmt: skip

_MARKS = {
    "tryton": "lab", "localstripe": "lab", "rabbitmq": "lab", "prometheus": "lab",
    "chromium": "browser",
    "postgres_server": "postgres",
}  # fmt: skip
# PostgreSQL starts in a second, so every worker may have its own
_GROUPED = {"lab", "browser"}
# tests that may be skipped where the lab is required: the start of the node id, and why
SKIPS_ALLOWED: dict[str, str] = {}


# first, because xdist reads the groups in a hook of the same name
@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark each test by the servers it asks for and keep those of one kind in one worker."""
    for item in items:
        kinds = {_MARKS[name] for name in getattr(item, "fixturenames", ()) if name in _MARKS}
        for kind in sorted(kinds):
            item.add_marker(kind)
        groups = sorted(kinds & _GROUPED)
        if groups and not item.get_closest_marker("xdist_group"):
            item.add_marker(pytest.mark.xdist_group(groups[-1]))


def _skip_becomes_failure(report: pytest.TestReport | pytest.CollectReport) -> None:
    excused = hasattr(report, "wasxfail") or any(report.nodeid.startswith(start) for start in SKIPS_ALLOWED)
    if lab.required() and report.outcome == "skipped" and not excused:
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
        report.outcome = "failed"
        report.longrepr = (
            f"{reason}\nA skipped test is a failed test where the lab is required (CI or TIEOUT_REQUIRE_LAB)."
        )


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Turn a skipped test into a failed one where the lab is required."""
    report = yield
    _skip_becomes_failure(report)
    return report


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report() -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    """Turn a module skipped as a whole into an error where the lab is required."""
    report = yield
    _skip_becomes_failure(report)
    return report
