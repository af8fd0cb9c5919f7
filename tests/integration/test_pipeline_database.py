"""The pipeline when the database, the clock or its own process fail it: nothing is lost, and nothing waits longer."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import event, select, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as NoFreeConnectionError

from intake.pipeline import MAX_UNENDED
from intake.reading import Stored, read
from intake.service import Worker
from intake.types import Arrival
from shared import queue
from shared.database import Database
from shared.inbound import requeue
from shared.models import Article, InboundMessage, InboundState, Ticket
from shared.models import Counter as NumberCounter
from shared.tokens import Tokens
from tests import dying_pipeline
from tests.conftest import SECRET
from tests.integration.test_locks import wait_for_a_waiter
from tests.mailroom import Mailroom, mail
from tests.receiving import until

WORKER = "import sys; from tests.dying_pipeline import main; main(*sys.argv[1:])"


@pytest.fixture
def desk(database: Database, tokens: Tokens, now: datetime) -> Mailroom:
    return Mailroom(database, tokens, now)


# ------------------------------------------------------------------ the database


@contextmanager
def failing_at_articles(database: Database) -> Iterator[None]:
    """The database fails whoever writes an article: on SQLite the disk is full, on PostgreSQL the connection ends."""

    def fail(_connection: Any, cursor: Any, statement: str, *_: Any) -> None:
        if not statement.startswith("INSERT INTO article"):
            return
        if database.is_sqlite:
            cursor.connection.execute("PRAGMA max_page_count = 1")  # no more than there are
        else:
            with database.reading() as other:
                other.execute(text("SELECT pg_terminate_backend(:pid)"), {"pid": cursor.connection.info.backend_pid})

    event.listen(database.engine, "before_cursor_execute", fail)
    try:
        yield
    finally:
        event.remove(database.engine, "before_cursor_execute", fail)
        database.close()  # the next connection has no limit


def test_when_the_database_is_back_work_goes_on_at_once(desk: Mailroom) -> None:
    numbers = desk.put(*(mail("word " * 10_000) for _ in range(3)))
    pipeline = desk.pipeline()
    with failing_at_articles(desk.database):
        for _ in range(2):
            with pytest.raises(DBAPIError):
                pipeline.run_once()
    assert {desk.row(number).state for number in numbers} == {InboundState.RECEIVED}

    while pipeline.run_once():
        pass
    assert {desk.row(number).state for number in numbers} == {InboundState.PROCESSED}
    assert len(desk.every(Article)) == 3


def test_a_full_disk_counts_as_no_try_and_quarantines_nothing(desk: Mailroom) -> None:
    if not desk.database.is_sqlite:
        pytest.skip("the disk of PostgreSQL is not ours to fill")
    (number,) = desk.put(mail("word " * 10_000))
    pipeline = desk.pipeline()
    with failing_at_articles(desk.database):
        for _ in range(12):
            with pytest.raises(DBAPIError):
                pipeline.run_once()

    assert pipeline.run_once() == 1
    assert (desk.row(number).state, desk.row(number).attempts) == (InboundState.PROCESSED, 1)


def test_to_wait_in_vain_for_a_connection_counts_as_no_try(desk: Mailroom) -> None:
    (number,) = desk.put(mail())
    pipeline = desk.pipeline()

    def fail(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        if statement.startswith("INSERT INTO article"):
            raise NoFreeConnectionError("all connections are in use")

    event.listen(desk.database.engine, "before_cursor_execute", fail)
    for _ in range(12):
        with pytest.raises(NoFreeConnectionError):
            pipeline.run_once()
    event.remove(desk.database.engine, "before_cursor_execute", fail)

    assert pipeline.run_once() == 1
    assert (desk.row(number).state, desk.row(number).attempts) == (InboundState.PROCESSED, 1)


def test_a_mail_that_ends_the_connection_each_time_is_quarantined(desk: Mailroom) -> None:
    if desk.database.is_sqlite:
        pytest.skip("SQLite has no connection that could end")
    (number,) = desk.put(mail())
    pipeline = desk.pipeline()
    with failing_at_articles(desk.database):
        for _ in range(MAX_UNENDED):
            with pytest.raises(DBAPIError):
                pipeline.run_once()
        pipeline.run_once()

    row = desk.row(number)
    assert row.state is InboundState.QUARANTINED
    assert (row.last_error or "").startswith("Every try to process it ended with its process or its database")


def test_a_deadlock_is_tried_again_at_once_and_costs_no_attempt(
    desk: Mailroom,
) -> None:
    if desk.database.is_sqlite:
        pytest.skip("SQLite has one writer and no deadlocks")
    desk.take(mail(message_id="first@brightmill.example"))
    (number,) = desk.put(mail("It still burns.", answers=["first@brightmill.example"]))
    worker = threading.Thread(target=desk.pipeline().run_once)
    with desk.database.transaction() as session:
        session.execute(text("SET LOCAL deadlock_timeout = '60s'"))  # the worker looks first, and is the one to give up
        session.execute(select(Ticket.id).with_for_update()).all()
        worker.start()
        wait_for_a_waiter(desk.database)
        session.execute(select(NumberCounter).with_for_update()).all()
    worker.join()

    row = desk.row(number)
    assert (row.state, row.attempts, row.ticket_number) == (InboundState.PROCESSED, 1, 1)


# ------------------------------------------------------------------ the clock


class Death(BaseException):
    """What a SIGKILL is to a process: nobody catches it."""


def broken(_: Stored) -> Arrival:
    raise RecursionError("too deep")


@pytest.mark.parametrize("back", [timedelta(seconds=20), timedelta(minutes=5), timedelta(days=1)], ids=str)
def test_new_mail_does_not_wait_for_a_clock_that_was_set_back(desk: Mailroom, back: timedelta) -> None:
    (number,) = desk.put(mail())
    desk.clock.moment -= back
    desk.work()

    assert desk.row(number).state is InboundState.PROCESSED


def test_when_the_clock_is_set_back_nothing_waits_for_the_old_time(desk: Mailroom) -> None:
    def dying(_: Stored) -> Arrival:
        raise Death

    desk.put(mail("Claimed by a worker that dies"))
    with pytest.raises(Death):
        desk.pipeline(dying).run_once()
    desk.put(mail("Failed, and waits for its next try"))
    desk.work(broken)
    desk.put(mail("New"))
    desk.clock.advance(hours=-1)
    desk.work(read)

    assert [row.state for row in desk.every(InboundMessage)] == [InboundState.PROCESSED] * 3
    assert len(desk.every(Article)) == 3


# ------------------------------------------------------------------ its own process


def test_deaths_from_elsewhere_are_held_against_no_mail(desk: Mailroom) -> None:
    def die(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        if statement.startswith("INSERT INTO article"):
            raise Death

    numbers = desk.put(*(mail(f"Matter {n}") for n in range(6)))
    pipeline = desk.pipeline()
    event.listen(desk.database.engine, "before_cursor_execute", die)
    for _ in range(queue.TOGETHER + 6 * len(numbers)):
        with pytest.raises(Death):
            pipeline.run_once()
        desk.clock.advance(seconds=31)
    event.remove(desk.database.engine, "before_cursor_execute", die)
    assert {desk.row(number).attempts for number in numbers} == {queue.TOGETHER + 6}  # they took turns
    assert {desk.row(number).failures for number in numbers} == {0}
    desk.work(broken)  # one fault more
    desk.clock.advance(seconds=31)
    desk.work()

    assert {desk.row(number).state for number in numbers} == {InboundState.PROCESSED}


def test_one_poison_mail_and_one_deadly_mail_among_a_thousand_hold_nobody_up(desk: Mailroom, database_url: str) -> None:
    contents = [mail(f"Matter {n}", sender=f"anna{n % 50}@brightmill.example") for n in range(998)]
    contents.insert(300, mail(dying_pipeline.POISON.decode()))
    contents.insert(700, mail(dying_pipeline.DEADLY.decode()))
    desk.put(*contents)
    ahead = 0
    ends: list[int] = []
    while any(row.state is InboundState.RECEIVED for row in desk.every(InboundMessage)) and len(ends) < 20:
        child = [sys.executable, "-c", WORKER, database_url, SECRET, str(ahead)]
        ends.append(subprocess.run(child, check=False).returncode)
        ahead += 31

    assert ends.count(-9) == queue.TOGETHER  # then a child reads it, and its parent sees the end
    states = Counter(row.state for row in desk.every(InboundMessage))
    assert states == {InboundState.PROCESSED: 998, InboundState.QUARANTINED: 2}
    articles = [article.inbound_id for article in desk.every(Article)]
    assert len(articles) == len(set(articles)) == 998
    aside = [row for row in desk.every(InboundMessage) if row.state is InboundState.QUARANTINED]
    assert [(row.reason, row.last_error) for row in aside] == [
        ("It could not be processed.", "RecursionError: too deep for me"),
        ("It could not be processed.", "It ended the process that read it (SIGKILL)."),
    ]


def test_a_deadly_mail_that_is_replayed_ends_no_process(desk: Mailroom) -> None:
    (number,) = desk.put(mail(dying_pipeline.DEADLY.decode()))
    with desk.database.transaction() as session:
        row = session.get_one(InboundMessage, number)
        row.state, row.attempts, row.failures, row.last_error = InboundState.QUARANTINED, 7, 5, "deadly"
        requeue(row, desk.clock())
    desk.work(dying_pipeline.stumble)

    assert desk.row(number).last_error == "It ended the process that read it (SIGKILL)."


def test_a_desk_that_is_told_to_stop_does_not_wait_for_a_suspect(desk: Mailroom) -> None:
    (number,) = desk.put(mail())
    with desk.database.transaction() as session:
        session.get_one(InboundMessage, number).attempts = queue.TOGETHER
    pipeline = desk.pipeline(waiting)
    worker = Worker("pipeline", pipeline.run_once)
    worker.start()
    until(lambda: desk.row(number).attempts > queue.TOGETHER)
    pipeline.stop()
    worker.stop()
    pipeline.close()

    row = desk.row(number)
    assert (row.state, row.attempts, row.failures, row.lease_by) == (InboundState.RECEIVED, queue.TOGETHER, 0, None)


def waiting(_: Stored) -> Arrival:
    while True:
        signal.pause()
