"""Desks that write to each other and to machines: real pipelines, real outboxes, no network, a clock moved by hand."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from email import policy
from email.message import EmailMessage
from email.parser import BytesParser
from itertools import count

from sqlalchemy import select

from intake.outbound.deliver import Outbox
from intake.outbound.letter import Envelope
from intake.pipeline import open_pipeline
from intake.receiving.ledger import compress, store
from intake.types import Outcome, RawMessage, Refused, Sent, Source
from shared import people, tickets
from shared.caps import COUNTED, Caps, caps_of
from shared.config import Settings
from shared.database import Database
from shared.mailboxes import ensure_desk_mailbox
from shared.models import Article, Delivery, DeliveryCause, InboundMessage, InboundState, Role, Status, Ticket
from shared.tokens import Tokens
from tests.visitors import Clock

MARKS = ("Auto-Submitted", "X-Auto-Response-Suppress", "Precedence", "X-Letterdesk-Loop")
THREAD = ("In-Reply-To", "References", "Reply-To")
MADE_ARTICLE = ("open_ticket", "append_article")

_numbers = count(1)


class Postbag:
    """A transport that takes every mail, until somebody empties it, but for those to whom it `refuses` for good."""

    def __init__(self) -> None:
        self.mails: list[Envelope] = []
        self.refuses: set[str] = set()

    def send(self, envelope: Envelope, handed_over: Callable[[], None]) -> Outcome:
        if envelope.recipient in self.refuses:
            return Refused(reason="550 5.1.2 no such domain")
        handed_over()
        self.mails.append(envelope)
        return Sent(response="250 kept")

    def check(self) -> str | None:
        return None

    def close(self) -> None:
        """Nothing is open."""

    def abort(self) -> None:
        """Nothing waits."""

    def empty(self) -> list[Envelope]:
        mails, self.mails = self.mails, []
        return mails


@dataclass
class LoopDesk:
    """One desk. What it sends lies in its postbag; what is delivered to it is processed at once."""

    database: Database
    settings: Settings
    clock: Clock

    def __post_init__(self) -> None:
        tokens = Tokens(self.settings.secret_key)
        self.tokens = tokens
        self.caps = caps_of(self.settings)
        self.bag = Postbag()
        self._pipeline = open_pipeline(self.settings, self.database, tokens, clock=self.clock)
        self._outbox = Outbox(self.database, tokens, self.settings, transport=self.bag, clock=self.clock)
        with self.database.transaction() as session:
            self._mailbox = ensure_desk_mailbox(session, self.settings.address, "Desk", self.clock()).id

    @property
    def address(self) -> str:
        return self.settings.address

    def receive(self, mails: Iterable[Envelope]) -> None:
        """Take mails in, as the spool does, and process them."""
        raws = [
            RawMessage(
                content=mail.content,
                source=Source.SMTP,
                mailbox_id=self._mailbox,
                received_at=self.clock(),
                envelope_from=mail.sender,
                envelope_to=(mail.recipient,),
            )
            for mail in mails
        ]
        if not raws:
            return
        with self.database.transaction() as session:
            store(session, raws, [compress(raw.content) for raw in raws], self.clock())
        self.work()

    def work(self) -> None:
        """Process all that is due."""
        while self._pipeline.run_once():
            pass

    def sends(self) -> list[Envelope]:
        """Send all that is queued; returns it."""
        while self._outbox.run_once():
            pass
        return self.bag.empty()

    def close(self) -> None:
        self._outbox.close()

    def answer(self, number: int, text: str = "We are on our way.") -> None:
        """Let an agent answer a ticket."""
        with self.database.transaction() as session:
            agent = people.find_or_create(session, f"mira@{self.address.partition('@')[2]}", "Mira", self.clock())
            agent.role = Role.AGENT
            ticket = session.get_one(Ticket, number)
            tickets.reply(session, ticket, author=agent, text=text, now=self.clock(), tokens=self.tokens)

    def administrator(self, address: str) -> None:
        with self.database.transaction() as session:
            people.find_or_create(session, address, "", self.clock()).role = Role.ADMIN

    def set_status(self, number: int, status: Status) -> None:
        """Let an administrator set the status of a ticket, which its requester is told."""
        with self.database.transaction() as session:
            admin = people.find_or_create(session, f"jonas@{self.address.partition('@')[2]}", "Jonas", self.clock())
            admin.role = Role.ADMIN
            ticket = session.get_one(Ticket, number)
            tickets.set_status(
                session, ticket, status, actor=admin, now=self.clock(), tokens=self.tokens, caps=self.caps
            )

    # -------------------------------------------------------------- what became of it

    def arrivals(self) -> list[tuple[InboundState, str | None, str | None]]:
        """State, action and reason of every mail that came."""
        with self.database.reading() as session:
            found = select(InboundMessage.state, InboundMessage.action, InboundMessage.reason)
            return [(row.state, row.action, row.reason) for row in session.execute(found.order_by(InboundMessage.id))]

    def automatic(self) -> list[Delivery]:
        """What a machine wrote and a cap counts, oldest first."""
        with self.database.reading() as session:
            return list(session.scalars(select(Delivery).where(Delivery.cause.in_(COUNTED)).order_by(Delivery.id)))

    def articles_by_mail(self) -> int:
        with self.database.reading() as session:
            return len(session.scalars(select(Article.id).where(Article.inbound_id.is_not(None))).all())


def check_promise(desk: LoopDesk) -> None:
    """Each arrival is an article, or was recorded or discarded with a reason; automatic mail stays under its caps.

    Notices of a status go on up to four times each cap, counted with all the others (docs/loops.md).
    """
    arrivals = desk.arrivals()
    assert {state for state, _, _ in arrivals} <= {InboundState.PROCESSED, InboundState.DISCARDED}
    assert all(reason for _, _, reason in arrivals)
    assert desk.articles_by_mail() == sum(action in MADE_ARTICLE for _, action, _ in arrivals)
    of_machines = [delivery for delivery in desk.automatic() if delivery.cause is not DeliveryCause.STATUS]
    _check_caps(of_machines, desk.caps, times=1)
    _check_caps(desk.automatic(), desk.caps, times=4)


def _check_caps(deliveries: Iterable[Delivery], caps: Caps, *, times: int) -> None:
    """No cap is passed by so many times, by when mails were written and by when they were sent."""
    for by in (_written, _sent):
        mails = [(delivery, by(delivery)) for delivery in deliveries]
        of_tickets = [(d.ticket_id, at) for d, at in mails if d.ticket_id]
        _check_windows([(d.recipient, at) for d, at in mails], caps.address_hour * times, timedelta(hours=1))
        _check_windows(of_tickets, caps.ticket_day * times, timedelta(days=1))
        _check_windows([("desk", at) for _, at in mails], caps.desk_hour * times, timedelta(hours=1))


def _written(delivery: Delivery) -> datetime:
    return delivery.created_at


def _sent(delivery: Delivery) -> datetime:
    return delivery.sent_at or delivery.created_at


def _check_windows(mails: Iterable[tuple[object, datetime]], most: int, span: timedelta) -> None:
    """No window of this span, wherever it begins, holds more than `most` mails of one key."""
    by_key: dict[object, list[datetime]] = {}
    for key, moment in mails:
        by_key.setdefault(key, []).append(moment)
    for key, moments in by_key.items():
        moments.sort()
        for first, beyond in zip(moments, moments[most:], strict=False):
            assert beyond - first >= span, f"more than {most} mails for {key} from {first} on"


# ------------------------------------------------------------------ who carries and answers mail


def letter(sender: str, to: str, subject: str, text: str = "Hello.", **headers: str) -> Envelope:
    """A person's mail, or a machine's that looks like one. Underscores in header names stand for hyphens."""
    made = EmailMessage()
    made["From"], made["To"], made["Subject"] = sender, to, subject
    made["Message-ID"] = f"<loop{next(_numbers)}@{sender.partition('@')[2]}>"
    made["Date"] = "Sat, 21 Nov 2026 08:30:00 +0000"
    for name, value in headers.items():
        made[name.replace("_", "-")] = value
    made.set_content(text)
    return Envelope(sender=sender, recipient=to, content=made.as_bytes(policy=policy.SMTP))


def read(mail: Envelope) -> EmailMessage:
    """What stands in a mail."""
    parsed = BytesParser(policy=policy.default).parsebytes(mail.content)
    assert isinstance(parsed, EmailMessage)
    return parsed


def stripped(mail: Envelope, *, thread: bool) -> Envelope:
    """A mail from which a hostile middle took all that marks it as automatic, and with `thread` all that it answers.

    What a desk has signed is gone too: the middle gives it a Message-ID of its own and an envelope of a person.
    """
    parsed = BytesParser(policy=policy.compat32).parsebytes(mail.content)
    for name in (*MARKS, *(THREAD if thread else ())):
        del parsed[name]
    sender = read(mail)["From"].addresses[0].addr_spec
    if thread:
        parsed.replace_header("Subject", re.sub(r"\[#\d+\]", "", str(parsed["Subject"])))
    parsed.replace_header("Message-ID", f"<middle{next(_numbers)}@middle.example>")
    parsed.replace_header("From", sender)
    return replace(mail, sender=sender, content=parsed.as_bytes().replace(b"\r\n", b"\n").replace(b"\n", b"\r\n"))


def rewritten(mail: Envelope, headers: Mapping[str, str | None]) -> bytes:
    """A mail's bytes with other headers; None takes one away."""
    parsed = BytesParser(policy=policy.compat32).parsebytes(mail.content)
    for name, value in headers.items():
        del parsed[name]
        if value is not None:
            parsed[name] = value
    return parsed.as_bytes().replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")
