"""“Spam”: from the click to the next mail of that address, and back again, on both databases."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from datetime import timedelta

import pytest
from werkzeug.test import TestResponse

from intake.examine import decision
from intake.outbound.deliver import Outbox
from intake.outbound.letter import Envelope
from intake.parsing.message import parse
from intake.types import Deferred, Outcome
from shared import deliveries
from shared.config import Settings
from shared.database import Database
from shared.inbound import open_forgotten
from shared.models import (
    Address,
    Delivery,
    DeliveryCause,
    DeliveryState,
    Event,
    EventKind,
    InboundMessage,
    InboundState,
    MessageRef,
    Role,
    Status,
    Ticket,
    User,
)
from tests.loops import LoopDesk, Postbag, letter, read
from tests.mailroom import ANNA, BOB, EVE, report
from tests.visitors import Clock, Visitor

DESK = "support@desk.example"
BLOCKED = "Mira Steiner blocked eve@elsewhere.example on 21 Nov 2026 at 08:30 UTC."
UNDO = re.compile(r'class="toast">.*?action="([^"]+/spam/undo)"', re.DOTALL)


@pytest.fixture
def desk(database: Database, settings: Settings, clock: Clock) -> Iterator[LoopDesk]:
    """A desk that has answered Anna's ticket 1 with an acknowledgement."""
    desk = LoopDesk(database, settings.model_copy(update={"address": DESK}), clock)
    desk.receive([letter(ANNA, DESK, "Fire")])
    assert len(desk.sends()) == 1
    yield desk
    desk.close()


@pytest.fixture
def held(desk: LoopDesk) -> int:
    """Mail of Eve that names Anna's ticket."""
    desk.receive([letter(EVE, DESK, "Re: [#1] Fire")])
    assert row(desk, 2).state is InboundState.HELD
    return 2


@pytest.fixture
def ticket(desk: LoopDesk) -> int:
    """Eve's ticket, whose acknowledgement waits."""
    desk.receive([letter(EVE, DESK, "Cheap watches")])
    return 2


def row(desk: LoopDesk, number: int) -> InboundMessage:
    with desk.database.reading() as session:
        return session.get_one(InboundMessage, number)


def is_blocked(desk: LoopDesk, key: str = EVE) -> bool:
    with desk.database.reading() as session:
        address = session.get(Address, key)
        return address is not None and address.blocked_at is not None


def press(visitor: Visitor, path: str, **form: str) -> TestResponse:
    return visitor.submit(path, form, follow_redirects=True)


def words(answer: TestResponse) -> str:
    return " ".join(answer.text.split())


def undo(visitor: Visitor, answer: TestResponse) -> TestResponse:
    """Press “Undo” in the toast of a page."""
    offered = UNDO.search(answer.text)
    assert offered, "no undo is offered"
    return press(visitor, offered[1])


# ------------------------------------------------------------------ held mail


def test_spam_discards_held_mail_and_what_its_sender_sends_from_then_on(
    desk: LoopDesk, held: int, portal: Visitor, agent: User
) -> None:
    portal.sign_in(agent)
    assert f'action="/mail/{held}/spam"' in portal.get("/mail").text
    answer = press(portal, f"/mail/{held}/spam")
    assert "Discarded. What eve@elsewhere.example sends from now on is too." in answer.text

    desk.receive([letter(EVE, DESK, "Cheap watches"), letter("EVE@elsewhere.example", DESK, "Re: [#1] Fire")])
    assert desk.arrivals()[1:] == [
        (InboundState.DISCARDED, "discard", "Mira Steiner discarded it as spam and blocked eve@elsewhere.example."),
        (InboundState.DISCARDED, "discard", BLOCKED),
        (InboundState.DISCARDED, "discard", BLOCKED),
    ]
    assert desk.sends() == []
    assert desk.articles_by_mail() == 1
    page = portal.get("/mail/3").text
    assert BLOCKED in page
    assert "Read it again" in page
    assert portal.get("/mail/3/raw").status_code == 200


def test_explain_says_that_it_would_discard_it(desk: LoopDesk, held: int, portal: Visitor, agent: User) -> None:
    press(portal.sign_in(agent), f"/mail/{held}/spam")
    read = parse(letter(EVE, DESK, "Cheap watches").content, own_addresses=frozenset({DESK}))
    with desk.database.reading() as session:
        told = decision(session, read, DESK, desk.tokens)
    assert (told["action"], told["reason"]) == ("discard", BLOCKED)


