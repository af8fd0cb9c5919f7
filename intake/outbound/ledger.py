"""The states of a delivery: every change of a row of the outbox while it is being sent."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, and_, or_, select, update
from sqlalchemy.orm import Session

from intake.types import Deferred, Outcome, Refused, Sent, Unanswered
from shared.models import Delivery, DeliveryCause, DeliveryState
from shared.queue import LEASE, claim, pause, renew

FIRST_PAUSE = timedelta(minutes=1)
LONGEST_PAUSE = timedelta(hours=1)
GIVE_UP_AFTER = timedelta(days=5)  # RFC 5321 section 4.5.4.1
LEAST_ATTEMPTS = 10  # a desk that was switched off for a week does not give up at once

WAITING = (DeliveryState.QUEUED, DeliveryState.DEFERRED)
DIED = "The mail was handed over, and then Letterdesk stopped before it heard whether the server took it."
FREE: dict[str, Any] = {"lease_by": None, "lease_until": None}


class LeaseLostError(Exception):
    """Another worker may be sending this delivery: it must not be sent from here."""


def is_any_due(session: Session, now: datetime) -> bool:
    """Whether there is something to send or to clear up. Takes no lock."""
    waits = and_(Delivery.state.in_(WAITING), Delivery.due_at <= now)
    due = or_(waits, Delivery.state == DeliveryState.SENDING) & _is_free(now)
    return session.scalar(select(Delivery.id).where(due).limit(1)) is not None


def take(session: Session, *, owner: str, now: datetime, limit: int) -> list[int]:
    """Clear up after whoever died, then claim what is due; returns the ids of what is to be sent."""
    _recover(session, now)
    sending = DeliveryState.SENDING
    return claim(
        session, Delivery, WAITING, owner=owner, now=now, limit=limit, where=None, state=sending, handed_over_at=None
    )


def hand_over(session: Session, delivery_id: int, *, owner: str, now: datetime) -> None:
    """Note that the last step comes now. Raises LeaseLostError where the delivery is not ours any more."""
    kept = (
        update(Delivery)
        .where(_is_ours(delivery_id, owner))
        .values(handed_over_at=now, lease_until=now + LEASE)
        .returning(Delivery.id)
        .execution_options(synchronize_session=False)
    )
    if session.scalar(kept) is None:
        raise LeaseLostError(delivery_id)


def keep(session: Session, ids: Sequence[int], *, owner: str, now: datetime) -> None:
    """Renew the leases of what is still ours."""
    if ids:
        renew(session, Delivery, ids, owner=owner, now=now)


def give_back(session: Session, ids: Sequence[int], *, owner: str) -> None:
    """Let others send what was claimed and not begun; the attempt does not count."""
    session.execute(
        update(Delivery)
        .where(Delivery.id.in_(ids), Delivery.lease_by == owner, Delivery.state == DeliveryState.SENDING)
        .values(state=DeliveryState.QUEUED, attempts=Delivery.attempts - 1, **FREE)
        .execution_options(synchronize_session=False)
    )


def record(
    session: Session, delivery_id: int, outcome: Outcome, *, owner: str, now: datetime, chance: float
) -> DeliveryState | None:
    """Write down what became of a delivery; returns its state, None where it is gone or somebody else's.

    What is known to be sent is written also where it had been given up as unknown meanwhile.
    """
    delivery = session.scalar(select(Delivery).where(Delivery.id == delivery_id).with_for_update())
    if delivery is None or not _may_record(delivery, outcome, owner):
        return None
    match outcome:
        case Sent(response=words):
            delivery.state, delivery.sent_at = DeliveryState.SENT, now
            delivery.response, delivery.last_error = words, None
        case Refused(reason=reason):
            delivery.state, delivery.last_error, delivery.handed_over_at = DeliveryState.FAILED, reason, None
        case Unanswered(reason=reason) if not delivery.is_automatic:
            delivery.state, delivery.last_error = DeliveryState.UNKNOWN, reason
        case Deferred(reason=reason) | Unanswered(reason=reason):
            _defer(delivery, reason, now, chance)
    delivery.lease_by = delivery.lease_until = None
    return delivery.state


def _defer(delivery: Delivery, reason: str, now: datetime, chance: float) -> None:
    is_too_old = now - delivery.created_at >= GIVE_UP_AFTER and delivery.attempts >= LEAST_ATTEMPTS
    delivery.handed_over_at = None
    if is_too_old:
        delivery.state = DeliveryState.FAILED
        delivery.last_error = f"Given up after {delivery.attempts} attempts in five days. {reason}"
        return
    delivery.state, delivery.last_error = DeliveryState.DEFERRED, reason
    delivery.due_at = now + pause(delivery.attempts, first=FIRST_PAUSE, longest=LONGEST_PAUSE, chance=chance)


def _recover(session: Session, now: datetime) -> None:
    """Decide about what somebody was sending whose lease has run out."""
    lost = and_(Delivery.state == DeliveryState.SENDING, _is_free(now))
    is_doubtful = and_(Delivery.cause == DeliveryCause.REPLY, Delivery.handed_over_at.is_not(None))
    for where, values in (
        (is_doubtful, {"state": DeliveryState.UNKNOWN, "last_error": DIED}),
        (~is_doubtful, {"state": DeliveryState.QUEUED, "due_at": now}),
    ):
        change = update(Delivery).where(lost, where).values(**values, **FREE)
        session.execute(change.execution_options(synchronize_session=False))


def _is_free(now: datetime) -> ColumnElement[bool]:
    """Nobody's lease; one that reaches too far ahead is of a clock that was set back."""
    until = Delivery.lease_until
    return or_(until.is_(None), until <= now, until > now + 2 * LEASE)


def _is_ours(delivery_id: int, owner: str) -> ColumnElement[bool]:
    return and_(Delivery.id == delivery_id, Delivery.lease_by == owner, Delivery.state == DeliveryState.SENDING)


def _may_record(delivery: Delivery, outcome: Outcome, owner: str) -> bool:
    if delivery.state is DeliveryState.SENDING:
        return delivery.lease_by == owner
    return delivery.state is DeliveryState.UNKNOWN and isinstance(outcome, Sent)
