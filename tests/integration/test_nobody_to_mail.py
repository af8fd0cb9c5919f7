"""A mail without a sender opens a ticket whose requester no mail reaches."""

from __future__ import annotations

from datetime import datetime

import pytest

from shared import accounts, tickets
from shared.database import Database
from shared.models import Delivery, Role, Status, Ticket, User
from shared.tokens import Tokens
from tests.mailroom import Mailroom, mail


@pytest.fixture
def room(database: Database, tokens: Tokens, now: datetime) -> Mailroom:
    room = Mailroom(database, tokens, now)
    room.take(mail(sender=None), envelope_from="")
    return room


@pytest.fixture
def jonas(room: Mailroom) -> User:
    with room.database.transaction() as session:
        details = accounts.Details(email="jonas@desk.example", role=Role.ADMIN, password_hash="none")
        return accounts.create(session, details, now=room.clock())


def test_a_status_is_mailed_to_nobody(room: Mailroom, jonas: User, tokens: Tokens) -> None:
    with room.database.transaction() as session:
        ticket = session.get_one(Ticket, 1)
        told = tickets.set_status(session, ticket, Status.PENDING, actor=jonas, now=room.clock(), tokens=tokens)
    assert (told, room.ticket(1).status, room.every(Delivery)) == (False, Status.PENDING, [])


def test_a_reply_is_refused_with_a_reason(room: Mailroom, jonas: User, tokens: Tokens) -> None:
    refused = pytest.raises(tickets.TicketError, match="no mail reaches the requester")
    with refused, room.database.transaction() as session:
        ticket = session.get_one(Ticket, 1)
        tickets.reply(session, ticket, author=jonas, text="Who are you?", now=room.clock(), tokens=tokens)
    assert room.every(Delivery) == []