def test_held_mail_of_a_blocked_sender_opens_no_ticket_when_its_time_is_over(
    desk: LoopDesk, held: int, portal: Visitor, agent: User, clock: Clock
) -> None:
    desk.receive([letter(EVE, DESK, "Re: [#1] Once more")])
    press(portal.sign_in(agent), f"/mail/{held}/spam")
    assert row(desk, 3).state is InboundState.HELD
    clock.advance(hours=25)
    with desk.database.transaction() as session:
        assert open_forgotten(session, clock() - timedelta(hours=24), clock()) == 1
    desk.work()
    assert desk.arrivals()[2] == (InboundState.DISCARDED, "discard", BLOCKED)
    assert desk.sends() == []


def test_undo_holds_the_mail_as_before_and_lets_its_sender_in_again(
    desk: LoopDesk, held: int, portal: Visitor, agent: User
) -> None:
    before = row(desk, held)
    answer = press(portal.sign_in(agent), f"/mail/{held}/spam")
    answer = undo(portal, answer)
    assert "Taken back." in answer.text
    desk.work()

    after = row(desk, held)
    assert (after.state, after.action, after.reason, after.clues, after.ticket_number) == (
        InboundState.HELD, "hold", before.reason, before.clues, 1,
    )  # fmt: skip
    assert not is_blocked(desk)
    desk.receive([letter(EVE, DESK, "Another matter")])
    assert desk.arrivals()[-1][:2] == (InboundState.PROCESSED, "open_ticket")
    assert [mail.recipient for mail in desk.sends()] == [EVE]


def test_a_mail_that_comes_again_after_the_unblock_names_the_one_that_was_discarded(
    desk: LoopDesk, held: int, portal: Visitor, agent: User
) -> None:
    answer = press(portal.sign_in(agent), f"/mail/{held}/spam")
    mail = letter(EVE, DESK, "I am no spammer")
    desk.receive([mail])
    undo(portal, answer)
    desk.receive([mail])
    assert desk.arrivals()[-1] == (
        InboundState.DISCARDED, "discard", "It is here already, as mail 3, which was discarded.",
    )  # fmt: skip


def test_undo_comes_too_late_where_somebody_decided_otherwise_meanwhile(
    desk: LoopDesk, held: int, portal: Visitor, agent: User
) -> None:
    answer = press(portal.sign_in(agent), f"/mail/{held}/spam")
    press(portal, f"/mail/{held}/ticket")
    desk.work()
    assert "There is nothing to take back any more" in undo(portal, answer).text
    assert row(desk, held).state is InboundState.PROCESSED
    assert is_blocked(desk)


def test_undo_of_a_second_mail_does_not_lift_the_block_of_the_first(
    desk: LoopDesk, held: int, portal: Visitor, agent: User, clock: Clock
) -> None:
    desk.receive([letter(EVE, DESK, "Re: [#1] Once more")])
    press(portal.sign_in(agent), f"/mail/{held}/spam")
    clock.advance(minutes=1)
    answer = press(portal, "/mail/3/spam")
    assert "Discarded. eve@elsewhere.example was blocked before." in answer.text
    assert UNDO.search(answer.text) is None
    press(portal, "/mail/3/spam/undo")
    assert is_blocked(desk)
    assert row(desk, 3).state is InboundState.DISCARDED


def test_a_person_makes_a_ticket_of_mail_of_a_blocked_address_and_nobody_is_mailed(
    desk: LoopDesk, held: int, portal: Visitor, agent: User
) -> None:
    press(portal.sign_in(agent), f"/mail/{held}/spam")
    desk.receive([letter(EVE, DESK, "I am no spammer")])
    press(portal, "/mail/3/again")
    desk.work()
    assert desk.arrivals()[2] == (InboundState.DISCARDED, "discard", BLOCKED)
    press(portal, "/mail/3/ticket")
    desk.work()

    assert desk.arrivals()[2][:2] == (InboundState.PROCESSED, "open_ticket")
    assert desk.sends() == []


