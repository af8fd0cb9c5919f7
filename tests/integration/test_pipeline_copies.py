"""Mail that came before, our own mail come back, and mail to deleted tickets, on both databases."""

from __future__ import annotations

from datetime import datetime

import pytest

from intake.examine import decision
from intake.parsing.message import parse
from shared import tickets
from shared.addresses import address_key
from shared.database import Database
from shared.models import (
    Article,
    Delivery,
    EventKind,
    InboundMessage,
    InboundState,
    Role,
    Ticket,
    TicketTombstone,
    User,
)
from shared.tokens import Tokens
from tests.mailroom import ANNA, DESK, SALES, Mailroom, mail
from tests.visitors import Visitor


@pytest.fixture
def desk(database: Database, tokens: Tokens, now: datetime) -> Mailroom:
    return Mailroom(database, tokens, now)


def states(desk: Mailroom) -> list[InboundState]:
    return [row.state for row in desk.every(InboundMessage)]


# ------------------------------------------------------------------ the same mail twice


def test_the_same_mail_twice_is_one_article(desk: Mailroom) -> None:
    content = mail()
    first, second = desk.take(content), desk.take(content)

    assert (second.state, second.action) == (InboundState.DISCARDED, "discard")
    assert str(first.id) in (second.reason or "")
    assert (len(desk.every(Article)), len(desk.every(Delivery))) == (1, 1)


def test_the_same_mail_twice_within_one_batch_is_one_article(desk: Mailroom) -> None:
    content = mail()
    desk.put(content, content, content)
    desk.work()

    assert states(desk) == [InboundState.PROCESSED, InboundState.DISCARDED, InboundState.DISCARDED]
    assert (len(desk.every(Article)), len(desk.every(Delivery))) == (1, 1)


@pytest.mark.parametrize("together", [True, False], ids=["in one batch", "one after the other"])
def test_another_mail_with_the_same_message_id_is_kept_and_says_so(desk: Mailroom, together: bool) -> None:
    contents = [mail(text, message_id="1@brightmill.example") for text in ("Please come.", "Something else.")]
    for part in [contents] if together else [[content] for content in contents]:
        desk.put(*part)
        desk.work()

    first, second = desk.every(InboundMessage)
    assert (states(desk), len(desk.every(Article))) == ([InboundState.PROCESSED] * 2, 2)
    assert first.clues == []
    assert [(clue["kind"], clue["value"]) for clue in second.clues] == [("same_message_id", "1@brightmill.example")]
    assert f"Mail {first.id} has the same Message-ID but other content" in second.clues[0]["note"]


def test_its_page_and_explain_say_that_another_mail_has_its_message_id(
    desk: Mailroom, portal: Visitor, agent: User
) -> None:
    first = desk.take(mail())
    other = mail("Something else.", message_id=first.message_id)
    with desk.database.reading() as session:
        told = decision(session, parse(other, own_addresses=frozenset({DESK})), DESK, desk.tokens)
    page = portal.sign_in(agent).get(f"/mail/{desk.take(other).id}").text

    said = f"Mail {first.id} has the same Message-ID but other content, so this is no copy of it: both are kept."
    clue = {"kind": "same_message_id", "value": first.message_id, "ticket": None, "used": False, "note": said}
    assert told["clues"] == [clue]
    assert "Message-ID of another mail" in page
    assert said in page


def test_a_copy_is_no_other_mail_with_the_same_message_id(desk: Mailroom) -> None:
    content = mail()
    first, copy = desk.take(content), desk.take(content)
    other = desk.take(mail("Something else.", message_id=first.message_id))
    assert (first.clues, copy.clues) == ([], [])
    assert f"Mail {first.id} has the same Message-ID" in other.clues[0]["note"]


@pytest.mark.parametrize("together", [True, False], ids=["in one batch", "one after the other"])
def test_the_same_mail_to_two_mailboxes_is_one_ticket_that_names_the_second(desk: Mailroom, together: bool) -> None:
    content = mail(to=f"{DESK}, {SALES}")
    desk.put(content)
    if not together:
        desk.work()
    desk.put(content, mailbox=SALES)
    desk.work()

    assert states(desk) == [InboundState.PROCESSED, InboundState.DISCARDED]
    assert (len(desk.every(Article)), len(desk.every(Delivery))) == (1, 1)
    assert [event.detail for event in desk.events(1, EventKind.ALSO_AT)] == [{"mailbox": SALES}]


def test_other_trace_headers_make_no_other_mail(desk: Mailroom) -> None:
    content = mail()
    desk.take(content)
    again = b"Received: from mx.example by desk.example; Sat, 21 Nov 2026 08:31:00 +0000\r\n" + content
    row = desk.take(again.replace(b"\r\n", b"\n"))

    assert row.state is InboundState.DISCARDED


def test_other_words_under_the_same_message_id_are_kept(desk: Mailroom) -> None:
    desk.take(mail("One", message_id="same@brightmill.example"))
    desk.take(mail("Two", message_id="same@brightmill.example"))

    assert [article.reply_text for article in desk.every(Article)] == ["One", "Two"]


# ------------------------------------------------------------------ our own mail


def test_our_own_mail_come_back_is_discarded(desk: Mailroom) -> None:
    desk.take(mail())
    row = desk.take(mail(sender=DESK, to=ANNA, message_id=desk.acknowledgement(1).message_id))

    assert row.state is InboundState.DISCARDED
    assert len(desk.every(Article)) == 1


def test_mail_with_our_loop_mark_is_discarded(desk: Mailroom) -> None:
    mark = desk.tokens.loop_mark(address_key(DESK))
    row = desk.take(mail(sender=DESK, headers={"X-Letterdesk-Loop": mark}))

    assert row.state is InboundState.DISCARDED


# ------------------------------------------------------------------ deleted tickets


def test_mail_to_a_deleted_ticket_opens_a_new_one_and_no_number_is_used_again(desk: Mailroom) -> None:
    desk.take(mail())
    known, address = desk.acknowledgement(1).message_id, desk.plus_address(1, ANNA)
    admin = desk.person("jonas@desk.example", Role.ADMIN)
    with desk.database.transaction() as session:
        tickets.delete(session, session.get_one(Ticket, 1), actor=admin, now=desk.clock())
    row = desk.take(mail("Again", subject="Re: [#1] Fire", answers=[known]), to=address)

    assert (row.action, row.ticket_number) == ("open_ticket", 2)
    assert [tombstone.id for tombstone in desk.every(TicketTombstone)] == [1]


def test_an_answer_to_what_followed_a_deleted_ticket_finds_it(desk: Mailroom) -> None:
    desk.take(mail(message_id="one@brightmill.example"))
    admin = desk.person("jonas@desk.example", Role.ADMIN)
    with desk.database.transaction() as session:
        tickets.delete(session, session.get_one(Ticket, 1), actor=admin, now=desk.clock())
    desk.take(mail("Two", message_id="two@brightmill.example", answers=["one@brightmill.example"]))
    row = desk.take(mail("Three", answers=["one@brightmill.example", "two@brightmill.example"]))

    assert (row.action, row.ticket_number) == ("append_article", 2)
