"""Taking a reply back before it leaves: its mails, its words, and what it changed on the ticket."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from shared.models import (
    Article,
    Delivery,
    DeliveryCause,
    DeliveryState,
    EventKind,
    MessageRef,
    Role,
    Status,
    Ticket,
    User,
)
from shared.references import reference_key
from shared.ticket_rules import NotAllowed, TicketError, add_event, change_status

TOO_LATE = "It is too late: that reply is on its way already."


def standing(ticket: Ticket, then: Status) -> dict[str, Any]:
    """What a reply is about to change on a ticket, as its deliveries keep it. `then` is the status that it leaves."""
    return {
        "awaits_reply": ticket.awaits_reply,
        "status": ticket.status.value,
        "then": then.value,
        "resolved_at": ticket.resolved_at.isoformat() if ticket.resolved_at else None,
    }


def is_untouched(copy: Delivery) -> bool:
    """Whether nobody has tried to send it yet, so that it certainly has reached nobody."""
    never_tried = copy.attempts == 0 and copy.last_error is None and copy.sent_at is None
    return copy.cause is DeliveryCause.REPLY and copy.state is DeliveryState.QUEUED and never_tried


def may_take_back(user_id: int, role: Role, article: Article) -> bool:
    return article.author_id == user_id or role is Role.ADMIN


def take_back(session: Session, ticket: Ticket, article: Article, *, actor: User, now: datetime) -> None:
    """Remove a reply that has not left. The caller has locked the ticket.

    Raises NotAllowed for anybody but its author and administrators, TicketError once a copy is being sent. What
    happened to the ticket since stays: an answer that came meanwhile still waits for a reply.
    """
    if not may_take_back(actor.id, actor.role, article) or actor.disabled_at is not None:
        raise NotAllowed("Only who wrote a reply, or an administrator, can take it back.")
    sent = select(Delivery).where(Delivery.article_id == article.id).order_by(Delivery.id)
    copies = session.scalars(sent.with_for_update()).all()
    if not copies or not all(map(is_untouched, copies)):
        raise TicketError(TOO_LATE)
    put_back(session, ticket, copies[0].context.get("before") or {}, now, actor)
    add_event(session, ticket, EventKind.UNDONE, now, actor=actor, recipients=[copy.recipient for copy in copies])
    _remove(session, article, copies)


def put_back(session: Session, ticket: Ticket, before: dict[str, Any], now: datetime, actor: User) -> None:
    """Let a ticket stand as `standing` noted it; a status that was changed since stays."""
    if before and ticket.status is Status(before["then"]):
        change_status(session, ticket, Status(before["status"]), now, actor=actor)
        resolved_at = before["resolved_at"]
        ticket.resolved_at = datetime.fromisoformat(resolved_at) if resolved_at else None
    ticket.awaits_reply = ticket.awaits_reply or bool(before.get("awaits_reply"))


def _remove(session: Session, article: Article, copies: Sequence[Delivery]) -> None:
    session.execute(delete(MessageRef).where(MessageRef.key == reference_key(copies[0].message_id)))
    for copy in copies:
        session.delete(copy)
    session.flush()
    session.delete(article)
    session.flush()