def test_a_bounce_from_a_blocked_address_is_noted_on_its_delivery(
    desk: LoopDesk, portal: Visitor, agent: User, held: int
) -> None:
    daemon = "MAILER-DAEMON@mx.brightmill.example"
    desk.receive([letter(daemon, DESK, "Re: [#1] Fire")])
    assert "sends from now on is too" in press(portal.sign_in(agent), "/mail/3/spam").text
    (sent,) = desk.automatic()
    raw = report(sent.message_id, ANNA)
    desk.receive(
        [letter(daemon, DESK, "Not a report"), type(letter(ANNA, DESK, ""))(sender="", recipient=DESK, content=raw)]
    )

    assert [action for _, action, _ in desk.arrivals()[3:]] == ["discard", "record_bounce"]
    with desk.database.reading() as session:
        assert session.get_one(Delivery, sent.id).bounced_at is not None


@pytest.mark.parametrize(
    ("sender", "why"),
    [
        ("jonas@desk.example", "jonas@desk.example belongs to Jonas Okafor, who works here, and cannot be blocked."),
        (f"{DESK.replace('@', '+x@')}", "support+x@desk.example is an address of this desk and cannot be blocked."),
        ("nobody", "The mail does not say who sent it, so there is nobody to block."),
    ],
)
def test_who_works_here_the_desk_and_nobody_are_never_blocked(
    desk: LoopDesk, portal: Visitor, agent: User, admin: User, sender: str, why: str
) -> None:
    desk.receive([letter(sender, DESK, "Re: [#1] Fire")])
    assert row(desk, 2).state is InboundState.HELD
    answer = press(portal.sign_in(agent), "/mail/2/spam")

    assert f"{why} Discard the mail instead." in answer.text
    assert row(desk, 2).state is InboundState.HELD
    with desk.database.reading() as session:
        assert session.query(Address).where(Address.blocked_at.is_not(None)).count() == 0


def test_nobody_is_blocked_while_they_work_here(desk: LoopDesk, held: int, portal: Visitor, agent: User) -> None:
    press(portal.sign_in(agent), f"/mail/{held}/spam")
    with desk.database.transaction() as session:
        session.get_one(Address, EVE).user.role = Role.AGENT
    desk.receive([letter(EVE, DESK, "My first day")])
    assert desk.arrivals()[-1][:2] == (InboundState.PROCESSED, "open_ticket")
    assert [mail.recipient for mail in desk.sends()] == [EVE]
    assert "Nobody is blocked" in portal.get("/people?role=blocked").text
    assert "Blocked as spam" not in portal.get("/tickets/2").text


def test_the_persons_page_says_who_blocked_an_address_and_unblocks_it(
    desk: LoopDesk, held: int, portal: Visitor, agent: User
) -> None:
    press(portal.sign_in(agent), f"/mail/{held}/spam")
    with desk.database.reading() as session:
        number = session.get_one(Address, EVE).user_id
    listed = portal.get("/people?role=blocked").text
    assert "eve@elsewhere.example" in listed
    assert ANNA not in listed
    page = words(portal.get(f"/people/{number}"))
    assert "Blocked as spam since" in page
    assert "by <bdi>Mira Steiner</bdi>" in page

    answer = press(portal, f"/people/{number}/unblock", address=EVE, next=f"/people/{number}")
    assert "Mail from eve@elsewhere.example comes in again." in answer.text
    assert "Blocked as spam" not in answer.text
    assert not is_blocked(desk)
    assert "Nobody is blocked" in portal.get("/people?role=blocked").text
    assert "is not blocked." in press(portal, f"/people/{number}/unblock", address=EVE).text
    assert press(portal, f"/people/{number}/unblock", address=BOB).status_code == 404


def test_requesters_block_nobody(desk: LoopDesk, held: int, portal: Visitor, requester: User) -> None:
    portal.sign_in(requester)
    for path in ("/mail/2/spam", "/mail/2/spam/undo", "/tickets/1/spam", "/tickets/1/spam/undo", "/people/1/unblock"):
        assert portal.submit(path).status_code == 403
    assert not is_blocked(desk)


# ------------------------------------------------------------------ mail that waits


def recipients(desk: LoopDesk) -> list[str]:
    return [mail.recipient for mail in desk.sends()]


