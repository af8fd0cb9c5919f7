"""The operations on tickets. Each is part of the caller's transaction and writes all that belongs to it.

What may not be done raises NotAllowed, what makes no sense TicketError; both texts are sentences for a person.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from shared import articles, outbox
from shared.articles import Upload
from shared.caps import DEFAULT_CAPS, Caps
from shared.models import (
    Article,
    ArticleKind,
    Counter,
    EventKind,
    Mailbox,
    ParticipantRole,
    Priority,
    Status,
    Ticket,
    TicketTombstone,
    User,
)
from shared.ticket_properties import SUBJECT_LIMIT, clean_subject, is_participant, participant
from shared.ticket_rules import (
    NotAllowed,
    OwnAddressError,
    TicketError,
    add_event,
    admin_only,
    change_status,
    refuse_own,
    staff_only,
)
from shared.tokens import Tokens
from shared.undo import standing

__all__ = [
    "SUBJECT_LIMIT",
    "NotAllowed",
    "OwnAddressError",
    "TicketError",
    "Upload",
    "add_event",
    "answer",
    "clean_subject",
    "close_quiet",
    "delete",
    "last_number",
    "link",
    "note",
    "open_ticket",
    "reopen",
    "reply",
    "set_status",
    "take_number",
]


def last_number(session: Session, *, lock: bool = True) -> int:
    """The last ticket number given. Locks the counter: until the transaction ends nobody else opens a ticket.

    Locks are taken in one order everywhere, so that nobody waits in a circle: files, counter, tickets, people.
    """
    counter = select(Counter.value).where(Counter.name == "ticket")
    return session.scalars(counter.with_for_update() if lock else counter).one()


def take_number(session: Session, number: int) -> None:
    """Note that numbers up to this one are given. The caller holds the lock of `last_number`."""
    session.execute(update(Counter).where(Counter.name == "ticket").values(value=number))


def open_ticket(
    session: Session,
    *,
    requester: User,
    author: User,
    subject: str,
    text: str,
    mailbox: Mailbox,
    now: datetime,
    tokens: Tokens,
    priority: Priority = Priority.NORMAL,
    cc: Sequence[User] = (),
    files: Sequence[Upload] = (),
    acknowledge: bool = True,
    caps: Caps = DEFAULT_CAPS,
) -> Ticket:
    """Open a ticket in the portal, for oneself or on behalf of somebody. Raises OwnAddressError for the desk itself."""
    refuse_own(session, (requester, *cc))
    articles.store(session, files)
    number = last_number(session) + 1
    take_number(session, number)
    ticket = Ticket(
        id=number,
        subject=clean_subject(subject),
        priority=priority,
        requester_id=requester.id,
        mailbox_id=mailbox.id,
        created_at=now,
        last_activity_at=now,
    )
    ticket.requester, ticket.mailbox = requester, mailbox
    session.add(ticket)
    session.flush()
    session.add(participant(ticket, requester, ParticipantRole.REQUESTER, now))
    session.add_all(participant(ticket, user, ParticipantRole.CC, now) for user in cc if user.id != requester.id)
    behalf = {} if author.id == requester.id else {"on_behalf": requester.label}
    add_event(session, ticket, EventKind.OPENED, now, actor=author, **behalf)
    articles.write(session, ticket, ArticleKind.MESSAGE, author=author, text=text, files=files, now=now)
    if acknowledge:
        outbox.queue_acknowledgement(session, ticket, tokens=tokens, now=now, caps=caps)
    session.flush()
    return ticket


def reply(
    session: Session,
    ticket: Ticket,
    *,
    author: User,
    text: str,
    now: datetime,
    tokens: Tokens,
    files: Sequence[Upload] = (),
    then: Status | None = None,
    undo_for: timedelta = timedelta(0),
) -> Article:
    """Answer the requester and the cc participants by mail. `then` sets a status with it; for administrators.

    A new ticket becomes open. The requester is not told of the status apart: the reply says enough. Nothing leaves
    before `undo_for` is over (`shared.undo`).
    """
    staff_only(author, "Only agents can answer for the desk.")
    if then is not None:
        admin_only(author)
    twice = articles.said_already(session, ticket, ArticleKind.REPLY, author=author, text=text, files=files, now=now)
    if twice is not None:
        return twice
    to, cc = outbox.recipients_of_reply(session, ticket)
    if not to and not cc:
        raise TicketError("There is nobody to mail: no mail reaches the requester. Write a note instead.")
    article = articles.write(session, ticket, ArticleKind.REPLY, author=author, text=text, files=files, now=now)
    article.to, article.cc = to, cc
    wanted = then or (Status.OPEN if ticket.status is Status.NEW else ticket.status)
    before = standing(ticket, wanted)
    outbox.queue_reply(session, article, ticket, tokens=tokens, now=now, due_at=now + undo_for, before=before)
    ticket.awaits_reply = False
    change_status(session, ticket, wanted, now, actor=author)
    return article


def answer(
    session: Session,
    ticket: Ticket,
    *,
    author: User,
    text: str,
    now: datetime,
    tokens: Tokens,
    files: Sequence[Upload] = (),
    caps: Caps = DEFAULT_CAPS,
) -> Article:
    """Let the requester, or a cc participant, write in the portal what they could have mailed.

    It opens a pending or resolved ticket again; on a closed one it opens a ticket that follows it.
    """
    if not is_participant(session, ticket, author):
        raise NotAllowed("Only people on the ticket can write on it.")
    if ticket.status is Status.CLOSED:
        return _follow(session, ticket, author=author, text=text, now=now, tokens=tokens, files=files, caps=caps)
    twice = articles.said_already(session, ticket, ArticleKind.MESSAGE, author=author, text=text, files=files, now=now)
    if twice is not None:
        return twice
    article = articles.write(session, ticket, ArticleKind.MESSAGE, author=author, text=text, files=files, now=now)
    reopen(session, ticket, now, actor=author)
    return article


def note(session: Session, ticket: Ticket, *, author: User, text: str, now: datetime) -> Article:
    """Write something between ourselves. It is never mailed and changes nothing else."""
    staff_only(author, "Only agents can write notes.")
    twice = articles.said_already(session, ticket, ArticleKind.NOTE, author=author, text=text, now=now)
    return twice or articles.write(session, ticket, ArticleKind.NOTE, author=author, text=text, now=now)


def set_status(
    session: Session,
    ticket: Ticket,
    status: Status,
    *,
    actor: User,
    now: datetime,
    tokens: Tokens,
    caps: Caps = DEFAULT_CAPS,
) -> bool:
    """Set the status by hand and tell the requester; returns whether they are told.

    For administrators only; raises NotAllowed.
    """
    admin_only(actor)
    old = ticket.status
    if old is status:
        return False
    change_status(session, ticket, status, now, actor=actor)
    told = outbox.queue_status(session, ticket, old, status, actor=actor, tokens=tokens, now=now, caps=caps)
    return told is not None


def reopen(session: Session, ticket: Ticket, now: datetime, *, actor: User | None) -> None:
    """What a requester's answer does: the last word is theirs, and a pending or resolved ticket opens again."""
    ticket.awaits_reply = True
    if ticket.status in {Status.PENDING, Status.RESOLVED}:
        change_status(session, ticket, Status.OPEN, now, actor=actor)


