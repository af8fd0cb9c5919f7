"""Behind a proxy: its word for who the client is counts, nobody else's does, and without it there is no way in."""

from __future__ import annotations

import ipaddress
import logging
import socket
from pathlib import Path

import pytest

from intake.receiving.proxy import SIGNATURE
from intake.receiving.smtp import Limits
from intake.receiving.tls import Certificate
from shared.database import Database
from tests.integration.test_smtp_tls import Files
from tests.receiving import PLAIN, SMTP, SMTPS, Dialogue, desk_mailbox, running_smtp, stored, until

HERE = [ipaddress.ip_network("127.0.0.0/8")]
ELSEWHERE = [ipaddress.ip_network("192.0.2.0/24")]


def header(client: str) -> bytes:
    return f"PROXY TCP4 {client} 198.51.100.1 4321 25\r\n".encode()


def binary_header(client: str) -> bytes:
    addresses = ipaddress.ip_address(client).packed + ipaddress.ip_address("198.51.100.1").packed
    return SIGNATURE + b"\x21\x11\x00\x0c" + addresses + b"\x10\x01\x00\x19"


@pytest.mark.parametrize("make", [header, binary_header])
def test_the_real_client_stands_in_the_log(database: Database, caplog: pytest.LogCaptureFixture, make: object) -> None:
    assert callable(make)
    desk_mailbox(database)
    with (
        caplog.at_level(logging.INFO, "intake"),
        running_smtp(database, proxies=HERE) as server,
        Dialogue(server.port, first=make("203.0.113.9")) as client,
    ):
        client.begin()
        client.send(PLAIN + b".\r\n")
        assert client.answer().startswith("250 ")
    assert "client=203.0.113.9" in caplog.text
    assert len(stored(database)) == 1


def test_limits_count_the_real_client(database: Database) -> None:
    limits = Limits(mails_a_minute=1, max_connections=8)
    with running_smtp(database, limits, proxies=HERE) as server:
        with Dialogue(server.port, first=header("203.0.113.9")) as one:
            answers = one.say("EHLO c.example", "MAIL FROM:<a@example.org>", "RSET", "MAIL FROM:<a@example.org>")
            assert answers[1].startswith("250 ")
            assert answers[3].startswith("450 4.7.1 Too many mails from your address")
            with (
                Dialogue(server.port, first=header("203.0.113.9")),
                Dialogue(server.port, first=header("203.0.113.9")) as third,
            ):
                assert third.greeting.startswith("421 4.7.0 Too many connections from your address")
        with Dialogue(server.port, first=header("203.0.113.10")) as other:
            assert other.say("EHLO c.example", "MAIL FROM:<a@example.org>")[1].startswith("250 ")


def test_a_share_is_free_again_when_its_connection_ends(database: Database) -> None:
    with running_smtp(database, Limits(max_connections=4), proxies=HERE) as server:
        for _ in range(5):
            with Dialogue(server.port, first=header("203.0.113.9")) as client:
                assert client.greeting.startswith("220 ")
                client.say("QUIT")
            until(lambda: not server.sessions)


def test_a_header_of_somebody_who_is_no_proxy_is_a_bad_command(database: Database) -> None:
    with (
        running_smtp(database, proxies=ELSEWHERE) as server,
        Dialogue(server.port, first=header("203.0.113.9")) as client,
    ):
        assert client.greeting.startswith("220 ")
        assert client.answer().startswith("500 ")
        assert client.say("NOOP") == ["250 2.0.0 OK"]


def test_without_a_setting_nobody_is_a_proxy(database: Database) -> None:
    with running_smtp(database) as server, Dialogue(server.port, first=header("203.0.113.9")) as client:
        assert client.answer().startswith("500 ")


def test_a_proxy_without_a_header_is_cut_off(database: Database, caplog: pytest.LogCaptureFixture) -> None:
    with running_smtp(database, proxies=HERE) as server, Dialogue(server.port, first=b"EHLO c.example\r\n") as client:
        assert client.greeting == ""
    assert "the proxy 127.0.0.1 sent no PROXY header" in caplog.text


def test_a_proxy_that_says_nothing_is_cut_off(database: Database) -> None:
    with running_smtp(database, Limits(proxy_seconds=0.1), proxies=HERE) as server, Dialogue(server.port) as client:
        assert client.greeting == ""


def test_a_proxy_that_speaks_for_itself_is_served(database: Database) -> None:
    with running_smtp(database, proxies=HERE) as server, Dialogue(server.port, first=b"PROXY UNKNOWN\r\n") as client:
        assert client.greeting.startswith("220 ")


def test_a_header_in_pieces_is_one_header(database: Database) -> None:
    with (
        running_smtp(database, proxies=HERE) as server,
        socket.create_connection(("127.0.0.1", server.port), 60) as client,
    ):
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for byte in binary_header("203.0.113.9"):
            client.sendall(bytes([byte]))
        assert client.recv(100).startswith(b"220 ")


def test_connections_that_still_owe_their_header_count(database: Database) -> None:
    limits = Limits(max_connections=2, proxy_seconds=60)
    with running_smtp(database, limits, proxies=HERE) as server:
        silent = [socket.create_connection(("127.0.0.1", server.port), 60) for _ in range(2)]
        with Dialogue(server.port, first=header("203.0.113.9")) as third:
            assert third.greeting.startswith("421 ")
        for connection in silent:
            connection.close()


def test_tls_begins_right_behind_the_header(database: Database, tmp_path: Path) -> None:
    files = Files(tmp_path / "tls")
    certificate = Certificate(files.cert, files.key)
    listeners = [SMTPS, SMTP]
    desk_mailbox(database)
    with (
        running_smtp(database, proxies=HERE, certificate=certificate, listeners=listeners) as server,
        Dialogue(server.port, first=header("203.0.113.9"), tls=files.trust) as client,
    ):
        client.begin()
        client.send(PLAIN + b".\r\n")
        assert client.answer().startswith("250 ")
    assert len(stored(database)) == 1
