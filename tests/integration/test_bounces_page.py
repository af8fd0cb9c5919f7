"""What the portal shows of mail that came back and of automatic mail that is held back, on both databases."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest

from shared import outbox, returned, tickets
from shared.caps import Caps
from shared.config import Settings
from shared.database import Database
from shared.models import Address, Delivery, DeliveryState, EventKind, Status, Ticket, User
from shared.tickets import add_event
from shared.tokens import Tokens
from tests.visitors import Clock, Visitor

WORDS = "550 5.1.1 <anna@brightmill.example>: unknown user"


@pytest.fixture
def returned_reply(
    database: Database, tokens: Tokens, clock: Clock, opened: Callable[..., Ticket], requester: User, agent: User
) -> int:
    """A ticket of Anna's whose answer came back for good: its number."""
    number = opened(requester, "Invoice").id
    with database.transaction() as session:
        ticket = session.get_one(Ticket, number)
        author = session.get_one(User, agent.id)
        article = tickets.reply(session, ticket, author=author, text="We look.", now=clock(), tokens=tokens)
        copy = session.query(Delivery).where(Delivery.article_id == article.id).one()
        copy.state, copy.bounced_at, copy.last_error = DeliveryState.FAILED, clock(), WORDS
        detail: dict[str, Any] = {
            "recipient": copy.recipient,
            "status": "5.1.1",
            "diagnostic": WORDS,
            "action": "failed",
        }
        add_event(session, ticket, EventKind.BOUNCED, clock(), **detail)
        returned.suspend(session, "anna@brightmill.example", WORDS, ticket, clock())
    return number


def is_suspended(database: Database) -> bool:
    with database.reading() as session:
        return session.get_one(Address, "anna@brightmill.example").suspended_at is not None


def test_the_words_of_a_bounce_stand_beside_the_reply_with_its_recipient(
    portal: Visitor, agent: User, returned_reply: int
) -> None:
    page = portal.sign_in(agent).get(f"/tickets/{returned_reply}").text

    letter = page[page.index('class="deliveries"') :]
    beside = letter[: letter.index("</ul>")]
    assert "anna@brightmill.example" in beside
    assert "returned" in beside
    assert "unknown user" in beside
    assert "Send again" in beside


def test_a_ticket_whose_last_reply_came_back_needs_a_reply_until_it_has_one(
    portal: Visitor, agent: User, returned_reply: int, database: Database, tokens: Tokens, clock: Clock
) -> None:
    portal.sign_in(agent)
    assert "Invoice" in portal.get("/tickets?view=needs").text

    with database.transaction() as session:
        author, ticket = session.get_one(User, agent.id), session.get_one(Ticket, returned_reply)
        tickets.reply(session, ticket, author=author, text="Once more.", now=clock(), tokens=tokens)
    assert "Invoice" not in portal.get("/tickets?view=needs").text


@pytest.mark.parametrize("place", ["ticket", "person"])
def test_an_agent_lets_automatic_mail_go_to_an_address_again(
    portal: Visitor, agent: User, requester: User, returned_reply: int, database: Database, place: str
) -> None:
    portal.sign_in(agent)
    path = f"/tickets/{returned_reply}" if place == "ticket" else f"/people/{requester.id}"
    page = portal.get(path).text
    assert "No automatic mail goes" in page
    assert "unknown user" in page
    assert f'action="/people/{requester.id}/resume"' in page

    form = {"address": "anna@brightmill.example", "next": path}
    answer = portal.submit(f"/people/{requester.id}/resume", form)
    assert (answer.status_code, answer.location) == (303, path)
    assert not is_suspended(database)
    page = portal.get(f"/tickets/{returned_reply}").text
    assert "Automatic mail goes to <b><bdi>anna@brightmill.example</bdi></b> again by" in " ".join(page.split())
    assert "resume" not in page
    assert "It goes there already." in portal.submit(f"/people/{requester.id}/resume", form, follow_redirects=True).text


def test_a_suspended_address_is_shown_on_every_ticket_of_its_person(
    portal: Visitor, agent: User, requester: User, returned_reply: int, opened: Callable[..., Ticket]
) -> None:
    other = opened(requester, "Another matter").id
    assert "No automatic mail goes there" in portal.sign_in(agent).get(f"/tickets/{other}").text


