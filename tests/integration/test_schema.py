"""The tables: made by migrations, as the models have them, on both databases."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import text

from shared import schema
from shared.database import Database


@pytest.fixture(params=["sqlite", "postgresql"])
def empty(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    """A database without any table."""
    if request.param == "sqlite":
        database = Database(f"sqlite:///{tmp_path / 'empty.db'}")
        yield database
        database.close()
        return
    server = request.getfixturevalue("postgres")
    url = server.fresh_database(migrated=False)
    database = Database(url)
    yield database
    database.close()
    server.drop_database(url)


def test_an_empty_database_is_not_current_until_it_is_migrated(empty: Database) -> None:
    assert not schema.is_current(empty)
    schema.migrate(empty)
    assert schema.is_current(empty)


def test_migrating_twice_changes_nothing_and_keeps_what_is_there(empty: Database) -> None:
    schema.migrate(empty)
    with empty.transaction() as session:
        session.execute(text("UPDATE counter SET value = 7 WHERE name = 'ticket'"))
    schema.migrate(empty)

    assert schema.is_current(empty)
    with empty.reading() as session:
        assert session.scalar(text("SELECT value FROM counter WHERE name = 'ticket'")) == 7


def test_the_models_are_what_the_migrations_make(empty: Database) -> None:
    schema.migrate(empty)
    schema.check(empty)


def test_two_that_migrate_at_once_both_succeed(empty: Database) -> None:
    failures: list[Exception] = []
    other = Database(empty.url)

    def migrate(database: Database) -> None:
        try:
            schema.migrate(database)
        except Exception as error:  # noqa: BLE001 - a thread's error is the test's
            failures.append(error)

    both = [threading.Thread(target=migrate, args=(database,)) for database in (empty, other)]
    for thread in both:
        thread.start()
    for thread in both:
        thread.join()
    other.close()

    assert failures == []
    assert schema.is_current(empty)
