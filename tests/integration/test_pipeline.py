"""A stored mail becomes a ticket or joins one, on both databases."""

from __future__ import annotations

from datetime import datetime

import pytest

from shared import ticket_properties, tickets
from shared.database import Database
from shared.models import (
    Delivery,
    DeliveryCause,
    EventKind,
    InboundState,
    Participant,
    ParticipantRole,
    Role,
    Status,
    Ticket,
    User,
)
from shared.tokens import Tokens
from tests.mailroom import ANNA, BOB, DESK, EVE, Mailroom, mail


@pytest.fixture
def desk(database: Database, tokens: Tokens, now: datetime) -> Mailroom:
    return Mailroom(database, tokens, now)


def set_status(desk: Mailroom, number: int, status: Status) -> None:
    admin = desk.person("jonas@desk.example", Role.ADMIN)
    with desk.database.transaction() as session:
        ticket = session.get_one(Ticket, number)
        tickets.set_status(session, ticket, status, actor=admin, now=desk.clock(), tokens=desk.tokens)


def remove(desk: Mailroom, number: int, address: str) -> None:
    admin, gone = desk.person("jonas@desk.example", Role.ADMIN), desk.person(address)
    with desk.database.transaction() as session:
        ticket = session.get_one(Ticket, number)
        ticket_properties.remove_participant(session, ticket, gone, actor=admin, now=desk.clock())


# ------------------------------------------------------------------ a first mail


def test_a_mail_becomes_a_ticket_with_its_sender_its_people_and_an_acknowledgement(desk: Mailroom) -> None:
    row = desk.take(mail(sender=f"Anna Kowalczyk <{ANNA}>", to=f"{DESK}, Bob <{BOB}>"))

    assert (row.state, row.action, row.ticket_number) == (InboundState.PROCESSED, "open_ticket", 1)
    assert (row.from_address, row.from_name, row.subject, row.kind) == (
        ANNA,
        "Anna Kowalczyk",
        "The printer is on fire",
        "normal",
    )
    ticket = desk.ticket(1)
    assert (ticket.subject, ticket.status) == ("The printer is on fire", Status.NEW)
    roles = {p.user_id: p.role for p in desk.every(Participant)}
    users = {user.email: user for user in desk.every(User)}
    assert roles == {users[ANNA].id: ParticipantRole.REQUESTER, users[BOB].id: ParticipantRole.CC}
    assert (users[ANNA].name, users[ANNA].role, users[BOB].name) == ("Anna Kowalczyk", Role.REQUESTER, "Bob")
    (article,) = desk.articles(1)
    assert (article.inbound_id, article.reply_text, article.stranger) == (row.id, "Please come.", False)
    delivery = desk.acknowledgement(1)
    assert (delivery.cause, delivery.recipient) == (DeliveryCause.ACKNOWLEDGEMENT, ANNA)


def test_a_sender_is_known_again_whatever_the_letter_case(desk: Mailroom) -> None:
    desk.take(mail())
    desk.take(mail(sender="Anna@BrightMill.Example", subject="Another thing"))

    assert [user.email for user in desk.every(User)] == [ANNA]
    assert desk.ticket(2).requester_id == desk.ticket(1).requester_id


def test_people_of_one_batch_are_made_once_and_tickets_are_numbered_in_order(desk: Mailroom) -> None:
    desk.put(*(mail(subject=f"Matter {n}", to=f"{DESK}, {BOB}") for n in range(1, 6)))
    desk.work()

    assert [(t.id, t.subject) for t in desk.every(Ticket)] == [(n, f"Matter {n}") for n in range(1, 6)]
    assert sorted(user.email for user in desk.every(User)) == [ANNA, BOB]


def test_quiet_mail_becomes_a_ticket_and_causes_no_mail(desk: Mailroom) -> None:
    desk.put(mail(), quiet=True)
    desk.work()

    assert len(desk.every(Ticket)) == 1
    assert desk.every(Delivery) == []


def test_automatic_mail_opens_a_ticket_and_is_never_acknowledged(desk: Mailroom) -> None:
    row = desk.take(mail("Disk full", headers={"Auto-Submitted": "auto-generated"}))

    assert (row.action, row.kind) == ("open_ticket", "auto_generated")
    assert desk.articles(1)[0].automatic
    assert desk.every(Delivery) == []


def test_mail_without_a_sender_opens_a_ticket_that_nobody_is_mailed_about(desk: Mailroom) -> None:
    row = desk.take(mail(sender=None), envelope_from="")

    assert (row.state, row.action) == (InboundState.PROCESSED, "open_ticket")
    assert desk.every(Delivery) == []


