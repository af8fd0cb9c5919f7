"""The operations on tickets. Each is part of the caller's transaction and writes all that belongs to it.

What may not be done raises NotAllowed, what makes no sense TicketError; both texts are sentences for a person.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from shared import blobs, outbox
from shared.models import (
    Article,
    ArticleKind,
    Attachment,
    Counter,
    Event,
    EventKind,
    Mailbox,
    Participant,
    ParticipantRole,
    Priority,
    Role,
    Status,
    Ticket,
    TicketTombstone,
    User,
)
from shared.tokens import Tokens

SUBJECT_LIMIT = 500
NO_SUBJECT = "(no subject)"
SENT_TWICE = timedelta(minutes=1)


class TicketError(Exception):
    """That cannot be done with this ticket."""


class NotAllowed(TicketError):  # noqa: N818 - it reads as what it says
    """That is for others to do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Upload:
    """A file that somebody adds in the portal."""

    filename: str
    content_type: str
    content: bytes


def clean_subject(subject: str) -> str:
    """A subject on one line, never empty."""
    return " ".join(subject.replace("\0", "").split())[:SUBJECT_LIMIT] or NO_SUBJECT


def last_number(session: Session, *, lock: bool = True) -> int:
    """The last ticket number given. Locks the counter: until the transaction ends nobody else opens a ticket.

    Locks are taken in one order everywhere, so that nobody waits in a circle: counter, tickets, people.
    """
    counter = select(Counter.value).where(Counter.name == "ticket")
    return session.scalars(counter.with_for_update() if lock else counter).one()


def take_number(session: Session, number: int) -> None:
    """Note that numbers up to this one are given. The caller holds the lock of `last_number`."""
    session.execute(update(Counter).where(Counter.name == "ticket").values(value=number))


def add_event(
    session: Session, ticket: Ticket, kind: EventKind, now: datetime, *, actor: User | None = None, **detail: Any
) -> None:
    """Write a line of the ticket's history."""
    actor_id = actor.id if actor else None
    session.add(Event(ticket_id=ticket.id, kind=kind, actor_id=actor_id, detail=detail, at=now))


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
) -> Ticket:
    """Open a ticket in the portal, for oneself or on behalf of somebody."""
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
    session.add(_participant(ticket, requester, ParticipantRole.REQUESTER, now))
    session.add_all(_participant(ticket, user, ParticipantRole.CC, now) for user in cc if user.id != requester.id)
    behalf = {} if author.id == requester.id else {"on_behalf": requester.label}
    add_event(session, ticket, EventKind.OPENED, now, actor=author, **behalf)
    _write(session, ticket, ArticleKind.MESSAGE, author=author, text=text, files=files, now=now)
    if acknowledge:
        outbox.queue_acknowledgement(session, ticket, tokens=tokens, now=now)
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
) -> Article:
    """Answer the requester and the cc participants by mail. `then` sets a status with it; for administrators.

    A new ticket becomes open. The requester is not told of the status apart: the reply says enough.
    """
    _staff_only(author, "Only agents can answer for the desk.")
    if then is not None:
        _admin_only(author)
    twice = _said_already(session, ticket, ArticleKind.REPLY, author, text, files, now)
    if twice is not None:
        return twice
    to, cc = outbox.recipients_of_reply(session, ticket)
    if not to and not cc:
        raise TicketError("There is nobody to mail: no mail reaches the requester. Write a note instead.")
    article = _write(session, ticket, ArticleKind.REPLY, author=author, text=text, files=files, now=now)
    article.to, article.cc = to, cc
    outbox.queue_reply(session, article, ticket, tokens=tokens, now=now)
    ticket.awaits_reply = False
    wanted = then or (Status.OPEN if ticket.status is Status.NEW else ticket.status)
    _change_status(session, ticket, wanted, now, actor=author)
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
) -> Article:
    """Let the requester, or a cc participant, write in the portal what they could have mailed.

    It opens a pending or resolved ticket again; on a closed one it opens a ticket that follows it.
    """
    if not is_participant(session, ticket, author):
        raise NotAllowed("Only people on the ticket can write on it.")
    if ticket.status is Status.CLOSED:
        return _follow(session, ticket, author=author, text=text, now=now, tokens=tokens, files=files)
    twice = _said_already(session, ticket, ArticleKind.MESSAGE, author, text, files, now)
    if twice is not None:
        return twice
    article = _write(session, ticket, ArticleKind.MESSAGE, author=author, text=text, files=files, now=now)
    reopen(session, ticket, now, actor=author)
    return article


