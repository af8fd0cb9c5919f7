"""What goes out is queued here, in the transaction of what causes it. Nothing is sent from here.

Automatic mail is capped (`shared/caps.py`) and kept from addresses that it came back from, or that are blocked; a
person's reply is neither.
A notice of a status counts like any other, but since a person causes each of them they cannot loop: they go on up to
four times the cap, so that an administrator who tidies up tells everybody, and a script gone wild does not. So does
what is urgent: strangers who have themselves acknowledged until a cap is reached do not silence it.
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from shared import people
from shared.addresses import is_own, reaches_somebody
from shared.caps import DEFAULT_CAPS, Caps, note, reached
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

MORE_ROOM = 4


def queue_acknowledgement(
    session: Session, ticket: Ticket, *, tokens: Tokens, now: datetime, caps: Caps = DEFAULT_CAPS
) -> Delivery | None:
    """Tell the requester that the ticket is there. None where it is not sent, which the ticket says with the reason."""
    return _queue_automatic(session, ticket, DeliveryCause.ACKNOWLEDGEMENT, {}, tokens=tokens, now=now, caps=caps)


def queue_status(
    session: Session,
    ticket: Ticket,
    old: Status,
    new: Status,
    *,
    actor: User,
    tokens: Tokens,
    now: datetime,
    caps: Caps = DEFAULT_CAPS,
) -> Delivery | None:
    """Tell the requester that an administrator changed the status. None where no mail reaches them, or too much did."""
    context = {"old": old.value, "new": new.value, "actor": actor.name}
    return _queue_automatic(session, ticket, DeliveryCause.STATUS, context, tokens=tokens, now=now, caps=caps)


def queue_reply(
    session: Session,
    article: Article,
    ticket: Ticket,
    *,
    tokens: Tokens,
    now: datetime,
    due_at: datetime,
    before: dict[str, Any],
) -> list[Delivery]:
    """Send an agent's reply to the requester and each cc participant; all copies share one Message-ID.

    Until `due_at` it waits. `before` is how the ticket stood, for whoever takes the reply back.
    """
    message_id = tokens.message_id(ticket.id, _domain(ticket.mailbox))
    article.message_id = message_id
    session.add(MessageRef(key=reference_key(message_id), ticket_id=ticket.id))
    copies = []
    for address, name in (*article.to, *article.cc):
        copy = _delivery(ticket.mailbox, DeliveryCause.REPLY, address, name, message_id, now)
        copy.ticket_id, copy.article_id, copy.due_at = ticket.id, article.id, due_at
        copy.context = {"before": before}
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
    caps: Caps = DEFAULT_CAPS,
    is_urgent: bool = False,
) -> Delivery | None:
    """Tell somebody who works here. `path` is where it stands in the portal.

    None where a cap is reached, four times for what `is_urgent`, or no mail reaches them.
    """
    times = MORE_ROOM if is_urgent else 1
    if not _has_room(session, user, DeliveryCause.NOTICE, ticket, caps, now, times=times):
        return None
    message_id = f"n{secrets.token_hex(12)}@{_domain(mailbox)}"
    delivery = _delivery(mailbox, DeliveryCause.NOTICE, user.email, user.name, message_id, now)
    delivery.ticket_id = ticket.id if ticket else None
    delivery.context = {"headline": headline, "sentences": list(sentences), "path": path}
    session.add(delivery)
    session.flush()
    return delivery


def recipients_of_reply(session: Session, ticket: Ticket) -> tuple[list[list[str]], list[list[str]]]:
    """Whom a reply goes to: To (the requester, or their single Reply-To) and Cc, each [address, name].

    Never the desk itself: an address that stands on the ticket may have become a mailbox since.
    """
    own = people.own_addresses(session)
    requester = ticket.requester
    asked = session.scalar(
        select(Article.reply_to)
        .where(Article.ticket_id == ticket.id, Article.author_id == requester.id, Article.inbound_id.is_not(None))
        .order_by(Article.created_at.desc(), Article.id.desc())
        .limit(1)
    )
    address = asked or requester.email
    to = [[address, requester.name]] if is_reachable(requester, address) and not is_own(address, own) else []
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
    cc = [user for user in others if reaches_somebody(user.email) and not is_own(user.email, own)]
    return to, [[user.email, user.name] for user in cc]


def _queue_automatic(
    session: Session,
    ticket: Ticket,
    cause: DeliveryCause,
    context: dict[str, Any],
    *,
    tokens: Tokens,
    now: datetime,
    caps: Caps,
) -> Delivery | None:
    requester = ticket.requester
    if why := _shut(requester):
        detail = {"suppressed": cause.value, "address": requester.email, "why": why}
        session.add(Event(ticket_id=ticket.id, kind=EventKind.WITHHELD, detail=detail, at=now))
        return None
    times = MORE_ROOM if cause is DeliveryCause.STATUS else 1
    if not _has_room(session, requester, cause, ticket, caps, now, times=times):
        return None
    message_id = tokens.message_id(ticket.id, _domain(ticket.mailbox))
    delivery = _delivery(ticket.mailbox, cause, requester.email, requester.name, message_id, now)
    delivery.ticket_id = ticket.id
    delivery.context = context
    session.add_all([delivery, MessageRef(key=reference_key(message_id), ticket_id=ticket.id)])
    session.flush()
    return delivery


def _has_room(
    session: Session, user: User, cause: DeliveryCause, ticket: Ticket | None, caps: Caps, now: datetime, *, times: int
) -> bool:
    """Whether automatic mail to this person may go out now, at so many times the caps. A cap that stops it is noted."""
    if _shut(user):
        return False
    full = reached(session, caps, recipient=user.email, ticket=ticket, now=now, times=times)
    if full is not None:
        note(session, full, cause=cause, ticket=ticket, now=now)
    return full is None


def _shut(user: User) -> str:
    """Why no automatic mail goes to a person, in a word; "" where it may."""
    if user.disabled_at is not None:
        return "disabled"
    if not is_reachable(user, user.email):
        return "unreachable"
    if people.block_of(user) is not None:
        return "blocked"
    return "suspended" if people.suspension_of(user) is not None else ""


def is_reachable(user: User, address: str) -> bool:
    """Whether mail to this address of a person can be sent at all."""
    return user.disabled_at is None and reaches_somebody(address)


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
