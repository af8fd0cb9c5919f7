"""All that the mails of one batch have to say, read from the database in a few queries for the whole batch."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeVar

from sqlalchemy import select
from sqlalchemy.orm import Session, joinedload, selectinload

from intake.outbound.letter import File
from shared import blobs
from shared.models import (
    Article,
    ArticleKind,
    Attachment,
    Delivery,
    DeliveryCause,
    Mailbox,
    Registration,
    Ticket,
    User,
)

Row = TypeVar("Row", Delivery, Mailbox, Ticket, Article, Registration)


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """One mail of a ticket as its thread needs it: an article, or automatic mail of ours to `recipient`.

    `is_requesters`: the requester wrote it, and no machine.
    """

    id: int
    at: datetime
    message_id: str | None
    is_message: bool = False
    is_requesters: bool = False
    recipient: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Words:
    """What somebody wrote, and when."""

    at: datetime
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """The rows that a batch of deliveries needs. What is not there any more is missing.

    `articles` are the replies that are sent; `said` and `notices` what went before in each ticket, oldest first;
    `quotes` what each reply answers, by the reply's id; `attachments` the files of each reply, still unread.
    """

    deliveries: Mapping[int, Delivery]
    mailboxes: Mapping[int, Mailbox]
    tickets: Mapping[int, Ticket]
    articles: Mapping[int, Article]
    said: Mapping[int, Sequence[Said]]
    notices: Mapping[int, Sequence[Said]]
    quotes: Mapping[int, Words]
    attachments: Mapping[int, Sequence[Attachment]]
    registrations: Mapping[int, Registration]


def gather(session: Session, ids: Sequence[int]) -> Batch:
    """Read what these deliveries need, in as many queries for a hundred as for one."""
    deliveries = _by_id(session.scalars(select(Delivery).where(Delivery.id.in_(ids))))
    rows = deliveries.values()
    tickets = _tickets(session, {row.ticket_id for row in rows if row.ticket_id})
    articles = _articles(session, {row.article_id for row in rows if row.article_id})
    said = _said(session, tickets)
    mailboxes = select(Mailbox).where(Mailbox.id.in_({row.mailbox_id for row in rows}))
    return Batch(
        deliveries=deliveries,
        mailboxes=_by_id(session.scalars(mailboxes)),
        tickets=tickets,
        articles=articles,
        said=said,
        notices=_notices(session, tickets),
        quotes=_quotes(session, articles.values(), said),
        attachments=_attachments(session, articles),
        registrations=_registrations(session, rows),
    )


def read_files(session: Session, attachments: Sequence[Attachment]) -> tuple[File, ...]:
    """The files of one reply with their bytes: for one mail at a time, since a batch of them may be large."""
    return tuple(
        File(
            filename=attachment.filename,
            content_type=attachment.content_type,
            content=blobs.read(session, attachment.blob_sha256 or ""),
        )
        for attachment in attachments
    )


def _by_id(rows: Iterable[Row]) -> dict[int, Row]:
    return {row.id: row for row in rows}


def _tickets(session: Session, ids: set[int]) -> dict[int, Ticket]:
    if not ids:
        return {}
    whole = joinedload(Ticket.requester).options(selectinload(User.addresses))
    return _by_id(session.scalars(select(Ticket).where(Ticket.id.in_(ids)).options(whole)))


def _articles(session: Session, ids: set[int]) -> dict[int, Article]:
    return _by_id(session.scalars(select(Article).where(Article.id.in_(ids)))) if ids else {}


def _said(session: Session, tickets: Mapping[int, Ticket]) -> dict[int, list[Said]]:
    """What was written on each ticket, notes aside."""
    found: dict[int, list[Said]] = defaultdict(list)
    columns = Article.ticket_id, Article.id, Article.created_at, Article.message_id, Article.kind
    wanted = select(*columns, Article.author_id, Article.automatic).where(
        Article.ticket_id.in_(tickets), Article.kind != ArticleKind.NOTE
    )
    rows: Iterable[Any] = session.execute(wanted.order_by(Article.created_at, Article.id)) if tickets else ()
    for ticket_id, number, at, message_id, kind, author_id, automatic in rows:
        is_message = kind is ArticleKind.MESSAGE
        is_requesters = is_message and not automatic and author_id == tickets[ticket_id].requester_id
        found[ticket_id].append(
            Said(id=number, at=at, message_id=message_id, is_message=is_message, is_requesters=is_requesters)
        )
    return found


def _notices(session: Session, tickets: Mapping[int, Ticket]) -> dict[int, list[Said]]:
    """Automatic mail that went out about each ticket."""
    found: dict[int, list[Said]] = defaultdict(list)
    columns = Delivery.ticket_id, Delivery.id, Delivery.created_at, Delivery.message_id, Delivery.recipient
    wanted = select(*columns).where(Delivery.ticket_id.in_(tickets), Delivery.cause != DeliveryCause.REPLY)
    rows: Iterable[Any] = session.execute(wanted.order_by(Delivery.id)) if tickets else ()
    for ticket_id, number, at, message_id, recipient in rows:
        found[ticket_id].append(Said(id=number, at=at, message_id=message_id, recipient=recipient))
    return found


def _quotes(session: Session, replies: Iterable[Article], said: Mapping[int, Sequence[Said]]) -> dict[int, Words]:
    """What the requester wrote last before each reply; what others wrote is not passed on."""
    answered: dict[int, int] = {}
    for reply in replies:
        before = [each.id for each in said[reply.ticket_id] if each.is_requesters and each.at <= reply.created_at]
        if before:
            answered[reply.id] = before[-1]
    columns = Article.id, Article.created_at, Article.reply_text, Article.text
    rows: Iterable[Any] = (
        session.execute(select(*columns).where(Article.id.in_(set(answered.values())))) if answered else ()
    )
    words = {number: Words(at=at, text=reply_text or text) for number, at, reply_text, text in rows}
    return {reply: words[asked] for reply, asked in answered.items() if asked in words}


def _attachments(session: Session, articles: Mapping[int, Article]) -> dict[int, list[Attachment]]:
    found: dict[int, list[Attachment]] = defaultdict(list)
    if articles:
        wanted = select(Attachment).where(Attachment.article_id.in_(articles), Attachment.blob_sha256.is_not(None))
        for attachment in session.scalars(wanted.order_by(Attachment.id)):
            found[attachment.article_id].append(attachment)
    return found


def _registrations(session: Session, deliveries: Iterable[Delivery]) -> dict[int, Registration]:
    ids = {row.context["registration"] for row in deliveries if row.cause is DeliveryCause.ACCOUNT}
    return _by_id(session.scalars(select(Registration).where(Registration.id.in_(ids)))) if ids else {}
