"""A mail that cannot be processed, workers that die and workers side by side: nothing is lost, nothing is split."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import datetime

import pytest

from intake.pipeline import Pipeline
from intake.reading import Reader, Stored, read
from intake.record.failures import MAX_FAILURES
from intake.types import Arrival
from shared.database import Database
from shared.models import Article, InboundMessage, InboundState, Ticket
from shared.tokens import Tokens
from tests.mailroom import Mailroom, mail


@pytest.fixture
def desk(database: Database, tokens: Tokens, now: datetime) -> Mailroom:
    return Mailroom(database, tokens, now)


class Death(BaseException):
    """What a kill looks like to the code that is running: no `except Exception` sees it."""


def stumbling(over: bytes, error: BaseException) -> Reader:
    """A reader that fails at one mail."""

    def stumble(stored: Stored) -> Arrival:
        if over in stored.content:
            raise error
        return read(stored)

    return stumble


def spoilt(over: bytes) -> Reader:
    """A reader that reads one mail so that the database refuses it."""

    def spoil(stored: Stored) -> Arrival:
        arrival = read(stored)
        if over not in stored.content:
            return arrival
        return Arrival(
            inbound_id=arrival.inbound_id, mailbox_id=10**6, mailbox="", message=arrival.message,
            received_at=arrival.received_at,
        )  # fmt: skip

    return spoil


POISONS: dict[str, Callable[[], Reader]] = {
    "cannot be read": lambda: stumbling(b"poison", RecursionError("too deep for me \0")),
    "cannot be written": lambda: spoilt(b"poison"),
}


@pytest.mark.parametrize("poison", POISONS.values(), ids=POISONS)
def test_a_poison_mail_in_a_batch_fails_alone(desk: Mailroom, poison: Callable[[], Reader]) -> None:
    first, bad, last = desk.put(mail("One"), mail("poison"), mail("Two"))
    desk.work(poison())

    assert [desk.row(number).state for number in (first, last)] == [InboundState.PROCESSED] * 2
    row = desk.row(bad)
    assert (row.state, row.attempts, row.lease_by) == (InboundState.RECEIVED, 1, None)
    assert row.last_error
    assert row.due_at > desk.clock()


@pytest.mark.parametrize("poison", POISONS.values(), ids=POISONS)
def test_a_poison_mail_is_tried_with_growing_pauses_and_then_quarantined(
    desk: Mailroom, poison: Callable[[], Reader]
) -> None:
    (bad,) = desk.put(mail("poison"))
    waits = []
    while desk.row(bad).state is InboundState.RECEIVED:
        waits.append((desk.row(bad).due_at - desk.clock()).total_seconds())
        desk.clock.moment = max(desk.clock(), desk.row(bad).due_at)
        desk.work(poison())

    row = desk.row(bad)
    assert (row.state, row.action, row.attempts) == (InboundState.QUARANTINED, "quarantine", MAX_FAILURES)
    assert row.reason
    assert row.last_error
    assert waits == sorted(waits)
    assert len(waits) == MAX_FAILURES


def test_a_mail_that_failed_once_is_processed_when_the_fault_is_gone(desk: Mailroom) -> None:
    (bad,) = desk.put(mail("poison"))
    desk.work(stumbling(b"poison", ValueError("a bug")))
    desk.clock.advance(minutes=1)
    desk.work()

    row = desk.row(bad)
    assert (row.state, row.attempts, row.last_error) == (InboundState.PROCESSED, 2, None)
    assert len(desk.every(Article)) == 1


def test_mail_of_a_worker_that_died_goes_on_after_its_lease(desk: Mailroom) -> None:
    numbers = desk.put(mail("One"), mail("death"), mail("Two"))
    with pytest.raises(Death):
        desk.pipeline(stumbling(b"death", Death())).run_once()

    desk.work()
    assert {desk.row(number).state for number in numbers} == {InboundState.RECEIVED}
    desk.clock.advance(seconds=31)
    desk.work()
    assert {desk.row(number).state for number in numbers} == {InboundState.PROCESSED}
    assert len(desk.every(Article)) == 3


def test_a_worker_whose_lease_ran_out_writes_nothing(desk: Mailroom) -> None:
    desk.put(mail("One"))

    def slow(stored: Stored) -> Arrival:
        desk.clock.advance(seconds=31)
        desk.work()
        return read(stored)

    desk.pipeline(slow).run_once()
    assert len(desk.every(Article)) == 1
    assert [row.state for row in desk.every(InboundMessage)] == [InboundState.PROCESSED]


def test_a_long_batch_keeps_its_lease(desk: Mailroom) -> None:
    numbers = desk.put(*(mail(f"Number {n}") for n in range(6)))
    other = desk.pipeline()
    taken = []

    def slow(stored: Stored) -> Arrival:
        desk.clock.advance(seconds=12)
        taken.append(other.run_once())
        return read(stored)

    desk.pipeline(slow).run_once()
    assert set(taken) == {0}
    assert {desk.row(number).state for number in numbers} == {InboundState.PROCESSED}


def test_workers_side_by_side_split_no_thread(desk: Mailroom) -> None:
    threads, answers = 6, 50
    roots = [f"root{n}@brightmill.example" for n in range(threads)]
    mails = [
        mail(f"{thread}/{n}", subject=f"Thread {thread}", message_id=f"a{n}.{root}", answers=[root])
        for n in range(answers)
        for thread, root in enumerate(roots)
    ]
    desk.put(*mails)
    failures: list[BaseException] = []

    def work(pipeline: Pipeline) -> None:
        try:
            while pipeline.run_once():
                pass
        except BaseException as error:  # noqa: BLE001 - a thread's error is the test's
            failures.append(error)

    workers = [threading.Thread(target=work, args=(desk.pipeline(),)) for _ in range(2)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()

    assert failures == []
    desk.clock.advance(minutes=10)
    desk.work()
    assert {row.state for row in desk.every(InboundMessage)} == {InboundState.PROCESSED}
    assert len(desk.every(Ticket)) == threads
    for ticket in desk.every(Ticket):
        assert len(desk.articles(ticket.id)) == answers
        assert {article.subject for article in desk.articles(ticket.id)} == {ticket.subject}
