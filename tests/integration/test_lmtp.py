"""Mail over LMTP (RFC 2033): one answer for each recipient, and what one mailbox cannot store the other still has."""

from __future__ import annotations

import smtplib

from sqlalchemy import text

from intake.receiving.smtp import Limits
from shared.database import Database
from tests.receiving import DESK, LMTP, PLAIN, SMTP, Dialogue, content_of, desk_mailbox, running_smtp, stored

SALES = "sales@desk.example"


def begin(client: Dialogue, *recipients: str) -> None:
    client.say("LHLO relay.example", "MAIL FROM:<anna@example.org>")
    answers = client.say(*[f"RCPT TO:<{recipient}>" for recipient in recipients], "DATA")
    assert [answer[:3] for answer in answers] == ["250"] * len(recipients) + ["354"], answers


def refuse_mail_of(database: Database, mailbox: int) -> None:
    """Let the database refuse whatever is stored for one mailbox, as a broken row or a trigger of somebody's would."""
    with database.transaction() as session:
        if database.is_sqlite:
            session.execute(
                text(
                    f"CREATE TRIGGER no_mail BEFORE INSERT ON inbound_message WHEN NEW.mailbox_id = {mailbox} "
                    "BEGIN SELECT RAISE(ABORT, 'not this one'); END"
                )
            )
        else:
            session.execute(
                text(f"ALTER TABLE inbound_message ADD CONSTRAINT no_mail CHECK (mailbox_id <> {mailbox}) NOT VALID")
            )


def test_a_mail_by_lmtplib_is_stored_and_its_source_is_lmtp(database: Database) -> None:
    desk_mailbox(database)
    with running_smtp(database, listeners=[LMTP]) as server, smtplib.LMTP("127.0.0.1", server.port) as client:
        assert client.sendmail("anna@example.org", [DESK], PLAIN) == {}
    [row] = stored(database)
    assert (row.source, content_of(row), row.envelope_to) == ("lmtp", PLAIN, [DESK])


def test_the_server_says_that_it_is_lmtp_and_refuses_the_greetings_of_smtp(database: Database) -> None:
    with running_smtp(database, listeners=[LMTP]) as server, Dialogue(server.port) as client:
        refused = client.say("HELO c.example", "EHLO c.example", "MAIL FROM:<a@example.org>")
        [offered] = client.say("LHLO c.example")
    assert client.greeting == "220 desk.example LMTP Letterdesk"
    assert [answer[:9] for answer in refused] == ["500 5.5.1", "500 5.5.1", "503 5.5.1"]
    assert {"250-PIPELINING", "250-ENHANCEDSTATUSCODES", "250-8BITMIME"} <= set(offered.splitlines())


def test_lhlo_is_no_command_of_smtp(database: Database) -> None:
    with running_smtp(database, listeners=[SMTP]) as server, Dialogue(server.port) as client:
        assert client.say("LHLO c.example")[0].startswith("500 5.5.2 ")


def test_each_recipient_gets_an_answer_in_order(database: Database) -> None:
    desk_mailbox(database)
    desk_mailbox(database, SALES)
    with running_smtp(database, listeners=[LMTP]) as server, Dialogue(server.port) as client:
        begin(client, DESK, SALES, "support+x@desk.example")
        client.send(PLAIN + b".\r\n")
        first, second, third = (client.answer() for _ in range(3))
        assert client.say("NOOP") == ["250 2.0.0 OK"]
    rows = {row.id: row.envelope_to for row in stored(database)}
    ids = [int(answer.removeprefix("250 2.0.0 Stored as ")) for answer in (first, second, third)]
    assert rows == {ids[0]: [DESK, "support+x@desk.example"], ids[1]: [SALES]}
    assert ids[2] == ids[0]


def test_a_refused_recipient_gets_no_second_answer(database: Database) -> None:
    desk_mailbox(database)
    with running_smtp(database, listeners=[LMTP]) as server, Dialogue(server.port) as client:
        client.say("LHLO c.example", "MAIL FROM:<a@example.org>")
        answers = client.say("RCPT TO:<nobody@desk.example>", f"RCPT TO:<{DESK}>", "DATA")
        assert [answer[:3] for answer in answers] == ["550", "250", "354"]
        client.send(PLAIN + b".\r\n")
        assert client.answer().startswith("250 2.0.0 Stored")
        assert client.say("NOOP") == ["250 2.0.0 OK"]


