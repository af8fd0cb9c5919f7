"""Outgoing servers that differ by mailbox, hang, are down or break off: none holds up another, nothing is lost."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime

import pytest
from sqlalchemy import select, update

from intake.outbound import smtp_dialogue
from intake.outbound.deliver import UNREADABLE
from intake.outbound.letter import Envelope
from intake.outbound.smtp import SmtpTransport
from intake.outbound.smtp_dialogue import Server
from intake.parsing.message import parse
from intake.types import Unreachable
from shared import tickets
from shared.addresses import address_key
from shared.alerts import open_alerts
from shared.config import Settings
from shared.database import Database
from shared.models import Delivery, DeliveryCause, DeliveryState, Mailbox, Status
from shared.outgoing_alarms import watch_queue
from shared.people import find_or_create
from shared.tokens import Tokens
from tests.mail_sink import DROP, KEEP_AND_DROP, MailSink, mail_sink
from tests.outgoing import ANNA, Clock, SendingDesk, running

SALES = "sales@fernhill.example"


@pytest.fixture
def desk(database: Database, tokens: Tokens, settings: Settings, now: datetime) -> SendingDesk:
    return SendingDesk(database=database, tokens=tokens, settings=settings, clock=Clock(now))


def smtp(port: int) -> str:
    return f"smtp://127.0.0.1:{port}"


def add_mailbox(desk: SendingDesk, address: str, secret: str) -> None:
    """A mailbox with an outgoing server of its own, and a ticket there that is acknowledged."""
    with desk.database.transaction() as session:
        mailbox = Mailbox(
            address=address,
            address_key=address_key(address),
            name=f"The {address.partition('@')[0]} team",
            outgoing_secret=secret,
            created_at=desk.clock(),
        )
        session.add(mailbox)
        session.flush()
        anna = find_or_create(session, ANNA.address, ANNA.name, desk.clock())
        tickets.open_ticket(
            session, requester=anna, author=anna, subject="An offer", text="Please.", mailbox=mailbox,
            now=desk.clock(), tokens=desk.tokens,
        )  # fmt: skip


def states(desk: SendingDesk) -> list[DeliveryState]:
    return [delivery.state for delivery in desk.deliveries()]


@contextmanager
def silent_server() -> Iterator[socket.socket]:
    """Takes connections and never says a word."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server


def test_a_mailbox_with_a_server_of_its_own_sends_over_that_under_its_own_name(
    desk: SendingDesk, sink: MailSink
) -> None:
    desk.open_ticket()
    with mail_sink() as theirs:
        add_mailbox(desk, SALES, desk.tokens.encrypt(smtp(theirs.port)))
        with running(desk.outbox(smtp(sink.port))) as outbox:
            assert outbox.run_once() == 1
            outbox.serve_others()
            outbox.wait()
    assert [mail.message["From"] for mail in sink.mails] == ["Fernhill Support <support@desk.example>"]
    assert [mail.message["From"] for mail in theirs.mails] == [f"The sales team <{SALES}>"]
    assert states(desk) == [DeliveryState.SENT, DeliveryState.SENT]


def test_mailboxes_with_one_server_share_its_connection(desk: SendingDesk, sink: MailSink) -> None:
    with mail_sink() as theirs:
        for address in (SALES, "billing@fernhill.example"):
            add_mailbox(desk, address, desk.tokens.encrypt(smtp(theirs.port)))
        with running(desk.outbox(smtp(sink.port))) as outbox:
            outbox.run_once()
            outbox.serve_others()
            outbox.wait()
    assert (len(theirs.mails), theirs.connections) == (2, 1)


def test_a_server_that_hangs_holds_up_nobody_elses_mail(desk: SendingDesk, sink: MailSink) -> None:
    desk.open_ticket()
    with silent_server() as silent:
        add_mailbox(desk, SALES, desk.tokens.encrypt(smtp(silent.getsockname()[1])))
        with running(desk.outbox(smtp(sink.port))) as outbox:
            assert outbox.serve_others() == 1
            caller, _ = silent.accept()
            assert outbox.run_once() == 1
            assert outbox.serve_others() == 0, "it is being served"
            assert len(sink.mails) == 1
            caller.close()
            outbox.wait()
    assert states(desk) == [DeliveryState.SENT, DeliveryState.DEFERRED]


def test_the_desks_own_server_that_hangs_holds_up_no_mailbox_with_another(desk: SendingDesk, sink: MailSink) -> None:
    desk.open_ticket()
    add_mailbox(desk, SALES, desk.tokens.encrypt(smtp(sink.port)))
    with silent_server() as silent, running(desk.outbox(smtp(silent.getsockname()[1]))) as outbox:
        worker = threading.Thread(target=outbox.run_once)
        worker.start()
        caller, _ = silent.accept()
        assert outbox.serve_others() == 1
        outbox.wait()
        assert len(sink.mails) == 1
        caller.close()
        worker.join()
    assert states(desk) == [DeliveryState.DEFERRED, DeliveryState.SENT]


