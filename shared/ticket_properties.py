"""The properties of a ticket, and the people on it. Each change is a line of the ticket's history."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy.orm import Session

from shared.models import EventKind, Participant, ParticipantRole, Priority, Ticket, User
from shared.ticket_rules import TicketError, add_event, refuse_own, staff_only

SUBJECT_LIMIT = 500
NO_SUBJECT = "(no subject)"


def clean_subject(subject: str) -> str:
    """A subject on one line, never empty."""
    return " ".join(subject.replace("\0", "").split())[:SUBJECT_LIMIT] or NO_SUBJECT


def set_priority(session: Session, ticket: Ticket, priority: Priority, *, actor: User, now: datetime) -> None:
    """Say how much a ticket presses."""
    staff_only(actor, "Only agents can set the priority.")
    if ticket.priority is not priority:
        add_event(session, ticket, EventKind.PRIORITY, now, actor=actor, old=ticket.priority.value, new=priority.value)
        ticket.priority = priority


def set_subject(session: Session, ticket: Ticket, subject: str, *, actor: User, now: datetime) -> None:
    """Give a ticket another subject."""
    staff_only(actor, "Only agents can change the subject.")
    new = clean_subject(subject)
    if new != ticket.subject:
        add_event(session, ticket, EventKind.SUBJECT, now, actor=actor, old=ticket.subject, new=new)
        ticket.subject = new


def assign(session: Session, ticket: Ticket, assignee: User | None, *, actor: User, now: datetime) -> None:
    """Give a ticket to an agent, or to nobody."""
    staff_only(actor, "Only agents can assign tickets.")
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
    """Keep somebody informed from now on. Raises OwnAddressError for the desk itself."""
    staff_only(actor, "Only agents can add people.")
    refuse_own(session, [user])
    known = session.get(Participant, (ticket.id, user.id))
    if known is not None and known.removed_at is None:
        return
    if known is None:
        session.add(participant(ticket, user, ParticipantRole.CC, now))
    else:
        known.removed_at = None
    add_event(session, ticket, EventKind.PARTICIPANT, now, actor=actor, added=user.email)


def remove_participant(session: Session, ticket: Ticket, user: User, *, actor: User, now: datetime) -> None:
    """Take somebody off the ticket: no more mail to them, and their tokens stop working."""
    staff_only(actor, "Only agents can remove people.")
    if user.id == ticket.requester_id:
        raise TicketError("The requester cannot be taken off the ticket.")
    known = session.get(Participant, (ticket.id, user.id))
    if known is not None and known.removed_at is None:
        known.removed_at = now
        add_event(session, ticket, EventKind.PARTICIPANT, now, actor=actor, removed=user.email)


def participant(ticket: Ticket, user: User, role: ParticipantRole, now: datetime) -> Participant:
    """The row that puts somebody on a ticket."""
    return Participant(ticket_id=ticket.id, user_id=user.id, role=role, added_at=now)
