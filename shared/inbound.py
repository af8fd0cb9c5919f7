"""What a person decides about mail that waits for one: held, quarantined, discarded.

A decision is an order on the row; the worker carries it out within a second, as it does everything with mail.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from shared.models import InboundMessage, InboundState, Ticket, User

WAITING = frozenset({InboundState.HELD, InboundState.QUARANTINED, InboundState.DISCARDED})


class InboundError(Exception):
    """That cannot be done with this mail. The text is a sentence for the person who asked."""


def join(session: Session, inbound: InboundMessage, number: int, *, actor: User, now: datetime) -> None:
    """Let held mail join a ticket, because a person agrees."""
    if session.get(Ticket, number) is None:
        raise InboundError(f"There is no ticket {number}.")
    _order(session, inbound, {"action": "join", "ticket": number, "by": actor.id}, actor, now)


def make_ticket(session: Session, inbound: InboundMessage, *, actor: User, now: datetime) -> None:
    """Let held mail open a ticket of its own."""
    _order(session, inbound, {"action": "open", "ticket": None, "by": actor.id}, actor, now)


def again(session: Session, inbound: InboundMessage, *, actor: User, now: datetime) -> None:
    """Process stored mail once more, by the rules."""
    _order(session, inbound, None, actor, now)


def discard(session: Session, inbound: InboundMessage, *, actor: User, now: datetime) -> None:
    """Put mail aside. Its bytes stay in the ledger, and it can be processed again later."""
    _check(inbound, actor)
    inbound.state = InboundState.DISCARDED
    inbound.action = "discard"
    inbound.reason = f"{actor.label} discarded it."
    inbound.processed_at = now
    session.flush()


def open_forgotten(session: Session, before: datetime, now: datetime) -> int:
    """Let mail that is held since `before` open tickets of its own, so that it is never forgotten; returns how many."""
    held = select(InboundMessage).where(InboundMessage.state == InboundState.HELD, InboundMessage.processed_at < before)
    rows = session.scalars(held.order_by(InboundMessage.id).limit(500).with_for_update(skip_locked=True)).all()
    for row in rows:
        row.person_order = {"action": "open", "ticket": None, "by": None}
        requeue(row, now)
    return len(rows)


def requeue(inbound: InboundMessage, now: datetime) -> None:
    """Put a row back to where the worker finds it."""
    inbound.state = InboundState.RECEIVED
    inbound.attempts = 0
    inbound.due_at = now
    inbound.lease_by = inbound.lease_until = inbound.last_error = None


def _order(session: Session, inbound: InboundMessage, order: dict[str, Any] | None, actor: User, now: datetime) -> None:
    _check(inbound, actor)
    inbound.person_order = order
    requeue(inbound, now)
    session.flush()


def _check(inbound: InboundMessage, actor: User) -> None:
    if not actor.is_staff or actor.disabled_at is not None:
        raise InboundError("Only agents can decide about mail.")
    if inbound.state not in WAITING:
        raise InboundError(f"Mail {inbound.id} has been {inbound.state.value} meanwhile.")
