"""What a delivery has to say: a row of the outbox becomes a letter and its envelope. Reads nothing by itself."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from intake.outbound.compose import CannotComposeError, plus_address
from intake.outbound.gather import Batch
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
from shared.addresses import address_key
from shared.models import Article, Attachment, Delivery, DeliveryCause, Mailbox, Ticket
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


def load(batch: Batch, delivery_id: int, desk: Desk, files: tuple[File, ...] = ()) -> Order | None:
    """What a delivery of a batch says, with the files of a reply; None where it is gone.

    Raises CannotComposeError where what it is about is gone.
    """
    delivery = batch.deliveries.get(delivery_id)
    if delivery is None:
        return None
    mailbox = batch.mailboxes[delivery.mailbox_id]
    ticket = batch.tickets.get(delivery.ticket_id) if delivery.ticket_id else None
    to, cc = _copies(batch, delivery)
    letter = Letter(
        message_id=delivery.message_id,
        written_at=delivery.created_at,
        sender=Person(address=mailbox.address, name=mailbox.name or desk.name),
        recipient=Person(address=delivery.recipient, name=delivery.recipient_name),
        to=to,
        cc=cc,
        reply_to=_reply_to(delivery, ticket, to, mailbox, desk),
        thread=_thread(batch, delivery, ticket) if ticket else None,
        content=CONTENTS[delivery.cause](batch, delivery, desk, files),
        loop_mark=desk.tokens.loop_mark(address_key(desk.address)),
        portal_url=desk.portal_url,
    )
    return Order(letter=letter, envelope_from=_envelope_from(delivery, mailbox, desk))


def attached(batch: Batch, delivery_id: int) -> Sequence[Attachment]:
    """The files that go with a delivery."""
    delivery = batch.deliveries.get(delivery_id)
    return batch.attachments.get(delivery.article_id or 0, ()) if delivery else ()


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


def _copies(batch: Batch, delivery: Delivery) -> tuple[tuple[Person, ...], tuple[Person, ...]]:
    """The true To and Cc, the same on every copy."""
    article = batch.articles.get(delivery.article_id or 0)
    if article is None or not (article.to or article.cc):
        return (Person(address=delivery.recipient, name=delivery.recipient_name),), ()
    return _people(article.to), _people(article.cc)


def _people(pairs: list[list[str]]) -> tuple[Person, ...]:
    return tuple(Person(address=address, name=name) for address, name in pairs)


def _thread(batch: Batch, delivery: Delivery, ticket: Ticket) -> Thread:
    """The Message-IDs that this reader may have seen, oldest first; the one that is answered comes last."""
    said = [each for each in batch.said.get(ticket.id, ()) if each.message_id and each.at <= delivery.created_at]
    notices = [
        each
        for each in batch.notices.get(ticket.id, ())
        if each.recipient == delivery.recipient and each.id < delivery.id
    ]
    seen = sorted((each.at, each.message_id or "") for each in (*said, *notices))
    ids = [message_id for _, message_id in seen if message_id != delivery.message_id]
    asked = [(each.at, each.message_id) for each in said if each.is_message]
    answers = max(asked)[1] if asked and delivery.cause is not DeliveryCause.STATUS else next(reversed(ids), None)
    ordered = [i for i in ids if i != answers] + ([answers] if answers else [])
    return Thread(number=ticket.id, subject=ticket.subject, message_ids=tuple(ordered), answers=answers)


def _acknowledgement(batch: Batch, delivery: Delivery, _desk: Desk, _files: tuple[File, ...]) -> Content:
    ticket = batch.tickets.get(delivery.ticket_id or 0)
    if ticket is None:
        raise CannotComposeError("The ticket that this mail was about is not there any more.")
    return Acknowledgement(written_at=ticket.created_at)


def _status(_batch: Batch, delivery: Delivery, desk: Desk, _files: tuple[File, ...]) -> Content:
    said = delivery.context
    return StatusNotice(
        old=said["old"], new=said["new"], actor=said.get("actor") or "", close_after_days=desk.close_after_days
    )


def _reply(batch: Batch, delivery: Delivery, _desk: Desk, files: tuple[File, ...]) -> Content:
    article = batch.articles.get(delivery.article_id or 0)
    if article is None:
        raise CannotComposeError("The reply that this mail was to carry is not there any more.")
    return Reply(text=article.text, quote=_quote(batch, delivery, article), files=files)


def _quote(batch: Batch, delivery: Delivery, reply: Article) -> Quote | None:
    asked = batch.quotes.get(reply.id)
    if asked is None:
        return None
    is_own_copy = any(address == delivery.recipient for address, _ in reply.to)
    requester = batch.tickets[reply.ticket_id].requester
    return Quote(author=None if is_own_copy else requester.label, written_at=asked.at, text=asked.text)


def _account(batch: Batch, delivery: Delivery, desk: Desk, _files: tuple[File, ...]) -> Content:
    template = AccountTemplate(delivery.context["template"])
    if template is AccountTemplate.ALREADY_REGISTERED:
        return AccountMail(template=template)
    registration = batch.registrations.get(delivery.context["registration"])
    if registration is None or registration.used_at is not None:
        raise CannotComposeError("The link that this mail was to carry is used up or gone.")
    return AccountMail(
        template=template, token=link_token(desk.tokens, registration), expires_at=registration.expires_at
    )


def _notice(_batch: Batch, delivery: Delivery, _desk: Desk, _files: tuple[File, ...]) -> Content:
    said = delivery.context
    return Notice(headline=said["headline"], sentences=tuple(said["sentences"]), path=said["path"])


CONTENTS: Mapping[DeliveryCause, Callable[[Batch, Delivery, Desk, tuple[File, ...]], Content]] = {
    DeliveryCause.ACKNOWLEDGEMENT: _acknowledgement,
    DeliveryCause.REPLY: _reply,
    DeliveryCause.STATUS: _status,
    DeliveryCause.ACCOUNT: _account,
    DeliveryCause.NOTICE: _notice,
}
