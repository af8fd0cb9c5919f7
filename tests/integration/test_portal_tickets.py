"""The list of tickets and a ticket's page: who sees which, in which order, and what stands in a thread."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from shared import ticket_properties, tickets
from shared.database import Database
from shared.models import (
    Article,
    ArticleKind,
    Attachment,
    Delivery,
    DeliveryState,
    InboundMessage,
    InboundRaw,
    InboundState,
    Status,
    Ticket,
    User,
)
from shared.people import find_or_create
from shared.tokens import Tokens
from tests.visitors import Clock, Visitor

Open = Callable[..., Ticket]


def arrived(session: Session, mailbox: int, now: datetime, **options: object) -> InboundMessage:
    """A mail that was taken in and read."""
    options.setdefault("state", InboundState.PROCESSED)
    mail = InboundMessage(source="smtp", mailbox_id=mailbox, due_at=now, received_at=now, size=9, **options)
    mail.raw = InboundRaw(content=b"")
    session.add(mail)
    session.flush()
    return mail


def test_the_list_shows_every_ticket_to_an_agent_the_last_active_first(
    portal: Visitor, agent: User, requester: User, opened: Open, clock: Clock
) -> None:
    opened(requester, "The older one")
    clock.advance(minutes=5)
    opened(requester, "The newer one")
    page = portal.sign_in(agent).get("/tickets").text
    assert page.index("The newer one") < page.index("The older one")
    assert "2 tickets" in page


def test_the_list_is_filtered_by_status_and_odd_parameters_are_ignored(
    portal: Visitor, agent: User, requester: User, opened: Open, database: Database
) -> None:
    opened(requester, "Stays new")
    done = opened(requester, "Is done")
    with database.transaction() as session:
        session.get_one(Ticket, done.id).status = Status.RESOLVED
    portal.sign_in(agent)
    resolved = portal.get("/tickets?status=resolved").text
    assert "Is done" in resolved
    assert "Stays new" not in resolved
    assert "No ticket is pending" in portal.get("/tickets?status=pending").text
    for odd in ("status=king", "view=king", "page=0", "page=99", "per_page=7"):
        assert portal.get(f"/tickets?{odd}").status_code == 200


def test_the_list_has_pages_of_a_chosen_size(portal: Visitor, agent: User, requester: User, opened: Open) -> None:
    for n in range(30):
        opened(requester, f"Subject {n:02}")
    portal.sign_in(agent)
    assert "1 to 25 of 30 tickets" in portal.get("/tickets").text
    assert "26 to 30 of 30 tickets" in portal.get("/tickets?page=2").text
    assert "1 to 30 of 30 tickets" in portal.get("/tickets?per_page=50").text


def test_views_show_what_is_mine_what_nobody_has_and_what_needs_a_reply(
    portal: Visitor, agent: User, requester: User, opened: Open, database: Database
) -> None:
    opened(requester, "Nobody has it")
    mine = opened(requester, "It is mine")
    with database.transaction() as session:
        ticket = session.get_one(Ticket, mine.id)
        ticket.assignee_id, ticket.awaits_reply = agent.id, False
    portal.sign_in(agent)
    shown = {view: portal.get(f"/tickets?view={view}").text for view in ("mine", "unassigned", "needs")}
    assert {view: "It is mine" in page for view, page in shown.items()} == {
        "mine": True, "unassigned": False, "needs": False,
    }  # fmt: skip
    assert {view: "Nobody has it" in page for view, page in shown.items()} == {
        "mine": False, "unassigned": True, "needs": True,
    }  # fmt: skip


def test_a_requester_sees_their_own_tickets_and_those_they_are_in_copy_of(
    portal: Visitor, requester: User, account: Callable[..., User], opened: Open
) -> None:
    other = account("piotr@brightmill.example")
    mine, theirs = opened(requester, "My own"), opened(other, "Not mine")
    copied = opened(other, "In copy", cc=[requester])
    portal.sign_in(requester)
    page = portal.get("/tickets").text
    assert "My own" in page
    assert "In copy" in page
    assert "Not mine" not in page
    assert portal.get(f"/tickets/{mine.id}").status_code == 200
    assert portal.get(f"/tickets/{copied.id}").status_code == 200
    assert portal.get(f"/tickets/{theirs.id}").status_code == 404
    assert portal.get("/tickets/mine", follow_redirects=True).status_code == 200


def test_whoever_was_taken_off_a_ticket_sees_it_no_more(
    portal: Visitor, requester: User, agent: User, account: Callable[..., User], opened: Open, database: Database,
    clock: Clock,
) -> None:  # fmt: skip
    ticket = opened(account("piotr@brightmill.example"), "In copy", cc=[requester])
    with database.transaction() as session:
        there = session.get_one(Ticket, ticket.id)
        staff = session.get_one(User, agent.id)
        ticket_properties.remove_participant(
            session, there, session.get_one(User, requester.id), actor=staff, now=clock()
        )
    portal.sign_in(requester)
    assert portal.get(f"/tickets/{ticket.id}").status_code == 404
    assert "In copy" not in portal.get("/tickets").text


def test_nobody_sees_tickets_without_signing_in(portal: Visitor, requester: User, opened: Open) -> None:
    ticket = opened(requester, "Private matter")
    for path in ("/tickets", f"/tickets/{ticket.id}", "/tickets/new", "/mail"):
        answer = portal.get(path)
        assert answer.status_code == 303
        assert "/login" in answer.location


def test_numbers_that_are_no_tickets_are_not_found(portal: Visitor, agent: User) -> None:
    portal.sign_in(agent)
    for number in ("0", "77", "999999999999999", "9999999999999999999999"):
        assert portal.get(f"/tickets/{number}").status_code == 404


def test_the_words_of_a_letter_are_escaped_and_its_links_can_be_followed(
    portal: Visitor, agent: User, requester: User, opened: Open
) -> None:
    text = "<script>alert(1)</script> see https://a.example/x?a=1&b=2. and\n\n(https://b.example/y)"
    ticket = opened(requester, "<b>Bold</b>", text=text)
    page = portal.sign_in(agent).get(f"/tickets/{ticket.id}").text
    assert "<script>alert" not in page
    assert "<b>Bold</b>" not in page
    assert 'href="https://a.example/x?a=1&amp;b=2"' in page
    assert 'href="https://b.example/y"' in page


def test_quotes_are_folded_with_their_line_count_and_are_still_there(
    portal: Visitor, agent: User, requester: User, opened: Open, database: Database
) -> None:
    ticket = opened(requester, "Folds", text="New words\n> old words\n> more old words\n-- \nAnna")
    with database.transaction() as session:
        article = session.scalars(select(Article)).one()
        article.folds = [[1, 3, "quote"], [3, 5, "signature"], [4, 99, "quote"]]
    page = portal.sign_in(agent).get(f"/tickets/{ticket.id}").text
    assert "Quoted text, 2 lines" in page
    assert "Signature, 2 lines" in page
    assert "&gt; old words" in page


def test_a_letter_that_is_too_long_for_a_page_is_cut_and_shown_whole_elsewhere(
    portal: Visitor, agent: User, requester: User, opened: Open
) -> None:
    ticket = opened(requester, "Long", text="word " * 20_000 + "the very end")
    portal.sign_in(agent)
    page = portal.get(f"/tickets/{ticket.id}").text
    assert "the very end" not in page
    whole = portal.get(f"/tickets/{ticket.id}/articles/{first_article(page)}/text")
    assert whole.text.endswith("the very end")
    assert whole.content_type == "text/plain; charset=utf-8"


def first_article(page: str) -> int:
    return int(page.split('class="letter " id="a', 1)[1].split('"', 1)[0])


def test_requesters_see_no_notes_no_events_of_staff_and_no_traces(
    portal: Visitor, requester: User, agent: User, opened: Open, database: Database, clock: Clock
) -> None:
    ticket = opened(requester, "Mine")
    with database.transaction() as session:
        there, staff = session.get_one(Ticket, ticket.id), session.get_one(User, agent.id)
        written = tickets.note(session, there, author=staff, text="Between ourselves", now=clock())
        ticket_properties.assign(session, there, staff, actor=staff, now=clock())
    page = portal.sign_in(requester).get(f"/tickets/{ticket.id}").text
    assert "Between ourselves" not in page
    assert "Assigned to" not in page
    assert "Why did this mail land here" not in page
    assert agent.email not in page
    assert "Between ourselves" not in portal.get("/tickets").text
    assert portal.get(f"/tickets/{ticket.id}/articles/{written.id}/text").status_code == 404


def test_a_thread_says_why_a_mail_landed_there(
    portal: Visitor, agent: User, requester: User, opened: Open, database: Database, clock: Clock
) -> None:
    ticket = opened(requester, "Traced")
    clue = {"kind": "subject_tag", "value": "[#9]", "ticket": 9, "used": False, "note": "The sender is not on it."}
    with database.transaction() as session:
        article = session.scalars(select(Article)).one()
        mail = arrived(session, ticket.mailbox_id, clock(), reason="It names no ticket.", clues=[clue], kind="normal")
        article.inbound_id = mail.id
    page = portal.sign_in(agent).get(f"/tickets/{ticket.id}").text
    assert "Why did this mail land here?" in page
    assert "It names no ticket." in page
    assert "[#9]" in page
    assert "The sender is not on it." in page
    assert f"/mail/{mail.id}/raw" in page


def test_a_ticket_of_mail_that_is_older_than_its_mailbox_says_that_nobody_was_told(
    portal: Visitor, agent: User, requester: User, opened: Open, database: Database, clock: Clock
) -> None:
    ticket = opened(requester, "From last year")
    with database.transaction() as session:
        article = session.scalars(select(Article)).one()
        mail = arrived(session, ticket.mailbox_id, clock(), quiet=True, action="open_ticket")
        article.inbound_id = mail.id
    said = "It is older than the connection of its mailbox, so nobody was told."
    assert said in portal.sign_in(agent).get(f"/tickets/{ticket.id}").text
    with database.transaction() as session:
        session.get_one(InboundMessage, mail.id).quiet = False
    assert said not in portal.get(f"/tickets/{ticket.id}").text


def test_whoever_wrote_without_being_on_the_ticket_is_put_in_copy_with_one_click(
    portal: Visitor, agent: User, requester: User, account: Callable[..., User], opened: Open, database: Database
) -> None:
    ticket = opened(requester, "Invoice")
    marta = account("marta@webmail.example")
    with database.transaction() as session:
        article = session.scalars(select(Article)).one()
        article.author_id, article.stranger = marta.id, True
    page = portal.sign_in(agent).get(f"/tickets/{ticket.id}").text
    assert "not on the ticket</span>" in page
    form = re.search(r'<form id="add-1" method="post" action="([^"]+)".*?name="email" value="([^"]+)"', page)
    assert form
    assert form[2] == marta.email
    page = portal.submit(form[1], {"email": form[2]}, follow_redirects=True).text
    assert "marta@webmail.example gets a copy of each reply from now on." in page
    assert "not on the ticket then</span>" in page
    assert "Put in copy" not in page


def test_a_delivery_that_failed_is_shown_with_the_servers_words_and_can_be_sent_again(
    portal: Visitor, agent: User, requester: User, opened: Open, database: Database, tokens: Tokens, clock: Clock
) -> None:
    ticket = opened(requester, "Returned")
    with database.transaction() as session:
        there, staff = session.get_one(Ticket, ticket.id), session.get_one(User, agent.id)
        tickets.reply(session, there, author=staff, text="Here", now=clock(), tokens=tokens)
        copy = session.scalars(select(Delivery)).one()
        copy.state, copy.last_error = DeliveryState.FAILED, "550 5.1.1 <anna@x>: user unknown"
    portal.sign_in(agent)
    page = portal.get(f"/tickets/{ticket.id}").text
    assert "550 5.1.1 &lt;anna@x&gt;: user unknown" in page
    assert "Send again" in page
    assert "returned" in portal.get("/tickets").text
    answer = portal.submit(f"/deliveries/{copy.id}/again", {"next": f"/tickets/{ticket.id}"})
    assert answer.location == f"/tickets/{ticket.id}"
    with database.reading() as session:
        assert session.get_one(Delivery, copy.id).state is DeliveryState.QUEUED
    again = portal.submit(f"/deliveries/{copy.id}/again", {"next": "//evil.example"}, follow_redirects=True)
    assert "does not wait for a decision any more" in again.text


@pytest.fixture
def with_files(
    opened: Open, requester: User, database: Database, clock: Clock
) -> tuple[Ticket, Article, dict[str, int]]:
    """A ticket made of a mail with a PDF, an HTML file and a picture in its text."""
    ticket = opened(requester, "Files")
    with database.transaction() as session:
        article = session.scalars(select(Article)).one()
        mail = arrived(session, ticket.mailbox_id, clock())
        mail.raw.content = bytes.fromhex("28b52ffd2000010000")  # an empty mail, compressed
        article.inbound_id = mail.id
        article.html = '<p>Laid <b>out</b></p><img src="cid:logo@x"><img src="cid:gone"><img data-remote-src="https://t.example/p.gif">'
        kinds = [
            ("2", 'Räch"nung\r\n.pdf', "application/pdf"),
            ("3", "page.html", "text/html"),
            ("4", "p.png", "image/png"),
        ]
        article.attachments = [
            Attachment(part=part, filename=name, content_type=kind, size=3, sha256="0" * 64)
            for part, name, kind in kinds
        ]
        article.attachments[2].inline, article.attachments[2].content_id = True, "logo@x"
        session.flush()
        return ticket, article, {file.part or "": file.id for file in article.attachments}


def test_files_are_downloads_and_only_pictures_are_shown_in_place(
    portal: Visitor, agent: User, with_files: tuple[Ticket, Article, dict[str, int]]
) -> None:
    ticket, article, files = with_files
    portal.sign_in(agent)
    base = f"/tickets/{ticket.id}/articles/{article.id}/files"
    pdf, page, picture = (portal.get(f"{base}/{files[part]}") for part in "234")
    for answer in (pdf, page):
        assert answer.headers["Content-Disposition"].startswith("attachment;")
        assert answer.content_type == "application/octet-stream"
        assert "sandbox" in answer.headers["Content-Security-Policy"]
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert "filename*=UTF-8''R%C3%A4ch%22nung" in pdf.headers["Content-Disposition"]
    assert pdf.data == b"2 of 0"
    assert picture.content_type == "image/png"
    assert "Content-Disposition" not in picture.headers
    assert portal.get(f"/tickets/{ticket.id}/articles/{article.id + 1}/files/{files['2']}").status_code == 404
    assert portal.get(f"{base}/999").status_code == 404


def test_no_file_is_taken_out_of_a_mail_that_could_not_be_read_the_last_time(
    portal: Visitor, agent: User, with_files: tuple[Ticket, Article, dict[str, int]], database: Database
) -> None:
    ticket, article, files = with_files
    base = f"/tickets/{ticket.id}/articles/{article.id}"
    portal.sign_in(agent)
    assert "data:image/png;base64," in portal.get(f"{base}/html").text
    with database.transaction() as session:
        session.get_one(InboundMessage, article.inbound_id).last_error = "it ended the process that read it"
    refused = portal.get(f"{base}/files/{files['2']}")
    assert (refused.status_code, "could not be read the last time" in refused.text) == (409, True)
    assert "data:image/png;base64," not in portal.get(f"{base}/html").text
    assert portal.get(f"/mail/{article.inbound_id}/raw").status_code == 200


def test_files_and_html_of_others_are_not_there(
    portal: Visitor, account: Callable[..., User], with_files: tuple[Ticket, Article, dict[str, int]]
) -> None:
    ticket, article, files = with_files
    portal.sign_in(account("stranger@mail.example"))
    base = f"/tickets/{ticket.id}/articles/{article.id}"
    for path in (f"{base}/files/{files['2']}", f"{base}/html", f"{base}/text"):
        assert portal.get(path).status_code == 404
    assert portal.get(f"/mail/{article.inbound_id}/raw").status_code == 403


def test_the_laid_out_view_is_locked_and_loads_nothing_from_elsewhere_until_asked(
    portal: Visitor, requester: User, with_files: tuple[Ticket, Article, dict[str, int]]
) -> None:
    ticket, article, _ = with_files
    portal.sign_in(requester)
    path = f"/tickets/{ticket.id}/articles/{article.id}/html"
    plain, asked = portal.get(path), portal.get(f"{path}?images=1")
    policy = plain.headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "https:" not in policy
    assert "allow-scripts" not in policy
    assert "allow-same-origin" not in policy
    assert 'src="data:image/png;base64,' in plain.text
    assert "cid:" not in plain.text
    assert ' src="https://t.example/p.gif"' not in plain.text
    assert ' src="https://t.example/p.gif"' in asked.text
    assert "https:" in asked.headers["Content-Security-Policy"]
    assert f'src="{path}"' in portal.get(f"/tickets/{ticket.id}").text


def test_signed_addresses_are_not_shown_to_those_in_copy(
    portal: Visitor, requester: User, opened: Open, database: Database, tokens: Tokens
) -> None:
    ticket = opened(requester, "Signed")
    suffix = tokens.reply_suffix(ticket.id, "anna@brightmill.example")
    with database.transaction() as session:
        session.scalars(select(Article)).one().to = [[f"support+{suffix}@desk.example", ""]]
    page = portal.sign_in(requester).get(f"/tickets/{ticket.id}").text
    assert "support@desk.example" in page
    assert suffix not in page


def test_a_long_thread_begins_with_its_newest_letters_and_shows_all_when_asked(
    portal: Visitor, agent: User, requester: User, opened: Open, database: Database, clock: Clock
) -> None:
    ticket = opened(requester, "Long", text="The very first")
    with database.transaction() as session:
        for n in range(120):
            clock.advance(minutes=1)
            session.add(Article(ticket_id=ticket.id, kind=ArticleKind.MESSAGE, author_id=requester.id,
                                text=f"Letter {n}.", created_at=clock()))  # fmt: skip
    portal.sign_in(agent)
    page = portal.get(f"/tickets/{ticket.id}").text
    assert "Show 21 earlier letters" in page
    assert "The very first" not in page
    assert "Letter 119." in page
    assert "The very first" in portal.get(f"/tickets/{ticket.id}?all=1").text


def test_a_person_in_copy_is_named_in_the_thread_page(
    portal: Visitor, agent: User, requester: User, opened: Open, database: Database, clock: Clock
) -> None:
    with database.transaction() as session:
        piotr = find_or_create(session, "piotr@brightmill.example", "Piotr Nowak", clock())
    ticket = opened(requester, "Copied", cc=[piotr])
    assert "Piotr Nowak" in portal.sign_in(agent).get(f"/tickets/{ticket.id}").text