def test_no_acknowledgement_of_any_ticket_goes_to_who_is_blocked_by_one_until_that_is_taken_back(
    desk: LoopDesk, ticket: int, portal: Visitor, admin: User
) -> None:
    desk.receive([letter(EVE, DESK, "Cheap shoes"), letter(BOB, DESK, "Ice")])
    answer = press(portal.sign_in(admin), f"/tickets/{ticket}/spam")
    assert recipients(desk) == [BOB]
    assert "Acknowledgement not sent: <b><bdi>eve@elsewhere.example</bdi></b> is blocked" in words(
        portal.get("/tickets/3")
    )

    undo(portal, answer)
    sent = desk.sends()
    assert [mail.recipient for mail in sent] == [EVE, EVE]
    assert sorted(re.findall(r"\[#(\d+)\]", " ".join(str(read(mail)["Subject"]) for mail in sent))) == ["2", "3"]
    press(portal, f"/tickets/{ticket}/spam/undo")
    assert desk.sends() == []


def test_no_acknowledgement_goes_to_who_is_blocked_by_held_mail_until_that_is_taken_back(
    desk: LoopDesk, ticket: int, portal: Visitor, agent: User
) -> None:
    desk.receive([letter(EVE, DESK, "Re: [#1] Fire")])
    answer = press(portal.sign_in(agent), "/mail/3/spam")
    assert desk.sends() == []
    undo(portal, answer)
    assert recipients(desk) == [EVE]
    with desk.database.reading() as session:
        assert session.query(Delivery).where(Delivery.ticket_id == ticket).one().state is DeliveryState.SENT


def test_a_notice_of_the_status_is_stopped_with_the_acknowledgement_and_does_not_come_again(
    desk: LoopDesk, ticket: int, portal: Visitor, admin: User
) -> None:
    desk.set_status(ticket, Status.PENDING)
    answer = press(portal.sign_in(admin), f"/tickets/{ticket}/spam")
    assert desk.sends() == []
    undo(portal, answer)
    (sent,) = desk.sends()
    assert (sent.recipient, desk.automatic()[-1].cause) == (EVE, DeliveryCause.ACKNOWLEDGEMENT)


def test_what_waits_for_others_and_what_an_agent_wrote_goes_out_all_the_same(
    desk: LoopDesk, ticket: int, portal: Visitor, admin: User
) -> None:
    desk.receive([letter(BOB, DESK, "Ice")])
    desk.answer(ticket)
    press(portal.sign_in(admin), f"/tickets/{ticket}/spam")
    desk.clock.advance(minutes=2)
    assert sorted(recipients(desk)) == [BOB, EVE]
    assert {delivery.recipient for delivery in desk.automatic()} == {ANNA, BOB}


class Interrupted(Postbag):
    """A server during whose first words something happens; `then` is its answer where it does not take the mail."""

    def __init__(self, meanwhile: Callable[[], object], then: Outcome | None) -> None:
        super().__init__()
        self.meanwhile, self.then = meanwhile, then

    def send(self, envelope: Envelope, handed_over: Callable[[], None]) -> Outcome:
        self.meanwhile()
        return self.then or super().send(envelope, handed_over)


@pytest.mark.parametrize("then", [None, Deferred(reason="451 4.7.1 come back later")])
def test_a_mail_that_is_being_sent_when_its_reader_is_blocked_is_not_handed_over_then_or_later(
    desk: LoopDesk, ticket: int, portal: Visitor, admin: User, then: Outcome | None
) -> None:
    portal.sign_in(admin)
    server = Interrupted(lambda: press(portal, f"/tickets/{ticket}/spam"), then)
    outbox = Outbox(desk.database, desk.tokens, desk.settings, transport=server, clock=desk.clock)
    assert outbox.run_once() == 1
    outbox.close()

    assert is_blocked(desk)
    desk.clock.advance(hours=2)
    assert (server.mails, desk.sends()) == ([], [])
    with desk.database.reading() as session:
        assert session.query(Delivery).where(Delivery.ticket_id == ticket).count() == 0


# ------------------------------------------------------------------ tickets


def test_spam_on_a_ticket_closes_it_stops_its_acknowledgement_and_blocks_its_requester(
    desk: LoopDesk, ticket: int, portal: Visitor, admin: User
) -> None:
    answer = press(portal.sign_in(admin), f"/tickets/{ticket}/spam")
    assert "Closed. What eve@elsewhere.example sends from now on is discarded." in answer.text
    assert "Closed as spam, and <b><bdi>eve@elsewhere.example</bdi></b> blocked by" in words(answer)
    assert "Blocked as spam since" in answer.text

    desk.receive([letter(EVE, DESK, "Re: [#2] Cheap watches")])
    press(portal, f"/tickets/{ticket}/status", status="open")
    assert desk.sends() == []
    assert desk.arrivals()[-1][:2] == (InboundState.DISCARDED, "discard")
    with desk.database.reading() as session:
        assert session.query(Delivery).where(Delivery.ticket_id == ticket).count() == 0
        assert session.query(MessageRef).where(MessageRef.ticket_id == ticket).count() == 1, "that of her own mail"


