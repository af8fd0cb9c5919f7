"""A desk without its edges: mails are laid into the ledger, and the pipeline takes them from there."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import TypeVar

from sqlalchemy import inspect, select

from intake.pipeline import Pipeline
from intake.reading import Reader
from intake.receiving.ledger import compress, store
from intake.types import RawMessage, Source
from shared import people
from shared.addresses import address_key
from shared.database import Base, Database
from shared.models import (
    Article,
    Delivery,
    Event,
    EventKind,
    InboundMessage,
    Mailbox,
    Participant,
    Role,
    Ticket,
    User,
)
from shared.tokens import Tokens
from tests.visitors import Clock

DESK = "support@desk.example"
SALES = "sales@desk.example"
ANNA = "anna@brightmill.example"
BOB = "bob@brightmill.example"
EVE = "eve@elsewhere.example"

Row = TypeVar("Row", bound=Base)

_numbers = itertools.count(1)


def mail(
    text: str = "Please come.",
    *,
    sender: str | None = ANNA,
    to: str = DESK,
    subject: str = "The printer is on fire",
    message_id: str | None = None,
    answers: Sequence[str] = (),
    headers: Mapping[str, str] | None = None,
) -> bytes:
    """A whole mail as it comes over SMTP; each has a Message-ID of its own. `answers` are its References."""
    lines = {
        "Date": "Sat, 21 Nov 2026 08:30:00 +0000",
        "Message-ID": f"<{message_id or f'm{next(_numbers)}@brightmill.example'}>",
        "Subject": subject,
        "To": to,
    }
    if sender is not None:
        lines["From"] = sender
    if answers:
        lines["References"] = " ".join(f"<{known}>" for known in answers)
        lines["In-Reply-To"] = f"<{answers[-1]}>"
    lines |= headers or {}
    head = "".join(f"{name}: {value}\r\n" for name, value in lines.items())
    return f"{head}\r\n{text}\r\n".encode()


def report(original: str, recipient: str, *, to: str = DESK, action: str = "failed") -> bytes:
    """A delivery report (RFC 3464) about the message `original`."""
    status = "5.1.1" if action == "failed" else "4.4.1"
    return "\r\n".join(
        (
            "From: MAILER-DAEMON@mx.brightmill.example",
            f"To: {to}",
            "Subject: Undelivered Mail Returned to Sender",
            f"Message-ID: <r{next(_numbers)}@mx.brightmill.example>",
            "Date: Sat, 21 Nov 2026 09:00:00 +0000",
            "Auto-Submitted: auto-replied",
            "MIME-Version: 1.0",
            'Content-Type: multipart/report; report-type=delivery-status; boundary="b"',
            "",
            "--b",
            "Content-Type: text/plain",
            "",
            "Your mail could not be delivered.",
            "--b",
            "Content-Type: message/delivery-status",
            "",
            "Reporting-MTA: dns; mx.brightmill.example",
            "",
            f"Final-Recipient: rfc822; {recipient}",
            f"Action: {action}",
            f"Status: {status}",
            f"Diagnostic-Code: smtp; 550 {status} unknown user",
            "",
            "--b",
            "Content-Type: text/rfc822-headers",
            "",
            f"From: {DESK}",
            f"To: {recipient}",
            f"Message-ID: <{original}>",
            "Subject: Re: The printer is on fire",
            "",
            "--b--",
            "",
        )
    ).encode()


class Mailroom:
    """One desk with the mailboxes DESK and SALES, on the database of the test."""

    def __init__(self, database: Database, tokens: Tokens, now: datetime) -> None:
        self.database = database
        self.tokens = tokens
        self.clock = Clock(now)
        with database.transaction() as session:
            known = set(session.scalars(select(Mailbox.address)))
            new = [a for a in (DESK, SALES) if a not in known]
            session.add_all(Mailbox(address=a, address_key=address_key(a), created_at=now) for a in new)
            session.flush()
            self.mailboxes = {box.address: box.id for box in session.scalars(select(Mailbox))}

    def put(
        self,
        *contents: bytes,
        mailbox: str = DESK,
        envelope_from: str | None = ANNA,
        to: str | None = None,
        quiet: bool = False,
    ) -> list[int]:
        """Lay mails into the ledger, as the spool does, and leave them there."""
        raws = [
            RawMessage(
                content=content,
                source=Source.SMTP,
                mailbox_id=self.mailboxes[mailbox],
                received_at=self.clock(),
                envelope_from=envelope_from,
                envelope_to=(to or mailbox,),
                quiet=quiet,
            )
            for content in contents
        ]
        with self.database.transaction() as session:
            return store(session, raws, [compress(raw.content) for raw in raws], self.clock())

    def pipeline(self, reader: Reader | None = None) -> Pipeline:
        return Pipeline(self.database, self.tokens, self.clock, reader)

    def work(self, reader: Reader | None = None) -> None:
        """Process all that is due."""
        pipeline = self.pipeline(reader)
        while pipeline.run_once():
            pass

    def take(
        self, content: bytes, *, mailbox: str = DESK, envelope_from: str | None = ANNA, to: str | None = None
    ) -> InboundMessage:
        """Take one mail in and process it; returns its row of the ledger."""
        (number,) = self.put(content, mailbox=mailbox, envelope_from=envelope_from, to=to)
        self.work()
        return self.row(number)

    # -------------------------------------------------------------- what became of it

    def row(self, number: int) -> InboundMessage:
        with self.database.reading() as session:
            return session.get_one(InboundMessage, number)

    def every(self, model: type[Row]) -> list[Row]:
        """All rows of a table, oldest first."""
        with self.database.reading() as session:
            return list(session.scalars(select(model).order_by(*inspect(model).primary_key)))

    def ticket(self, number: int) -> Ticket:
        with self.database.reading() as session:
            return session.get_one(Ticket, number)

    def articles(self, number: int) -> list[Article]:
        return [article for article in self.every(Article) if article.ticket_id == number]

    def events(self, number: int, kind: EventKind) -> list[Event]:
        return [event for event in self.every(Event) if event.ticket_id == number and event.kind is kind]

    def participants(self, number: int) -> set[str]:
        """The addresses of those who are on the ticket now."""
        users = {user.id: user.email for user in self.every(User)}
        return {users[p.user_id] for p in self.every(Participant) if p.ticket_id == number and p.removed_at is None}

    def acknowledgement(self, number: int) -> Delivery:
        (delivery,) = [d for d in self.every(Delivery) if d.ticket_id == number]
        return delivery

    def plus_address(self, ticket: int, recipient: str) -> str:
        """Where the answers of one recipient go."""
        name, _, domain = DESK.partition("@")
        return f"{name}+{self.tokens.reply_suffix(ticket, recipient)}@{domain}"

    def person(self, address: str, role: Role = Role.REQUESTER) -> User:
        """Somebody whom the desk knows."""
        with self.database.transaction() as session:
            user = people.find_or_create(session, address, "", self.clock())
            user.role = role
            return user
