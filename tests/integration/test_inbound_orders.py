"""What people decide about mail that waits for one, and what the worker makes of it, on both databases."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

import pytest

from shared import inbound, tickets
from shared.database import Database
from shared.models import (
    Article,
    Delivery,
    EventKind,
    InboundMessage,
    InboundState,
    Role,
    Status,
    Ticket,
    User,
)
from shared.tokens import Tokens
from tests.mailroom import ANNA, EVE, Mailroom, mail

MIRA = "mira@desk.example"


@pytest.fixture
def desk(database: Database, tokens: Tokens, now: datetime) -> Mailroom:
    return Mailroom(database, tokens, now)


def held(desk: Mailroom) -> int:
    """The ledger's number of a stranger's mail that names Anna's ticket 1."""
    desk.take(mail())
    row = desk.take(mail("Me too", sender=EVE, subject="Re: [#1] Fire"), envelope_from=EVE)
    assert row.state is InboundState.HELD
    return row.id


Order = Callable[..., None]


def order(desk: Mailroom, what: Order, number: int, *words: int, by: str = MIRA, role: Role = Role.AGENT) -> None:
    """Let a person decide, and the worker carry it out."""
    who = desk.person(by, role)
    with desk.database.transaction() as session:
        actor = session.get_one(User, who.id)
        what(session, session.get_one(InboundMessage, number), *words, actor=actor, now=desk.clock())
    desk.work()


def test_held_mail_joins_when_an_agent_agrees_and_its_sender_stays_a_stranger(desk: Mailroom) -> None:
    number = held(desk)
    order(desk, inbound.join, number, 1)

    row = desk.row(number)
    assert (row.state, row.action, row.ticket_number) == (InboundState.PROCESSED, "append_article", 1)
    assert desk.articles(1)[-1].stranger
    assert desk.participants(1) == {ANNA}
    assert [event.detail for event in desk.events(1, EventKind.JOINED)] == [{"inbound": number}]


def test_held_mail_that_joins_opens_a_resolved_ticket_again(desk: Mailroom) -> None:
    number = held(desk)
    admin = desk.person("jonas@desk.example", Role.ADMIN)
    with desk.database.transaction() as session:
        ticket = session.get_one(Ticket, 1)
        tickets.set_status(session, ticket, Status.RESOLVED, actor=admin, now=desk.clock(), tokens=desk.tokens)
    order(desk, inbound.join, number, 1)

    assert desk.ticket(1).status is Status.OPEN


def test_held_mail_becomes_a_ticket_of_its_own_and_is_acknowledged(desk: Mailroom) -> None:
    number = held(desk)
    order(desk, inbound.make_ticket, number)

    assert (desk.row(number).action, desk.row(number).ticket_number) == ("open_ticket", 2)
    assert desk.acknowledgement(2).recipient == EVE


def test_a_ticket_that_is_deleted_before_the_order_is_carried_out_gives_a_new_one(desk: Mailroom) -> None:
    number = held(desk)
    admin = desk.person("jonas@desk.example", Role.ADMIN)
    with desk.database.transaction() as session:
        inbound.join(session, session.get_one(InboundMessage, number), 1, actor=admin, now=desk.clock())
    with desk.database.transaction() as session:
        tickets.delete(session, session.get_one(Ticket, 1), actor=admin, now=desk.clock())
    desk.work()

    assert (desk.row(number).state, desk.row(number).ticket_number) == (InboundState.PROCESSED, 2)


def test_discarded_mail_makes_nothing_and_can_come_back(desk: Mailroom) -> None:
    number = held(desk)
    order(desk, inbound.discard, number)
    row = desk.row(number)
    assert (row.state, row.action) == (InboundState.DISCARDED, "discard")
    assert MIRA in (row.reason or "")
    assert len(desk.every(Article)) == 1

    order(desk, inbound.make_ticket, number)
    assert desk.row(number).state is InboundState.PROCESSED
    assert len(desk.every(Article)) == 2


def test_mail_that_is_processed_again_goes_by_the_rules_and_doubles_nothing(desk: Mailroom) -> None:
    number = held(desk)
    order(desk, inbound.again, number)

    assert desk.row(number).state is InboundState.HELD
    assert (len(desk.every(Article)), len(desk.every(Delivery))) == (1, 1)


def test_mail_that_was_held_for_too_long_opens_a_ticket_of_its_own(desk: Mailroom) -> None:
    number = held(desk)
    desk.clock.advance(hours=23)
    assert forgotten(desk) == 0
    desk.clock.advance(hours=2)
    assert forgotten(desk) == 1
    desk.work()

    row = desk.row(number)
    assert (row.state, row.action, row.ticket_number) == (InboundState.PROCESSED, "open_ticket", 2)
    assert row.reason == "Nobody decided about it in time."
    assert forgotten(desk) == 0


def test_mail_that_was_held_by_a_clock_that_ran_ahead_is_not_forgotten(desk: Mailroom) -> None:
    desk.clock.advance(days=30)
    held(desk)
    desk.clock.advance(days=-30)

    assert forgotten(desk) == 1


def forgotten(desk: Mailroom) -> int:
    with desk.database.transaction() as session:
        return inbound.open_forgotten(session, desk.clock() - timedelta(hours=24), desk.clock())


def test_nobody_decides_twice_about_one_mail(desk: Mailroom) -> None:
    number = held(desk)
    order(desk, inbound.make_ticket, number)

    for what, words in ((inbound.discard, ()), (inbound.make_ticket, ()), (inbound.join, (1,))):
        with pytest.raises(inbound.InboundError, match="has been processed meanwhile"):
            order(desk, what, number, *words)
    assert len(desk.every(Article)) == 2


def test_who_is_no_agent_decides_nothing(desk: Mailroom) -> None:
    number = held(desk)
    with pytest.raises(inbound.InboundError, match="Only agents"):
        order(desk, inbound.make_ticket, number, by=EVE, role=Role.REQUESTER)
    assert desk.row(number).state is InboundState.HELD


def test_mail_cannot_join_a_ticket_that_is_not_there(desk: Mailroom) -> None:
    number = held(desk)
    with pytest.raises(inbound.InboundError, match="no ticket 99"):
        order(desk, inbound.join, number, 99)
    assert desk.row(number).state is InboundState.HELD
