"""A reply can be taken back until it leaves: then nobody got it, and the ticket stands as before."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from io import BytesIO

import pytest
from flask import Flask
from sqlalchemy import select, update

from shared import undo
from shared.config import Settings
from shared.database import Database
from shared.models import (
    Article,
    ArticleKind,
    Delivery,
    DeliveryState,
    Event,
    EventKind,
    MessageRef,
    Role,
    Status,
    Ticket,
    User,
)
from shared.queue import claim
from tests.visitors import Clock, Visitor

Open = Callable[..., Ticket]
WORDS = "It is on its way."


@pytest.fixture
def ticket(opened: Open, requester: User) -> Ticket:
    return opened(requester, "Invoice was charged twice")


def reply(portal: Visitor, ticket: Ticket, **more: object) -> str:
    """Send a reply; returns the page that follows."""
    form = {"kind": "reply", "text": WORDS, **more}
    return portal.submit(
        f"/tickets/{ticket.id}/answer", form, content_type="multipart/form-data", follow_redirects=True
    ).text


def newest(database: Database) -> Article:
    with database.reading() as session:
        return session.scalars(select(Article).order_by(Article.id.desc()).limit(1)).one()


def press_undo(portal: Visitor, article: Article, **options: object) -> str:
    path = f"/tickets/{article.ticket_id}/articles/{article.id}/undo"
    return portal.submit(path, {}, follow_redirects=True, **options).text


def stands(database: Database, ticket: Ticket) -> Ticket:
    with database.reading() as session:
        return session.get_one(Ticket, ticket.id)


def rows(database: Database, model: type[Delivery] | type[Article] | type[MessageRef]) -> int:
    with database.reading() as session:
        return len(session.execute(select(model)).all())


def test_a_reply_waits_for_the_seconds_of_the_setting(
    portal: Visitor, agent: User, ticket: Ticket, database: Database, clock: Clock
) -> None:
    portal.sign_in(agent)
    page = reply(portal, ticket)
    assert "You can take it back for 5 seconds." in page
    assert "5 seconds to go" in page
    with database.transaction() as session:
        copy = session.scalars(select(Delivery)).one()
        assert copy.due_at == clock() + timedelta(seconds=5)
        taken = claim(
            session, Delivery, [DeliveryState.QUEUED], owner="me", now=clock() + timedelta(seconds=4), limit=9
        )
        assert taken == []


def test_a_reply_that_was_taken_back_leaves_the_ticket_as_it_was(
    portal: Visitor, agent: User, ticket: Ticket, database: Database
) -> None:
    portal.sign_in(agent)
    refs = rows(database, MessageRef)
    reply(portal, ticket)
    assert stands(database, ticket).status is Status.OPEN
    page = press_undo(portal, newest(database))
    assert "Taken back: nobody got it." in page
    assert f">\n{WORDS}</textarea>" in page.replace("\r", "")
    assert newest(database).kind is ArticleKind.MESSAGE
    assert (rows(database, Delivery), rows(database, MessageRef)) == (0, refs)
    after = stands(database, ticket)
    assert (after.status, after.awaits_reply, after.resolved_at) == (Status.NEW, True, None)
    with database.reading() as session:
        event = session.scalars(select(Event).where(Event.kind == EventKind.UNDONE)).one()
    assert (event.actor_id, event.detail) == (agent.id, {"recipients": ["anna@brightmill.example"]})
    assert "was taken back before it left" in portal.get(f"/tickets/{ticket.id}").text


def test_a_reply_that_resolved_is_taken_back_with_what_it_did(
    portal: Visitor, admin: User, ticket: Ticket, database: Database
) -> None:
    portal.sign_in(admin)
    reply(portal, ticket, then="resolved")
    assert stands(database, ticket).status is Status.RESOLVED
    press_undo(portal, newest(database))
    after = stands(database, ticket)
    assert (after.status, after.awaits_reply, after.resolved_at) == (Status.NEW, True, None)


def test_what_happened_to_the_ticket_since_stays(
    portal: Visitor, admin: User, ticket: Ticket, database: Database
) -> None:
    portal.sign_in(admin)
    reply(portal, ticket)
    article = newest(database)
    portal.submit(f"/tickets/{ticket.id}/status", {"status": "pending"})
    press_undo(portal, article)
    assert stands(database, ticket).status is Status.PENDING


def test_the_files_of_a_reply_that_is_taken_back_have_to_be_added_again(
    portal: Visitor, agent: User, ticket: Ticket, database: Database
) -> None:
    portal.sign_in(agent)
    reply(portal, ticket, files=[(BytesIO(b"%PDF"), "a.pdf")])
    assert "Its files have to be added again." in press_undo(portal, newest(database))


def test_a_reply_of_which_one_copy_is_being_sent_cannot_be_taken_back(
    portal: Visitor,
    agent: User,
    opened: Open,
    requester: User,
    account: Callable[..., User],
    database: Database,
    clock: Clock,
) -> None:
    ticket = opened(requester, "Printer", cc=[account("piotr@brightmill.example")])
    portal.sign_in(agent)
    reply(portal, ticket)
    article = newest(database)
    with database.transaction() as session:
        later = clock() + timedelta(seconds=6)
        assert claim(
            session, Delivery, [DeliveryState.QUEUED], owner="me", now=later, limit=1, state=DeliveryState.SENDING
        )
    page = press_undo(portal, article)
    assert undo.TOO_LATE in page
    assert newest(database).id == article.id
    assert rows(database, Delivery) == 2
    assert "Undo this reply" not in page


@pytest.mark.parametrize(
    "state", [DeliveryState.QUEUED, DeliveryState.DEFERRED, DeliveryState.SENT, DeliveryState.UNKNOWN]
)
def test_a_reply_that_was_tried_once_may_have_arrived_and_stays(
    portal: Visitor, agent: User, ticket: Ticket, database: Database, state: DeliveryState
) -> None:
    portal.sign_in(agent)
    reply(portal, ticket)
    with database.transaction() as session:
        session.execute(update(Delivery).values(state=state, last_error="it did not answer in time"))
    assert undo.TOO_LATE in press_undo(portal, newest(database))
    assert rows(database, Delivery) == 1


def test_only_the_author_and_administrators_take_a_reply_back(
    visitor: Callable[[], Visitor], agent: User, admin: User, account: Callable[..., User], ticket: Ticket,
    database: Database, requester: User,
) -> None:  # fmt: skip
    reply(visitor().sign_in(agent), ticket)
    article = newest(database)
    other = visitor().sign_in(account("tom@desk.example", Role.AGENT))
    assert "Undo this reply" not in other.get(f"/tickets/{ticket.id}").text
    assert "Only who wrote a reply, or an administrator, can take it back." in press_undo(other, article)
    path = f"/tickets/{ticket.id}/articles/{article.id}/undo"
    assert visitor().sign_in(requester).submit(path, {}).status_code == 403
    assert rows(database, Delivery) == 1
    boss = visitor().sign_in(admin)
    assert "Undo this reply" in boss.get(f"/tickets/{ticket.id}").text
    assert "Taken back" in press_undo(boss, article)


def test_undo_pressed_twice_says_that_it_is_done(
    portal: Visitor, agent: User, ticket: Ticket, database: Database
) -> None:
    portal.sign_in(agent)
    reply(portal, ticket)
    article = newest(database)
    press_undo(portal, article)
    assert "That reply is not there any more." in press_undo(portal, article)


def test_a_note_and_a_letter_cannot_be_taken_back(
    portal: Visitor, agent: User, ticket: Ticket, database: Database
) -> None:
    portal.sign_in(agent)
    portal.submit(f"/tickets/{ticket.id}/answer", {"kind": "note", "text": "Between us"})
    assert undo.TOO_LATE in press_undo(portal, newest(database))
    assert newest(database).text == "Between us"


def test_without_seconds_there_is_nothing_to_undo(
    make_portal: Callable[[Settings], Flask], portal_settings: Settings, agent: User, ticket: Ticket
) -> None:
    client = make_portal(portal_settings.model_copy(update={"undo_seconds": 0})).test_client()
    assert isinstance(client, Visitor)
    page = reply(client.sign_in(agent), ticket)
    assert "Going out to Anna Kowalczyk." in page
    assert "Undo" not in page
