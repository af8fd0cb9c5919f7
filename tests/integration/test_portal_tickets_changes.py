"""What is done to tickets in the portal: answers, notes, status, properties, people, new tickets, deleting."""

from __future__ import annotations

import re
from collections.abc import Callable
from io import BytesIO

import pytest
from sqlalchemy import func, select

from shared.database import Database
from shared.models import (
    Article,
    ArticleKind,
    Attachment,
    Blob,
    Delivery,
    DeliveryCause,
    DeliveryState,
    Event,
    Mailbox,
    Participant,
    Priority,
    Role,
    Status,
    Ticket,
    User,
)
from tests.visitors import Clock, Visitor

Open = Callable[..., Ticket]


@pytest.fixture
def ticket(opened: Open, requester: User) -> Ticket:
    return opened(requester, "Invoice was charged twice")


def stored(database: Database, ticket: Ticket) -> Ticket:
    with database.reading() as session:
        return session.get_one(Ticket, ticket.id)


def last_article(database: Database) -> Article:
    with database.reading() as session:
        return session.scalars(select(Article).order_by(Article.id.desc()).limit(1)).one()


def mails(database: Database) -> list[tuple[DeliveryCause, str]]:
    with database.reading() as session:
        return [(copy.cause, copy.recipient) for copy in session.scalars(select(Delivery).order_by(Delivery.id))]


def test_an_agents_reply_is_queued_for_the_requester_in_the_same_step(
    portal: Visitor, agent: User, requester: User, ticket: Ticket, database: Database
) -> None:
    portal.sign_in(agent)
    data = {"kind": "reply", "text": "Hello Anna,\r\nit is on its way."}
    page = portal.submit(f"/tickets/{ticket.id}/answer", data, follow_redirects=True).text
    assert "Going out to Anna Kowalczyk." in page
    assert "it is on its way." in page
    article = last_article(database)
    assert article.kind is ArticleKind.REPLY
    assert article.text == "Hello Anna,\nit is on its way."
    assert mails(database) == [(DeliveryCause.REPLY, requester.email)]
    assert stored(database, ticket).status is Status.OPEN
    assert not stored(database, ticket).awaits_reply


def test_a_reply_carries_its_files_which_others_can_download(
    portal: Visitor, agent: User, ticket: Ticket, database: Database
) -> None:
    portal.sign_in(agent)
    files = [(BytesIO(b"%PDF-1"), "../Receipt ä.pdf"), (BytesIO(b"a;b"), "b.csv")]
    data = {"kind": "reply", "text": "Attached.", "files": files}
    answer = portal.submit(f"/tickets/{ticket.id}/answer", data, content_type="multipart/form-data")
    assert answer.status_code == 303
    with database.reading() as session:
        stored_files = session.scalars(select(Attachment).order_by(Attachment.id)).all()
        assert session.scalar(select(func.count()).select_from(Blob)) == 2
    assert [file.filename for file in stored_files] == ["Receipt ä.pdf", "b.csv"]
    path = f"/tickets/{ticket.id}/articles/{stored_files[0].article_id}/files/{stored_files[0].id}"
    assert portal.get(path).data == b"%PDF-1"


def test_an_empty_answer_is_refused_beside_the_field(
    portal: Visitor, agent: User, requester: User, visitor: Callable[[], Visitor], ticket: Ticket, database: Database
) -> None:
    for person in (agent, requester):
        answer = visitor().sign_in(person).submit(f"/tickets/{ticket.id}/answer", {"kind": "reply", "text": "  "})
        assert answer.status_code == 422
        assert "Write a few words." in answer.text
    assert mails(database) == []


def test_a_note_is_never_mailed(portal: Visitor, agent: User, ticket: Ticket, database: Database) -> None:
    portal.sign_in(agent)
    data = {"kind": "note", "text": "Second case this week."}
    page = portal.submit(f"/tickets/{ticket.id}/answer", data, follow_redirects=True).text
    assert "Nobody outside sees it." in page
    assert "Second case this week." in page
    assert last_article(database).kind is ArticleKind.NOTE
    assert mails(database) == []


def test_a_note_with_files_is_refused_and_its_words_are_kept(
    portal: Visitor, agent: User, ticket: Ticket, database: Database
) -> None:
    portal.sign_in(agent)
    data = {"kind": "note", "text": "Precious words", "files": [(BytesIO(b"x"), "x.txt")]}
    answer = portal.submit(f"/tickets/{ticket.id}/answer", data, content_type="multipart/form-data")
    assert answer.status_code == 422
    assert "A note carries no files." in answer.text
    assert "Precious words" in answer.text


