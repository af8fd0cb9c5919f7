"""From a mail to a ticket to a mail, with the real command, over real SMTP and HTTP."""

from __future__ import annotations

import re
from email.message import EmailMessage
from email.utils import parseaddr

from tests.e2e.conftest import ADMIN, AGENT, CODE
from tests.e2e.desk import PASSWORD, Client, Desk, mail, text_of

ANNA = "anna@brightmill.example"
FIRST = "<kettle.1@brightmill.example>"
KETTLE = mail(f"Anna Kowalczyk <{ANNA}>", "The kettle does not switch off", Message_ID=FIRST)


def open_ticket(desk: Desk) -> EmailMessage:
    """Anna writes, and what she gets back is returned."""
    desk.send(KETTLE, ANNA)
    return desk.mail_to(ANNA)


def answer_to(received: EmailMessage, sender: str, message_id: str, text: str = "It still boils.\n") -> bytes:
    """What a mail client writes when somebody answers a mail."""
    return mail(
        sender,
        f"Re: {received['Subject']}",
        text,
        To=str(received["Reply-To"]),
        Message_ID=message_id,
        In_Reply_To=received["Message-ID"],
        References=f"{received['References'] or ''} {received['Message-ID']}".strip(),
    )


def test_a_strangers_mail_becomes_a_ticket_and_is_acknowledged_in_its_thread(either_desk: Desk) -> None:
    receipt = open_ticket(either_desk)
    assert receipt["In-Reply-To"] == FIRST
    assert FIRST in receipt["References"]
    assert receipt["Message-ID"] != FIRST
    assert receipt["Subject"] == "[#1] The kettle does not switch off"
    assert receipt["Auto-Submitted"] == "auto-replied"
    assert receipt["Return-Path"] == "<>"
    assert parseaddr(receipt["From"])[1] == "support@desk.example"
    counts = either_desk.settled(1)
    assert (counts["tickets"]["new"], counts["articles"], counts["deliveries"]["sent"]) == (1, 1, 1)


def test_the_answer_to_an_acknowledgement_joins_the_ticket(either_desk: Desk) -> None:
    receipt = open_ticket(either_desk)
    address = parseaddr(receipt["Reply-To"])[1]
    assert re.fullmatch(r"support\+[a-z0-9.-]+@desk\.example", address)
    either_desk.send(answer_to(receipt, ANNA, "<kettle.2@brightmill.example>"), ANNA, address)
    counts = either_desk.settled(2)
    assert (sum(counts["tickets"].values()), counts["articles"]) == (1, 2)
    assert len(either_desk.outgoing()) == 1


def test_somebody_else_with_only_the_number_in_the_subject_is_held(either_desk: Desk) -> None:
    open_ticket(either_desk)
    robin = "robin@elsewhere.example"
    either_desk.send(mail(robin, "[#1] any news?", Message_ID="<news@elsewhere.example>"), robin)
    counts = either_desk.settled(2)
    assert counts["inbound"]["held"] == 1
    assert (sum(counts["tickets"].values()), counts["articles"]) == (1, 1)
    assert not either_desk.outgoing(robin)


def test_the_same_bytes_again_make_nothing_new(either_desk: Desk) -> None:
    open_ticket(either_desk)
    either_desk.send(KETTLE, ANNA)
    counts = either_desk.settled(2)
    assert (counts["inbound"]["processed"], counts["inbound"]["discarded"]) == (1, 1)
    assert (sum(counts["tickets"].values()), counts["articles"]) == (1, 1)
    assert len(either_desk.outgoing()) == 1


def test_an_automatic_answer_is_stored_and_never_answered(either_desk: Desk) -> None:
    receipt = open_ticket(either_desk)
    away = answer_to(receipt, ANNA, "<away@brightmill.example>", "I am away until Friday.\n")
    either_desk.send(b"Auto-Submitted: auto-replied\r\n" + away, "", parseaddr(receipt["Reply-To"])[1])
    alert = mail("alerts@watchtower.example", "Disk full", Message_ID="<alert@watchtower.example>", Precedence="bulk")
    either_desk.send(alert, "alerts@watchtower.example")
    counts = either_desk.settled(3)
    assert (sum(counts["tickets"].values()), counts["articles"]) == (2, 3)
    assert counts["tickets"]["new"] == 2
    assert len(either_desk.outgoing()) == 1


