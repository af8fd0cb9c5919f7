"""Hostile and unlucky clients: sizes, smuggling, errors, too many of them, and a desk that is stopping."""

from __future__ import annotations

import resource
import smtplib
import socket
import threading

import pytest

from intake.receiving.smtp import Limits, Listener, ReceiveError, SmtpServer
from intake.receiving.spool import Spool
from shared.database import Database
from tests.receiving import DESK, PLAIN, SMTP, Dialogue, content_of, desk_mailbox, running_smtp, stored, until

SMALL = Limits(max_message_bytes=100_000)
MEGABYTE = b"x" * 1024 * 1024


def test_a_declared_size_over_the_limit_is_refused_before_the_mail_comes(database: Database) -> None:
    desk_mailbox(database)
    with running_smtp(database, SMALL) as server, Dialogue(server.port) as client:
        answers = client.say(
            "EHLO c.example", "MAIL FROM:<a@example.org> SIZE=100001", "MAIL FROM:<a@example.org> SIZE=100000"
        )
    assert [answer[:3] for answer in answers] == ["250", "552", "250"]


@pytest.mark.parametrize("line_end", [b"\r\n", b"\n", b""])
def test_a_mail_over_the_limit_is_refused_whatever_its_line_ends(database: Database, line_end: bytes) -> None:
    desk_mailbox(database)
    with running_smtp(database, SMALL) as server, Dialogue(server.port) as client:
        client.begin()
        client.send((b"x" * 70 + line_end) * 2000 + b"\r\n.\r\n")
        assert client.answer().startswith("552 ")
        client.begin()
        client.send(PLAIN + b".\r\n")
        assert client.answer().startswith("250 ")
    assert [content_of(row) for row in stored(database)] == [PLAIN]


def test_a_flood_without_line_ends_does_not_grow_the_memory(database: Database) -> None:
    desk_mailbox(database)
    with running_smtp(database, SMALL) as server, Dialogue(server.port) as client:
        client.begin()
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        for _ in range(200):
            client.send(MEGABYTE)
        client.send(b"\r\n.\r\n")
        assert client.answer().startswith("552 ")
        grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    assert grown < 40 * 1024  # KiB


def test_a_flood_of_a_command_without_end_does_not_grow_the_memory(database: Database) -> None:
    with running_smtp(database, SMALL) as server, Dialogue(server.port) as client:
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        for _ in range(100):
            client.send(MEGABYTE)
        client.send(b"\r\n")
        assert client.answer().startswith("500 ")
        assert client.say("EHLO c.example")[0].startswith("250")
        assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 40 * 1024


def test_more_mail_at_once_than_there_is_memory_for_is_put_off(database: Database) -> None:
    desk_mailbox(database)
    limits = Limits(max_message_bytes=100_000, memory_bytes=50_000)
    with running_smtp(database, limits) as server, Dialogue(server.port) as client:
        client.begin()
        client.send(b"x" * 80_000 + b"\r\n.\r\n")
        assert client.answer().startswith("451 ")
        client.begin()
        client.send(PLAIN + b".\r\n")
        assert client.answer().startswith("250 ")


@pytest.mark.parametrize("false_end", [b"\n.\n", b"\n.\r\n", b"\r\n.\n", b"\r.\r", b"\r\n.\r", b"\r\n\x00.\r\n"])
def test_a_second_mail_cannot_be_smuggled_into_the_first(database: Database, false_end: bytes) -> None:
    desk_mailbox(database)
    smuggled = f"MAIL FROM:<admin@desk.example>\r\nRCPT TO:<{DESK}>\r\nDATA\r\nSubject: evil\r\n\r\nevil\r\n".encode()
    with running_smtp(database) as server, Dialogue(server.port) as client:
        client.begin()
        client.send(PLAIN + b"text" + false_end + smuggled + b".\r\n")
        assert client.answer().startswith("250 ")
        assert client.say("NOOP") == ["250 2.0.0 OK"]
    [row] = stored(database)
    assert row.envelope_from == "anna@example.org"
    assert content_of(row).endswith(b"\r\nevil\r\n")


@pytest.mark.parametrize(
    "command",
    [
        "RCPT TO:<",
        "RCPT TO:<a@>",
        "RCPT TO:<a@b\x00c>",
        "RCPT TO:<\udcff@desk.example>",
        "RCPT TO:",
        "RCPT",
        "RCPT TO:<>",
    ],
)
def test_a_broken_address_is_the_clients_error_and_not_ours(database: Database, command: str) -> None:
    desk_mailbox(database)
    with running_smtp(database) as server, Dialogue(server.port) as client:
        answers = client.say("EHLO c.example", "MAIL FROM:<a@example.org>", command)
        assert answers[-1].startswith("5")


def test_an_overlong_sender_is_refused(database: Database) -> None:
    with running_smtp(database) as server, Dialogue(server.port) as client:
        assert client.say("EHLO c.example", f"MAIL FROM:<{'x' * 400}@example.org>")[-1].startswith("501 ")