def test_an_admin_replies_and_resolves_in_one_step_with_one_mail(
    portal: Visitor, admin: User, ticket: Ticket, database: Database
) -> None:
    portal.sign_in(admin)
    portal.submit(f"/tickets/{ticket.id}/answer", {"kind": "reply", "text": "Done.", "then": "resolved"})
    assert stored(database, ticket).status is Status.RESOLVED
    assert [cause for cause, _ in mails(database)] == [DeliveryCause.REPLY]


def test_an_agent_who_posts_a_status_with_a_reply_by_hand_gets_a_403_and_nothing_is_sent(
    portal: Visitor, agent: User, ticket: Ticket, database: Database
) -> None:
    portal.sign_in(agent)
    data = {"kind": "reply", "text": "Done.", "then": "resolved"}
    answer = portal.submit(f"/tickets/{ticket.id}/answer", data)
    assert answer.status_code == 403
    assert mails(database) == []
    assert stored(database, ticket).status is Status.NEW


def test_an_admin_changes_the_status_and_the_requester_is_told_by_mail(
    portal: Visitor, admin: User, requester: User, ticket: Ticket, database: Database
) -> None:
    portal.sign_in(admin)
    page = portal.submit(f"/tickets/{ticket.id}/status", {"status": "pending"}, follow_redirects=True).text
    assert "The ticket is pending now." in page
    assert stored(database, ticket).status is Status.PENDING
    assert mails(database) == [(DeliveryCause.STATUS, requester.email)]
    portal.submit(f"/tickets/{ticket.id}/status", {"status": "pending"})
    assert len(mails(database)) == 1


@pytest.mark.parametrize("who", ["agent", "requester"])
def test_nobody_but_an_admin_changes_a_status_also_by_hand(
    portal: Visitor, who: str, request: pytest.FixtureRequest, ticket: Ticket, database: Database
) -> None:
    portal.sign_in(request.getfixturevalue(who))
    assert portal.submit(f"/tickets/{ticket.id}/status", {"status": "closed"}).status_code == 403
    assert portal.submit("/tickets/4711/status", {"status": "closed"}).status_code == 403
    assert stored(database, ticket).status is Status.NEW
    assert f'action="/tickets/{ticket.id}/status"' not in portal.get(f"/tickets/{ticket.id}").text


def test_a_status_that_does_not_exist_or_no_csrf_token_changes_nothing(
    portal: Visitor, admin: User, ticket: Ticket, database: Database
) -> None:
    portal.sign_in(admin)
    portal.submit(f"/tickets/{ticket.id}/status", {"status": "king"})
    assert portal.post(f"/tickets/{ticket.id}/status", data={"status": "closed"}).status_code == 400
    assert stored(database, ticket).status is Status.NEW


def test_a_requesters_answer_opens_a_resolved_ticket_again(
    portal: Visitor, requester: User, ticket: Ticket, database: Database
) -> None:
    with database.transaction() as session:
        there = session.get_one(Ticket, ticket.id)
        there.status, there.awaits_reply = Status.RESOLVED, False
    portal.sign_in(requester)
    page = portal.submit(f"/tickets/{ticket.id}/answer", {"text": "Still broken"}, follow_redirects=True).text
    assert "Still broken" in page
    assert stored(database, ticket).status is Status.OPEN
    assert stored(database, ticket).awaits_reply


def test_a_requesters_answer_to_a_closed_ticket_opens_one_that_follows_it(
    portal: Visitor, requester: User, ticket: Ticket, database: Database
) -> None:
    with database.transaction() as session:
        session.get_one(Ticket, ticket.id).status = Status.CLOSED
    portal.sign_in(requester)
    answer = portal.submit(f"/tickets/{ticket.id}/answer", {"text": "One more thing"})
    assert answer.location.startswith(f"/tickets/{ticket.id + 1}")
    with database.reading() as session:
        assert session.get_one(Ticket, ticket.id + 1).follows_id == ticket.id


def test_a_requester_cannot_write_on_the_ticket_of_somebody_else_nor_a_note(
    portal: Visitor, account: Callable[..., User], ticket: Ticket, requester: User, visitor: Callable[[], Visitor],
    database: Database,
) -> None:  # fmt: skip
    portal.sign_in(account("stranger@mail.example"))
    assert portal.submit(f"/tickets/{ticket.id}/answer", {"text": "Hello"}).status_code == 404
    visitor().sign_in(requester).submit(f"/tickets/{ticket.id}/answer", {"text": "A note?", "kind": "note"})
    assert last_article(database).kind is ArticleKind.MESSAGE