def close_quiet(session: Session, before: datetime, now: datetime) -> int:
    """Close what has been resolved and quiet since `before`; returns how many. Nobody is mailed."""
    quiet = select(Ticket).where(Ticket.status == Status.RESOLVED, Ticket.last_activity_at < before).limit(500)
    tickets = session.scalars(quiet.with_for_update(skip_locked=True)).all()
    for ticket in tickets:
        change_status(session, ticket, Status.CLOSED, now, actor=None)
    return len(tickets)


def delete(session: Session, ticket: Ticket, *, actor: User, now: datetime) -> None:
    """Delete a ticket with all that belongs to it. The mails stay in the ledger, the number is never used again."""
    admin_only(actor, "Only administrators can delete tickets.")
    session.add(TicketTombstone(id=ticket.id, deleted_at=now, deleted_by_id=actor.id))
    session.delete(ticket)
    session.flush()


def link(session: Session, ticket: Ticket, closed: Ticket, now: datetime) -> None:
    """Say on both that a ticket continues a closed one."""
    ticket.follows_id = closed.id
    add_event(session, closed, EventKind.FOLLOWED, now, number=ticket.id)


def _follow(
    session: Session,
    closed: Ticket,
    *,
    author: User,
    text: str,
    now: datetime,
    tokens: Tokens,
    files: Sequence[Upload],
    caps: Caps,
) -> Article:
    """Open the ticket that follows a closed one; the caller has locked that one, so that two at once open one."""
    newest = session.scalar(select(Ticket).where(Ticket.follows_id == closed.id).order_by(Ticket.id.desc()).limit(1))
    if newest is not None:
        kind = ArticleKind.MESSAGE
        twice = articles.said_already(session, newest, kind, author=author, text=text, files=files, now=now)
        if twice is not None:
            return twice
    ticket = open_ticket(
        session,
        requester=author,
        author=author,
        subject=closed.subject,
        text=text,
        mailbox=closed.mailbox,
        now=now,
        tokens=tokens,
        files=files,
        caps=caps,
    )
    link(session, ticket, closed, now)
    return session.scalars(select(Article).where(Article.ticket_id == ticket.id)).one()
