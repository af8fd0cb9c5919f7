"""How many connections and mails one client may have: by its address, in a minute that slides, in bounded memory."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from intake.receiving.clients import REMEMBERED, Clients


@dataclass
class Clock:
    now: float = 1000.0

    def __call__(self) -> float:
        return self.now


def test_a_client_has_its_share_of_connections_and_no_more() -> None:
    clients = Clients(connections=2, mails=0)
    assert [clients.enter("192.0.2.1") for _ in range(3)] == [True, True, False]
    assert clients.enter("192.0.2.2")
    clients.leave("192.0.2.1")
    assert [clients.enter("192.0.2.1") for _ in range(2)] == [True, False]


@pytest.mark.parametrize("address", ["127.0.0.1", "127.8.8.8", "::1", "::ffff:127.0.0.1", ""])
def test_clients_on_this_machine_are_never_limited(address: str) -> None:
    clients = Clients(connections=1, mails=1)
    assert all(clients.enter(address) for _ in range(5))
    assert all(clients.may_send(address) for _ in range(5))


def test_a_client_sends_so_many_mails_a_minute() -> None:
    clock = Clock()
    clients = Clients(connections=1, mails=3, clock=clock)
    assert [clients.may_send("192.0.2.1") for _ in range(4)] == [True, True, True, False]
    assert clients.may_send("192.0.2.2")


def test_the_minute_slides() -> None:
    clock = Clock()
    clients = Clients(connections=1, mails=4, clock=clock)
    assert all(clients.may_send("192.0.2.1") for _ in range(4))
    clock.now += 60
    assert not clients.may_send("192.0.2.1")
    clock.now += 30
    assert [clients.may_send("192.0.2.1") for _ in range(3)] == [True, True, False]
    clock.now += 200
    assert [clients.may_send("192.0.2.1") for _ in range(5)] == [True, True, True, True, False]


def test_what_was_refused_does_not_count() -> None:
    clock = Clock()
    clients = Clients(connections=1, mails=2, clock=clock)
    for _ in range(100):
        clients.may_send("192.0.2.1")
    clock.now += 90
    assert clients.may_send("192.0.2.1")


def test_an_ipv6_client_is_its_network() -> None:
    clients = Clients(connections=1, mails=1)
    assert clients.enter("2001:db8::1")
    assert not clients.enter("2001:db8::2")
    assert clients.enter("2001:db8:0:1::1")
    assert clients.may_send("fe80::1%eth0")
    assert not clients.may_send("fe80::2")


def test_an_ipv4_client_of_an_ipv6_socket_is_an_ipv4_client() -> None:
    clients = Clients(connections=1, mails=0)
    assert clients.enter("::ffff:192.0.2.1")
    assert not clients.enter("192.0.2.1")
    assert clients.enter("::ffff:192.0.2.2")


def test_no_limit_is_no_limit() -> None:
    clients = Clients(connections=1, mails=0)
    assert all(clients.may_send("192.0.2.1") for _ in range(5000))


def test_more_clients_than_are_remembered_refuse_nobody() -> None:
    clients = Clients(connections=1, mails=1)
    first = [f"10.{n >> 16}.{n >> 8 & 255}.{n & 255}" for n in range(REMEMBERED + 10)]
    assert all(clients.may_send(address) for address in first)
    assert not clients.may_send(first[0])
    assert clients.may_send(first[-1])