def test_a_client_that_makes_one_error_after_the_other_is_sent_away(database: Database) -> None:
    with running_smtp(database, Limits(max_errors=3)) as server, Dialogue(server.port) as client:
        client.send(b"EHLO c.example\r\n" + b"RCPT TO:<x@example.org>\r\n" * 50)
        answers = [client.answer()[:3] for _ in range(6)]
        assert answers == ["250", "503", "503", "503", "503", "421"]
        assert client.answer() == ""


def test_too_many_recipients_are_put_off(database: Database) -> None:
    desk_mailbox(database)
    with running_smtp(database, Limits(max_recipients=2)) as server, Dialogue(server.port) as client:
        answers = client.say("EHLO c.example", "MAIL FROM:<a@example.org>", *[f"RCPT TO:<{DESK}>"] * 3)
        assert [answer[:3] for answer in answers[2:]] == ["250", "250", "452"]


def test_a_connection_too_many_is_told_to_come_back(database: Database) -> None:
    with running_smtp(database, Limits(max_connections=2)) as server:
        with Dialogue(server.port), Dialogue(server.port), Dialogue(server.port) as third:
            assert third.greeting.startswith("421 ")
        until(lambda: not server.sessions)
        with Dialogue(server.port) as later:
            assert later.greeting.startswith("220 ")


def test_an_idle_client_is_sent_away(database: Database) -> None:
    with running_smtp(database, Limits(idle_seconds=0.2)) as server, Dialogue(server.port) as client:
        assert client.answer().startswith("421 ")
        assert client.answer() == ""


def test_a_mail_that_never_ends_is_cut_off(database: Database) -> None:
    desk_mailbox(database)
    with running_smtp(database, Limits(data_seconds=0.2)) as server, Dialogue(server.port) as client:
        client.begin()
        client.send(b"Subject: slow\r\n")
        assert client.answer().startswith("421 ")
    assert stored(database) == []


def test_a_client_that_leaves_within_a_mail_leaves_nothing(database: Database) -> None:
    desk_mailbox(database)
    with running_smtp(database) as server:
        with Dialogue(server.port) as client:
            client.begin()
            client.send(PLAIN)
        with smtplib.SMTP("127.0.0.1", server.port) as other:
            other.sendmail("b@example.org", [DESK], PLAIN)
    assert [row.envelope_from for row in stored(database)] == ["b@example.org"]


def test_a_broken_database_is_later_and_never_a_refusal(database: Database) -> None:
    desk_mailbox(database)
    with running_smtp(database) as server, Dialogue(server.port) as client:
        client.begin()
        with database.transaction() as session:
            session.connection().exec_driver_sql("ALTER TABLE inbound_raw RENAME TO away")
            session.connection().exec_driver_sql("ALTER TABLE mailbox RENAME TO gone")
        client.send(PLAIN + b".\r\n")
        assert client.answer().startswith("451 ")
        client.say("RSET", "MAIL FROM:<a@example.org>")
        assert client.say("RCPT TO:<stranger@desk.example>")[0].startswith("451 ")
        with database.transaction() as session:
            session.connection().exec_driver_sql("ALTER TABLE away RENAME TO inbound_raw")
            session.connection().exec_driver_sql("ALTER TABLE gone RENAME TO mailbox")
        client.begin()
        client.send(PLAIN + b".\r\n")
        assert client.answer().startswith("250 ")
    assert len(stored(database)) == 1


def test_a_stopping_server_finishes_the_mail_that_is_coming_in(database: Database) -> None:
    desk_mailbox(database)
    with running_smtp(database) as server, Dialogue(server.port) as busy, Dialogue(server.port) as idle:
        busy.begin()
        busy.send(b"Subject: half\r\n")
        stopping = threading.Thread(target=server.stop)
        stopping.start()
        assert idle.answer().startswith("421 ")
        busy.send(b"\r\nand the rest\r\n.\r\n")
        assert busy.answer().startswith("250 ")
        assert busy.answer().startswith("421 ")
        stopping.join()
    assert [content_of(row) for row in stored(database)] == [b"Subject: half\r\n\r\nand the rest\r\n"]


def test_a_stopping_server_does_not_wait_for_ever(database: Database) -> None:
    desk_mailbox(database)
    with running_smtp(database, Limits(grace_seconds=0.1)) as server, Dialogue(server.port) as client:
        client.begin()
        server.stop()
        assert client.answer().startswith("421 ")
    assert stored(database) == []


def test_a_port_that_is_taken_is_said_in_a_sentence(database: Database) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        taken = Listener(name="SMTP", address=("127.0.0.1", port))
        server = SmtpServer(listeners=[SMTP, taken], spool=Spool(database), database=database, desk_address=DESK)
        with pytest.raises(ReceiveError, match=f"127.0.0.1:{port} is in use by another program"):
            server.start()
        server.stop()
