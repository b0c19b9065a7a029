"""Does every entry of the catalogue show through the APIs while the journal says it is true, and not any more once repaired?"""

from collections.abc import Iterator
from dataclasses import dataclass, field

import httpx
import pytest

from probes.sandbox import App, Clock, Company, inject, repair, served_app
from probes.sandbox.clock import DAY_US, HOUR_US
from probes.sandbox.failures import REGISTRY
from probes.sandbox.journal import Entry

from .conftest import SALESFORCE, lived
from .erp_client import sign_in
from .readers import Platforms
from .readers_master import READERS

BUSINESS = [name for name, spec in REGISTRY.items() if not spec.silent and not name.startswith("P")]
BY_THEMSELVES = {"O02", "B02", "E02"}
"""What ends without anybody mending it."""
UNSEEN = {("late", "Opportunity"), ("batch_late", "batch"), ("backlog", "queue")}
"""Seen in time only, by tests of their own."""


@dataclass
class Story:
    """A company that failed in every way at once, and was mended eight days later."""

    company: Company
    wrong_before: dict[int, bool] = field(default_factory=dict)
    wrong_after: dict[int, bool] = field(default_factory=dict)

    def entries(self, fault: str) -> list[Entry]:
        """Return what the journal says of a fault."""
        return [e for e in self.company.journal.entries if e.fault == fault]


@pytest.fixture(scope="module")
def story(signing_key: bytes) -> Iterator[Story]:
    """Inject everything twice or more, look, mend everything, look again."""
    company = lived(history_days=10, scale=0.4)
    clock = Clock(company.start_us)
    app = served_app(company, clock, private_key_pem=signing_key)
    told = Story(company)
    for number, fault in enumerate(BUSINESS):
        for time in range(3):
            inject(company.world, fault, 1, company.start_us + (number % 9 + time * 10) * HOUR_US // 3)
    with httpx.Client(transport=httpx.WSGITransport(app=app), base_url="http://sandbox") as web:
        clock.step(8 * 86_400)
        company.advance_to(clock.now_us())
        told.wrong_before = _look(app, web, company)
        for fault in BUSINESS:
            if company.journal.open_entries(fault):
                repair(company.world, fault=fault)
        clock.step(3600)
        company.advance_to(clock.now_us())
        told.wrong_after = _look(app, web, company)
        yield told


def _look(app: App, web: httpx.Client, company: Company) -> dict[int, bool]:
    """Ask the platforms about every entry that was open before the repair."""
    token = web.post("/salesforce/services/oauth2/token", data={"grant_type": "client_credentials"}, auth=SALESFORCE)
    headers = {"Authorization": f"Bearer {token.json()['access_token']}"}
    platforms = Platforms(web, headers, sign_in(web, app), app.served.clock)
    found = {}
    for entry in company.journal.entries:
        key = (entry.kind, entry.object)
        if entry.fault in BUSINESS and key not in UNSEEN and entry.fault not in BY_THEMSELVES:
            found[entry.id] = READERS[key](platforms, entry)
    return found


@pytest.mark.parametrize("fault", BUSINESS)
def test_a_failure_writes_the_truth_that_its_table_says(story: Story, fault: str) -> None:
    entries = [e for e in story.entries(fault) if e.cause is None]
    assert len(entries) >= 3, [e.note for e in story.entries(fault)]
    said = REGISTRY[fault].truth
    assert all(e.kind in said and e.object in said for e in entries), said


@pytest.mark.parametrize("fault", [f for f in BUSINESS if f not in BY_THEMSELVES])
def test_the_platforms_show_what_the_journal_says(story: Story, fault: str) -> None:
    assert [e for e in story.entries(fault) if not story.wrong_before[e.id]] == []


@pytest.mark.parametrize("fault", BUSINESS)
def test_repaired_everything_is_right_again(story: Story, fault: str) -> None:
    assert [e for e in story.entries(fault) if e.repaired_us is None] == []
    assert [e for e in story.entries(fault) if story.wrong_after.get(e.id)] == []


def test_one_way_of_failing_does_not_hide_another(story: Story) -> None:
    assert {e.fault for e in story.company.journal.entries if e.kind == "not_injected"} == set()
    assert story.company.world.now_us > story.company.start_us + 8 * DAY_US
