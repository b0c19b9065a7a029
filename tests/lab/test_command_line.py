"""Does the command line, in the order a newcomer would use it, work against real platforms?"""

from __future__ import annotations

import datetime as dt
import json
import subprocess
import sys
from pathlib import Path

from . import erp as ledger
from .company import DE, Company

HOUR = dt.timedelta(hours=1)
TIEOUT = Path(sys.executable).with_name("tieout")


def tieout(company: Company, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the command in the folder of the company's configuration."""
    command = [str(TIEOUT), "--config", str(company.config), *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=300, cwd=company.config.parent)
    assert "Traceback" not in done.stdout + done.stderr, done.stdout + done.stderr
    return done


def test_check_poll_figures_and_rebuild_agree_with_what_was_done(company: Company) -> None:
    now = dt.datetime.now(dt.UTC)
    company.crm.account("001-ACME", "Acme GmbH", DE, now - 30 * HOUR)
    company.crm.deal("006-LATER", "001-ACME", DE, "98.00", "EUR", "Won", now - 6 * HOUR)
    company.crm.deal("006-NEVER", "001-ACME", DE, "1960.00", "EUR", "Won", now - 6 * HOUR)
    order = ledger.order(company.erp, ledger.customer(company.erp, "Acme GmbH"), "006-LATER", quantity=2)

    check = tieout(company, "check")
    assert check.returncode == 0, check.stdout + check.stderr
    assert "Lab GmbH" in check.stdout

    poll = tieout(company, "poll", "--once")
    assert poll.returncode == 0, poll.stdout + poll.stderr

    sli = tieout(company, "sli", "order_latency", "--entity", DE, "--format", "json")
    assert sli.returncode == 1, sli.stdout + sli.stderr  # the objective is missed, and that is a finding
    (figure,) = json.loads(sli.stdout)["items"]
    assert (figure["sli"], figure["good"], figure["bad"]) == ("order_latency", 0, 2)

    find = tieout(company, "find", order.number, "--format", "json")
    assert find.returncode == 0, find.stdout + find.stderr
    assert str(order.id) in find.stdout

    verify = tieout(company, "rebuild", "--verify")
    assert verify.returncode == 0, verify.stdout + verify.stderr
