"""Mail over real sockets: what is announced, what is taken, and what stands in the ledger afterwards."""

from __future__ import annotations

import smtplib
from concurrent.futures import ThreadPoolExecutor

import pytest

from intake.receiving.smtp import Limits
from shared.database import Database
from shared.models import Mailbox
from tests.receiving import DESK, PLAIN, Dialogue, Wakes, content_of, desk_mailbox, running_smtp, stored

SMALL = Limits(max_message_bytes=100_000)


def test_a_mail_by_smtplib_is_stored_before_it_is_acknowledged(database: Database) -> None:
    mailbox = desk_mailbox(database)
    wakes = Wakes()
    with running_smtp(database, on_stored=wakes) as server:
        with smtplib.SMTP("127.0.0.1", server.port) as client:
            assert client.sendmail("anna@example.org", [DESK], PLAIN) == {}
            [row] = stored(database)
        assert content_of(row) == PLAIN
        assert (row.source, row.mailbox_id, row.envelope_from) == ("smtp", mailbox, "anna@example.org")
        assert row.envelope_to == [DESK]
        assert wakes.count == 1


def test_the_server_announces_what_it_does_and_no_login(database: Database) -> None:
    with running_smtp(database, SMALL) as server, Dialogue(server.port) as client:
        [answer] = client.say("EHLO client.example")
        offered = {line[4:] for line in answer.splitlines()[1:]}
        assert client.greeting.startswith("220 desk.example")
        assert {"SIZE 100000", "8BITMIME", "SMTPUTF8", "PIPELINING"} <= offered
        assert not any(line.startswith("AUTH") for line in offered)
        assert client.say("HELO client.example", "NOOP", "QUIT") == [
            "250 desk.example",
            "250 2.0.0 OK",
            "221 2.0.0 Bye",
        ]


@pytest.mark.parametrize("address", [DESK, DESK.upper(), "Support+12-abc@desk.example", "postmaster@DESK.example"])
def test_our_addresses_are_known_in_any_spelling(database: Database, address: str) -> None:
    mailbox = desk_mailbox(database)
    with running_smtp(database) as server, smtplib.SMTP("127.0.0.1", server.port) as client:
        client.sendmail("anna@example.org", [address], PLAIN)
    [row] = stored(database)
    assert (row.mailbox_id, row.envelope_to) == (mailbox, [address])


def test_an_unknown_recipient_is_refused_and_the_others_are_served(database: Database) -> None:
    desk_mailbox(database)
    with running_smtp(database) as server, smtplib.SMTP("127.0.0.1", server.port) as client:
        refused = client.sendmail("anna@example.org", [DESK, "nobody@desk.example"], PLAIN)
    assert {address: code for address, (code, _) in refused.items()} == {"nobody@desk.example": 550}
    assert [row.envelope_to for row in stored(database)] == [[DESK]]


def test_a_mailbox_that_was_just_added_is_known_at_once(database: Database) -> None:
    desk_mailbox(database)
    with running_smtp(database) as server, smtplib.SMTP("127.0.0.1", server.port) as client:
        with pytest.raises(smtplib.SMTPRecipientsRefused):
            client.sendmail("anna@example.org", ["sales@desk.example"], PLAIN)
        desk_mailbox(database, "sales@desk.example")
        client.sendmail("anna@example.org", ["sales@desk.example"], PLAIN)


def test_a_mailbox_that_is_switched_off_takes_nothing(database: Database) -> None:
    mailbox = desk_mailbox(database)
    with database.transaction() as session:
        session.get_one(Mailbox, mailbox).is_active = False
    with running_smtp(database) as server, Dialogue(server.port) as client:
        answers = client.say("HELO c.example", "MAIL FROM:<a@example.org>", f"RCPT TO:<{DESK}>")
    assert answers[-1].startswith("550 ")