ODD = {
    "a NUL in subject and text": mail("A NUL \0 in the text", subject="NUL \0 here"),
    "half a surrogate pair in encoded words": mail(subject="=?utf-16-be?b?2D3YAA==?= and =?utf-8?q?=ED=A0=BD?="),
    "NULs in the sender and the Message-ID": mail(
        sender='"\0 Anna" <anna@brightmill.example>', message_id="a\0b@brightmill.example"
    ),
    "half a surrogate pair in the text": mail("+2D0- half", headers={"Content-Type": "text/plain; charset=utf-7"}),
    "bytes that are no UTF-8": mail().replace(b"fire", b"f\x00\xed\xa0\xbd\xff"),
    "odd references": mail(answers=["one\0@x.example"]).replace(b"<one", b"<one\xed\xa0\xbd"),
    "only NULs": b"\0" * 50,
    "nothing": b"",
}


@pytest.mark.parametrize("content", ODD.values(), ids=ODD)
def test_what_no_database_stores_does_not_stop_a_mail(desk: Mailroom, content: bytes) -> None:
    row = desk.take(content)

    assert (row.state, row.last_error) == (InboundState.PROCESSED, None)
    assert len(desk.articles(1)) == 1


# ------------------------------------------------------------------ answers


def test_an_answer_to_the_signed_address_joins(desk: Mailroom) -> None:
    desk.take(mail())
    row = desk.take(mail("More", subject="Something else"), to=desk.plus_address(1, ANNA))

    assert (row.action, row.ticket_number) == ("append_article", 1)
    assert [clue["kind"] for clue in row.clues if clue["used"]] == ["signed_address"]
    assert [article.reply_text for article in desk.articles(1)] == ["Please come.", "More"]


def test_an_answer_to_the_acknowledgement_joins(desk: Mailroom) -> None:
    desk.take(mail())
    row = desk.take(mail("More", answers=[desk.acknowledgement(1).message_id], subject="Re: something"))

    assert (row.action, row.ticket_number) == ("append_article", 1)
    assert [clue["kind"] for clue in row.clues if clue["used"]] == ["signed_message_id"]
    assert len(desk.every(Delivery)) == 1


def test_an_answer_to_any_message_of_the_ticket_joins(desk: Mailroom) -> None:
    desk.take(mail(message_id="one@brightmill.example", to=f"{DESK}, {BOB}"))
    row = desk.take(mail("Me too", sender=BOB, answers=["one@brightmill.example"]))

    assert (row.action, row.ticket_number) == ("append_article", 1)


def test_two_answers_to_one_mail_that_never_came_here_meet(desk: Mailroom) -> None:
    desk.take(mail(answers=["unseen@brightmill.example"]))
    row = desk.take(mail("More", answers=["unseen@brightmill.example", "unseen2@brightmill.example"]))

    assert (row.action, row.ticket_number) == ("append_article", 1)


def test_the_subject_tag_joins_the_mail_of_a_participant(desk: Mailroom) -> None:
    desk.take(mail())
    row = desk.take(mail("More", subject="Re: [#1] The printer is on fire"))

    assert (row.action, row.ticket_number) == ("append_article", 1)


def test_an_answer_that_overtakes_its_parent_ends_up_in_one_ticket_with_it(desk: Mailroom) -> None:
    desk.take(mail("Second", answers=["parent@brightmill.example"]))
    row = desk.take(mail("First", message_id="parent@brightmill.example"))

    assert (row.action, row.ticket_number) == ("append_article", 1)
    assert len(desk.every(Ticket)) == 1


def test_an_answer_and_its_parent_meet_within_one_batch_in_either_order(desk: Mailroom) -> None:
    for name, first in (("a", True), ("b", False)):
        parent, child = mail(message_id=f"{name}@brightmill.example"), mail(answers=[f"{name}@brightmill.example"])
        desk.put(*((parent, child) if first else (child, parent)))
    desk.work()

    assert [len(desk.articles(ticket.id)) for ticket in desk.every(Ticket)] == [2, 2]


# ------------------------------------------------------------------ who may join


def test_a_stranger_with_only_the_subject_tag_is_held(desk: Mailroom) -> None:
    desk.take(mail())
    row = desk.take(mail(sender=EVE, subject="Re: [#1] Tell me all"), envelope_from=EVE)

    assert (row.state, row.action, row.ticket_number) == (InboundState.HELD, "hold", 1)
    assert row.reason
    assert len(desk.articles(1)) == 1
    assert len(desk.every(Delivery)) == 1


