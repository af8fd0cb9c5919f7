"""What goes out is queued here, in the transaction of what causes it. Nothing is sent from here.

What a machine answers is capped (RFC 3834 section 2 asks for it): a cap that is reached suppresses acknowledgements,
and says so on the ticket. What a person causes, a reply or a status change, cannot loop and always goes.
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, func, select
from sqlalchemy.orm import Session

from shared.addresses import reaches_somebody
from shared.models import (
    Article,
    Delivery,
    DeliveryCause,
    Event,
    EventKind,
    Mailbox,
    MessageRef,
    Participant,
    ParticipantRole,
    Registration,
    Status,
    Ticket,
    User,
)
from shared.references import reference_key
from shared.tokens import Tokens


@dataclass(frozen=True, slots=True, kw_only=True)
class Cap:
    """At most `most` automatic mails of one kind within `span`."""

    name: str
    most: int
    span: timedelta


TO_ADDRESS = Cap(name="to this address", most=5, span=timedelta(hours=1))
OF_TICKET = Cap(name="of this ticket", most=10, span=timedelta(days=1))
OF_DESK = Cap(name="of the whole desk", most=500, span=timedelta(hours=1))
CAPPED_CAUSES = (DeliveryCause.ACKNOWLEDGEMENT, DeliveryCause.STATUS)


def queue_acknowledgement(session: Session, ticket: Ticket, *, tokens: Tokens, now: datetime) -> Delivery | None:
    """Tell the requester that the ticket is there. None where a cap is reached or mail to them is shut off."""
    cap = _reached_cap(session, ticket, now)
    if cap is not None:
        until = (now + cap.span).isoformat()
        detail = {"suppressed": "acknowledgement", "cap": cap.name, "most": cap.most, "until": until}
        session.add(Event(ticket_id=ticket.id, kind=EventKind.CAPPED, detail=detail, at=now))
        return None
    return _queue_automatic(session, ticket, DeliveryCause.ACKNOWLEDGEMENT, {}, tokens=tokens, now=now)


def queue_status(
    session: Session, ticket: Ticket, old: Status, new: Status, *, actor: User, tokens: Tokens, now: datetime
) -> Delivery | None:
    """Tell the requester that an administrator changed the status. None where no mail reaches them."""
    context = {"old": old.value, "new": new.value, "actor": actor.name}
    return _queue_automatic(session, ticket, DeliveryCause.STATUS, context, tokens=tokens, now=now)


def queue_reply(session: Session, article: Article, ticket: Ticket, *, tokens: Tokens, now: datetime) -> list[Delivery]:
    """Send an agent's reply to the requester and each cc participant; all copies share one Message-ID."""
    message_id = tokens.message_id(ticket.id, _domain(ticket.mailbox))
    article.message_id = message_id
    session.add(MessageRef(key=reference_key(message_id), ticket_id=ticket.id))
    copies = []
    for address, name in (*article.to, *article.cc):
        copy = _delivery(ticket.mailbox, DeliveryCause.REPLY, address, name, message_id, now)
        copy.ticket_id, copy.article_id = ticket.id, article.id
        session.add(copy)
        copies.append(copy)
    session.flush()
    return copies


def queue_account_mail(
    session: Session, *, tokens: Tokens, mailbox: Mailbox, registration: Registration, template: str, now: datetime
) -> Delivery:
    """Mail the link of a registration, or that there is an account already (see the templates of that name)."""
    del tokens  # the link is signed when the mail is composed: no secret stands in the outbox
    message_id = f"a{secrets.token_hex(12)}@{_domain(mailbox)}"
    delivery = _delivery(mailbox, DeliveryCause.ACCOUNT, registration.email, registration.name, message_id, now)
    delivery.context = {"template": template, "registration": registration.id}
    session.add(delivery)
    session.flush()
    return delivery


def queue_notice(
    session: Session,
    user: User,
    *,
    mailbox: Mailbox,
    headline: str,
    sentences: Sequence[str],
    path: str,
    now: datetime,
    ticket: Ticket | None = None,
) -> Delivery | None:
    """Tell somebody who works here. `path` is where it stands in the portal. None where no mail reaches them."""
    if not _may_be_mailed(user, user.email):
        return None
    message_id = f"n{secrets.token_hex(12)}@{_domain(mailbox)}"
    delivery = _delivery(mailbox, DeliveryCause.NOTICE, user.email, user.name, message_id, now)
    delivery.ticket_id = ticket.id if ticket else None
    delivery.context = {"headline": headline, "sentences": list(sentences), "path": path}
    session.add(delivery)
    session.flush()
    return delivery


def recipients_of_reply(session: Session, ticket: Ticket) -> tuple[list[list[str]], list[list[str]]]:
    """Whom a reply goes to: To (the requester, or their single Reply-To) and Cc, each [address, name]."""
    requester = ticket.requester
    asked = session.scalar(
        select(Article.reply_to)
        .where(Article.ticket_id == ticket.id, Article.author_id == requester.id, Article.inbound_id.is_not(None))
        .order_by(Article.created_at.desc(), Article.id.desc())
        .limit(1)
    )
    address = asked or requester.email
    to = [[address, requester.name]] if _may_be_mailed(requester, address) else []
    others = session.scalars(
        select(User)
        .join(Participant, Participant.user_id == User.id)
        .where(
            Participant.ticket_id == ticket.id,
            Participant.role == ParticipantRole.CC,
            Participant.removed_at.is_(None),
            User.disabled_at.is_(None),
        )
        .order_by(User.id)
    )
    return to, [[user.email, user.name] for user in others if reaches_somebody(user.email)]


def _queue_automatic(
    session: Session,
    ticket: Ticket,
    cause: DeliveryCause,
    context: dict[str, Any],
    *,
    tokens: Tokens,
    now: datetime,
) -> Delivery | None:
    requester = ticket.requester
    if not _may_be_mailed(requester, requester.email):
        return None
    message_id = tokens.message_id(ticket.id, _domain(ticket.mailbox))
    delivery = _delivery(ticket.mailbox, cause, requester.email, requester.name, message_id, now)
    delivery.ticket_id = ticket.id
    delivery.context = context
    session.add_all([delivery, MessageRef(key=reference_key(message_id), ticket_id=ticket.id)])
    session.flush()
    return delivery


def _may_be_mailed(user: User, address: str) -> bool:
    return user.disabled_at is None and reaches_somebody(address)


def _reached_cap(session: Session, ticket: Ticket, now: datetime) -> Cap | None:
    narrowed: Sequence[tuple[Cap, ColumnElement[bool] | None]] = (
        (TO_ADDRESS, Delivery.recipient == ticket.requester.email),
        (OF_TICKET, Delivery.ticket_id == ticket.id),
        (OF_DESK, None),
    )
    for cap, where in narrowed:
        recent = select(func.count()).where(Delivery.cause.in_(CAPPED_CAUSES), Delivery.created_at > now - cap.span)
        if (session.scalar(recent if where is None else recent.where(where)) or 0) >= cap.most:
            return cap
    return None


def _delivery(
    mailbox: Mailbox, cause: DeliveryCause, address: str, name: str, message_id: str, now: datetime
) -> Delivery:
    return Delivery(
        mailbox_id=mailbox.id,
        cause=cause,
        recipient=address,
        recipient_name=name,
        message_id=message_id,
        due_at=now,
        created_at=now,
    )


def _domain(mailbox: Mailbox) -> str:
    return mailbox.address.rpartition("@")[2]