def note(session: Session, ticket: Ticket, *, author: User, text: str, now: datetime) -> Article:
    """Write something between ourselves. It is never mailed and changes nothing else."""
    _staff_only(author, "Only agents can write notes.")
    twice = _said_already(session, ticket, ArticleKind.NOTE, author, text, (), now)
    return twice or _write(session, ticket, ArticleKind.NOTE, author=author, text=text, files=(), now=now)


def set_status(session: Session, ticket: Ticket, status: Status, *, actor: User, now: datetime, tokens: Tokens) -> bool:
    """Set the status by hand and tell the requester; returns whether they are told.

    For administrators only; raises NotAllowed.
    """
    _admin_only(actor)
    old = ticket.status
    if old is status:
        return False
    _change_status(session, ticket, status, now, actor=actor)
    return outbox.queue_status(session, ticket, old, status, actor=actor, tokens=tokens, now=now) is not None


def reopen(session: Session, ticket: Ticket, now: datetime, *, actor: User | None) -> None:
    """What a requester's answer does: the last word is theirs, and a pending or resolved ticket opens again."""
    ticket.awaits_reply = True
    if ticket.status in {Status.PENDING, Status.RESOLVED}:
        _change_status(session, ticket, Status.OPEN, now, actor=actor)


def close_quiet(session: Session, before: datetime, now: datetime) -> int:
    """Close what has been resolved and quiet since `before`; returns how many. Nobody is mailed."""
    quiet = select(Ticket).where(Ticket.status == Status.RESOLVED, Ticket.last_activity_at < before).limit(500)
    tickets = session.scalars(quiet.with_for_update(skip_locked=True)).all()
    for ticket in tickets:
        _change_status(session, ticket, Status.CLOSED, now, actor=None)
    return len(tickets)


def set_priority(session: Session, ticket: Ticket, priority: Priority, *, actor: User, now: datetime) -> None:
    """Say how much a ticket presses."""
    _staff_only(actor, "Only agents can set the priority.")
    if ticket.priority is not priority:
        add_event(session, ticket, EventKind.PRIORITY, now, actor=actor, old=ticket.priority.value, new=priority.value)
        ticket.priority = priority


def set_subject(session: Session, ticket: Ticket, subject: str, *, actor: User, now: datetime) -> None:
    """Give a ticket another subject."""
    _staff_only(actor, "Only agents can change the subject.")
    new = clean_subject(subject)
    if new != ticket.subject:
        add_event(session, ticket, EventKind.SUBJECT, now, actor=actor, old=ticket.subject, new=new)
        ticket.subject = new


def assign(session: Session, ticket: Ticket, assignee: User | None, *, actor: User, now: datetime) -> None:
    """Give a ticket to an agent, or to nobody."""
    _staff_only(actor, "Only agents can assign tickets.")
    if assignee is not None and (not assignee.is_staff or assignee.disabled_at is not None):
        raise TicketError(f"{assignee.label} is no agent who could look after a ticket.")
    new_id = assignee.id if assignee else None
    if ticket.assignee_id != new_id:
        old = ticket.assignee.label if ticket.assignee else None
        new = assignee.label if assignee else None
        add_event(session, ticket, EventKind.ASSIGNEE, now, actor=actor, old=old, new=new)
        ticket.assignee = assignee


def is_participant(session: Session, ticket: Ticket, user: User) -> bool:
    """Whether the user is the requester, or in cc and not removed."""
    found = session.get(Participant, (ticket.id, user.id))
    return found is not None and found.removed_at is None


def add_participant(session: Session, ticket: Ticket, user: User, *, actor: User, now: datetime) -> None:
    """Keep somebody informed from now on."""
    _staff_only(actor, "Only agents can add people.")
    known = session.get(Participant, (ticket.id, user.id))
    if known is not None and known.removed_at is None:
        return
    if known is None:
        session.add(_participant(ticket, user, ParticipantRole.CC, now))
    else:
        known.removed_at = None
    add_event(session, ticket, EventKind.PARTICIPANT, now, actor=actor, added=user.email)


def remove_participant(session: Session, ticket: Ticket, user: User, *, actor: User, now: datetime) -> None:
    """Take somebody off the ticket: no more mail to them, and their tokens stop working."""
    _staff_only(actor, "Only agents can remove people.")
    if user.id == ticket.requester_id:
        raise TicketError("The requester cannot be taken off the ticket.")
    known = session.get(Participant, (ticket.id, user.id))
    if known is not None and known.removed_at is None:
        known.removed_at = now
        add_event(session, ticket, EventKind.PARTICIPANT, now, actor=actor, removed=user.email)


