"""Are the alerts of a past instant those that were told of then? Told at each step, and asked for again at the end."""

from __future__ import annotations

from dataclasses import replace

from alerts import actions, queries
from alerts.findings import alert_id
from alerts.queries import AlertView
from metrics.store import Store
from probes.clock import HOUR, MINUTE

from .build import NOW, finding, step


def told(store: Store, at_us: int | None = None) -> list[AlertView]:
    """Return the open alerts without what each look renews: when last seen, and what is only so now."""
    with store.read() as conn:
        found = queries.open_alerts(conn, at_us)
    kept = [a for a in found if a.state != "pending"]
    return [replace(a, seen_us=0, told_us=None, as_of_us=None) for a in kept]


def test_the_alerts_of_a_past_instant_are_those_that_were_open_then(any_store: Store) -> None:
    then: dict[int, list[AlertView]] = {NOW - MINUTE: told(any_store)}
    step(any_store, NOW, finding())
    then[NOW] = told(any_store)
    step(any_store, NOW + HOUR, finding(), finding("NW-US"))
    then[NOW + HOUR] = told(any_store)
    actions.acknowledge(any_store, alert_id(finding().fingerprint), "Ada", "INC-1", NOW + 2 * HOUR)
    then[NOW + 2 * HOUR] = told(any_store)
    step(any_store, NOW + 3 * HOUR, finding("NW-US"))
    step(any_store, NOW + 4 * HOUR, finding("NW-US"))
    then[NOW + 4 * HOUR] = told(any_store)
    step(any_store, NOW + 30 * HOUR)
    step(any_store, NOW + 31 * HOUR)
    step(any_store, NOW + 40 * HOUR, finding())
    then[NOW + 40 * HOUR] = told(any_store)
    assert [[a.state for a in alerts] for alerts in then.values()] == [
        [], ["firing"], ["firing", "firing"], ["acknowledged", "firing"], ["firing"], ["firing"],
    ]  # fmt: skip
    for at_us, alerts in then.items():
        assert told(any_store, at_us) == alerts, (at_us - NOW) / HOUR


def test_the_history_and_the_documents_of_an_alert_end_at_the_instant_asked_for(any_store: Store) -> None:
    step(any_store, NOW, finding())
    step(any_store, NOW + HOUR)
    step(any_store, NOW + 2 * HOUR)
    key = alert_id(finding().fingerprint)
    with any_store.read() as conn:
        assert [t.kind for t in queries.history(conn, NOW, until_us=NOW)] == ["firing"]
        assert len(queries.members(conn, key, at_us=NOW)) == 1
        assert queries.members(conn, key, at_us=NOW - 1) == []
        assert queries.members(conn, key) == []
