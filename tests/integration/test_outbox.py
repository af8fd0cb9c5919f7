"""The outbox sends what is due, threads it, and writes down what became of it."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import pytest

from intake.parsing.message import parse
from shared.addresses import address_key, without_plus
from shared.config import Settings
from shared.database import Database
from shared.models import DeliveryState, Status
from shared.tickets import Upload
from shared.tokens import Tokens
from tests.mail_sink import DROP, MailSink, mail_sink
from tests.outgoing import ANNA, Clock, SendingDesk, running


@pytest.fixture
def desk(database: Database, tokens: Tokens, settings: Settings, now: datetime) -> SendingDesk:
    return SendingDesk(database=database, tokens=tokens, settings=settings, clock=Clock(now))


def smtp(sink: MailSink) -> str:
    return f"smtp://127.0.0.1:{sink.port}"


def test_an_acknowledgement_goes_to_the_requester_with_an_empty_reverse_path(desk: SendingDesk, sink: MailSink) -> None:
    desk.open_ticket("Printer")
    with running(desk.outbox(smtp(sink))) as outbox:
        assert outbox.run_once() == 1
        assert outbox.run_once() == 0
    (mail,) = sink.mails
    assert (mail.sender, mail.recipients) == ("", (ANNA.address,))
    assert mail.message["Subject"] == "[#1] Printer"
    assert mail.message["Auto-Submitted"] == "auto-replied"
    assert "on fire" not in mail.content.decode()
    assert (desk.delivery().state, desk.delivery().response) == (DeliveryState.SENT, "250 2.0.0 kept")
    assert desk.delivery().sent_at is not None


def test_a_reply_goes_to_everybody_with_the_true_to_and_cc_and_a_token_of_their_own(
    desk: SendingDesk, sink: MailSink, tokens: Tokens
) -> None:
    number = desk.open_ticket("Printer", cc=("piotr@brightmill.example",))
    desk.clock.pass_by(minutes=5)
    desk.reply(number)
    with running(desk.outbox(smtp(sink))) as outbox:
        assert outbox.run_once() == 3
    acknowledgement, *copies = sink.mails
    assert {mail.message["To"] for mail in copies} == {"Anna Kowalczyk <anna@brightmill.example>"}
    assert {mail.message["Cc"] for mail in copies} == {"piotr@brightmill.example"}
    assert len({mail.message["Message-ID"] for mail in copies}) == 1
    assert [mail.recipients[0] for mail in copies] == ["anna@brightmill.example", "piotr@brightmill.example"]
    for mail in copies:
        key = address_key(mail.recipients[0])
        address = mail.message["Reply-To"].addresses[0].addr_spec
        assert tokens.reply_recipient(without_plus(address)[1], frozenset({key})) == key
        bounced = tokens.delivery_of_bounce(without_plus(mail.sender)[1])
        assert bounced in {delivery.id for delivery in desk.deliveries()}
    assert copies[0].message["In-Reply-To"] == acknowledgement.message["Message-ID"]
    assert "you wrote:\n> It is on fire." in parse(copies[0].content).text
    assert "Anna Kowalczyk wrote:\n> It is on fire." in parse(copies[1].content).text


def test_all_mails_of_a_ticket_are_one_thread(desk: SendingDesk, sink: MailSink) -> None:
    number = desk.open_ticket("Printer")
    desk.clock.pass_by(minutes=5)
    desk.reply(number)
    desk.clock.pass_by(minutes=5)
    desk.set_status(number, Status.RESOLVED)
    with running(desk.outbox(smtp(sink))) as outbox:
        outbox.run_once()
    first, second, third = (parse(mail.content) for mail in sink.mails)
    assert second.references == (first.message_id,)
    assert third.references == (first.message_id, second.message_id)
    assert third.in_reply_to == second.message_id
    assert [mail.subject for mail in (second, third)] == ["Re: [#1] Printer", "[#1] Resolved: Printer"]


def test_files_of_a_reply_arrive_as_they_were_uploaded(desk: SendingDesk, sink: MailSink) -> None:
    number = desk.open_ticket(acknowledge=False)
    content = bytes(range(256)) * 300
    desk.reply(number, files=(Upload(filename="Beleg März.pdf", content_type="application/pdf", content=content),))
    with running(desk.outbox(smtp(sink))) as outbox:
        outbox.run_once()
    (attachment,) = parse(sink.mails[0].content).attachments
    assert (attachment.filename, attachment.content) == ("Beleg März.pdf", content)


def test_many_mails_go_over_one_connection(desk: SendingDesk, sink: MailSink) -> None:
    for _ in range(4):
        desk.open_ticket()
    with running(desk.outbox(smtp(sink))) as outbox:
        assert outbox.run_once() == 4
    assert sink.connections == 1


def test_files_are_written_whole_with_their_envelope(desk: SendingDesk, tmp_path: Path) -> None:
    desk.open_ticket()
    with running(desk.outbox((tmp_path / "out").as_uri())) as outbox:
        assert outbox.run_once() == 1
    (path,) = (tmp_path / "out").iterdir()
    assert path.suffix == ".eml"
    assert path.read_bytes().startswith(b"Return-Path: <>\r\nDelivered-To: anna@brightmill.example\r\nFrom: ")
    assert desk.delivery().state is DeliveryState.SENT


def test_a_4xx_answer_means_later_with_growing_pauses(desk: SendingDesk, sink: MailSink) -> None:
    desk.open_ticket()
    sink.answer("rcpt", "451 4.3.0 come back later", "450 4.2.0 not yet")
    with running(desk.outbox(smtp(sink))) as outbox:
        outbox.run_once()
        first = desk.delivery()
        assert (first.state, first.attempts) == (DeliveryState.DEFERRED, 1)
        assert first.last_error == "The outgoing server said: 451 4.3.0 come back later"
        assert outbox.run_once() == 0
        desk.clock.pass_by(minutes=1)
        assert outbox.run_once() == 1
        pause = desk.delivery().due_at - desk.clock()
        assert pause.total_seconds() == pytest.approx(120)
        desk.clock.pass_by(minutes=2)
        outbox.run_once()
    assert desk.delivery().state is DeliveryState.SENT
    assert desk.delivery().last_error is None


@pytest.mark.parametrize("moment", ["mail", "rcpt", "data", "end"])
def test_a_5xx_answer_is_final_and_shown(desk: SendingDesk, sink: MailSink, moment: str) -> None:
    desk.open_ticket()
    desk.open_ticket()
    sink.answer(moment, "550 5.1.1 there is nobody of that name")
    with running(desk.outbox(smtp(sink))) as outbox:
        assert outbox.run_once() == 2
    failed, sent = desk.deliveries()
    assert (failed.state, sent.state) == (DeliveryState.FAILED, DeliveryState.SENT)
    assert failed.last_error == "The outgoing server said: 550 5.1.1 there is nobody of that name"


@pytest.mark.parametrize("moment", ["mail", "rcpt", "data"])
def test_a_connection_that_ends_before_the_last_step_costs_an_attempt_only(
    desk: SendingDesk, sink: MailSink, moment: str
) -> None:
    number = desk.open_ticket(acknowledge=False)
    desk.reply(number)
    sink.answer(moment, DROP)
    with running(desk.outbox(smtp(sink))) as outbox:
        outbox.run_once()
        assert desk.delivery().state is DeliveryState.DEFERRED
        desk.clock.pass_by(minutes=2)
        outbox.run_once()
    assert desk.delivery().state is DeliveryState.SENT
    assert len(sink.mails) == 1


def test_a_reply_whose_last_answer_never_came_is_unknown(desk: SendingDesk, sink: MailSink) -> None:
    number = desk.open_ticket(acknowledge=False)
    desk.reply(number)
    sink.answer("end", DROP)
    with running(desk.outbox(smtp(sink))) as outbox:
        outbox.run_once()
        desk.clock.pass_by(days=1)
        assert outbox.run_once() == 0
    assert desk.delivery().state is DeliveryState.UNKNOWN
    assert (desk.delivery().last_error or "").startswith("The outgoing server ended the connection")


def test_automatic_mail_whose_last_answer_never_came_goes_again_under_its_message_id(
    desk: SendingDesk, sink: MailSink
) -> None:
    desk.open_ticket()
    sink.answer("end", DROP)
    with running(desk.outbox(smtp(sink))) as outbox:
        outbox.run_once()
        desk.clock.pass_by(minutes=2)
        outbox.run_once()
    (mail,) = sink.mails
    assert mail.message["Message-ID"] == f"<{desk.delivery().message_id}>"


def test_an_outgoing_server_that_is_down_defers_everything(desk: SendingDesk) -> None:
    with mail_sink() as gone:
        port = gone.port
    desk.open_ticket()
    desk.open_ticket()
    with running(desk.outbox(f"smtp://127.0.0.1:{port}")) as outbox:
        assert outbox.run_once() == 2
    assert {delivery.state for delivery in desk.deliveries()} == {DeliveryState.DEFERRED}
    assert (
        desk.deliveries()[0].last_error == f"The outgoing server 127.0.0.1:{port} cannot be used: Connection refused."
    )


def test_after_five_days_and_many_attempts_it_is_given_up(desk: SendingDesk, sink: MailSink) -> None:
    desk.open_ticket()
    with running(desk.outbox(smtp(sink))) as outbox:
        for _ in range(10):
            sink.answer("mail", "421 4.3.2 closed for today")
            outbox.run_once()
            assert desk.delivery().state is DeliveryState.DEFERRED
            desk.clock.pass_by(hours=11.9)
        sink.answer("mail", "421 4.3.2 closed for today")
        desk.clock.pass_by(hours=2)
        outbox.run_once()
    assert desk.delivery().state is DeliveryState.FAILED
    assert (desk.delivery().last_error or "").endswith("421 4.3.2 closed for today")
