"""What is queued to be sent, and what the caps suppress, on both databases."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from shared import tickets
from shared.caps import DEFAULT_CAPS
from shared.database import Database
from shared.models import Article, Delivery, DeliveryCause, EventKind, InboundState, Role, Status, Ticket
from shared.tokens import Tokens
from tests.mailroom import ANNA, BOB, DESK, EVE, Mailroom, mail


@pytest.fixture
def desk(database: Database, tokens: Tokens, now: datetime) -> Mailroom:
    return Mailroom(database, tokens, now)


def test_a_reached_cap_suppresses_acknowledgements_says_so_on_the_ticket_and_resets_itself(desk: Mailroom) -> None:
    most = DEFAULT_CAPS.address_hour
    desk.put(*(mail(subject=f"Matter {n}") for n in range(most + 2)))
    desk.work()

    assert len(desk.every(Article)) == most + 2
    assert [delivery.ticket_id for delivery in desk.every(Delivery)] == list(range(1, most + 1))
    for number in (most + 1, most + 2):
        (event,) = desk.events(number, EventKind.CAPPED)
        until = datetime.fromisoformat(event.detail.pop("until"))
        assert until == desk.clock() + timedelta(hours=1)
        assert event.detail == {
            "suppressed": "acknowledgement",
            "cap": f"to {ANNA}",
            "within": "an hour",
            "most": most,
        }

    desk.clock.advance(hours=1, minutes=1)
    assert desk.take(mail(subject="Later")).state is InboundState.PROCESSED
    assert len(desk.every(Delivery)) == most + 1


def test_a_cap_for_one_address_leaves_the_others_alone(desk: Mailroom) -> None:
    desk.put(*(mail(subject=f"Matter {n}") for n in range(DEFAULT_CAPS.address_hour + 1)))
    desk.put(mail(sender=EVE), envelope_from=EVE)
    desk.work()

    assert desk.every(Delivery)[-1].recipient == EVE


def test_a_reply_goes_to_the_requester_and_the_copied_under_one_message_id_and_no_cap_stops_it(desk: Mailroom) -> None:
    desk.put(*(mail(subject=f"Matter {n}", to=f"{DESK}, {BOB}") for n in range(DEFAULT_CAPS.address_hour + 1)))
    desk.work()
    agent = desk.person("mira@desk.example", Role.AGENT)
    capped = DEFAULT_CAPS.address_hour + 1
    with desk.database.transaction() as session:
        ticket = session.get_one(Ticket, capped)
        tickets.reply(session, ticket, author=agent, text="We come.", now=desk.clock(), tokens=desk.tokens)

    copies = [delivery for delivery in desk.every(Delivery) if delivery.cause is DeliveryCause.REPLY]
    assert [copy.recipient for copy in copies] == [ANNA, BOB]
    assert {copy.message_id for copy in copies} == {desk.articles(capped)[-1].message_id}
    assert desk.tokens.ticket_of_message_id(copies[0].message_id) == capped


def test_a_single_reply_to_of_the_requester_is_where_the_reply_goes(desk: Mailroom) -> None:
    desk.take(mail(headers={"Reply-To": "anna.home@elsewhere.example"}))
    agent = desk.person("mira@desk.example", Role.AGENT)
    with desk.database.transaction() as session:
        ticket = session.get_one(Ticket, 1)
        tickets.reply(session, ticket, author=agent, text="We come.", now=desk.clock(), tokens=desk.tokens)

    assert desk.every(Delivery)[-1].recipient == "anna.home@elsewhere.example"


def test_what_is_rolled_back_queues_nothing(desk: Mailroom) -> None:
    desk.take(mail())
    admin = desk.person("jonas@desk.example", Role.ADMIN)

    def fail_late() -> None:
        with desk.database.transaction() as session:
            ticket = session.get_one(Ticket, 1)
            tickets.set_status(session, ticket, Status.RESOLVED, actor=admin, now=desk.clock(), tokens=desk.tokens)
            raise RuntimeError("the page failed")

    with pytest.raises(RuntimeError):
        fail_late()
    assert desk.ticket(1).status is Status.NEW
    assert [delivery.cause for delivery in desk.every(Delivery)] == [DeliveryCause.ACKNOWLEDGEMENT]
