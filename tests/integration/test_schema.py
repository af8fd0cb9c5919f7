"""The tables: made by migrations, as the models have them, on both databases."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from alembic import command
from alembic.runtime.migration import MigrationContext
from sqlalchemy import MetaData, select, text
from sqlalchemy.exc import IntegrityError

from shared import schema
from shared.database import Database
from shared.models import (
    Address,
    Delivery,
    DeliveryCause,
    Event,
    EventKind,
    FolderCursor,
    InboundMessage,
    InboundRaw,
    Mailbox,
)


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


# ------------------------------------------------------------------ upgrading a desk that is at work

FIRST_RELEASED = "0002"


@pytest.fixture
def old(empty: Database, now: datetime) -> Database:
    """A desk as the last release left it: two tickets were opened, and the second one's rows are gone again."""
    with empty.engine.begin() as connection:
        command.upgrade(schema._config(connection), FIRST_RELEASED)
    with empty.engine.begin() as connection:
        tables = MetaData()
        tables.reflect(connection)
        for name, row in _old_rows(now if not empty.is_sqlite else now.replace(tzinfo=None)):
            connection.execute(tables.tables[name].insert().values(**row))
        for name in USED_IDS:
            if not empty.is_sqlite:
                connection.execute(text(f"SELECT setval(pg_get_serial_sequence('{name}', 'id'), 2)"))
            connection.execute(text(f"DELETE FROM {name} WHERE id = 2"))
    return empty


USED_IDS = ("delivery", "event", "inbound_message")  # those that gave the number 2 to a row that is gone


def _old_rows(now: datetime) -> Iterator[tuple[str, dict[str, Any]]]:
    user = {"id": 1, "name": "Anna", "email": "anna@x.example", "role": "requester", "session_version": 1}
    yield "user", {**user, "created_at": now}
    yield "address", {"key": "anna@x.example", "email": "Anna@x.example", "user_id": 1}
    mailbox = {"id": 1, "address": "help@desk.example", "address_key": "help@desk.example", "name": "", "plus": True}
    polled = {"imap_url": "imaps://imap.example", "imap_secret": "x" * 400, "folder": 'Say "Hi" é', "policy": "keep"}
    counts = {"is_active": True, "poll_seconds": 60, "from_now": False, "failures": 0, "created_at": now}
    yield "mailbox", {**mailbox, **polled, **counts}
    yield "folder_cursor", {"mailbox_id": 1, "folder": 'Say "Hi" é', "uidvalidity": 7, "last_uid": 40}
    yield (
        "ticket",
        {"id": 1, "subject": "Kettle", "status": "open", "priority": "normal", "awaits_reply": True, "requester_id": 1}
        | {"mailbox_id": 1, "created_at": now, "last_activity_at": now},
    )
    for number in (1, 2):
        queued = {"id": number, "attempts": 0, "due_at": now, "mailbox_id": 1}
        arrived = {"state": "processed", "source": "smtp", "envelope_to": [], "received_at": now, "size": 9}
        yield "inbound_message", {**queued, **arrived, "quiet": False, "clues": []}
        sent = {"state": "sent", "cause": "account", "recipient": "a@x.example", "recipient_name": "", "context": {}}
        yield "delivery", {**queued, **sent, "message_id": f"{number}@x", "created_at": now}
        yield "event", {"id": number, "ticket_id": 1, "kind": "followed", "detail": {"number": 2}, "at": now}
    yield "inbound_raw", {"inbound_id": 1, "content": b"raw"}


def test_an_upgrade_keeps_what_is_there(old: Database) -> None:
    schema.migrate(old)
    with old.reading() as session:
        mailbox = session.scalars(select(Mailbox)).one()
        assert mailbox.folders == ['Say "Hi" é']
        assert mailbox.imap_secret == "x" * 400
        assert session.scalars(select(FolderCursor)).one().last_uid == 40
        assert [row.content for row in session.scalars(select(InboundRaw))] == [b"raw"]
        assert session.scalars(select(InboundMessage)).one().notes == []
        assert session.scalars(select(Delivery)).one().cause is DeliveryCause.ACCOUNT
        assert session.scalars(select(Event)).one().detail == {"number": 2}
        assert session.scalars(select(Address)).one().suspended_at is None


def test_an_upgraded_desk_is_like_a_new_one(old: Database) -> None:
    schema.migrate(old)
    assert schema.is_current(old)
    schema.check(old)
    if old.is_sqlite:
        with old.reading() as session:
            assert session.scalars(text("PRAGMA integrity_check")).all() == ["ok"]
            assert session.execute(text("PRAGMA foreign_key_check")).all() == []


def test_an_upgraded_desk_knows_the_new_words_and_no_others(old: Database, now: datetime) -> None:
    schema.migrate(old)
    values = {"mailbox_id": 1, "recipient": "a@x.example", "message_id": "m", "due_at": now, "created_at": now}
    with old.transaction() as session:
        session.add_all(Delivery(cause=cause, **values) for cause in DeliveryCause)
        session.add_all(Event(ticket_id=1, kind=kind, at=now) for kind in EventKind)
    for table, column in (("delivery", "cause"), ("event", "kind")):
        with pytest.raises(IntegrityError), old.transaction() as session:
            session.execute(text(f"UPDATE {table} SET {column} = 'singing'"))


def test_an_upgrade_gives_no_number_again(old: Database, now: datetime) -> None:
    schema.migrate(old)
    with old.transaction() as session:
        delivery = Delivery(
            mailbox_id=1,
            cause=DeliveryCause.NOTICE,
            recipient="a@x.example",
            message_id="m",
            due_at=now,
            created_at=now,
        )
        event = Event(ticket_id=1, kind=EventKind.UNDONE, at=now)
        arrival = InboundMessage(source="smtp", mailbox_id=1, received_at=now, due_at=now, size=1)
        session.add_all([delivery, event, arrival])
        session.flush()
        assert min(delivery.id, event.id, arrival.id) == 3


def test_the_newest_revision_is_the_one_that_the_files_are_numbered_by(empty: Database) -> None:
    schema.migrate(empty)
    with empty.engine.connect() as connection:
        heads = MigrationContext.configure(connection).get_current_heads()
    assert heads == (schema.revisions()[-1],)
