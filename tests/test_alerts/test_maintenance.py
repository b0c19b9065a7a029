"""Does planned maintenance of a platform begin no alert, and end none?"""

from __future__ import annotations

import pytest

from alerts import queries
from alerts.maintenance import problems
from alerts.settings import AlertSettings
from metrics.definitions import MetricsSettings
from metrics.loading import load_model
from metrics.store import Store
from probes.clock import HOUR, MINUTE, from_us
from probes.errors import ProbeError, Reason

from .build import NOW
from .company import DAY_BEFORE, Company

DUE = NOW + 4 * HOUR


def worked_on(store: Store, platform: str, from_us_: int, hours: int) -> Company:
    """Return a company, watched quietly since the day before, one platform of which is worked on for some hours."""
    begins = from_us(from_us_)
    window = {"at": f"{begins:%H:%M}", "for": f"{hours}h", "on": begins.date().isoformat()}
    calendars = {"works": {"time_zone": "UTC", "windows": [window]}}
    company = Company(store, AlertSettings.model_validate({"maintenance": {platform: "works"}}))
    settings = MetricsSettings.model_validate({"calendars": calendars})
    company.model = load_model(settings, company.platforms)
    company.cycle(DAY_BEFORE)
    company.cycle(NOW - MINUTE)
    return company


def states(company: Company) -> list[tuple[str, str]]:
    """Return rule and state of every open alert."""
    with company.store.read() as conn:
        return [(view.rule, view.state) for view in queries.open_alerts(conn)]


def test_an_order_overdue_while_the_erp_is_worked_on_is_told_of_when_the_works_are_over(store: Store) -> None:
    company = worked_on(store, "erp", NOW + 3 * HOUR, 3)
    company.win("A", NOW)
    during = company.cycle(DUE + MINUTE)
    assert (during.fired, during.suppressed["maintenance"]) == (0, during.findings)
    assert during.findings
    assert states(company) == []
    company.cycle(NOW + 6 * HOUR)
    assert ("overdue_document", "firing") in states(company)


def test_works_on_another_platform_hold_nothing_back(store: Store) -> None:
    company = worked_on(store, "bus", NOW + 3 * HOUR, 3)
    company.win("A", NOW)
    assert company.cycle(DUE + MINUTE).fired


def test_an_alert_that_fires_already_goes_on_and_ends_during_the_works(store: Store) -> None:
    company = worked_on(store, "erp", NOW + 5 * HOUR, 3)
    company.win("A", NOW)
    company.cycle(DUE + MINUTE)
    company.cycle(NOW + 5 * HOUR + MINUTE)
    assert ("overdue_document", "firing") in states(company)
    company.deliver("A", NOW + 5 * HOUR + 2 * MINUTE)
    company.cycle(NOW + 6 * HOUR)
    company.cycle(NOW + 7 * HOUR)
    assert "overdue_document" not in dict(states(company))


def test_a_platform_that_is_worked_on_may_be_down(store: Store) -> None:
    company = worked_on(store, "erp", NOW, 3)
    company.streams["order"].broken = ProbeError(Reason.SERVER, "closed for works")
    company.run(NOW + MINUTE, NOW + 2 * HOUR)
    assert "platform_down" not in dict(states(company))
    company.run(NOW + 3 * HOUR, NOW + 4 * HOUR)
    assert "platform_down" in dict(states(company))


@pytest.mark.parametrize(
    ("maintenance", "words"),
    [
        ({"sap": "works"}, "there is no platform 'sap'; there are crm, erp, bus"),
        ({"erp": "sundays"}, "there is no calendar 'sundays'; there are works, office"),
        ({"erp": "office"}, "the calendar office has no `windows:`"),
    ],
)
def test_a_window_that_leads_nowhere_is_told_with_what_to_write(
    store: Store, maintenance: dict[str, str], words: str
) -> None:
    company = Company(store, AlertSettings())
    calendars = {
        "works": {"time_zone": "UTC", "windows": [{"at": "22:00", "for": "6h", "on": "sat"}]},
        "office": {"time_zone": "UTC", "hours": {"mon": "09:00-17:00"}},
    }
    model = load_model(MetricsSettings.model_validate({"calendars": calendars}), company.platforms)
    assert any(words in text for text in problems(model, maintenance))
