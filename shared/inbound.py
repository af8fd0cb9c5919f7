"""What a person decides about stored mail: what becomes of mail that waits for one, and that mail is read again.

A decision is an order on the row; the worker carries it out within a second, as it does everything with mail.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from shared import queue
from shared.models import InboundMessage, InboundRaw, InboundState, Ticket, User

WAITING = frozenset({InboundState.HELD, InboundState.QUARANTINED, InboundState.DISCARDED})


class InboundError(Exception):
    """That cannot be done with this mail. The text is a sentence for the person who asked."""


def join(session: Session, inbound: InboundMessage, number: int, *, actor: User, now: datetime) -> None:
    """Let held mail join a ticket, because a person agrees."""
    _check(inbound, actor)
    if session.get(Ticket, number) is None:
        raise InboundError(f"There is no ticket {number}.")
    _order(session, inbound, _named("join", number, actor), now)


def make_ticket(session: Session, inbound: InboundMessage, *, actor: User, now: datetime) -> None:
    """Let held mail open a ticket of its own."""
    _check(inbound, actor)
    _order(session, inbound, _named("open", None, actor), now)


def again(session: Session, inbound: InboundMessage, *, actor: User | None, now: datetime) -> None:
    """Process stored mail once more.

    Mail that waits for a decision goes by the rules. What was processed is only read anew: its article gets the text
    and the files that are found in it now, and nobody is mailed. What is still to be processed has its turn at once.
    `actor` is None for the command line.
    """
    _check(inbound, actor, at=frozenset(InboundState))
    if inbound.state is InboundState.RECEIVED:
        inbound.due_at = now
        return
    was_processed = inbound.state is InboundState.PROCESSED
    _order(session, inbound, _named("refresh", None, actor) if was_processed else None, now)


def discard(session: Session, inbound: InboundMessage, *, actor: User, now: datetime) -> None:
    """Put mail aside. Its bytes stay in the ledger, and it can be processed again later."""
    _check(inbound, actor)
    inbound.state = InboundState.DISCARDED
    inbound.action = "discard"
    inbound.reason = f"{actor.label} discarded it."
    inbound.processed_at = now
    inbound.person_order = _named("discard", None, actor)
    session.flush()


def open_forgotten(session: Session, before: datetime, now: datetime) -> int:
    """Let mail that is held since `before` open tickets of its own, so that it is never forgotten; returns how many."""
    since = InboundMessage.processed_at
    is_long = or_(since < before, since > now + queue.SKEW)  # what is later is of a clock that ran ahead
    held = select(InboundMessage).where(InboundMessage.state == InboundState.HELD, is_long)
    rows = session.scalars(held.order_by(InboundMessage.id).limit(500).with_for_update(skip_locked=True)).all()
    for row in rows:
        row.person_order = {"action": "open", "ticket": None, "by": None}
        requeue(row, now)
    return len(rows)


def is_refreshing(inbound: InboundMessage) -> bool:
    """Whether mail that was processed is only to be read anew."""
    return inbound.person_order is not None and inbound.person_order["action"] == "refresh"


def is_put_aside(inbound: InboundMessage) -> bool:
    """Whether a person discarded it."""
    order = inbound.person_order
    return inbound.state is InboundState.DISCARDED and order is not None and order["action"] == "discard"


def requeue(inbound: InboundMessage, now: datetime) -> None:
    """Put a row back to where the worker finds it. What may have ended its processes is tried alone from the start."""
    is_suspect = inbound.last_error is not None and inbound.attempts - inbound.failures >= queue.TOGETHER
    inbound.state = InboundState.RECEIVED
    inbound.attempts, inbound.failures = (queue.TOGETHER if is_suspect else 0), 0
    inbound.due_at = now
    inbound.lease_by = inbound.lease_until = inbound.last_error = None


def _named(action: str, ticket: int | None, actor: User | None) -> dict[str, Any]:
    return {"action": action, "ticket": ticket, "by": None if actor is None else actor.id}


def _order(session: Session, inbound: InboundMessage, order: dict[str, Any] | None, now: datetime) -> None:
    if session.scalar(select(InboundRaw.inbound_id).where(InboundRaw.inbound_id == inbound.id)) is None:
        raise InboundError(f"The raw mail {inbound.id} was erased; there is nothing left to read.")
    inbound.person_order = order
    requeue(inbound, now)
    session.flush()


def _check(inbound: InboundMessage, actor: User | None, at: frozenset[InboundState] = WAITING) -> None:
    if actor is not None and (not actor.is_staff or actor.disabled_at is not None):
        raise InboundError("Only agents can decide about mail.")
    if inbound.state not in at:
        raise InboundError(f"Mail {inbound.id} has been {inbound.state.value} meanwhile.")