def test_a_server_that_takes_connections_and_says_nothing_cannot_be_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(smtp_dialogue, "CONNECT_SECONDS", 0.1)
    with silent_server() as silent:
        port = silent.getsockname()[1]
        transport = SmtpTransport(Server(host="127.0.0.1", port=port))
        outcome = transport.send(Envelope(sender="", recipient="a@b.example", content=b"x\r\n"), lambda: None)
    assert outcome == Unreachable(
        reason=f"The outgoing server 127.0.0.1:{port} cannot be used: it did not answer in time."
    )


def test_a_server_that_cannot_be_decrypted_defers_its_mail_and_no_other(desk: SendingDesk, sink: MailSink) -> None:
    desk.open_ticket()
    add_mailbox(desk, SALES, Tokens("another key, long enough").encrypt(smtp(sink.port)))
    with running(desk.outbox(smtp(sink.port))) as outbox:
        assert outbox.run_once() == 1
        outbox.serve_others()
        outbox.wait()
        assert states(desk) == [DeliveryState.SENT, DeliveryState.DEFERRED]
        assert desk.deliveries()[1].last_error == UNREADABLE
        with desk.database.transaction() as session:
            repaired = update(Mailbox).where(Mailbox.address == SALES)
            session.execute(repaired.values(outgoing_secret=desk.tokens.encrypt(smtp(sink.port))))
        desk.clock.pass_by(minutes=2)
        outbox.serve_others()
        outbox.wait()
    assert states(desk) == [DeliveryState.SENT, DeliveryState.SENT]


def test_an_outage_of_an_hour_loses_nothing_doubles_nothing_and_is_told(desk: SendingDesk) -> None:
    with mail_sink() as before:
        port = before.port
    told: list[str] = []
    number = desk.open_ticket("During the outage")
    for minute in range(60):
        if minute % 20 == 0:
            desk.reply(number, f"Letter {minute}")
        with running(desk.outbox(smtp(port))) as outbox:
            while outbox.run_once():
                pass
        desk.clock.pass_by(minutes=1)
        told += alarms(desk)
    ids = [delivery.message_id for delivery in desk.deliveries()]
    assert set(states(desk)) == {DeliveryState.DEFERRED}
    assert told[-1].startswith("4 mails wait to go out, the oldest since 21 November at 08:30 UTC. The outgoing server")
    with mail_sink(port=port) as back:
        for _ in range(6):
            with running(desk.outbox(smtp(port))) as outbox:
                while outbox.run_once():
                    pass
            desk.clock.pass_by(minutes=1)
    assert set(states(desk)) == {DeliveryState.SENT}
    assert sorted(str(mail.message["Message-ID"])[1:-1] for mail in back.mails) == sorted(ids)
    assert alarms(desk) == []


def alarms(desk: SendingDesk) -> list[str]:
    with desk.database.transaction() as session:
        watch_queue(session, desk.clock(), 15)
        return [alert.sentence for alert in open_alerts(session, desk.clock())]


def test_a_server_that_is_down_is_asked_once_for_a_whole_batch(desk: SendingDesk) -> None:
    with mail_sink() as gone:
        port = gone.port
    for _ in range(5):
        desk.open_ticket()
    with running(desk.outbox(smtp(port))) as outbox:
        assert outbox.run_once() == 5
    rows = desk.deliveries()
    assert {row.attempts for row in rows} == {1}
    assert {row.last_error for row in rows} == {
        f"The outgoing server 127.0.0.1:{port} cannot be used: Connection refused."
    }


def test_a_4xx_answer_to_the_whole_mail_means_later_also_for_a_reply(desk: SendingDesk, sink: MailSink) -> None:
    desk.reply(desk.open_ticket(acknowledge=False))
    sink.answer("end", "452 4.3.1 no room")
    with running(desk.outbox(smtp(sink.port))) as outbox:
        outbox.run_once()
        assert (desk.delivery().state, desk.delivery().handed_over_at) == (DeliveryState.DEFERRED, None)
        desk.clock.pass_by(minutes=2)
        outbox.run_once()
    assert states(desk) == [DeliveryState.SENT]
    assert len(sink.mails) == 1


@pytest.mark.parametrize(("chance", "times"), [(0.0, 0.9), (0.5, 1.0), (1.0, 1.1)])
def test_the_pauses_of_a_mail_that_is_put_off_double_up_to_an_hour_moved_by_chance_a_tenth_at_most(
    desk: SendingDesk, sink: MailSink, chance: float, times: float
) -> None:
    desk.open_ticket()
    sink.answer("rcpt", *["450 4.2.0 not yet"] * 9)
    expected = (1, 2, 4, 8, 16, 32, 60, 60, 60)
    assert pauses(desk, sink.port, chance) == pytest.approx([minutes * times for minutes in expected])


@pytest.mark.parametrize(("chance", "times"), [(0.0, 0.9), (0.5, 1.0), (1.0, 1.1)])
def test_a_server_that_is_down_is_tried_every_five_minutes_at_last_moved_by_chance_a_tenth_at_most(
    desk: SendingDesk, chance: float, times: float
) -> None:
    desk.open_ticket()
    with mail_sink() as gone:
        port = gone.port
    expected = (1, 2, 4, 5, 5, 5, 5, 5, 5)
    assert pauses(desk, port, chance) == pytest.approx([minutes * times for minutes in expected])


