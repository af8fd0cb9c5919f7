"""Many clients at once, slow ones and greedy ones: whoever has an honest mail gets it through."""

from __future__ import annotations

import smtplib
import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from intake.receiving.smtp import Limits
from shared.database import Database
from tests.integration.test_smtp_proxy import HERE, header
from tests.receiving import DESK, PLAIN, Dialogue, content_of, desk_mailbox, running_smtp, stored, until


@contextmanager
def crowd(port: int, count: int) -> Iterator[list[Dialogue]]:
    """So many clients that were greeted and then say nothing."""
    with ExitStack() as stack:
        yield [stack.enter_context(Dialogue(port)) for _ in range(count)]


def send_honestly(port: int, recipients: list[str] | None = None) -> None:
    with smtplib.SMTP("127.0.0.1", port, local_hostname="honest.example", timeout=60) as client:
        client.sendmail("anna@example.org", recipients or [DESK], PLAIN)


def test_five_hundred_silent_clients_keep_no_mail_out(database: Database) -> None:
    desk_mailbox(database)
    with (
        running_smtp(database, Limits(max_connections=500, crowded_idle_seconds=0)) as server,
        crowd(server.port, 500) as silent,
    ):
        assert all(client.greeting.startswith("220 ") for client in silent)
        send_honestly(server.port)
        assert silent[0].answer().startswith("421 4.3.2 Too many connections")
        assert silent[-1].say("NOOP") == ["250 2.0.0 OK"]
    assert len(stored(database)) == 1


def test_five_hundred_clients_with_a_mail_each_are_all_served(database: Database) -> None:
    desk_mailbox(database)
    with running_smtp(database) as server, crowd(server.port, 500) as clients:
        for number, client in enumerate(clients):
            client.send(f"EHLO c.example\r\nMAIL FROM:<{number}@example.org>\r\nRCPT TO:<{DESK}>\r\nDATA\r\n".encode())
            client.send(PLAIN + b".\r\nQUIT\r\n")
        codes = [[client.answer()[:3] for _ in range(6)] for client in clients]
    assert codes == [["250", "250", "250", "354", "250", "221"]] * 500
    assert {row.envelope_from for row in stored(database)} == {f"{number}@example.org" for number in range(500)}


def test_who_has_just_spoken_does_not_have_to_go(database: Database) -> None:
    with (
        running_smtp(database, Limits(max_connections=2, crowded_idle_seconds=600)) as server,
        crowd(server.port, 2) as two,
        Dialogue(server.port) as third,
    ):
        assert third.greeting.startswith("421 ")
        assert [client.say("NOOP") for client in two] == [["250 2.0.0 OK"]] * 2


def test_who_is_sending_a_mail_does_not_have_to_go(database: Database) -> None:
    desk_mailbox(database)
    limits = Limits(max_connections=2, crowded_idle_seconds=0)
    with running_smtp(database, limits) as server, crowd(server.port, 2) as two:
        for client in two:
            client.begin()
        with Dialogue(server.port) as third:
            assert third.greeting.startswith("421 ")
        for client in two:
            client.send(PLAIN + b".\r\n")
            assert client.answer().startswith("250 ")


def test_one_address_cannot_take_all_connections(database: Database) -> None:
    desk_mailbox(database)
    limits = Limits(max_connections=40, crowded_idle_seconds=600)
    with running_smtp(database, limits, proxies=HERE) as server, ExitStack() as stack:
        greedy = [stack.enter_context(Dialogue(server.port, first=header("203.0.113.9"))) for _ in range(60)]
        greeted = [client.greeting.startswith("220 ") for client in greedy]
        assert greeted == [True] * 10 + [False] * 50
        with Dialogue(server.port, first=header("203.0.113.10")) as honest:
            honest.begin()
            honest.send(PLAIN + b".\r\n")
            assert honest.answer().startswith("250 ")


def test_a_mail_that_dribbles_in_is_cut_off(database: Database) -> None:
    desk_mailbox(database)
    limits = Limits(pace_seconds=0.3, pace_bytes=1000)
    with running_smtp(database, limits) as server, Dialogue(server.port) as slow:
        slow.begin()
        slow.send(b"Subject: slow\r\n\r\n")
        assert slow.answer().startswith("421 ")
        send_honestly(server.port)
    assert [content_of(row) for row in stored(database)] == [PLAIN]


def test_a_client_that_only_chats_has_to_go(database: Database) -> None:
    with running_smtp(database, Limits(command_seconds=0.2)) as server, Dialogue(server.port) as client:
        answers = [client.say("NOOP")[0]]
        while answers[-1].startswith("250"):
            answers.append(client.say("NOOP")[0])
    assert answers[-1] == "" or answers[-1].startswith("421 ")


def test_a_client_that_does_not_read_its_answers_is_cut_off(database: Database) -> None:
    with running_smtp(database, Limits(idle_seconds=0.3)) as server, socket.socket() as client:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        client.connect(("127.0.0.1", server.port))
        assert client.recv(100).startswith(b"220 ")
        client.setblocking(False)
        sent = 0
        try:
            while sent < 512 * 1024 * 1024:
                sent += client.send(b"NOOP\r\n" * 10_000)
        except OSError:  # full, or cut off already
            pass
        until(lambda: not server.sessions)


def test_six_hundred_recipients_in_one_transaction_are_no_errors(database: Database) -> None:
    desk_mailbox(database)
    with running_smtp(database) as server, Dialogue(server.port) as client:
        client.say("EHLO c.example", "MAIL FROM:<a@example.org>")
        codes = [client.say(f"RCPT TO:<support+{number}@desk.example>")[0][:9] for number in range(600)]
        assert codes == ["250 2.1.5"] * 500 + ["452 4.5.3"] * 100
        assert client.say("DATA")[0].startswith("354 ")
        client.send(PLAIN + b".\r\n")
        assert client.answer().startswith("250 ")
    [row] = stored(database)
    assert len(row.envelope_to) == 500


def test_a_client_that_says_no_more_still_gets_its_answers(database: Database) -> None:
    desk_mailbox(database)
    with running_smtp(database) as server, Dialogue(server.port) as client:
        client.begin()
        client.send(PLAIN + b".\r\nQUIT\r\n")
        client.say_no_more()
        assert [client.answer()[:3] for _ in range(2)] == ["250", "221"]
        assert client.answer() == ""
    assert len(stored(database)) == 1


def test_a_client_that_says_no_more_within_a_mail_leaves_nothing(database: Database) -> None:
    desk_mailbox(database)
    with running_smtp(database) as server, Dialogue(server.port) as client:
        client.begin()
        client.send(PLAIN)
        client.say_no_more()
        assert client.answer() == ""
        until(lambda: not server.sessions)
    assert stored(database) == []