def test_requesters_let_no_mail_go_again_and_see_nothing_of_it(
    portal: Visitor, requester: User, returned_reply: int, database: Database
) -> None:
    portal.sign_in(requester)
    assert "unknown user" not in portal.get(f"/tickets/{returned_reply}").text
    answer = portal.submit(f"/people/{requester.id}/resume", {"address": "anna@brightmill.example"})
    assert answer.status_code == 403
    assert is_suspended(database)


def test_only_an_address_of_the_person_can_be_named(portal: Visitor, agent: User, requester: User) -> None:
    form = {"address": "eve@elsewhere.example"}
    assert portal.sign_in(agent).submit(f"/people/{requester.id}/resume", form).status_code == 404
    assert portal.submit("/people/999/resume", form).status_code == 404


def test_whoever_sets_a_status_reads_that_the_requester_is_not_told(
    portal: Visitor, admin: User, returned_reply: int
) -> None:
    portal.sign_in(admin)
    answer = portal.submit(f"/tickets/{returned_reply}/status", {"status": "pending"}, follow_redirects=True)
    assert "They are not told: mail to anna@brightmill.example came back" in answer.text


def test_a_cap_is_said_on_the_ticket_with_what_is_not_sent_and_until_when(
    portal: Visitor, agent: User, opened: Callable[..., Ticket], requester: User, database: Database, tokens: Tokens,
    clock: Clock,
) -> None:  # fmt: skip
    number = opened(requester, "Invoice").id
    with database.transaction() as session:
        ticket = session.get_one(Ticket, number)
        for _ in range(2):
            outbox.queue_acknowledgement(session, ticket, tokens=tokens, now=clock(), caps=Caps(address_hour=1))

    page = " ".join(portal.sign_in(agent).get(f"/tickets/{number}").text.split())
    assert (
        "Acknowledgement not sent: at most 1 automatic mail to anna@brightmill.example goes out within an hour. "
        "There is room again at 09:30 on 21 Nov UTC"
    ) in page
    banner = (
        "1 automatic mail to anna@brightmill.example went out within an hour, which is the most: none goes out before "
        "21 Nov 09:30 UTC. What comes in is taken as ever."
    )
    assert banner in portal.get("/tickets").text
    clock.advance(hours=1)
    assert banner not in portal.get("/tickets").text


@pytest.mark.parametrize(
    ("why", "words"),
    [
        ("disabled", "the account of anna@brightmill.example is disabled"),
        ("suspended", "no automatic mail goes to anna@brightmill.example since mail to it came back"),
        ("unreachable", "no mail can reach anna@brightmill.invalid"),
    ],
)
def test_a_ticket_says_why_its_requester_gets_no_acknowledgement(
    portal: Visitor, agent: User, opened: Callable[..., Ticket], requester: User, database: Database, tokens: Tokens,
    clock: Clock, why: str, words: str,
) -> None:  # fmt: skip
    number = opened(requester, "Invoice").id
    with database.transaction() as session:
        ticket = session.get_one(Ticket, number)
        anna = ticket.requester
        anna.disabled_at = clock() if why == "disabled" else None
        anna.addresses[0].suspended_at = clock() if why == "suspended" else None
        anna.email = anna.email.replace(".example", ".invalid") if why == "unreachable" else anna.email
        session.flush()
        assert outbox.queue_acknowledgement(session, ticket, tokens=tokens, now=clock()) is None

    page = re.sub(r"<[^>]*>", "", " ".join(portal.sign_in(agent).get(f"/tickets/{number}").text.split()))
    assert f"Acknowledgement not sent: {words}" in page


def test_the_portal_keeps_to_the_caps_that_are_set(
    make_portal: Callable[[Settings], object], portal_settings: Settings, admin: User, requester: User,
    opened: Callable[..., Ticket], database: Database,
) -> None:  # fmt: skip
    app = make_portal(portal_settings.model_copy(update={"cap_ticket_day": 1}))
    number = opened(requester, "Invoice").id
    visitor = app.test_client()  # type: ignore[attr-defined]
    visitor.sign_in(admin)
    said = [
        visitor.submit(f"/tickets/{number}/status", {"status": status.value}, follow_redirects=True).text
        for status in (Status.OPEN, Status.PENDING, Status.OPEN, Status.PENDING, Status.OPEN)
    ]
    assert ["They are not told: too much automatic mail" in each for each in said] == [False] * 4 + [True]
    with database.reading() as session:
        assert session.query(Delivery).count() == 4