def test_undo_on_a_ticket_leaves_it_as_it_was(desk: LoopDesk, ticket: int, portal: Visitor, admin: User) -> None:
    answer = press(portal.sign_in(admin), f"/tickets/{ticket}/spam")
    assert "It is closed already, and its requester is blocked." in press(portal, f"/tickets/{ticket}/spam").text
    answer = undo(portal, answer)
    assert "Taken back. The ticket is new, as it was." in answer.text
    assert "<b><bdi>eve@elsewhere.example</bdi></b> unblocked by" in words(answer)

    with desk.database.reading() as session:
        found = session.get_one(Ticket, ticket)
        assert (found.status, found.awaits_reply, found.resolved_at) == (Status.NEW, True, None)
    assert not is_blocked(desk)
    assert [mail.recipient for mail in desk.sends()] == [EVE], "the acknowledgement goes out after all"
    assert "There is nothing to take back any more." in press(portal, f"/tickets/{ticket}/spam/undo").text


def test_undo_on_a_ticket_keeps_what_was_blocked_before_it(
    desk: LoopDesk, ticket: int, portal: Visitor, admin: User, clock: Clock
) -> None:
    desk.receive([letter(EVE, DESK, "Re: [#1] Fire")])
    press(portal.sign_in(admin), "/mail/3/spam")
    clock.advance(minutes=1)
    answer = undo(portal, press(portal, f"/tickets/{ticket}/spam"))
    assert "Said to be no spam by" in words(answer)
    assert is_blocked(desk)


def test_a_requester_who_is_unblocked_on_their_page_is_so_in_the_history_of_the_ticket(
    desk: LoopDesk, ticket: int, portal: Visitor, admin: User
) -> None:
    press(portal.sign_in(admin), f"/tickets/{ticket}/spam")
    with desk.database.reading() as session:
        number = session.get_one(Address, EVE).user_id
    press(portal, f"/people/{number}/unblock", address=EVE)

    with desk.database.reading() as session:
        kinds = [event.kind for event in session.query(Event).where(Event.ticket_id == ticket).order_by(Event.id)]
        assert kinds == [EventKind.WITHHELD, EventKind.BLOCKED, EventKind.STATUS, EventKind.UNBLOCKED]
        assert session.get_one(Ticket, ticket).status is Status.CLOSED


def test_only_administrators_close_a_ticket_as_spam(desk: LoopDesk, ticket: int, portal: Visitor, agent: User) -> None:
    portal.sign_in(agent)
    assert f"/tickets/{ticket}/spam" not in portal.get(f"/tickets/{ticket}").text
    assert portal.submit(f"/tickets/{ticket}/spam").status_code == 403


def test_a_ticket_of_somebody_who_works_here_is_no_spam(
    desk: LoopDesk, portal: Visitor, admin: User, agent: User, opened: Callable[..., Ticket]
) -> None:
    number = opened(agent, "Kettle").id
    answer = press(portal.sign_in(admin), f"/tickets/{number}/spam")
    assert "mira@desk.example belongs to Mira Steiner, who works here, and cannot be blocked." in answer.text
    with desk.database.reading() as session:
        assert session.get_one(Ticket, number).status is Status.NEW


def test_whoever_sets_a_status_reads_that_a_blocked_requester_is_not_told(
    desk: LoopDesk, ticket: int, portal: Visitor, admin: User
) -> None:
    press(portal.sign_in(admin), f"/tickets/{ticket}/spam")
    answer = press(portal, f"/tickets/{ticket}/status", status="resolved")
    assert "They are not told: eve@elsewhere.example is blocked as spam." in answer.text


def test_automatic_mail_that_failed_does_not_go_again_to_a_blocked_address(
    desk: LoopDesk, ticket: int, portal: Visitor, admin: User
) -> None:
    desk.bag.refuses.add(EVE)
    desk.sends()
    press(portal.sign_in(admin), f"/tickets/{ticket}/spam")
    with desk.database.transaction() as session:
        assert session.query(Delivery).where(Delivery.state == DeliveryState.FAILED).count() == 1
        assert deliveries.retry_failed(session, desk.clock()) == 0
