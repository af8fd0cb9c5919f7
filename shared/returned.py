"""Mail of ours that did not reach its reader: who is told of it, and which address gets no automatic mail any more.

No mail is ever written because of it to the address that it did not reach, and none at all because of automatic mail.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session

from shared import outbox, people
from shared.addresses import address_key
from shared.alerts import raise_alert
from shared.caps import DEFAULT_CAPS, Caps, take_turn
from shared.models import Address, Article, Delivery, DeliveryCause, Event, EventKind, Participant, Ticket, User
from shared.ticket_rules import add_event, staff_only

SHOWN = timedelta(days=1)  # how long the desk is told of automatic mail that did not arrive
KEY_LIMIT = 100


def not_sent(session: Session, copy: Delivery, now: datetime, caps: Caps = DEFAULT_CAPS) -> None:
    """Note on the ticket that our own server refused a mail for good, and tell whom it concerns."""
    ticket = session.get(Ticket, copy.ticket_id) if copy.ticket_id is not None else None
    if ticket is not None:
        add_event(session, ticket, EventKind.NOT_SENT, now, recipient=copy.recipient, diagnostic=copy.last_error)
    if copy.cause is not DeliveryCause.ACCOUNT:  # whoever mistypes an address at the gate is no concern of the desk's
        tell(session, copy, ticket, now=now, caps=caps)


def tell(
    session: Session,
    copy: Delivery,
    ticket: Ticket | None,
    *,
    unreached: Iterable[str] = (),
    now: datetime,
    caps: Caps = DEFAULT_CAPS,
) -> None:
    """Tell that a mail did not arrive; `last_error` says why.

    Of a reply its author is told by mail, else the assignee, else the desk by an alert. Of automatic mail nobody is
    told by mail. `unreached` are further addresses that it did not reach, such as one that it was forwarded to.
    """
    closed = {address_key(address) for address in (copy.recipient, *unreached)}
    reader = _whom_to_tell(session, copy, ticket, closed) if copy.cause is DeliveryCause.REPLY else None
    if reader is None or ticket is None:
        _alert(session, copy, now)
        return
    outbox.queue_notice(
        session,
        reader,
        mailbox=ticket.mailbox,
        headline=f"A reply on ticket {ticket.id} did not arrive",
        sentences=[
            f"The reply to {copy.recipient} on “{ticket.subject}” did not arrive.",
            f"Their server says: {copy.last_error}",
            "Correct the address or reach them in another way; “Send again” stands beside the reply.",
        ],
        path=f"/tickets/{ticket.id}#a{copy.article_id}",
        ticket=ticket,
        now=now,
        caps=caps,
    )


def suspend(session: Session, key: str, why: str, ticket: Ticket | None, now: datetime) -> None:
    """Keep automatic mail away from an address (a key), and say so on the ticket. Once is enough."""
    address = people.suspend(session, key, why, now)
    if address is not None and ticket is not None:
        add_event(session, ticket, EventKind.SUSPENDED, now, address=address.email, diagnostic=why)


def resume(session: Session, address: Address, *, actor: User, now: datetime) -> bool:
    """Let automatic mail go to an address again, because a person says so; False where it does already."""
    staff_only(actor, "Only agents can let mail go to an address again.")
    since = address.suspended_at
    if not people.resume(address):
        return False
    theirs = select(Participant.ticket_id).where(Participant.user_id == address.user_id)
    said = select(Event).where(Event.kind == EventKind.SUSPENDED, Event.at == since, Event.ticket_id.in_(theirs))
    for event in session.scalars(said).all():
        add_event(
            session,
            session.get_one(Ticket, event.ticket_id),
            EventKind.RESUMED,
            now,
            actor=actor,
            address=address.email,
        )
    return True


def _whom_to_tell(session: Session, copy: Delivery, ticket: Ticket | None, closed: set[str]) -> User | None:
    """Who wrote a reply, or looks after its ticket: somebody who works here and whom mail still reaches."""
    article = session.get(Article, copy.article_id) if copy.article_id is not None else None
    candidates = (article.author if article else None, ticket.assignee if ticket else None)
    return next((user for user in candidates if user is not None and _can_be_told(user, closed)), None)


def _can_be_told(user: User, closed: set[str]) -> bool:
    return user.is_staff and outbox.is_reachable(user, user.email) and address_key(user.email) not in closed


def _alert(session: Session, copy: Delivery, now: datetime) -> None:
    """Show it in the portal for a day, without a mail: one line for each reader who works here, one for all others."""
    if copy.cause is DeliveryCause.NOTICE:
        key, what = f"returned:{address_key(copy.recipient)}", "A notice"
    elif copy.cause is DeliveryCause.REPLY:
        key, what = f"returned:ticket:{copy.ticket_id}", f"The reply on ticket {copy.ticket_id}"
    else:
        key, what = "returned:automatic", "Automatic mail"
    sentence = f"{what} to {copy.recipient} did not arrive: {copy.last_error}"
    take_turn(session)
    raise_alert(session, key[:KEY_LIMIT], sentence, now, until=now + SHOWN).told_at = now
