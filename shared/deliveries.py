"""What a person decides about outgoing mail that did not simply arrive. It goes again under its old Message-ID.

Mail that failed has reached nobody and can go again without a thought. Mail whose fate is unknown may have arrived:
it never goes again together with the rest, only when somebody asks for just that.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, and_, func, or_, select, update
from sqlalchemy.orm import Session

from shared.models import Address, Delivery, DeliveryCause, DeliveryState, Role, User

AS_NEW = {
    "attempts": 0,
    "ended_attempts": 0,
    "handed_over_at": None,
    "bounced_at": None,
    "lease_by": None,
    "lease_until": None,
}
IS_BLOCKED = and_(Address.blocked_at.is_not(None), User.role == Role.REQUESTER)
SHUT = select(Address.email).join(User).where(or_(Address.suspended_at.is_not(None), IS_BLOCKED))


def send_again(delivery: Delivery, now: datetime) -> None:
    """Let one failed, returned or unknown delivery go out again."""
    delivery.state, delivery.due_at = DeliveryState.QUEUED, now
    for name, value in AS_NEW.items():
        setattr(delivery, name, value)


def mark_sent(delivery: Delivery, now: datetime) -> None:
    """Believe that an unknown delivery arrived, because a person says so."""
    delivery.state = DeliveryState.SENT
    delivery.sent_at = delivery.sent_at or now


def retry_failed(session: Session, now: datetime, ids: Sequence[int] | None = None) -> int:
    """Send all again that failed, of these ids where some are given; returns how many.

    Automatic mail to an address that is suspended or blocked goes again only where its id is named.
    """
    where = () if ids is not None else (or_(Delivery.cause == DeliveryCause.REPLY, Delivery.recipient.not_in(SHUT)),)
    return _requeue(session, DeliveryState.FAILED, ids, *where, state=DeliveryState.QUEUED, due_at=now, **AS_NEW)


def retry_unknown(session: Session, now: datetime, ids: Sequence[int] | None = None) -> int:
    """Send all again whose fate is unknown: some people may get it twice. Returns how many."""
    return _requeue(session, DeliveryState.UNKNOWN, ids, state=DeliveryState.QUEUED, due_at=now, **AS_NEW)


def hurry_deferred(session: Session, now: datetime, ids: Sequence[int] | None = None) -> int:
    """Try now what waits for its next try; the tries so far still count. Returns how many."""
    return _requeue(session, DeliveryState.DEFERRED, ids, due_at=now)


def count_by_state(session: Session) -> Mapping[DeliveryState, int]:
    """How many deliveries there are in each state."""
    rows = session.execute(select(Delivery.state, func.count()).group_by(Delivery.state))
    return {state: count for state, count in rows}  # noqa: C416 - rows are no pairs to the type checker


def _requeue(
    session: Session, of: DeliveryState, ids: Sequence[int] | None, *where: ColumnElement[bool], **values: Any
) -> int:
    """Change the rows of one state. Locked rows are passed over: somebody decides about them just now."""
    named = () if ids is None else (Delivery.id.in_(ids),)
    chosen = select(Delivery.id).where(Delivery.state == of, *named, *where).with_for_update(skip_locked=True)
    change = update(Delivery).where(Delivery.id.in_(chosen)).values(**values).returning(Delivery.id)
    return len(session.scalars(change.execution_options(synchronize_session=False)).all())