def test_priority_subject_and_assignee_are_changed_by_agents(
    portal: Visitor, agent: User, admin: User, ticket: Ticket, database: Database
) -> None:
    portal.sign_in(agent)
    base = f"/tickets/{ticket.id}"
    portal.submit(f"{base}/priority", {"priority": "urgent"})
    portal.submit(f"{base}/subject", {"subject": "  A better\r\n subject "})
    page = portal.submit(f"{base}/assignee", {"assignee": admin.id}, follow_redirects=True).text
    now = stored(database, ticket)
    assert (now.priority, now.subject, now.assignee_id) == (Priority.URGENT, "A better subject", admin.id)
    assert "Assigned to <b><bdi>Jonas Okafor</bdi></b> by <b><bdi>Mira Steiner</bdi></b>" in page
    portal.submit(f"{base}/assignee", {"assignee": 0})
    assert stored(database, ticket).assignee_id is None


def test_wrong_values_change_nothing_and_are_said(
    portal: Visitor, agent: User, requester: User, ticket: Ticket, database: Database
) -> None:
    portal.sign_in(agent)
    for field, value in (("priority", "king"), ("subject", "  "), ("assignee", str(requester.id)), ("assignee", "x")):
        page = portal.submit(f"/tickets/{ticket.id}/{field}", {field: value}, follow_redirects=True).text
        assert 'role="alert"' in page
    with database.reading() as session:
        assert session.scalar(select(func.count()).select_from(Event)) == 1


@pytest.mark.parametrize("what", ["priority", "subject", "assignee", "participants", "delete"])
def test_requesters_change_no_properties_also_by_hand(
    portal: Visitor, requester: User, ticket: Ticket, what: str
) -> None:
    portal.sign_in(requester)
    data = {"priority": "urgent", "subject": "x", "assignee": "0", "email": "x@mail.example"}
    assert portal.submit(f"/tickets/{ticket.id}/{what}", data).status_code == 403


def test_people_are_put_in_copy_and_taken_off_again(
    portal: Visitor, agent: User, requester: User, ticket: Ticket, database: Database
) -> None:
    portal.sign_in(agent)
    path = f"/tickets/{ticket.id}/participants"
    page = portal.submit(path, {"email": "piotr@brightmill.example"}, follow_redirects=True).text
    assert "piotr@brightmill.example gets a copy of each reply from now on." in page
    with database.reading() as session:
        piotr = session.scalars(select(Participant).where(Participant.user_id != requester.id)).one()
    portal.submit(f"/tickets/{ticket.id}/answer", {"kind": "reply", "text": "To both"})
    assert [recipient for _, recipient in mails(database)] == [requester.email, "piotr@brightmill.example"]
    assert "off the ticket" in portal.submit(f"{path}/{piotr.user_id}/remove", follow_redirects=True).text
    portal.submit(f"/tickets/{ticket.id}/answer", {"kind": "reply", "text": "To her alone"})
    assert len(mails(database)) == 3
    refused = portal.submit(f"{path}/{requester.id}/remove", follow_redirects=True).text
    assert "The requester cannot be taken off the ticket." in refused
    assert "That is not a mail address" in portal.submit(path, {"email": "nobody"}, follow_redirects=True).text


@pytest.mark.parametrize("own", ["support@desk.example", "Support+sales@Desk.example", "old@desk.example"])
def test_an_address_of_the_desk_is_nobody_on_a_ticket(
    portal: Visitor, agent: User, ticket: Ticket, database: Database, clock: Clock, own: str
) -> None:
    with database.transaction() as session:
        session.add(
            Mailbox(address="old@desk.example", address_key="old@desk.example", created_at=clock(), is_active=False)
        )
    portal.sign_in(agent)
    page = portal.submit(f"/tickets/{ticket.id}/participants", {"email": own}, follow_redirects=True).text
    assert f"{own} is an address of this desk" in page
    asked = {"requester": own, "subject": "Hello", "text": "Hi", "mailbox": 1, "priority": "normal", "acknowledge": "y"}
    for answer, field in (
        (portal.submit("/tickets/new", asked), "requester"),
        (portal.submit("/tickets/new", asked | {"requester": "anna@brightmill.example", "cc": own}), "cc"),
    ):
        assert answer.status_code == 422
        assert re.search(rf'id="{field}-error".*{re.escape(own)} is an address of this desk', answer.text)
    with database.reading() as session:
        assert session.scalar(select(func.count()).select_from(Ticket)) == 1
        assert session.scalar(select(func.count()).select_from(Participant)) == 1
    assert mails(database) == []


