"""What a person calls spam: it is put aside, and what comes from its sender from then on is discarded.

A sender can be forged, so nothing but a person ever blocks an address; people see who did and when, and lift it again.
An address of the desk or of somebody who works here is never blocked. An undo takes back what is still as it was left.
Automatic mail that waits for a blocked address is taken back, which each ticket says: an undo finds it again there.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime

from sqlalchemy import ColumnElement, and_, delete, or_, select
from sqlalchemy.orm import Session

from shared import inbound, outbox, people
from shared.addresses import address_key, is_address, is_own, reaches_somebody
from shared.caps import DEFAULT_CAPS, Caps
from shared.inbound import InboundError
from shared.models import (
    Address,
    Delivery,
    DeliveryCause,
    DeliveryState,
    Event,
    EventKind,
    InboundMessage,
    InboundState,
    MessageRef,
    Participant,
    Status,
    Ticket,
    User,
)
from shared.references import reference_key
from shared.ticket_rules import TicketError, add_event, admin_only, change_status, staff_only
from shared.tokens import Tokens
from shared.undo import put_back, standing

TO_REQUESTERS = (DeliveryCause.ACKNOWLEDGEMENT, DeliveryCause.STATUS)
WAITING = (DeliveryState.QUEUED, DeliveryState.DEFERRED)


def discard_mail(session: Session, mail: InboundMessage, *, actor: User, now: datetime) -> Address | None:
    """Discard held mail and block its sender; returns the address, or None where it was blocked before.

    Raises InboundError where its sender cannot be blocked; then nothing is done.
    """
    email = mail.from_address or ""
    if mail.state is not InboundState.HELD:
        raise InboundError(f"Mail {mail.id} has been {mail.state.value} meanwhile.")
    refusal = _why_not(session, [email])
    if refusal is not None:
        raise InboundError(f"{refusal} Discard the mail instead.")
    inbound.discard(session, mail, actor=actor, now=now)
    mail.reason = f"{actor.label} discarded it as spam and blocked {email}."
    user = people.find_or_create(session, email, mail.from_name or "", now)
    blocked = _block(session, [own for own in user.addresses if own.key == address_key(email)], actor, now)
    return blocked[0] if blocked else None


def put_mail_back(
    session: Session, mail: InboundMessage, *, actor: User, now: datetime, tokens: Tokens, caps: Caps = DEFAULT_CAPS
) -> None:
    """Lift the block that came with discarding a mail, and let the mail go by the rules, which held it.

    Acknowledgements that were stopped go out after all. Raises InboundError where it was taken back, or decided in
    another way, meanwhile.
    """
    stopped = _stopped(session, people.user_of_address(session, mail.from_address or ""), mail.processed_at)
    address = session.get(Address, address_key(mail.from_address or ""), with_for_update=True)
    is_as_left = address is not None and address.blocked_at is not None and address.blocked_at == mail.processed_at
    if address is None or not is_as_left or mail.state is not InboundState.DISCARDED:
        raise InboundError(
            f"There is nothing to take back any more: mail {mail.id} or its sender is not as it was left."
        )
    inbound.again(session, mail, actor=actor, now=now)
    people.unblock(address)
    _acknowledge(session, stopped, now, tokens, caps)


def close_ticket(session: Session, ticket: Ticket, *, actor: User, now: datetime) -> Sequence[str]:
    """Close a ticket as spam: its requester is blocked, and automatic mail to them that still waits is not sent.

    Returns the addresses of the requester. The caller has locked the ticket. Raises NotAllowed for anybody but
    administrators, TicketError where the requester cannot be blocked; then nothing is done.
    """
    admin_only(actor, "Only administrators can close a ticket as spam.")
    addresses = [own.email for own in ticket.requester.addresses]
    refusal = _why_not(session, addresses)
    if refusal is not None:
        raise TicketError(refusal)
    if ticket.status is Status.CLOSED and all(own.is_blocked for own in ticket.requester.addresses):
        raise TicketError("It is closed already, and its requester is blocked.")
    before = standing(ticket, Status.CLOSED)
    _block(session, ticket.requester.addresses, actor, now)
    add_event(session, ticket, EventKind.BLOCKED, now, actor=actor, addresses=addresses, before=before)
    change_status(session, ticket, Status.CLOSED, now, actor=actor)
    return addresses


def put_ticket_back(
    session: Session, ticket: Ticket, *, actor: User, now: datetime, tokens: Tokens, caps: Caps = DEFAULT_CAPS
) -> None:
    """Let a ticket stand as before it was closed as spam, and lift the blocks that came with it.

    The caller has locked the ticket. Acknowledgements that were stopped go out after all. Raises NotAllowed for
    anybody but administrators, TicketError where there is nothing to take back any more.
    """
    admin_only(actor, "Only administrators can do that.")
    kinds = (EventKind.BLOCKED, EventKind.UNBLOCKED)
    said = select(Event).where(Event.ticket_id == ticket.id, Event.kind.in_(kinds)).order_by(Event.id.desc())
    last = session.scalar(said.limit(1))
    if last is None or last.kind is not EventKind.BLOCKED:
        raise TicketError("There is nothing to take back any more.")
    stopped = _stopped(session, ticket.requester, last.at)
    lifted = [own.email for own in ticket.requester.addresses if own.blocked_at == last.at and people.unblock(own)]
    put_back(session, ticket, last.detail["before"], now, actor)
    add_event(session, ticket, EventKind.UNBLOCKED, now, actor=actor, addresses=lifted)
    if lifted:
        _acknowledge(session, stopped, now, tokens, caps)


def unblock(session: Session, address: Address, *, actor: User, now: datetime) -> bool:
    """Let mail come from an address again, because a person says so; False where it does already."""
    staff_only(actor, "Only agents can let mail come from an address again.")
    theirs = select(Participant.ticket_id).where(Participant.user_id == address.user_id)
    said = select(Event.ticket_id).where(Event.kind == EventKind.BLOCKED, Event.at == address.blocked_at)
    closed = select(Ticket).where(Ticket.id.in_(said.where(Event.ticket_id.in_(theirs)))).order_by(Ticket.id)
    tickets = session.scalars(closed.with_for_update(key_share=True)).all()
    session.refresh(address, with_for_update=True)
    if not people.unblock(address):
        return False
    for ticket in tickets:
        add_event(session, ticket, EventKind.UNBLOCKED, now, actor=actor, addresses=[address.email])
    return True


def _why_not(session: Session, emails: Iterable[str]) -> str | None:
    """Why one of these addresses can never be blocked, as a sentence."""
    own = people.own_addresses(session)
    for email in emails:
        user = people.user_of_address(session, email)
        if not is_address(email) or not reaches_somebody(email):
            return "The mail does not say who sent it, so there is nobody to block."
        if is_own(email, own):
            return f"{email} is an address of this desk and cannot be blocked."
        if user is not None and user.is_staff:
            return f"{email} belongs to {user.label}, who works here, and cannot be blocked."
    return None


def _block(session: Session, addresses: Iterable[Address], actor: User, now: datetime) -> list[Address]:
    """Block addresses in the order of their keys, and stop what waits for them; returns those not blocked before."""
    emails = {address.key: address.email for address in addresses}
    waiting = _waiting(emails.values())
    concerned = select(Ticket.id).where(Ticket.id.in_(select(Delivery.ticket_id).where(waiting))).order_by(Ticket.id)
    session.execute(concerned.with_for_update(read=True, key_share=True))
    theirs = select(Address).where(Address.key.in_(emails)).order_by(Address.key)
    blocked = [row for row in session.scalars(theirs.with_for_update()).all() if people.block(row, actor, now)]
    session.flush()
    _stop(session, waiting, now)
    return blocked


def _waiting(emails: Iterable[str]) -> ColumnElement[bool]:
    """Automatic mail to these addresses that has not been handed over, also where somebody is about to."""
    is_begun = and_(Delivery.state == DeliveryState.SENDING, Delivery.handed_over_at.is_(None))
    may_be_stopped = or_(Delivery.state.in_(WAITING), is_begun)
    return and_(Delivery.recipient.in_(list(emails)), Delivery.cause.in_(TO_REQUESTERS), may_be_stopped)


def _stop(session: Session, waiting: ColumnElement[bool], now: datetime) -> None:
    """Take mail back, and say so on its tickets. Whoever is sending it finds before the last step that it is gone."""
    copies = session.scalars(select(Delivery).where(waiting).order_by(Delivery.id).with_for_update()).all()
    keys = [reference_key(copy.message_id) for copy in copies]
    session.execute(delete(MessageRef).where(MessageRef.key.in_(keys)))
    for copy in copies:
        detail = {"suppressed": copy.cause.value, "address": copy.recipient, "why": "blocked"}
        session.add(Event(ticket_id=copy.ticket_id, kind=EventKind.WITHHELD, detail=detail, at=now))
        session.delete(copy)
    session.flush()


def _stopped(session: Session, requester: User | None, at: datetime | None) -> Sequence[Ticket]:
    """The tickets of a requester whose acknowledgement was stopped at this moment; none of them can go meanwhile."""
    said = select(Event).join(Ticket, Ticket.id == Event.ticket_id).where(Event.kind == EventKind.WITHHELD)
    then = session.scalars(said.where(Event.at == at, Ticket.requester_id == (requester.id if requester else None)))
    numbers = {each.ticket_id for each in then if each.detail["suppressed"] == DeliveryCause.ACKNOWLEDGEMENT}
    found = select(Ticket).where(Ticket.id.in_(numbers)).order_by(Ticket.id)
    return session.scalars(found.with_for_update(read=True, key_share=True)).all()


def _acknowledge(session: Session, tickets: Iterable[Ticket], now: datetime, tokens: Tokens, caps: Caps) -> None:
    session.flush()
    for ticket in tickets:
        outbox.queue_acknowledgement(session, ticket, tokens=tokens, now=now, caps=caps)
