"""A database that goes away while mail is handed over: what is known of it is written later, and nothing goes twice."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime

import pytest
from sqlalchemy import update
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

from intake.outbound import ledger
from intake.outbound.deliver import Outbox
from intake.types import Deferred, Refused, Sent, Unanswered
from shared import deliveries
from shared.config import Settings
from shared.database import Database
from shared.models import Delivery, DeliveryState, Mailbox
from shared.queue import LEASE
from shared.tokens import Tokens
from tests.mail_sink import MailSink
from tests.outgoing import KEPT, Clock, Intercepting, SendingDesk, running

MOMENT = 1.0
LONGER_THAN_A_LEASE = 31.0


class FailingDatabase(Database):
    """A database that is away from when a mail has been taken by its server, until it is told to be back."""

    def __init__(self, database: Database, has_begun: Callable[[], object]) -> None:
        self.__dict__ = dict(database.__dict__)
        self._has_begun = has_begun
        self.is_back = False

    @contextmanager
    def transaction(self) -> Iterator[Session]:
        self._answer()
        with super().transaction() as session:
            yield session

    @contextmanager
    def reading(self) -> Iterator[Session]:
        self._answer()
        with super().reading() as session:
            yield session

    def _answer(self) -> None:
        if self._has_begun() and not self.is_back:
            raise OperationalError("the database is away", None, OSError())


@pytest.fixture
def desk(database: Database, tokens: Tokens, settings: Settings, now: datetime) -> SendingDesk:
    return SendingDesk(database=database, tokens=tokens, settings=settings, clock=Clock(now))


def sends_into_an_outage(desk: SendingDesk, transport: Intercepting) -> tuple[Outbox, FailingDatabase]:
    """An outbox that handed over what was due, and could not write what became of it."""
    failing = FailingDatabase(desk.database, lambda: transport.delivered)
    outbox = Outbox(failing, desk.tokens, desk.settings, transport=transport, clock=desk.clock)
    with pytest.raises(OperationalError):
        outbox.run_once()
    assert desk.delivery().state is DeliveryState.SENDING
    return outbox, failing


def is_given_up(desk: SendingDesk) -> DeliveryState:
    """Another process takes the one that cannot write for dead; returns what it makes of the mail."""
    desk.clock.pass_by(seconds=LONGER_THAN_A_LEASE)
    with desk.database.transaction() as session:
        ledger.recover(session, desk.clock())
    return desk.delivery().state


@pytest.mark.parametrize("seconds", [MOMENT, LONGER_THAN_A_LEASE])
@pytest.mark.parametrize("is_reply", [True, False])
def test_an_outage_after_the_last_mail_sends_none_twice(desk: SendingDesk, seconds: float, *, is_reply: bool) -> None:
    number = desk.open_ticket(acknowledge=not is_reply)
    if is_reply:
        desk.reply(number)
    transport = Intercepting()
    outbox, failing = sends_into_an_outage(desk, transport)
    desk.clock.pass_by(seconds=seconds)
    with pytest.raises(OperationalError):
        outbox.run_once()
    failing.is_back = True
    assert outbox.run_once() == 0
    assert (desk.delivery().state, desk.delivery().attempts) == (DeliveryState.SENT, 1)
    assert transport.delivered == 1


@pytest.mark.parametrize("is_server_forgotten", [True, False])
@pytest.mark.parametrize("seconds", [MOMENT, LONGER_THAN_A_LEASE])
@pytest.mark.parametrize("is_reply", [True, False])
def test_an_outage_after_the_last_mail_of_a_mailboxs_own_server_sends_none_twice(
    desk: SendingDesk, sink: MailSink, seconds: float, *, is_reply: bool, is_server_forgotten: bool
) -> None:
    number = desk.open_ticket(acknowledge=not is_reply)
    if is_reply:
        desk.reply(number)
    set_server(desk, desk.tokens.encrypt(f"smtp://127.0.0.1:{sink.port}"))
    failing = FailingDatabase(desk.database, lambda: sink.mails)
    transport = Intercepting()
    with running(Outbox(failing, desk.tokens, desk.settings, transport=transport, clock=desk.clock)) as outbox:
        assert outbox.serve_others() == 1
        outbox.wait()
        assert desk.delivery().state is DeliveryState.SENDING
        if is_server_forgotten:
            set_server(desk, None)
        desk.clock.pass_by(seconds=seconds)
        failing.is_back = True
        assert (outbox.serve_others(), outbox.run_once()) == (0, 0)
        assert (desk.delivery().state, desk.delivery().attempts) == (DeliveryState.SENT, 1)
    assert (len(sink.mails), transport.delivered) == (1, 0)


def set_server(desk: SendingDesk, secret: str | None) -> None:
    with desk.database.transaction() as session:
        session.execute(update(Mailbox).values(outgoing_secret=secret))


@pytest.mark.parametrize("is_reply", [True, False])
def test_what_became_of_a_mail_is_written_although_it_was_given_up_meanwhile(
    desk: SendingDesk, *, is_reply: bool
) -> None:
    number = desk.open_ticket(acknowledge=not is_reply)
    if is_reply:
        desk.reply(number)
    transport = Intercepting()
    outbox, failing = sends_into_an_outage(desk, transport)
    assert is_given_up(desk) is (DeliveryState.UNKNOWN if is_reply else DeliveryState.QUEUED)
    failing.is_back = True
    assert outbox.run_once() == 0
    assert (desk.delivery().state, desk.delivery().last_error) == (DeliveryState.SENT, None)
    assert transport.delivered == 1


@pytest.mark.parametrize(
    ("outcome", "state"),
    [
        (Refused(reason="550 no"), DeliveryState.FAILED),
        (Deferred(reason="451 later"), DeliveryState.DEFERRED),
        (Unanswered(reason="It hung up."), DeliveryState.UNKNOWN),
    ],
)
def test_a_reply_that_was_given_up_as_unknown_gets_the_answer_that_came_after_all(
    desk: SendingDesk, outcome: Refused | Deferred | Unanswered, state: DeliveryState
) -> None:
    desk.reply(desk.open_ticket(acknowledge=False))
    outbox, failing = sends_into_an_outage(desk, Intercepting(outcome=outcome))
    assert is_given_up(desk) is DeliveryState.UNKNOWN
    failing.is_back = True
    outbox.run_once()
    reply = desk.deliveries()[0]
    assert (reply.state, reply.last_error) == (state, outcome.reason)


def test_what_a_person_sends_again_is_not_stopped_by_the_answer_to_the_former_try(desk: SendingDesk) -> None:
    desk.reply(desk.open_ticket(acknowledge=False))
    transport = Intercepting()
    outbox, failing = sends_into_an_outage(desk, transport)
    assert is_given_up(desk) is DeliveryState.UNKNOWN
    with desk.database.transaction() as session:
        deliveries.send_again(session.get_one(Delivery, desk.delivery().id), desk.clock())
    failing.is_back = True
    assert outbox.run_once() == 1
    assert (desk.delivery().state, transport.delivered) == (DeliveryState.SENT, 2)


@pytest.mark.parametrize("outcome", [KEPT, Refused(reason="550 no")])
@pytest.mark.parametrize("state", [DeliveryState.SENDING, DeliveryState.UNKNOWN])
def test_a_newer_try_of_somebody_else_is_not_touched_by_the_answer_to_the_former_one(
    desk: SendingDesk, state: DeliveryState, outcome: Sent | Refused
) -> None:
    desk.open_ticket()
    transport = Intercepting(outcome=outcome)
    outbox, failing = sends_into_an_outage(desk, transport)
    assert is_given_up(desk) is DeliveryState.QUEUED
    with desk.database.transaction() as session:
        theirs = {"lease_by": "somebody else", "lease_until": desk.clock() + LEASE, "handed_over_at": desk.clock()}
        session.execute(update(Delivery).values(state=state, **theirs))
    failing.is_back = True
    assert outbox.run_once() == 0
    assert (desk.delivery().state, desk.delivery().last_error) == (state, None)
    assert desk.delivery().lease_by == "somebody else"


def test_an_outbox_that_ends_writes_what_it_knows(desk: SendingDesk) -> None:
    desk.open_ticket()
    outbox, failing = sends_into_an_outage(desk, Intercepting())
    failing.is_back = True
    outbox.close()
    assert desk.delivery().state is DeliveryState.SENT


def test_what_an_outage_left_of_a_batch_goes_on_as_soon_as_it_is_over_and_costs_no_try(desk: SendingDesk) -> None:
    for subject in ("Printer", "Scanner", "Screen"):
        desk.open_ticket(subject)
    transport = Intercepting()
    failing = FailingDatabase(desk.database, lambda: transport.delivered)
    outbox = Outbox(failing, desk.tokens, desk.settings, transport=transport, clock=desk.clock)
    with pytest.raises(OperationalError):
        outbox.run_once()
    failing.is_back = True
    assert outbox.run_once() == 2
    assert {(each.state, each.attempts) for each in desk.deliveries()} == {(DeliveryState.SENT, 1)}
    assert transport.delivered == 3


def test_what_an_outage_left_at_a_mailboxs_own_server_goes_on_as_soon_as_it_is_over(
    desk: SendingDesk, sink: MailSink
) -> None:
    for subject in ("Printer", "Scanner"):
        desk.open_ticket(subject)
    set_server(desk, desk.tokens.encrypt(f"smtp://127.0.0.1:{sink.port}"))
    failing = FailingDatabase(desk.database, lambda: sink.mails)
    with running(Outbox(failing, desk.tokens, desk.settings, transport=Intercepting(), clock=desk.clock)) as outbox:
        outbox.serve_others()
        outbox.wait()
        assert len(sink.mails) == 1
        failing.is_back = True
        assert outbox.serve_others() == 1
        outbox.wait()
    assert {(each.state, each.attempts) for each in desk.deliveries()} == {(DeliveryState.SENT, 1)}
    assert len(sink.mails) == 2
