"""Does Alembic's baseline make the very database that an empty store is created as, and is any other one refused?"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, text

from console.run.migrations.schema import schema
from metrics.revision import REVISION
from metrics.store import Store, StoreError

ROOT = Path(__file__).resolve().parents[2]
AGAIN = "a table was changed since the baseline was written: run `make baseline`"
_POSTGRES = (
    "SELECT table_name, column_name, data_type, collation_name, is_nullable, column_default FROM information_schema.columns"
    " WHERE table_schema = current_schema()",
    "SELECT tablename, indexname, replace(indexdef, current_schema() || '.', '') FROM pg_indexes"
    " WHERE schemaname = current_schema()",
    "SELECT conrelid::regclass::text, conname, pg_get_constraintdef(oid) FROM pg_constraint"
    " WHERE connamespace = current_schema()::regnamespace",
)


@pytest.fixture(params=["sqlite", "postgres"])
def urls(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[str, str]]:
    """Return the URLs of two empty databases of each kind in turn."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path / 'one.sqlite'}", f"sqlite:///{tmp_path / 'two.sqlite'}"
        return
    server = request.getfixturevalue("postgres_server")
    with server.schema() as one, server.schema() as two:
        yield one, two


@pytest.fixture
def alembic(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Config:
    """Return Alembic as a person runs it: in a folder with a tieout.yaml."""
    (tmp_path / "tieout.yaml").write_text("platforms: {}\n")
    monkeypatch.chdir(tmp_path)
    return Config(toml_file=str(ROOT / "pyproject.toml"))


def migrated(alembic: Config, url: str, monkeypatch: pytest.MonkeyPatch) -> Store:
    monkeypatch.setenv("TIEOUT_STORE", url)
    command.upgrade(alembic, "head")
    return Store.open(url, create=False)


def drawn(conn: Connection) -> set[tuple[object, ...]]:
    """Return everything the database says of its tables and indexes."""
    if conn.dialect.name == "postgresql":
        return {tuple(row) for query in _POSTGRES for row in conn.execute(text(query))}
    rows = conn.execute(text("SELECT type, name, sql FROM sqlite_master"))
    return {(kind, name, re.sub(r"\s*([(),])\s*", r"\1", sql or "")) for kind, name, sql in rows}


def test_the_baseline_makes_the_very_database_an_empty_store_is_created_as(
    urls: tuple[str, str], alembic: Config, monkeypatch: pytest.MonkeyPatch
) -> None:
    created, upgraded = Store.open(urls[0]), migrated(alembic, urls[1], monkeypatch)
    with closing(created), closing(upgraded), created.read() as one, upgraded.read() as two:
        told, found = drawn(one), drawn(two)
    assert len(found) > 2 * len(schema().tables)
    assert told == found, AGAIN


def test_nothing_is_left_to_generate_after_the_baseline(
    urls: tuple[str, str], alembic: Config, monkeypatch: pytest.MonkeyPatch
) -> None:
    with closing(migrated(alembic, urls[0], monkeypatch)) as store, store.read() as conn:
        assert compare_metadata(MigrationContext.configure(conn), schema()) == [], AGAIN
        conn.execute(text("DROP INDEX ix_record_number"))
        (missing,) = compare_metadata(MigrationContext.configure(conn), schema())
        assert missing[0] == "add_index"


def test_a_store_is_marked_with_the_one_revision_there_is(alembic: Config, store: Store) -> None:
    scripts = ScriptDirectory.from_config(alembic)
    assert [script.revision for script in scripts.walk_revisions()] == [REVISION]
    with store.read() as conn:
        assert MigrationContext.configure(conn).get_current_revision() == REVISION


def test_the_statements_can_be_read_before_they_are_run(alembic: Config, capsys: pytest.CaptureFixture[str]) -> None:
    command.upgrade(alembic, "head", sql=True)
    told = capsys.readouterr().out
    assert "CREATE TABLE version" in told
    assert 'COLLATE "C"' in told  # PostgreSQL's, where such a thing is asked for


def test_a_store_of_another_revision_is_refused_with_what_to_do(urls: tuple[str, str]) -> None:
    store = Store.open(urls[0])
    with store.write() as conn:
        conn.execute(text("UPDATE alembic_version SET version_num = 'c0ffee'"))
    store.close()
    for create in (True, False):
        with pytest.raises(
            StoreError, match=r"schema c0ffee, this Tieout reads \w+\. If a newer .* upgrade this one; .* move"
        ):
            Store.open(urls[0], create=create)


def test_a_database_with_tables_of_something_else_is_left_alone(urls: tuple[str, str]) -> None:
    store = Store.open(urls[0])
    with store.write() as conn:
        conn.execute(text("DROP TABLE alembic_version"))
    store.close()
    with pytest.raises(StoreError, match="a database or a schema of its own"):
        Store.open(urls[0])


def test_an_empty_store_that_is_only_to_be_read_says_how_to_fill_it(urls: tuple[str, str]) -> None:
    with pytest.raises(StoreError, match="tieout poll --once"):
        Store.open(urls[0], create=False)
