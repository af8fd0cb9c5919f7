"""The states of a delivery: every change of a row of the outbox while it is being sent."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, cast

from sqlalchemy import ColumnElement, Table, and_, bindparam, or_, select, update
from sqlalchemy.orm import Session

from intake.types import Deferred, Outcome, Refused, Sent, Unanswered, Unreachable
from shared import returned
from shared.caps import Caps
from shared.config import MAX_UNDO_SECONDS
from shared.models import Delivery, DeliveryCause, DeliveryState
from shared.queue import LEASE, TOGETHER, claim, is_free, is_stray, pause, renew

FIRST_PAUSE = timedelta(minutes=1)
LONGEST_PAUSE = timedelta(hours=1)
LONGEST_OUTAGE_PAUSE = timedelta(minutes=5)  # a server that is back again is found soon, and costs one try for all
GIVE_UP_AFTER = timedelta(days=5)  # RFC 5321 section 4.5.4.1
LEAST_ATTEMPTS = 10  # a desk that was switched off for a week does not give up at once

WAITING = (DeliveryState.QUEUED, DeliveryState.DEFERRED)
DIED = "The mail was handed over, and then Letterdesk stopped before it heard whether the server took it."
FREE: dict[str, Any] = {"lease_by": None, "lease_until": None}

TABLE = cast(Table, Delivery.__table__)
OURS = and_(TABLE.c.state == DeliveryState.SENDING, TABLE.c.lease_by == bindparam("owner"))
HAND_OVER = (  # these two are done for every mail, so they are built once
    update(TABLE)
    .where(TABLE.c.id.in_(bindparam("ids", expanding=True)), OURS)
    .values(handed_over_at=bindparam("now"), lease_until=bindparam("until"))
    .returning(TABLE.c.id)
)
GIVEN_UP = (DeliveryState.QUEUED, DeliveryState.UNKNOWN)  # what `recover` makes of a mail that was handed over
SAME_TRY = and_(TABLE.c.state.in_(GIVEN_UP), TABLE.c.handed_over_at == bindparam("begun_at"))
SENT = (
    update(TABLE)
    .where(TABLE.c.id == bindparam("number"), or_(OURS, SAME_TRY))
    .values(state=DeliveryState.SENT, sent_at=bindparam("now"), response=bindparam("words"), last_error=None, **FREE)
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """What became of one try of a delivery, which is known again by the moment it was handed over, if it was."""

    outcome: Outcome
    handed_over_at: datetime | None


class LeaseLostError(Exception):
    """Another worker may be sending this delivery: it must not be sent from here."""


def is_any_due(session: Session, now: datetime, where: ColumnElement[bool]) -> bool:
    """Whether there is something to send among `where`. Takes no lock."""
    waits = and_(Delivery.state.in_(WAITING), or_(Delivery.due_at <= now, _is_stray(now)))
    return session.scalar(select(Delivery.id).where(waits, is_free(Delivery, now), where).limit(1)) is not None


def take(session: Session, *, owner: str, now: datetime, limit: int, where: ColumnElement[bool]) -> list[int]:
    """Claim what is due among `where`; returns the ids of what is to be sent.

    What was claimed twice, and neither of these tries came to an end, comes alone and after all others: it may be
    what ends the process.
    """
    unended = Delivery.attempts - Delivery.ended_attempts
    for which, most in ((unended < TOGETHER, limit), (unended >= TOGETHER, 1)):
        ids = claim(
            session,
            Delivery,
            WAITING,
            owner=owner,
            now=now,
            limit=most,
            where=and_(where, which),
            stray=_is_stray(now),
            state=DeliveryState.SENDING,
            handed_over_at=None,
        )
        if ids:
            return ids
    return []


def is_any_lost(session: Session, now: datetime) -> bool:
    """Whether somebody died over a mail. Takes no lock."""
    return session.scalar(select(Delivery.id).where(_is_lost(now)).limit(1)) is not None


def recover(session: Session, now: datetime) -> None:
    """Decide about what somebody was sending whose lease has run out.

    Rows that somebody has locked, to delete their ticket for example, are left to the next time.
    """
    is_doubtful = and_(Delivery.cause == DeliveryCause.REPLY, Delivery.handed_over_at.is_not(None))
    for where, values in (
        (is_doubtful, {"state": DeliveryState.UNKNOWN, "last_error": DIED}),
        (~is_doubtful, {"state": DeliveryState.QUEUED, "due_at": now}),
    ):
        ids = session.scalars(select(Delivery.id).where(_is_lost(now), where).with_for_update(skip_locked=True)).all()
        change = update(Delivery).where(Delivery.id.in_(ids)).values(**values, **FREE)
        session.execute(change.execution_options(synchronize_session=False))


def hand_over(session: Session, ids: Sequence[int], *, owner: str, now: datetime) -> frozenset[int]:
    """Note that the last step of these comes now; returns those that are still ours, which alone may be sent."""
    if not ids:
        return frozenset()
    values = {"ids": ids, "owner": owner, "now": now, "until": now + LEASE}
    return frozenset(session.connection().execute(HAND_OVER, values).scalars())


def keep(session: Session, ids: Sequence[int], *, owner: str, now: datetime) -> None:
    """Renew the leases of what is still ours."""
    if ids:
        renew(session, Delivery, ids, owner=owner, now=now)


def give_back(session: Session, ids: Sequence[int], *, owner: str) -> None:
    """Let others send what was claimed and not begun; the attempt does not count."""
    session.execute(
        update(Delivery)
        .where(Delivery.id.in_(ids), Delivery.lease_by == owner, Delivery.state == DeliveryState.SENDING)
        .values(state=DeliveryState.QUEUED, attempts=Delivery.attempts - 1, handed_over_at=None, **FREE)
        .execution_options(synchronize_session=False)
    )


def record(
    session: Session,
    results: Mapping[int, Known],
    *,
    owner: str,
    now: datetime,
    chance: Callable[[], float],
    caps: Caps,
) -> None:
    """Write down what became of deliveries, as far as they are there and ours.

    What was handed over is written also where it had been given up meanwhile, as long as nobody has begun, or asked
    for, another try.
    """
    ours = {"owner": owner, "now": now}
    sent = [
        ours | {"number": number, "words": known.outcome.response, "begun_at": known.handed_over_at}
        for number, known in sorted(results.items())
        if isinstance(known.outcome, Sent)
    ]
    if sent:
        session.connection().execute(SENT, sent)
    faults = {number: known for number, known in results.items() if not isinstance(known.outcome, Sent)}
    if faults:
        _record_faults(session, faults, owner, now, chance, caps)


def _record_faults(
    session: Session,
    faults: Mapping[int, Known],
    owner: str,
    now: datetime,
    chance: Callable[[], float],
    caps: Caps,
) -> None:
    rows = select(Delivery).where(Delivery.id.in_(faults)).order_by(Delivery.id).with_for_update()
    for delivery in session.scalars(rows).all():
        known = faults[delivery.id]
        if not _is_same_try(delivery, known, owner):
            continue
        _record_fault(delivery, known.outcome, now, chance())
        if delivery.state is DeliveryState.FAILED:
            returned.not_sent(session, delivery, now, caps)


def _is_same_try(delivery: Delivery, known: Known, owner: str) -> bool:
    if delivery.state is DeliveryState.SENDING:
        return delivery.lease_by == owner
    was_handed_over = known.handed_over_at is not None and delivery.handed_over_at == known.handed_over_at
    return delivery.state in GIVEN_UP and was_handed_over


def _record_fault(delivery: Delivery, outcome: Outcome, now: datetime, chance: float) -> None:
    match outcome:
        case Refused(reason=reason):
            delivery.state, delivery.last_error, delivery.handed_over_at = DeliveryState.FAILED, reason, None
        case Unanswered(reason=reason) if not delivery.is_automatic:
            delivery.state, delivery.last_error = DeliveryState.UNKNOWN, reason
        case Unreachable(reason=reason):
            _defer(delivery, reason, now, chance, LONGEST_OUTAGE_PAUSE)
        case Deferred(reason=reason) | Unanswered(reason=reason):
            _defer(delivery, reason, now, chance, LONGEST_PAUSE)
    delivery.ended_attempts = delivery.attempts
    delivery.lease_by = delivery.lease_until = None


def _defer(delivery: Delivery, reason: str, now: datetime, chance: float, longest: timedelta) -> None:
    is_too_old = now - delivery.created_at >= GIVE_UP_AFTER and delivery.attempts >= LEAST_ATTEMPTS
    delivery.handed_over_at = None
    if is_too_old:
        delivery.state = DeliveryState.FAILED
        delivery.last_error = f"Given up after {delivery.attempts} attempts in five days. {reason}"
        return
    delivery.state, delivery.last_error = DeliveryState.DEFERRED, reason
    delivery.due_at = now + pause(delivery.attempts, first=FIRST_PAUSE, longest=longest, chance=chance)


def _is_stray(now: datetime) -> ColumnElement[bool]:
    return is_stray(Delivery, now, fresh=timedelta(seconds=MAX_UNDO_SECONDS), tried=2 * LONGEST_PAUSE)


def _is_lost(now: datetime) -> ColumnElement[bool]:
    return and_(Delivery.state == DeliveryState.SENDING, is_free(Delivery, now))
