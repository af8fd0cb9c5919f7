"""Write a delivery report on the delivery that it is about."""

from __future__ import annotations

from typing import Any

from intake.record.books import Books
from intake.record.storable import clean
from intake.types import Arrival, BounceAction, RecordBounce
from shared import tickets
from shared.models import Delivery, DeliveryState, EventKind


def record_bounce(books: Books, arrival: Arrival, decision: RecordBounce) -> None:
    """Note what came back on its delivery and its ticket; a report about nothing that has left changes nothing."""
    report = arrival.message.bounce
    copy = books.session.get(Delivery, decision.delivery_id) if decision.delivery_id is not None else None
    if report is None or copy is None or not _has_left(copy):
        return
    words = clean(report.diagnostic or report.status or "The other server gave no reason.", 2000)
    if report.action is BounceAction.FAILED:
        copy.state = DeliveryState.FAILED
        copy.bounced_at = books.now
        copy.last_error = words
    ticket = books.tickets.get(copy.ticket_id) if copy.ticket_id is not None else None
    if ticket is not None and report.action is not BounceAction.DELIVERED:
        detail: dict[str, Any] = {"recipient": copy.recipient, "status": report.status, "diagnostic": words}
        tickets.add_event(books.session, ticket, EventKind.BOUNCED, books.now, action=report.action.value, **detail)
        ticket.last_activity_at = max(ticket.last_activity_at, books.now)


def _has_left(copy: Delivery) -> bool:
    """Whether mail of ours can have come back. A report about a copy that still waits is forged, and stops nothing."""
    if copy.state is DeliveryState.SENDING:
        return copy.handed_over_at is not None
    return copy.state not in {DeliveryState.QUEUED, DeliveryState.DEFERRED}