def test_a_reply_leaves_out_whoever_became_a_mailbox_of_the_desk(
    portal: Visitor, agent: User, ticket: Ticket, database: Database, clock: Clock
) -> None:
    portal.sign_in(agent)
    portal.submit(f"/tickets/{ticket.id}/participants", {"email": "sales@desk.example"})
    with database.transaction() as session:
        session.add(Mailbox(address="sales@desk.example", address_key="sales@desk.example", created_at=clock()))
    portal.submit(f"/tickets/{ticket.id}/answer", {"kind": "reply", "text": "On its way."})
    assert mails(database) == [(DeliveryCause.REPLY, "anna@brightmill.example")]


def test_deleting_asks_first_and_the_number_is_never_used_again(
    portal: Visitor, admin: User, requester: User, ticket: Ticket, opened: Open, database: Database
) -> None:
    portal.sign_in(admin)
    path = f"/tickets/{ticket.id}/delete"
    assert f"Delete ticket {ticket.id}?" in portal.get(path).text
    assert portal.get(f"/tickets/{ticket.id}").status_code == 200
    page = portal.submit(path, follow_redirects=True).text
    assert f"Ticket {ticket.id} is deleted." in page
    assert portal.get(f"/tickets/{ticket.id}").status_code == 404
    assert opened(requester, "The next one").id == ticket.id + 1
    assert portal.submit(path).status_code == 404


def test_agents_delete_nothing(portal: Visitor, agent: User, ticket: Ticket) -> None:
    portal.sign_in(agent)
    assert portal.get(f"/tickets/{ticket.id}/delete").status_code == 403
    assert portal.submit(f"/tickets/{ticket.id}/delete").status_code == 403


def test_a_requester_opens_a_ticket_and_is_told_by_mail(portal: Visitor, requester: User, database: Database) -> None:
    portal.sign_in(requester)
    data = {"subject": "No access", "text": "Since this morning.", "files": [(BytesIO(b"x"), "shot.png")]}
    page = portal.submit("/tickets/new", data, content_type="multipart/form-data", follow_redirects=True).text
    assert "Opened ticket 1." in page
    assert "Since this morning." in page
    assert "shot.png" in page
    assert mails(database) == [(DeliveryCause.ACKNOWLEDGEMENT, requester.email)]


def test_an_agent_opens_a_ticket_on_behalf_of_somebody_new_with_copies(
    portal: Visitor, agent: User, database: Database
) -> None:
    portal.sign_in(agent)
    with database.reading() as session:
        mailbox = session.scalars(select(Ticket.mailbox_id)).first() or 1
    data = {
        "requester": "Lena.Vogt@nordlicht.example", "name": "Lena Vogt", "cc": "a@x.example, b@x.example a@x.example",
        "subject": "Called about order 5512", "text": "She called.", "priority": "high", "mailbox": mailbox,
    }  # fmt: skip
    page = portal.submit("/tickets/new", data, follow_redirects=True).text
    assert "Lena Vogt" in page
    assert "Opened on behalf of" in page
    with database.reading() as session:
        ticket = session.get_one(Ticket, 1)
        assert ticket.requester.email == "Lena.Vogt@nordlicht.example"
        assert ticket.requester.role is Role.REQUESTER
        assert ticket.priority is Priority.HIGH
        assert session.scalar(select(func.count()).select_from(Participant)) == 3
    assert mails(database) == []


def test_a_new_ticket_with_faults_is_shown_again_with_them(portal: Visitor, agent: User, database: Database) -> None:
    portal.sign_in(agent)
    data = {"requester": "nobody", "cc": "a@x.example rubbish", "subject": " ", "text": "Kept words"}
    answer = portal.submit("/tickets/new", data)
    assert answer.status_code == 422
    for sentence in (
        "That is not a mail address",
        "“rubbish” is not a mail address.",
        "What is it about?",
        "Kept words",
    ):
        assert sentence in answer.text
    with database.reading() as session:
        assert session.scalar(select(func.count()).select_from(Ticket)) == 0


def test_requesters_decide_nothing_about_deliveries_and_sent_mail_is_not_sent_twice(
    visitor: Callable[[], Visitor], agent: User, requester: User, ticket: Ticket, database: Database, clock: Clock
) -> None:
    staff = visitor().sign_in(agent)
    staff.submit(f"/tickets/{ticket.id}/answer", {"kind": "reply", "text": "Hello"})
    with database.transaction() as session:
        copy = session.scalars(select(Delivery)).one()
        copy.state = DeliveryState.UNKNOWN
    assert visitor().sign_in(requester).submit(f"/deliveries/{copy.id}/again").status_code == 403
    staff.submit(f"/deliveries/{copy.id}/arrived")
    staff.submit(f"/deliveries/{copy.id}/again")
    with database.reading() as session:
        assert session.get_one(Delivery, copy.id).state is DeliveryState.SENT