def test_a_stranger_with_a_valid_token_joins_as_a_stranger_and_is_on_no_list(desk: Mailroom) -> None:
    desk.take(mail())
    sent = len(desk.every(Delivery))
    row = desk.take(mail("Hello", sender=EVE), to=desk.plus_address(1, ANNA), envelope_from=EVE)

    assert (row.action, row.ticket_number) == ("append_article", 1)
    assert desk.articles(1)[-1].stranger
    assert desk.participants(1) == {ANNA}
    assert len(desk.every(Delivery)) == sent


def test_whom_a_stranger_copies_in_is_on_no_list_either(desk: Mailroom) -> None:
    desk.take(mail())
    desk.take(mail("Hello", sender=EVE, to=f"{DESK}, {BOB}"), to=desk.plus_address(1, ANNA), envelope_from=EVE)

    assert desk.participants(1) == {ANNA}


def test_a_forged_token_is_no_clue(desk: Mailroom) -> None:
    desk.take(mail())
    row = desk.take(mail("Hello", sender=EVE), to="support+1-aaaaaaaaaaaaaaaa@desk.example")

    assert (row.action, row.ticket_number) == ("open_ticket", 2)


def test_mail_of_a_removed_participant_is_held_and_their_token_is_worth_nothing(desk: Mailroom) -> None:
    desk.take(mail(to=f"{DESK}, {BOB}"))
    remove(desk, 1, BOB)
    known = desk.acknowledgement(1).message_id

    assert desk.take(mail("Still me", sender=BOB, answers=[known])).state is InboundState.HELD
    by_token = desk.take(mail("And me", sender=BOB, answers=[known]), to=desk.plus_address(1, BOB))
    assert by_token.state is InboundState.HELD
    assert len(desk.articles(1)) == 1


def test_a_removed_participant_is_not_copied_in_again_by_the_requester(desk: Mailroom) -> None:
    desk.take(mail(to=f"{DESK}, {BOB}"))
    remove(desk, 1, BOB)
    desk.take(mail("More", to=f"{DESK}, {BOB}"), to=desk.plus_address(1, ANNA))

    assert desk.participants(1) == {ANNA}


def test_mail_from_an_agents_address_about_somebody_elses_ticket_is_held_even_with_a_token(desk: Mailroom) -> None:
    desk.person("mira@desk.example", Role.AGENT)
    desk.take(mail())
    row = desk.take(mail("Close it", sender="mira@desk.example"), to=desk.plus_address(1, ANNA))

    assert (row.state, row.ticket_number) == (InboundState.HELD, 1)


def test_an_agents_address_opens_a_ticket_and_answers_it_like_anybody(desk: Mailroom) -> None:
    desk.person("mira@desk.example", Role.AGENT)
    first = desk.take(mail("A try", sender="mira@desk.example"))
    second = desk.take(mail("More", sender="mira@desk.example", answers=[desk.acknowledgement(1).message_id]))

    assert [(row.action, row.ticket_number) for row in (first, second)] == [("open_ticket", 1), ("append_article", 1)]


# ------------------------------------------------------------------ what an answer does to the status


@pytest.mark.parametrize("status", [Status.RESOLVED, Status.PENDING])
def test_an_answer_opens_a_ticket_again(desk: Mailroom, status: Status) -> None:
    desk.take(mail())
    set_status(desk, 1, status)
    desk.take(mail("It burns again"), to=desk.plus_address(1, ANNA))

    ticket = desk.ticket(1)
    assert (ticket.status, ticket.awaits_reply, ticket.resolved_at) == (Status.OPEN, True, None)
    assert [event.detail["new"] for event in desk.events(1, EventKind.STATUS)] == [status.value, "open"]


def test_automatic_mail_joins_its_ticket_without_opening_it_again(desk: Mailroom) -> None:
    desk.take(mail())
    known = desk.acknowledgement(1).message_id
    set_status(desk, 1, Status.RESOLVED)
    sent = len(desk.every(Delivery))
    row = desk.take(mail("I am away", answers=[known], headers={"Auto-Submitted": "auto-replied"}))

    assert (row.action, row.ticket_number, row.kind) == ("append_article", 1, "auto_reply")
    assert desk.ticket(1).status is Status.RESOLVED
    assert desk.articles(1)[-1].automatic
    assert len(desk.every(Delivery)) == sent


def test_an_answer_to_a_closed_ticket_opens_one_that_follows_it_linked_both_ways(desk: Mailroom) -> None:
    desk.take(mail())
    set_status(desk, 1, Status.CLOSED)
    row = desk.take(mail("It burns again"), to=desk.plus_address(1, ANNA))

    assert (row.action, row.ticket_number) == ("open_ticket", 2)
    assert desk.ticket(1).status is Status.CLOSED
    assert desk.ticket(2).follows_id == 1
    assert [event.detail for event in desk.events(1, EventKind.FOLLOWED)] == [{"number": 2}]