def test_without_any_recipient_there_is_no_data(database: Database) -> None:
    desk_mailbox(database)
    with running_smtp(database, listeners=[LMTP]) as server, Dialogue(server.port) as client:
        client.say("LHLO c.example", "MAIL FROM:<a@example.org>", "RCPT TO:<nobody@desk.example>")
        assert client.say("DATA")[0].startswith("503 5.5.1 ")


def test_what_one_mailbox_cannot_store_the_other_still_has(database: Database) -> None:
    desk_mailbox(database)
    refuse_mail_of(database, desk_mailbox(database, SALES))
    with running_smtp(database, listeners=[LMTP]) as server, Dialogue(server.port) as client:
        begin(client, SALES, DESK, "sales+x@desk.example")
        client.send(PLAIN + b".\r\n")
        assert [client.answer()[:3] for _ in range(3)] == ["451", "250", "451"]
    assert [row.envelope_to for row in stored(database)] == [[DESK]]


def test_over_smtp_the_same_mail_is_stored_for_all_or_for_none(database: Database) -> None:
    desk_mailbox(database)
    refuse_mail_of(database, desk_mailbox(database, SALES))
    with running_smtp(database) as server, Dialogue(server.port) as client:
        client.say("EHLO c.example", "MAIL FROM:<a@example.org>", f"RCPT TO:<{DESK}>", f"RCPT TO:<{SALES}>", "DATA")
        client.send(PLAIN + b".\r\n")
        assert client.answer().startswith("451 ")
    assert stored(database) == []


def test_a_mail_over_the_limit_is_refused_for_each_recipient_and_is_one_error(database: Database) -> None:
    desk_mailbox(database)
    limits = Limits(max_message_bytes=100_000, max_errors=2)
    with running_smtp(database, limits, listeners=[LMTP]) as server, Dialogue(server.port) as client:
        begin(client, *[DESK] * 5)
        client.send(b"x" * 200_000 + b"\r\n.\r\n")
        assert [client.answer()[:9] for _ in range(5)] == ["552 5.3.4"] * 5
        begin(client, DESK)
        client.send(PLAIN + b".\r\n")
        assert client.answer().startswith("250 ")


def test_a_pipelined_conversation_is_answered_in_order(database: Database) -> None:
    desk_mailbox(database)
    recipient = f"RCPT TO:<{DESK}>\r\n"
    mail = f"MAIL FROM:<a@example.org>\r\n{recipient}{recipient}DATA\r\n".encode() + PLAIN + b".\r\n"
    with running_smtp(database, listeners=[LMTP]) as server, Dialogue(server.port) as client:
        client.send(b"LHLO relay.example\r\n" + mail + mail + b"QUIT\r\n")
        codes = [client.answer()[:3] for _ in range(14)]
        assert client.answer() == ""
    assert codes == ["250", *["250", "250", "250", "354", "250", "250"] * 2, "221"]
    assert len(stored(database)) == 2


def test_a_second_mail_cannot_be_smuggled_into_the_first(database: Database) -> None:
    desk_mailbox(database)
    smuggled = f"MAIL FROM:<admin@desk.example>\r\nRCPT TO:<{DESK}>\r\nDATA\r\nSubject: evil\r\n\r\nevil\r\n".encode()
    with running_smtp(database, listeners=[LMTP]) as server, Dialogue(server.port) as client:
        begin(client, DESK)
        client.send(PLAIN + b"text\n.\n" + smuggled + b".\r\n")
        assert client.answer().startswith("250 ")
        assert client.say("NOOP") == ["250 2.0.0 OK"]
    assert [row.envelope_from for row in stored(database)] == ["anna@example.org"]


def test_several_listeners_share_one_limit_of_connections(database: Database) -> None:
    with running_smtp(database, Limits(max_connections=2), listeners=[SMTP, LMTP]) as server:
        ports = [port for _, port in server.doors.values()]
        with Dialogue(ports[0]) as smtp, Dialogue(ports[1]) as lmtp, Dialogue(ports[0]) as third:
            assert [smtp.greeting[:3], lmtp.greeting[:3], third.greeting[:3]] == ["220", "220", "421"]
