"""Mail that came before, our own mail come back, and reports about what we sent, on both databases."""

from __future__ import annotations

from datetime import datetime

import pytest

from shared import tickets
from shared.addresses import address_key
from shared.database import Database
from shared.models import (
    Article,
    Delivery,
    DeliveryState,
    EventKind,
    InboundMessage,
    InboundState,
    Role,
    Ticket,
    TicketTombstone,
)
from shared.tokens import Tokens
from tests.mailroom import ANNA, BOB, DESK, SALES, Mailroom, mail, report


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


# ------------------------------------------------------------------ bounces


def answered(desk: Mailroom) -> list[Delivery]:
    """A ticket of Anna's, Bob in copy, that was answered to both: [acknowledgement, to Anna, to Bob]."""
    desk.take(mail(to=f"{DESK}, {BOB}"))
    admin = desk.person("jonas@desk.example", Role.ADMIN)
    with desk.database.transaction() as session:
        ticket = session.get_one(Ticket, 1)
        tickets.reply(session, ticket, author=admin, text="We come.", now=desk.clock(), tokens=desk.tokens)
        for delivery in session.query(Delivery):
            delivery.state = DeliveryState.SENT
    return desk.every(Delivery)


def bounced(desk: Mailroom) -> list[str]:
    return [delivery.recipient for delivery in desk.every(Delivery) if delivery.bounced_at is not None]


def test_a_bounce_to_the_signed_envelope_sender_is_recorded_on_that_delivery(desk: Mailroom) -> None:
    to_bob = answered(desk)[-1]
    back = f"support+{desk.tokens.bounce_suffix(to_bob.id)}@desk.example"
    row = desk.take(report("unknown@elsewhere.example", BOB, to=back), to=back, envelope_from="")

    assert (row.state, row.action, row.ticket_number) == (InboundState.PROCESSED, "record_bounce", 1)
    assert bounced(desk) == [BOB]
    failed = desk.every(Delivery)[-1]
    assert failed.state is DeliveryState.FAILED
    assert "unknown user" in (failed.last_error or "")


def test_a_bounce_that_names_our_message_id_is_recorded_on_the_copy_to_that_recipient(desk: Mailroom) -> None:
    to_bob = answered(desk)[-1]
    desk.take(report(to_bob.message_id, BOB.upper()), envelope_from="")

    assert bounced(desk) == [BOB]
    (event,) = desk.events(1, EventKind.BOUNCED)
    assert (event.detail["recipient"], event.detail["status"], event.detail["action"]) == (BOB, "5.1.1", "failed")


def test_a_bounce_makes_no_article_and_no_mail(desk: Mailroom) -> None:
    sent = answered(desk)
    articles = len(desk.every(Article))
    desk.take(report(sent[-1].message_id, BOB), envelope_from="")

    assert len(desk.every(Delivery)) == len(sent)
    assert len(desk.every(Article)) == articles


def test_a_delay_is_noted_and_fails_nothing(desk: Mailroom) -> None:
    to_bob = answered(desk)[-1]
    desk.take(report(to_bob.message_id, BOB, action="delayed"), envelope_from="")

    assert desk.every(Delivery)[-1].state is DeliveryState.SENT
    assert [event.detail["action"] for event in desk.events(1, EventKind.BOUNCED)] == ["delayed"]


@pytest.mark.parametrize("state", [DeliveryState.QUEUED, DeliveryState.DEFERRED, DeliveryState.SENDING])
def test_a_forged_bounce_of_a_copy_that_still_waits_does_not_keep_it_from_going_out(
    desk: Mailroom, state: DeliveryState
) -> None:
    to_bob = answered(desk)[-1]
    with desk.database.transaction() as session:
        session.get_one(Delivery, to_bob.id).state = state
    desk.take(report(to_bob.message_id, BOB), envelope_from="")

    assert desk.every(Delivery)[-1].state is state
    assert (bounced(desk), desk.events(1, EventKind.BOUNCED)) == ([], [])


def test_a_bounce_of_nothing_that_we_sent_is_kept_and_opens_nothing(desk: Mailroom) -> None:
    row = desk.take(report("unknown@elsewhere.example", BOB), envelope_from="")

    assert (row.state, row.action, row.kind) == (InboundState.PROCESSED, "record_bounce", "bounce")
    assert desk.every(Ticket) == []
    assert desk.every(Delivery) == []


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