def test_a_mail_for_two_mailboxes_is_stored_in_each_with_its_own_recipients(database: Database) -> None:
    desk_mailbox(database)
    desk_mailbox(database, "sales@desk.example")
    recipients = [DESK, "sales@desk.example", "support+x@desk.example"]
    with running_smtp(database) as server, smtplib.SMTP("127.0.0.1", server.port) as client:
        client.sendmail("anna@example.org", recipients, PLAIN)
    assert [row.envelope_to for row in stored(database)] == [[DESK, "support+x@desk.example"], ["sales@desk.example"]]


def test_the_empty_sender_of_a_bounce_is_kept_as_such(database: Database) -> None:
    desk_mailbox(database)
    with running_smtp(database) as server, smtplib.SMTP("127.0.0.1", server.port) as client:
        client.sendmail("", [DESK], PLAIN)
    assert [row.envelope_from for row in stored(database)] == [""]


def test_any_bytes_come_through_unchanged(database: Database) -> None:
    desk_mailbox(database)
    body = b".leading\r\n..two\r\nbare\nlf and\rcr \x00\xff\xfe " + "grün".encode("latin-1") + b"\r\n" + b"y" * 30_000
    mail = PLAIN + body + b"\r\n"
    with running_smtp(database) as server, Dialogue(server.port) as client:
        client.begin()
        client.send(mail.replace(b"\r\n.", b"\r\n..") + b".\r\n")
        assert client.answer().startswith("250 ")
    assert [content_of(row) for row in stored(database)] == [mail]


def test_addresses_beyond_ascii_are_taken(database: Database) -> None:
    desk_mailbox(database, "büro@desk.example")
    with running_smtp(database) as server, Dialogue(server.port) as client:
        commands = [
            "EHLO c.example",
            "MAIL FROM:<jörg@example.org> SMTPUTF8 BODY=8BITMIME",
            "RCPT TO:<BÜRO@desk.example>",
        ]
        assert [answer[:3] for answer in client.say(*commands, "DATA")] == ["250", "250", "250", "354"]
        client.send(PLAIN + b".\r\n")
        client.answer()
    assert [row.envelope_from for row in stored(database)] == ["jörg@example.org"]


def test_a_pipelined_conversation_is_answered_in_order(database: Database) -> None:
    desk_mailbox(database)
    mail = f"MAIL FROM:<a@example.org>\r\nRCPT TO:<{DESK}>\r\nDATA\r\n".encode() + PLAIN + b".\r\n"
    with running_smtp(database) as server, Dialogue(server.port) as client:
        client.send(b"EHLO client.example\r\n" + mail + mail + b"QUIT\r\n")
        codes = [client.answer()[:3] for _ in range(10)]
        assert client.answer() == ""
    assert codes == ["250", "250", "250", "354", "250", "250", "250", "354", "250", "221"]
    assert len(stored(database)) == 2


def test_the_envelope_of_one_mail_is_forgotten_before_the_next(database: Database) -> None:
    desk_mailbox(database)
    with running_smtp(database) as server, Dialogue(server.port) as client:
        client.begin()
        client.send(PLAIN + b".\r\n")
        client.answer()
        assert [answer[:3] for answer in client.say("DATA", f"RCPT TO:<{DESK}>", "RSET")] == ["503", "503", "250"]


def test_many_clients_at_once_lose_nothing(database: Database) -> None:
    desk_mailbox(database)

    def send(client_number: int) -> None:
        with smtplib.SMTP("127.0.0.1", server.port) as client:
            for number in range(20):
                client.sendmail("a@example.org", [DESK], PLAIN + b"%d-%d\r\n" % (client_number, number))

    with running_smtp(database) as server, ThreadPoolExecutor(12) as pool:
        list(pool.map(send, range(12)))
    texts = {content_of(row) for row in stored(database)}
    assert texts == {PLAIN + b"%d-%d\r\n" % (c, n) for c in range(12) for n in range(20)}