def pauses(desk: SendingDesk, port: int, chance: float) -> list[float]:
    """How long a mail waits after each of nine tries, in minutes."""
    waits = []
    with running(desk.outbox(smtp(port), chance=chance)) as outbox:
        for _ in range(9):
            assert outbox.run_once() == 1
            due = desk.delivery().due_at
            waits.append((due - desk.clock()).total_seconds() / 60)
            desk.clock.moment = due
    return waits


def test_a_421_in_the_middle_costs_one_mail_a_try_and_the_next_a_new_connection(
    desk: SendingDesk, sink: MailSink
) -> None:
    desk.open_ticket()
    desk.open_ticket()
    sink.answer("rcpt", "421 4.3.2 going down")
    with running(desk.outbox(smtp(sink.port))) as outbox:
        assert outbox.run_once() == 2
    assert states(desk) == [DeliveryState.DEFERRED, DeliveryState.SENT]
    assert sink.connections == 2


def test_automatic_mail_whose_answers_were_lost_goes_again_as_the_same_bytes_until_one_comes(
    desk: SendingDesk, sink: MailSink
) -> None:
    desk.open_ticket()
    sink.answer("end", KEEP_AND_DROP, KEEP_AND_DROP)
    with running(desk.outbox(smtp(sink.port))) as outbox:
        for tries in range(1, 6):
            outbox.run_once()
            assert states(desk) == [DeliveryState.DEFERRED if tries < 3 else DeliveryState.SENT]
            desk.clock.pass_by(hours=2)
    assert len(sink.mails) == desk.delivery().attempts == 3
    assert len({mail.content for mail in sink.mails}) == 1


def test_a_reply_whose_answer_was_lost_though_it_was_kept_is_unknown_and_goes_once(
    desk: SendingDesk, sink: MailSink
) -> None:
    desk.reply(desk.open_ticket(acknowledge=False))
    sink.answer("end", KEEP_AND_DROP)
    with running(desk.outbox(smtp(sink.port))) as outbox:
        for _ in range(5):
            outbox.run_once()
            assert states(desk) == [DeliveryState.UNKNOWN]
            desk.clock.pass_by(hours=2)
    assert len(sink.mails) == 1


def test_a_mail_that_a_fault_of_ours_holds_up_goes_once_it_is_repaired(desk: SendingDesk, sink: MailSink) -> None:
    number = desk.open_ticket(acknowledge=False)
    desk.set_status(number, Status.PENDING)
    with desk.database.transaction() as session:
        notice = session.scalars(select(Delivery).where(Delivery.cause == DeliveryCause.STATUS)).one()
        right, notice.context = notice.context, {}
    with running(desk.outbox(smtp(sink.port))) as outbox:
        outbox.run_once()
        assert desk.delivery().state is DeliveryState.DEFERRED
        assert "which is a fault of the desk: KeyError" in (desk.delivery().last_error or "")
        with desk.database.transaction() as session:
            session.execute(update(Delivery).values(context=right))
        desk.clock.pass_by(minutes=2)
        outbox.run_once()
    assert states(desk) == [DeliveryState.SENT]


def test_much_mail_goes_over_several_connections_each_once_with_what_was_asked(
    desk: SendingDesk, sink: MailSink
) -> None:
    for number in range(60):
        desk.reply(desk.open_ticket(f"Matter {number}", acknowledge=False), f"Answer {number}")
    sink.answer("rcpt", "450 4.2.0 not yet", "550 5.1.1 nobody of that name")
    sink.answer("end", DROP)
    with running(desk.outbox(smtp(sink.port))) as outbox:
        assert outbox.run_once() == 60
    assert 2 <= sink.connections <= 5
    replies = [delivery.state for delivery in desk.deliveries() if delivery.cause is DeliveryCause.REPLY]
    assert sorted(replies) == sorted(
        [DeliveryState.SENT] * 57 + [DeliveryState.DEFERRED, DeliveryState.FAILED, DeliveryState.UNKNOWN]
    )
    assert len({mail.message["Message-ID"] for mail in sink.mails}) == len(sink.mails) == 57
    for mail in sink.mails:
        subject = str(mail.message["Subject"])
        assert f"Answer {subject.rpartition(' ')[2]}\n" in parse(mail.content).text


def test_what_somebody_deletes_just_now_is_left_alone_and_waits_for_nobody(desk: SendingDesk, sink: MailSink) -> None:
    if desk.database.is_sqlite:
        pytest.skip("SQLite has one writer: nothing happens at the same time")
    desk.open_ticket()
    desk.open_ticket()
    with desk.database.transaction() as session:
        session.execute(update(Delivery).values(state=DeliveryState.SENDING, lease_by="the dead"))
    with desk.database.transaction() as session, running(desk.outbox(smtp(sink.port))) as outbox:
        session.scalars(select(Delivery).where(Delivery.id == 1).with_for_update()).one()
        assert outbox.run_once() == 1
    assert states(desk) == [DeliveryState.SENDING, DeliveryState.SENT]
