"""Write a delivery report on the delivery that it is about."""

from __future__ import annotations

from typing import Any

from sqlalchemy import select

from intake.record.books import Books
from intake.record.storable import clean
from intake.types import Arrival, Bounce, BounceAction, RecordBounce
from shared import returned, tickets
from shared.models import Delivery, DeliveryState, Event, EventKind, Ticket

WORDS_LIMIT = 2000


def record_bounce(books: Books, arrival: Arrival, decision: RecordBounce) -> None:
    """Note what came back on its delivery and its ticket, and tell whom it concerns, once for each delivery.

    A report about nothing that has left changes nothing, and neither does one that mail arrived.
    """
    report = arrival.message.bounce
    copy = books.copies.get(decision.delivery_id) if decision.delivery_id is not None else None
    if report is None or copy is None or report.action is BounceAction.DELIVERED or not _has_left(copy):
        return
    ticket = books.tickets.get(copy.ticket_id) if copy.ticket_id is not None else None
    words = clean(report.diagnostic or report.status or "The other server gave no reason.", WORDS_LIMIT)
    if not _is_known(books, copy, ticket, report):
        _note(books, copy, ticket, report, words)
    if decision.suspends:
        returned.suspend(books.session, decision.recipient or "", words, ticket, books.now)


def _note(books: Books, copy: Delivery, ticket: Ticket | None, report: Bounce, words: str) -> None:
    if ticket is not None:
        detail: dict[str, Any] = {"recipient": copy.recipient, "status": report.status, "diagnostic": words}
        detail |= {"action": report.action.value, "delivery": copy.id}
        tickets.add_event(books.session, ticket, EventKind.BOUNCED, books.now, **detail)
        ticket.last_activity_at = max(ticket.last_activity_at, books.now)
    if report.action is BounceAction.FAILED:
        copy.state, copy.bounced_at, copy.last_error = DeliveryState.FAILED, books.now, words
        copy.lease_by = copy.lease_until = None  # it may have come back before whoever sent it has noted that
        unreached = [clean(recipient) for recipient in report.recipients]
        returned.tell(books.session, copy, ticket, unreached=unreached, now=books.now, caps=books.caps)


def _is_known(books: Books, copy: Delivery, ticket: Ticket | None, report: Bounce) -> bool:
    """Whether as much was noted before: servers repeat themselves, and so do those who forge them."""
    if copy.bounced_at is not None:
        return True
    if report.action is BounceAction.FAILED or ticket is None:
        return False
    noted = select(Event).where(Event.ticket_id == ticket.id, Event.kind == EventKind.BOUNCED)
    return any(event.detail.get("delivery") == copy.id for event in books.session.scalars(noted))


def _has_left(copy: Delivery) -> bool:
    """Whether mail of ours can have come back. A report about a copy that still waits is forged, and stops nothing."""
    if copy.state is DeliveryState.SENDING:
        return copy.handed_over_at is not None
    return copy.state not in {DeliveryState.QUEUED, DeliveryState.DEFERRED}
