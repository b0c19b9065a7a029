"""Does the store keep what it was given, on both databases, among many writers, and when its process is killed?"""

from __future__ import annotations

import random
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import text

from metrics.store import Store
from metrics.tables import FACTS, HEADS, VERDICTS, table
from probes.clock import DAY

from .test_verify import company
from .world import T0, World, model_of

WRITERS, WRITES = 8, 40
KILLS = 20
CHILD = Path(__file__).with_name("landing_child.py")


@pytest.fixture
def pair(tmp_path: Path, postgres: str) -> Iterator[tuple[Store, Store]]:
    stores = Store.open(f"sqlite:///{tmp_path / 'one.sqlite'}"), Store.open(postgres)
    yield stores
    for store in stores:
        store.close()


def test_the_same_facts_give_the_same_derived_tables_on_both_databases(pair: tuple[Store, Store]) -> None:
    worlds = [company(store) for store in pair]
    for model in (*HEADS, *VERDICTS):
        name = table(model).name
        told = [sorted(repr([(k, _plain(v)) for k, v in sorted(r.items())]) for r in w.rows(name)) for w in worlds]
        assert told[0] == told[1], name


def _plain(value: object) -> object:
    return bytes(value) if isinstance(value, memoryview) else int(value) if isinstance(value, bool) else value


def test_eight_writers_at_once_never_find_the_store_busy(any_store: Store) -> None:
    with any_store.write() as conn:
        conn.execute(text("INSERT INTO counter (name, value, at_us) VALUES ('sum', 0, 0)"))
    failures: list[Exception] = []

    def work() -> None:
        try:
            for _ in range(WRITES):
                with any_store.write() as conn:
                    lock = " FOR UPDATE" if any_store.dialect == "postgresql" else ""
                    value = conn.execute(text(f"SELECT value FROM counter WHERE name = 'sum'{lock}")).scalar_one()
                    conn.execute(text("UPDATE counter SET value = :v WHERE name = 'sum'"), {"v": value + 1})
        except Exception as error:  # noqa: BLE001 # whatever a writer meets is what the test is about
            failures.append(error)

    threads = [threading.Thread(target=work) for _ in range(WRITERS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures
    with any_store.read() as conn:
        assert conn.execute(text("SELECT value FROM counter WHERE name = 'sum'")).scalar_one() == WRITERS * WRITES


def test_a_killed_process_leaves_cursor_and_rows_of_one_mind(tmp_path: Path) -> None:
    """The child lands pages of ten records and moves the cursor with each; it is killed at random points, again and again."""
    url, rng, landed = f"sqlite:///{tmp_path / 'killed.sqlite'}", random.Random(7), 0
    store = Store.open(url)
    World(store, model_of({"DE": {}}))
    for _ in range(KILLS):
        child = subprocess.Popen([sys.executable, str(CHILD), url], stdout=subprocess.PIPE, text=True)
        assert child.stdout is not None
        for _line in range(rng.randrange(1, 6)):
            assert child.stdout.readline() == "landed\n"
        child.kill()
        child.wait()
        child.stdout.close()
        with store.read() as conn:
            cursor = int(conn.execute(text("SELECT cursor FROM stream WHERE cursor <> '{}'")).scalar_one())
            records = conn.execute(text("SELECT COUNT(*) FROM record")).scalar_one()
            versions = conn.execute(text("SELECT COUNT(*) FROM version")).scalar_one()
            touches = conn.execute(text("SELECT COUNT(*) FROM touch WHERE flow = 'invoice_to_cash'")).scalar_one()
            assert conn.execute(text("PRAGMA integrity_check")).scalar_one() == "ok"
        assert records == versions == touches == cursor * 10
        assert cursor > landed
        landed = cursor
    store.close()


def test_a_failed_transaction_leaves_nothing(any_store: Store) -> None:
    def fail() -> None:
        with any_store.write() as conn:
            conn.execute(text("INSERT INTO counter (name, value, at_us) VALUES ('x', 1, 0)"))
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    with any_store.read() as conn:
        assert not conn.execute(text("SELECT * FROM counter")).all()


def test_every_integer_of_every_table_holds_the_largest_there_is(any_store: Store) -> None:
    """A column of 32 bits would overflow at 21 million euros in cents."""
    with any_store.write() as conn:
        for model in (*FACTS, *HEADS, *VERDICTS):
            for column in table(model).columns:
                if column.name.endswith(("_minor", "_us")):
                    kind = column.type.compile(dialect=conn.dialect)
                    assert kind == "BIGINT", f"{table(model).name}.{column.name} is {kind}"


def test_a_world_seen_to_its_end_has_a_watermark_on_every_stream(any_store: Store) -> None:
    world = World(any_store, model_of({"DE": {}}))
    world.see_all(T0 + DAY)
    assert {row["watermark_us"] for row in world.rows("stream")} == {T0 + DAY}