def test_an_admin_changes_the_status_and_the_requester_is_told_in_the_thread(either_desk: Desk) -> None:
    receipt = open_ticket(either_desk)
    either_desk.add_user(ADMIN, "admin", "Jonas Okafor")
    admin = Client(either_desk)
    assert admin.sign_in(ADMIN).path != "/login"
    page = admin.submit("/tickets/1/status", at="/tickets/1", status="resolved")
    assert (page.status, page.path) == (200, "/tickets/1")
    notice = either_desk.mail_to(ANNA, 2)
    assert FIRST in notice["References"]
    assert notice["In-Reply-To"] in {FIRST, receipt["Message-ID"]}
    assert notice["Auto-Submitted"] == "auto-generated"
    assert notice["Subject"].startswith("[#1] ")
    counts = either_desk.settled(1)
    assert (counts["tickets"]["resolved"], counts["articles"], counts["deliveries"]["sent"]) == (1, 1, 2)


def test_an_answer_opens_a_resolved_ticket_again(desk: Desk) -> None:
    receipt = open_ticket(desk)
    desk.add_user(ADMIN, "admin")
    admin = Client(desk)
    admin.sign_in(ADMIN)
    admin.submit("/tickets/1/status", at="/tickets/1", status="resolved")
    desk.send(answer_to(receipt, ANNA, "<kettle.2@brightmill.example>"), ANNA)
    assert desk.settled(2)["tickets"]["open"] == 1


def test_requesters_and_agents_who_post_a_status_by_hand_are_refused(desk: Desk) -> None:
    open_ticket(desk)
    desk.add_user(ANNA)
    desk.add_user(AGENT, "agent")
    for email in (ANNA, AGENT):
        client = Client(desk)
        client.sign_in(email)
        assert client.get("/tickets/1").status == 200
        assert client.submit("/tickets/1/status", at="/tickets/1", status="closed").status == 403
    counts = desk.settled(1)
    assert (counts["tickets"]["new"], counts["deliveries"]["sent"]) == (1, 1)


def test_an_agents_answer_goes_out_in_the_thread(desk: Desk) -> None:
    open_ticket(desk)
    desk.add_user(AGENT, "agent", "Mira Steiner")
    agent = Client(desk)
    agent.sign_in(AGENT)
    agent.submit("/tickets/1/answer", at="/tickets/1", kind="reply", text="Pull the plug, please.", then="")
    reply = desk.mail_to(ANNA, 2)
    assert "Pull the plug, please." in text_of(reply)
    assert FIRST in reply["References"]
    assert reply["Auto-Submitted"] is None
    agent.submit("/tickets/1/answer", at="/tickets/1", kind="note", text="She is a good customer.", then="")
    counts = desk.settled(1)
    assert (counts["articles"], counts["deliveries"]["sent"], counts["tickets"]["open"]) == (3, 2, 1)


def test_who_registers_gets_a_link_and_signs_in_behind_it(either_desk: Desk) -> None:
    guest = Client(either_desk)
    email = "li@qinghe.example"
    entered = {"name": "Li", "username": "li", "email": email, "password": PASSWORD, "again": PASSWORD}
    assert guest.submit("/register", **entered).path == "/register/sent"
    assert Client(either_desk).sign_in(email).path == "/login"
    link = re.search(r"http://\S+(/confirm/\S+)", text_of(either_desk.mail_to(email)))
    assert link
    assert guest.submit(link[1], password=PASSWORD, username="li").status == 200
    assert Client(either_desk).sign_in("LI").path.startswith("/tickets")


def test_who_has_the_code_registers_as_an_administrator(either_desk: Desk) -> None:
    guest = Client(either_desk)
    entered = {"name": "Ada", "username": "", "email": ADMIN, "password": PASSWORD, "again": PASSWORD}
    assert guest.submit("/register/admin", **entered).path == "/register/admin/code"
    assert guest.submit("/register/admin/code", code="guessed").status == 422
    assert guest.submit("/register/admin/code", code=CODE).path == "/register/sent"
    link = re.search(r"http://\S+(/confirm/\S+)", text_of(either_desk.mail_to(ADMIN)))
    assert link
    assert guest.submit(link[1], password=PASSWORD).status == 200
    assert "admin" in either_desk.done("user", "list")
