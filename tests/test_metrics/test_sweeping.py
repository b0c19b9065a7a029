"""Is a list of ids believed only where it can be all there is, and asked for again where it was not?"""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from alerts import sight
from alerts.rules import platform_down
from metrics.polling import due
from metrics.store import Store
from probes.clock import DAY, HOUR, MINUTE

from .test_polling import Erp, Poll, Script, order, page, poll, script
from .world import T0

__all__ = ["poll", "script"]  # fixtures

HELD = [order(f"{entity}{n}", T0, entity) for entity in ("DE", "US") for n in range(3)]
GERMAN = HELD[:3]


@pytest.fixture
def swept(any_store: Store, poll: Poll) -> Store:
    """Return a store that a whole entity seems to have left within a day."""
    poll(T0 + MINUTE, page(T0 + MINUTE, *HELD, watermark=T0 + MINUTE))
    assert poll(T0 + DAY, page(T0 + DAY, *GERMAN), kind="sweep") == "suspect"
    return any_store


def deleted(store: Store) -> list[str]:
    with store.read() as conn:
        return list(conn.exec_driver_sql("SELECT external_id FROM record WHERE deleted_us IS NOT NULL").scalars())


def test_an_entity_that_left_the_list_as_a_whole_is_out_of_sight_and_not_deleted(swept: Store) -> None:
    assert deleted(swept) == []


def test_some_records_of_an_entity_that_left_the_list_are_deleted(any_store: Store, poll: Poll) -> None:
    poll(T0 + MINUTE, page(T0 + MINUTE, *HELD, watermark=T0 + MINUTE))
    assert poll(T0 + DAY, page(T0 + DAY, *HELD[:-2]), kind="sweep") == "complete"
    assert sorted(deleted(any_store)) == ["US1", "US2"]


def test_a_sweep_that_was_not_believed_is_due_again_within_the_hour(swept: Store, script: Script, poll: Poll) -> None:
    platform = Erp(script)
    script.spec = replace(script.spec, sweeps=True)

    def kinds(now_us: int) -> list[str]:
        with swept.read() as conn:
            return [kind for _, _, kind in due(conn, {"erp": platform}, now_us)]

    assert "sweep" not in kinds(T0 + DAY + MINUTE)
    assert "sweep" in kinds(T0 + DAY + 20 * MINUTE)
    poll(T0 + DAY + 20 * MINUTE, page(T0 + DAY + 20 * MINUTE, *HELD), kind="sweep")
    assert "sweep" not in kinds(T0 + DAY + 2 * HOUR)


def test_what_is_out_of_sight_is_told_and_over_when_it_is_listed_again(swept: Store, poll: Poll) -> None:
    with swept.read() as conn:
        (found,) = platform_down.find(sight.read(conn), platform_down.Spec(), T0 + DAY)
    assert "records held of US" in dict(found.details)["Reason"]
    assert found.since_us == T0 + DAY
    poll(T0 + DAY + 20 * MINUTE, page(T0 + DAY + 20 * MINUTE, *HELD), kind="sweep")
    with swept.read() as conn:
        assert platform_down.find(sight.read(conn), platform_down.Spec(), T0 + DAY + 20 * MINUTE) == []


@pytest.mark.parametrize(("asked_us", "hidden"), [(T0 + DAY, True), (T0 + DAY - 2 * HOUR, False)])
def test_a_direct_read_that_missed_a_known_record_speaks_as_long_as_it_is_asked_again(
    any_store: Store, poll: Poll, asked_us: int, hidden: bool
) -> None:
    poll(T0 + DAY, page(T0 + DAY, *HELD, watermark=T0 + DAY))
    with any_store.write() as conn:
        conn.exec_driver_sql(
            f"INSERT INTO lookup SELECT id, 1, {asked_us}, 'id', {'FALSE' if any_store.dialect == 'postgresql' else 0} FROM stream"
        )
    with any_store.read() as conn:
        (stream,) = sight.read(conn)
    assert (stream.hidden is not None) is hidden
    assert (stream.blind(T0 + DAY) is not None) is hidden
