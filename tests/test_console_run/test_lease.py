"""Is there ever more than one scheduler that can write to a database?"""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from sqlalchemy import text

from console.run.lease import LeaseLostError, acquire, fence, holder_now, new_holder, release, renew
from metrics.store import Store

TTL = 30_000_000
NOW = 1_795_000_000_000_000


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, store_url: str) -> str:
    return store_url if request.param == "sqlite" else str(request.getfixturevalue("postgres"))


@pytest.fixture
def db(url: str) -> Iterator[Store]:
    opened = Store.open(url)
    yield opened
    opened.close()


def test_the_first_comer_gets_the_lease_and_the_second_waits(db: Store) -> None:
    assert acquire(db, "a", NOW, TTL) is not None
    assert acquire(db, "b", NOW + TTL - 1, TTL) is None


def test_an_expired_lease_goes_to_the_next_with_a_greater_token(db: Store) -> None:
    first = acquire(db, "a", NOW, TTL)
    second = acquire(db, "b", NOW + TTL, TTL)
    assert first is not None
    assert second is not None
    assert second.token == first.token + 1


def test_a_renewed_lease_does_not_expire(db: Store) -> None:
    lease = acquire(db, "a", NOW, TTL)
    assert lease is not None
    renew(db, lease, NOW + TTL // 2, TTL)
    assert acquire(db, "b", NOW + TTL + 1, TTL) is None


def test_who_was_replaced_cannot_renew(db: Store) -> None:
    lease = acquire(db, "a", NOW, TTL)
    assert lease is not None
    acquire(db, "b", NOW + TTL, TTL)
    with pytest.raises(LeaseLostError):
        renew(db, lease, NOW + TTL + 1, TTL)


def test_a_released_lease_is_free_at_once(db: Store) -> None:
    lease = acquire(db, "a", NOW, TTL)
    assert lease is not None
    release(db, lease, NOW + 1)
    with db.read() as conn:
        assert holder_now(conn, NOW + 1) is None
    assert acquire(db, "b", NOW + 1, TTL) is not None


def test_a_release_after_a_takeover_takes_nothing_away(db: Store) -> None:
    lease = acquire(db, "a", NOW, TTL)
    assert lease is not None
    acquire(db, "b", NOW + TTL, TTL)
    release(db, lease, NOW + TTL + 1)
    with db.read() as conn:
        assert holder_now(conn, NOW + TTL + 1) == "b"


def test_a_lease_from_a_clock_that_ran_far_ahead_does_not_block_for_ever(db: Store) -> None:
    acquire(db, "a", NOW + 365 * 86_400_000_000, TTL)
    assert acquire(db, "b", NOW, TTL) is not None


def test_a_replaced_scheduler_commits_nothing_more(db: Store, url: str) -> None:
    lease = acquire(db, "a", NOW, TTL)
    assert lease is not None
    old = Store.open(url, create=False)
    fence(old, lease.token)
    insert = text("INSERT INTO touch (flow, subject_id) VALUES ('f', :n)")
    with old.write() as conn:
        conn.execute(insert, {"n": 1})
    acquire(db, "b", NOW + TTL, TTL)
    for _ in range(2):  # the refusal leaves no broken connection behind
        with pytest.raises(LeaseLostError), old.write() as conn:
            conn.execute(insert, {"n": 2})
    with old.read() as conn:
        assert conn.execute(text("SELECT subject_id FROM touch")).scalars().all() == [1]
    old.close()


def test_two_processes_never_share_a_name() -> None:
    assert new_holder() != new_holder()