def delete(session: Session, ticket: Ticket, *, actor: User, now: datetime) -> None:
    """Delete a ticket with all that belongs to it. The mails stay in the ledger, the number is never used again."""
    _admin_only(actor, "Only administrators can delete tickets.")
    session.add(TicketTombstone(id=ticket.id, deleted_at=now, deleted_by_id=actor.id))
    session.delete(ticket)
    session.flush()


def _follow(
    session: Session,
    closed: Ticket,
    *,
    author: User,
    text: str,
    now: datetime,
    tokens: Tokens,
    files: Sequence[Upload],
) -> Article:
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
    )
    link(session, ticket, closed, now)
    return session.scalars(select(Article).where(Article.ticket_id == ticket.id)).one()


def link(session: Session, ticket: Ticket, closed: Ticket, now: datetime) -> None:
    """Say on both that a ticket continues a closed one."""
    ticket.follows_id = closed.id
    add_event(session, closed, EventKind.FOLLOWED, now, number=ticket.id)


def _write(
    session: Session,
    ticket: Ticket,
    kind: ArticleKind,
    *,
    author: User,
    text: str,
    files: Sequence[Upload],
    now: datetime,
) -> Article:
    words = _plain(text)
    if not words and not files:
        raise TicketError("There is nothing to send yet: write a few words.")
    article = Article(
        ticket_id=ticket.id,
        kind=kind,
        author_id=author.id,
        from_address=author.email,
        subject=ticket.subject,
        text=words,
        reply_text=words,
        created_at=now,
    )
    article.author = author
    article.attachments = [_attachment(session, file) for file in files]
    session.add(article)
    ticket.last_activity_at = max(ticket.last_activity_at, now)
    session.flush()
    return article


def _plain(text: str) -> str:
    return text.replace("\r\n", "\n").replace("\0", "").strip()


def _said_already(
    session: Session,
    ticket: Ticket,
    kind: ArticleKind,
    author: User,
    text: str,
    files: Sequence[Upload],
    now: datetime,
) -> Article | None:
    """The newest article of the ticket, where it is this very one: a form that was sent twice counts once.

    The caller has locked the ticket, so that the second of two requests sees what the first one wrote.
    """
    newest = session.scalar(select(Article).where(Article.ticket_id == ticket.id).order_by(Article.id.desc()).limit(1))
    if newest is None or newest.created_at <= now - SENT_TWICE:
        return None
    if (newest.author_id, newest.kind, newest.inbound_id, newest.text) != (author.id, kind, None, _plain(text)):
        return None
    digests = sorted(hashlib.sha256(file.content).hexdigest() for file in files)
    return newest if sorted(each.sha256 for each in newest.attachments) == digests else None


def _attachment(session: Session, file: Upload) -> Attachment:
    digest = blobs.keep(session, file.content)
    return Attachment(
        blob_sha256=digest,
        filename=" ".join(file.filename.replace("\0", "").split())[:255] or "file",
        content_type=file.content_type[:255] or "application/octet-stream",
        size=len(file.content),
        sha256=digest,
    )


def _participant(ticket: Ticket, user: User, role: ParticipantRole, now: datetime) -> Participant:
    return Participant(ticket_id=ticket.id, user_id=user.id, role=role, added_at=now)


def _change_status(session: Session, ticket: Ticket, status: Status, now: datetime, *, actor: User | None) -> None:
    if ticket.status is status:
        return
    add_event(session, ticket, EventKind.STATUS, now, actor=actor, old=ticket.status.value, new=status.value)
    ticket.status = status
    ticket.resolved_at = now if status in {Status.RESOLVED, Status.CLOSED} else None
    if status in {Status.PENDING, Status.RESOLVED, Status.CLOSED}:
        ticket.awaits_reply = False
    ticket.last_activity_at = max(ticket.last_activity_at, now)
    session.flush()


def _staff_only(user: User, sentence: str) -> None:
    if not user.is_staff or user.disabled_at is not None:
        raise NotAllowed(sentence)


def _admin_only(user: User, sentence: str = "Only administrators can change the status.") -> None:
    if user.role is not Role.ADMIN or user.disabled_at is not None:
        raise NotAllowed(sentence)
