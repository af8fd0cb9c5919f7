"""What a delivery has to say, read from the database: a row of the outbox becomes a letter and its envelope."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.orm import Session

from intake.outbound.compose import CannotComposeError, plus_address
from intake.outbound.letter import (
    AccountMail,
    AccountTemplate,
    Acknowledgement,
    Content,
    File,
    Letter,
    Notice,
    Quote,
    Reply,
    StatusNotice,
    Thread,
)
from intake.types import Person
from shared import blobs
from shared.addresses import address_key
from shared.models import Article, ArticleKind, Attachment, Delivery, DeliveryCause, Mailbox, Registration, Ticket, User
from shared.registrations import link_token
from shared.tokens import Tokens


@dataclass(frozen=True, slots=True, kw_only=True)
class Desk:
    """What every mail of this desk depends on. `portal_url` has no slash at its end."""

    address: str
    name: str
    portal_url: str
    close_after_days: float
    tokens: Tokens


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """A letter, and the reverse path under which it goes: "" where nothing may come back (RFC 5321 section 4.5.5)."""

    letter: Letter
    envelope_from: str


def load(session: Session, delivery: Delivery, desk: Desk) -> Order:
    """Read all that a delivery needs. Raises CannotComposeError where what it is about is gone."""
    mailbox = session.get_one(Mailbox, delivery.mailbox_id)
    ticket = session.get(Ticket, delivery.ticket_id) if delivery.ticket_id else None
    to, cc = _copies(session, delivery)
    letter = Letter(
        message_id=delivery.message_id,
        written_at=delivery.created_at,
        sender=Person(address=mailbox.address, name=mailbox.name or desk.name),
        recipient=Person(address=delivery.recipient, name=delivery.recipient_name),
        to=to,
        cc=cc,
        reply_to=_reply_to(delivery, ticket, to, mailbox, desk),
        thread=_thread(session, delivery, ticket) if ticket else None,
        content=CONTENTS[delivery.cause](session, delivery, desk),
        loop_mark=desk.tokens.loop_mark(desk.address),
        portal_url=desk.portal_url,
    )
    return Order(letter=letter, envelope_from=_envelope_from(delivery, mailbox, desk))


def _envelope_from(delivery: Delivery, mailbox: Mailbox, desk: Desk) -> str:
    if delivery.is_automatic:
        return ""
    suffix = desk.tokens.bounce_suffix(delivery.id)
    return (plus_address(mailbox.address, suffix) if mailbox.plus else None) or mailbox.address


def _reply_to(
    delivery: Delivery, ticket: Ticket | None, to: tuple[Person, ...], mailbox: Mailbox, desk: Desk
) -> str | None:
    if ticket is None or not mailbox.plus:
        return None
    signed_for = _signed_for(delivery, ticket, to)
    return plus_address(mailbox.address, desk.tokens.reply_suffix(ticket.id, signed_for))


def _signed_for(delivery: Delivery, ticket: Ticket, to: tuple[Person, ...]) -> str:
    """The address key in this copy's token: that of its reader.

    A requester may ask for answers elsewhere (Reply-To). That address belongs to nobody, so theirs is signed.
    """
    key = address_key(delivery.recipient)
    is_requesters = any(address_key(person.address) == key for person in to)
    if is_requesters and all(own.key != key for own in ticket.requester.addresses):
        return address_key(ticket.requester.email)
    return key


def _copies(session: Session, delivery: Delivery) -> tuple[tuple[Person, ...], tuple[Person, ...]]:
    """The true To and Cc, the same on every copy."""
    article = session.get(Article, delivery.article_id) if delivery.article_id else None
    if article is None or not (article.to or article.cc):
        return (Person(address=delivery.recipient, name=delivery.recipient_name),), ()
    return _people(article.to), _people(article.cc)


def _people(pairs: list[list[str]]) -> tuple[Person, ...]:
    return tuple(Person(address=address, name=name) for address, name in pairs)


def _thread(session: Session, delivery: Delivery, ticket: Ticket) -> Thread:
    """The Message-IDs that this reader may have seen, oldest first; the one that is answered comes last."""
    articles = session.execute(
        select(Article.created_at, Article.message_id, Article.kind).where(
            Article.ticket_id == ticket.id,
            Article.kind != ArticleKind.NOTE,
            Article.message_id.is_not(None),
            Article.created_at <= delivery.created_at,
        )
    ).all()
    notices = session.execute(
        select(Delivery.created_at, Delivery.message_id).where(
            Delivery.ticket_id == ticket.id,
            Delivery.cause != DeliveryCause.REPLY,
            Delivery.recipient == delivery.recipient,
            Delivery.id < delivery.id,
        )
    ).all()
    seen = sorted([(when, i) for when, i, _ in articles if i] + [(when, i) for when, i in notices])
    ids = [i for _, i in seen if i != delivery.message_id]
    asked = [(when, i) for when, i, kind in articles if kind is ArticleKind.MESSAGE and i]
    answers = max(asked)[1] if asked and delivery.cause is not DeliveryCause.STATUS else next(reversed(ids), None)
    ordered = [i for i in ids if i != answers] + ([answers] if answers else [])
    return Thread(number=ticket.id, subject=ticket.subject, message_ids=tuple(ordered), answers=answers)


def _acknowledgement(session: Session, delivery: Delivery, _desk: Desk) -> Content:
    ticket = session.get_one(Ticket, delivery.ticket_id)
    return Acknowledgement(written_at=ticket.created_at)


def _status(_session: Session, delivery: Delivery, desk: Desk) -> Content:
    said = delivery.context
    return StatusNotice(
        old=said["old"], new=said["new"], actor=said.get("actor") or "", close_after_days=desk.close_after_days
    )


def _reply(session: Session, delivery: Delivery, _desk: Desk) -> Content:
    article = session.get(Article, delivery.article_id) if delivery.article_id else None
    if article is None:
        raise CannotComposeError("The reply that this mail was to carry is not there any more.")
    attachments = session.scalars(select(Attachment).where(Attachment.article_id == article.id).order_by(Attachment.id))
    files = tuple(_file(session, attachment) for attachment in attachments if attachment.blob_sha256)
    return Reply(text=article.text, quote=_quote(session, delivery, article), files=files)


def _file(session: Session, attachment: Attachment) -> File:
    content = blobs.read(session, attachment.blob_sha256 or "")
    return File(filename=attachment.filename, content_type=attachment.content_type, content=content)


def _quote(session: Session, delivery: Delivery, reply: Article) -> Quote | None:
    """What the requester wrote last before this reply; what others wrote is not passed on."""
    ticket = session.get_one(Ticket, reply.ticket_id)
    asked = session.scalars(
        select(Article)
        .where(
            Article.ticket_id == ticket.id,
            Article.kind == ArticleKind.MESSAGE,
            Article.author_id == ticket.requester_id,
            Article.automatic.is_(False),
            Article.created_at <= reply.created_at,
        )
        .order_by(Article.created_at.desc(), Article.id.desc())
        .limit(1)
    ).first()
    if asked is None:
        return None
    requester = session.get_one(User, ticket.requester_id)
    is_own_copy = any(address == delivery.recipient for address, _ in reply.to)
    text = asked.reply_text or asked.text
    return Quote(author=None if is_own_copy else requester.label, written_at=asked.created_at, text=text)


def _account(session: Session, delivery: Delivery, desk: Desk) -> Content:
    template = AccountTemplate(delivery.context["template"])
    if template is AccountTemplate.ALREADY_REGISTERED:
        return AccountMail(template=template)
    registration = session.get(Registration, delivery.context["registration"])
    if registration is None or registration.used_at is not None:
        raise CannotComposeError("The link that this mail was to carry is used up or gone.")
    return AccountMail(
        template=template, token=link_token(desk.tokens, registration), expires_at=registration.expires_at
    )


def _notice(_session: Session, delivery: Delivery, _desk: Desk) -> Content:
    said = delivery.context
    return Notice(headline=said["headline"], sentences=tuple(said["sentences"]), path=said["path"])


CONTENTS: Mapping[DeliveryCause, Callable[[Session, Delivery, Desk], Content]] = {
    DeliveryCause.ACKNOWLEDGEMENT: _acknowledgement,
    DeliveryCause.REPLY: _reply,
    DeliveryCause.STATUS: _status,
    DeliveryCause.ACCOUNT: _account,
    DeliveryCause.NOTICE: _notice,
}
