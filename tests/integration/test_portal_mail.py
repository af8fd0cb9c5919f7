"""Where is my mail? The ledger of arrivals, what waits for a person, and mail of ours that did not arrive."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import NoReturn

import pytest
import zstandard
from flask import Flask
from sqlalchemy import Engine, delete, event, select
from sqlalchemy.exc import TimeoutError as NoFreeConnectionError

from portal import arrivals
from portal.desk import EXTENSION
from shared.database import Database
from shared.models import (
    Article,
    Delivery,
    DeliveryCause,
    DeliveryState,
    InboundMessage,
    InboundRaw,
    InboundState,
    Mailbox,
    Ticket,
    User,
)
from tests.visitors import Clock, Visitor

RAW = b"From: Marta <marta@webmail.example>\r\nSubject: =?utf-8?q?Hello?=\r\n\r\n<script>alert(1)</script>\xff\r\n"
Arrive = Callable[..., InboundMessage]


@pytest.fixture
def arrive(database: Database, portal: Visitor, clock: Clock) -> Arrive:
    """Put a mail into the ledger: `arrive(InboundState.HELD, subject="…")`."""

    def make(state: InboundState, **options: object) -> InboundMessage:
        with database.transaction() as session:
            mailbox = session.scalars(select(Mailbox)).first()
            assert mailbox
            mail = InboundMessage(
                state=state, source="smtp", mailbox_id=mailbox.id, due_at=clock(), received_at=clock(), size=len(RAW),
                **options,
            )  # fmt: skip
            mail.raw = InboundRaw(content=zstandard.compress(RAW))
            session.add(mail)
            return mail

    return make


def stored(database: Database, mail: InboundMessage) -> InboundMessage:
    with database.reading() as session:
        return session.get_one(InboundMessage, mail.id)


@pytest.fixture
def held(arrive: Arrive, opened: Callable[..., Ticket], requester: User) -> InboundMessage:
    ticket = opened(requester, "Invoice")
    return arrive(
        InboundState.HELD, from_address="marta@webmail.example", subject="Re: [#1] Invoice", ticket_number=ticket.id,
        reason="The sender is not on that ticket.", kind="normal",
        clues=[{"kind": "subject_tag", "value": "[#1]", "ticket": 1, "used": False, "note": ""}],
    )  # fmt: skip


def test_requesters_see_no_mail_of_the_desk(portal: Visitor, requester: User, held: InboundMessage) -> None:
    portal.sign_in(requester)
    for path in ("/mail", f"/mail/{held.id}", f"/mail/{held.id}/raw"):
        assert portal.get(path).status_code == 403
    for action in ("join", "ticket", "again", "discard"):
        assert portal.submit(f"/mail/{held.id}/{action}").status_code == 403


def test_held_and_quarantined_mail_stands_first_with_its_reason(
    portal: Visitor, agent: User, held: InboundMessage, arrive: Arrive
) -> None:
    arrive(InboundState.QUARANTINED, last_error="DataError: <broken>", attempts=5)
    page = portal.sign_in(agent).get("/mail").text
    assert "Held: <bdi>Re: [#1] Invoice</bdi>" in page
    assert "The sender is not on that ticket." in page
    assert "DataError: &lt;broken&gt;" in page
    assert "Tried 5 times." in page
    assert "Quarantined: this mail could not be processed" in page
    assert "Approve for 1" in page
    assert ">2</span></a>" in page  # the count in the navigation


def test_only_held_mail_that_names_a_ticket_says_that_nothing_of_it_was_shown(
    portal: Visitor, agent: User, held: InboundMessage, arrive: Arrive
) -> None:
    arrive(InboundState.HELD, from_address="x@spam.example", subject="Win", reason="It is marked as spam.")
    page = portal.sign_in(agent).get("/mail").text
    assert page.count('<p class="why">') == 2
    assert page.count("Nothing of the ticket has been shown to the sender.") == 1


@pytest.mark.parametrize(
    ("query", "found"),
    [("marta@webmail", True), ("MARTA", True), ("invoice", True), ("<abc.1@webmail.example>", True), ("abc.1@", True),
     ("marta invoice", True), ("marta order", False), ("%", False), ("_", False)],
)  # fmt: skip
def test_arrivals_are_found_by_sender_subject_and_message_id(
    portal: Visitor, agent: User, arrive: Arrive, query: str, found: bool
) -> None:
    arrive(
        InboundState.PROCESSED, from_address="marta@webmail.example", subject="Invoice", action="open_ticket",
        message_id="abc.1@webmail.example", ticket_number=7,
    )  # fmt: skip
    portal.sign_in(agent)
    page = portal.get("/mail", query_string={"q": query}).text
    assert ("marta@webmail.example</bdi>" in page) is found
    assert ("No mail fits that" in page) is not found


def test_arrivals_are_found_by_the_day_together_with_words_and_state(
    portal: Visitor, agent: User, arrive: Arrive, clock: Clock
) -> None:
    for day in range(3):
        arrive(InboundState.PROCESSED, subject=f"Invoice of day {day}")
        arrive(InboundState.DISCARDED, subject=f"Order of day {day}")
        clock.advance(days=1)
    portal.sign_in(agent)

    def shown(**asked: str) -> set[str]:
        page = portal.get("/mail", query_string=asked).text
        return {f"{what} {day}" for what in ("Invoice", "Order") for day in range(3) if f"{what} of day {day}<" in page}

    assert shown(**{"from": "2026-11-22", "to": "2026-11-22"}) == {"Invoice 1", "Order 1"}
    assert shown(**{"from": "2026-11-22"}) == {"Invoice 1", "Order 1", "Invoice 2", "Order 2"}
    assert shown(to="2026-11-22", q="invoice") == {"Invoice 0", "Invoice 1"}
    assert shown(**{"from": "2026-11-22", "q": "day", "state": "discarded"}) == {"Order 1", "Order 2"}
    assert shown(**{"from": "yesterday", "to": "9999-12-31", "q": "order"}) == {"Order 0", "Order 1", "Order 2"}
    assert "state=discarded" in portal.get("/mail?from=2026-11-22&q=day").text
    assert "from=2026-11-22" in portal.get("/mail?from=2026-11-22&q=day").text
    assert shown(**{"from": "2026-11-22", "to": "2026-11-21"}) == {"Invoice 0", "Order 0", "Invoice 1", "Order 1"}
    assert 'name="from" type="date" value="2026-11-21"' in portal.get("/mail?from=2026-11-22&to=2026-11-21").text


def test_a_whole_message_id_finds_exactly_its_mails(portal: Visitor, agent: User, arrive: Arrive) -> None:
    arrive(InboundState.PROCESSED, subject="The one", message_id="abc.1@webmail.example")
    arrive(InboundState.PROCESSED, subject="Another", message_id="xabc.1@webmail.example")
    portal.sign_in(agent)
    page = portal.get("/mail", query_string={"q": "<abc.1@webmail.example>"}).text
    assert "The one" in page
    assert "Another" not in page
    assert "Another" in portal.get("/mail", query_string={"q": "abc.1@webmail"}).text


def test_more_hits_than_one_pass_takes_are_counted_and_paged_all_the_same(
    portal: Visitor, agent: User, arrive: Arrive, monkeypatch: pytest.MonkeyPatch
) -> None:
    for n in range(30):
        arrive(InboundState.PROCESSED if n % 3 else InboundState.DISCARDED, subject=f"Mail {n:02}")
    portal.sign_in(agent)
    few = portal.get("/mail?q=mail&state=processed").text
    monkeypatch.setattr(arrivals, "FEW", 5)
    many = portal.get("/mail?q=mail&state=processed").text
    subjects = re.findall(r"Mail \d\d", few)
    assert len(set(subjects)) == 20
    assert re.findall(r"Mail \d\d", many) == subjects
    assert "1 to 20 of 20 mails" in few
    assert "1 to 20 of 20 mails" in many


def test_arrivals_are_filtered_by_state_and_paged(portal: Visitor, agent: User, arrive: Arrive) -> None:
    for n in range(30):
        arrive(InboundState.PROCESSED, subject=f"Mail {n:02}")
    arrive(InboundState.DISCARDED, subject="Not wanted", reason="Our own mail come back.")
    portal.sign_in(agent)
    assert "1 to 25 of 31 mails" in portal.get("/mail").text
    discarded = portal.get("/mail?state=discarded").text
    assert "Not wanted" in discarded
    assert "Our own mail come back." in discarded
    assert "Mail 29" not in discarded
    assert portal.get("/mail?state=king&page=x").status_code == 200


def test_the_page_of_a_mail_tells_its_decision_and_shows_its_source_as_text(
    portal: Visitor, agent: User, held: InboundMessage
) -> None:
    page = portal.sign_in(agent).get(f"/mail/{held.id}").text
    assert "The sender is not on that ticket." in page
    assert "[#1]" in page
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page
    assert "<script>alert" not in page
    assert portal.get("/mail/999").status_code == 404


def test_the_page_of_a_mail_tells_how_long_it_waited_what_is_tried_and_what_receiving_noted(
    portal: Visitor, agent: User, arrive: Arrive, clock: Clock
) -> None:
    came = clock()
    done = arrive(
        InboundState.PROCESSED, started_at=came + timedelta(seconds=2), processed_at=came + timedelta(seconds=3),
        attempts=1, notes=["Large parts were left on the server."],
    )  # fmt: skip
    failing = arrive(InboundState.RECEIVED, attempts=3, last_error="DataError: <odd>", started_at=came)
    waits = {clock(): "It waits for its turn.", came - timedelta(minutes=4): "The next try comes in 4 minutes."}
    portal.sign_in(agent)
    page = portal.get(f"/mail/{done.id}").text
    assert "it waited 2 seconds for its turn, and the work took 1 second" in page
    assert "Large parts were left on the server." in page
    for moment, words in waits.items():
        clock.moment = moment
        page = portal.get(f"/mail/{failing.id}").text
        assert words in page
        assert "Tried</dt><dd>3 times in a row" in page
        assert "DataError: &lt;odd&gt;" in page


def test_a_persons_time_is_no_work_of_the_desk(
    portal: Visitor, agent: User, held: InboundMessage, database: Database, clock: Clock
) -> None:
    with database.transaction() as session:
        row = session.get_one(InboundMessage, held.id)
        row.attempts, row.started_at, row.processed_at = 1, clock(), clock()
    clock.advance(minutes=4)
    portal.sign_in(agent).submit(f"/mail/{held.id}/discard")
    page = portal.get(f"/mail/{held.id}").text
    assert "discarded by a person, 4 minutes after it came" in page
    assert "the work took" not in page


def test_mail_that_was_read_again_waited_from_then_on_and_how_often_it_was_tried_before_is_not_claimed(
    portal: Visitor, agent: User, arrive: Arrive, database: Database, clock: Clock
) -> None:
    later = clock() + timedelta(minutes=3)
    started, done = later + timedelta(seconds=2), later + timedelta(seconds=3)
    again = arrive(InboundState.HELD, started_at=started, processed_at=done, attempts=1)
    retried = arrive(InboundState.PROCESSED, started_at=started, processed_at=done, attempts=2)
    with database.transaction() as session:
        session.get_one(InboundMessage, again.id).due_at = later
    page = portal.sign_in(agent).get(f"/mail/{again.id}").text
    assert "it waited 2 seconds for its turn, and the work took 1 second" in page
    assert "Last tried</dt>" in page
    assert "1 time" not in page
    assert "the last try took 1 second" in portal.get(f"/mail/{retried.id}").text


class DeadlyError(Exception):
    """The end of the process."""


@pytest.fixture
def deadly_reader(portal_app: Flask) -> None:
    """Whoever reads a mail, ends."""

    def end(*_: object) -> NoReturn:
        raise DeadlyError

    portal_app.extensions[EXTENSION] = replace(portal_app.extensions[EXTENSION], read=end, extract=end)


@pytest.mark.usefixtures("deadly_reader")
@pytest.mark.parametrize(
    ("state", "told", "why"),
    [
        ("quarantined", {"last_error": "DeadlyMailError: it ended the process that read it"}, "Reading it failed"),
        ("quarantined", {"kind": "normal"}, "Reading it failed"),
        ("discarded", {"last_error": "DeadlyMailError: it ended the process that read it"}, "Reading it failed"),
        ("processed", {"kind": "normal", "last_error": "it ended the process that read it"}, "Reading it failed"),
        ("received", {}, "It has not been read yet"),
        ("received", {"kind": "normal"}, "It is about to be read again"),
        ("discarded", {}, "It was put aside before it was read"),
    ],
)
def test_mail_that_was_not_read_well_is_not_read_by_the_portal_and_its_source_is_shown(
    portal: Visitor, agent: User, arrive: Arrive, state: str, told: dict[str, str], why: str
) -> None:
    mail = arrive(InboundState(state), **told)
    page = portal.sign_in(agent).get(f"/mail/{mail.id}")
    assert page.status_code == 200
    assert why in page.text
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page.text
    assert portal.get(f"/mail/{mail.id}/raw").data == RAW


@pytest.mark.usefixtures("deadly_reader")
def test_mail_that_was_read_well_is_read_on_its_page_unless_it_has_an_article(
    portal: Visitor, agent: User, requester: User, opened: Callable[..., Ticket], held: InboundMessage, arrive: Arrive,
    database: Database,
) -> None:  # fmt: skip
    mail = arrive(InboundState.PROCESSED, kind="normal", last_error="It could not be read again.")
    ticket = opened(requester, "Printer", text="It is on fire.")
    with database.transaction() as session:
        session.scalars(select(Article).where(Article.ticket_id == ticket.id)).one().inbound_id = mail.id
    portal.sign_in(agent)
    assert "It is on fire." in portal.get(f"/mail/{mail.id}").text
    with pytest.raises(DeadlyError):
        portal.get(f"/mail/{held.id}")


def test_a_person_lets_processed_mail_be_read_again(
    portal: Visitor, agent: User, arrive: Arrive, database: Database
) -> None:
    mail = arrive(InboundState.PROCESSED, action="open_ticket")
    portal.sign_in(agent)
    assert "Read it again" in portal.get(f"/mail/{mail.id}").text
    assert "It is read again in a moment." in portal.submit(f"/mail/{mail.id}/again", follow_redirects=True).text
    assert stored(database, mail).person_order == {"action": "refresh", "ticket": None, "by": agent.id}


def test_mail_whose_bytes_were_erased_offers_neither_them_nor_reading_them_again(
    portal: Visitor, agent: User, arrive: Arrive, database: Database
) -> None:
    mail = arrive(InboundState.PROCESSED)
    with database.transaction() as session:
        session.execute(delete(InboundRaw).where(InboundRaw.inbound_id == mail.id))
    portal.sign_in(agent)
    page = portal.get(f"/mail/{mail.id}").text
    assert "The raw mail was erased." in page
    assert "Read it again" not in page
    assert "was erased" in portal.submit(f"/mail/{mail.id}/again", follow_redirects=True).text
    assert stored(database, mail).state is InboundState.PROCESSED


def test_the_raw_mail_is_downloaded_byte_for_byte(portal: Visitor, agent: User, held: InboundMessage) -> None:
    answer = portal.sign_in(agent).get(f"/mail/{held.id}/raw")
    assert answer.data == RAW
    assert answer.content_type == "message/rfc822"
    assert answer.headers["Content-Disposition"].startswith("attachment;")
    assert "sandbox" in answer.headers["Content-Security-Policy"]
    assert portal.get("/mail/999/raw").status_code == 404


def test_a_person_lets_held_mail_join_the_ticket_that_it_names(
    portal: Visitor, agent: User, held: InboundMessage, database: Database
) -> None:
    page = portal.sign_in(agent).submit(f"/mail/{held.id}/join", {"ticket": "#1"}, follow_redirects=True).text
    assert "It joins ticket 1 in a moment. Its sender is not on that ticket and gets no replies" in page
    mail = stored(database, held)
    assert mail.state is InboundState.RECEIVED
    assert mail.person_order == {"action": "join", "ticket": 1, "by": agent.id}


def test_that_a_sender_gets_no_replies_is_said_only_where_they_are_not_on_the_ticket(
    portal: Visitor, agent: User, held: InboundMessage, database: Database
) -> None:
    with database.transaction() as session:
        session.get_one(InboundMessage, held.id).from_address = "Anna@brightmill.example"
    page = portal.sign_in(agent).submit(f"/mail/{held.id}/join", {"ticket": "1"}, follow_redirects=True).text
    assert "It joins ticket 1 in a moment.<" in page


@pytest.mark.parametrize(
    ("ticket", "sentence"), [("99", "There is no ticket 99."), ("", "Which ticket?"), ("x1", "Which ticket?")]
)
def test_held_mail_cannot_join_what_is_no_ticket(
    portal: Visitor, agent: User, held: InboundMessage, database: Database, ticket: str, sentence: str
) -> None:
    page = portal.sign_in(agent).submit(f"/mail/{held.id}/join", {"ticket": ticket}, follow_redirects=True).text
    assert sentence in page
    assert stored(database, held).state is InboundState.HELD


def test_a_person_makes_a_new_ticket_of_held_mail(
    portal: Visitor, agent: User, held: InboundMessage, database: Database
) -> None:
    portal.sign_in(agent).submit(f"/mail/{held.id}/ticket")
    order = stored(database, held).person_order
    assert order is not None
    assert order["action"] == "open"


def test_discarded_mail_stays_in_the_ledger_and_is_read_again_when_asked(
    portal: Visitor, agent: User, held: InboundMessage, database: Database
) -> None:
    portal.sign_in(agent)
    assert "It stays in the ledger" in portal.submit(f"/mail/{held.id}/discard", follow_redirects=True).text
    assert stored(database, held).state is InboundState.DISCARDED
    page = portal.get(f"/mail/{held.id}").text
    assert "Mira Steiner discarded it." in page
    assert "It goes by the rules like new mail" in page
    page = portal.submit(f"/mail/{held.id}/again", follow_redirects=True).text
    assert "<b>Waiting to be read</b>" in page
    assert "<p>Before: Mira Steiner discarded it.</p>" in page
    assert "It is about to be read again." in page
    assert "It has not been read yet" not in page
    assert "Before: Mira Steiner discarded it.</span>" in portal.get("/mail").text
    mail = stored(database, held)
    assert (mail.state, mail.attempts, mail.person_order) == (InboundState.RECEIVED, 0, None)


def test_mail_that_somebody_else_decided_about_meanwhile_is_left_alone(
    portal: Visitor, agent: User, held: InboundMessage, database: Database
) -> None:
    with database.transaction() as session:
        session.get_one(InboundMessage, held.id).state = InboundState.PROCESSED
    page = portal.sign_in(agent).submit(f"/mail/{held.id}/discard", follow_redirects=True).text
    assert f"Mail {held.id} has been processed meanwhile." in page
    assert stored(database, held).state is InboundState.PROCESSED


def test_a_bounce_is_noted_on_a_delivery_only_where_it_is_about_one(
    portal: Visitor, agent: User, arrive: Arrive
) -> None:
    noted = {"action": "record_bounce", "kind": "bounce"}
    lost = arrive(InboundState.PROCESSED, reason="It is about nothing that we sent.", **noted)
    ours = arrive(InboundState.PROCESSED, ticket_number=7, **noted)
    portal.sign_in(agent)
    assert "<dd>Noted as a bounce</dd>" in " ".join(portal.get(f"/mail/{lost.id}").text.split()).replace(
        " </dd>", "</dd>"
    )
    assert "Noted on a delivery of ticket 7" in portal.get(f"/mail/{ours.id}").text


def test_a_decision_needs_the_forms_token(portal: Visitor, agent: User, held: InboundMessage) -> None:
    portal.sign_in(agent)
    for action in ("join", "ticket", "again", "discard"):
        assert portal.post(f"/mail/{held.id}/{action}").status_code == 400


def test_mail_of_ours_that_did_not_arrive_is_listed_with_the_servers_words(
    portal: Visitor, agent: User, held: InboundMessage, database: Database, clock: Clock
) -> None:
    states = {
        "sent@x.example": (DeliveryState.SENT, None), "failed@x.example": (DeliveryState.FAILED, None),
        "unknown@x.example": (DeliveryState.UNKNOWN, None), "bounced@x.example": (DeliveryState.SENT, clock()),
    }  # fmt: skip
    with database.transaction() as session:
        session.add_all(
            Delivery(
                state=state,
                bounced_at=bounced,
                recipient=recipient,
                cause=DeliveryCause.REPLY,
                ticket_id=1,
                mailbox_id=held.mailbox_id,
                message_id=recipient,
                due_at=clock(),
                created_at=clock(),
                last_error=None if state is DeliveryState.SENT and not bounced else f"550 no {recipient}",
            )
            for recipient, (state, bounced) in states.items()
        )
    page = portal.sign_in(agent).get("/mail").text
    assert "3 mails." in page
    assert "sent@x.example" not in page
    for recipient in ("failed@x.example", "bounced@x.example"):
        assert f"550 no {recipient}" in page
    assert page.count("Send again</button>") == 4  # three, and all that failed
    assert page.count("It arrived</button>") == 1


def test_where_all_connections_are_in_use_the_page_says_that_nothing_is_lost(portal: Visitor, agent: User) -> None:
    def fail(*_: object) -> None:
        raise NoFreeConnectionError("all connections are in use")

    portal.sign_in(agent)
    event.listen(Engine, "before_cursor_execute", fail)
    try:
        page = portal.get("/mail")
    finally:
        event.remove(Engine, "before_cursor_execute", fail)
    assert page.status_code == 503
    assert "Nothing is lost" in page.text
