"""A worker that dies or loses its lease leaves nothing behind that is sent twice in silence or forgotten."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime

import pytest
from sqlalchemy import delete, update

from intake.outbound.deliver import Outbox
from intake.outbound.lane import MAX_UNENDED, NEVER_ENDED
from intake.outbound.ledger import DIED
from intake.outbound.letter import Envelope
from intake.outbound.results import UNWRITABLE
from intake.types import Deferred, Outcome, Sent
from shared.config import Settings
from shared.database import Database
from shared.deliveries import send_again
from shared.models import Delivery, DeliveryCause, DeliveryState, Ticket
from shared.tickets import Upload
from shared.tokens import Tokens
from tests.mail_sink import STALL, MailSink
from tests.outgoing import Clock, Intercepting, Scripted, SendingDesk, running


class Killed(BaseException):
    """Stands for a process that ends here."""


class DyingTransport(Scripted):
    """Ends the worker before or after the mail is handed over."""

    def __init__(self, *, after: bool) -> None:
        self._after = after

    def send(self, envelope: Envelope, handed_over: Callable[[], None]) -> Outcome:
        del envelope
        if self._after:
            handed_over()
        raise Killed


class Stumbling(Intercepting):
    """Delivers each mail, but ends the worker at one that speaks of something deadly."""

    deaths = 0

    def send(self, envelope: Envelope, handed_over: Callable[[], None]) -> Outcome:
        if b"Deadly" in envelope.content:
            self.deaths += 1
            raise Killed
        return super().send(envelope, handed_over)


class Babbling(Scripted):
    """Takes each mail, the first one with words that no database can store."""

    def __init__(self) -> None:
        self._answers = iter(["250 \ud800"])

    def send(self, envelope: Envelope, handed_over: Callable[[], None]) -> Outcome:
        del envelope
        handed_over()
        return Sent(response=next(self._answers, "250 kept"))


@pytest.fixture
def desk(database: Database, tokens: Tokens, settings: Settings, now: datetime) -> SendingDesk:
    return SendingDesk(database=database, tokens=tokens, settings=settings, clock=Clock(now))


def dies(desk: SendingDesk, *, after: bool) -> None:
    outbox = Outbox(desk.database, desk.tokens, desk.settings, transport=DyingTransport(after=after), clock=desk.clock)
    with pytest.raises(Killed):
        outbox.run_once()


def lives(desk: SendingDesk, sink: MailSink) -> int:
    with running(desk.outbox(f"smtp://127.0.0.1:{sink.port}")) as outbox:
        return outbox.run_once()


def test_a_reply_that_was_handed_over_before_a_crash_becomes_unknown(desk: SendingDesk, sink: MailSink) -> None:
    desk.reply(desk.open_ticket(acknowledge=False))
    dies(desk, after=True)
    assert lives(desk, sink) == 0, "the lease still holds"
    desk.clock.pass_by(seconds=31)
    assert lives(desk, sink) == 0
    assert (desk.delivery().state, desk.delivery().last_error) == (DeliveryState.UNKNOWN, DIED)
    assert sink.mails == []


def test_a_reply_that_was_not_handed_over_before_a_crash_goes_again(desk: SendingDesk, sink: MailSink) -> None:
    desk.reply(desk.open_ticket(acknowledge=False))
    dies(desk, after=False)
    desk.clock.pass_by(seconds=31)
    assert lives(desk, sink) == 1
    assert desk.delivery().state is DeliveryState.SENT


def test_automatic_mail_goes_again_after_a_crash_as_the_same_mail(desk: SendingDesk, sink: MailSink) -> None:
    desk.open_ticket()
    dies(desk, after=True)
    desk.clock.pass_by(seconds=31)
    assert lives(desk, sink) == 1
    assert sink.mails[0].message["Message-ID"] == f"<{desk.delivery().message_id}>"
    assert (desk.delivery().state, desk.delivery().attempts) == (DeliveryState.SENT, 2)


def test_work_of_the_dead_is_taken_up_at_once_when_the_clock_was_set_back(desk: SendingDesk, sink: MailSink) -> None:
    desk.open_ticket()
    dies(desk, after=False)
    desk.clock.pass_by(days=-1)
    assert lives(desk, sink) == 1
    assert desk.delivery().state is DeliveryState.SENT


@pytest.mark.parametrize("minutes", [11, 90, 3000])
def test_new_mail_does_not_wait_for_a_clock_that_was_set_back(desk: SendingDesk, sink: MailSink, minutes: int) -> None:
    desk.open_ticket()
    desk.clock.pass_by(minutes=-minutes)
    assert lives(desk, sink) == 1
    assert desk.delivery().state is DeliveryState.SENT


def test_a_delivery_that_another_worker_has_taken_is_not_handed_over(desk: SendingDesk) -> None:
    desk.open_ticket()

    def take_away() -> None:
        with desk.database.transaction() as session:
            session.execute(update(Delivery).values(lease_by="somebody else"))

    transport = Intercepting(take_away)
    outbox = Outbox(desk.database, desk.tokens, desk.settings, transport=transport, clock=desk.clock)
    outbox.run_once()
    assert transport.delivered == 0
    assert (desk.delivery().state, desk.delivery().lease_by) == (DeliveryState.SENDING, "somebody else")


def test_a_ticket_that_is_deleted_while_its_mail_waits_sends_nothing(desk: SendingDesk, sink: MailSink) -> None:
    number = desk.open_ticket()
    with desk.database.transaction() as session:
        session.execute(delete(Ticket).where(Ticket.id == number))
    assert lives(desk, sink) == 0
    assert sink.mails == []


def test_a_mail_that_cannot_be_composed_fails_alone(desk: SendingDesk, sink: MailSink) -> None:
    upload = Upload(filename="a.pdf", content_type="application/pdf", content=b"%PDF")
    desk.reply(desk.open_ticket(acknowledge=False), files=(upload,))
    desk.open_ticket()
    with desk.database.transaction() as session:
        session.execute(update(Delivery).where(Delivery.article_id.is_not(None)).values(recipient="two words"))
    assert lives(desk, sink) == 2
    failed, sent, told = desk.deliveries()
    assert (failed.state, sent.state) == (DeliveryState.FAILED, DeliveryState.SENT)
    assert (told.cause, told.recipient) == (DeliveryCause.NOTICE, "jonas@desk.example")
    assert failed.last_error == "“two words” is no address that mail can go to."


def test_a_worker_that_is_told_to_stop_leaves_the_rest_queued(desk: SendingDesk) -> None:
    desk.open_ticket()
    desk.open_ticket()
    outboxes: list[Outbox] = []

    def stop() -> None:
        outboxes[0].stop()

    transport = Intercepting(stop)
    outboxes.append(Outbox(desk.database, desk.tokens, desk.settings, transport=transport, clock=desk.clock))
    assert outboxes[0].run_once() == 1
    sent, waiting = desk.deliveries()
    assert (sent.state, waiting.state, waiting.attempts) == (DeliveryState.SENT, DeliveryState.QUEUED, 0)
    assert waiting.lease_by is None


@pytest.mark.parametrize(("moment", "state"), [("mail", DeliveryState.DEFERRED), ("end", DeliveryState.UNKNOWN)])
def test_a_worker_that_is_told_to_stop_waits_for_no_server_that_hangs(
    desk: SendingDesk, sink: MailSink, moment: str, state: DeliveryState
) -> None:
    desk.reply(desk.open_ticket(acknowledge=False))
    sink.answer(moment, STALL)
    with running(desk.outbox(f"smtp://127.0.0.1:{sink.port}", grace=0.01)) as outbox:
        worker = threading.Thread(target=outbox.run_once)
        worker.start()
        sink.stalled.wait()
        outbox.stop()
        worker.join()
    assert desk.delivery().state is state


def test_two_workers_share_the_work_and_double_nothing(desk: SendingDesk, sink: MailSink) -> None:
    for _ in range(3):
        desk.open_ticket()
    other = desk.outbox(f"smtp://127.0.0.1:{sink.port}")
    transport = Intercepting(lambda: _run(other))
    first = Outbox(desk.database, desk.tokens, desk.settings, transport=transport, clock=desk.clock)
    with running(other):
        assert first.run_once() == 3
    assert sink.mails == []
    assert {delivery.attempts for delivery in desk.deliveries()} == {1}


def _run(outbox: Outbox) -> None:
    assert outbox.run_once() == 0


def test_a_fault_of_the_transport_costs_an_attempt_and_says_so(desk: SendingDesk) -> None:
    desk.open_ticket()

    def fault() -> None:
        raise KeyError("odd")

    outbox = Outbox(desk.database, desk.tokens, desk.settings, transport=Intercepting(fault), clock=desk.clock)
    outbox.run_once()
    assert desk.delivery().state is DeliveryState.DEFERRED
    assert "which is a fault of the desk" in (desk.delivery().last_error or "")


def test_what_a_server_says_can_be_stored_whatever_bytes_it_says(desk: SendingDesk, sink: MailSink) -> None:
    for subject in ("Refused", "Taken"):
        desk.open_ticket(subject)
    sink.answer("rcpt", "550 5.1.1 no\0body\x1b[31m here")
    assert lives(desk, sink) == 2
    refused, taken = desk.deliveries()
    assert (refused.state, taken.state) == (DeliveryState.FAILED, DeliveryState.SENT)
    assert refused.last_error == "The outgoing server said: 550 5.1.1 nobody[31m here"


def test_a_result_that_cannot_be_written_holds_up_no_other(desk: SendingDesk) -> None:
    desk.reply(desk.open_ticket(acknowledge=False))
    for subject in ("Scanner", "Screen"):
        desk.open_ticket(subject)
    outbox = Outbox(desk.database, desk.tokens, desk.settings, transport=Babbling(), clock=desk.clock)
    assert (outbox.run_once(), outbox.run_once()) == (3, 0)
    states = [delivery.state for delivery in desk.deliveries()]
    assert states == [DeliveryState.UNKNOWN, DeliveryState.SENT, DeliveryState.SENT]
    assert desk.deliveries()[0].last_error == UNWRITABLE.reason


def goes_on_until_nothing_is_due(desk: SendingDesk, transport: Stumbling) -> None:
    """One worker after the other, each in place of the last one that died."""
    is_anything_due = True
    while is_anything_due:
        outbox = Outbox(desk.database, desk.tokens, desk.settings, transport=transport, clock=desk.clock)
        with suppress(Killed):
            is_anything_due = outbox.run_once() > 0
        desk.clock.pass_by(seconds=31)


def test_a_mail_that_ends_each_process_that_sends_it_fails_in_the_end_and_holds_up_no_other(desk: SendingDesk) -> None:
    for subject in ("Deadly", "Printer", "Scanner"):
        desk.open_ticket(subject)
    transport = Stumbling()
    goes_on_until_nothing_is_due(desk, transport)
    deadly, *others = desk.deliveries()
    assert (deadly.state, deadly.last_error) == (DeliveryState.FAILED, NEVER_ENDED)
    assert [(each.state, each.attempts) for each in others] == [(DeliveryState.SENT, 3)] * 2, "two deaths together"
    assert transport.deaths == MAX_UNENDED
    with desk.database.transaction() as session:
        send_again(session.get_one(Delivery, deadly.id), desk.clock())
    goes_on_until_nothing_is_due(desk, transport)
    assert transport.deaths == 2 * MAX_UNENDED, "a person gave it as many tries again"


def test_tries_that_came_to_an_end_are_not_counted_as_deaths(desk: SendingDesk) -> None:
    desk.open_ticket()
    deferring = Intercepting(outcome=Deferred(reason="451 not yet"))
    outbox = Outbox(desk.database, desk.tokens, desk.settings, transport=deferring, clock=desk.clock)
    for _ in range(MAX_UNENDED + 2):
        assert outbox.run_once() == 1
        desk.clock.pass_by(hours=2)
    assert desk.delivery().state is DeliveryState.DEFERRED
    dies(desk, after=False)
    desk.clock.pass_by(seconds=31)
    outbox = Outbox(desk.database, desk.tokens, desk.settings, transport=Intercepting(), clock=desk.clock)
    assert outbox.run_once() == 1
    assert desk.delivery().state is DeliveryState.SENT
