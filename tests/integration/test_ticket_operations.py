"""The operations on tickets: who may do what, and what is written and mailed with it, on both databases."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

import pytest
from sqlalchemy.orm import Session

from shared import ticket_properties, tickets
from shared.database import Database
from shared.models import Article, Delivery, DeliveryCause, EventKind, Priority, Role, Status, Ticket, User
from shared.tokens import Tokens
from tests.mailroom import ANNA, BOB, DESK, EVE, Mailroom, mail

JONAS, MIRA = "jonas@desk.example", "mira@desk.example"

Operation = Callable[[Session, Ticket, User], object]


@pytest.fixture
def desk(database: Database, tokens: Tokens, now: datetime) -> Mailroom:
    """A desk with an administrator, an agent and Anna's ticket 1, Bob in copy."""
    room = Mailroom(database, tokens, now)
    room.person(JONAS, Role.ADMIN)
    room.person(MIRA, Role.AGENT)
    room.take(mail(to=f"{DESK}, {BOB}"))
    return room


def do(desk: Mailroom, operation: Operation, *, by: str = JONAS, number: int = 1) -> None:
    who = next(user.id for user in desk.every(User) if user.email == by)
    with desk.database.transaction() as session:
        operation(session, session.get_one(Ticket, number), session.get_one(User, who))


def status(desk: Mailroom, wanted: Status) -> Operation:
    return lambda session, ticket, who: tickets.set_status(
        session, ticket, wanted, actor=who, now=desk.clock(), tokens=desk.tokens
    )


def reply(desk: Mailroom, then: Status | None = None) -> Operation:
    return lambda session, ticket, who: tickets.reply(
        session, ticket, author=who, text="We come.", now=desk.clock(), tokens=desk.tokens, then=then
    )


def answer(desk: Mailroom) -> Operation:
    return lambda session, ticket, who: tickets.answer(
        session, ticket, author=who, text="Thanks", now=desk.clock(), tokens=desk.tokens
    )


def delete(desk: Mailroom) -> Operation:
    return lambda session, ticket, who: tickets.delete(session, ticket, actor=who, now=desk.clock())


def note(desk: Mailroom) -> Operation:
    return lambda session, ticket, who: tickets.note(session, ticket, author=who, text="Hm", now=desk.clock())


def priority(desk: Mailroom) -> Operation:
    return lambda session, ticket, who: ticket_properties.set_priority(
        session, ticket, Priority.HIGH, actor=who, now=desk.clock()
    )


def test_only_an_administrator_sets_the_status_and_the_requester_is_told(desk: Mailroom) -> None:
    for by in (MIRA, ANNA):
        with pytest.raises(tickets.NotAllowed):
            do(desk, status(desk, Status.RESOLVED), by=by)
    do(desk, status(desk, Status.RESOLVED))
    do(desk, status(desk, Status.RESOLVED))

    notices = [d for d in desk.every(Delivery) if d.cause is DeliveryCause.STATUS]
    assert [(notice.recipient, notice.context["new"]) for notice in notices] == [(ANNA, "resolved")]
    assert [event.detail for event in desk.events(1, EventKind.STATUS)] == [{"old": "new", "new": "resolved"}]


def test_an_agents_reply_makes_a_new_ticket_open_and_sets_no_other_status(desk: Mailroom) -> None:
    with pytest.raises(tickets.NotAllowed):
        do(desk, reply(desk, then=Status.RESOLVED), by=MIRA)
    do(desk, reply(desk), by=MIRA)
    assert (desk.ticket(1).status, desk.ticket(1).awaits_reply) == (Status.OPEN, False)
    do(desk, reply(desk, then=Status.PENDING))
    assert desk.ticket(1).status is Status.PENDING
    assert DeliveryCause.STATUS not in {delivery.cause for delivery in desk.every(Delivery)}


@pytest.mark.parametrize("operation", [reply, note, priority, delete], ids=lambda made: made.__name__)
def test_a_requester_does_nothing_that_is_the_desks(desk: Mailroom, operation: Callable[[Mailroom], Operation]) -> None:
    with pytest.raises(tickets.NotAllowed):
        do(desk, operation(desk), by=ANNA)
    assert (len(desk.every(Article)), len(desk.every(Delivery))) == (1, 1)


def test_a_note_is_never_mailed(desk: Mailroom) -> None:
    do(desk, note(desk), by=MIRA)
    assert (len(desk.every(Article)), len(desk.every(Delivery))) == (2, 1)


def test_only_people_on_the_ticket_answer_it_and_that_opens_it_again(desk: Mailroom) -> None:
    desk.person(EVE)
    with pytest.raises(tickets.NotAllowed):
        do(desk, answer(desk), by=EVE)
    do(desk, status(desk, Status.RESOLVED))
    do(desk, answer(desk), by=BOB)
    assert desk.ticket(1).status is Status.OPEN


def test_an_answer_to_a_closed_ticket_in_the_portal_opens_one_that_follows_it(desk: Mailroom) -> None:
    do(desk, status(desk, Status.CLOSED))
    do(desk, answer(desk), by=ANNA)
    assert (desk.ticket(1).status, desk.ticket(2).follows_id) == (Status.CLOSED, 1)


def test_the_number_of_a_deleted_ticket_is_never_used_again(desk: Mailroom) -> None:
    with pytest.raises(tickets.NotAllowed):
        do(desk, delete(desk), by=MIRA)
    do(desk, delete(desk))
    assert desk.take(mail(subject="Another")).ticket_number == 2


def test_resolved_tickets_close_after_a_quiet_time_and_nobody_is_mailed(desk: Mailroom) -> None:
    do(desk, status(desk, Status.RESOLVED))
    sent = len(desk.every(Delivery))
    closed = []
    for days in (13, 2):
        desk.clock.advance(days=days)
        with desk.database.transaction() as session:
            closed.append(tickets.close_quiet(session, desk.clock() - timedelta(days=14), desk.clock()))
    assert closed == [0, 1]
    assert desk.ticket(1).status is Status.CLOSED
    assert len(desk.every(Delivery)) == sent


def test_a_reply_that_is_sent_twice_at_once_is_mailed_once(desk: Mailroom) -> None:
    before = len(desk.every(Delivery))
    do(desk, reply(desk))
    do(desk, reply(desk))
    once = len(desk.every(Delivery))
    assert once > before
    desk.clock.advance(minutes=2)
    do(desk, reply(desk))
    assert len(desk.every(Delivery)) > once


def test_the_same_words_with_a_file_that_was_forgotten_are_another_reply(desk: Mailroom) -> None:
    do(desk, reply(desk))
    once = len(desk.every(Delivery))
    file = tickets.Upload(filename="plan.txt", content_type="text/plain", content=b"The plan")
    do(
        desk,
        lambda session, ticket, who: tickets.reply(
            session, ticket, author=who, text="We come.", files=[file], now=desk.clock(), tokens=desk.tokens
        ),
    )
    assert len(desk.every(Delivery)) > once


def test_an_answer_to_a_closed_ticket_that_is_sent_twice_opens_one_ticket(desk: Mailroom) -> None:
    do(desk, status(desk, Status.CLOSED))
    for _ in range(2):
        do(desk, answer(desk), by=ANNA)
    assert len(desk.every(Ticket)) == 2
    desk.clock.advance(minutes=2)
    do(desk, answer(desk), by=ANNA)
    assert len(desk.every(Ticket)) == 3
