"""Who may do what to a ticket, and the line of history that is written when somebody does.

What may not be done raises NotAllowed, what makes no sense TicketError; both texts are sentences for a person.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from sqlalchemy.orm import Session

from shared.models import Event, EventKind, Role, Status, Ticket, User
from shared.people import own_among


class TicketError(Exception):
    """That cannot be done with this ticket."""


class NotAllowed(TicketError):  # noqa: N818 - it reads as what it says
    """That is for others to do."""


class OwnAddressError(TicketError):
    """An address of the desk can be nobody on a ticket: the desk would write to itself, and answer."""

    def __init__(self, address: str) -> None:
        super().__init__(f"{address} is an address of this desk, which would write to itself. Name a person instead.")
        self.address = address


def refuse_own(session: Session, people: Iterable[User]) -> None:
    """Raise OwnAddressError where one of these people is the desk itself."""
    own = own_among(session, people)
    if own is not None:
        raise OwnAddressError(own)


def staff_only(user: User, sentence: str) -> None:
    """Raise NotAllowed with the sentence for anybody who does not work here."""
    if not user.is_staff or user.disabled_at is not None:
        raise NotAllowed(sentence)


def admin_only(user: User, sentence: str = "Only administrators can change the status.") -> None:
    """Raise NotAllowed with the sentence for anybody but administrators."""
    if user.role is not Role.ADMIN or user.disabled_at is not None:
        raise NotAllowed(sentence)


def add_event(
    session: Session, ticket: Ticket, kind: EventKind, now: datetime, *, actor: User | None = None, **detail: Any
) -> None:
    """Write a line of the ticket's history."""
    actor_id = actor.id if actor else None
    session.add(Event(ticket_id=ticket.id, kind=kind, actor_id=actor_id, detail=detail, at=now))


def change_status(session: Session, ticket: Ticket, status: Status, now: datetime, *, actor: User | None) -> None:
    """Let a ticket stand elsewhere, with all that hangs on it. Whoever asks has been checked; nobody is mailed."""
    if ticket.status is status:
        return
    add_event(session, ticket, EventKind.STATUS, now, actor=actor, old=ticket.status.value, new=status.value)
    ticket.status = status
    ticket.resolved_at = now if status in {Status.RESOLVED, Status.CLOSED} else None
    if status in {Status.PENDING, Status.RESOLVED, Status.CLOSED}:
        ticket.awaits_reply = False
    ticket.last_activity_at = max(ticket.last_activity_at, now)
    session.flush()
